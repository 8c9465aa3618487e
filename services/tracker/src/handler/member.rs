//! What a storage says about itself and its peers: 81, 83, 84, 89, 76, 85, 59.

use std::sync::Arc;

use fdfs_proto::AddrWidth;
use fdfs_proto::tracker::{beat, disk_usage, join, status_report, sync_report};
use tracker_core::{Caller, Request};

use super::{Answer, ask, encode, group};
use crate::shell::Shell;

/// JOIN (81). A storage that is refused is of no use, so an operator should read why.
pub(super) async fn join(shell: &Arc<Shell>, from: Caller, asked: &join::Ask) -> Answer {
    let (group, width) = (asked.joiner.group, shell.answers.width);
    shell.seek.before_join(shell, from.local, &asked.trackers).await?;
    match shell.ask(from, Request::Join(asked)).await {
        Ok(reply) => {
            if from.peer.is_ipv6() && width == AddrWidth::V4 {
                tracing::warn!(
                    peer = %from.peer,
                    %group,
                    "an IPv6 address may not fit into narrow replies, set response_ip_addr_size"
                );
            }
            Ok(encode(&reply))
        }
        Err(refusal) => {
            tracing::warn!(peer = %from.peer, %group, %refusal, "a storage may not join");
            Err(refusal.into())
        }
    }
}

/// BEAT (83).
pub(super) async fn beat(shell: &Arc<Shell>, from: Caller, asked: &beat::Ask) -> Answer {
    ask(shell, from, Request::Beat { stat: asked.stat.as_ref() }).await
}

/// REPORT_DISK_USAGE (84).
pub(super) async fn report_disks(shell: &Arc<Shell>, from: Caller, asked: &disk_usage::Ask) -> Answer {
    ask(shell, from, Request::ReportDisks { paths: &asked.paths }).await
}

/// SYNC_REPORT (89).
pub(super) async fn report_sync(shell: &Arc<Shell>, from: Caller, asked: &sync_report::Ask) -> Answer {
    ask(shell, from, Request::ReportSync { times: &asked.sources }).await
}

/// REPORT_STATUS (76).
pub(super) async fn report_status(shell: &Arc<Shell>, from: Caller, asked: &status_report::Report) -> Answer {
    ask(shell, from, Request::ReportStatus { group: group(asked.group)?, brief: &asked.brief }).await
}

/// REPLICA_CHG (85).
pub(super) async fn report_replicas(
    shell: &Arc<Shell>,
    from: Caller,
    asked: &status_report::Replicas,
) -> Answer {
    ask(shell, from, Request::ReportReplicas { briefs: &asked.briefs }).await
}

/// CHANGE_STATUS (59).
pub(super) async fn change_status(shell: &Arc<Shell>, from: Caller, asked: status_report::Change) -> Answer {
    ask(shell, from, Request::ChangeStatus { status: asked.status }).await
}
