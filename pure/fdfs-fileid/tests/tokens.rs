//! The anti-steal token against the values of the original.

use fdfs_fileid::token::{TokenError, check, make};

const SECRET: &str = "FastDFS1234567890";
const NAME: &str = "M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";
const TS: i64 = 1_751_328_000;
const TOKEN: &str = "3a0ea5552838819b7f9c21401bb77a02";

#[test]
fn a_token_signs_the_name_without_group() {
    assert_eq!(make(NAME, SECRET, TS), TOKEN);
    assert_eq!(make("M00/00/00/abc.jpg", SECRET, 1_508_447_574), "34b3c6ce0cb93d609c3795431d00f9ba");
}

#[test]
fn the_test_tools_sign_the_whole_id() {
    assert_eq!(make(&format!("group1/{NAME}"), SECRET, TS), "fb65dd3f862a46ee7fb9a682a2762118");
}

#[test]
fn a_token_is_good_until_its_time_to_live_has_passed() {
    assert_eq!(check(TOKEN, NAME, SECRET, TS, TS, 600), Ok(()));
    assert_eq!(check(TOKEN, NAME, SECRET, TS, TS + 600, 600), Ok(()));
    assert_eq!(check(TOKEN, NAME, SECRET, TS, TS + 601, 600), Err(TokenError::Expired));
}

#[test]
fn a_token_from_the_future_is_good() {
    assert_eq!(check(TOKEN, NAME, SECRET, TS, TS - 100_000, 600), Ok(()));
    let far = make(NAME, SECRET, i64::MAX);
    assert_eq!(check(&far, NAME, SECRET, i64::MAX, i64::MIN, 600), Ok(()));
}

#[test]
fn a_token_of_time_zero_never_expires() {
    let forever = make("M00/00/00/abc.jpg", SECRET, 0);
    assert_eq!(forever, "30ad864f15bbaf15045d9745a5849534");
    assert_eq!(check(&forever, "M00/00/00/abc.jpg", SECRET, 0, TS, 600), Ok(()));
}

#[test]
fn a_token_for_another_name_time_or_secret_is_refused() {
    assert_eq!(check(TOKEN, "M00/00/00/other", SECRET, TS, TS, 600), Err(TokenError::Mismatch));
    assert_eq!(check(TOKEN, NAME, SECRET, TS + 1, TS, 600), Err(TokenError::Mismatch));
    assert_eq!(check(TOKEN, NAME, "other", TS, TS, 600), Err(TokenError::Mismatch));
}

#[test]
fn a_token_in_capitals_or_of_another_length_is_refused() {
    assert_eq!(check(&TOKEN.to_uppercase(), NAME, SECRET, TS, TS, 600), Err(TokenError::Mismatch));
    assert_eq!(check(&TOKEN[1..], NAME, SECRET, TS, TS, 600), Err(TokenError::Length));
    assert_eq!(check("", NAME, SECRET, TS, TS, 600), Err(TokenError::Length));
}
