//! The connection to SQLite that writes, and steps that commit together.
//!
//! A step runs on the thread of whoever asks, one at a time, in a savepoint of a transaction that it shares with those
//! before and behind it: the group. What waits, for the disk or for another process, does so on a thread of its own.
//! Whoever is done with the connection hands it to the next who wants it, on the same thread if there is one: that
//! costs nothing, where waking another thread takes as long as the step. If the group is full, or nobody wants the
//! connection for a moment, the thread that waits commits, and those who come meanwhile are the next group. A step is
//! done when its group is. Whoever is alone is not kept waiting for others: the moment is only given while groups have
//! more than one step.
//!
//! SQLite writes the group to its log and does not sync it (`synchronous = NORMAL`): the thread that waits does, when the
//! next group has the connection already, and then tells the steps. So what others read may be a moment younger than
//! what is on the disk, but nobody is told that something is done, or refused for it, before it is.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::mem::take;
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::connection::Connection;
use super::direct::{Direct, DirectOptions};
use crate::error::Fault;

/// Steps of a group at most: so long the first of them waits for the others.
const GROUP_MAX: usize = 64;
/// How long others may come to a group. A commit writes every page that a group changed, most of them those that every
/// step changes: the more steps, the less for each.
const LINGER: Duration = Duration::from_micros(200);

/// Where a step that is done waits for its group.
type Member = oneshot::Sender<Result<(), Fault>>;

/// The connection that writes.
pub(crate) struct Grouped {
    shared: Arc<Shared>,
}

struct Shared {
    options: DirectOptions,
    /// How long another process may have the file.
    lock: Duration,
    line: Mutex<Line>,
    /// To the thread that waits. There is one session, so there is one job at most.
    jobs: mpsc::Sender<Job>,
}

/// Who wants the session: as many as there are steps under way, each with its deadline.
struct Line {
    /// The session, when nobody has it: for whoever comes, or, with a group, until the moment is over.
    idle: Option<Session>,
    /// Will the thread that waits look whether it is?
    lingering: bool,
    /// Steps of the group before.
    group_before: usize,
    /// The first has waited longest.
    waiting: VecDeque<(ThreadId, oneshot::Sender<Turn>)>,
}

/// The connection and what is open on it.
#[derive(Default)]
struct Session {
    /// None: to be opened.
    direct: Option<Connection>,
    /// The log, once something was written to it: to be synced.
    log: Option<Arc<File>>,
    /// Is there a transaction?
    begun: bool,
    /// Steps that are done in it.
    group: Vec<Member>,
}

/// A group that is in the log, and perhaps not on the disk yet.
struct Written {
    log: Arc<File>,
    members: Vec<Member>,
}

enum Job {
    Begin(Turn, oneshot::Sender<Result<Turn, Fault>>),
    Commit(Arc<Shared>, Session),
    /// Commits when others have had the moment to come.
    Linger(Arc<Shared>),
}

/// The session is somebody's: a step's, in its savepoint, once that has begun. Dropped, the step is undone.
pub(crate) struct Turn {
    shared: Arc<Shared>,
    /// None only while it is given away.
    session: Option<Session>,
    in_step: bool,
}

impl Grouped {
    /// Opens nothing yet.
    pub(crate) fn new(options: DirectOptions, lock: Duration) -> std::io::Result<Self> {
        let (jobs, work) = mpsc::channel();
        thread::Builder::new().name("drive-db".to_owned()).spawn(move || {
            let mut in_doubt = false;
            while let Ok(job) = work.recv() {
                do_job(job, &mut in_doubt);
            }
        })?;
        let line = Line {
            idle: Some(Session::default()),
            lingering: false,
            group_before: 0,
            waiting: VecDeque::new(),
        };
        let line = Mutex::new(line);
        Ok(Self { shared: Arc::new(Shared { options, lock, line, jobs }) })
    }

    /// Begins a step. Ends by the deadline of whoever asks.
    pub(crate) async fn begin(&self) -> Result<Turn, Fault> {
        let waiting = {
            let mut line = self.shared.line.lock();
            match line.idle.take() {
                Some(session) => Err(session),
                None => {
                    let (next, waiting) = oneshot::channel();
                    line.waiting.push_back((thread::current().id(), next));
                    Ok(waiting)
                }
            }
        };
        let turn = match waiting {
            Err(session) => Turn { shared: self.shared.clone(), session: Some(session), in_step: false },
            Ok(waiting) => waiting.await.map_err(|_| gone())?,
        };
        turn.begin().await
    }
}

impl Line {
    /// Who is next: whoever has waited longest, or, within a group, whoever has on this thread.
    fn next(&mut self, first: bool) -> Option<oneshot::Sender<Turn>> {
        let here = thread::current().id();
        let near = if first { None } else { self.waiting.iter().position(|(thread, _)| *thread == here) };
        self.waiting.remove(near.unwrap_or(0)).map(|(_, next)| next)
    }
}

/// The thread that waits is gone. It never is.
fn gone() -> Fault {
    Fault::Unknown("the thread that commits is gone".to_owned())
}

impl Session {
    fn direct(&mut self) -> Result<&mut Direct, Fault> {
        match &mut self.direct {
            Some(Connection::Direct(direct)) => Ok(direct),
            _ => Err(Fault::Away("the connection was given up".to_owned())),
        }
    }

    fn begin(&mut self) -> Result<(), Fault> {
        // One that came to write only later may be refused at once, whatever the timeout.
        self.direct()?.control("BEGIN IMMEDIATE")?;
        self.begun = true;
        Ok(())
    }

    /// Begins where waiting is no harm.
    fn begin_patiently(&mut self, options: &DirectOptions, lock: Duration) -> Result<(), Fault> {
        if self.direct.is_none() {
            self.direct = Some(Connection::Direct(Direct::open(options, lock)?));
        }
        self.direct()?.wait_for_locks(lock)?;
        let begun = self.begin();
        self.direct()?.wait_for_locks(Duration::ZERO)?;
        begun
    }

    /// Writes the group to the log. If that fails, its steps are told.
    fn commit(&mut self, options: &DirectOptions) -> Option<Written> {
        if let Err(fault) = self.direct().and_then(|direct| direct.control("COMMIT")) {
            let broken = matches!(fault, Fault::Away(_));
            tell(take(&mut self.group), &Err(uncommitted(fault)));
            if broken {
                self.give_up()
            } else {
                self.roll_back()
            }
            return None;
        }
        self.begun = false;
        let members = take(&mut self.group);
        match self.log(options) {
            Ok(log) => Some(Written { log, members }),
            Err(error) => {
                tell(members, &Err(Fault::Unknown(error.to_string())));
                None
            }
        }
    }

    /// The log, which is there as long as a connection is.
    fn log(&mut self, options: &DirectOptions) -> io::Result<Arc<File>> {
        if let Some(log) = &self.log {
            return Ok(log.clone());
        }
        let mut name = OsString::from(&options.file);
        name.push("-wal");
        let log = Arc::new(File::open(name)?);
        self.log = Some(log.clone());
        Ok(log)
    }

    /// Brings all that is in the log to where it belongs, and syncs it there: whether it is on the disk can't be told by
    /// syncing the log once that has failed, because the kernel tells it once.
    fn settle(&mut self, lock: Duration) -> Result<(), Fault> {
        let direct = self.direct()?;
        direct.wait_for_locks(lock)?;
        let settled = direct.empty_log();
        direct.wait_for_locks(Duration::ZERO)?;
        settled
    }

    /// Leaves a transaction in which nothing was done.
    fn roll_back(&mut self) {
        let undone = self.direct().and_then(|direct| direct.control("ROLLBACK"));
        self.begun = false;
        if undone.is_err() {
            self.give_up();
        }
    }

    /// Undoes the step that is under way; if that can't be, or has happened, all of the group with it.
    fn undo(&mut self) {
        let undone = self.direct().and_then(|direct| {
            if direct.is_in_transaction() {
                direct.control("ROLLBACK TO SAVEPOINT step")?;
                direct.control("RELEASE SAVEPOINT step")
            } else {
                Err(Fault::Away("the transaction was undone".to_owned()))
            }
        });
        if undone.is_err() {
            self.give_up();
        }
    }

    /// Closes the connection: what was not committed is nowhere.
    fn give_up(&mut self) {
        self.direct = None;
        self.log = None;
        self.begun = false;
        tell(
            take(&mut self.group),
            &Err(Fault::Again("another step took the transaction with it".to_owned())),
        );
    }
}

impl Written {
    /// Waits until it is on the disk, and tells the steps of the group.
    fn sync(self) -> io::Result<()> {
        let synced = self.log.sync_data();
        let outcome = synced.as_ref().map(drop).map_err(|error| Fault::Unknown(error.to_string()));
        tell(self.members, &outcome);
        synced
    }
}

/// Tells the steps of a group what became of it. Whoever is gone need not know.
fn tell(members: Vec<Member>, outcome: &Result<(), Fault>) {
    for member in members {
        let each = match outcome {
            Ok(()) => Ok(()),
            Err(Fault::Again(text)) => Err(Fault::Again(text.clone())),
            Err(Fault::Unknown(text)) => Err(Fault::Unknown(text.clone())),
            Err(other) => Err(Fault::Broken(format!("{other:?}"))),
        };
        member.send(each).ok();
    }
}

/// What the steps of a group are told that was not committed.
fn uncommitted(fault: Fault) -> Fault {
    match fault {
        Fault::Away(text) => Fault::Unknown(text),
        other => other,
    }
}

/// Does a job; `in_doubt`: has the log not been synced that should have been?
fn do_job(job: Job, in_doubt: &mut bool) {
    match job {
        Job::Begin(mut turn, answer) => {
            let shared = turn.shared.clone();
            let begun = match &mut turn.session {
                Some(session) => session.begin_patiently(&shared.options, shared.lock),
                None => Err(gone()),
            };
            // If nobody takes it, it is dropped, and the next has it.
            answer.send(begun.map(|()| turn)).ok();
        }
        Job::Commit(shared, session) => commit(&shared, session, in_doubt),
        Job::Linger(shared) => {
            thread::sleep(LINGER);
            let mut line = shared.line.lock();
            line.lingering = false;
            // Whoever has it now will have it committed.
            if let Some(session) = line.idle.take_if(|session| !session.group.is_empty()) {
                drop(line);
                commit(&shared, session, in_doubt);
            }
        }
    }
}

fn commit(shared: &Arc<Shared>, mut session: Session, in_doubt: &mut bool) {
    shared.line.lock().group_before = session.group.len();
    let mut written = session.commit(&shared.options);
    if *in_doubt && let Some(Written { members, .. }) = written.take() {
        let settled = session.settle(shared.lock);
        *in_doubt = settled.is_err();
        tell(members, &settled.map_err(|fault| Fault::Unknown(fault.text())));
    }
    pass_on(shared, session);
    if let Some(Err(error)) = written.map(Written::sync) {
        *in_doubt = true;
        tracing::error!(%error, "the log of the database is not synced");
    }
}

/// Gives the session to whoever is next.
fn pass_on(shared: &Arc<Shared>, mut session: Session) {
    let mut line = shared.line.lock();
    if session.group.len() < GROUP_MAX {
        while let Some(next) = line.next(session.group.is_empty()) {
            let turn = Turn { shared: shared.clone(), session: Some(session), in_step: false };
            match next.send(turn) {
                Ok(()) => return,
                // Went away meanwhile.
                Err(mut turn) => session = turn.session.take().unwrap_or_default(),
            }
        }
    }
    if session.group.is_empty() {
        if session.begun {
            session.roll_back();
        }
        line.idle = Some(session);
        return;
    }
    if session.group.len() < GROUP_MAX && line.group_before > 1 {
        line.lingering = line.lingering || shared.jobs.send(Job::Linger(shared.clone())).is_ok();
        if line.lingering {
            line.idle = Some(session);
            return;
        }
    }
    drop(line);
    if let Err(mpsc::SendError(Job::Commit(_, mut session))) =
        shared.jobs.send(Job::Commit(shared.clone(), session))
    {
        session.give_up();
        shared.line.lock().idle = Some(session);
    }
}

impl Turn {
    pub(crate) fn connection(&mut self) -> Result<&mut Connection, Fault> {
        let session = self.session.as_mut().ok_or_else(gone)?;
        session.direct.as_mut().ok_or_else(|| Fault::Away("the connection was given up".to_owned()))
    }

    /// Begins the step, and a group if there is none.
    async fn begin(mut self) -> Result<Self, Fault> {
        let session = self.session.as_mut().ok_or_else(gone)?;
        let begun = match &session.direct {
            None => Err(Fault::Again("not open".to_owned())),
            Some(_) if session.begun => Ok(()),
            Some(_) => session.begin(),
        };
        let mut turn = match begun {
            Ok(()) => self,
            // Another process has the file, or it is to be opened.
            Err(Fault::Again(_)) => {
                let (answer, begun) = oneshot::channel();
                let jobs = self.shared.jobs.clone();
                jobs.send(Job::Begin(self, answer)).map_err(|_| gone())?;
                begun.await.map_err(|_| gone())??
            }
            Err(fault) => return Err(fault),
        };
        let session = turn.session.as_mut().ok_or_else(gone)?;
        session.direct()?.control("SAVEPOINT step")?;
        turn.in_step = true;
        Ok(turn)
    }

    /// The step is done: waits until it is on the disk.
    pub(crate) async fn commit(mut self) -> Result<(), Fault> {
        let session = self.session.as_mut().ok_or_else(gone)?;
        session.direct()?.control("RELEASE SAVEPOINT step")?;
        self.in_step = false;
        self.with_the_group().await
    }

    /// The step was refused: undoes it, and waits until what it saw is on the disk. What refused it may be a step of
    /// the group, which others do not see yet, and which may still be lost: then it is to be done again. Or it is of the
    /// group before, whose log is being synced.
    pub(crate) async fn refused(mut self) -> Result<(), Fault> {
        let session = self.session.as_mut().ok_or_else(gone)?;
        session.undo();
        self.in_step = false;
        self.with_the_group().await
    }

    async fn with_the_group(mut self) -> Result<(), Fault> {
        let session = self.session.as_mut().ok_or_else(gone)?;
        let (member, done) = oneshot::channel();
        session.group.push(member);
        drop(self);
        done.await.map_err(|_| gone())?
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        if self.in_step {
            session.undo();
        }
        pass_on(&self.shared, session);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use tempfile::TempDir;

    use super::*;
    use crate::engine::Sql;

    fn options(folder: &TempDir) -> DirectOptions {
        let first = "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (a INTEGER PRIMARY KEY) STRICT";
        let file = folder.path().join("drive.db");
        DirectOptions { file, first: first.to_owned(), prepared: 16, create: true }
    }

    fn ground() -> (TempDir, Grouped) {
        let folder = tempfile::tempdir().unwrap();
        let grouped = Grouped::new(options(&folder), Duration::from_secs(60)).unwrap();
        (folder, grouped)
    }

    async fn put(turn: &mut Turn, number: i64) {
        let sql = Sql::Owned(format!("INSERT INTO t VALUES ({number})"));
        assert_eq!(turn.connection().unwrap().run(sql, &[]).await.unwrap(), 1);
    }

    /// What whoever opens the file sees.
    fn seen(folder: &TempDir) -> Vec<i64> {
        let file = rusqlite::Connection::open(folder.path().join("drive.db")).unwrap();
        let mut all = file.prepare("SELECT a FROM t ORDER BY a").unwrap();
        all.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Runs a future up to where it waits.
    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// A step that put 1 there and waits for its group, and the next step of it.
    async fn one_done_and_the_next(
        grouped: &Grouped,
    ) -> (impl Future<Output = Result<(), Fault>> + Unpin, Turn) {
        let mut first = grouped.begin().await.unwrap();
        let mut next = pin!(grouped.begin());
        assert!(poll(next.as_mut()).is_pending());
        put(&mut first, 1).await;
        let mut done = Box::pin(first.commit());
        assert!(poll(done.as_mut()).is_pending());
        (done, next.await.unwrap())
    }

    #[tokio::test]
    async fn a_step_that_is_done_waits_for_those_behind_it_and_is_on_the_disk_when_it_says_so() {
        let (folder, grouped) = ground();
        let (mut done, mut second) = one_done_and_the_next(&grouped).await;
        put(&mut second, 2).await;
        assert!(poll(std::pin::Pin::new(&mut done)).is_pending());
        assert_eq!(seen(&folder).len(), 0);
        second.commit().await.unwrap();
        done.await.unwrap();
        assert_eq!(seen(&folder), [1, 2]);
    }

    #[tokio::test]
    async fn a_step_that_is_dropped_is_undone_alone() {
        let (folder, grouped) = ground();
        let (done, mut second) = one_done_and_the_next(&grouped).await;
        put(&mut second, 2).await;
        drop(second);
        done.await.unwrap();
        assert_eq!(seen(&folder), [1]);
    }

    #[tokio::test]
    async fn a_step_that_is_refused_for_what_is_not_yet_on_the_disk_hears_so_when_it_is() {
        let (folder, grouped) = ground();
        let (done, mut second) = one_done_and_the_next(&grouped).await;
        put(&mut second, 2).await;
        second.refused().await.unwrap();
        assert_eq!(seen(&folder), [1]);
        done.await.unwrap();
        grouped.begin().await.unwrap().refused().await.unwrap();
    }

    /// What refused it may be of a group that is being synced.
    #[tokio::test]
    async fn a_step_that_is_refused_alone_hears_so_behind_a_sync() {
        let (_folder, grouped) = ground();
        commit_one(&grouped, 1).await.unwrap();
        grouped.break_log();
        let refused = grouped.begin().await.unwrap().refused().await;
        assert!(matches!(refused, Err(Fault::Unknown(_))), "{refused:?}");
    }

    /// Something that can be opened, but not synced.
    fn never_synced() -> Arc<File> {
        let (reader, _) = std::io::pipe().unwrap();
        Arc::new(File::from(std::os::fd::OwnedFd::from(reader)))
    }

    impl Grouped {
        /// Changes the session once it is back: a step may be told that it is done before.
        fn with_idle(&self, change: impl FnOnce(&mut Session)) {
            loop {
                if let Some(session) = self.shared.line.lock().idle.as_mut() {
                    return change(session);
                }
                thread::yield_now();
            }
        }

        /// From now on the log is not synced.
        pub(crate) fn break_log(&self) {
            self.with_idle(|session| session.log = Some(never_synced()));
        }
    }

    async fn commit_one(grouped: &Grouped, number: i64) -> Result<(), Fault> {
        let mut turn = grouped.begin().await.unwrap();
        put(&mut turn, number).await;
        turn.commit().await
    }

    #[tokio::test]
    async fn a_group_that_is_not_synced_is_not_told_that_it_is_done_and_the_next_syncs_all_another_way() {
        let (folder, grouped) = ground();
        commit_one(&grouped, 1).await.unwrap();
        grouped.break_log();
        let lost = commit_one(&grouped, 2).await;
        assert!(matches!(lost, Err(Fault::Unknown(_))), "{lost:?}");
        let log = folder.path().join("drive.db-wal");
        assert_ne!(log.metadata().unwrap().len(), 0);
        commit_one(&grouped, 3).await.unwrap();
        // All of it is in the database itself, which was synced.
        assert_eq!(log.metadata().unwrap().len(), 0);
        assert_eq!(seen(&folder), [1, 2, 3]);
        grouped.with_idle(|session| session.log = None);
        commit_one(&grouped, 4).await.unwrap();
        assert_ne!(log.metadata().unwrap().len(), 0);
    }

    #[tokio::test]
    async fn as_long_as_the_log_can_not_be_emptied_after_a_failed_sync_nothing_is_said_to_be_done() {
        let folder = tempfile::tempdir().unwrap();
        let grouped = Grouped::new(options(&folder), Duration::ZERO).unwrap();
        commit_one(&grouped, 1).await.unwrap();
        let other = rusqlite::Connection::open(folder.path().join("drive.db")).unwrap();
        other.execute_batch("BEGIN; SELECT * FROM t").unwrap();
        grouped.break_log();
        assert!(commit_one(&grouped, 2).await.is_err());
        grouped.with_idle(|session| session.log = None);
        let unsettled = commit_one(&grouped, 3).await;
        assert!(matches!(unsettled, Err(Fault::Unknown(_))), "{unsettled:?}");
        other.execute_batch("COMMIT").unwrap();
        commit_one(&grouped, 4).await.unwrap();
        assert_eq!(seen(&folder), [1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn whoever_goes_away_while_it_waits_leaves_its_turn_to_the_next() {
        let (folder, grouped) = ground();
        let mut first = grouped.begin().await.unwrap();
        let mut gone = Box::pin(grouped.begin());
        let mut gone_later = Box::pin(grouped.begin());
        let mut last = pin!(grouped.begin());
        assert!(poll(gone.as_mut()).is_pending());
        assert!(poll(gone_later.as_mut()).is_pending());
        assert!(poll(last.as_mut()).is_pending());
        put(&mut first, 1).await;
        drop(gone);
        let mut done = pin!(first.commit());
        assert!(poll(done.as_mut()).is_pending());
        // It has the turn by now, and never learns.
        drop(gone_later);
        let mut last = last.await.unwrap();
        put(&mut last, 2).await;
        last.commit().await.unwrap();
        done.await.unwrap();
        assert_eq!(seen(&folder), [1, 2]);
    }

    #[tokio::test]
    async fn a_transaction_that_is_lost_is_not_what_its_steps_are_told_is_done() {
        let (folder, grouped) = ground();
        let (done, mut second) = one_done_and_the_next(&grouped).await;
        // As SQLite does when the disk is full.
        second.connection().unwrap().plain(Sql::Borrowed("ROLLBACK")).await.unwrap();
        assert!(second.commit().await.is_err());
        let lost = done.await;
        assert!(matches!(lost, Err(Fault::Again(_))), "{lost:?}");
        let mut third = grouped.begin().await.unwrap();
        put(&mut third, 3).await;
        third.commit().await.unwrap();
        assert_eq!(seen(&folder), [3]);
    }

    #[tokio::test]
    async fn a_group_that_is_full_is_committed_before_the_next_has_its_turn() {
        let (folder, grouped) = ground();
        let first = grouped.begin().await.unwrap();
        let mut steps: Vec<_> = (1..=GROUP_MAX)
            .map(|number| {
                let grouped = &grouped;
                Box::pin(async move {
                    let mut turn = grouped.begin().await.unwrap();
                    put(&mut turn, i64::try_from(number).unwrap()).await;
                    turn.commit().await
                })
            })
            .collect();
        let mut last = pin!(grouped.begin());
        for step in &mut steps {
            assert!(poll(step.as_mut()).is_pending());
        }
        assert!(poll(last.as_mut()).is_pending());
        drop(first);
        for step in &mut steps {
            assert!(poll(step.as_mut()).is_pending());
        }
        let last = last.await.unwrap();
        assert_eq!(seen(&folder).len(), GROUP_MAX);
        // They are told when it is synced, for which the next does not wait.
        for step in &mut steps {
            step.as_mut().await.unwrap();
        }
        drop(last);
    }

    #[tokio::test]
    async fn another_process_that_has_the_file_is_waited_for() {
        let (folder, grouped) = ground();
        grouped.begin().await.unwrap().commit().await.unwrap();
        let other = rusqlite::Connection::open(folder.path().join("drive.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)").unwrap();
        let mut begin = pin!(grouped.begin());
        assert!(poll(begin.as_mut()).is_pending());
        other.execute_batch("COMMIT").unwrap();
        let mut turn = begin.await.unwrap();
        put(&mut turn, 2).await;
        turn.commit().await.unwrap();
        assert_eq!(seen(&folder), [1, 2]);
    }
}
