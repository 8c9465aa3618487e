//! Saving: which files are behind the machine's state, and one task that brings them up to date.
//!
//! The machine says which sections changed; they are written as they are when their turn comes, so however
//! many changes there are, no section waits twice. When a write fails, the state stays in memory, an operator
//! is told, and it is tried again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fdfs_format::tracker::groups::{self, GROUPS_FILE};
use fdfs_format::tracker::servers::{self, SERVERS_FILE};
use fdfs_format::tracker::status::TRACKER_STATUS_FILE;
use fdfs_format::tracker::sync_times::{self, SYNC_TIMES_FILE};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::timeout;
use tracker_core::Section;

use crate::shell::Shell;
use crate::state::Write;

/// How long an answer waits for its change to be on disk before it is given without.
const PATIENCE: Duration = Duration::from_secs(5);

/// First and longest pause before a write that failed is tried again.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// What is saved once more when the server stops.
const ALL: [Section; 5] =
    [Section::Groups, Section::Servers, Section::SyncTimes, Section::Changelog, Section::Status];

/// What waits to be saved.
#[derive(Debug)]
pub(crate) struct Unsaved {
    waiting: Mutex<Waiting>,
    more: Notify,
    /// The last round whose writes were tried.
    tried: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    sections: BTreeSet<Section>,
    round: u64,
}

impl Default for Unsaved {
    fn default() -> Self {
        Self { waiting: Mutex::default(), more: Notify::new(), tried: watch::Sender::new(0) }
    }
}

impl Unsaved {
    /// Has a section saved soon; the round that will do it.
    pub(crate) fn add(&self, section: Section) -> u64 {
        let round = {
            let mut waiting = self.waiting.lock();
            waiting.sections.insert(section);
            waiting.round + 1
        };
        self.more.notify_one();
        round
    }

    /// Waits until a round was tried, but not for ever: a tracker works with a broken disk, too.
    pub(crate) async fn wait(&self, round: u64) {
        let mut tried = self.tried.subscribe();
        let _ = timeout(PATIENCE, tried.wait_for(|tried| *tried >= round)).await;
    }

    fn take(&self) -> (BTreeSet<Section>, u64) {
        let mut waiting = self.waiting.lock();
        waiting.round += 1;
        (std::mem::take(&mut waiting.sections), waiting.round)
    }

    fn give_back(&self, sections: BTreeSet<Section>) {
        self.waiting.lock().sections.extend(sections);
    }
}

/// Brings files up to date until it is dropped.
pub(crate) struct Saver {
    shell: Arc<Shell>,
    data: PathBuf,
    /// Bytes of the changelog that are on disk.
    changelog_saved: u64,
    retry: Duration,
    failing: bool,
}

impl Saver {
    /// `changelog_saved`: bytes of the changelog that are on disk and count.
    pub(crate) fn new(shell: Arc<Shell>, data: PathBuf, changelog_saved: u64) -> Self {
        Self { shell, data, changelog_saved, retry: RETRY_MIN, failing: false }
    }

    /// Saves what there is to save until `served` ends, and then everything once more. A write is never
    /// given up half way: the next one of the same file would run into it.
    pub(crate) async fn run(&mut self, served: oneshot::Receiver<()>) {
        let mut served = pin!(served);
        loop {
            let pause = if self.failing { self.retry } else { Duration::MAX };
            tokio::select! {
                _ = timeout(pause, self.shell.unsaved.more.notified()) => self.round().await,
                _ = &mut served => break,
            }
        }
        for section in ALL {
            self.shell.unsaved.add(section);
        }
        self.round().await;
    }

    async fn round(&mut self) {
        let (sections, round) = self.shell.unsaved.take();
        let mut failed = BTreeSet::new();
        for section in sections {
            if section == Section::Changelog && self.shell.take_changelog_replaced() {
                self.changelog_saved = 0;
            }
            let Some(write) = self.encode(section) else { continue };
            if !self.write(write).await {
                failed.insert(section);
            }
        }
        if failed.is_empty() {
            if self.failing {
                tracing::info!("the state is saved again");
            }
            (self.failing, self.retry) = (false, RETRY_MIN);
        } else {
            self.retry = if self.failing { (self.retry * 2).min(RETRY_MAX) } else { RETRY_MIN };
            self.failing = true;
            self.shell.unsaved.give_back(failed);
        }
        self.shell.unsaved.tried.send_replace(round);
    }

    /// The file of a section as the state is now; none when there is nothing to write.
    fn encode(&self, section: Section) -> Option<Write> {
        let whole = |name, bytes| Some(Write::Whole { name, bytes });
        match section {
            Section::Groups => whole(GROUPS_FILE, groups::encode(&self.shell.view().groups_table())),
            Section::Servers => whole(SERVERS_FILE, servers::encode(&self.shell.view().servers_table())),
            Section::SyncTimes => {
                whole(SYNC_TIMES_FILE, sync_times::encode(&self.shell.view().sync_times_table()))
            }
            Section::Status => {
                let status = self.shell.view().status_table(self.shell.clock.now());
                whole(TRACKER_STATUS_FILE, status.encode())
            }
            Section::Changelog => {
                let bytes = self.shell.changelog_from(self.changelog_saved);
                Some(Write::Changelog { from: self.changelog_saved, bytes })
            }
        }
    }

    async fn write(&mut self, write: Write) -> bool {
        let (file, data) = (write.name(), self.data.clone());
        let grown = match &write {
            Write::Whole { .. } => 0,
            Write::Changelog { bytes, .. } => bytes.len() as u64,
        };
        let result = tokio::task::spawn_blocking(move || write.perform(&data)).await;
        let error = match result {
            Ok(Ok(())) => {
                self.changelog_saved += grown;
                return true;
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(file, error, "cannot save the state, it is kept in memory and tried again");
        false
    }
}
