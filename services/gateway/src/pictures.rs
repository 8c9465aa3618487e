//! Pictures in other sizes: what may be asked for, the folder of those that were made, and making them.

use std::sync::Arc;
use std::time::Duration;

use disk_cache::{DiskCache, Key};
use fdfs_conf::gateway::{PictureSize, PicturesConf};
use fdfs_fileid::FileId;
use http_core::token::is_trusted;
use http_core::validator::never_changes;
use http_core::{FileFacts, Parameters, RequestFields, Status};
use picture::{INPUT_BYTES_MAX, Kind, PictureError, RECIPE, Room, Wanted};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::StartError;
use crate::rules::Rules;
use crate::source::{Broken, Source};

/// Requests that wait for a picture to be made; one more is refused with 503.
const WAITING_MAX: usize = 64;

/// How long one of them waits for its turn.
const TURN_WAIT: Duration = Duration::from_secs(30);

/// Locks under which pictures are made, so that two who ask for the same one make it once.
const MAKING: usize = 64;

/// Makes pictures and keeps them.
pub(crate) struct Pictures {
    sizes: Vec<PictureSize>,
    cache: Arc<DiskCache>,
    waiting: Semaphore,
    room: Room,
    /// As many as have room at once.
    work: Arc<Semaphore>,
    making: Vec<Mutex<()>>,
}

/// A picture that goes out.
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    pub(crate) media: &'static str,
}

/// Why a picture was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Read(#[from] Broken),
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("too many pictures are being made")]
    Busy,
    #[error("the work was given up: {0}")]
    GivenUp(#[from] tokio::task::JoinError),
}

impl Failed {
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Read(broken) => broken.unsent().unwrap_or(Status::BAD_GATEWAY),
            Self::Busy => Status::SERVICE_UNAVAILABLE,
            Self::Picture(PictureError::TooLong | PictureError::NoRoom { .. }) => Status::CONTENT_TOO_LARGE,
            Self::GivenUp(_) | Self::Picture(PictureError::Resize(_) | PictureError::EncodeJpeg(_)) => {
                Status::INTERNAL_ERROR
            }
            Self::Picture(_) => Status::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// Whether the own copy can't be read.
    pub(crate) fn is_unread_here(&self) -> bool {
        matches!(self, Self::Read(broken) if broken.is_unread_here())
    }
}

impl Pictures {
    pub(crate) fn new(conf: &PicturesConf) -> Result<Self, StartError> {
        let path = &conf.cache_path;
        let cache = DiskCache::open(path, conf.cache_size)
            .map_err(|error| StartError::File { path: path.clone(), reason: error.to_string() })?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let room = Room::new(daemon::memory::for_this_process(), processors);
        Ok(Self {
            sizes: conf.sizes.clone(),
            cache: Arc::new(cache),
            waiting: Semaphore::new(WAITING_MAX),
            room,
            work: Arc::new(Semaphore::new(room.at_once)),
            making: (0..MAKING).map(|_| Mutex::new(())).collect(),
        })
    }

    /// What a request wants, or why it may not: 400 for what makes no sense, 403 for sizes that are not for everybody.
    pub(crate) fn wanted(
        &self,
        parameters: &Parameters<'_>,
        fields: &RequestFields<'_>,
        rules: &Rules,
    ) -> Result<Option<Wanted>, Status> {
        let Parameters { w, h, fit, fm, .. } = *parameters;
        let Some(wanted) = Wanted::parse(w, h, fit, fm).map_err(|_| Status::BAD_REQUEST)? else {
            return Ok(None);
        };
        let size = PictureSize { width: wanted.width, height: wanted.height };
        let may = self.sizes.contains(&size) || is_trusted(rules.bypass.as_ref(), fields);
        if may { Ok(Some(wanted)) } else { Err(Status::FORBIDDEN) }
    }

    /// The picture that is wanted of a file; nothing when the file is not of a kind that can be resized.
    pub(crate) async fn resized(
        &self,
        id: &FileId,
        source: &mut Source,
        facts: FileFacts,
        wanted: &Wanted,
    ) -> Result<Option<Made>, Failed> {
        let key = key(id, facts, wanted);
        if let Some(bytes) = self.kept(key).await? {
            return Ok(made(bytes));
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| Failed::Busy)?;
        let lock = &self.making[usize::from(key.0[0]) % MAKING];
        let _making = timeout(TURN_WAIT, lock.lock()).await.map_err(|_| Failed::Busy)?;
        // Whoever had the lock may have made it.
        if let Some(bytes) = self.kept(key).await? {
            return Ok(made(bytes));
        }
        let head_len = facts.size.min(Kind::HEAD_BYTES as u64) as usize;
        let head = source.read(0, head_len).await.map_err(Broken::early)?;
        if Kind::of(&head).is_none() {
            return Ok(None);
        }
        if facts.size > INPUT_BYTES_MAX as u64 {
            return Err(PictureError::TooLong.into());
        }
        let room = self.room.beside(facts.size).ok_or(PictureError::TooLong)?;
        let turn = timeout(TURN_WAIT, Arc::clone(&self.work).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Failed::Busy) };
        let file = source.read(0, facts.size as usize).await.map_err(Broken::early)?;
        let (wanted, cache) = (*wanted, Arc::clone(&self.cache));
        let work = move || {
            let picture = picture::resized_within(&file, &wanted, room)?;
            drop((file, turn));
            // A cache that can't be written to makes pictures dear, not impossible.
            if let Err(error) = cache.put(&key, &picture.bytes) {
                tracing::warn!(%error, "a resized picture can't be kept");
            }
            Ok(Some(Made { bytes: picture.bytes, media: picture.format.mime() }))
        };
        spawn_blocking(work).await?
    }

    async fn kept(&self, key: Key) -> Result<Option<Vec<u8>>, Failed> {
        let cache = Arc::clone(&self.cache);
        Ok(spawn_blocking(move || cache.get(&key)).await?)
    }
}

/// What was kept, by its content.
fn made(bytes: Vec<u8>) -> Option<Made> {
    let media = match Kind::of(&bytes)? {
        Kind::Jpeg => "image/jpeg",
        Kind::Png => "image/png",
        Kind::WebP => "image/webp",
    };
    Some(Made { bytes, media })
}

/// Of another version of the file, and of another way to make pictures, the key is another.
fn key(id: &FileId, facts: FileFacts, wanted: &Wanted) -> Key {
    let modified = if never_changes(&id.name) { 0 } else { facts.modified };
    let text = format!("{RECIPE} {id} {} {modified} {wanted}", facts.size);
    Key(Sha256::digest(text.as_bytes()).into())
}
