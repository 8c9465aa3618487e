//! What administrators delete: 93, 108.

use std::sync::Arc;

use fdfs_proto::GroupField;
use fdfs_proto::tracker::delete_storage;
use tracker_core::{Caller, Request};

use super::{Answer, ask, group};
use crate::shell::Shell;

/// DELETE_STORAGE (93).
pub(super) async fn delete_storage(shell: &Arc<Shell>, from: Caller, asked: delete_storage::Ask) -> Answer {
    ask(shell, from, Request::DeleteStorage { group: group(asked.group)?, id: asked.id }).await
}

/// DELETE_GROUP (108).
pub(super) async fn delete_group(shell: &Arc<Shell>, from: Caller, name: GroupField) -> Answer {
    ask(shell, from, Request::DeleteGroup { group: group(name)? }).await
}
