//! `.fastdfs_vars`: the mark that ties a store path to the storage that made it.
//!
//! The same text is in the store path's `data/.fastdfs_vars` and in the storage's `.data_init_flag`; when they
//! differ, somebody has mounted the wrong disk. The text is opaque: it is compared, never interpreted.
//!
//! Source: storage internals, "Store paths".

use crate::FormatError;
use crate::ini::{Ini, put};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use fdfs_fileid::StorePathIndex;
use std::fmt;
use std::net::IpAddr;

/// Name of the file below a store path's `data/`.
pub const PATH_MARK_FILE: &str = ".fastdfs_vars";

/// Longest mark that is believed; the original's have 75 characters.
pub const PATH_MARK_LEN_MAX: usize = 256;

const KEY: &str = "store_path_mark";

/// Bytes for an address as text in a mark.
const IP_LEN: usize = 46;

/// The mark of one store path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathMark(String);

impl PathMark {
    /// Takes a mark as it stands in a file: 1 to [`PATH_MARK_LEN_MAX`] visible ASCII characters.
    pub fn new(text: &str) -> Option<Self> {
        let good = !text.is_empty()
            && text.len() <= PATH_MARK_LEN_MAX
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self(text.to_owned()))
    }

    /// A new mark, as the original makes them on a little-endian machine: address and port of the storage, the
    /// number of the path and the time of its creation (Unix seconds).
    pub fn generate(ip: IpAddr, port: u16, path: StorePathIndex, created: u32) -> Self {
        let mut bytes = [0; 56];
        let text = ip.to_string();
        for (to, from) in bytes[..IP_LEN].iter_mut().zip(text.bytes()) {
            *to = from;
        }
        bytes[46..48].copy_from_slice(&port.to_le_bytes());
        bytes[48] = path.0;
        bytes[52..].copy_from_slice(&created.to_le_bytes());
        Self(STANDARD_NO_PAD.encode(bytes))
    }

    /// The mark as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads `.fastdfs_vars`.
    ///
    /// # Errors
    /// [`FormatError`] when the mark is missing or no mark.
    pub fn decode_file(bytes: &[u8]) -> Result<Self, FormatError> {
        Ini::keys(bytes)?.required(KEY, Self::new)
    }

    /// Writes `.fastdfs_vars`.
    pub fn encode_file(&self) -> Vec<u8> {
        let mut out = String::new();
        put(&mut out, KEY, self);
        out.into_bytes()
    }
}

impl fmt::Display for PathMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
