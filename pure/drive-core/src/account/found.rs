//! What accounts are found by.

use super::{Email, NickName, UserName};
use crate::node::{SEARCH_KEY_BYTES_MAX, SearchKey};

/// Bytes of [`found_by`] at most.
pub const FOUND_BY_BYTES_MAX: usize = 3 * SEARCH_KEY_BYTES_MAX + 2;

/// The text in which terms are looked for that an account is to have: user name, nick name and e-mail address as
/// search sees them ([`SearchKey`]), each on a line. Terms have no line breaks, so none goes from one into the next.
pub fn found_by(user_name: &UserName, nick_name: &NickName, email: Option<&Email>) -> String {
    let (nick_name, email) =
        (SearchKey::of(nick_name.as_str()), SearchKey::of(email.map_or("", Email::as_str)));
    format!("{}\n{}\n{}", user_name.key(), nick_name.as_str(), email.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_names_and_address_in_any_case() {
        let (user, nick) = (UserName::parse("LiLei").unwrap(), NickName::new("李雷 Ｌｅｉ").unwrap());
        let email = Email::new("Lei@Example.CN").unwrap();
        assert_eq!(found_by(&user, &nick, Some(&email)), "lilei\n李雷 lei\nlei@example.cn");
        assert_eq!(found_by(&user, &nick, None), "lilei\n李雷 lei\n");
    }

    #[test]
    fn what_it_is_found_by_has_an_end() {
        // 32 characters that become 33 bytes each.
        let (user, nick) = (UserName::parse("ab").unwrap(), NickName::new(&"\u{fdfa}".repeat(32)).unwrap());
        let email = Email::new(&format!("{}@b.cn", "ä".repeat(120))).unwrap();
        assert!(found_by(&user, &nick, Some(&email)).len() <= FOUND_BY_BYTES_MAX);
    }
}
