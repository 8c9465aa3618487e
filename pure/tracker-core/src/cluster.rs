//! The machine: what the tracker knows, and how an event changes it.

mod admin;
mod join;
mod merge;
mod peers;
mod report;
mod save;
mod source;
mod takeover;
mod trunk;
mod trunk_server;

use std::collections::BTreeMap;
use std::sync::Arc;

use fdfs_fileid::GroupName;
use fdfs_proto::{StorageId, StorageStatus};

use crate::changelog::Changelog;
use crate::leader::{self, Election, Trackers};
use crate::status::{self, Cause};
use crate::{
    Action, Caller, ClusterConfig, ConnId, Event, Group, Member, Mono, Note, Now, Refusal, Request, Section,
    Turn, View,
};
use save::SaveTimes;
pub use takeover::StateWanted;
use trunk_server::Choice;

/// A tracker's knowledge of its cluster, and every decision made from it.
///
/// Synchronous and without input or output of its own: [`Cluster::step`] takes what happened and the time, and
/// appends what is to be done.
#[derive(Debug)]
pub struct Cluster {
    config: Arc<ClusterConfig>,
    /// Shared with views, so a view costs a reference per group and a group is copied at most once per view.
    groups: BTreeMap<GroupName, Arc<Group>>,
    /// Numbers of groups given out; they begin at 1.
    group_numbers: usize,
    /// The number of the group that is tried first for the next upload that names none.
    group_turn: Turn,
    election: Election,
    changelog: Changelog,
    sessions: BTreeMap<ConnId, Session>,
    sys_files: Option<SysFilesHold>,
    /// Changes of trunk servers in all groups, for followers.
    trunk_changes: u64,
    /// Choices of trunk servers under way.
    choices: BTreeMap<GroupName, Choice>,
    /// Tickets given out.
    tickets: u64,
    started: Mono,
    /// Unix seconds of the last sign of life of the run before this one.
    last_check: Option<i64>,
    /// The state of other trackers was looked for, or need not be.
    state_sought: bool,
    silence_check_at: Mono,
    save: SaveTimes,
    view: Option<Arc<View>>,
}

/// What a connection stands for.
#[derive(Debug, Clone)]
enum Session {
    /// It joined as a storage.
    Storage {
        group: GroupName,
        id: StorageId,
        /// Leader changes it has been told of.
        leader_changes_seen: u64,
    },
    /// It joined as another tracker.
    Tracker {
        /// Place in the list of trackers.
        index: usize,
        /// Trunk server changes it has been told of.
        trunk_changes_seen: u64,
    },
}

/// A connection that copies the state files.
#[derive(Debug, Clone, Copy)]
struct SysFilesHold {
    conn: ConnId,
    until: Mono,
}

impl Cluster {
    /// A tracker that starts at `now` with the state it saved, or with none.
    pub fn new(config: ClusterConfig, saved: Saved, now: Now) -> Self {
        let election = Election::new(
            config.addrs.iter().copied(),
            config.port,
            config.version,
            (config.up_time, saved.last_check),
            config.election,
            now,
        );
        let changelog = Changelog::new(saved.changelog);
        let (groups, group_numbers) = numbered(saved.groups, &changelog, 0);
        Self {
            silence_check_at: now.mono.after_ms(config.silence_ms),
            config: Arc::new(config),
            groups,
            group_numbers,
            group_turn: Turn::default(),
            election,
            changelog,
            sessions: BTreeMap::new(),
            sys_files: None,
            // Not 0, what followers have seen: those of the last run count, too.
            trunk_changes: 1,
            choices: BTreeMap::new(),
            tickets: 0,
            started: now.mono,
            last_check: saved.last_check,
            state_sought: false,
            save: SaveTimes::new(now),
            view: None,
        }
    }

    /// Takes one event and appends what is to be done.
    pub fn step(&mut self, now: Now, event: Event<'_>, out: &mut Vec<Action>) {
        match event {
            Event::Request { from, ask } => self.request(now, from, ask, out),
            Event::Closed { conn } => self.closed(now, conn, out),
            Event::StorageAnswered { ticket, answer } => self.storage_answered(now, ticket, answer, out),
            Event::TrackerAnswered { ticket, answer } => self.tracker_answered(now, ticket, &answer, out),
            Event::StateSought { found } => self.state_sought(now, found, out),
            Event::Wake { chance } => self.wake(now, chance, out),
        }
    }

    /// When to send [`Event::Wake`], unless something else happens before.
    pub fn deadline(&self) -> Mono {
        let sys_files = self.sys_files.map(|hold| hold.until);
        [Some(self.silence_check_at), sys_files, Some(self.save.deadline()), Some(self.election.deadline())]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.silence_check_at)
    }

    /// The state as of now, for questions that change nothing but turns. Cheap: shared with this machine until it
    /// changes.
    pub fn view(&mut self) -> Arc<View> {
        let (config, groups, trackers) = (&self.config, &self.groups, self.election.trackers());
        let group_turn = &self.group_turn;
        let view = self.view.get_or_insert_with(|| {
            Arc::new(View {
                config: Arc::clone(config),
                groups: groups.clone(),
                group_turn: group_turn.clone(),
                trackers: trackers.clone(),
                last_check: self.last_check,
            })
        });
        Arc::clone(view)
    }

    /// The settings it was made with.
    pub fn config(&self) -> &ClusterConfig {
        &self.config
    }

    fn request(&mut self, now: Now, from: Caller, ask: Request<'_>, out: &mut Vec<Action>) {
        let reply = match ask {
            Request::Join(join) => self.join(now, from, join, out),
            Request::Beat { stat } => self.beat(now, from, stat, out),
            Request::ReportDisks { paths } => self.report_disks(now, from, paths, out),
            Request::ReportSync { times } => self.report_sync(now, from, times, out),
            Request::RequestSource => self.request_source(now, from, out),
            Request::NotifySource { source, until } => self.notify_source(now, from, source, until, out),
            Request::SourceOf { group, dest } => self.source_of(now, group, dest, out),
            Request::OwnSource => self.own_source(from),
            Request::ReportStatus { group, brief } => self.report_status(now, from, group, brief, out),
            Request::ReportReplicas { briefs } => self.report_replicas(now, from, briefs, out),
            Request::ChangeStatus { status } => self.change_status(now, from, status, out),
            Request::TrunkFileId => self.trunk_file_id(from),
            Request::ReportTrunkFileId { id } => self.report_trunk_file_id(now, from, id, out),
            Request::ReportTrunkFree { free_mb } => self.report_trunk_free(from, free_mb),
            Request::ReadChangelog { of } => self.read_changelog(now, from, of, out),
            Request::ReportIpChanged { group, old, new } => {
                self.report_ip_changed(now, from, group, old, new, out)
            }
            Request::DeleteStorage { group, id } => self.delete_storage(now, group, id, out),
            Request::DeleteGroup { group } => self.delete_group(now, group, out),
            // Gives its own reply, perhaps with a later step.
            Request::SetTrunkServer { group, id } => return self.set_trunk_server(now, from, group, id, out),
            Request::JoinLeader { up_time, version, port } => {
                self.join_leader(now, from, up_time, version, port)
            }
            Request::PingLeader { connections } => self.ping_leader(now, from, connections),
            Request::NotifyLeader { addr, port } => self.notify_leader(now, addr, port, out),
            Request::CommitLeader { addr, port } => self.commit_leader(now, addr, port, out),
            Request::ReselectLeader => self.reselect_leader(now, out),
            Request::HoldSysFiles => self.hold_sys_files(now, from),
            Request::ReleaseSysFiles => self.release_sys_files(from),
        };
        out.push(Action::Reply { conn: from.conn, reply });
    }

    fn closed(&mut self, now: Now, conn: ConnId, out: &mut Vec<Action>) {
        if self.sys_files.is_some_and(|hold| hold.conn == conn) {
            self.sys_files = None;
        }
        self.stop_waiting(conn);
        if let Some(Session::Storage { group, id, .. }) = self.sessions.remove(&conn) {
            self.left(now, group, id, out);
        }
    }

    /// A joined connection of a storage is gone. Only the last one takes it off line: an old connection that is
    /// noticed to be dead must not hurt the storage that has long come back (wire protocol: who moves a storage).
    fn left(&mut self, now: Now, group: GroupName, id: StorageId, out: &mut Vec<Action>) {
        let Some(member) = self.member_mut(group, &id) else { return };
        member.connections = member.connections.saturating_sub(1);
        if member.connections > 0 {
            return;
        }
        member.up_time = 0;
        let next = status::after(Cause::Closed, member.status);
        self.set_status(now, group, id, next, out);
    }

    fn wake(&mut self, now: Now, chance: u32, out: &mut Vec<Action>) {
        self.elect(now, leader::Event::Wake { chance }, out);
        if self.sys_files.is_some_and(|hold| hold.until <= now.mono) {
            self.sys_files = None;
        }
        if self.silence_check_at <= now.mono {
            self.check_silence(now, out);
        }
        self.save_what_is_due(now, out);
    }

    /// Takes storages off line that have been silent for too long.
    fn check_silence(&mut self, now: Now, out: &mut Vec<Action>) {
        let silence_ms = self.config.silence_ms;
        let mut silent = Vec::new();
        let mut next = now.mono.after_ms(silence_ms);
        for group in self.groups.values() {
            for member in group.members.values().filter(|member| member.is_active()) {
                let last = member.last_beat.unwrap_or_default();
                if now.mono.since_ms(last) > silence_ms {
                    silent.push((group.name, member.id, status::after(Cause::Silent, member.status)));
                } else {
                    next = next.min(last.after_ms(silence_ms).after_ms(1));
                }
            }
        }
        for (group, id, status) in silent {
            self.set_status(now, group, id, status, out);
        }
        self.silence_check_at = next;
        self.seek_trunk_servers(now, out);
    }

    /// Everything that changes what a view shows goes through here.
    fn changing(&mut self) -> &mut BTreeMap<GroupName, Arc<Group>> {
        self.view = None;
        &mut self.groups
    }

    fn trackers(&self) -> &Trackers {
        self.election.trackers()
    }

    fn group(&self, name: GroupName) -> Result<&Group, Refusal> {
        self.groups.get(&name).map(Arc::as_ref).ok_or(Refusal::UnknownGroup)
    }

    fn group_mut(&mut self, name: GroupName) -> Result<&mut Group, Refusal> {
        self.changing().get_mut(&name).map(Arc::make_mut).ok_or(Refusal::UnknownGroup)
    }

    fn member_mut(&mut self, group: GroupName, id: &StorageId) -> Option<&mut Member> {
        self.group_mut(group).ok()?.members.get_mut(id)
    }

    /// Group and id of the storage that joined on a connection.
    fn joined(&self, from: Caller) -> Result<(GroupName, StorageId), Refusal> {
        match self.sessions.get(&from.conn) {
            Some(Session::Storage { group, id, .. }) => Ok((*group, *id)),
            _ => Err(Refusal::NotJoined),
        }
    }

    /// The storage that joined on a connection. Its record goes only when an administrator deletes it, or the
    /// table is full; then the connection counts as not joined, and the storage comes back with a JOIN.
    fn joined_member(&mut self, from: Caller) -> Result<&mut Member, Refusal> {
        let (group, id) = self.joined(from)?;
        self.member_mut(group, &id).ok_or(Refusal::NotJoined)
    }

    /// Moves a storage to a status and sees to all that follows from it.
    fn set_status(
        &mut self,
        now: Now,
        group: GroupName,
        id: StorageId,
        new: StorageStatus,
        out: &mut Vec<Action>,
    ) {
        let Ok(in_group) = self.group_mut(group) else { return };
        let Some(member) = in_group.members.get_mut(&id) else { return };
        let old = std::mem::replace(&mut member.status, new);
        if old == new {
            return;
        }
        in_group.changed();
        out.push(Action::Note(Note::StatusChanged { group, id, old, new }));
        // Most statuses mean the same after a restart, so only the others are worth a save of their own.
        let saved_as = |status| status::after(Cause::TrackerRestarted, status);
        if saved_as(old) != saved_as(new) {
            self.save_now(Section::Servers, false, now, out);
        } else {
            self.save.servers_changed(now);
        }
    }
}

/// Saved groups with numbers from the one after `last` on, and the last number. Who moved is known from the changelog.
fn numbered(
    groups: Vec<Group>,
    changelog: &Changelog,
    last: usize,
) -> (BTreeMap<GroupName, Arc<Group>>, usize) {
    let mut groups: BTreeMap<GroupName, Group> =
        groups.into_iter().map(|group| (group.name, group)).collect();
    for (name, old, new) in changelog.moves() {
        if let Some(group) = groups.get_mut(&name) {
            group.note_move(old, new);
        }
    }
    let end = last + groups.len();
    let numbers = last + 1..=end;
    let groups = groups.into_values().zip(numbers);
    (groups.map(|(group, number)| (group.name, Arc::new(Group { number, ..group }))).collect(), end)
}

/// What a tracker saved before it stopped.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    /// Its groups with their storages.
    pub groups: Vec<Group>,
    /// The text of the changelog.
    pub changelog: Vec<u8>,
    /// Unix seconds of its last sign of life.
    pub last_check: Option<i64>,
}
