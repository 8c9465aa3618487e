//! What trackers ask each other, and who leads: 58, 61–68, 95.

use std::sync::Arc;

use fdfs_proto::Status;
use fdfs_proto::tracker::{HostBody, leader, sys_files};
use tracker_core::{Caller, Request};

use super::{Answer, ask, body};
use crate::shell::Shell;
use crate::sys_files::Frozen;

/// JOIN_LEADER (58).
pub(super) async fn join_leader(shell: &Arc<Shell>, from: Caller, asked: leader::Join) -> Answer {
    let leader::Join { up_time, version, server_port: port } = asked;
    ask(shell, from, Request::JoinLeader { up_time, version, port }).await
}

/// PING_LEADER (65).
pub(super) async fn ping(shell: &Arc<Shell>, from: Caller, asked: leader::Ping) -> Answer {
    ask(shell, from, Request::PingLeader { connections: asked }).await
}

/// NOTIFY_NEXT_LEADER (66).
pub(super) async fn notify(shell: &Arc<Shell>, from: Caller, asked: leader::Next) -> Answer {
    ask(shell, from, Request::NotifyLeader { addr: asked.host.ip, port: asked.host.port }).await
}

/// COMMIT_NEXT_LEADER (67).
pub(super) async fn commit(shell: &Arc<Shell>, from: Caller, asked: leader::Next) -> Answer {
    ask(shell, from, Request::CommitLeader { addr: asked.host.ip, port: asked.host.port }).await
}

/// NOTIFY_RESELECT_LEADER (68).
pub(super) async fn reselect(shell: &Arc<Shell>, from: Caller) -> Answer {
    ask(shell, from, Request::ReselectLeader).await
}

/// GET_LEADER (95).
pub(super) fn leader(shell: &Shell, from: Caller) -> Answer {
    let host = shell.view().leader(from.peer)?;
    Ok(body(|out| HostBody { host }.encode(out)))
}

/// TRACKER_GET_STATUS (64).
pub(super) fn status(shell: &Shell) -> Answer {
    let got = shell.view().running_figures(shell.clock.now())?;
    Ok(body(|out| got.encode(out)))
}

/// GET_SYS_FILES_START (61): freezes the files for this connection.
pub(super) async fn hold_files(shell: &Arc<Shell>, from: Caller) -> Answer {
    let held = ask(shell, from, Request::HoldSysFiles).await?;
    let files = Frozen::new(&shell.view(), shell.changelog_from(0));
    shell.sys_files.hand_to(from.conn, files);
    Ok(held)
}

/// GET_ONE_SYS_FILE (63).
pub(super) fn file_part(shell: &Shell, from: Caller, asked: sys_files::Ask) -> Answer {
    let files = shell.sys_files.held_by(from.conn).ok_or(Status::EINVAL)?;
    let (file_size, part) = files.part(asked.file, asked.offset).ok_or(Status::EINVAL)?;
    Ok(body(|out| sys_files::Got { file_size, part }.encode(out)))
}

/// GET_SYS_FILES_END (62).
pub(super) async fn release_files(shell: &Arc<Shell>, from: Caller) -> Answer {
    shell.sys_files.release(from.conn);
    ask(shell, from, Request::ReleaseSysFiles).await
}
