//! After a start: what other members changed while this one was away comes first.
//!
//! Two members that change one file at the same time would differ, and one of the two changes would be lost (storage
//! internals: holes, D11). While the source of a file is away another member changes it. So a member that has started
//! lets its clients change files only when every other one that serves has said that it has sent all it had
//! ([`active_test::ALL_SENT`]). Who is asked passes changes on to the one that asks from then on, waits for those that it
//! is still making itself, and then until they are there.
//!
//! Members of the original answer at once: theirs are not waited for.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fdfs_proto::storage::active_test;
use fdfs_proto::{Header, Status, StorageCommand, StorageId, StorageStatus};
use net::Stop;
use storage_core::membership::ClusterView;
use storage_core::replication::LogPosition;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::relay::Link;
use crate::replication::{self, Obstacle};
use crate::server::Server;

/// How long trackers may take to say who serves before changes are made without knowing.
const KNOW_MAX: Duration = Duration::from_secs(10);

/// How long a change waits before it is refused.
const CHANGE_WAIT: Duration = Duration::from_secs(10);

/// How long the question may wait for its answer.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// How long a member that is said to serve may not be reachable.
const REACH_MAX: Duration = Duration::from_secs(10);

/// The pause before a member is asked again that could not be.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// How long changes are waited for at most. One that comes later may be lost against one that was made here.
const SETTLE_MAX: Duration = Duration::from_secs(300);

/// After which it is told that clients were kept waiting.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// Whether the changes of other members are here; and, for them, which changes are being made here.
#[derive(Debug)]
pub(crate) struct Settle {
    settled: watch::Sender<bool>,
    look: watch::Sender<()>,
    changes: Arc<watch::Sender<Changes>>,
}

/// Changes that are being made here, each by its number.
#[derive(Debug, Default)]
struct Changes {
    next: u64,
    under_way: BTreeSet<u64>,
}

/// A change that is being made here, until this is dropped.
#[derive(Debug)]
pub(crate) struct ChangeHere {
    changes: Arc<watch::Sender<Changes>>,
    number: u64,
}

impl Drop for ChangeHere {
    fn drop(&mut self) {
        self.changes.send_modify(|changes| {
            changes.under_way.remove(&self.number);
        });
    }
}

impl Default for Settle {
    fn default() -> Self {
        Self { settled: watch::Sender::new(true), look: watch::Sender::default(), changes: Arc::default() }
    }
}

impl Settle {
    /// Changes of files wait from now on; the task asks the other members.
    pub(crate) fn begin(&self, server: Arc<Server>, mut stop: Stop) -> impl Future<Output = ()> + use<> {
        self.settled.send_replace(false);
        async move {
            tokio::select! {
                () = settle(&server) => {}
                () = stop.wait() => {}
            }
        }
    }

    /// Waits until the changes of other members are here.
    ///
    /// # Errors
    /// `EAGAIN` when that takes too long.
    pub(crate) async fn wait(&self) -> Result<(), Status> {
        if *self.settled.borrow() {
            return Ok(());
        }
        let mut settled = self.settled.subscribe();
        match timeout(CHANGE_WAIT, settled.wait_for(|settled| *settled)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Status::EAGAIN),
        }
    }

    /// Says when trackers are to be asked how the cluster is.
    pub(crate) fn looks(&self) -> watch::Receiver<()> {
        self.look.subscribe()
    }

    /// A change begins, which ends when what this returns is dropped.
    pub(crate) fn change(&self) -> ChangeHere {
        let mut number = 0;
        self.changes.send_modify(|changes| {
            number = changes.next;
            changes.next += 1;
            changes.under_way.insert(number);
        });
        ChangeHere { changes: Arc::clone(&self.changes), number }
    }

    /// Waits until the changes that have begun so far have ended.
    async fn changes_ended(&self) {
        let mut changes = self.changes.subscribe();
        let next = changes.borrow().next;
        // The sender lives as long as this.
        let _ = changes.wait_for(|now| now.under_way.first().is_none_or(|oldest| *oldest >= next)).await;
    }
}

/// Whether a request changes a file that is there, or one of its own name.
pub(crate) fn waits(command: StorageCommand) -> bool {
    use StorageCommand as C;
    matches!(
        command,
        C::Append
            | C::Modify
            | C::Truncate
            | C::RegenerateName
            | C::SetMetadata
            | C::DeleteFile
            | C::UploadSlave
    )
}

/// Lets clients change files when that can be.
async fn settle(server: &Arc<Server>) {
    let mut cluster = server.cluster.clone();
    let serves = |view: &Arc<ClusterView>| view.is_listed && view.my_status == Some(StorageStatus::Active);
    if timeout(KNOW_MAX, cluster.wait_for(serves)).await.is_err() {
        tracing::info!("no tracker says that this storage serves, its clients may change files all the same");
        server.settle.settled.send_replace(true);
        if cluster.wait_for(serves).await.is_err() {
            return;
        }
        server.settle.settled.send_replace(false);
    }
    let began = Instant::now();
    if timeout(SETTLE_MAX, ask_all(server)).await.is_err() {
        tracing::warn!(
            seconds = SETTLE_MAX.as_secs(),
            "other members still have changes to send that they made while this storage was away, clients may change \
             files all the same"
        );
    }
    let took = began.elapsed();
    if took > TOLD_AFTER {
        tracing::info!(?took, "changes of files have waited for what other members changed meanwhile");
    }
    server.settle.settled.send_replace(true);
}

/// Returns when all members that serve have sent what they had.
async fn ask_all(server: &Arc<Server>) {
    let view = Arc::clone(&server.cluster.borrow());
    let mut asked = JoinSet::new();
    for id in view.peers.keys().copied().filter(|id| is_up(&view, id)) {
        let server = Arc::clone(server);
        asked.spawn(async move { ask_one(&server, id).await });
    }
    while asked.join_next().await.is_some() {}
}

/// Whether a member can be asked: one that has just come back, too, may have changes from before.
fn is_up(view: &ClusterView, id: &StorageId) -> bool {
    let status = view.peers.get(id).map(|peer| peer.status);
    matches!(status, Some(StorageStatus::Active | StorageStatus::Online))
}

fn is_active(view: &ClusterView, id: &StorageId) -> bool {
    view.peers.get(id).is_some_and(|peer| peer.status == StorageStatus::Active)
}

async fn ask_one(server: &Server, id: StorageId) {
    let mut lost_at = None;
    loop {
        let view = Arc::clone(&server.cluster.borrow());
        if !is_up(&view, &id) {
            return;
        }
        match ask(server, &replication::addresses(&view, &id)).await {
            Ok(Status::EAGAIN) => lost_at = None,
            // One that does not answer this question has nothing to be waited for.
            Ok(_) => return,
            Err(error) => {
                if lost_at.get_or_insert_with(Instant::now).elapsed() > REACH_MAX {
                    tracing::warn!(peer = %id, %error, "a member can't be asked for what it changed while this storage was away");
                    return;
                }
                // It may have ended, which trackers know soon.
                server.settle.look.send_replace(());
                sleep(ASK_AGAIN).await;
            }
        }
    }
}

async fn ask(server: &Server, addresses: &[SocketAddr]) -> io::Result<Status> {
    let mut link = Link::open(addresses, &server.relay.wire).await?;
    link.introduce(server).await?;
    let command = StorageCommand::ActiveTest.code();
    let reply = link.ask(Header { body_len: 0, command, status: active_test::ALL_SENT }, &[]).await?;
    Ok(reply.status())
}

/// Waits until a member that has started has all that was changed here; or says that it takes longer.
pub(crate) async fn all_sent(server: &Server, member: Option<StorageId>) -> Status {
    let Some(member) = member else { return Status::EINVAL };
    let sent = async {
        let mut cluster = server.cluster.clone();
        server.settle.look.send_replace(());
        cluster.wait_for(|view| is_active(view, &member)).await.ok()?;
        // Those that begin from here on go there.
        server.settle.changes_ended().await;
        let (file, offset) = server.store.binlog().position();
        let place = LogPosition { file, offset };
        let mut follow = server.replication.lives(member);
        let is_there = |now: &replication::PeerProgress| {
            let is_closed = now.lag.obstacle == Some(Obstacle::TimeOfDay);
            is_closed || now.acknowledged.is_some_and(|at| at >= place)
        };
        follow.wait_for(is_there).await.ok().map(drop)
    };
    match timeout(ANSWER_WAIT, sent).await {
        Ok(Some(())) => Status::OK,
        // Too slow, or this storage ends.
        Ok(None) | Err(_) => Status::EAGAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_changes_waits_for_all_that_have_begun_and_for_none_that_begins_later() {
        let settle = Settle::default();
        let ended = async || timeout(Duration::ZERO, settle.changes_ended()).await.is_ok();
        assert!(ended().await);
        let (first, second) = (settle.change(), settle.change());
        // Also who asks again, or asks beside another one.
        assert!(!ended().await && !ended().await);
        drop(first);
        assert!(!ended().await);
        let waits = settle.changes_ended();
        tokio::pin!(waits);
        assert!(timeout(Duration::ZERO, &mut waits).await.is_err());
        let _third = settle.change();
        drop(second);
        waits.await;
        assert!(!ended().await);
    }
}
