//! Where clients upload, download and change files: 101–107.

use std::sync::Arc;

use fdfs_fileid::FileName;
use fdfs_proto::tracker::query_fetch;
use fdfs_proto::{GroupField, RawName, Status};
use tracker_core::{Caller, Request};

use super::{Answer, ask, group};
use crate::shell::Shell;

/// QUERY_STORE_ONE (101, 104).
pub(super) async fn store_one(shell: &Arc<Shell>, from: Caller, named: Option<GroupField>) -> Answer {
    ask(shell, from, Request::StoreOne { group: named.map(group).transpose()? }).await
}

/// QUERY_STORE_ALL (106, 107).
pub(super) async fn store_all(shell: &Arc<Shell>, from: Caller, named: Option<GroupField>) -> Answer {
    ask(shell, from, Request::StoreAll { group: named.map(group).transpose()? }).await
}

/// QUERY_FETCH_ONE (102).
pub(super) async fn fetch_one(shell: &Arc<Shell>, from: Caller, asked: query_fetch::Ask<'_>) -> Answer {
    let name = name(asked.name)?;
    ask(shell, from, Request::FetchOne { group: group(asked.group)?, name: &name }).await
}

/// QUERY_FETCH_ALL (105).
pub(super) async fn fetch_all(shell: &Arc<Shell>, from: Caller, asked: query_fetch::Ask<'_>) -> Answer {
    let name = name(asked.name)?;
    ask(shell, from, Request::FetchAll { group: group(asked.group)?, name: &name }).await
}

/// QUERY_UPDATE (103).
pub(super) async fn update(shell: &Arc<Shell>, from: Caller, asked: query_fetch::Ask<'_>) -> Answer {
    let name = name(asked.name)?;
    ask(shell, from, Request::Update { group: group(asked.group)?, name: &name }).await
}

/// A file as it stood in a body. The original asks no more of a name than its length; here it has to be one
/// that a storage would take.
fn name(raw: RawName<'_>) -> Result<FileName, Status> {
    raw.parse().map_err(|_| Status::EINVAL)
}
