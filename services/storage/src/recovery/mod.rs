//! Getting the files of a lost store path back from the peers, before the cluster is joined (storage internals:
//! single-disk recovery; holes, D9).
//!
//! `storage-core` decides which peers are asked and which files are wanted; this module asks, fetches and stores. Nothing
//! remembers how far it came but the files: what is here is not fetched again, so a start after a crash goes on where the
//! last one ended. A [`Flag`] on the base path says that it is not complete.
//!
//! A member that is new to the group as a whole is filled by another one; afterwards it fetches in the same way what that one
//! lacked (`compare.rs`).
//!
//! Begin reading at [`Recovery::run`], then `rebuild.rs` (one store path).

mod cluster;
mod compare;
pub(crate) mod peer;
mod rebuild;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fdfs_conf::{ServerAddr, StorageConf};
use fdfs_fileid::{FileName, StorePathIndex};
use fdfs_proto::{GroupField, StorageId};
use net::Stop;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::replication;
use crate::server::{Server, unix_now};
use crate::tracker_link::wire;
pub(crate) use compare::will_compare;
pub(crate) use rebuild::Report;

/// Pause before another attempt, and between questions whether a peer serves.
const RETRY: Duration = Duration::from_secs(5);

/// How often the trackers are told of it once more: one that takes this storage for active does not believe it, until it
/// has noticed that nothing comes from it.
const REPORT_EACH: Duration = Duration::from_secs(30);

/// Why a rebuilt store path is not complete.
const AWAY: &str = "files are missing that a member may have which does not serve now: start it, or delete it from the group";

/// The sign that a store path is being rebuilt.
#[derive(Debug, Clone)]
pub(crate) struct Flag(PathBuf);

impl Flag {
    /// That of a store path; `data` is the data folder of the base path, which was not lost.
    pub(crate) fn new(data: &Path, path: StorePathIndex) -> Self {
        Self(data.join(format!(".recovery-{:02X}", path.0)))
    }

    /// Sets it; durable when this returns. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn set(&self) -> io::Result<()> {
        daemon::state_file::replace(&self.0, b"this store path is being rebuilt from the peers\n")
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.exists()
    }

    fn clear(&self) -> io::Result<()> {
        std::fs::remove_file(&self.0)
    }

    /// Where the list of a peer is kept meanwhile.
    fn spool(&self) -> PathBuf {
        self.0.with_extension("list")
    }
}

/// Where the files of the peers are to be had: each peer that is to be asked, and its addresses.
pub(crate) type Sources = BTreeMap<StorageId, Vec<SocketAddr>>;

/// Rebuilds the store paths whose flag is set.
pub(crate) struct Recovery {
    server: Arc<Server>,
    data: PathBuf,
    trackers: Vec<ServerAddr>,
    wire: wire::Settings,
    streams: usize,
    me: cluster::Me,
}

impl Recovery {
    /// `data` is the data folder of the base path, `port` the one that is listened on.
    pub(crate) fn new(conf: &StorageConf, data: &Path, port: u16, server: &Arc<Server>) -> Self {
        let id = conf.server_id.and_then(|id| StorageId::new(id.to_string().as_bytes()));
        Self {
            server: Arc::clone(server),
            data: data.to_owned(),
            trackers: conf.tracker_servers.iter().cloned().collect(),
            wire: replication::Config::new(conf).wire,
            streams: usize::try_from(conf.disk.recovery_threads).unwrap_or(1),
            me: cluster::Me { group: conf.group_name, id, port },
        }
    }

    fn flags(&self) -> Vec<(StorePathIndex, Flag)> {
        let paths = (0..=u8::MAX).map(StorePathIndex).take(self.server.store.path_count());
        paths.map(|path| (path, Flag::new(&self.data, path))).filter(|(_, flag)| flag.is_set()).collect()
    }

    /// Rebuilds everything that is to be rebuilt. Returns at once when nothing is, and otherwise when all of it is done
    /// or `stop` comes; then false.
    pub(crate) async fn run(&self, mut stop: Stop) -> bool {
        tokio::select! {
            () = self.all() => true,
            () = stop.wait() => false,
        }
    }

    async fn all(&self) {
        let flags = self.flags();
        let left = &self.server.rebuilding;
        left.store(flags.len(), Ordering::Relaxed);
        for (path, flag) in flags {
            tracing::warn!(
                path = path.0,
                "a store path is empty that was in use, it is rebuilt from the peers"
            );
            let mut asked = BTreeSet::new();
            loop {
                match self.one(path, &flag, &mut asked).await {
                    Ok(()) => break,
                    Err(error) => {
                        tracing::warn!(path = path.0, error, "a store path is not rebuilt yet, trying again");
                        sleep(RETRY).await;
                    }
                }
            }
            left.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// One round: asks the trackers for peers, and these for files. `asked` are those who gave all they had, while files
    /// are missing that somebody who does not serve may have: they are not asked once more.
    ///
    /// # Errors
    /// In words: it is to be tried again, and what was fetched stays.
    async fn one(
        &self,
        path: StorePathIndex,
        flag: &Flag,
        asked: &mut BTreeSet<StorageId>,
    ) -> Result<(), String> {
        let Some(found) = cluster::find(&self.trackers, &self.wire, &self.me, &self.data).await? else {
            tracing::warn!(path = path.0, "no peer has files for a store path, it stays empty");
            return clear(flag).await;
        };
        cluster::report(&self.trackers, &self.wire, &found).await?;
        if found.away && found.sources.keys().eq(asked.iter()) {
            return Err(AWAY.to_owned());
        }
        let mut again = interval(REPORT_EACH);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        again.tick().await;
        let keep_reporting = async {
            loop {
                again.tick().await;
                // A tracker that can't be reached has been logged.
                let _ = cluster::report(&self.trackers, &self.wire, &found).await;
            }
        };
        let (report, older) = tokio::select! {
            rebuilt = self.rebuild(path, flag, found.group, &found.sources) => rebuilt?,
            () = keep_reporting => return Ok(()),
        };
        report.say(path);
        if found.away && report.lost + report.older > 0 {
            *asked = found.sources.into_keys().collect();
            return Err(AWAY.to_owned());
        }
        // A change that is still on its way to a peer tells what is not here any more.
        for name in older {
            let time = self.server.clock.at(unix_now());
            self.server.store.send_again(name, time).await.map_err(|error| error.to_string())?;
        }
        clear(flag).await
    }

    /// Fetches what these peers have and is not here. Also tells the files that are to be sent again.
    ///
    /// # Errors
    /// In words: not all could be fetched.
    pub(crate) async fn rebuild(
        &self,
        path: StorePathIndex,
        flag: &Flag,
        group: GroupField,
        sources: &Sources,
    ) -> Result<(Report, Vec<FileName>), String> {
        let rebuild = rebuild::Rebuild {
            server: &self.server,
            wire: &self.wire,
            streams: self.streams.max(1),
            path,
            group,
            spool: flag.spool(),
            purpose: rebuild::Purpose::Restore,
        };
        rebuild.run(sources).await
    }
}

async fn clear(flag: &Flag) -> Result<(), String> {
    let flag = flag.clone();
    let cleared = spawn_blocking(move || flag.clear()).await;
    cleared.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}
