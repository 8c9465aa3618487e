//! Who a storage is and was: 60, 69, 70, 71, 109, 78, 77.

use std::sync::Arc;

use fdfs_conf::StorageEntry;
use fdfs_proto::limits::IP_TEXT_LEN;
use fdfs_proto::tracker::{group_name, identity_change, my_ip, storage_ids, storage_lookup};
use fdfs_proto::{HEADER_LEN, Status};
use tracker_core::{Caller, Refusal, Request, id_of_addr};

use super::{Answer, ask, body, group};
use crate::shell::Shell;

/// Most bytes of lines in one page of the table of ids; storages come back for the rest some thirty times.
const IDS_PAGE: usize = 64 << 10;

/// GET_MY_IP (60): the addresses the table gives for the caller, else the one it comes from.
pub(super) fn my_ip(shell: &Shell, from: Caller, asked: my_ip::Ask) -> Answer {
    let table = shell.answers.ids.as_deref();
    let entry = table.and_then(|table| table.by_group_and_addr(&asked.group, from.peer, asked.port));
    let mut ips = entry.into_iter().flat_map(|entry: &StorageEntry| entry.addr.ips());
    let got = my_ip::Got { ip: ips.next().unwrap_or(from.peer), second: ips.next() };
    Ok(body(|out| got.encode(out)))
}

/// FETCH_STORAGE_IDS (69).
pub(super) fn storage_ids(shell: &Shell, asked: storage_ids::Ask) -> Answer {
    let Some(lines) = &shell.answers.id_lines else {
        return match asked.allow_empty {
            true => Ok(body(|out| storage_ids::Got::EMPTY.encode(out))),
            false => Err(Refusal::SwitchedOff.into()),
        };
    };
    let from_start =
        usize::try_from(asked.start).ok().and_then(|start| lines.get(start..)).unwrap_or_default();
    if from_start.is_empty() {
        return Err(Status::EINVAL);
    }
    let longest =
        usize::try_from(shell.answers.message_max).unwrap_or(IDS_PAGE).min(IDS_PAGE) - HEADER_LEN - 8;
    let mut page = String::new();
    let mut count = 0;
    for line in from_start {
        if page.len() + line.len() > longest {
            break;
        }
        page.push_str(line);
        count += 1;
    }
    let total = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    let got = storage_ids::Got { total, count, lines: page.as_bytes() };
    Ok(body(|out| got.encode(out)))
}

/// GET_SERVER_ID (70).
pub(super) fn server_id(shell: &Shell, asked: storage_lookup::Ask) -> Answer {
    let id = match &shell.answers.ids {
        None => id_of_addr(asked.host.ip).ok_or(Status::ENOENT)?,
        Some(table) => {
            let name = group(asked.group)?;
            let entry =
                table.by_group_and_addr(&name, asked.host.ip, asked.host.port).ok_or(Status::ENOENT)?;
            return Ok(entry.id.to_string().into_bytes());
        }
    };
    Ok(body(|out| storage_lookup::GotId { id }.encode(out)))
}

/// STORAGE_GET_STATUS (71).
pub(super) fn storage_status(shell: &Shell, asked: storage_lookup::Ask) -> Answer {
    let brief = shell.view().storage_at(group(asked.group)?, asked.host.ip, asked.host.port)?;
    Ok(body(|out| brief.encode(out)))
}

/// GET_GROUP_NAME (109).
pub(super) fn group_name(shell: &Shell, from: Caller, asked: group_name::Ask<'_>) -> Answer {
    let table = shell.answers.ids.as_deref().ok_or(Refusal::SwitchedOff)?;
    if asked.ip_text.len() >= IP_TEXT_LEN {
        return Err(Status::ENAMETOOLONG);
    }
    let addr = if asked.ip_text.is_empty() { Some(from.peer) } else { asked.ip() };
    let entry = addr.and_then(|addr| table.by_addr(addr, asked.port)).ok_or(Status::ENOENT)?;
    Ok(body(|out| group_name::Got { group: entry.group }.encode(out)))
}

/// REPORT_IP_CHANGED (78).
pub(super) async fn ip_changed(shell: &Arc<Shell>, from: Caller, asked: identity_change::Report) -> Answer {
    let (old, new) = (asked.old_ip.ip().ok_or(Status::EINVAL)?, asked.new_ip.ip().ok_or(Status::EINVAL)?);
    ask(shell, from, Request::ReportIpChanged { group: group(asked.group)?, old, new }).await
}

/// CHANGELOG_REQ (77).
pub(super) async fn changelog(shell: &Arc<Shell>, from: Caller, asked: identity_change::AskLog) -> Answer {
    let of = match asked.who {
        None => None,
        Some(who) => Some((group(who.group)?, who.id.ok_or(Status::ENOENT)?)),
    };
    ask(shell, from, Request::ReadChangelog { of }).await
}
