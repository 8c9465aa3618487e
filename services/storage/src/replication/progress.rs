//! How far replication to each peer has come, for whoever waits for it or shows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use fdfs_proto::StorageId;
use parking_lot::Mutex;
use storage_core::replication::LogPosition;
use tokio::sync::watch;

/// How far one peer has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PeerProgress {
    /// Everything in the log before this place is at the peer, was nothing to it, or was set aside. `None` until
    /// it is known where to begin.
    pub(crate) acknowledged: Option<LogPosition>,
    /// What it lacks.
    pub(crate) lag: Lag,
}

/// What a peer lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lag {
    /// Records that were read from the log and have not been acknowledged.
    pub(crate) records: u64,
    /// Bytes of the log behind the acknowledged place.
    pub(crate) bytes: u64,
    /// Records that were given up since the start.
    pub(crate) set_aside: u64,
    /// Lines that were no records since the start.
    pub(crate) bad_lines: u64,
    /// Why nothing is sent, or what failed last, in words; `None` when the last thing worked.
    pub(crate) last_error: Option<String>,
}

/// The progress of all peers.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<BTreeMap<StorageId, Arc<watch::Sender<PeerProgress>>>>);

impl Board {
    /// Where the task of a peer says how far it is.
    pub(super) fn of(&self, peer: StorageId) -> Arc<watch::Sender<PeerProgress>> {
        Arc::clone(self.0.lock().entry(peer).or_default())
    }

    /// The peer has left.
    pub(super) fn remove(&self, peer: &StorageId) {
        self.0.lock().remove(peer);
    }

    /// Follows a peer; `None` when there is none of this id.
    pub(crate) fn follow(&self, peer: &StorageId) -> Option<watch::Receiver<PeerProgress>> {
        Some(self.0.lock().get(peer)?.subscribe())
    }
}
