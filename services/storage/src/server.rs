//! What all connections of a storage share.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use fdfs_fileid::{FileName, GroupName, Source, StorePathIndex};
use fdfs_proto::limits::GROUP_STORAGES_MAX;
use fdfs_proto::{AddrWidth, GroupField, IpText, RawName, Status, StorageId, StorageStatus};
use net::ConnCounters;
use parking_lot::Mutex;
use storage_core::directories::Directories;
use storage_core::membership::ClusterView;
use storage_core::space::{ANY_PATH, MIB, PathMode, PathUsage, Paths, Refused, Reserve};
use storage_core::stats::Statistics;
use store::Store;
use tokio::sync::watch;

use crate::access_log::AccessLog;
use crate::content::Chunks;
use crate::copies::Copies;
use crate::relay::Relay;
use crate::replication::{self, Board};
use crate::scrub::Scrub;
use crate::trunk::Trunk;

/// What a storage must have learned from a tracker before it can name files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// The group of this storage.
    pub(crate) group: GroupName,
    /// How this storage is written into names.
    pub(crate) source: Source,
    /// What uploads must leave free.
    pub(crate) reserve: Reserve,
    /// How store paths are chosen.
    pub(crate) path_mode: PathMode,
}

/// One storage server.
pub(crate) struct Server {
    /// The group of the configuration; without one a tracker names it.
    pub(crate) group: Option<GroupName>,
    pub(crate) store: Store,
    pub(crate) cluster: watch::Receiver<Arc<ClusterView>>,
    pub(crate) stats: Statistics,
    pub(crate) connections: Arc<ConnCounters>,
    pub(crate) directories: Mutex<Directories>,
    /// Which store paths take no uploads.
    pub(crate) read_only: Vec<bool>,
    pub(crate) turn: AtomicU32,
    pub(crate) chunks: Chunks,
    pub(crate) clock: ChangeClock,
    pub(crate) access_log: Option<AccessLog>,
    /// How far each peer is.
    pub(crate) replication: Board,
    pub(crate) relay: Relay,
    pub(crate) copies: Copies,
    /// How far the changes of each member are here.
    pub(crate) synced: Synced,
    pub(crate) trunk: Trunk,
    pub(crate) scrub: Scrub,
}

impl Server {
    /// What a tracker has said; `None` until one was reached.
    pub(crate) fn known(&self) -> Option<Known> {
        let view = self.cluster.borrow();
        let identity = view.identity.as_ref()?;
        Some(Known {
            group: identity.group,
            source: identity.source,
            reserve: view.reserve(),
            path_mode: view.path_mode(),
        })
    }

    /// Width of addresses in replies.
    pub(crate) fn width(&self) -> AddrWidth {
        self.cluster.borrow().parameters.map_or(AddrWidth::V4, |parameters| parameters.response_ip_addr_size)
    }

    /// The address of the storage that a name has as its source, as the asking peer should see it.
    pub(crate) fn address_of(&self, source: Source, asking: IpAddr) -> Option<IpText> {
        let ip = self.cluster.borrow().source_ip(source, asking)?;
        IpText::new(ip.to_string().as_bytes())
    }

    fn group(&self) -> Option<GroupName> {
        self.group.or_else(|| self.known().map(|known| known.group))
    }

    /// The store path for an upload of `size` bytes (storage internals: upload).
    ///
    /// # Errors
    /// `EINVAL` for a path that is not there, `ENOSPC` when no path has room.
    pub(crate) fn choose_path(
        &self,
        wanted: Option<StorePathIndex>,
        size: u64,
        known: &Known,
    ) -> Result<StorePathIndex, Status> {
        let usage = self.path_usage();
        let paths = Paths { usage: &usage, reserve: known.reserve, mode: known.path_mode };
        let wanted = wanted.map_or(ANY_PATH, |path| path.0);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        paths.choose(wanted, size, turn).map_err(Refused::status)
    }

    /// Space on every store path.
    pub(crate) fn path_usage(&self) -> Vec<PathUsage> {
        let usage_of = |(index, &read_only): (usize, &bool)| {
            let usage = self.store.usage(StorePathIndex(index as u8)).unwrap_or_else(|error| {
                tracing::warn!(%error, path = index, "cannot tell the free space of a store path");
                store::Usage::default()
            });
            PathUsage {
                total_mb: usage.total / MIB,
                free_mb: usage.free / MIB,
                promised_bytes: usage.promised,
                read_only,
            }
        };
        self.read_only.iter().enumerate().map(usage_of).collect()
    }

    /// A name that a client may use, within one of our store paths.
    ///
    /// # Errors
    /// `EINVAL`.
    pub(crate) fn name(&self, raw: RawName<'_>) -> Result<FileName, Status> {
        let name = raw.parse().map_err(|_| Status::EINVAL)?;
        let inside = usize::from(name.path_index().0) < self.store.path_count();
        if inside && name.check_client().is_ok() { Ok(name) } else { Err(Status::EINVAL) }
    }

    /// Whether a request is for the group of this storage.
    pub(crate) fn is_own_group(&self, group: &GroupField) -> bool {
        self.group().is_some_and(|own| group.is(&own))
    }

    /// Whether an address is that of another member of the group, as trackers and storage ids name them.
    pub(crate) fn is_member(&self, address: IpAddr) -> bool {
        let view = self.cluster.borrow().clone();
        let gone = |status| {
            matches!(status, StorageStatus::Deleted | StorageStatus::IpChanged | StorageStatus::None)
        };
        view.peers.iter().filter(|(_, peer)| !gone(peer.status)).any(|(id, _)| {
            replication::addresses(&view, id).iter().any(|found| found.ip().to_canonical() == address)
        })
    }

    /// The same, for a request that names the group, too.
    ///
    /// # Errors
    /// `EINVAL`.
    pub(crate) fn name_in(&self, group: &GroupField, raw: RawName<'_>) -> Result<FileName, Status> {
        if self.is_own_group(group) { self.name(raw) } else { Err(Status::EINVAL) }
    }

    /// The time of a change that is made now.
    pub(crate) fn now(&self) -> u32 {
        self.clock.at(unix_now())
    }

    /// A change was made for a client at `now`.
    pub(crate) fn changed(&self, now: u32) {
        self.stats.source_updated(now.into());
    }
}

/// Unix seconds, as names and binlog lines hold them.
pub(crate) fn unix_now() -> u32 {
    // The clock of a machine that is set before 1970 gives the time 0, not a failure; names end in 2106.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

/// Up to which second the changes of each member have arrived here, for the trackers' choice of whom to read from.
///
/// It is the newest that came: a member of the original tells of its changes over several connections, and which of
/// them are missing before one it does not say (storage internals: holes, D20). What is asked for too early is fetched from
/// where it was uploaded to.
#[derive(Debug, Default)]
pub(crate) struct Synced(Mutex<BTreeMap<StorageId, u32>>);

impl Synced {
    /// A change of this member that was made at `time` is here.
    pub(crate) fn note(&self, source: StorageId, time: u32) {
        let mut newest = self.0.lock();
        if newest.len() >= GROUP_STORAGES_MAX && !newest.contains_key(&source) {
            return;
        }
        let entry = newest.entry(source).or_default();
        // A clock that is ahead, or a lie, must not make readers come for years (storage internals: holes, S7).
        *entry = (*entry).max(time.min(unix_now()));
    }

    pub(crate) fn newest(&self) -> BTreeMap<StorageId, u32> {
        self.0.lock().clone()
    }
}

/// The time of changes: the clock's, but a small step back of the clock is waited out, so that the times of
/// names and records do not run backwards (storage internals: holes, D26).
#[derive(Debug, Default)]
pub(crate) struct ChangeClock(AtomicU32);

impl ChangeClock {
    /// Longest step back that is waited out, seconds. After a longer one the clock had been wrong before, and
    /// is followed.
    const STEP_BACK_MAX: u32 = 600;

    /// The time of a change that happens when the clock shows `clock`.
    pub(crate) fn at(&self, clock: u32) -> u32 {
        let newest = self.0.load(Ordering::Relaxed);
        if clock < newest && newest - clock <= Self::STEP_BACK_MAX {
            return newest;
        }
        if clock < newest {
            tracing::warn!(seconds = newest - clock, "the clock was set back, new files get earlier times");
        }
        self.0.store(clock, Ordering::Relaxed);
        clock
    }
}

#[cfg(test)]
mod tests {
    use super::ChangeClock;

    #[test]
    fn d26_times_of_changes_wait_out_a_small_step_back_and_follow_a_large_one() {
        let clock = ChangeClock::default();
        assert_eq!(
            [100_000, 100_001, 99_990, 100_000, 100_002].map(|now| clock.at(now)),
            [100_000, 100_001, 100_001, 100_001, 100_002]
        );
        assert_eq!([90_000, 90_001].map(|now| clock.at(now)), [90_000, 90_001]);
    }
}
