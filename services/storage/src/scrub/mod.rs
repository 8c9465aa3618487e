//! The scrub: every file that is here is read and compared with what its name says, again and again; copies that are
//! missing, torn or rotten are replaced with a good one of another member (design: every byte is checked; decision 8).
//!
//! `store` knows how to look and how to replace ([`store::Store::scrub`] and what it says there); this module says
//! when, keeps to the rate, asks the other members and counts. A round runs on a thread of its own; what it finds is
//! mended one file at a time, and so is what a reader comes upon ([`Scrub::suspect`]).
//!
//! Begin reading at [`run`], then `mend.rs` (one file).

mod limit;
mod mend;
mod place;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fdfs_conf::StorageConf;
use fdfs_fileid::FileName;
use net::Stop;
use parking_lot::Mutex;
use store::fsck::{Event, FsckSettings, Severity};
use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use crate::replication;
use crate::server::{Server, unix_now};
use crate::tracker_link::wire;
use limit::Limit;
use mend::Looked;
use place::Place;

/// How long a start is left alone before a round begins.
const START_DELAY: Duration = Duration::from_secs(60);

/// How long a file must have been left alone to be judged at the first look.
const SETTLE: Duration = if cfg!(test) { Duration::ZERO } else { Duration::from_secs(2) };

/// Files that wait to be looked at; of more, a round finds those that are bad.
const SUSPECTS_MAX: usize = 1024;

/// What a round has found and nobody has taken yet.
const EVENTS_MAX: usize = 256;

/// How often the place of a round is saved.
const SAVE_EACH: Duration = Duration::from_secs(10);

/// Findings of a round that are named in the log; the rest is only counted.
const NAMED_MAX: u64 = 100;

/// Files without a good copy that a round remembers, so as not to ask for them twice.
const HOPELESS_MAX: usize = 100_000;

/// What is counted, since the start unless it says otherwise.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Rounds that were ended.
    pub(crate) rounds: AtomicU64,
    /// 1 while one runs.
    pub(crate) running: AtomicU64,
    /// When the last one ended, Unix seconds; 0 for none.
    pub(crate) ended: AtomicU64,
    /// Files looked at.
    pub(crate) files: AtomicU64,
    /// Bytes read of them.
    pub(crate) bytes: AtomicU64,
    /// Bad copies found.
    pub(crate) bad: AtomicU64,
    /// Files found missing.
    pub(crate) missing: AtomicU64,
    /// Bad copies replaced, and missing files restored.
    pub(crate) mended: AtomicU64,
    /// Bad copies taken away with nothing in their place.
    pub(crate) set_aside: AtomicU64,
    /// Files of which no member had a good copy: found in the round that runs, or in the last one.
    pub(crate) hopeless: AtomicU64,
    /// In the quarantine now.
    pub(crate) quarantine: Mutex<store::QuarantineUsage>,
}

impl Figures {
    fn add(figure: &AtomicU64, more: u64) {
        figure.fetch_add(more, Ordering::Relaxed);
    }
}

/// What the scrub of a storage shares with those who serve requests.
pub(crate) struct Scrub {
    interval: Duration,
    rate: u64,
    check: FsckSettings,
    wire: wire::Settings,
    /// Files are mended one at a time.
    turn: tokio::sync::Mutex<()>,
    pub(crate) figures: Figures,
    suspects: mpsc::Sender<FileName>,
    suspected: Mutex<Option<mpsc::Receiver<FileName>>>,
    /// Begins a round at once.
    pub(crate) begin: Notify,
}

impl Scrub {
    pub(crate) fn new(conf: &StorageConf) -> Self {
        let (suspects, suspected) = mpsc::channel(SUSPECTS_MAX);
        let paths = conf.store_paths.iter().map(|store| store.path.clone()).collect();
        let check = FsckSettings {
            subdir_count: conf.subdir_count_per_path,
            content: true,
            threads: 1,
            settle: SETTLE,
            ..FsckSettings::new(conf.base_path.clone(), paths)
        };
        Self {
            interval: conf.scrub.interval,
            rate: conf.scrub.rate,
            check,
            wire: replication::Config::new(conf).wire,
            turn: tokio::sync::Mutex::default(),
            figures: Figures::default(),
            suspects,
            suspected: Mutex::new(Some(suspected)),
            begin: Notify::new(),
        }
    }

    /// A reader has come upon a copy that is not what it should be.
    pub(crate) fn suspect(&self, name: &FileName) {
        // When too many wait already, a round finds it.
        let _ = self.suspects.try_send(name.clone());
    }
}

/// Scrubs until `stop`; `data` is the data folder of the base path.
pub(crate) async fn run(server: Arc<Server>, data: PathBuf, mut stop: Stop) {
    let Some(suspected) = server.scrub.suspected.lock().take() else { return };
    count_quarantine(&server).await;
    tokio::select! {
        () = stop.wait() => {}
        () = look_at_suspects(&server, suspected) => {}
        () = look_again(&server) => {}
        () = rounds(&server, data) => {}
    }
}

async fn look_at_suspects(server: &Arc<Server>, mut suspected: mpsc::Receiver<FileName>) {
    while let Some(name) = suspected.recv().await {
        mend::look(server, &name, None).await;
        count_quarantine(server).await;
    }
}

/// Looks again for copies of what is set aside, and at what `cairn fsck` has marked, whenever there are more members to
/// ask than before.
async fn look_again(server: &Arc<Server>) {
    let mut cluster = server.cluster.clone();
    let mut before = 0;
    loop {
        let serving = mend::serving(&cluster.borrow_and_update());
        if serving > before {
            let marked = marked(server).await;
            for name in server.store.set_aside_files().iter().chain(&marked) {
                mend::look(server, name, None).await;
            }
            if !marked.is_empty() {
                forget_marks(server).await;
                // What is missing is found against the records.
                server.scrub.begin.notify_one();
            }
            count_quarantine(server).await;
        }
        before = serving;
        if cluster.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn marked(server: &Arc<Server>) -> Vec<FileName> {
    let reading = Arc::clone(server);
    match spawn_blocking(move || reading.store.marked_damaged()).await {
        Ok(Ok(names)) => names,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the list of files that fsck has marked can't be read");
            Vec::new()
        }
        // A panic has said so itself.
        Err(_) => Vec::new(),
    }
}

async fn forget_marks(server: &Arc<Server>) {
    let forgetting = Arc::clone(server);
    if let Ok(Err(error)) = spawn_blocking(move || forgetting.store.forget_marks()).await {
        tracing::warn!(%error, "the list of files that fsck has marked can't be removed");
    }
}

async fn count_quarantine(server: &Arc<Server>) {
    let counting = Arc::clone(server);
    match spawn_blocking(move || counting.store.quarantine_usage()).await {
        Ok(Ok(usage)) => *server.scrub.figures.quarantine.lock() = usage,
        Ok(Err(error)) => tracing::warn!(%error, "cannot look into the quarantine"),
        Err(_) => {}
    }
}

async fn rounds(server: &Arc<Server>, data: PathBuf) {
    let interval = server.scrub.interval;
    let earliest = Instant::now() + START_DELAY.min(interval);
    let mut place = Place::read(&data).await;
    loop {
        let due = (Instant::now() + place.due_in(interval, unix_now())).max(earliest);
        tokio::select! {
            () = sleep_until(due), if !interval.is_zero() => {}
            () = server.scrub.begin.notified() => {}
        }
        if place.mark.is_none() {
            place = Place::begin(unix_now());
            place.save(&data).await;
        }
        round(server, &data, &mut place).await;
        place.mark = None;
        place.save(&data).await;
    }
}

/// One round, from its place on.
async fn round(server: &Arc<Server>, data: &Path, place: &mut Place) {
    let figures = &server.scrub.figures;
    figures.running.store(1, Ordering::Relaxed);
    figures.hopeless.store(0, Ordering::Relaxed);
    let (send, mut events) = mpsc::channel(EVENTS_MAX);
    let limit = Arc::new(Limit::new(Arc::clone(server), server.scrub.rate));
    let _ending = EndOnDrop(Arc::clone(&limit));
    let (checking, from) = (Arc::clone(server), place.mark);
    let checked = spawn_blocking(move || {
        let mut tell = |event| {
            if send.blocking_send(event).is_err() {
                limit.end();
            }
        };
        checking.store.scrub(&checking.scrub.check, from, &*limit, &mut tell)
    });
    let mut hopeless = HashSet::new();
    let (mut named, mut counted, mut saved) = (0, (0, 0), Instant::now());
    while let Some(event) = events.recv().await {
        match event {
            Event::Progress(progress) => {
                Figures::add(&figures.files, progress.files.saturating_sub(counted.0));
                Figures::add(&figures.bytes, progress.bytes.saturating_sub(counted.1));
                counted = (progress.files.max(counted.0), progress.bytes.max(counted.1));
            }
            Event::Finding(finding) if finding.severity() == Severity::Damage => {
                named += 1;
                if named <= NAMED_MAX {
                    tracing::warn!("scrub: {finding}");
                }
            }
            Event::Finding(_) => {}
            Event::Victim { name, time } => {
                // What was set aside is missing by the records.
                let is_new = !hopeless.contains(&name);
                if is_new && mend::look(server, &name, time).await == Looked::Hopeless {
                    Figures::add(&figures.hopeless, 1);
                    if hopeless.len() < HOPELESS_MAX {
                        hopeless.insert(name);
                    }
                }
            }
            Event::Passed(mark) => {
                place.mark = Some(mark);
                if saved.elapsed() >= SAVE_EACH {
                    place.save(data).await;
                    saved = Instant::now();
                }
            }
        }
    }
    match checked.await {
        Ok(Ok(summary)) => {
            let read = |all: u64, counted: u64| all.saturating_sub(counted);
            Figures::add(&figures.bytes, read(summary.bytes_read, counted.1));
            let hopeless = figures.hopeless.load(Ordering::Relaxed);
            let incomplete = !summary.is_complete();
            tracing::info!(
                bytes = summary.bytes_read,
                damaged = summary.damaged,
                hopeless,
                incomplete,
                "a round of the scrub has ended"
            );
            Figures::add(&figures.rounds, 1);
            figures.ended.store(unix_now().into(), Ordering::Relaxed);
        }
        Ok(Err(error)) => tracing::error!(%error, "a round of the scrub could not go on"),
        Err(error) => tracing::error!(%error, "a round of the scrub died"),
    }
    figures.running.store(0, Ordering::Relaxed);
    count_quarantine(server).await;
}

/// Ends a round whose task is gone.
struct EndOnDrop(Arc<Limit>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}
