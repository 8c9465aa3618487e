//! Waiting until other members have a change before it is acknowledged (`durability = copies:N`).
//!
//! A change waits until so many members have acknowledged everything in the binlog up to and including its line. Members that do not
//! serve are missing; a change is then refused, or acknowledged with fewer copies, as configured, and the log says
//! so when it begins and when it ends.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fdfs_conf::StorageConf;
use fdfs_conf::storage::{CopiesMissing, Durability};
use fdfs_proto::{Status, StorageCommand};
use storage_core::replication::LogPosition;
use storage_core::replication::copies::{CopiesRule, Members, Progress, has};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::replication::PeerProgress;
use crate::server::Server;

/// How many members must have a change, and what happens otherwise.
#[derive(Debug)]
pub(crate) struct Copies {
    rule: CopiesRule,
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
    let members = members(server);
    let others = if members.there == 0 { 0 } else { server.copies.rule.others };
    let (wanted, possible) = (others as u64 + 1, members.serving as u64 + 1);
    State { wanted, possible, degraded: possible < wanted }
}

impl Copies {
    pub(crate) fn new(conf: &StorageConf) -> Self {
        let others = match conf.durability {
            Durability::Copies(count) => usize::from(count).saturating_sub(1),
            Durability::Disk | Durability::Fastdfs => 0,
        };
        let rule = CopiesRule { others, accept_missing: conf.copies_missing == CopiesMissing::Accept };
        Self {
            rule,
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
        let copies = self.rule.others + 1;
        match (degraded, self.rule.accept_missing) {
            (false, _) => tracing::info!(copies, "changes are on as many members again as they shall be"),
            (true, true) => {
                tracing::warn!(
                    copies,
                    serving,
                    "too few members serve, changes are acknowledged with fewer copies: start the other members of the group"
                );
            }
            (true, false) => {
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

fn members(server: &Server) -> Members {
    Members::of(server.cluster.borrow().peers.values().map(|peer| peer.status))
}

/// Whether changes have to be refused now: before anything is done.
///
/// # Errors
/// `EAGAIN` while too few members serve.
pub(crate) fn admit(server: &Server) -> Result<(), Status> {
    let (copies, members) = (&server.copies, members(server));
    if copies.rule.admits(members) {
        return Ok(());
    }
    copies.tell(true, members.serving);
    copies.refused.fetch_add(1, Ordering::Relaxed);
    Err(Status::EAGAIN)
}

/// Waits until the members that shall have the changes made so far do.
///
/// # Errors
/// `ETIMEDOUT` when they do not in time, and changes are not to be acknowledged then; the change stays.
pub(crate) async fn wait(server: &Server) -> Result<(), Status> {
    let (copies, members) = (&server.copies, members(server));
    let Some(wanted) = copies.rule.wanted(members) else { return Ok(()) };
    let (file, offset) = server.store.binlog().position();
    let here = timeout(copies.wait, reached(server, wanted, LogPosition { file, offset })).await.is_ok();
    let complete = here && wanted >= copies.rule.others;
    copies.tell(!complete, members.serving);
    if complete {
        return Ok(());
    }
    if copies.rule.accept_missing {
        copies.with_fewer.fetch_add(1, Ordering::Relaxed);
        return Ok(());
    }
    copies.refused.fetch_add(1, Ordering::Relaxed);
    Err(Status::ETIMEDOUT)
}

/// Returns when so many members are so far; not at all when there are too few.
async fn reached(server: &Server, wanted: usize, place: LogPosition) {
    let ids: Vec<_> = server.cluster.borrow().peers.keys().copied().collect();
    let mut left = wanted;
    let mut waiting = JoinSet::new();
    for id in ids {
        let Some(mut follow) = server.replication.follow(&id) else { continue };
        let before = progress(&follow.borrow());
        if has(place, before, before) == Some(true) {
            left = left.saturating_sub(1);
            continue;
        }
        if left > 0 {
            waiting.spawn(async move {
                let told = follow.wait_for(|now| has(place, before, progress(now)).is_some()).await;
                told.is_ok_and(|now| has(place, before, progress(&now)) == Some(true))
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

fn progress(peer: &PeerProgress) -> Progress {
    Progress { acknowledged: peer.acknowledged, set_aside: peer.lag.set_aside }
}
