//! Metadata as clients send it.

use fdfs_format::Metadata;

#[test]
fn pairs_are_sorted_by_name() {
    let metadata = Metadata::parse(b"width\x02160\x01author\x02nobody\x01Height\x0280");
    assert_eq!(metadata.encode(), b"Height\x0280\x01author\x02nobody\x01width\x02160");
    assert_eq!(metadata.len(), 3);
    assert_eq!(metadata.get(b"width"), Some(&b"160"[..]));
    assert_eq!(metadata.get(b"nothing"), None);
}

#[test]
fn nothing_is_nothing() {
    assert!(Metadata::parse(b"").is_empty());
    assert!(Metadata::parse(b"\x01\x01").is_empty());
    assert_eq!(Metadata::default().encode(), b"");
    assert_eq!(Metadata::default().encoded_len(), 0);
}

#[test]
fn a_record_without_value_has_an_empty_one() {
    let metadata = Metadata::parse(b"flag\x01b\x02");
    assert_eq!(metadata.encode(), b"b\x02\x01flag\x02");
}

#[test]
fn a_value_may_hold_the_value_separator() {
    let metadata = Metadata::parse(b"a\x02b\x02c");
    assert_eq!(metadata.get(b"a"), Some(&b"b\x02c"[..]));
    assert_eq!(metadata.encode(), b"a\x02b\x02c");
}

#[test]
fn of_equal_names_the_last_wins() {
    assert_eq!(Metadata::parse(b"a\x021\x01b\x022\x01a\x023").encode(), b"a\x023\x01b\x022");
}

#[test]
fn long_names_and_values_are_cut() {
    let mut bytes = vec![b'n'; 65];
    bytes.push(2);
    bytes.extend(vec![b'v'; 257]);
    let metadata = Metadata::parse(&bytes);
    assert_eq!(metadata.get(&[b'n'; 64]), Some(&[b'v'; 256][..]));
    assert_eq!(metadata.encoded_len(), 64 + 1 + 256);
    assert_eq!(metadata.encode().len(), 64 + 1 + 256);
}

#[test]
fn merging_keeps_what_is_old_and_takes_what_is_new() {
    let mut metadata = Metadata::parse(b"a\x021\x01b\x022");
    metadata.merge(Metadata::parse(b"b\x02two\x01c\x023"));
    assert_eq!(metadata.encode(), b"a\x021\x01b\x02two\x01c\x023");
    assert_eq!(metadata.encoded_len(), 13);
}

#[test]
fn a_set_value_cannot_smuggle_in_records() {
    let mut metadata = Metadata::default();
    metadata.set(b"a\x02b", b"c\x01d\x02e");
    assert_eq!(metadata.encode(), b"ab\x02cde");
}
