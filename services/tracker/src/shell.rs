//! The machine with everything around it: one step, and what it wants done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use fdfs_proto::tracker::leader::Connections;
use net::{ConnCounters, Stop};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Duration, sleep};
use tracker_core::{
    Action, Caller, Cluster, ConnId, Event, Naming, Note, Refusal, Reply, Request, StateWanted, View,
};

use crate::ask_storage::{self, Patience};
use crate::clock::Clock;
use crate::config::Answers;
use crate::link::{LeaderLink, Reach};
use crate::metrics::{self, Requests};
use crate::persist::Unsaved;
use crate::seek::Seek;
use crate::sys_files::SysFiles;

/// Longest and shortest pause before the machine's deadline is looked at again: a step may have brought it forward.
const TICK: Duration = Duration::from_secs(1);
const TICK_MIN: Duration = Duration::from_millis(5);

type Answer = Result<Reply, Refusal>;

/// The machine with everything around it.
pub(crate) struct Shell {
    pub(crate) clock: Clock,
    pub(crate) answers: Answers,
    pub(crate) unsaved: Unsaved,
    pub(crate) sys_files: SysFiles,
    pub(crate) counters: Arc<ConnCounters>,
    pub(crate) requests: Requests,
    pub(crate) reach: Arc<Reach>,
    pub(crate) seek: Seek,
    leader_link: Arc<LeaderLink>,
    patience: Patience,
    /// The changelog is another one, and has to be written from its beginning.
    changelog_replaced: AtomicBool,
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
    pub(crate) fn new(
        mut cluster: Cluster,
        clock: Clock,
        answers: Answers,
        patience: Patience,
        reach: Reach,
    ) -> Self {
        let view = ArcSwap::new(cluster.view());
        Self {
            clock,
            answers,
            unsaved: Unsaved::default(),
            sys_files: SysFiles::default(),
            counters: Arc::default(),
            requests: metrics::requests(),
            reach: Arc::new(reach),
            seek: Seek::default(),
            leader_link: Arc::default(),
            patience,
            changelog_replaced: AtomicBool::new(false),
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

    /// Whether the changelog is another one than at the last call.
    pub(crate) fn take_changelog_replaced(&self) -> bool {
        self.changelog_replaced.swap(false, Ordering::AcqRel)
    }

    /// What other trackers' state is good for, while that is to be decided.
    pub(crate) fn state_wanted(&self) -> Option<StateWanted> {
        self.machine.lock().cluster.state_wanted(self.clock.now())
    }

    /// How storages are named.
    pub(crate) fn naming(&self) -> Naming {
        self.machine.lock().cluster.config().naming.clone()
    }

    /// The port this tracker listens on.
    pub(crate) fn port(&self) -> u16 {
        self.machine.lock().cluster.config().port
    }

    /// Tells the machine of something that nobody waits for.
    pub(crate) fn happened(self: &Arc<Self>, event: Event<'_>) {
        self.step(event, None, |_| {});
    }

    /// Connection counts as trackers show them.
    pub(crate) fn connections(&self) -> Connections {
        let (current_count, max_count) = (self.counters.current(), self.counters.max());
        Connections { alloc_count: max_count, current_count, max_count }
    }

    /// Wakes the machine whenever it asked for that, until the server stops.
    pub(crate) async fn keep_time(self: Arc<Self>, mut stop: Stop) {
        let tick = TICK.min(Duration::from_millis(self.view().election_times().ping_ms));
        loop {
            let deadline = self.machine.lock().cluster.deadline();
            let left = Duration::from_millis(deadline.since_ms(self.clock.now().mono));
            tokio::select! {
                () = sleep(left.min(tick).max(TICK_MIN)) => {}
                () = stop.wait() => return,
            }
            if deadline <= self.clock.now().mono {
                self.step(Event::Wake { chance: rand::random() }, None, |_| {});
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
            Action::AskTracker { ticket, addrs, port, ask } => {
                let shell = Arc::clone(self);
                tokio::spawn(async move {
                    let connections = shell.connections();
                    let answer = shell.leader_link.ask((addrs, port), ask, connections, &shell.reach).await;
                    shell.step(Event::TrackerAnswered { ticket, answer }, None, |_| {});
                });
            }
            Action::Note(note) => {
                match note {
                    Note::LeaderChanged { .. } => self.leader_link.close(),
                    Note::StateTaken => self.changelog_replaced.store(true, Ordering::Release),
                    _ => {}
                }
                log(&note);
            }
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
        Note::StateTaken => tracing::info!("the state of another tracker is in force"),
        Note::LeaderChanged { leader: None, .. } => tracing::info!("no tracker leader"),
        Note::TrackerLearnt { addrs, port } => tracing::info!(addr = %addrs.first(), port, "tracker learnt"),
        Note::TrunkServerChanged { group, id } => {
            let id = id.as_ref().map(|id| id.as_str());
            tracing::info!(%group, id, "trunk server");
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
