//! Bytes of a large file, made as they are sent: the generator needs no more memory than the server.

use md5::{Digest, Md5};

use crate::store::{content_seed, random_bytes};

/// Bytes sent at once.
const BLOCK: u64 = 1 << 20;
/// Large files are sent as a whole, or in pieces of so much.
pub(crate) const PIECE: u64 = 64 << 20;

/// A large file: random bytes, each block of which has a number and so is another one.
pub(super) struct Content {
    block: Vec<u8>,
    /// Of which file: no two are the same.
    file: u8,
    at: u64,
    digest: Md5,
}

impl Content {
    pub(super) fn new(file: u8) -> Content {
        Content { block: random_bytes(BLOCK, content_seed()), file, at: 0, digest: Md5::new() }
    }

    /// So many bytes more, a multiple of a block: each block is given away in turn.
    pub(super) fn send<E>(
        &mut self,
        bytes: u64,
        mut send: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        for _ in 0..bytes / BLOCK {
            self.block[0] = self.file;
            self.block[1..9].copy_from_slice(&self.at.to_be_bytes());
            self.at += 1;
            self.digest.update(&self.block);
            send(&self.block)?;
        }
        Ok(())
    }

    /// MD5 of all that was sent.
    pub(super) fn digest(self) -> [u8; 16] {
        self.digest.finalize().into()
    }
}
