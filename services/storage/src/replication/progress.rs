//! How far replication to each peer has come, for whoever waits for it or shows it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fdfs_proto::StorageId;
use parking_lot::Mutex;
use storage_core::replication::LogPosition;
use tokio::sync::watch;

use super::pace::Pace;

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
    /// Age of the oldest record that waits for others to be sent; zero when all of them travel.
    pub(crate) oldest: Duration,
    /// Records that were given up since the start.
    pub(crate) set_aside: u64,
    /// Lines that were no records since the start.
    pub(crate) bad_lines: u64,
    /// Why nothing is sent, or what failed last, in words; `None` when the last thing worked.
    pub(crate) last_error: Option<String>,
    /// The same, for who counts.
    pub(crate) obstacle: Option<Obstacle>,
}

impl Lag {
    /// Something is in the way.
    pub(super) fn held_up(&mut self, by: Obstacle, words: String) {
        (self.obstacle, self.last_error) = (Some(by), Some(words));
    }

    /// Nothing is in the way any more; whether something was.
    pub(super) fn go_on(&mut self) -> bool {
        self.obstacle = None;
        self.last_error.take().is_some()
    }
}

/// What is in the way of replication to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The trackers say that the peer does not serve.
    PeerStatus,
    /// It is not the time of day for it (`sync_start_time`).
    TimeOfDay,
    /// No tracker says who fills the peer.
    Trackers,
    /// The peer can't be reached, or takes nothing.
    Peer,
    /// One change can't be sent; others go on.
    Change,
    /// The binlog or the mark can't be read.
    Log,
}

impl Obstacle {
    /// Every one.
    pub(crate) const ALL: [Self; 6] =
        [Self::PeerStatus, Self::TimeOfDay, Self::Trackers, Self::Peer, Self::Change, Self::Log];

    /// Its word in metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::PeerStatus => "peer-status",
            Self::TimeOfDay => "time-of-day",
            Self::Trackers => "trackers",
            Self::Peer => "peer",
            Self::Change => "change",
            Self::Log => "log",
        }
    }
}

/// What is known of one peer.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    /// Where its task says how far it is.
    pub(super) progress: Arc<watch::Sender<PeerProgress>>,
    /// How fast changes by clients may go on because of it.
    pub(super) pace: Arc<Pace>,
    /// Told when it is known to be there.
    lives: Arc<watch::Sender<()>>,
}

impl Entry {
    /// Says when the peer is known to be there.
    pub(super) fn lives(&self) -> watch::Receiver<()> {
        self.lives.subscribe()
    }
}

/// The progress of all peers.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<BTreeMap<StorageId, Entry>>);

impl Board {
    /// The entry of a peer, for its task.
    pub(super) fn of(&self, peer: StorageId) -> Entry {
        self.0.lock().entry(peer).or_default().clone()
    }

    /// The peer has left.
    pub(super) fn remove(&self, peer: &StorageId) {
        self.0.lock().remove(peer);
    }

    /// Follows a peer; `None` when there is none of this id.
    pub(crate) fn follow(&self, peer: &StorageId) -> Option<watch::Receiver<PeerProgress>> {
        Some(self.0.lock().get(peer)?.progress.subscribe())
    }

    /// The same of a peer that has just asked something, so that it is there: what waits for it is sent at once.
    pub(crate) fn lives(&self, peer: StorageId) -> watch::Receiver<PeerProgress> {
        let entry = self.of(peer);
        entry.lives.send_replace(());
        entry.progress.subscribe()
    }

    /// How far each peer is, and whether changes by clients wait for it.
    pub(crate) fn all(&self) -> Vec<(StorageId, PeerProgress, bool)> {
        let entry =
            |(id, peer): (&StorageId, &Entry)| (*id, peer.progress.borrow().clone(), peer.pace.is_held());
        self.0.lock().iter().map(entry).collect()
    }

    /// Whether changes by clients wait for a peer.
    #[cfg(test)]
    pub(crate) fn is_held(&self) -> bool {
        self.0.lock().values().any(|peer| peer.pace.is_held())
    }

    /// Waits until a change by a client may be made: at once, unless a peer is too far behind.
    pub(crate) async fn turn(&self) {
        // Empty, and so without memory of its own, as long as nobody is.
        let held: Vec<_> = {
            let peers = self.0.lock();
            peers.values().filter(|peer| peer.pace.is_held()).map(|peer| Arc::clone(&peer.pace)).collect()
        };
        for pace in held {
            pace.turn().await;
        }
    }
}
