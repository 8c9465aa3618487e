//! What an answer means.

use fdfs_conf::StorageIds;
use fdfs_format::tracker::changelog;
use fdfs_proto::tracker::{
    change_list, group_name, identity_change, join, my_ip, parameters, storage_ids, storage_lookup,
    sync_source, tracker_status, trunk,
};
use fdfs_proto::{Brief, DecodeError, Status, StorageId, StorageStatus};

use super::ask::Question;
use super::{Action, IDS_TEXT_LEN_MAX, Leave, Notice, RETRY_MS_MIN, Session, TrackerLink, Trouble};
use crate::membership::{Membership, OwnIps, Recheck};
use crate::time::Mono;

/// Most bytes of a changelog line that are kept until its end arrives.
const CHANGELOG_LINE_LEN_MAX: usize = 256;

/// Pages of the changelog that are read before a list is taken in: 8 KB each, some 200 changes.
const CHANGELOG_PAGES_MAX: u32 = 64;

impl TrackerLink {
    pub(super) fn answered(
        &mut self,
        now: Mono,
        question: Question,
        status: Status,
        body: &[u8],
        membership: &mut Membership,
        out: &mut Vec<Action>,
    ) -> Result<(), Leave> {
        let command = question.command();
        let refused = Err(Leave::Trouble(Trouble::Refused { command, status }));
        let garbled = |error: DecodeError| Leave::Trouble(Trouble::Garbled { command, error });
        match question {
            // Answers that mean something even when they are a refusal.
            Question::Join => {
                let reply = status.is_ok().then(|| join::Got::decode(body)).transpose();
                let reply = reply.map_err(garbled)?;
                membership.join_answered(self.index, reply.as_ref());
                let Some(reply) = reply else { return refused };
                self.joined(now, reply, out);
            }
            Question::Notify { told, epoch } => {
                if !matches!(status, Status::OK | Status::ENOENT) {
                    return refused;
                }
                let in_doubt = membership.source_in_doubt();
                membership.source_notified(self.index, told, status == Status::ENOENT);
                if membership.source_in_doubt() && !in_doubt {
                    out.push(Action::Report(Notice::SourceLost));
                }
                if let Some(session) = &mut self.session {
                    session.notified = Some(epoch);
                }
            }
            // A tracker that cannot say has nothing to say.
            Question::KnownAs => {
                let known = Some(body).filter(|_| status.is_ok()).and_then(|body| Brief::decode(body).ok());
                if let Some(session) = &mut self.session {
                    session.known = true;
                }
                if known.is_some_and(|known| known.status == StorageStatus::Deleted) && membership.removed() {
                    out.push(Action::Report(Notice::Removed));
                }
            }
            Question::MyStatus => {
                let known = match status {
                    Status::OK => Some(Brief::decode(body).map_err(garbled)?.status),
                    Status::ENOENT => None,
                    _ => return refused,
                };
                if let Some(session) = &mut self.session {
                    session.recheck = Some(known);
                }
            }
            Question::MySource(my_status) => {
                let source = match status {
                    Status::OK => sync_source::Got::decode(body).map_err(garbled)?.source,
                    Status::ENOENT => None,
                    _ => return refused,
                };
                membership.rechecked(self.index, Recheck { status: my_status, source });
            }
            Question::IpChange => match status {
                // Unknown there, known already, or of no interest: the next JOIN brings the address anyway.
                Status::OK
                | Status::ENOENT
                | Status::EALREADY
                | Status::EEXIST
                | Status::EOPNOTSUPP
                | Status::EINVAL => {
                    membership.ip_change_told(self.index);
                }
                _ => return refused,
            },
            Question::OldLeader => {
                let leads = match status {
                    Status::OK => tracker_status::Got::decode(body).map_err(garbled)?.is_leader,
                    _ => false,
                };
                membership.old_leader_answered(self.index, leads);
            }
            Question::Reselect => membership.reselect_told(self.index),
            // Where nothing is known, the own files tell.
            Question::TrunkFile => {
                let known = status.is_ok().then(|| trunk::FileNumber::decode(body)).transpose();
                membership.trunk_file_found(known.map_err(garbled)?.map_or(0, |newest| newest.id));
            }
            // A tracker that has not heard who the trunk server is refuses: it is told again after a beat.
            Question::TrunkFileReport | Question::TrunkFreeReport => {
                if let Some(session) = &mut self.session {
                    session.trunk_refused |= !status.is_ok();
                }
            }
            _ if !status.is_ok() => return refused,

            Question::Group => {
                membership.group_found(group_name::Got::decode(body).map_err(garbled)?.group);
            }
            Question::OwnIps => {
                let ips = my_ip::Got::decode(body).map_err(garbled)?;
                membership.own_ips_found(OwnIps { first: ips.ip, second: ips.second });
            }
            Question::Parameters => {
                membership.parameters_found(parameters::Got::decode(body).map_err(garbled)?);
            }
            Question::StorageIds => {
                let page = storage_ids::Got::decode(body).map_err(garbled)?;
                self.storage_ids_came(&page, membership)?;
            }
            Question::ServerId => {
                let id = storage_lookup::GotId::decode(body).map_err(garbled)?.id;
                membership.server_id_found(id)?;
            }
            Question::Source => {
                let source = sync_source::Got::decode(body).map_err(garbled)?.source;
                membership.source_found(self.index, source);
                out.push(Action::Report(Notice::SourceSettled(source.and_then(|source| source.src_id))));
            }
            Question::CorrectStatus(told) => {
                membership.corrected(self.index, told);
                if let Some(session) = &mut self.session {
                    // The tracker has taken it as "not connected"; a beat says that it is.
                    session.beat_due = now;
                }
            }
            Question::Differences => {}
            Question::Beat(stat) => {
                let list = change_list::Got::decode(body).map_err(garbled)?;
                if let Some(session) = &mut self.session {
                    session.beaten = true;
                    session.stat = Some(*stat);
                    session.beat_due = now.after_ms(self.settings.beat_interval_ms);
                    session.changelog_due =
                        membership.parameters().is_some_and(|told| told.storage_ip_changed_auto_adjust);
                    session.synced_due = true;
                    if std::mem::take(&mut session.trunk_refused) {
                        (session.trunk_file_id, session.trunk_free_mb) = (None, None);
                    }
                    if membership.source_unknown_at(self.index) {
                        session.notified = None;
                    }
                }
                self.changes_came(list, membership);
                let done = |session: &Session| session.correction.is_none() && session.held.is_none();
                if self.session.as_ref().is_some_and(done) {
                    // A whole round worked: the next failure is a new one.
                    self.retry_ms = RETRY_MS_MIN;
                }
            }
            Question::Changelog => {
                let text = identity_change::GotLog::decode(body).map_err(garbled)?.text;
                self.changelog_came(text, membership);
            }
            Question::DiskUsage => {
                let list = change_list::Got::decode(body).map_err(garbled)?;
                if let Some(session) = &mut self.session {
                    session.disk_due = now.after_ms(self.settings.disk_report_interval_ms);
                }
                self.changes_came(list, membership);
            }
            Question::Synced(times) => {
                let list = change_list::Got::decode(body).map_err(garbled)?;
                if let Some(session) = &mut self.session {
                    session.synced = times;
                }
                self.changes_came(list, membership);
            }
        }
        Ok(())
    }

    fn joined(&mut self, now: Mono, reply: join::Got, out: &mut Vec<Action>) {
        if let Some(session) = &mut self.session {
            session.joined = true;
            session.beat_due = now;
            session.disk_due = now;
        }
        if !std::mem::replace(&mut self.announced, true) || self.trouble.is_some() {
            out.push(Action::Report(Notice::Joined(reply.status)));
        }
        self.trouble = None;
    }

    fn storage_ids_came(
        &mut self,
        page: &storage_ids::Got<'_>,
        membership: &mut Membership,
    ) -> Result<(), Leave> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let (text, lines) = &mut session.ids;
        let page_text = std::str::from_utf8(page.lines).map_err(|_| Trouble::BadStorageIds)?;
        let fits = text.len() + page_text.len() <= IDS_TEXT_LEN_MAX;
        *lines = lines.saturating_add(page.count);
        // An empty page in the middle would make this go on for ever.
        if !fits || *lines > page.total || (page.count == 0 && *lines < page.total) {
            return Err(Trouble::BadStorageIds.into());
        }
        text.push_str(page_text);
        if *lines == page.total {
            let ids = StorageIds::parse("storage ids", text).map_err(|_| Trouble::BadStorageIds)?;
            session.ids = Default::default();
            membership.ids_found(ids);
        }
        Ok(())
    }

    /// Takes a list in, where addresses may change after the changelog: who has a new one is the same storage, and not one
    /// that left and one that came.
    fn changes_came(&mut self, list: change_list::Got, membership: &mut Membership) {
        let Some(session) = &mut self.session else { return };
        if list.storages.is_some() && follows_moves(membership) {
            session.changelog_due = true;
            session.held = Some(list);
        } else {
            self.merge(&list, membership);
        }
    }

    fn merge(&mut self, list: &change_list::Got, membership: &mut Membership) {
        let merged = membership.merge(self.index, list);
        if let Some(session) = &mut self.session
            && list.storages.is_some()
        {
            session.differences = merged.differences;
            session.correction = merged.correction;
        }
    }

    /// Only changes of address in this group matter here, everything else comes with the change lists.
    fn changelog_came(&mut self, text: &[u8], membership: &mut Membership) {
        let Some(session) = &mut self.session else { return };
        session.changelog.extend_from_slice(text);
        let whole = session.changelog.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = session.changelog.drain(..whole).collect();
        if session.changelog.len() > CHANGELOG_LINE_LEN_MAX {
            session.changelog.clear();
        }
        let group = membership.identity().map(|me| me.group);
        for change in changelog::decode(&lines).into_iter().flatten() {
            let new = change.new_address.and_then(|new| StorageId::new(new.as_bytes()));
            if let Some(new) = new
                && change.status == StorageStatus::IpChanged
                && group == Some(change.group_name)
            {
                membership.server_moved(change.storage, new);
            }
        }
        session.pages += 1;
        if !text.is_empty() && session.pages < CHANGELOG_PAGES_MAX {
            session.changelog_due = true;
            return;
        }
        session.pages = 0;
        if let Some(list) = session.held.take() {
            self.merge(&list, membership);
        }
    }
}

/// Whether storages without given ids keep their place in the cluster when their address changes.
fn follows_moves(membership: &Membership) -> bool {
    membership.parameters().is_some_and(|told| told.storage_ip_changed_auto_adjust && !told.use_storage_id)
}
