//! Answers that wait: until a change is certain, and with `durability = copies` until other members have it.

use std::collections::{BTreeMap, VecDeque};

use fdfs_fileid::FileName;
use fdfs_proto::{Status, StorageId};
use storage_core::replication::LogPosition;
use storage_core::replication::copies::{Members, Progress, has};

use super::{Running, Storage};
use crate::Fault;
use crate::scenario::Durability;
use crate::wire::answer;
use crate::world::{Conn, Env};

/// How long copies are waited for, milliseconds (`copies_wait`).
const WAIT_MS: u64 = 8_000;

/// An answer that is given when the log is certain up to `end`.
pub(super) struct Waiting {
    pub(super) end: usize,
    pub(super) conn: Conn,
    bytes: Vec<u8>,
    /// The file, if other members must have the change, too.
    change_of: Option<FileName>,
    copies: Option<Copies>,
}

struct Copies {
    place: LogPosition,
    wanted: usize,
    before: BTreeMap<StorageId, Progress>,
    /// True time.
    until: u64,
}

impl Running {
    /// True time at which the first of the answers has waited long enough.
    pub(super) fn due_of_answers(&self) -> u64 {
        let waiting = self.waiting.iter().filter_map(|waiting| Some(waiting.copies.as_ref()?.until));
        waiting.min().unwrap_or(u64::MAX)
    }

    fn members(&self) -> Members {
        Members::of(self.view.peers.values().map(|peer| peer.status))
    }
}

impl Copies {
    fn are_there(&self, running: &Running) -> bool {
        let there = |(id, before): &(&StorageId, &Progress)| {
            let now = running.replication.progress(id);
            has(self.place, **before, now) == Some(true)
        };
        self.before.iter().filter(there).count() >= self.wanted
    }
}

impl Storage {
    /// Whether a client's change may be made.
    pub(super) fn admits(&self) -> bool {
        let members = self.running.as_ref().map(Running::members).unwrap_or_default();
        self.place.durability != Durability::Copies || self.place.copies.admits(members)
    }

    /// Answers once the log is certain up to `end`, which `early` does not wait for. A change of a file by a client waits
    /// for copies, too.
    pub(super) fn answer_at(
        &mut self,
        env: &mut Env,
        conn: Conn,
        end: usize,
        bytes: Vec<u8>,
        early: bool,
        change_of: Option<FileName>,
    ) {
        if early {
            return env.send(conn, self.place.me, bytes);
        }
        if let Some(running) = &mut self.running {
            running.waiting.push_back(Waiting { end, conn, bytes, change_of, copies: None });
        }
    }

    /// Gives the answers that wait for nothing any more.
    pub(super) fn answer_waiting(&mut self, env: &mut Env) {
        let Some(running) = &mut self.running else { return };
        let certain = match self.place.durability {
            Durability::Process => self.disk.log.len(),
            Durability::Disk | Durability::Copies => self.disk.log.synced,
        };
        let copies = self.place.durability == Durability::Copies && !env.is(Fault::CopiesNotAwaited);
        let place = LogPosition { file: 0, offset: self.base.binlog.len() as u64 };
        let mut stay = VecDeque::new();
        for mut waiting in std::mem::take(&mut running.waiting) {
            if waiting.end > certain {
                stay.push_back(waiting);
                continue;
            }
            let change = waiting.change_of.clone().filter(|_| copies);
            let Some(name) = change else {
                env.send(waiting.conn, self.place.me, waiting.bytes);
                continue;
            };
            let members = running.members();
            if waiting.copies.is_none() {
                let ids = running.view.peers.keys();
                let before = ids.map(|id| (*id, running.replication.progress(id))).collect();
                let until = env.now + WAIT_MS;
                waiting.copies =
                    self.place.copies.wanted(members).map(|wanted| Copies { place, wanted, before, until });
            }
            let rule = self.place.copies;
            let (ready, complete) = match &waiting.copies {
                None => (true, false),
                Some(copies) if copies.are_there(running) => (true, copies.wanted >= rule.others),
                Some(copies) => (copies.until <= env.now, false),
            };
            if !ready {
                stay.push_back(waiting);
                continue;
            }
            let refused = !complete && waiting.copies.is_some() && !rule.accept_missing;
            if !complete && !refused {
                env.history.alone.insert((self.place.group, name));
            }
            let bytes = if refused { answer(Err(Status::ETIMEDOUT)) } else { waiting.bytes };
            env.send(waiting.conn, self.place.me, bytes);
        }
        running.waiting = stay;
    }
}
