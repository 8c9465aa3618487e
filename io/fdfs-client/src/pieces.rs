//! Downloads that are taken piece by piece, at the pace of whoever takes them.

use crate::client::Client;
use crate::download::DownloadOptions;
use crate::error::{Error, Result};
use crate::receive::{Receiver, Sink};
use crate::storage::DOWNLOAD;
use crate::verify::Promise;
use fdfs_conf::ServerAddr;
use fdfs_fileid::{FileId, Kind as FileKind};

/// A part of a file, or all of it, on its way in pieces. Made by [`Client::download_in_pieces`].
///
/// Each piece is a request of its own, and between two of them no connection is held: whoever takes them slowly keeps
/// nobody else waiting.
pub struct Pieces {
    client: Client,
    id: FileId,
    offset: u64,
    length: u64,
    piece_len: u64,
    /// What the id says, where all of the file is downloaded.
    promise: Option<Promise>,
    /// Of what was received.
    received: u64,
    crc: crc32fast::Hasher,
    /// The storage that gave the last piece.
    place: Option<ServerAddr>,
}

impl Client {
    /// A download of `length` bytes from `offset` on, in pieces of `piece_len` bytes (at least 1; the last may have
    /// less). Nothing is asked for yet.
    ///
    /// A file that is changed meanwhile, as only appenders can be, may give pieces of before and after.
    pub fn download_in_pieces(&self, id: &FileId, offset: u64, length: u64, piece_len: u64) -> Pieces {
        let all = DownloadOptions { offset, length: Some(length), ..DownloadOptions::default() };
        Pieces {
            client: self.clone(),
            promise: all.promise(id),
            id: id.clone(),
            offset,
            length,
            piece_len: piece_len.max(1),
            received: 0,
            crc: crc32fast::Hasher::new(),
            place: None,
        }
    }
}

impl Pieces {
    /// The next piece, never empty; nothing at the end, which comes early where the file does. The last piece of a
    /// whole file is given out only when size and CRC-32 of all of them are what the id promises.
    ///
    /// Dropped half way, or after an error, it can be called again for the same piece.
    ///
    /// # Errors
    /// As [`Client::download`]. A storage that fails is replaced by another one, but not in the middle of an
    /// appender: of two copies that differ a half each is nobody's file.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let left = self.length.saturating_sub(self.received);
        if left == 0 {
            return Ok(None);
        }
        let len = left.min(self.piece_len);
        let offset = self.offset.saturating_add(self.received);
        let options = DownloadOptions { offset, length: Some(len), ..DownloadOptions::default() };
        let mut receiver = Receiver::new(Sink::Buffer { bytes: Vec::new(), limit: len }, DOWNLOAD);
        let downloaded = match &self.place {
            None => self.client.receive(&self.id, &options, &mut receiver).await?,
            Some(place) if self.id.name.kind() == FileKind::Appender => {
                let storage = self.client.storage(place.clone());
                storage.download_verified(&self.id, &options, &mut receiver).await?
            }
            Some(place) => {
                let sources = self.client.sources_from(&self.id, place.clone());
                self.client.receive_from(sources, &self.id, &options, &mut receiver).await?
            }
        };
        let Sink::Buffer { bytes, .. } = receiver.sink else { return Ok(None) };
        let received = self.received.saturating_add(downloaded.size);
        let mut crc = self.crc.clone();
        crc.combine(&crc32fast::Hasher::new_with_initial_len(downloaded.crc32, downloaded.size));
        let ended = downloaded.size < len || received == self.length;
        if let Some(promise) = self.promise.filter(|_| ended) {
            let checked = promise.check(received, crc.clone().finalize());
            checked.map_err(|kind| match &downloaded.storage {
                Some(place) => self.client.storage(place.clone()).error(kind, DOWNLOAD),
                None => Error::local(kind, DOWNLOAD),
            })?;
        }
        if ended {
            self.length = received;
        }
        (self.received, self.crc, self.place) = (received, crc, downloaded.storage);
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}
