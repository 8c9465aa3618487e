//! Saving: which files are behind the machine's state, and one task that brings them up to date.
//!
//! The machine says which sections changed; they are written as they are when their turn comes, so however
//! many changes there are, no section waits twice. When a write fails, the state stays in memory, an operator
//! is told, and it is tried again.
//!
//! A storage of a group that is not listed keeps a tracker from starting. So whatever write is the last one before the
//! process is killed, the file of the groups names every group that the file of the servers names: both are written from
//! one view, a new group before its storages, and a group that is gone is left out after them.

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
    /// The groups table that is on disk.
    groups_saved: Vec<groups::Group>,
    /// Bytes of the changelog that are on disk.
    changelog_saved: u64,
    retry: Duration,
    failing: bool,
}

impl Saver {
    /// What is on disk and counts: the groups table, and so many bytes of the changelog.
    pub(crate) fn new(
        shell: Arc<Shell>,
        data: PathBuf,
        groups_saved: Vec<groups::Group>,
        changelog_saved: u64,
    ) -> Self {
        Self { shell, data, groups_saved, changelog_saved, retry: RETRY_MIN, failing: false }
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
        let (mut sections, round) = self.shell.unsaved.take();
        let members: BTreeSet<Section> = [Section::Groups, Section::Servers]
            .into_iter()
            .filter(|section| sections.remove(section))
            .collect();
        let mut failed = self.save_members(members).await;
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

    /// Saves the groups and the servers, or one of them; those that are still to be saved.
    async fn save_members(&mut self, mut unsaved: BTreeSet<Section>) -> BTreeSet<Section> {
        if unsaved.is_empty() {
            return unsaved;
        }
        let (groups, servers) = {
            let view = self.shell.view();
            (view.groups_table(), view.servers_table())
        };
        let is_gone = |old: &&groups::Group| groups.iter().all(|new| new.group_name != old.group_name);
        let gone: Vec<groups::Group> = self.groups_saved.iter().filter(is_gone).cloned().collect();
        // Storages of a group that is gone may be on disk, too.
        if unsaved.contains(&Section::Servers) || !gone.is_empty() {
            let all = [groups.as_slice(), &gone].concat();
            if all != self.groups_saved && !self.save_groups(all).await {
                return unsaved;
            }
            let write = Write::Whole { name: SERVERS_FILE, bytes: servers::encode(&servers) };
            if !self.write(write).await {
                return unsaved;
            }
            unsaved.remove(&Section::Servers);
        }
        if groups == self.groups_saved || self.save_groups(groups).await {
            unsaved.remove(&Section::Groups);
        }
        unsaved
    }

    async fn save_groups(&mut self, table: Vec<groups::Group>) -> bool {
        let saved = self.write(Write::Whole { name: GROUPS_FILE, bytes: groups::encode(&table) }).await;
        if saved {
            self.groups_saved = table;
        }
        saved
    }

    /// The file of another section as the state is now; none when there is nothing to write.
    fn encode(&self, section: Section) -> Option<Write> {
        let whole = |name, bytes| Some(Write::Whole { name, bytes });
        match section {
            Section::Groups | Section::Servers => None,
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

#[cfg(test)]
mod tests;
