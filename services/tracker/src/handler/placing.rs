//! Where clients upload, download and change files: 101–107.
//!
//! Answered from the view, so that no upload or download waits for whatever the machine is doing.

use fdfs_fileid::FileName;
use fdfs_proto::tracker::query_fetch;
use fdfs_proto::{GroupField, RawName, Status};
use tracker_core::Caller;

use super::{Answer, body, group, refused};
use crate::shell::Shell;

/// QUERY_STORE_ONE (101, 104).
pub(super) fn store_one(shell: &Shell, from: Caller, named: Option<GroupField>) -> Answer {
    let named = named.map(group).transpose()?;
    let got = shell.view().store_one(named, from.peer).map_err(|refusal| refused(from, refusal))?;
    Ok(body(|out| got.encode(shell.answers.width, out)))
}

/// QUERY_STORE_ALL (106, 107).
pub(super) fn store_all(shell: &Shell, from: Caller, named: Option<GroupField>) -> Answer {
    let named = named.map(group).transpose()?;
    let got = shell.view().store_all(named, from.peer).map_err(|refusal| refused(from, refusal))?;
    Ok(body(|out| got.encode(shell.answers.width, out)))
}

/// QUERY_FETCH_ONE (102).
pub(super) fn fetch_one(shell: &Shell, from: Caller, asked: query_fetch::Ask<'_>) -> Answer {
    let (name, group, now) = (name(asked.name)?, group(asked.group)?, shell.clock.now());
    let got =
        shell.view().fetch_one(now, group, &name, from.peer).map_err(|refusal| refused(from, refusal))?;
    Ok(body(|out| got.encode(shell.answers.width, out)))
}

/// QUERY_FETCH_ALL (105).
pub(super) fn fetch_all(shell: &Shell, from: Caller, asked: query_fetch::Ask<'_>) -> Answer {
    let (name, group, now) = (name(asked.name)?, group(asked.group)?, shell.clock.now());
    let got =
        shell.view().fetch_all(now, group, &name, from.peer).map_err(|refusal| refused(from, refusal))?;
    Ok(body(|out| got.encode(shell.answers.width, out)))
}

/// QUERY_UPDATE (103).
pub(super) fn update(shell: &Shell, from: Caller, asked: query_fetch::Ask<'_>) -> Answer {
    let (name, group) = (name(asked.name)?, group(asked.group)?);
    let got = shell.view().update(group, &name, from.peer).map_err(|refusal| refused(from, refusal))?;
    Ok(body(|out| got.encode(shell.answers.width, out)))
}

/// A file as it stood in a body. The original asks no more of a name than its length; here it has to be one
/// that a storage would take.
fn name(raw: RawName<'_>) -> Result<FileName, Status> {
    raw.parse().map_err(|_| Status::EINVAL)
}
