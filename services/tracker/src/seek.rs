//! A tracker that begins with nothing, or was away for long, takes over the state of a better one before it serves
//! its first JOIN (61, 63, 62).
//!
//! The first JOIN brings the list of trackers, so there is nobody to ask before. The original answers EAGAIN for as
//! long as it reaches nobody; this one goes on with what it has after [`PATIENCE`], and at once when nothing
//! listens anywhere else, as two trackers whose machines start one after the other would otherwise wait for ever.
//!
//! Source: wire protocol, "system file transfer".

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fdfs_format::tracker::{groups, servers, sync_times};
use fdfs_proto::tracker::{Request, sys_files};
use fdfs_proto::{Empty, Host, Status};
use sys_files::SysFile;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracker_core::leader::RunningFigures;
use tracker_core::{Event, LoadError, Saved, StateWanted, Tables};

use crate::link::{Link, LinkError};
use crate::shell::Shell;

/// How long JOINs are put off while the state of others cannot be had.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long copying the files may take. A storage waits for its JOIN meanwhile, most for 30 s.
const COPY_WITHIN: Duration = Duration::from_secs(20);

/// Pause before a tracker that is serving somebody else's copy is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// Longest state file that is taken: more than 512 groups of 32 storages fill.
const FILE_MAX: u64 = 64 << 20;

/// Whether the state of others was looked for, and who is looking.
#[derive(Debug, Default)]
pub(crate) struct Seek {
    done: AtomicBool,
    /// When it was first looked for. One at a time looks; whoever joins meanwhile waits.
    since: Mutex<Option<Instant>>,
}

/// Why no state was taken over.
#[derive(Debug, thiserror::Error)]
enum SeekError {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("a state file is longer than {FILE_MAX} bytes, or changes while it is read")]
    Length,
    #[error("a state file cannot be read: {0}")]
    Format(#[from] fdfs_format::FormatError),
    #[error("the state cannot be used: {0}")]
    Contents(#[from] LoadError),
    #[error("the copy takes too long")]
    Late,
}

impl Seek {
    /// Has the state of a better tracker taken over, if there is one and this is the time for it. `trackers` is the
    /// list of the JOIN that waits, `local` the address it came to.
    ///
    /// # Errors
    /// EAGAIN: the storage is to come back.
    pub(crate) async fn before_join(
        &self,
        shell: &Arc<Shell>,
        local: IpAddr,
        trackers: &[Host],
    ) -> Result<(), Status> {
        if self.done.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut since = self.since.lock().await;
        if self.done.load(Ordering::Acquire) {
            return Ok(());
        }
        let found = match shell.state_wanted() {
            None => None,
            Some(wanted) => match seek(shell, wanted, local, trackers).await {
                Ok(found) => found,
                Err(error) if since.get_or_insert_with(Instant::now).elapsed() < PATIENCE => {
                    tracing::warn!(%error, "the state of other trackers cannot be had, a storage has to wait");
                    return Err(Status::EAGAIN);
                }
                Err(error) => {
                    tracing::warn!(%error, "the state of other trackers cannot be had, going on without");
                    None
                }
            },
        };
        shell.happened(Event::StateSought { found: found.map(Box::new) });
        self.done.store(true, Ordering::Release);
        Ok(())
    }
}

async fn seek(
    shell: &Arc<Shell>,
    wanted: StateWanted,
    local: IpAddr,
    trackers: &[Host],
) -> Result<Option<Saved>, SeekError> {
    let port = shell.port();
    let mut asked = JoinSet::new();
    for host in trackers {
        if host.port == port && host.ips().any(|addr| addr.to_canonical() == local) {
            continue;
        }
        let (host, reach) = (*host, Arc::clone(&shell.reach));
        asked.spawn(async move {
            let mut link = Link::open(host.ips(), host.port, &reach).await?;
            let figures = RunningFigures::from(link.status().await?);
            Ok((figures, host, link))
        });
    }
    let mut best: Option<(RunningFigures, Host, Link)> = None;
    let mut failed = None;
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Ok(answer)) if best.as_ref().is_none_or(|(figures, ..)| answer.0 > *figures) => {
                best = Some(answer);
            }
            Ok(Ok(_)) | Err(_) => {}
            // It has nothing itself, or is not there.
            Ok(Err(LinkError::Refused(_) | LinkError::NotRunning)) => {}
            Ok(Err(error)) => failed = Some(error),
        }
    }
    let Some((figures, host, mut link)) = best else {
        return failed.map_or(Ok(None), |error| Err(error.into()));
    };
    if let StateWanted::BetterThan(own) = wanted
        && figures <= own
    {
        return Ok(None);
    }
    let tables = timeout(COPY_WITHIN, copy(&mut link)).await.map_err(|_| SeekError::Late)??;
    let saved = Saved::from_tables(tables, &shell.naming())?;
    tracing::info!(%host, groups = saved.groups.len(), "took over the state of another tracker");
    Ok(Some(saved))
}

async fn copy(link: &mut Link) -> Result<Tables, SeekError> {
    loop {
        match link.ask(&Request::SysFilesStart(Empty)).await {
            Ok(_) => break,
            Err(LinkError::Refused(Status::EBUSY)) => sleep(BUSY_PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
    let tables = Tables {
        groups: groups::decode(&file(link, SysFile::Groups).await?)?,
        servers: servers::decode(&file(link, SysFile::Servers).await?)?,
        sync_times: sync_times::decode(&file(link, SysFile::SyncTimestamps).await?)?,
        changelog: file(link, SysFile::Changelog).await?,
        status: None,
    };
    link.ask(&Request::SysFilesEnd(Empty)).await?;
    Ok(tables)
}

async fn file(link: &mut Link, file: SysFile) -> Result<Vec<u8>, SeekError> {
    let mut bytes = Vec::new();
    loop {
        let ask = sys_files::Ask { file, offset: bytes.len() as u64 };
        let body = link.ask(&Request::SysFilesGet(ask)).await?;
        let got = sys_files::Got::decode(&body).map_err(LinkError::from)?;
        bytes.extend_from_slice(got.part);
        if bytes.len() as u64 >= got.file_size {
            return Ok(bytes);
        }
        if got.part.is_empty() || got.file_size > FILE_MAX {
            return Err(SeekError::Length);
        }
    }
}
