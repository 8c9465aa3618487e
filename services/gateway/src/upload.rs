//! Uploads over HTTP: `POST /upload` by who has the key, a file as the content or in a form. What comes is kept aside until
//! it is complete, for the storages want its length first, and a broken upload shall not reach them.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use fdfs_client::{Client, Content, UploadOptions};
use fdfs_fileid::{ExtName, FileId, GroupName};
use futures_util::{Stream, StreamExt, stream};
use http_body_util::BodyExt;
use http_core::target::decode_value;
use http_core::{Method, Status, Target};
use hyper::HeaderMap;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::run::Gateway;
use crate::{serve, source};

/// Where files are sent.
const PATH: &str = "/upload";

/// Uploads taken at the same time; one more is refused with 503.
const UPLOADS_MAX: usize = 32;

/// What is held in memory of a file; more of it goes to disk.
const MEMORY_LEN: usize = 1 << 20;

/// Fields of a form before the file at most.
const FIELDS_MAX: usize = 32;

/// Uploads, where they are allowed.
pub(crate) struct Uploads {
    key: String,
    max_size: u64,
    /// For files on their way, which have no names: nothing is left of them whatever happens.
    folder: PathBuf,
    places: Semaphore,
    /// How long a client may send nothing.
    patience: Duration,
}

impl Uploads {
    pub(crate) fn new(
        conf: &fdfs_conf::gateway::UploadConf,
        base_path: Option<&Path>,
        patience: Duration,
    ) -> io::Result<Self> {
        let folder = base_path.map_or_else(std::env::temp_dir, |base| base.join("tmp"));
        std::fs::create_dir_all(&folder)?;
        let (key, max_size) = (conf.key.clone(), conf.max_size);
        Ok(Self { key, max_size, folder, places: Semaphore::new(UPLOADS_MAX), patience })
    }
}

/// Whether a request is an upload, here where they are allowed.
pub(crate) fn is_meant(gateway: &Gateway, method: Method<'_>, target: &str) -> bool {
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    gateway.uploads.is_some() && method == Method::Other("POST") && path == PATH
}

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("uploads need the header Authorization: Bearer KEY, with the upload_key of this gateway")]
    Key,
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    #[error("too many uploads at the moment")]
    Busy,
    #[error("{0}")]
    Malformed(String),
    #[error("the file stopped coming")]
    Silent,
    #[error("this gateway knows no trackers: uploads need a tracker_server in its mod_fastdfs.conf")]
    NoCluster,
    #[error("the file can't be kept here while it comes: {0}")]
    Folder(#[from] io::Error),
    #[error("{0}")]
    Store(#[from] fdfs_client::Error),
}

impl Refused {
    fn status(&self) -> Status {
        match self {
            Self::Key => Status::UNAUTHORIZED,
            Self::TooLarge(_) => Status::CONTENT_TOO_LARGE,
            Self::Busy => Status::SERVICE_UNAVAILABLE,
            Self::Malformed(_) => Status::BAD_REQUEST,
            Self::Silent => Status::REQUEST_TIMEOUT,
            Self::NoCluster | Self::Folder(_) => Status::INTERNAL_ERROR,
            Self::Store(error) if error.is_not_found() => Status::NOT_FOUND,
            Self::Store(error) if error.status() == Some(fdfs_client::Status::ENOSPC) => {
                Status::INSUFFICIENT_STORAGE
            }
            Self::Store(error) => source::status(error),
        }
    }
}

impl Refused {
    /// Why nothing more comes.
    fn arriving(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Silent,
            _ => Self::Malformed(error.to_string()),
        }
    }
}

/// Takes a file: the status and the JSON to answer with.
pub(crate) async fn take(
    gateway: &Gateway,
    target: &str,
    host: Option<&[u8]>,
    secure: bool,
    headers: &HeaderMap,
    content: Incoming,
) -> (Status, String) {
    match stored(gateway, target, headers, content).await {
        Ok((id, size)) => {
            let url = url(gateway, &id, host, secure);
            (Status::CREATED, json!({ "id": id.to_string(), "url": url, "size": size }).to_string())
        }
        Err(error) => {
            tracing::debug!(%error, "an upload was refused");
            (error.status(), json!({ "error": error.to_string() }).to_string())
        }
    }
}

async fn stored(
    gateway: &Gateway,
    target: &str,
    headers: &HeaderMap,
    content: Incoming,
) -> Result<(FileId, u64), Refused> {
    let (Some(uploads), Some(cluster)) = (&gateway.uploads, &gateway.cluster) else {
        return Err(Refused::NoCluster);
    };
    let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if !given.is_some_and(|key| bool::from(key.ct_eq(uploads.key.as_bytes()))) {
        return Err(Refused::Key);
    }
    let malformed = |reason: &dyn std::fmt::Display| Refused::Malformed(reason.to_string());
    let target = Target::parse(target).map_err(|error| malformed(&error))?;
    let parameters = &target.parameters;
    let group = match parameters.group {
        None => gateway.only_group,
        Some(group) => Some(GroupName::parse(group.as_bytes()).map_err(|error| malformed(&error))?),
    };
    // A form is a little longer than its file: that is found out as it comes.
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let boundary =
        headers.get(CONTENT_TYPE).and_then(|value| multer::parse_boundary(value.to_str().ok()?).ok());
    if boundary.is_none() && announced.is_some_and(|len| len > uploads.max_size) {
        return Err(Refused::TooLarge(uploads.max_size));
    }
    let _place = uploads.places.try_acquire().map_err(|_| Refused::Busy)?;
    let patience = uploads.patience;
    let arriving = stream::unfold(Some(content), move |content| next_bytes(content, patience)).boxed();
    let (kept, name) = match boundary {
        None => {
            let kept = keep(uploads, arriving.map(|bytes| bytes.map_err(Refused::arriving))).await?;
            (kept, parameters.filename.map(|name| decode_value(name).into_owned()))
        }
        Some(boundary) => from_form(uploads, arriving, boundary).await?,
    };
    let ext = match parameters.ext {
        Some(ext) => Some(ExtName::parse(ext.as_bytes()).map_err(|error| malformed(&error))?),
        None => name.as_deref().and_then(extension),
    };
    let options = UploadOptions { group, ext, ..UploadOptions::default() };
    let len = kept.len;
    Ok((kept.upload(cluster, &options).await?, len))
}

/// The extension of a file's name, if it is one that an id can have.
fn extension(name: &str) -> Option<ExtName> {
    let (_, ext) = name.rsplit_once('.')?;
    ExtName::parse(ext.as_bytes()).ok()
}

/// One step of the content, with a deadline.
async fn next_bytes(
    content: Option<Incoming>,
    patience: Duration,
) -> Option<(io::Result<Bytes>, Option<Incoming>)> {
    let mut content = content?;
    loop {
        return match timeout(patience, content.frame()).await {
            Err(_) => Some((Err(io::ErrorKind::TimedOut.into()), None)),
            Ok(None) => None,
            Ok(Some(Err(error))) => Some((Err(io::Error::new(io::ErrorKind::ConnectionReset, error)), None)),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(bytes) => Some((Ok(bytes), Some(content))),
                // Trailers say nothing here.
                Err(_) => continue,
            },
        };
    }
}

/// The first file of a form.
async fn from_form(
    uploads: &Uploads,
    arriving: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    boundary: String,
) -> Result<(Kept, Option<String>), Refused> {
    let mut form = multer::Multipart::new(arriving, boundary);
    for _ in 0..FIELDS_MAX {
        let Some(field) = form.next_field().await.map_err(form_error)? else { break };
        let Some(name) = field.file_name().map(str::to_owned) else { continue };
        let kept = keep(uploads, field.map(|bytes| bytes.map_err(form_error))).await?;
        return Ok((kept, Some(name)));
    }
    Err(Refused::Malformed("the form holds no file".to_owned()))
}

fn form_error(error: multer::Error) -> Refused {
    match error {
        multer::Error::StreamReadFailed(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => Refused::arriving(*cause),
            Err(cause) => Refused::Malformed(cause.to_string()),
        },
        error => Refused::Malformed(error.to_string()),
    }
}

/// A file that has come completely.
struct Kept {
    /// What came first, or all of it.
    file: Option<File>,
    /// What is not in the file.
    rest: Vec<u8>,
    len: u64,
}

/// Takes what comes until its end.
async fn keep(
    uploads: &Uploads,
    mut arriving: impl Stream<Item = Result<Bytes, Refused>> + Send + Unpin,
) -> Result<Kept, Refused> {
    let mut kept = Kept { file: None, rest: Vec::new(), len: 0 };
    while let Some(bytes) = arriving.next().await {
        let bytes = bytes?;
        kept.len += bytes.len() as u64;
        if kept.len > uploads.max_size {
            return Err(Refused::TooLarge(uploads.max_size));
        }
        kept.rest.extend_from_slice(&bytes);
        if kept.rest.len() >= MEMORY_LEN {
            kept.put_aside(&uploads.folder).await?;
        }
    }
    if kept.file.is_some() {
        kept.put_aside(&uploads.folder).await?;
    }
    Ok(kept)
}

impl Kept {
    /// Moves what is in memory to disk.
    async fn put_aside(&mut self, folder: &Path) -> io::Result<()> {
        let (file, mut rest, folder) = (self.file.take(), std::mem::take(&mut self.rest), folder.to_owned());
        let write = move || {
            let mut file = file.map_or_else(|| tempfile::tempfile_in(folder), Ok)?;
            file.write_all(&rest)?;
            rest.clear();
            Ok::<_, io::Error>((file, rest))
        };
        let (file, rest) = spawn_blocking(write).await.map_err(io::Error::other)??;
        (self.file, self.rest) = (Some(file), rest);
        Ok(())
    }

    async fn upload(self, cluster: &Client, options: &UploadOptions) -> Result<FileId, Refused> {
        let content = match self.file {
            None => return Ok(cluster.upload(Content::from(&self.rest), options).await?.id),
            Some(mut file) => {
                file.seek(SeekFrom::Start(0))?;
                Content::reader(tokio::fs::File::from_std(file), self.len)
            }
        };
        Ok(cluster.upload(content, options).await?.id)
    }
}

/// Where the file can be had, with a token where one is needed.
fn url(gateway: &Gateway, id: &FileId, host: Option<&[u8]>, secure: bool) -> String {
    let path = match gateway.only_group {
        None => format!("/{id}"),
        Some(_) => format!("/{}", id.name),
    };
    let query = gateway.rules.tokens.as_ref().map(|tokens| {
        let ts = serve::now();
        format!("?token={}&ts={ts}", fdfs_fileid::token::make(id.name.as_str(), &tokens.secret, ts))
    });
    let here = host.and_then(|host| std::str::from_utf8(host).ok()).map(|host| {
        let scheme = if secure { "https" } else { "http" };
        format!("{scheme}://{host}")
    });
    format!("{}{path}{}", here.unwrap_or_default(), query.unwrap_or_default())
}
