//! The life of a peer: waits until its status lets it be sent something, finds out where to begin, sends, and puts its
//! mark away when it leaves (storage internals: the pusher).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fdfs_conf::service::TimeOfDay;
use fdfs_format::{Mark, mark_file};
use fdfs_proto::{GroupField, StorageId, StorageStatus};
use jiff::Zoned;
use net::Stop;
use storage_core::membership::{ClusterView, Peer};
use storage_core::replication::backoff::Backoff;
use storage_core::replication::life::{Duty, duty, in_window};
use storage_core::replication::need::{Kept, Start, start};
use storage_core::replication::sender::position;
use store::binlog::{KeptMark, MarkFile};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::pace::Pace;
use super::progress::{Entry, Obstacle, PeerProgress};
use super::stream::{End, Stream};
use super::{Shared, addresses, changed, trackers};

/// How often a question is asked again that no change of the cluster will answer.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// How often the time of day is looked at.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(1);

/// What is needed to send to one peer.
pub(super) struct PeerTask {
    pub(super) shared: Arc<Shared>,
    pub(super) id: StorageId,
    /// What names of marks have beside the id.
    own_port: Option<u16>,
    pub(super) cluster: watch::Receiver<Arc<ClusterView>>,
    pub(super) stop: Stop,
    pub(super) progress: Arc<watch::Sender<PeerProgress>>,
    pub(super) pace: Arc<Pace>,
    /// Says when the peer is known to be there.
    pub(super) lives: watch::Receiver<()>,
    file: MarkFile,
    /// Where it was while the peer had other addresses.
    earlier: Vec<MarkFile>,
    /// The place in the log, once it is known.
    mark: Option<Mark>,
    /// The mark could not be read.
    broken: bool,
    /// Records before this second need not be sent.
    skip_to: Option<i64>,
}

/// Replicates to a peer until it leaves or the server stops.
pub(super) async fn run(shared: Arc<Shared>, id: StorageId, stop: Stop) {
    let cluster = shared.server.cluster.clone();
    let entry = shared.server.replication.of(id);
    let (lives, Entry { progress, pace, .. }) = (entry.lives(), entry);
    let view = Arc::clone(&cluster.borrow());
    // The mark's name is that of the original; the supervisor has seen an identity.
    let Some(me) = &view.identity else { return };
    let uses_ids = view.parameters.is_some_and(|parameters| parameters.use_storage_id);
    let own_port = (!uses_ids).then_some(me.port);
    let dir = shared.server.store.binlog().dir();
    let file = MarkFile::new(dir, &mark_file(&id, own_port));
    let earlier = view.earlier_ids(id).map(|id| MarkFile::new(dir, &mark_file(&id, own_port))).collect();
    let mut task = PeerTask {
        shared,
        id,
        own_port,
        cluster,
        stop,
        progress,
        pace,
        lives,
        file,
        earlier,
        mark: None,
        broken: false,
        skip_to: None,
    };
    let old_name = view.peers.get(&id).filter(|_| uses_ids).map(|peer| {
        MarkFile::new(task.shared.server.store.binlog().dir(), &format!("{}_{}.mark", peer.ip, me.port))
    });
    if task.load(old_name).await {
        task.live().await;
    }
}

impl PeerTask {
    /// Reads the mark; false when the server stops first. `old_name` is where it was before storage ids were used.
    async fn load(&mut self, old_name: Option<MarkFile>) -> bool {
        let mut backoff = Backoff::default();
        loop {
            let (file, old_name, earlier) = (self.file.clone(), old_name.clone(), self.earlier.clone());
            let load = move || {
                for earlier in earlier {
                    earlier.move_to(&file)?;
                }
                match (file.load()?, old_name) {
                    (KeptMark::Nothing, Some(old)) => old.load(),
                    (kept, _) => Ok(kept),
                }
            };
            let error = match spawn_blocking(load).await {
                Ok(Ok(kept)) => {
                    match kept {
                        KeptMark::Nothing => {}
                        KeptMark::Newest(mark) | KeptMark::Older(mark) => {
                            self.mark = Some(mark);
                            // Whoever asks before the first record is sent is not told that the peer lacks all of the log.
                            self.progress.send_modify(|now| now.acknowledged = Some(position(&mark)));
                        }
                        KeptMark::Broken => self.broken = true,
                    }
                    return true;
                }
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            tracing::error!(peer = %self.id, error, "cannot read how far replication to a peer is, trying again");
            self.trouble(Obstacle::Log, &format!("the mark cannot be read: {error}"));
            if self.pause(&mut backoff).await.is_stop() {
                return false;
            }
        }
    }

    async fn live(&mut self) {
        let mut backoff = Backoff::default();
        loop {
            if self.stop.stopping() {
                return;
            }
            let view = Arc::clone(&self.cluster.borrow_and_update());
            // A peer that is listed no more comes back or is said to be deleted.
            let Some(peer) = view.peers.get(&self.id).copied() else {
                self.rest(None).await;
                continue;
            };
            let Some(me) = view.identity.clone() else {
                self.rest(None).await;
                continue;
            };
            let group = GroupField::from(me.group);
            let wanted = duty(peer.status, self.mark.as_ref());
            match wanted {
                Duty::End => return self.leave(peer.status).await,
                Duty::Wait => {
                    self.trouble(Obstacle::PeerStatus, &format!("the peer is {}", peer.status.caption()));
                    self.rest(None).await;
                }
                Duty::Ask => match self.ask(&view, group, &me.id).await {
                    Ok(true) => backoff.worked(),
                    // As before. Perhaps the trackers did not hear that it is filled.
                    Ok(false) => {
                        if self.mark.is_some_and(|mark| mark.need_sync_old && mark.sync_old_done) {
                            self.report(&view, group, peer, StorageStatus::Offline).await;
                        }
                        self.rest(Some(ASK_AGAIN)).await;
                    }
                    Err(error) => {
                        tracing::info!(peer = %self.id, error, "no tracker says who fills a peer with old files, asking again");
                        self.trouble(Obstacle::Trackers, &error);
                        self.pause(&mut backoff).await;
                    }
                },
                Duty::Finished => {
                    self.report(&view, group, peer, StorageStatus::Offline).await;
                    self.rest(Some(ASK_AGAIN)).await;
                }
                Duty::Fill | Duty::Push if !self.is_time() => {
                    self.trouble(Obstacle::TimeOfDay, "replication waits for sync_start_time");
                    self.rest(Some(LOOK_AT_CLOCK)).await;
                }
                Duty::Fill | Duty::Push => {
                    if wanted == Duty::Fill {
                        tracing::info!(peer = %self.id, "filling a new member of the group with all files");
                        self.report(&view, group, peer, StorageStatus::Syncing).await;
                    }
                    let Some(mark) = self.mark else { continue };
                    let (end, mark) = Stream::new(self, mark, self.skip_to, group, me.id).run().await;
                    self.skip_to = None;
                    self.mark = Some(mark);
                    match end {
                        End::Stop => return,
                        // What to tell the trackers follows from the mark, also after a restart.
                        End::Filled => {
                            tracing::info!(peer = %self.id, "a new member of the group has all old files");
                        }
                        End::Over => {}
                    }
                }
            }
        }
    }

    /// Asks who fills the peer, and finds out where to begin; false when there is nothing new.
    async fn ask(&mut self, view: &ClusterView, group: GroupField, me: &StorageId) -> Result<bool, String> {
        let (config, mut stop) = (&self.shared.config, self.stop.clone());
        let source = tokio::select! {
            source = trackers::source_of(&config.trackers, &config.wire, view, group, self.id) => source?,
            () = stop.wait() => return Err("the server stops".to_owned()),
        };
        let kept = match &self.mark {
            Some(mark) => Kept::Mark(mark),
            None if self.broken => Kept::Broken,
            None => Kept::Nothing,
        };
        match start(kept, source, me) {
            Start::Kept => Ok(false),
            Start::New { mark, skip_to } => {
                tracing::info!(peer = %self.id, fill = mark.need_sync_old, ?skip_to, "replication to a peer begins");
                (self.mark, self.skip_to, self.broken) = (Some(mark), skip_to, false);
                Ok(true)
            }
        }
    }

    async fn report(&self, view: &ClusterView, group: GroupField, peer: Peer, status: StorageStatus) {
        let (config, mut stop) = (&self.shared.config, self.stop.clone());
        let report = trackers::report(&config.trackers, &config.wire, view, group, (self.id, peer), status);
        let heard = tokio::select! {
            heard = report => heard,
            () = stop.wait() => return,
        };
        if let Err(error) = heard {
            tracing::warn!(peer = %self.id, ?status, error, "no tracker heard where the copy to a peer stands");
        }
    }

    /// The peer has left the group.
    async fn leave(&self, status: StorageStatus) {
        self.shared.server.replication.remove(&self.id);
        let (file, suffix) = (self.file.clone(), Zoned::now().strftime("%Y%m%d%H%M%S").to_string());
        let now_called = self.cluster.borrow().now_called(self.id);
        let heir =
            MarkFile::new(self.shared.server.store.binlog().dir(), &mark_file(&now_called, self.own_port));
        let put_away = move || match file.move_to(&heir)? {
            true => Ok(true),
            false => file.retire(&suffix).map(|()| false),
        };
        match spawn_blocking(put_away).await {
            Ok(Ok(true)) => {
                tracing::info!(peer = %self.id, %now_called, "a peer has another address, replication goes on where it was");
            }
            Ok(Ok(false)) => {
                tracing::info!(peer = %self.id, status = status.caption(), "a peer has left, its mark is put away");
            }
            Ok(Err(error)) => {
                tracing::warn!(peer = %self.id, %error, "cannot put the mark of a peer away that has left");
            }
            Err(error) => tracing::error!(peer = %self.id, %error, "putting a mark away died"),
        }
    }

    /// Saves the mark, the log first: after a power cut, lines that were not synced are written once more, and
    /// perhaps in another order.
    pub(super) fn save(&self, mark: Mark) -> tokio::task::JoinHandle<bool> {
        let (server, file, peer) = (Arc::clone(&self.shared.server), self.file.clone(), self.id);
        spawn_blocking(move || {
            let saved = server.store.binlog().sync().and_then(|()| file.save(&mark));
            if let Err(error) = &saved {
                tracing::error!(%peer, %error, "cannot save how far replication to a peer is, a restart sends more than it must");
            }
            saved.is_ok()
        })
    }

    /// Whether it is time of day to replicate.
    pub(super) fn is_time(&self) -> bool {
        let sync = &self.shared.config.sync;
        if !sync.has_window() {
            return true;
        }
        let now = Zoned::now().time();
        let part = |n: i8| u8::try_from(n).unwrap_or_default();
        let now =
            TimeOfDay { hour: part(now.hour()), minute: part(now.minute()), second: part(now.second()) };
        in_window(sync.start_time, sync.end_time, now)
    }

    /// Where the peer is reached.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        addresses(&self.cluster.borrow(), &self.id)
    }

    /// Says why nothing is sent.
    pub(super) fn trouble(&self, by: Obstacle, reason: &str) {
        let acknowledged = self.mark.as_ref().map(position);
        let bytes = self.shared.server.store.binlog().len_from(acknowledged.unwrap_or_default());
        self.progress.send_if_modified(|progress| {
            let changed = progress.lag.last_error.as_deref() != Some(reason);
            progress.lag.held_up(by, reason.to_owned());
            progress.acknowledged = acknowledged;
            progress.lag.bytes = bytes;
            progress.lag.oldest = Duration::ZERO;
            changed
        });
    }

    /// Waits for a change of the cluster, for the stop, or so long.
    async fn rest(&mut self, most: Option<Duration>) -> Woken {
        let time = async {
            match most {
                Some(most) => sleep(most).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stop.wait() => Woken::Stop,
            () = changed(&mut self.cluster) => Woken::Other,
            () = time => Woken::Other,
        }
    }

    async fn pause(&mut self, backoff: &mut Backoff) -> Woken {
        let pause = Duration::from_millis(backoff.failed(rand::random()));
        tokio::select! {
            () = self.stop.wait() => Woken::Stop,
            () = sleep(pause) => Woken::Other,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    Stop,
    Other,
}

impl Woken {
    fn is_stop(self) -> bool {
        self == Self::Stop
    }
}
