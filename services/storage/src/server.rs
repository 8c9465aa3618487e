//! What all connections of a storage share.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use fdfs_fileid::{FileName, GroupName, Source, StorePathIndex};
use fdfs_proto::limits::GROUP_STORAGES_MAX;
use fdfs_proto::{AddrWidth, GroupField, IpText, RawName, Status, StorageCommand, StorageId};
use net::ConnCounters;
use parking_lot::Mutex;
use storage_core::directories::Directories;
use storage_core::membership::{ClusterView, has_left};
use storage_core::replication::steps::is_want_of_room;
use storage_core::replication::synced::{self, Came};
use storage_core::space::{ANY_PATH, MIB, PathMode, PathUsage, Paths, Refused, Reserve};
use storage_core::stats::Statistics;
use store::Store;
use tokio::sync::watch;

use crate::access_log::AccessLog;
use crate::content::Chunks;
use crate::copies::Copies;
use crate::handler::sync::Damaged;
use crate::metrics::Requests;
use crate::relay::Relay;
use crate::replication::{self, Board};
use crate::scrub::Scrub;
use crate::settle::Settle;
use crate::strangers::Strangers;
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
    pub(crate) store: Arc<Store>,
    pub(crate) cluster: watch::Receiver<Arc<ClusterView>>,
    pub(crate) stats: Statistics,
    pub(crate) connections: Arc<ConnCounters>,
    pub(crate) requests: Requests,
    pub(crate) directories: Mutex<Directories>,
    /// Which store paths take no uploads.
    pub(crate) read_only: Vec<bool>,
    pub(crate) turn: AtomicU32,
    /// One for each store path.
    pub(crate) chunks: Vec<Chunks>,
    pub(crate) clock: ChangeClock,
    pub(crate) access_log: Option<AccessLog>,
    /// How far each peer is.
    pub(crate) replication: Board,
    pub(crate) relay: Relay,
    /// Whether the changes that other members made while this one was away are here.
    pub(crate) settle: Settle,
    pub(crate) copies: Copies,
    /// How far the changes of each member are here.
    pub(crate) synced: Synced,
    pub(crate) trunk: Trunk,
    pub(crate) scrub: Scrub,
    pub(crate) strangers: Strangers,
    pub(crate) damaged: Damaged,
    /// Store paths that are being rebuilt from the peers.
    pub(crate) rebuilding: AtomicUsize,
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

    pub(crate) fn group(&self) -> Option<GroupName> {
        self.group.or_else(|| self.known().map(|known| known.group))
    }

    /// The store path for an upload of `size` bytes (storage internals: upload).
    ///
    /// # Errors
    /// `EINVAL` for a path that is not there, `ENOSPC` when no path has room.
    pub(crate) async fn choose_path(
        &self,
        wanted: Option<StorePathIndex>,
        size: u64,
        known: &Known,
    ) -> Result<StorePathIndex, Status> {
        let wanted = wanted.map_or(ANY_PATH, |path| path.0);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let choose = |paths: &Paths<'_>| paths.choose(wanted, size, turn);
        self.with_space(known, choose).await.map_err(Refused::status)
    }

    /// Whether there is room for `size` bytes on a store path.
    ///
    /// # Errors
    /// `EINVAL` for a path that is not there, `ENOSPC`.
    pub(crate) async fn check_space(
        &self,
        path: StorePathIndex,
        size: u64,
        known: &Known,
    ) -> Result<(), Status> {
        let fits = |paths: &Paths<'_>| {
            let usage = paths.usage.get(usize::from(path.0)).ok_or(Refused::NoSuchPath)?;
            if paths.fits(usage, size) { Ok(()) } else { Err(Refused::NoSpace) }
        };
        self.with_space(known, fits).await.map_err(Refused::status)
    }

    /// What `pick` says of the space there is; before it says that there is none the disks are asked again.
    async fn with_space<T>(
        &self,
        known: &Known,
        pick: impl Fn(&Paths<'_>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let paths = |usage| Paths { usage, reserve: known.reserve, mode: known.path_mode };
        match pick(&paths(&self.path_usage())) {
            Err(Refused::NoSpace) => {
                self.store.read_usage().await;
                pick(&paths(&self.path_usage()))
            }
            picked => picked,
        }
    }

    /// Space on every store path, as its disk told it last.
    pub(crate) fn path_usage(&self) -> Vec<PathUsage> {
        let usage_of = |(index, &read_only): (usize, &bool)| {
            let usage = self.store.usage(StorePathIndex(index as u8)).unwrap_or_default();
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
        let name = raw.parse().and_then(FileName::with_store_path).map_err(|_| Status::EINVAL)?;
        let inside = usize::from(name.path_index().0) < self.store.path_count();
        if inside && name.check_client().is_ok() { Ok(name) } else { Err(Status::EINVAL) }
    }

    /// Whether a request is for the group of this storage.
    pub(crate) fn is_own_group(&self, group: &GroupField) -> bool {
        self.group().is_some_and(|own| group.is(&own))
    }

    /// The same, for a request that names the group, too.
    ///
    /// # Errors
    /// `EINVAL`.
    pub(crate) fn name_in(&self, group: &GroupField, raw: RawName<'_>) -> Result<FileName, Status> {
        if self.is_own_group(group) { self.name(raw) } else { Err(Status::EINVAL) }
    }

    /// Whether an address is that of another member of the group, as trackers, storage ids and `allow_peers` name them.
    pub(crate) fn is_member(&self, address: IpAddr) -> bool {
        if self.strangers.are_members_at(address) {
            return true;
        }
        let address = address.to_canonical();
        let view = self.cluster.borrow().clone();
        view.peers.iter().filter(|(_, peer)| !has_left(peer.status)).any(|(id, _)| {
            replication::addresses(&view, id).iter().any(|found| found.ip().to_canonical() == address)
        })
    }

    /// The same; who is refused is told to the operator, unless no tracker has said yet who the members are.
    pub(crate) fn admits_member(&self, address: IpAddr, command: StorageCommand) -> bool {
        let is_member = self.is_member(address);
        if !is_member && self.known().is_some() {
            self.strangers.refused(address, command);
        }
        is_member
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

/// Up to which second the changes of each member have arrived here. What is asked for too early all the same is fetched
/// from where it was uploaded to.
#[derive(Debug, Default)]
pub(crate) struct Synced(Mutex<synced::Synced>);

impl Synced {
    /// A change of this file that a member made at `time` has begun to come; it was not taken unless
    /// [`Coming::taken`] says so.
    pub(crate) fn coming(&self, source: Option<StorageId>, name: &FileName, time: u32) -> Coming<'_> {
        let begun = source.and_then(|source| {
            let arriving = self.0.lock().begin(source, time, GROUP_STORAGES_MAX)?;
            Some((source, arriving))
        });
        Coming { synced: self, begun, name: name.clone(), makes_room: false }
    }

    pub(crate) fn report(&self) -> BTreeMap<StorageId, u32> {
        self.0.lock().report(unix_now().into())
    }
}

/// A change of another member, until it is here or is given up.
pub(crate) struct Coming<'a> {
    synced: &'a Synced,
    begun: Option<(StorageId, synced::Arriving)>,
    name: FileName,
    makes_room: bool,
}

impl Coming<'_> {
    /// With it less room is needed than before.
    pub(crate) fn makes_room(mut self) -> Self {
        self.makes_room = true;
        self
    }

    /// It is here, or there is nothing to do.
    pub(crate) fn taken(&mut self) {
        self.end(if self.makes_room { Came::MadeRoom } else { Came::Taken });
    }

    /// It was refused with this status.
    pub(crate) fn refused(&mut self, status: Status) {
        self.end(if is_want_of_room(status) { Came::NoRoom } else { Came::Not });
    }

    fn end(&mut self, came: Came) {
        if let Some((source, arriving)) = self.begun.take() {
            self.synced.0.lock().end(&source, arriving, &self.name, came, unix_now().into());
        }
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.end(Came::Not);
    }
}

/// The time of changes: the clock's, but a small step back of the clock is waited out, so that the times of
/// names and records do not run backwards (storage internals: holes, D26).
#[derive(Debug)]
pub(crate) struct ChangeClock(AtomicU32);

impl ChangeClock {
    /// Longest step back that is waited out, seconds. After a longer one the clock had been wrong before, and
    /// is followed.
    const STEP_BACK_MAX: u32 = 600;

    /// Goes on from the time of the newest change that is on record, as the clock may have been set back while the storage
    /// did not run; 0 if there is none.
    pub(crate) fn from(newest: u32) -> Self {
        Self(AtomicU32::new(newest))
    }

    /// The time of a change that happens when the clock shows `clock`.
    pub(crate) fn at(&self, clock: u32) -> u32 {
        let newest = self.0.load(Ordering::Relaxed);
        if clock < newest && newest - clock <= Self::STEP_BACK_MAX {
            return newest;
        }
        if clock < newest {
            tracing::warn!(seconds = newest - clock, "the clock was set back, new files get earlier times");
            self.0.store(clock, Ordering::Relaxed);
        } else {
            self.0.fetch_max(clock, Ordering::Relaxed);
        }
        clock
    }
}

#[cfg(test)]
mod tests {
    use super::ChangeClock;

    #[test]
    fn d26_times_of_changes_wait_out_a_small_step_back_and_follow_a_large_one() {
        let clock = ChangeClock::from(0);
        assert_eq!(
            [100_000, 100_001, 99_990, 100_000, 100_002].map(|now| clock.at(now)),
            [100_000, 100_001, 100_001, 100_001, 100_002]
        );
        assert_eq!([90_000, 90_001].map(|now| clock.at(now)), [90_000, 90_001]);
        let clock = ChangeClock::from(100_000);
        assert_eq!([99_400, 100_001].map(|now| clock.at(now)), [100_000, 100_001]);
        assert_eq!(ChangeClock::from(100_000).at(99_399), 99_399);
    }
}
