//! The client: asks a tracker which storage, then the storage, and turns to others when one fails.

use crate::call::{self, Call, StoreTarget, StoreTargets};
use crate::config::ClientConfig;
use crate::content::Content;
use crate::error::{Error, Kind, Result, Side};
use crate::info::{FileInfo, InfoFlags};
use crate::metadata::{MetaFlag, Metadata};
use crate::pool::{Lease, Pool};
use crate::storage::{
    APPEND, MODIFY, Storage, UPLOAD, UPLOAD_SLAVE, UploadOptions, Uploaded, check_appender,
};
use crate::tracker::Tracker;
use crate::trackers::Trackers;
use fdfs_conf::ServerAddr;
use fdfs_fileid::{FileId, GroupName, SlavePrefix, StorePathIndex};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The pause before the second round over servers none of which could be connected; it doubles with each round.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a client's handles share.
pub(crate) struct Shared {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) pool: Pool,
    pub(crate) trackers: Trackers,
}

/// An async FastDFS client.
///
/// Cheap to clone; clones share trackers and connections. Every operation may be called from many tasks at once, and
/// dropping the future of one closes its connection.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use fdfs_client::{Client, ClientConfig, DownloadOptions, ServerAddr, UploadOptions};
///
/// let tracker = ServerAddr::parse("127.0.0.1:22122", 22122)?;
/// let client = Client::new(ClientConfig::new([tracker]));
///
/// let uploaded = client.upload_file("picture.jpg", &UploadOptions::default()).await?;
/// println!("stored as {}", uploaded.id);
///
/// let bytes = client.download(&uploaded.id, &DownloadOptions::default()).await?;
/// assert_eq!(bytes.len() as u64, uploaded.size);
/// client.delete(&uploaded.id).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

impl Client {
    /// A client with these settings. Nothing is connected yet.
    pub fn new(config: ClientConfig) -> Client {
        let config = Arc::new(config);
        let pool = Pool::new(Arc::clone(&config));
        let trackers = Trackers::new(&config.trackers, config.avoid_failed_for);
        Client { shared: Arc::new(Shared { config, pool, trackers }) }
    }

    /// The settings.
    pub fn config(&self) -> &ClientConfig {
        &self.shared.config
    }

    /// A storage, addressed directly.
    pub fn storage(&self, address: ServerAddr) -> Storage {
        Storage::new(Arc::clone(&self.shared), &address)
    }

    /// A tracker, addressed directly; it need not be one of the configuration.
    pub fn tracker(&self, address: ServerAddr) -> Tracker {
        Tracker::new(Arc::clone(&self.shared), &address)
    }

    /// The trackers of the configuration, in its order.
    pub fn trackers(&self) -> Vec<Tracker> {
        self.shared
            .trackers
            .addresses()
            .map(|address| Tracker::new(Arc::clone(&self.shared), address))
            .collect()
    }

    /// Closes all connections that are not in use.
    pub fn close_idle(&self) {
        self.shared.pool.close_idle();
    }

    /// Asks one tracker after the other until one answers.
    ///
    /// ENOENT is asked of the others too, because a tracker that has just started knows no storages yet.
    pub(crate) async fn ask_trackers<T>(&self, call: &Call<T>) -> Result<T> {
        let operation = call.request.operation;
        let mut rounds = Rounds::new(&self.shared.config);
        loop {
            let mut refusal = None;
            let mut failure = None;
            for address in self.shared.trackers.order(Instant::now()) {
                let tracker = Tracker::new(Arc::clone(&self.shared), &address);
                match tracker.run(call).await {
                    Ok(answer) => {
                        self.shared.trackers.answered(&address);
                        return Ok(answer);
                    }
                    Err(error) if error.is_network() => {
                        tracing::debug!(%address, %error, "tracker failed");
                        self.shared.trackers.failed(&address, Instant::now());
                        failure = Some(error);
                    }
                    Err(error) => {
                        self.shared.trackers.answered(&address);
                        if !error.is_not_found() {
                            return Err(error);
                        }
                        refusal.get_or_insert(error);
                    }
                }
            }
            let error = refusal
                .or(failure)
                .unwrap_or_else(|| Error::new(Kind::NoTracker, Side::Tracker, None, operation));
            rounds.next_after(error).await?;
        }
    }

    /// Where to upload, into any group or a given one.
    ///
    /// # Errors
    /// ENOENT when there is no such group or no storage of it takes uploads, ENOSPC when all are full.
    pub async fn query_store(&self, group: Option<GroupName>) -> Result<StoreTarget> {
        self.ask_trackers(&call::query_store(group)).await
    }

    /// Every storage one may upload to, of the group the tracker chooses or of a given one.
    ///
    /// # Errors
    /// As [`Client::query_store`].
    pub async fn query_store_all(&self, group: Option<GroupName>) -> Result<StoreTargets> {
        self.ask_trackers(&call::query_store_all(group)).await
    }

    /// The storage to download a file from.
    ///
    /// # Errors
    /// ENOENT when the group is not known or none of its storages has the file and serves downloads.
    pub async fn query_fetch(&self, id: &FileId) -> Result<ServerAddr> {
        self.ask_trackers(&call::query_fetch(id)).await
    }

    /// Every storage to download a file from.
    ///
    /// # Errors
    /// As [`Client::query_fetch`].
    pub async fn query_fetch_all(&self, id: &FileId) -> Result<Vec<ServerAddr>> {
        self.ask_trackers(&call::query_fetch_all(id)).await
    }

    /// The storage on which to change or delete a file.
    ///
    /// # Errors
    /// ENOENT when the group is not known or none of its storages takes changes.
    pub async fn query_update(&self, id: &FileId) -> Result<ServerAddr> {
        self.ask_trackers(&call::query_update(id)).await
    }

    /// Stores bytes or the content of a reader.
    ///
    /// A storage that cannot be reached is replaced by another one. Once content has been sent nothing is repeated:
    /// then [`Error::outcome_unknown`] tells whether the file may have been stored.
    ///
    /// ```no_run
    /// # async fn example(client: fdfs_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use fdfs_client::{Content, ExtName, Metadata, UploadOptions};
    ///
    /// let options = UploadOptions {
    ///     ext: Some(ExtName::parse(b"txt")?),
    ///     metadata: Metadata::from_iter([("author", "me")]),
    ///     ..UploadOptions::default()
    /// };
    /// let small = client.upload("some text".into(), &options).await?;
    ///
    /// let file = tokio::fs::File::open("big.bin").await?;
    /// let size = file.metadata().await?.len();
    /// let big = client.upload(Content::reader(file, size), &UploadOptions::default()).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// ENOENT or ENOSPC from the tracker when no storage takes the file; what [`Storage::upload`] can give.
    pub async fn upload(&self, content: Content<'_>, options: &UploadOptions) -> Result<Uploaded> {
        let (storage, lease, path) = self.connect_to_store(options.group).await?;
        storage.upload_on(lease, content, path, options).await
    }

    /// Stores the local file at `local`, in bounded memory whatever its size. Without an extension in `options` the
    /// id gets the file's own.
    ///
    /// # Errors
    /// As [`Client::upload`]; [`Kind::LocalRead`] when the local file cannot be read.
    pub async fn upload_file(&self, local: impl AsRef<Path>, options: &UploadOptions) -> Result<Uploaded> {
        let content = Content::file(&local).await?;
        self.upload(content, &options.with_ext_of(local.as_ref())).await
    }

    /// A connection to a storage that takes uploads: the one the tracker proposes, or the first other one that can be
    /// reached.
    async fn connect_to_store(
        &self,
        group: Option<GroupName>,
    ) -> Result<(Storage, Lease, Option<StorePathIndex>)> {
        let mut rounds = Rounds::new(&self.shared.config);
        loop {
            let target = self.query_store(group).await?;
            let proposed = self.storage(target.storage.clone());
            let unreachable = match proposed.connect(UPLOAD).await {
                Ok(lease) => return Ok((proposed, lease, Some(target.path))),
                Err(error) => error,
            };
            tracing::debug!(error = %unreachable, "the proposed storage failed");
            let others = self.query_store_all(group).await.map(|all| all.storages).unwrap_or_default();
            for address in others.into_iter().filter(|address| *address != target.storage) {
                let other = self.storage(address);
                if let Ok(lease) = other.connect(UPLOAD).await {
                    // The proposed path was meant for the other one; this one may choose.
                    return Ok((other, lease, None));
                }
            }
            rounds.next_after(unreachable).await?;
        }
    }

    /// A connection to the storage on which `id` is to be changed.
    async fn connect_to_update(&self, id: &FileId, operation: &'static str) -> Result<(Storage, Lease)> {
        let mut rounds = Rounds::new(&self.shared.config);
        loop {
            let storage = self.storage(self.query_update(id).await?);
            match storage.connect(operation).await {
                Ok(lease) => return Ok((storage, lease)),
                Err(error) => rounds.next_after(error).await?,
            }
        }
    }

    /// Runs a call that changes `id` on the storage for that. Only a storage that could not be connected is tried
    /// again.
    async fn update<T>(&self, id: &FileId, call: &Call<T>) -> Result<T> {
        let mut rounds = Rounds::new(&self.shared.config);
        loop {
            let storage = self.storage(self.query_update(id).await?);
            match storage.run(call).await {
                Err(error) if error.kind() == Kind::Connect => rounds.next_after(error).await?,
                other => return other,
            }
        }
    }

    /// Stores a file under a name derived from `master`'s: its name without extension, `prefix`, and the extension of
    /// `options`. The group of `options` is not used; a slave lives where its master does.
    ///
    /// # Errors
    /// [`Kind::Status`] with ENOENT when the master is not there, EEXIST when the slave is.
    pub async fn upload_slave(
        &self,
        master: &FileId,
        prefix: &SlavePrefix,
        content: Content<'_>,
        options: &UploadOptions,
    ) -> Result<Uploaded> {
        let (storage, lease) = self.connect_to_update(master, UPLOAD_SLAVE).await?;
        storage.upload_slave_on(lease, master, prefix, content, options).await
    }

    /// Adds to the end of an appender. Nothing is sent when there is nothing to add.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] when the file is no appender. After [`Error::outcome_unknown`] look at the file's size
    /// before you try again.
    pub async fn append(&self, id: &FileId, content: Content<'_>) -> Result<()> {
        check_appender(id, APPEND)?;
        if content.size() == 0 {
            return Ok(());
        }
        let (storage, lease) = self.connect_to_update(id, APPEND).await?;
        storage.append_on(lease, id, content).await
    }

    /// Overwrites an appender from `offset` on, which may be at most its size. Nothing is sent when the content is
    /// empty.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] when the file is no appender; [`Kind::Status`] with EINVAL for an offset beyond the
    /// end.
    pub async fn modify(&self, id: &FileId, offset: u64, content: Content<'_>) -> Result<()> {
        check_appender(id, MODIFY)?;
        if content.size() == 0 {
            return Ok(());
        }
        let (storage, lease) = self.connect_to_update(id, MODIFY).await?;
        storage.modify_on(lease, id, offset, content).await
    }

    /// Sets the size of an appender; beyond its present size it grows by zeros.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] when the file is no appender.
    pub async fn truncate(&self, id: &FileId, size: u64) -> Result<()> {
        check_appender(id, "truncate file")?;
        self.update(id, &call::truncate(&id.name, size)).await
    }

    /// Turns an appender into a normal file with a new id, which is returned; the old id is gone.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] when the file is no appender.
    pub async fn regenerate(&self, id: &FileId) -> Result<FileId> {
        check_appender(id, "regenerate file name")?;
        self.update(id, &call::regenerate(&id.name)).await
    }

    /// Deletes a file and its metadata.
    ///
    /// # Errors
    /// [`Kind::Status`] with ENOENT when there is no such file.
    pub async fn delete(&self, id: &FileId) -> Result<()> {
        self.update(id, &call::delete(id)).await
    }

    /// Replaces or merges the metadata of a file. Overwriting with nothing deletes it.
    ///
    /// # Errors
    /// [`Kind::InvalidRequest`] for names and values that are too long; [`Kind::Status`] with ENOENT when there is no
    /// such file.
    pub async fn set_metadata(&self, id: &FileId, metadata: &Metadata, flag: MetaFlag) -> Result<()> {
        self.update(id, &call::set_metadata(id, metadata, flag)?).await
    }

    /// The metadata of a file.
    ///
    /// # Errors
    /// [`Kind::Status`] with ENOENT when there is no such file, and also when it has no metadata.
    pub async fn metadata(&self, id: &FileId) -> Result<Metadata> {
        self.read(id, &call::get_metadata(id)).await
    }

    /// Size, time, CRC and source of a file, as a storage sees it.
    ///
    /// # Errors
    /// [`Kind::Status`] with ENOENT when there is no such file.
    pub async fn file_info(&self, id: &FileId, flags: InfoFlags) -> Result<FileInfo> {
        self.read(id, &call::file_info(id, flags)).await
    }

    /// Runs a call that changes nothing on one storage after the other until one has an answer.
    async fn read<T>(&self, id: &FileId, call: &Call<T>) -> Result<T> {
        let mut sources = self.sources(id).await?;
        loop {
            let storage = sources.present();
            match storage.run(call).await {
                Err(error) if another_may_help(&error) => sources.next_after(error).await?,
                other => return other,
            }
        }
    }

    /// The storages of a file, one after the other.
    pub(crate) async fn sources<'a>(&'a self, id: &'a FileId) -> Result<Sources<'a>> {
        let first = self.query_fetch(id).await?;
        Ok(self.sources_from(id, first))
    }

    /// The same, beginning with one that had the file a moment ago.
    pub(crate) fn sources_from<'a>(&'a self, id: &'a FileId, first: ServerAddr) -> Sources<'a> {
        let rounds = Rounds::new(&self.shared.config);
        Sources { client: self, id, present: first, waiting: None, first_error: None, rounds }
    }
}

/// The storages a file can be read from: the one the tracker names, then all others.
pub(crate) struct Sources<'a> {
    client: &'a Client,
    id: &'a FileId,
    present: ServerAddr,
    /// Those not tried yet; none before they have been asked for.
    waiting: Option<std::vec::IntoIter<ServerAddr>>,
    first_error: Option<Error>,
    rounds: Rounds,
}

impl Sources<'_> {
    pub(crate) fn present(&self) -> Storage {
        self.client.storage(self.present.clone())
    }

    /// Moves on to the next storage after this one failed.
    ///
    /// # Errors
    /// There is none: the first error, which is that of the storage the tracker recommended.
    pub(crate) async fn next_after(&mut self, error: Error) -> Result<()> {
        tracing::debug!(id = %self.id, %error, "reading from a storage failed");
        let first_error = self.first_error.take().unwrap_or(error);
        if self.waiting.is_none() {
            let tried = self.present.clone();
            let mut all = self.client.query_fetch_all(self.id).await.unwrap_or_default();
            all.retain(|address| *address != tried);
            self.waiting = Some(all.into_iter());
        }
        if let Some(next) = self.waiting.as_mut().and_then(Iterator::next) {
            self.present = next;
            self.first_error = Some(first_error);
            return Ok(());
        }
        // All were tried. When they could not even be connected, they may be back in a moment.
        self.rounds.next_after(first_error).await?;
        self.waiting = None;
        self.present = self.client.query_fetch(self.id).await?;
        Ok(())
    }
}

/// Whether another storage may have an answer where this one has none.
pub(crate) fn another_may_help(error: &Error) -> bool {
    use fdfs_proto::Status;
    match error.kind() {
        // Not there yet, or its disk is failing.
        Kind::Status(status) => {
            matches!(status, Status::ENOENT | Status::EIO | Status::EBUSY | Status::EAGAIN | Status::ENOMEM)
        }
        Kind::Corrupt { .. } => true,
        _ => error.is_network(),
    }
}

/// Counts the rounds over servers of which none could be connected.
struct Rounds {
    left: u32,
    pause: Duration,
}

impl Rounds {
    fn new(config: &ClientConfig) -> Rounds {
        Rounds { left: config.connect_rounds.max(1), pause: FIRST_PAUSE }
    }

    /// Pauses before the next round; gives the error back when it was the last one, or when it is not one of
    /// connecting, which a pause does not mend.
    async fn next_after(&mut self, error: Error) -> Result<()> {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 || error.kind() != Kind::Connect {
            return Err(error);
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
