//! Metadata of a file: names and values.

use fdfs_format::metadata::{META_NAME_LEN_MAX, META_VALUE_LEN_MAX};
use std::collections::BTreeMap;

pub use fdfs_proto::storage::metadata::MetaFlag;

/// Bytes up to this one have a meaning in the encoding or at its end.
const SEPARATOR_MAX: u8 = 2;

/// The longest encoded metadata: with head and name it has to fit the storage's buffer of 256 KiB.
const ENCODED_LEN_MAX: usize = 255 * 1024;

/// Names and values that are kept with a file, in the order of their names.
///
/// A name has 1 to 64 bytes, a value up to 256. Both may hold any bytes but 0, 1 and 2.
///
/// ```
/// use fdfs_client::Metadata;
///
/// let metadata: Metadata = [("width", "160"), ("height", "80")].into_iter().collect();
/// assert_eq!(metadata.get("width"), Some(b"160".as_slice()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Metadata {
    /// No records.
    pub fn new() -> Metadata {
        Metadata::default()
    }

    /// True without records.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Adds a record; one with the same name is replaced.
    pub fn insert(&mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.records.insert(name.into(), value.into());
    }

    /// The value behind a name.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        self.records.get(name.as_ref()).map(Vec::as_slice)
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.records.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// As it travels. The storage would cut what is too long; here it is refused, so that nothing is lost in silence.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, &'static str> {
        let mut format = fdfs_format::Metadata::default();
        for (name, value) in &self.records {
            if name.is_empty() || name.len() > META_NAME_LEN_MAX {
                return Err("a metadata name has 1 to 64 bytes");
            }
            if value.len() > META_VALUE_LEN_MAX {
                return Err("a metadata value has at most 256 bytes");
            }
            if name.iter().chain(value).any(|byte| *byte <= SEPARATOR_MAX) {
                return Err("metadata cannot hold the bytes 0, 1 and 2");
            }
            format.set(name, value);
        }
        if format.encoded_len() > ENCODED_LEN_MAX {
            return Err("more metadata than fits into one request (255 KiB)");
        }
        Ok(format.encode())
    }

    /// Reads what a storage sends: a record without a value has an empty one, empty records are skipped.
    pub(crate) fn decode(bytes: &[u8]) -> Metadata {
        fdfs_format::Metadata::parse(bytes)
            .iter()
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect()
    }
}

impl<N: Into<Vec<u8>>, V: Into<Vec<u8>>> FromIterator<(N, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(records: I) -> Metadata {
        let records = records.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Metadata { records }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_joined_in_the_order_of_their_names() {
        let metadata: Metadata = [("width", "160"), ("height", "80")].into_iter().collect();
        assert_eq!(metadata.encode().unwrap(), b"height\x0280\x01width\x02160");
        assert_eq!(Metadata::decode(b"height\x0280\x01width\x02160"), metadata);
        assert_eq!(Metadata::new().encode().unwrap(), b"");
        assert!(Metadata::decode(b"").is_empty());
    }

    #[test]
    fn a_record_without_a_separator_has_an_empty_value() {
        let metadata = Metadata::decode(b"a\x01b\x02\x01c\x02x\x02y\x01");
        assert_eq!(metadata.get("a"), Some(b"".as_slice()));
        assert_eq!(metadata.get("b"), Some(b"".as_slice()));
        assert_eq!(metadata.get("c"), Some(b"x\x02y".as_slice()));
        assert_eq!(metadata.len(), 3);
    }

    #[test]
    fn what_the_storage_would_cut_or_misread_is_refused() {
        let refused = |name: &[u8], value: &[u8]| {
            Metadata::from_iter([(name.to_vec(), value.to_vec())]).encode().unwrap_err()
        };
        assert_eq!(refused(b"", b"x"), "a metadata name has 1 to 64 bytes");
        assert_eq!(refused(&[b'n'; 65], b"x"), "a metadata name has 1 to 64 bytes");
        assert_eq!(refused(b"n", &[b'v'; 257]), "a metadata value has at most 256 bytes");
        assert_eq!(refused(b"n", b"a\x01b"), "metadata cannot hold the bytes 0, 1 and 2");
        let many = Metadata::from_iter((0..2000).map(|n| (format!("name{n}"), vec![b'v'; 256])));
        assert_eq!(many.encode().unwrap_err(), "more metadata than fits into one request (255 KiB)");
    }
}
