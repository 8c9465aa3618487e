//! Trunk files and who allocates them: 72, 73, 74, 94.

use std::sync::Arc;

use fdfs_proto::tracker::{set_trunk_server, trunk};
use tracker_core::{Caller, Request};

use super::{Answer, ask, group};
use crate::shell::Shell;

/// FETCH_TRUNK_FID (72).
pub(super) async fn file_id(shell: &Arc<Shell>, from: Caller) -> Answer {
    ask(shell, from, Request::TrunkFileId).await
}

/// REPORT_TRUNK_FID (73).
pub(super) async fn report_file_id(shell: &Arc<Shell>, from: Caller, asked: trunk::FileNumber) -> Answer {
    ask(shell, from, Request::ReportTrunkFileId { id: asked.id }).await
}

/// REPORT_TRUNK_FREE (74).
pub(super) async fn report_free(shell: &Arc<Shell>, from: Caller, asked: trunk::Free) -> Answer {
    ask(shell, from, Request::ReportTrunkFree { free_mb: asked.free_mb }).await
}

/// SET_TRUNK_SERVER (94).
pub(super) async fn set_server(shell: &Arc<Shell>, from: Caller, asked: set_trunk_server::Ask) -> Answer {
    ask(shell, from, Request::SetTrunkServer { group: group(asked.group)?, id: asked.id }).await
}
