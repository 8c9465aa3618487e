//! The part of a name that says where in a trunk file the content is.

use crate::stamp::BASE64;
use base64::Engine;

/// Characters of 12 bytes in base64.
pub(crate) const TRUNK_TEXT_LEN: usize = 16;

/// Bytes of a [`TrunkPart`].
const TRUNK_PART_LEN: usize = 12;

/// A slot of a trunk file, as a trunk name carries it.
///
/// Source: wire protocol, "Trunk part".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrunkPart {
    /// Number of the trunk file; its name is the number in at least six decimal digits.
    pub file_id: u32,
    /// Where the slot's header begins, bytes from the start of the trunk file.
    pub offset: u32,
    /// Bytes of the slot, its 24-byte header included.
    pub alloc_size: u32,
}

impl TrunkPart {
    /// The 16 characters.
    pub fn to_text(&self) -> String {
        let mut bytes = [0; TRUNK_PART_LEN];
        bytes[..4].copy_from_slice(&self.file_id.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.offset.to_be_bytes());
        bytes[8..].copy_from_slice(&self.alloc_size.to_be_bytes());
        BASE64.encode(bytes)
    }

    /// Reads 16 characters; none when they are not base64 or not 16.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; TRUNK_PART_LEN];
        if text.len() != TRUNK_TEXT_LEN || BASE64.decode_slice(text, &mut bytes) != Ok(TRUNK_PART_LEN) {
            return None;
        }
        let [i0, i1, i2, i3, o0, o1, o2, o3, a0, a1, a2, a3] = bytes;
        Some(Self {
            file_id: u32::from_be_bytes([i0, i1, i2, i3]),
            offset: u32::from_be_bytes([o0, o1, o2, o3]),
            alloc_size: u32::from_be_bytes([a0, a1, a2, a3]),
        })
    }

    /// Name of the trunk file below its two directories: `000001`.
    pub fn container(&self) -> String {
        format!("{:06}", self.file_id)
    }
}
