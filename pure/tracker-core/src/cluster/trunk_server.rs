//! Which storage of a group allocates trunk space (94, and whenever a group has nobody who does).
//!
//! Only a leader decides, and only where trunk files are in use. The candidate is the storage that stands for
//! the group; every other writable storage is asked how much of the trunk binlog it has, and one that has more
//! takes its place. Before the choice holds, a storage that was not trunk server before is told to forget how
//! far its peers have that binlog.
//!
//! Source: wire protocol, "trunk server selection"; storage internals, "election and change-over". The original
//! compares every answer with the candidate's own and so takes the last of those that have more; here the one
//! with most wins.

use std::collections::{BTreeMap, BTreeSet};

use fdfs_fileid::GroupName;
use fdfs_proto::StorageId;
use fdfs_proto::tracker::set_trunk_server;

use super::Cluster;
use crate::limits::TRUNK_WAITERS_MAX;
use crate::{Action, Caller, ConnId, Group, Member, Note, Now, Refusal, Reply, Section, StorageAsk, Ticket};

/// Check intervals without a beat after which a trunk server is replaced.
const LOST_AFTER: u64 = 2;
/// The same while the trunk server has just started and may still be loading.
const LOST_AFTER_START: u64 = 3;
/// The same when it also checks its free slots against its disk.
const LOST_AFTER_CHECKING_START: u64 = 5;
/// Check intervals during which a trunk server counts as just started.
const STARTING: u64 = 10;

/// A choice of trunk server that is under way in one group.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    stage: Stage,
    /// Administrators' connections that wait for the outcome.
    waiting: BTreeSet<ConnId>,
}

#[derive(Debug, Clone)]
enum Stage {
    /// Storages were asked for the size of their trunk binlog.
    Sizes {
        /// Who was asked and has not answered.
        asked: BTreeMap<Ticket, StorageId>,
        candidate: StorageId,
        /// Answers so far.
        sizes: BTreeMap<StorageId, u64>,
    },
    /// The winner was told to forget how far its peers are.
    Marks { ticket: Ticket, winner: StorageId },
}

impl Cluster {
    /// SET_TRUNK_SERVER (94). Answers at once, or when the storages have been asked.
    pub(super) fn set_trunk_server(
        &mut self,
        now: Now,
        from: Caller,
        name: GroupName,
        id: Option<StorageId>,
        out: &mut Vec<Action>,
    ) {
        let conn = from.conn;
        let started = match self.trunk_server_now(name, id) {
            Ok(Some(current)) => return reply(out, conn, Ok(current)),
            Ok(None) if self.choices.contains_key(&name) => Ok(()),
            Ok(None) => match id {
                Some(id) => self.settle_on(now, name, id, BTreeSet::new(), out),
                None => self.ask_sizes(name, out),
            },
            Err(refusal) => Err(refusal),
        };
        if let Err(refusal) = started {
            return reply(out, conn, Err(refusal));
        }
        match self.choices.get_mut(&name) {
            Some(choice) if choice.waiting.len() < TRUNK_WAITERS_MAX => {
                choice.waiting.insert(conn);
            }
            Some(_) => reply(out, conn, Err(Refusal::Held)),
            None => {
                let settled = self.group(name).ok().and_then(|group| group.trunk_server);
                reply(out, conn, settled.ok_or(Refusal::NothingWritable));
            }
        }
    }

    /// The trunk server where the answer needs no asking, `None` where it does.
    fn trunk_server_now(&self, name: GroupName, id: Option<StorageId>) -> Result<Option<StorageId>, Refusal> {
        if !self.config.placement.use_trunk {
            return Err(Refusal::SwitchedOff);
        }
        if !self.trackers().leads() {
            return Err(Refusal::NotLeader);
        }
        let group = self.group(name)?;
        let current =
            group.trunk_server.and_then(|id| group.members.get(&id)).filter(|member| member.is_active());
        match (id, current) {
            (None, Some(current)) => Ok(Some(current.id)),
            (Some(id), Some(current)) if current.id == id => Err(Refusal::AlreadyDone),
            (Some(_), Some(_)) => Err(Refusal::OtherTrunkServer),
            (None, None) => Ok(None),
            (Some(id), None) => {
                let member = group.members.get(&id).ok_or(Refusal::UnknownStorage)?;
                match (member.is_active(), member.is_writable()) {
                    (false, _) => Err(Refusal::NotActive),
                    (true, false) => Err(Refusal::NotWritable),
                    (true, true) => Ok(None),
                }
            }
        }
    }

    /// Looks for a trunk server in every group that has none.
    pub(super) fn seek_trunk_servers(&mut self, now: Now, out: &mut Vec<Action>) {
        if !self.config.placement.use_trunk || !self.trackers().leads() {
            return;
        }
        let lacking: Vec<GroupName> = self
            .groups
            .values()
            .filter(|group| !self.choices.contains_key(&group.name) && self.lacks_trunk_server(now, group))
            .map(|group| group.name)
            .collect();
        for name in lacking {
            // A group that has nobody to ask is looked at again with the next beat or check.
            let _ = self.ask_sizes(name, out);
        }
    }

    fn lacks_trunk_server(&self, now: Now, group: &Group) -> bool {
        let current = group.trunk_server.and_then(|id| group.members.get(&id));
        current.is_none_or(|member| self.is_lost(now, member))
    }

    fn is_lost(&self, now: Now, member: &Member) -> bool {
        let silence_ms = self.config.silence_ms;
        let up_s = now.wall.saturating_sub(member.up_time);
        let starting_s = i64::try_from(silence_ms.saturating_mul(STARTING) / 1000).unwrap_or(i64::MAX);
        let loading = self.config.trunk_loading;
        let mut intervals = match member.up_time > 0 && up_s <= starting_s {
            false => LOST_AFTER,
            true if loading.checks_slots => LOST_AFTER_CHECKING_START,
            true => LOST_AFTER_START,
        };
        if intervals > LOST_AFTER && loading.reads_binlog {
            intervals *= 2;
        }
        now.mono.since_ms(member.last_beat.unwrap_or(self.started)) > silence_ms.saturating_mul(intervals)
    }

    /// Begins a choice: asks all writable storages for the size of their trunk binlog.
    fn ask_sizes(&mut self, name: GroupName, out: &mut Vec<Action>) -> Result<(), Refusal> {
        let choice = self.config.placement.server_in_force();
        let group = self.group(name)?;
        let candidate = group.store_server(choice).ok_or(Refusal::NothingWritable)?.id;
        let members: Vec<_> = group.writable().map(|member| (member.id, member.addrs, member.port)).collect();
        let mut asked = BTreeMap::new();
        for (id, addrs, port) in members {
            let ticket = self.ticket();
            asked.insert(ticket, id);
            out.push(Action::AskStorage { ticket, addrs, port, ask: StorageAsk::TrunkBinlogSize });
        }
        let stage = Stage::Sizes { asked, candidate, sizes: BTreeMap::new() };
        self.choices.insert(name, Choice { stage, waiting: BTreeSet::new() });
        Ok(())
    }

    /// An answer to [`Action::AskStorage`], or that there is none.
    pub(super) fn storage_answered(
        &mut self,
        now: Now,
        ticket: Ticket,
        answer: Option<u64>,
        out: &mut Vec<Action>,
    ) {
        let of_ticket = |choice: &Choice| match &choice.stage {
            Stage::Sizes { asked, .. } => asked.contains_key(&ticket),
            Stage::Marks { ticket: own, .. } => *own == ticket,
        };
        let Some(name) = self.choices.iter().find(|(_, choice)| of_ticket(choice)).map(|(name, _)| *name)
        else {
            return;
        };
        let Some(mut choice) = self.choices.remove(&name) else { return };
        if !self.trackers().leads() {
            return refuse(out, choice.waiting, Refusal::NotLeader);
        }
        match &mut choice.stage {
            Stage::Sizes { asked, candidate, sizes } => {
                if let (Some(id), Some(size)) = (asked.remove(&ticket), answer) {
                    sizes.insert(id, size);
                }
                if !asked.is_empty() {
                    self.choices.insert(name, choice);
                    return;
                }
                match most(*candidate, sizes) {
                    Some(winner) => {
                        if let Err(refusal) = self.settle_on(now, name, winner, choice.waiting.clone(), out) {
                            refuse(out, choice.waiting, refusal);
                        }
                    }
                    None => refuse(out, choice.waiting, Refusal::StorageSilent),
                }
            }
            Stage::Marks { winner, .. } => match answer {
                Some(_) => self.install(now, name, *winner, choice.waiting, out),
                None => refuse(out, choice.waiting, Refusal::StorageSilent),
            },
        }
    }

    /// The choice fell: tells the winner to forget its peers' marks if it must, and installs it.
    fn settle_on(
        &mut self,
        now: Now,
        name: GroupName,
        winner: StorageId,
        waiting: BTreeSet<ConnId>,
        out: &mut Vec<Action>,
    ) -> Result<(), Refusal> {
        let group = self.group(name)?;
        let member = group.members.get(&winner).filter(|member| member.is_writable());
        let (addrs, port) = member.map(|member| (member.addrs, member.port)).ok_or(Refusal::NotActive)?;
        if group.last_trunk_server == Some(winner) {
            self.install(now, name, winner, waiting, out);
            return Ok(());
        }
        let ticket = self.ticket();
        out.push(Action::AskStorage { ticket, addrs, port, ask: StorageAsk::DeleteTrunkMarks });
        self.choices.insert(name, Choice { stage: Stage::Marks { ticket, winner }, waiting });
        Ok(())
    }

    fn install(
        &mut self,
        now: Now,
        name: GroupName,
        winner: StorageId,
        waiting: BTreeSet<ConnId>,
        out: &mut Vec<Action>,
    ) {
        if let Ok(group) = self.group_mut(name) {
            group.trunk_server = Some(winner);
            group.last_trunk_server = Some(winner);
        }
        self.trunk_server_changed(name);
        out.push(Action::Note(Note::TrunkServerChanged { group: name, id: Some(winner) }));
        self.save_now(Section::Groups, false, now, out);
        for conn in waiting {
            reply(out, conn, Ok(winner));
        }
    }

    /// A connection that is gone waits for nothing.
    pub(super) fn stop_waiting(&mut self, conn: ConnId) {
        for choice in self.choices.values_mut() {
            choice.waiting.remove(&conn);
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }
}

/// The storage with the longest trunk binlog; the candidate among equals. Without the candidate's own answer
/// there is no choice.
fn most(candidate: StorageId, sizes: &BTreeMap<StorageId, u64>) -> Option<StorageId> {
    let own = *sizes.get(&candidate)?;
    let (winner, _) =
        sizes.iter().fold(
            (candidate, own),
            |(best, most), (id, size)| {
                if *size > most { (*id, *size) } else { (best, most) }
            },
        );
    Some(winner)
}

fn refuse(out: &mut Vec<Action>, waiting: BTreeSet<ConnId>, refusal: Refusal) {
    for conn in waiting {
        reply(out, conn, Err(refusal));
    }
}

fn reply(out: &mut Vec<Action>, conn: ConnId, outcome: Result<StorageId, Refusal>) {
    let reply = outcome.map(|id| Reply::TrunkServer(set_trunk_server::Got { id }));
    out.push(Action::Reply { conn, reply });
}
