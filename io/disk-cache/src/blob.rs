//! A blob's file: a head of 16 bytes, then the content.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `CBL1` |
//! | 4 | CRC32 of key, length and content, little-endian |
//! | 8 | length of the content, little-endian |

use crate::Key;

const MARK: [u8; 4] = *b"CBL1";

pub(crate) const HEAD_BYTES: usize = 16;

/// The head of a blob.
pub(crate) fn head(key: &Key, content: &[u8]) -> [u8; HEAD_BYTES] {
    let length = (content.len() as u64).to_le_bytes();
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(&MARK);
    head[4..8].copy_from_slice(&checksum(key, length, content).to_le_bytes());
    head[8..].copy_from_slice(&length);
    head
}

/// The content of a file, if it is just what was put under that key.
pub(crate) fn content(key: &Key, mut file: Vec<u8>) -> Option<Vec<u8>> {
    let (found, content) = file.split_first_chunk::<HEAD_BYTES>()?;
    if *found != head(key, content) {
        return None;
    }
    file.drain(..HEAD_BYTES);
    Some(file)
}

/// The key is in it, so that a file under another name is none.
fn checksum(key: &Key, length: [u8; 8], content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&key.0);
    hasher.update(&length);
    hasher.update(content);
    hasher.finalize()
}
