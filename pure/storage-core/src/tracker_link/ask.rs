//! Which question comes next.

use std::collections::BTreeMap;

use fdfs_proto::limits::REPORT_ENTRIES_MAX;
use fdfs_proto::tracker::sync_source::SyncSource;
use fdfs_proto::tracker::{
    beat, disk_usage, group_name, identity_change, join, my_ip, status_report, storage_ids, storage_lookup,
    sync_report, trunk,
};
use fdfs_proto::{Host, IpText, StatBlock, StorageId, StorageStatus, TrackerCommand};

use super::{Leave, LinkInputs, TrackerLink};
use crate::membership::{LeaderDuty, Membership, SourceDuty, Wanted};
use crate::time::Mono;

/// A question under way, with what is needed to understand the answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Question {
    Group,
    OwnIps,
    Parameters,
    StorageIds,
    ServerId,
    IpChange,
    /// 71 about this storage itself, before the JOIN.
    KnownAs,
    Join,
    /// 87
    Source,
    /// 88
    Notify {
        told: SyncSource,
        /// [`Membership::source_epoch`] when it was asked.
        epoch: u32,
    },
    /// 71 about this storage itself, while its source is in doubt.
    MyStatus,
    /// 79, with the answer to 71.
    MySource(Option<StorageStatus>),
    CorrectStatus(StorageStatus),
    /// 64, on the connection to a tracker that was leader until another one said it is.
    OldLeader,
    /// 68
    Reselect,
    Differences,
    Beat(Box<StatBlock>),
    Changelog,
    DiskUsage,
    Synced(BTreeMap<StorageId, u32>),
    /// 72
    TrunkFile,
    /// 73
    TrunkFileReport,
    /// 74
    TrunkFreeReport,
}

impl Question {
    pub(super) fn command(&self) -> TrackerCommand {
        match self {
            Self::Group => TrackerCommand::GetGroupName,
            Self::OwnIps => TrackerCommand::GetMyIp,
            Self::Parameters => TrackerCommand::GetParameters,
            Self::StorageIds => TrackerCommand::FetchStorageIds,
            Self::ServerId => TrackerCommand::GetServerId,
            Self::IpChange => TrackerCommand::ReportIpChanged,
            Self::Join => TrackerCommand::Join,
            Self::Source => TrackerCommand::SyncDestRequest,
            Self::Notify { .. } => TrackerCommand::SyncNotify,
            Self::KnownAs | Self::MyStatus => TrackerCommand::GetStorageStatus,
            Self::MySource(_) => TrackerCommand::SyncDestQuery,
            Self::CorrectStatus(_) => TrackerCommand::ChangeStatus,
            Self::OldLeader => TrackerCommand::TrackerStatus,
            Self::Reselect => TrackerCommand::ReselectLeader,
            Self::Differences => TrackerCommand::ReplicaChange,
            Self::Beat(_) => TrackerCommand::Beat,
            Self::Changelog => TrackerCommand::GetChangelog,
            Self::DiskUsage => TrackerCommand::ReportDiskUsage,
            Self::Synced(_) => TrackerCommand::SyncReport,
            Self::TrunkFile => TrackerCommand::FetchTrunkFileId,
            Self::TrunkFileReport => TrackerCommand::ReportTrunkFileId,
            Self::TrunkFreeReport => TrackerCommand::ReportTrunkFree,
        }
    }
}

impl TrackerLink {
    /// The next question and its body; `None` when nothing is due or another link must come first.
    pub(super) fn next_question(
        &mut self,
        now: Mono,
        membership: &mut Membership,
        inputs: &dyn LinkInputs,
    ) -> Result<Option<(Question, Vec<u8>)>, Leave> {
        let mut body = Vec::new();
        let next = self.before_serving(membership, &mut body)?;
        if let Some(session) = &mut self.session {
            session.serving = matches!(next, Next::Serve);
        }
        let question = match next {
            Next::Ask(question) => Some(question),
            Next::Wait => None,
            Next::Serve => self.while_serving(now, membership, inputs, &mut body),
        };
        Ok(question.map(|question| (question, body)))
    }

    fn before_serving(&mut self, membership: &mut Membership, body: &mut Vec<u8>) -> Result<Next, Leave> {
        let Some(session) = &mut self.session else { return Ok(Next::Wait) };
        match membership.wanted()? {
            Wanted::Group(port) => {
                group_name::Ask { ip_text: b"", port }.encode(body);
                return Ok(Next::Ask(Question::Group));
            }
            Wanted::OwnIps(group, port) => {
                my_ip::Ask { group, port }.encode(body);
                return Ok(Next::Ask(Question::OwnIps));
            }
            Wanted::Parameters => return Ok(Next::Ask(Question::Parameters)),
            Wanted::StorageIds => {
                storage_ids::Ask { start: session.ids.1, allow_empty: false }.encode(body);
                return Ok(Next::Ask(Question::StorageIds));
            }
            Wanted::ServerId(group, host) => {
                storage_lookup::Ask { group: group.into(), host }.encode(body);
                return Ok(Next::Ask(Question::ServerId));
            }
            Wanted::Nothing => {}
        }
        // `wanted` has just said that it is known.
        let Some(me) = membership.identity() else { return Ok(Next::Wait) };
        if let Some((old, new)) = membership.ip_change_for(self.index) {
            let report =
                identity_change::Report { group: me.group.into(), old_ip: old.into(), new_ip: new.into() };
            report.encode(body);
            return Ok(Next::Ask(Question::IpChange));
        }
        if !session.known && !session.joined && membership.may_have_been_removed() {
            storage_lookup::Ask { group: me.group.into(), host: Host::new(me.ips.first, me.port) }
                .encode(body);
            return Ok(Next::Ask(Question::KnownAs));
        }
        if !session.joined {
            let tracker_ip = session.ip.into();
            session.listed = membership.tracker_list().len();
            let Some(ask) = self.join_ask(membership, tracker_ip) else { return Ok(Next::Wait) };
            ask.encode(body);
            return Ok(Next::Ask(Question::Join));
        }
        if membership.tracker_list().len() > session.listed {
            // A tracker learns from the JOIN alone with whom it shares the cluster.
            return Err(Leave::Rejoin);
        }
        Ok(match membership.source_duty(self.index, session.notified) {
            SourceDuty::Ask => {
                membership.search_begun(self.index);
                Next::Ask(Question::Source)
            }
            SourceDuty::Wait => Next::Wait,
            SourceDuty::Notify(source) => {
                source.encode(body);
                Next::Ask(Question::Notify { told: source, epoch: membership.source_epoch() })
            }
            SourceDuty::Recheck if session.recheck.is_some() => {
                Next::Ask(Question::MySource(session.recheck.take().flatten()))
            }
            SourceDuty::Recheck => {
                let host = Host::new(me.ips.first, me.port);
                storage_lookup::Ask { group: me.group.into(), host }.encode(body);
                Next::Ask(Question::MyStatus)
            }
            SourceDuty::Nothing => Next::Serve,
        })
    }

    fn join_ask(&self, membership: &Membership, tracker_ip: IpText) -> Option<join::Ask> {
        let me = membership.identity()?;
        let uses_ids = membership.parameters().is_some_and(|parameters| parameters.use_storage_id);
        let record = membership.record();
        Some(join::Ask {
            joiner: join::Joiner {
                group: me.group,
                storage_port: me.port,
                store_path_count: self.settings.store_path_count.into(),
                subdir_count_per_path: self.settings.subdir_count.into(),
                upload_priority: self.settings.upload_priority.into(),
                join_time: record.join_time,
                up_time: self.settings.up_time,
                version: self.settings.version,
                init: !record.source_settled,
                status: membership.status_to_claim(),
                storage_id: uses_ids.then_some(me.id),
                tracker_ip,
            },
            trackers: membership.tracker_list(),
        })
    }

    fn while_serving(
        &mut self,
        now: Mono,
        membership: &Membership,
        inputs: &dyn LinkInputs,
        body: &mut Vec<u8>,
    ) -> Option<Question> {
        let session = self.session.as_mut()?;
        if std::mem::take(&mut session.changelog_due) {
            return Some(Question::Changelog);
        }
        let beaten = session.beaten;
        let by_leader = || membership.status_to_correct(self.index).filter(|_| beaten);
        if let Some(status) = session.correction.take().or_else(by_leader) {
            status_report::Change { status }.encode(body);
            return Some(Question::CorrectStatus(status));
        }
        match membership.leader_duty(self.index) {
            LeaderDuty::AskWhetherStillLeader => return Some(Question::OldLeader),
            LeaderDuty::TellToReselect => return Some(Question::Reselect),
            LeaderDuty::Nothing => {}
        }
        if !session.differences.is_empty() {
            status_report::Replicas { briefs: std::mem::take(&mut session.differences) }.encode(body);
            return Some(Question::Differences);
        }
        if session.beat_due <= now {
            let stat = inputs.stat_block();
            beat::Ask { stat: Some(stat).filter(|stat| session.stat.as_ref() != Some(stat)) }.encode(body);
            return Some(Question::Beat(Box::new(stat)));
        }
        if std::mem::take(&mut session.synced_due) {
            let times = inputs.synced_from();
            let known = || times.iter().filter(|&(_, &timestamp)| timestamp > 0);
            // All of them when one got further, as the original does: trackers take the earliest of one report, which
            // without a source that stands still would say that its files are here. After a start here it says so of
            // sources of which nothing has come since: no answer of a tracker has what was known of each before.
            if known().any(|(id, timestamp)| session.synced.get(id) != Some(timestamp)) {
                let synced = |(id, &timestamp): (&StorageId, &u32)| sync_report::Synced {
                    src_id: Some(*id),
                    timestamp,
                };
                let sources = known().map(synced).take(REPORT_ENTRIES_MAX).collect();
                sync_report::Ask { sources }.encode(body);
                return Some(Question::Synced(times));
            }
        }
        if session.disk_due <= now {
            disk_usage::Ask { paths: inputs.disk_usage() }.encode(body);
            return Some(Question::DiskUsage);
        }
        // What the trunk server says and asks counts only on the connection of its JOIN.
        let epoch = membership.trunk_epoch();
        if membership.is_trunk_server() && session.trunk_asked != Some(epoch) {
            session.trunk_asked = Some(epoch);
            return Some(Question::TrunkFile);
        }
        let figures = inputs.trunk()?;
        if session.trunk_file_id != Some(figures.file_id) {
            session.trunk_file_id = Some(figures.file_id);
            trunk::FileNumber { id: figures.file_id }.encode(body);
            return Some(Question::TrunkFileReport);
        }
        if session.trunk_free_mb != Some(figures.free_mb) {
            session.trunk_free_mb = Some(figures.free_mb);
            trunk::Free { free_mb: figures.free_mb }.encode(body);
            return Some(Question::TrunkFreeReport);
        }
        None
    }
}

/// Where a connected link stands.
enum Next {
    Ask(Question),
    /// Another link has to come first.
    Wait,
    Serve,
}
