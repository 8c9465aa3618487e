//! Metadata: names and values that a client attaches to a file.
//!
//! On disk and on the wire alike: `name 0x02 value` records joined by `0x01`, sorted by name, nothing behind the
//! last. Names and values are bytes; clients write them in whatever encoding they like.
//!
//! Source: wire protocol, "SET_METADATA, GET_METADATA"; storage internals, "Metadata".

use std::collections::BTreeMap;

/// Longest name, bytes; longer ones are cut.
pub const META_NAME_LEN_MAX: usize = 64;

/// Longest value, bytes; longer ones are cut.
pub const META_VALUE_LEN_MAX: usize = 256;

/// Most metadata a file can have, bytes as encoded: what fits into the original's buffer.
pub const META_LEN_MAX: usize = 256 * 1024;

/// Between records.
const RECORD_SEPARATOR: u8 = 0x01;

/// Between a name and its value.
const VALUE_SEPARATOR: u8 = 0x02;

/// The metadata of one file, sorted by name, each name once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Metadata {
    /// Reads records as a client or a file has them.
    ///
    /// Nothing is refused: a record without separator is a name with an empty value, an empty record is none, of
    /// equal names the last wins, too long a name or value is cut.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut metadata = Self::default();
        for record in bytes.split(|&byte| byte == RECORD_SEPARATOR).filter(|record| !record.is_empty()) {
            let mut parts = record.splitn(2, |&byte| byte == VALUE_SEPARATOR);
            let name = parts.next().unwrap_or_default();
            metadata.put(name, parts.next().unwrap_or_default());
        }
        metadata
    }

    /// Sets one value. Names and values are cut to their limits, and separators are left out: they would
    /// make other records of what follows.
    pub fn set(&mut self, name: &[u8], value: &[u8]) {
        let clean = |text: &[u8]| -> Vec<u8> {
            text.iter().copied().filter(|byte| !matches!(*byte, RECORD_SEPARATOR | VALUE_SEPARATOR)).collect()
        };
        self.put(&clean(name), &clean(value));
    }

    fn put(&mut self, name: &[u8], value: &[u8]) {
        let name = &name[..name.len().min(META_NAME_LEN_MAX)];
        let value = &value[..value.len().min(META_VALUE_LEN_MAX)];
        self.pairs.insert(name.to_vec(), value.to_vec());
    }

    /// Adds the pairs of `newer`; where both have a name, `newer` wins.
    pub fn merge(&mut self, newer: Self) {
        self.pairs.extend(newer.pairs);
    }

    /// The value of a name.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.pairs.get(name).map(Vec::as_slice)
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// True when there is nothing; then there is no metadata file.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The bytes of the metadata file and of the replies to clients.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        for (name, value) in &self.pairs {
            if !out.is_empty() {
                out.push(RECORD_SEPARATOR);
            }
            out.extend_from_slice(name);
            out.push(VALUE_SEPARATOR);
            out.extend_from_slice(value);
        }
        out
    }

    /// Length of [`Self::encode`], to be held against [`META_LEN_MAX`].
    pub fn encoded_len(&self) -> usize {
        let pairs: usize = self.pairs.iter().map(|(name, value)| name.len() + 1 + value.len()).sum();
        pairs + self.pairs.len().saturating_sub(1)
    }
}
