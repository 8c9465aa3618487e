//! What other trackers ask, and storages that see two leaders (58, 61, 62, 65–68).

use std::net::IpAddr;

use fdfs_proto::Version;
use fdfs_proto::tracker::leader::{Connections, Pong, TrunkServer};

use super::{Cluster, Session, SysFilesHold};
use crate::leader::Event;
use crate::limits::SYS_FILES_HELD_MS;
use crate::{Action, Caller, Note, Now, Refusal, Reply, Section, Ticket, TrackerAnswer};

impl Cluster {
    /// JOIN_LEADER (58).
    pub(super) fn join_leader(
        &mut self,
        now: Now,
        from: Caller,
        up_time: i64,
        version: Version,
        port: u16,
    ) -> Result<Reply, Refusal> {
        if !self.trackers().leads() {
            return Err(Refusal::NotLeader);
        }
        if self.sessions.contains_key(&from.conn) {
            return Err(Refusal::TrackerJoined);
        }
        let index = self.election.join(now, from.peer, port, up_time, version)?;
        self.view = None;
        self.sessions.insert(from.conn, Session::Tracker { index, trunk_changes_seen: 0 });
        Ok(Reply::Done)
    }

    /// PING_LEADER (65). Only on a connection that joined as a tracker: the original takes any that joined for
    /// one.
    pub(super) fn ping_leader(
        &mut self,
        now: Now,
        from: Caller,
        connections: Connections,
    ) -> Result<Reply, Refusal> {
        if !self.trackers().leads() {
            return Err(Refusal::NotLeader);
        }
        let Some(Session::Tracker { index, trunk_changes_seen }) = self.sessions.get_mut(&from.conn) else {
            return Err(Refusal::BadValue);
        };
        self.election.ping(now, *index, connections)?;
        self.view = None;
        if *trunk_changes_seen == self.trunk_changes {
            return Ok(Reply::Done);
        }
        *trunk_changes_seen = self.trunk_changes;
        let trunk_servers =
            self.groups.values().map(|group| TrunkServer { group: group.name, id: group.trunk_server });
        Ok(Reply::TrunkServers(Pong { trunk_servers: trunk_servers.collect() }))
    }

    /// NOTIFY_NEXT_LEADER (66).
    pub(super) fn notify_leader(
        &mut self,
        now: Now,
        addr: IpAddr,
        port: u16,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        let before = self.trackers().changes();
        let result = self.election.notify(now, addr, port);
        if self.trackers().changes() != before {
            self.note_leader(now, out);
        }
        result.map(|()| Reply::Done)
    }

    /// COMMIT_NEXT_LEADER (67).
    pub(super) fn commit_leader(
        &mut self,
        now: Now,
        addr: IpAddr,
        port: u16,
        out: &mut Vec<Action>,
    ) -> Result<Reply, Refusal> {
        if self.election.commit(now, addr, port)? {
            self.note_leader(now, out);
        }
        Ok(Reply::Done)
    }

    /// NOTIFY_RESELECT_LEADER (68).
    pub(super) fn reselect_leader(&mut self, now: Now, out: &mut Vec<Action>) -> Result<Reply, Refusal> {
        self.election.step_down(now)?;
        self.note_leader(now, out);
        Ok(Reply::Done)
    }

    /// One step of the election, and what follows from another leader.
    pub(super) fn elect(&mut self, now: Now, event: Event<'_>, out: &mut Vec<Action>) {
        let before = self.trackers().changes();
        self.election.step(now, event, out);
        if self.trackers().changes() != before {
            self.note_leader(now, out);
        }
    }

    /// Another tracker answered, or did not.
    pub(super) fn tracker_answered(
        &mut self,
        now: Now,
        ticket: Ticket,
        answer: &TrackerAnswer,
        out: &mut Vec<Action>,
    ) {
        let from_leader = self.election.is_ping(ticket);
        self.elect(now, Event::Answered { ticket, answer }, out);
        if let (true, TrackerAnswer::Pong(pong)) = (from_leader, answer) {
            self.take_trunk_servers(now, pong, out);
        }
    }

    /// What the leader says about trunk servers (wire protocol: PING reply). The storages are told again should this
    /// tracker come to lead.
    fn take_trunk_servers(&mut self, now: Now, pong: &Pong, out: &mut Vec<Action>) {
        let mut changed = false;
        for TrunkServer { group: name, id } in &pong.trunk_servers {
            let Ok(group) = self.group(*name) else { continue };
            // A storage that has not joined here cannot be shown, but is remembered.
            let known = id.filter(|id| group.members.contains_key(id));
            if (group.trunk_server, group.last_trunk_server) == (known, *id) {
                continue;
            }
            let moved = group.trunk_server != known;
            let Ok(group) = self.group_mut(*name) else { continue };
            (group.trunk_server, group.last_trunk_server) = (known, *id);
            changed = true;
            if moved {
                self.trunk_server_changed(*name);
                out.push(Action::Note(Note::TrunkServerChanged { group: *name, id: known }));
            }
        }
        if changed {
            self.save_now(Section::Groups, false, now, out);
        }
    }

    /// Another leader: says so, and takes up a leader's duties if it is this tracker.
    pub(super) fn note_leader(&mut self, now: Now, out: &mut Vec<Action>) {
        self.view = None;
        let leader = self.trackers().leader().map(|tracker| (tracker.addrs.first(), tracker.port));
        out.push(Action::Note(Note::LeaderChanged { leader, me: self.trackers().leads() }));
        self.seek_trunk_servers(now, out);
    }

    /// GET_SYS_FILES_START (61): one connection at a time, and not for ever.
    pub(super) fn hold_sys_files(&mut self, now: Now, from: Caller) -> Result<Reply, Refusal> {
        if self.groups.is_empty() {
            return Err(Refusal::NoGroups);
        }
        let held = self.sys_files.filter(|hold| hold.until > now.mono);
        if held.is_some_and(|hold| hold.conn != from.conn) {
            return Err(Refusal::Held);
        }
        self.sys_files = Some(SysFilesHold { conn: from.conn, until: now.mono.after_ms(SYS_FILES_HELD_MS) });
        Ok(Reply::Done)
    }

    /// GET_SYS_FILES_END (62).
    pub(super) fn release_sys_files(&mut self, from: Caller) -> Result<Reply, Refusal> {
        if self.sys_files.is_some_and(|hold| hold.conn == from.conn) {
            self.sys_files = None;
        }
        Ok(Reply::Done)
    }
}
