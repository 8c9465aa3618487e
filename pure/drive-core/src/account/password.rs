//! Passwords: which are taken, what is hashed, and how two doors use one account.
//!
//! API v1 gets the password itself. The old dialect's clients send 32 hex digits, the MD5 of the typed password, and
//! call that the password. One account may be used through both doors, so it has up to two *verifiers*, each an
//! argon2id hash:
//!
//! | verifier | of | checked by | made |
//! |---|---|---|---|
//! | `text` | the password, normalised | v1 | by v1: registration, change, and the first v1 sign-in of an account made by the old dialect |
//! | `dialect` | the 32 hex digits | the old dialect; v1 while there is no `text` | by the old dialect's registration; by v1 when the owner allows old clients |
//!
//! - A verifier is only ever compared with the kind of text that it was made of. The digits do not open v1, whoever
//!   knows them from a leak elsewhere; a password that happens to be 32 hex digits does not open the old door.
//! - An account made by v1 has no `dialect` verifier unless its owner asks for one, because MD5 values of passwords are
//!   around, and with it such a value is enough to sign in through the old door.
//! - At the first v1 sign-in of an account made there the server sees the password and makes the `text` verifier.
//! - A password change through v1 makes `text` anew, and `dialect` if there was one.
//! - Each attempt costs exactly one argon2id, also for names that nobody has ([`Check::against`] is none: a dummy is
//!   used).

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;

use super::user_name::UserName;
use crate::hex::hex;
use crate::node::fold;
use crate::problem::Problem;

/// Characters of a password at least (NIST SP 800-63B, §5.1.1.2). Length is all that is asked for: no kinds of
/// characters, no expiry.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Bytes of a password at most: room for a long sentence in any language, and a bound on what is hashed.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Passwords that are tried first everywhere and long enough otherwise.
const COMMON: [&str; 24] = [
    "12345678",
    "123456789",
    "1234567890",
    "12341234",
    "11111111",
    "00000000",
    "88888888",
    "66666666",
    "password",
    "password1",
    "passw0rd",
    "p@ssw0rd",
    "qwertyui",
    "qwertyuiop",
    "1qaz2wsx",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "abcd1234",
    "abc12345",
    "asdfghjkl",
    "iloveyou",
    "woaini1314",
    "5201314520",
    "a123456789",
];

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Fewer than [`PASSWORD_CHARS_MIN`] characters.
    #[error("it is too short")]
    TooShort,
    /// More than [`PASSWORD_BYTES_MAX`] bytes.
    #[error("it is too long")]
    TooLong,
    /// The user name, or all the same character.
    #[error("it is the user name, or one character again and again")]
    Obvious,
    /// In the list of those that are tried first.
    #[error("it is one of those that are tried first")]
    Common,
    /// The old dialect's field is not 32 lower-case hex digits.
    #[error("it is not the MD5 that the old dialect sends")]
    NotADigest,
}

impl From<PasswordFault> for Problem {
    fn from(fault: PasswordFault) -> Self {
        Self::PasswordRefused(fault)
    }
}

/// What a person typed. Never printed, never kept.
#[derive(Clone)]
pub struct Typed(String);

/// What a verifier is made of: goes into argon2id.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// An argon2id hash as a PHC string.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(pub String);

macro_rules! unprinted {
    ($($name:ident)+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )+};
}
unprinted!(Typed Secret PasswordHash);

impl Secret {
    /// The bytes to hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Typed {
    /// A password that came in. Refused only when it is too long to look at.
    pub fn new(text: &str) -> Result<Self, PasswordFault> {
        if text.len() > PASSWORD_BYTES_MAX { Err(PasswordFault::TooLong) } else { Ok(Self(text.to_owned())) }
    }

    /// May an account of this name have it?
    pub fn check_policy(&self, user_name: &UserName) -> Result<(), PasswordFault> {
        let folded = fold(&self.0);
        let mut chars = folded.chars();
        let first = chars.next();
        if self.0.chars().count() < PASSWORD_CHARS_MIN {
            Err(PasswordFault::TooShort)
        } else if folded == user_name.key() || chars.all(|c| Some(c) == first) {
            Err(PasswordFault::Obvious)
        } else if COMMON.contains(&folded.as_str()) {
            Err(PasswordFault::Common)
        } else {
            Ok(())
        }
    }

    /// What the `text` verifier is made of: normalised, as keyboards write `é` in two ways (NIST SP 800-63B, §5.1.1.2).
    pub fn text_secret(&self) -> Secret {
        Secret(self.0.nfkc().collect())
    }

    /// What the `dialect` verifier is made of. Old clients digest what is typed, byte by byte, so nothing is
    /// normalised.
    pub fn dialect_secret(&self) -> Secret {
        Secret(hex(&Md5::digest(self.0.as_bytes())))
    }
}

/// The 32 hex digits that an old client sends.
#[derive(Debug, Clone)]
pub struct DialectPassword(Secret);

impl DialectPassword {
    /// From the field `pwd` or `firstPwd`.
    pub fn new(text: &str) -> Result<Self, PasswordFault> {
        let digits = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digits { Ok(Self(Secret(text.to_owned()))) } else { Err(PasswordFault::NotADigest) }
    }

    /// May an account of this name have it? Length can't be seen behind a digest; the empty password and the user
    /// name can. The list of common passwords does not count here: the course's own scripts sign in with one.
    pub fn check_policy(&self, user_name: &UserName) -> Result<(), PasswordFault> {
        let obvious = ["", user_name.as_str(), user_name.key()];
        let is = |text: &str| -> bool {
            hex(&Md5::digest(text.as_bytes())).as_bytes().ct_eq(self.0.as_bytes()).into()
        };
        if obvious.into_iter().any(is) { Err(PasswordFault::Obvious) } else { Ok(()) }
    }

    /// What the `dialect` verifier is made of.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

/// The verifiers of an account. One of them at least.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verifiers {
    /// Made of the password.
    pub text: Option<PasswordHash>,
    /// Made of the old dialect's digits.
    pub dialect: Option<PasswordHash>,
}

/// One sign-in: hash `secret` and compare it with `against`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check<'a> {
    /// What goes into argon2id.
    pub secret: Secret,
    /// The hash to compare with. None: nothing can match; hash against the dummy, so that it takes as long, and refuse.
    pub against: Option<&'a PasswordHash>,
    /// When it matches, make the `text` verifier of this: the account has none yet.
    pub then_text: Option<Secret>,
}

/// A sign-in through v1. `verifiers` is none when nobody has the name.
pub fn check_typed<'a>(verifiers: Option<&'a Verifiers>, typed: &Typed) -> Check<'a> {
    let (text, dialect) = verifiers.map_or((None, None), |v| (v.text.as_ref(), v.dialect.as_ref()));
    match (text, dialect) {
        (None, Some(dialect)) => Check {
            secret: typed.dialect_secret(),
            against: Some(dialect),
            then_text: Some(typed.text_secret()),
        },
        (text, _) => Check { secret: typed.text_secret(), against: text, then_text: None },
    }
}

/// A sign-in through the old dialect.
pub fn check_dialect<'a>(verifiers: Option<&'a Verifiers>, password: &DialectPassword) -> Check<'a> {
    let against = verifiers.and_then(|v| v.dialect.as_ref());
    Check { secret: password.secret().clone(), against, then_text: None }
}

/// What argon2id is made to cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl PasswordCost {
    /// OWASP's minimum for argon2id (Password Storage Cheat Sheet): 19 MiB, two passes, one lane. The default, and
    /// the least that a configuration may ask for.
    pub const LEAST: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
    /// The most that a configuration may ask for: 1 GiB for each sign-in that is being checked.
    pub const MOST: Self = Self { memory_kib: 1024 * 1024, passes: 16, lanes: 16 };

    /// May it be configured so?
    pub const fn is_allowed(self) -> bool {
        self.memory_kib >= Self::LEAST.memory_kib
            && self.memory_kib <= Self::MOST.memory_kib
            && self.passes >= Self::LEAST.passes
            && self.passes <= Self::MOST.passes
            && self.lanes >= Self::LEAST.lanes
            && self.lanes <= Self::MOST.lanes
    }

    /// Is a hash of this cost made anew at the next sign-in, because `wanted` costs more?
    pub const fn is_below(self, wanted: Self) -> bool {
        self.memory_kib < wanted.memory_kib || self.passes < wanted.passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Typed {
        Typed::new(text).unwrap()
    }

    fn hash(text: &str) -> Option<PasswordHash> {
        Some(PasswordHash(text.to_owned()))
    }

    #[test]
    fn only_length_and_the_obvious_are_asked_for() {
        use PasswordFault::{Common, Obvious, TooShort};
        let name = UserName::parse("LiLei.2024").unwrap();
        for (text, expected) in [
            ("correct horse", Ok(())),
            ("八个汉字的密码啊", Ok(())),
            ("七个汉字的密码", Err(TooShort)),
            ("seven77", Err(TooShort)),
            ("", Err(TooShort)),
            ("lilei.2024", Err(Obvious)),
            ("ＬＩＬＥＩ.2024", Err(Obvious)),
            ("lilei.20245", Ok(())),
            ("zzzzzzzzzz", Err(Obvious)),
            ("Passw0rd", Err(Common)),
            ("12345678", Err(Common)),
        ] {
            assert_eq!(typed(text).check_policy(&name), expected, "{text}");
        }
        assert_eq!(Typed::new(&"a".repeat(1025)).err(), Some(PasswordFault::TooLong));
    }

    #[test]
    fn old_clients_send_32_lower_case_hex_digits() {
        let name = UserName::parse("lilei").unwrap();
        let check = |text| DialectPassword::new(text).and_then(|password| password.check_policy(&name));
        assert_eq!(check("e10adc3949ba59abbe56e057f20f883e"), Ok(())); // 123456
        assert_eq!(check("E10ADC3949BA59ABBE56E057F20F883E"), Err(PasswordFault::NotADigest));
        assert_eq!(check("123456"), Err(PasswordFault::NotADigest));
        assert_eq!(check(""), Err(PasswordFault::NotADigest));
        assert_eq!(check("d41d8cd98f00b204e9800998ecf8427e"), Err(PasswordFault::Obvious)); // nothing
        assert_eq!(check("3752a328cf125dc589f01a1c1ff9e322"), Err(PasswordFault::Obvious)); // lilei
    }

    #[test]
    fn each_door_compares_with_its_own_verifier() {
        let (both, text, dialect, none) = (
            Verifiers { text: hash("t"), dialect: hash("d") },
            Verifiers { text: hash("t"), dialect: None },
            Verifiers { text: None, dialect: hash("d") },
            Verifiers::default(),
        );
        let digits = "e10adc3949ba59abbe56e057f20f883e";
        let old = DialectPassword::new(digits).unwrap();
        for (verifiers, v1, old_door) in [
            (Some(&both), Some("t"), Some("d")),
            (Some(&text), Some("t"), None),
            (Some(&dialect), Some("d"), Some("d")),
            (Some(&none), None, None),
            (None, None, None),
        ] {
            let text_of = |check: &Check<'_>| check.against.map(|hash| hash.0.clone());
            let check = check_typed(verifiers, &typed("123456"));
            assert_eq!(text_of(&check).as_deref(), v1);
            assert_eq!(text_of(&check_dialect(verifiers, &old)).as_deref(), old_door);
        }
        assert_eq!(check_dialect(Some(&both), &old).secret.as_bytes(), digits.as_bytes());
        assert_eq!(check_typed(Some(&both), &typed("123456")).secret.as_bytes(), b"123456");
    }

    #[test]
    fn the_first_v1_sign_in_of_an_old_account_learns_the_password() {
        let old = Verifiers { text: None, dialect: hash("d") };
        let check = check_typed(Some(&old), &typed("123456"));
        assert_eq!(check.secret.as_bytes(), b"e10adc3949ba59abbe56e057f20f883e");
        assert_eq!(check.then_text.unwrap().as_bytes(), b"123456");
    }

    #[test]
    fn the_digits_themselves_do_not_open_v1() {
        let old = Verifiers { text: None, dialect: hash("d") };
        let check = check_typed(Some(&old), &typed("e10adc3949ba59abbe56e057f20f883e"));
        assert_ne!(check.secret.as_bytes(), b"e10adc3949ba59abbe56e057f20f883e");
    }

    #[test]
    fn the_text_is_normalised_and_the_digits_are_of_what_was_typed() {
        let (one, other) = (typed("cafe\u{301} society"), typed("café society"));
        assert_eq!(one.text_secret(), other.text_secret());
        assert_ne!(one.dialect_secret(), other.dialect_secret());
    }

    #[test]
    fn passwords_are_not_printed() {
        let printed = format!(
            "{:?}",
            (typed("hush"), typed("hush").text_secret(), hash("hush"), DialectPassword::new(&"b".repeat(32)))
        );
        assert!(!printed.contains("hush") && !printed.contains("bbb"), "{printed}");
    }

    #[test]
    fn costs_have_a_floor_and_a_ceiling() {
        let cost = |memory_kib, passes, lanes| PasswordCost { memory_kib, passes, lanes };
        for (cost, allowed) in [
            (PasswordCost::LEAST, true),
            (PasswordCost::MOST, true),
            (cost(19 * 1024 - 1, 2, 1), false),
            (cost(19 * 1024, 1, 1), false),
            (cost(19 * 1024, 2, 0), false),
            (cost(1024 * 1024 + 1, 2, 1), false),
            (cost(19 * 1024, 17, 1), false),
            (cost(19 * 1024, 2, 17), false),
        ] {
            assert_eq!(cost.is_allowed(), allowed, "{cost:?}");
        }
        assert!(!PasswordCost::LEAST.is_below(PasswordCost::LEAST));
        assert!(PasswordCost::LEAST.is_below(cost(64 * 1024, 2, 1)));
        assert!(PasswordCost::LEAST.is_below(cost(19 * 1024, 3, 1)));
        assert!(!cost(64 * 1024, 3, 1).is_below(PasswordCost::LEAST));
    }
}
