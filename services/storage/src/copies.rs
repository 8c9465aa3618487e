//! Waiting until other members have a change before it is acknowledged (`durability = copies:N`).
//!
//! A change waits until so many members have acknowledged everything in the binlog up to and including its line. Members that do not
//! serve are missing; a change is then refused, or acknowledged with fewer copies, as configured, and the log says
//! so when it begins and when it ends.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fdfs_conf::StorageConf;
use fdfs_conf::storage::{CopiesMissing, Durability};
use fdfs_proto::{Status, StorageCommand, StorageStatus};
use storage_core::replication::LogPosition;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::replication::PeerProgress;
use crate::server::Server;

/// How many members must have a change, and what happens otherwise.
#[derive(Debug)]
pub(crate) struct Copies {
    /// Members beside this one.
    others: usize,
    missing: CopiesMissing,
    wait: Duration,
    /// Changes are acknowledged, or refused, for want of members.
    degraded: AtomicBool,
    /// Changes that were acknowledged with fewer copies, since the start.
    pub(crate) with_fewer: AtomicU64,
    /// Changes that were refused for want of members, since the start.
    pub(crate) refused: AtomicU64,
}

/// How many copies there are to be, and can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    /// Members that shall have a change, this one included; 1 in a group of one server.
    pub(crate) wanted: u64,
    /// Members that can have it now, this one included.
    pub(crate) possible: u64,
    /// Fewer members serve than shall have a change.
    pub(crate) degraded: bool,
}

/// How it stands with the copies now.
pub(crate) fn state(server: &Server) -> State {
    let (serving, there) = serving(server);
    let others = if there == 0 { 0 } else { server.copies.others };
    let (wanted, possible) = (others as u64 + 1, serving as u64 + 1);
    State { wanted, possible, degraded: possible < wanted }
}

impl Copies {
    pub(crate) fn new(conf: &StorageConf) -> Self {
        let others = match conf.durability {
            Durability::Copies(count) => usize::from(count).saturating_sub(1),
            Durability::Disk | Durability::Fastdfs => 0,
        };
        Self {
            others,
            missing: conf.copies_missing,
            wait: conf.copies_wait,
            degraded: AtomicBool::new(false),
            with_fewer: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Says so when a lack of members begins or ends.
    fn tell(&self, degraded: bool, serving: usize) {
        if self.degraded.swap(degraded, Ordering::Relaxed) == degraded {
            return;
        }
        let copies = self.others + 1;
        match (degraded, self.missing) {
            (false, _) => tracing::info!(copies, "changes are on as many members again as they shall be"),
            (true, CopiesMissing::Accept) => {
                tracing::warn!(
                    copies,
                    serving,
                    "too few members serve, changes are acknowledged with fewer copies: start the other members of the group"
                );
            }
            (true, CopiesMissing::Refuse) => {
                tracing::error!(
                    copies,
                    serving,
                    "too few members serve, changes are refused: start the other members of the group, or set copies_missing = accept"
                );
            }
        }
    }
}

/// Whether a request changes something that other members are to have.
pub(crate) fn is_change(command: StorageCommand) -> bool {
    use StorageCommand as C;
    matches!(
        command,
        C::UploadFile
            | C::UploadAppender
            | C::UploadSlave
            | C::Append
            | C::Modify
            | C::Truncate
            | C::RegenerateName
            | C::SetMetadata
            | C::DeleteFile
            | C::CreateLink
    )
}

/// Members that serve, this one not counted, and how many there are of them beside it.
fn serving(server: &Server) -> (usize, usize) {
    let view = server.cluster.borrow();
    let there = view.peers.values().filter(|peer| {
        !matches!(peer.status, StorageStatus::Deleted | StorageStatus::IpChanged | StorageStatus::None)
    });
    let serving = view.peers.values().filter(|peer| peer.status == StorageStatus::Active).count();
    (serving, there.count())
}

/// Whether changes have to be refused now: before anything is done.
///
/// # Errors
/// `EAGAIN` while too few members serve.
pub(crate) fn admit(server: &Server) -> Result<(), Status> {
    let copies = &server.copies;
    let (serving, there) = serving(server);
    if copies.others == 0 || there == 0 || serving >= copies.others || copies.missing == CopiesMissing::Accept
    {
        return Ok(());
    }
    copies.tell(true, serving);
    copies.refused.fetch_add(1, Ordering::Relaxed);
    Err(Status::EAGAIN)
}

/// Waits until the members that shall have the changes made so far do.
///
/// # Errors
/// `ETIMEDOUT` when they do not in time, and changes are not to be acknowledged then; the change stays.
pub(crate) async fn wait(server: &Server) -> Result<(), Status> {
    let copies = &server.copies;
    let (serving, there) = serving(server);
    if copies.others == 0 || there == 0 {
        return Ok(());
    }
    let wanted =
        copies.others.min(if copies.missing == CopiesMissing::Accept { serving } else { usize::MAX });
    let (file, offset) = server.store.binlog().position();
    let here = timeout(copies.wait, reached(server, wanted, LogPosition { file, offset })).await.is_ok();
    let complete = here && wanted >= copies.others;
    copies.tell(!complete, serving);
    if complete {
        return Ok(());
    }
    if copies.missing == CopiesMissing::Accept {
        copies.with_fewer.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    }
    copies.refused.fetch_add(1, Ordering::Relaxed);
    Err(Status::ETIMEDOUT)
}

/// Returns when so many members are so far; not at all when there are too few.
async fn reached(server: &Server, wanted: usize, place: LogPosition) {
    let is_there = move |progress: &PeerProgress| progress.acknowledged.is_some_and(|at| at >= place);
    let ids: Vec<_> = server.cluster.borrow().peers.keys().copied().collect();
    let mut left = wanted;
    let mut waiting = JoinSet::new();
    for id in ids {
        let Some(mut progress) = server.replication.follow(&id) else { continue };
        let set_aside = progress.borrow().lag.set_aside;
        if is_there(&progress.borrow()) {
            left = left.saturating_sub(1);
            continue;
        }
        if left > 0 {
            waiting.spawn(async move {
                // What was set aside meanwhile may have been this change: the member does not have it then.
                let reached = progress.wait_for(|progress| is_there(progress)).await;
                reached.is_ok_and(|progress| progress.lag.set_aside == set_aside)
            });
        }
    }
    while left > 0 {
        match waiting.join_next().await {
            Some(Ok(true)) => left -= 1,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}
