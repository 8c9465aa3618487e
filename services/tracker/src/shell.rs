//! The machine with everything around it: one step, and what it wants done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use fdfs_proto::tracker::leader::Connections;
use net::{ConnCounters, Stop};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Duration, MissedTickBehavior, interval};
use tracker_core::{Action, Caller, Cluster, ConnId, Event, Note, Refusal, Reply, Request, View};

use crate::ask_storage::{self, Patience};
use crate::clock::Clock;
use crate::config::Answers;
use crate::persist::Unsaved;
use crate::sys_files::SysFiles;

/// How often the machine's deadline is looked at.
const TICK: Duration = Duration::from_secs(1);

type Answer = Result<Reply, Refusal>;

/// The machine with everything around it.
pub(crate) struct Shell {
    pub(crate) clock: Clock,
    pub(crate) answers: Answers,
    pub(crate) unsaved: Unsaved,
    pub(crate) sys_files: SysFiles,
    pub(crate) counters: Arc<ConnCounters>,
    patience: Patience,
    machine: Mutex<Machine>,
    /// The state after the last step: questions that change nothing but turns are answered from it, whoever holds the
    /// machine.
    view: ArcSwap<View>,
    conns: AtomicU64,
}

struct Machine {
    cluster: Cluster,
    /// Requests that a later step answers.
    pending: BTreeMap<ConnId, oneshot::Sender<Answer>>,
    /// Effects of a step, empty between steps.
    actions: Vec<Action>,
}

/// What a step gave its request.
struct Outcome {
    answer: Option<Answer>,
    /// The round of saving that the answer waits for.
    saved_by: Option<u64>,
}

impl Shell {
    pub(crate) fn new(mut cluster: Cluster, clock: Clock, answers: Answers, patience: Patience) -> Self {
        let view = ArcSwap::new(cluster.view());
        Self {
            clock,
            answers,
            unsaved: Unsaved::default(),
            sys_files: SysFiles::default(),
            counters: Arc::default(),
            patience,
            view,
            machine: Mutex::new(Machine { cluster, pending: BTreeMap::new(), actions: Vec::new() }),
            conns: AtomicU64::new(0),
        }
    }

    /// A number for a new connection.
    pub(crate) fn number(&self) -> ConnId {
        ConnId(self.conns.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks the machine, and waits until the answer may be given.
    pub(crate) async fn ask(self: &Arc<Self>, from: Caller, ask: Request<'_>) -> Answer {
        let mut late = None;
        let outcome = self.step(Event::Request { from, ask }, Some(from.conn), |machine| {
            let (send, receive) = oneshot::channel();
            machine.pending.insert(from.conn, send);
            late = Some(receive);
        });
        let answer = match (outcome.answer, late) {
            (Some(answer), _) => answer,
            // The sender goes only when the machine forgets a request, which would be a bug there.
            (None, Some(late)) => late.await.unwrap_or(Err(Refusal::StorageSilent)),
            (None, None) => Err(Refusal::StorageSilent),
        };
        if let Some(round) = outcome.saved_by {
            self.unsaved.wait(round).await;
        }
        answer
    }

    /// A connection is gone.
    pub(crate) fn closed(self: &Arc<Self>, conn: ConnId) {
        self.sys_files.release(conn);
        self.machine.lock().pending.remove(&conn);
        self.step(Event::Closed { conn }, None, |_| {});
    }

    /// The state after the last step. To be let go of soon, and not to be kept while anything is waited for.
    pub(crate) fn view(&self) -> Guard<Arc<View>> {
        self.view.load()
    }

    /// The changelog from a position on.
    pub(crate) fn changelog_from(&self, from: u64) -> Vec<u8> {
        let machine = self.machine.lock();
        let text = machine.cluster.changelog();
        usize::try_from(from).ok().and_then(|from| text.get(from..)).unwrap_or_default().to_vec()
    }

    /// Connection counts as trackers show them.
    pub(crate) fn connections(&self) -> Connections {
        let (current_count, max_count) = (self.counters.current(), self.counters.max());
        Connections { alloc_count: max_count, current_count, max_count }
    }

    /// Wakes the machine whenever it asked for that, until the server stops.
    pub(crate) async fn keep_time(self: Arc<Self>, mut stop: Stop) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.wait() => return,
            }
            let due = self.machine.lock().cluster.deadline() <= self.clock.now().mono;
            if due {
                self.step(Event::Wake, None, |_| {});
            }
        }
    }

    /// One step and its effects. `unanswered` runs under the lock when the request of `conn` was not answered.
    fn step(
        self: &Arc<Self>,
        event: Event<'_>,
        conn: Option<ConnId>,
        unanswered: impl FnOnce(&mut Machine),
    ) -> Outcome {
        let now = self.clock.now();
        let mut outcome = Outcome { answer: None, saved_by: None };
        let mut others = Vec::new();
        let mut rest = Vec::new();
        {
            let mut machine = self.machine.lock();
            let mut actions = std::mem::take(&mut machine.actions);
            machine.cluster.step(now, event, &mut actions);
            let view = machine.cluster.view();
            if !Arc::ptr_eq(&view, &self.view.load()) {
                self.view.store(view);
            }
            for action in actions.drain(..) {
                match action {
                    Action::Reply { conn: to, reply } if Some(to) == conn => outcome.answer = Some(reply),
                    Action::Reply { conn: to, reply } => {
                        others.extend(machine.pending.remove(&to).map(|send| (send, reply)));
                    }
                    other => rest.push(other),
                }
            }
            machine.actions = actions;
            if conn.is_some() && outcome.answer.is_none() {
                unanswered(&mut machine);
            }
        }
        for (send, reply) in others {
            // Whoever waited may have hung up.
            let _ = send.send(reply);
        }
        for action in rest {
            self.perform(action, &mut outcome);
        }
        outcome
    }

    fn perform(self: &Arc<Self>, action: Action, outcome: &mut Outcome) {
        match action {
            Action::Persist { section, before_reply } => {
                let round = self.unsaved.add(section);
                if before_reply {
                    outcome.saved_by = outcome.saved_by.max(Some(round));
                }
            }
            Action::AskStorage { ticket, addrs, port, ask } => {
                let shell = Arc::clone(self);
                tokio::spawn(async move {
                    let answer = ask_storage::ask(addrs, port, ask, shell.patience).await;
                    shell.step(Event::StorageAnswered { ticket, answer }, None, |_| {});
                });
            }
            Action::Note(note) => log(&note),
            // All replies were taken out before.
            Action::Reply { .. } => {}
        }
    }
}

fn log(note: &Note) {
    match note {
        Note::GroupAdded(group) => tracing::info!(%group, "group added"),
        Note::GroupDeleted(group) => tracing::info!(%group, "group deleted"),
        Note::StorageAdded { group, id, addrs } => {
            tracing::info!(%group, %id, addr = %addrs.first(), "storage added");
        }
        Note::StatusChanged { group, id, old, new } => {
            tracing::info!(%group, %id, from = old.caption(), to = new.caption(), "storage changed its status");
        }
        Note::AddrChanged { group, old, new } => {
            tracing::info!(%group, %old, %new, "storage changed its address");
        }
        Note::LeaderChanged { leader: Some((addr, port)), me } => {
            tracing::info!(%addr, port, me, "tracker leader");
        }
        Note::LeaderChanged { leader: None, .. } => tracing::info!("no tracker leader"),
        Note::TrackerLearnt { addrs, port } => tracing::info!(addr = %addrs.first(), port, "tracker learnt"),
        Note::TrunkServerChanged { group, id } => {
            let id = id.as_ref().map(|id| id.as_str());
            tracing::info!(%group, id, "trunk server");
        }
    }
}

#[cfg(test)]
mod tests;
