//! What makes bytes the same bytes.

use serde::{Deserialize, Serialize};

use crate::hex::{hex, unhex};
use crate::size::ByteCount;

macro_rules! digests {
    ($($(#[$doc:meta])+ $name:ident $bytes:literal)+) => {$(
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// From hex digits, in either case.
            pub fn from_hex(text: &str) -> Option<Self> {
                unhex(text).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotHex;

            fn try_from(text: String) -> Result<Self, NotHex> {
                Self::from_hex(&text).ok_or(NotHex)
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> String {
                digest.to_string()
            }
        }
    )+};
}

/// A text that is no digest in hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a digest in hex digits")]
pub struct NotHex;

digests! {
    /// SHA-256 of a content.
    Sha256Digest 32
    /// MD5 of a content: an alias by which the old dialect looks for it among one's own files. It proves nothing, and
    /// several contents may have the same.
    Md5Digest 16
}

/// What makes two contents one: SHA-256 and size, both computed here while the bytes came in, never what a client
/// said (W-07). A unique index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContentIdentity {
    /// The digest.
    pub sha256: Sha256Digest,
    /// Bytes.
    pub size: ByteCount,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_from_hex_and_written_in_lower_case() {
        let md5 = Md5Digest::from_hex("E10ADC3949BA59ABBE56E057F20F883E").unwrap();
        assert_eq!(md5.to_string(), "e10adc3949ba59abbe56e057f20f883e");
        assert_eq!(Md5Digest::from_hex("e10adc3949ba59abbe56e057f20f883"), None);
        assert!(serde_json::from_str::<Sha256Digest>("\"e10adc\"").is_err());
    }
}
