//! A download that is pulled, a piece at a time.

use bytes::Bytes;
use drive_core::ports::{BlobError, ByteSource, Later};
use fdfs_client::{Client, Error, FileId, Pieces, Status};
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::{told, too_short};

/// What is fetched at a time, a request on a pooled connection each. Whoever takes slowly holds such a piece, or two,
/// in memory instead of a connection, and there may be hundreds of them within 256 MiB. A quick taker loses little by the
/// round trip for each: the piece before is still on its way to him. A blob of one piece is compared as a whole before any
/// of it is given out, so another storage can take over from the first byte if a copy turns out to be damaged.
const FETCHED_BYTES_MAX: u64 = 256 * 1024;

type Fetched = Result<Option<Vec<u8>>, Error>;

/// Some bytes of a file. The last piece is given out only when the client has compared what it can compare.
pub(super) struct Download {
    /// None while a piece is being fetched, and after an error.
    pieces: Option<Pieces>,
    /// The piece that is being fetched, in a task: it goes on, and its connection comes back, also when nobody asks
    /// any more, as of a peer of HTTP/2 who takes nothing. Given up when this is dropped.
    fetch: JoinSet<(Pieces, Fetched)>,
    left: u64,
    id: FileId,
}

impl Download {
    pub(super) fn new(client: &Client, id: FileId, offset: u64, length: u64) -> Download {
        let pieces = client.download_in_pieces(&id, offset, length, FETCHED_BYTES_MAX);
        Download { pieces: Some(pieces), fetch: JoinSet::new(), left: length, id }
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.left == 0 {
            return Ok(None);
        }
        if let Some(mut pieces) = self.pieces.take() {
            let fetch = async move {
                let piece = Box::pin(pieces.next()).await;
                (pieces, piece)
            };
            self.fetch.spawn(fetch.in_current_span());
        }
        let piece = match self.fetch.join_next().await {
            Some(Ok((pieces, Ok(piece)))) => {
                self.pieces = Some(pieces);
                piece
            }
            // The offset lies behind the end.
            Some(Ok((_, Err(error)))) if error.status() == Some(Status::EINVAL) => None,
            Some(Ok((_, Err(error)))) => return Err(told(&error)),
            Some(Err(error)) => return Err(BlobError::Unavailable(error.to_string())),
            None => return Err(BlobError::Unavailable("it broke off before".to_owned())),
        };
        let Some(piece) = piece else { return Err(too_short(&self.id)) };
        self.left = self.left.saturating_sub(piece.len() as u64);
        Ok(Some(Bytes::from(piece)))
    }
}

impl ByteSource for Download {
    fn next(&mut self) -> Later<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(self.piece())
    }
}
