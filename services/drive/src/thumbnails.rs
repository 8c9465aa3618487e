//! Small pictures of pictures: made once, kept in a bounded folder.
//!
//! What is kept stands under the identity of the content, so it serves all who have the content, and is never out of
//! date. That there is none is kept, too: decoders are not asked twice about what they can't read.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use disk_cache::{DiskCache, Key};
use drive_core::content::Content;
use drive_core::ports::{BlobError, BlobStore};
use drive_core::{ByteCount, Problem};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_core::RequestFields;
use http_core::condition::{Current, Outcome, evaluate};
use http_core::validator::EntityTag;
use picture::{Fit, INPUT_BYTES_MAX, Kind, PictureError, RECIPE, Room, Wanted};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::give::blob_problem;
use crate::places::COME_AGAIN;
use crate::refusal::{Answer, FIELD_REPEATED};

/// What a small picture's longer side may be at most, pixels: few, so that few are made of each.
pub(crate) const THUMBNAIL_EDGES: [u32; 5] = [64, 160, 320, 640, 1280];

/// Requests that wait for a picture to be made; one more is sent away.
const WAITING_MAX: usize = 256;

/// How long one of them waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(30);

/// How long all bytes of a picture may take to come from the store.
const READ_WAIT: Duration = Duration::from_secs(60);

/// Locks under which pictures are made, so that two who ask for the same one make it once.
const MAKING: usize = 64;

/// A node's content never changes, and with another one it is another node.
const KEPT: &str = "private, max-age=2592000, immutable";

/// One of [`THUMBNAIL_EDGES`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge(u32);

impl Edge {
    pub(crate) fn new(pixels: u32) -> Result<Self, Problem> {
        let known = THUMBNAIL_EDGES.contains(&pixels);
        known.then_some(Self(pixels)).ok_or(Problem::FieldInvalid("edge"))
    }
}

/// Makes small pictures and keeps them.
pub(crate) struct Thumbnails {
    cache: Arc<DiskCache>,
    waiting: Semaphore,
    room: Room,
    /// As many as have room at once.
    work: Arc<Semaphore>,
    making: Vec<Mutex<()>>,
}

impl Thumbnails {
    pub(crate) fn new(cache: DiskCache, memory: Option<u64>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let room = Room::new(memory, processors);
        Self {
            cache: Arc::new(cache),
            waiting: Semaphore::new(WAITING_MAX),
            room,
            work: Arc::new(Semaphore::new(room.at_once)),
            making: (0..MAKING).map(|_| Mutex::new(())).collect(),
        }
    }

    /// Answers a GET or HEAD of the small picture of a content.
    pub(crate) async fn give(
        &self,
        blobs: &Arc<dyn BlobStore>,
        content: &Content,
        edge: Edge,
        method: &Method,
        headers: &HeaderMap,
    ) -> Answer<Response> {
        let key = key(content, edge);
        let lines = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let fields = RequestFields::collect(lines, None)
            .map_err(|repeated| FIELD_REPEATED.because(format!("{} is there twice", repeated.name)))?;
        let tag = key.0.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte));
        // The key stands for the bytes: the same content by the same recipe.
        let tag = EntityTag::of_digest(tag);
        let mut text = Vec::new();
        tag.push_to(&mut text);
        let mut out = HeaderMap::new();
        let text =
            HeaderValue::from_bytes(&text).map_err(|_| Problem::Contradiction("a tag can't be sent"))?;
        out.insert(ETAG, text);
        out.insert(CACHE_CONTROL, HeaderValue::from_static(KEPT));
        // It has no time: only its tag counts.
        let current = Current { tag, modified: i64::MAX, never_changes: false };
        if evaluate(&fields, &current) == Outcome::NotModified {
            return Ok((StatusCode::NOT_MODIFIED, out).into_response());
        }
        let bytes = self.small(blobs, content, edge, key).await?;
        out.insert(
            CONTENT_TYPE,
            HeaderValue::from_static(match Kind::of(&bytes) {
                Some(Kind::Jpeg) => "image/jpeg",
                Some(Kind::Png) => "image/png",
                Some(Kind::WebP) => "image/webp",
                // An empty one says that there is none.
                None => return Err(Problem::NoThumbnail.into()),
            }),
        );
        out.insert(CONTENT_LENGTH, bytes.len().into());
        let body = if *method == Method::HEAD { Body::empty() } else { Body::from(bytes) };
        Ok((StatusCode::OK, out, body).into_response())
    }

    /// The bytes of a small picture; none when there can be none.
    async fn small(
        &self,
        blobs: &Arc<dyn BlobStore>,
        content: &Content,
        edge: Edge,
        key: Key,
    ) -> Result<Vec<u8>, Problem> {
        if let Some(bytes) = self.kept(key).await? {
            return Ok(bytes);
        }
        let busy = || Problem::RateLimited { retry_after: COME_AGAIN };
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let lock = self.making.get(usize::from(key.0[0]) % MAKING);
        let lock = lock.ok_or(Problem::Contradiction("a lock is not there"))?;
        let _making = timeout(TURN_WAIT, lock.lock()).await.map_err(|_| busy())?;
        // Whoever had the lock may have made it.
        if let Some(bytes) = self.kept(key).await? {
            return Ok(bytes);
        }
        let without_room = self.room.each.map(|bytes| key_without_room(content, edge, bytes));
        if let Some(key) = without_room
            && let Some(none) = self.kept(key).await?
        {
            return Ok(none);
        }
        let size = content.identity.size.get();
        let head = read(blobs, content, size.min(Kind::HEAD_BYTES as u64)).await?;
        if Kind::of(&head).is_none() || size > INPUT_BYTES_MAX as u64 {
            return self.made(key, Vec::new()).await;
        }
        let Some(room) = self.room.beside(size) else {
            return self.made(without_room.unwrap_or(key), Vec::new()).await;
        };
        let turn = timeout(TURN_WAIT, Arc::clone(&self.work).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(busy()) };
        let file = read(blobs, content, size).await?;
        let work = move || {
            let _turn = turn;
            let wanted =
                Wanted { width: Some(edge.0), height: Some(edge.0), fit: Fit::Contain, format: None };
            picture::resized_within(&file, &wanted, room)
        };
        let gone = |_| Problem::Contradiction("a picture was given up");
        match spawn_blocking(work).await.map_err(gone)? {
            Ok(picture) => self.made(key, picture.bytes).await,
            Err(error @ (PictureError::Resize(_) | PictureError::EncodeJpeg(_))) => {
                tracing::error!(%error, "a picture that was read can't be made smaller");
                Err(Problem::Contradiction("a picture can't be made smaller"))
            }
            Err(error @ PictureError::NoRoom { .. }) => {
                tracing::debug!(%error, "there is no thumbnail on a machine with so little memory");
                self.made(without_room.unwrap_or(key), Vec::new()).await
            }
            Err(error) => {
                tracing::debug!(%error, "there is no thumbnail");
                self.made(key, Vec::new()).await
            }
        }
    }

    async fn kept(&self, key: Key) -> Result<Option<Vec<u8>>, Problem> {
        let cache = Arc::clone(&self.cache);
        let looked = spawn_blocking(move || cache.get(&key)).await;
        looked.map_err(|_| Problem::Contradiction("the cache of thumbnails panicked"))
    }

    /// Keeps what was made, as far as the cache does.
    async fn made(&self, key: Key, bytes: Vec<u8>) -> Result<Vec<u8>, Problem> {
        let cache = Arc::clone(&self.cache);
        let keep = move || {
            // A cache that can't be written to makes pictures dear, not impossible.
            if let Err(error) = cache.put(&key, &bytes) {
                tracing::warn!(%error, "a thumbnail can't be kept");
            }
            bytes
        };
        spawn_blocking(keep).await.map_err(|_| Problem::Contradiction("the cache of thumbnails panicked"))
    }
}

/// The first bytes of a content.
async fn read(blobs: &Arc<dyn BlobStore>, content: &Content, length: u64) -> Result<Vec<u8>, Problem> {
    let Some(length) = ByteCount::new(length).filter(|length| length.get() > 0) else {
        return Ok(Vec::new());
    };
    let reading = async {
        let mut source = blobs.read(&content.blob, ByteCount::ZERO, length).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = source.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    };
    let late = |_| BlobError::Unavailable("a picture did not come in time".to_owned());
    let read: Result<Vec<u8>, BlobError> = timeout(READ_WAIT, reading).await.map_err(late).flatten();
    read.map_err(|error| blob_problem(&error))
}

/// Of another content, another edge, and another way to make pictures, the key is another.
fn key(content: &Content, edge: Edge) -> Key {
    Key(Sha256::digest(text_of_key(content, edge).as_bytes()).into())
}

/// Where it is kept that a picture had no room within so many bytes: with more it is tried again.
fn key_without_room(content: &Content, edge: Edge, bytes: u64) -> Key {
    let text = format!("{} within {} MiB", text_of_key(content, edge), bytes >> 20);
    Key(Sha256::digest(text.as_bytes()).into())
}

fn text_of_key(content: &Content, Edge(edge): Edge) -> String {
    let identity = &content.identity;
    format!("thumbnail {RECIPE} {} {} {edge}", identity.sha256, identity.size.get())
}
