//! Where a new storage gets its old data: 87, 88, 86, 79.

use std::sync::Arc;

use fdfs_proto::Status;
use fdfs_proto::tracker::sync_source;
use tracker_core::{Caller, Request};

use super::{Answer, ask, group};
use crate::shell::Shell;

/// SYNC_DEST_REQ (87).
pub(super) async fn request(shell: &Arc<Shell>, from: Caller) -> Answer {
    ask(shell, from, Request::RequestSource).await
}

/// SYNC_NOTIFY (88).
pub(super) async fn notify(shell: &Arc<Shell>, from: Caller, asked: sync_source::Notify) -> Answer {
    ask(shell, from, Request::NotifySource { source: asked.src_id, until: asked.until_timestamp }).await
}

/// SYNC_SRC_REQ (86).
pub(super) async fn of(shell: &Arc<Shell>, from: Caller, asked: sync_source::AskDest) -> Answer {
    let dest = asked.dest_id.ok_or(Status::ENOENT)?;
    ask(shell, from, Request::SourceOf { group: group(asked.group)?, dest }).await
}

/// SYNC_DEST_QUERY (79).
pub(super) async fn own(shell: &Arc<Shell>, from: Caller) -> Answer {
    ask(shell, from, Request::OwnSource).await
}
