//! Entries, and how they are written.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::account::Registration;
use crate::content::{ContentIdentity, Md5Digest};
use crate::hex::{hex, unhex};
use crate::ids::{AccountId, NodeId, ShareId};
use crate::node::NodeName;
use crate::ports::{BlobKey, Lane};
use crate::share::VisitorMark;
use crate::time::UnixMillis;
use crate::tree::OnConflict;

/// Bytes of an entry at most.
pub const ENTRY_BYTES_MAX: usize = 16 * 1024;

/// The first byte of every entry: what follows is JSON of [`Entry`]. What one version wrote every later one reads.
const VERSION: u8 = 1;

/// Tells an entry from all others, however often it comes: a unique key in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryKey(pub [u8; 16]);

impl EntryKey {
    /// The key of a download: the same for every request of one visitor for one link in one hour, so that it counts
    /// once.
    pub fn of_download(share: ShareId, visitor: &VisitorMark, at: UnixMillis) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"download");
        digest.update(share.get().to_be_bytes());
        digest.update(visitor.0);
        digest.update(at.hour().to_be_bytes());
        Self(std::array::from_fn({
            let digest = digest.finalize();
            move |index| digest[index]
        }))
    }
}

/// A text that is no key of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the key of an entry")]
pub struct NoEntryKey;

impl TryFrom<String> for EntryKey {
    type Error = NoEntryKey;

    fn try_from(text: String) -> Result<Self, NoEntryKey> {
        unhex(&text).map(Self).ok_or(NoEntryKey)
    }
}

impl From<EntryKey> for String {
    fn from(key: EntryKey) -> String {
        hex(&key.0)
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counter {
    /// Somebody saw the page or picture of a link.
    ShareViews(ShareId),
    /// Somebody downloaded what a link without a limit leads to. With a limit it is counted in the database at once.
    ShareDownloads(ShareId),
    /// An owner downloaded a file.
    NodeDownloads(NodeId),
}

/// A file that was uploaded in one request: its bytes are in the blob store, and become a node when this is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRecord {
    /// Whose.
    pub owner: AccountId,
    /// In which folder; if that is gone when it is applied, in the owner's root ([`crate::tree::restore_to`]).
    pub parent: NodeId,
    /// Under which name.
    pub name: NodeName,
    /// If that is taken.
    pub on_conflict: OnConflict,
    /// The room for it was reserved in the owner's quota, and is released when this is applied. False when the
    /// database was away: then it is applied past the limit ([`crate::quota::Quota::grow_past_limit`]), and both are
    /// kept if the name is taken, because the client was told that it is accepted.
    pub reserved: bool,
    /// What it is.
    pub identity: ContentIdentity,
    /// Its alias.
    pub md5: Md5Digest,
    /// Where its bytes are.
    pub blob: BlobKey,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// An account. Whoever's entry is applied first has the name.
    Register(Registration),
    /// A file.
    RecordUpload(UploadRecord),
    /// One more.
    Count(Counter),
}

/// An entry of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Tells it from others. Random, but for downloads of links ([`EntryKey::of_download`]).
    pub key: EntryKey,
    /// When it happened.
    pub at: UnixMillis,
    /// What happened.
    pub event: Event,
}

impl Event {
    /// The lane it goes through.
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Register(_) | Self::RecordUpload(_) => Lane::Records,
            Self::Count(_) => Lane::Counts,
        }
    }
}

/// What came of a record; kept beside its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// This account was made.
    Registered(AccountId),
    /// This node was made.
    Recorded(NodeId),
    /// It was refused, with this [`crate::Problem::code`].
    Refused(String),
}

/// Why bytes are no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More than [`ENTRY_BYTES_MAX`], or none.
    #[error("not the length of an entry")]
    Length,
    /// Written by a later version.
    #[error("written in form {0}, which is not known here")]
    Version(u8),
    /// Not what this version writes.
    #[error("not an entry: {0}")]
    Form(String),
}

/// Writes an entry.
pub fn encode(entry: &Entry) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = vec![VERSION];
    serde_json::to_writer(&mut bytes, entry).map_err(|error| DecodeError::Form(error.to_string()))?;
    if bytes.len() > ENTRY_BYTES_MAX { Err(DecodeError::Length) } else { Ok(bytes) }
}

/// Reads an entry.
pub fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
    match bytes {
        [] => Err(DecodeError::Length),
        bytes if bytes.len() > ENTRY_BYTES_MAX => Err(DecodeError::Length),
        [VERSION, json @ ..] => {
            serde_json::from_slice(json).map_err(|error| DecodeError::Form(error.to_string()))
        }
        [version, ..] => Err(DecodeError::Version(*version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{NickName, PasswordHash, Role, UserName, Verifiers};
    use crate::content::Sha256Digest;
    use crate::size::ByteCount;

    fn entries() -> [(Entry, &'static str); 3] {
        let key = EntryKey([0xab; 16]);
        let at = UnixMillis(5);
        let registration = Registration {
            user_name: UserName::parse("LiLei").unwrap(),
            nick_name: NickName::new("李雷").unwrap(),
            email: None,
            phone: None,
            verifiers: Verifiers { text: Some(PasswordHash("$argon2id$x".to_owned())), dialect: None },
            role: Role::User,
            at,
        };
        let record = UploadRecord {
            owner: AccountId::new(1).unwrap(),
            parent: NodeId::new(2).unwrap(),
            name: NodeName::new("图.png").unwrap(),
            on_conflict: OnConflict::KeepBoth,
            reserved: true,
            identity: ContentIdentity { sha256: Sha256Digest([1; 32]), size: ByteCount::new(9).unwrap() },
            md5: Md5Digest([2; 16]),
            blob: BlobKey::new("group1/M00/x").unwrap(),
        };
        let view = Counter::ShareViews(ShareId::new(7).unwrap());
        [
            (
                Entry { key, at, event: Event::Register(registration) },
                concat!(
                    "\u{1}{\"key\":\"abababababababababababababababab\",\"at\":5,\"event\":{\"register\":",
                    "{\"user_name\":\"LiLei\",\"nick_name\":\"李雷\",\"email\":null,\"phone\":null,",
                    "\"verifiers\":{\"text\":\"$argon2id$x\",\"dialect\":null},\"role\":\"user\",\"at\":5}}}",
                ),
            ),
            (
                Entry { key, at, event: Event::RecordUpload(record) },
                concat!(
                    "\u{1}{\"key\":\"abababababababababababababababab\",\"at\":5,\"event\":{\"record-upload\":",
                    "{\"owner\":1,\"parent\":2,\"name\":\"图.png\",\"on_conflict\":\"keep-both\",\"reserved\":true,\"identity\":{\"sha256\":",
                    "\"0101010101010101010101010101010101010101010101010101010101010101\",\"size\":9},",
                    "\"md5\":\"02020202020202020202020202020202\",\"blob\":\"group1/M00/x\"}}}",
                ),
            ),
            (
                Entry { key, at, event: Event::Count(view) },
                concat!(
                    "\u{1}{\"key\":\"abababababababababababababababab\",\"at\":5,\"event\":{\"count\":",
                    "{\"share-views\":7}}}",
                ),
            ),
        ]
    }

    #[test]
    fn what_this_version_writes_every_later_one_reads() {
        for (entry, text) in entries() {
            assert_eq!(String::from_utf8(encode(&entry).unwrap()).unwrap(), text);
            assert_eq!(decode(text.as_bytes()), Ok(entry));
        }
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        assert_eq!(decode(b""), Err(DecodeError::Length));
        assert_eq!(decode(&[VERSION; ENTRY_BYTES_MAX + 1]), Err(DecodeError::Length));
        assert_eq!(decode(b"\x02{}"), Err(DecodeError::Version(2)));
        let bad_name = entries()[1].1.replace("图.png", "a/b");
        let bad_id = entries()[2].1.replace('7', "0");
        for text in ["\u{1}", "\u{1}{}", "\u{1}null", &bad_name, &bad_id] {
            assert!(matches!(decode(text.as_bytes()), Err(DecodeError::Form(_))), "{text}");
        }
    }

    #[test]
    fn a_download_counts_once_for_a_visitor_and_an_hour() {
        let share = |number| ShareId::new(number).unwrap();
        let key =
            |number, mark, at| EntryKey::of_download(share(number), &VisitorMark([mark; 16]), UnixMillis(at));
        assert_eq!(key(1, 1, 0), key(1, 1, 3_599_999));
        for other in [key(1, 1, 3_600_000), key(2, 1, 0), key(1, 2, 0)] {
            assert_ne!(key(1, 1, 0), other);
        }
    }

    #[test]
    fn counts_do_not_hold_up_records() {
        let lanes = entries().map(|(entry, _)| entry.event.lane());
        assert_eq!(lanes, [Lane::Records, Lane::Records, Lane::Counts]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_refused_or_an_entry(mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            if let Some(first) = bytes.first_mut() {
                *first %= 3;
            }
            if let Ok(entry) = decode(&bytes) {
                proptest::prop_assert_eq!(decode(&encode(&entry).unwrap()), Ok(entry));
            }
        }
    }
}
