//! When which part of the state is saved.
//!
//! Structure and the statuses that outlive a restart are saved at once. Figures, which every beat changes, are
//! saved after so many updates or so long a time, whichever comes first.

use super::Cluster;
use crate::limits::{SAVE_WITHIN_MS, STATUS_EVERY_MS, UPDATES_PER_SAVE};
use crate::{Action, Mono, Now, Section};

/// Unsaved updates of one section.
#[derive(Debug, Clone, Copy, Default)]
struct Unsaved {
    updates: u32,
    due: Option<Mono>,
}

impl Unsaved {
    fn note(&mut self, now: Now) {
        self.updates = self.updates.saturating_add(1);
        self.due.get_or_insert(now.mono.after_ms(SAVE_WITHIN_MS));
    }

    fn is_due(&self, now: Now) -> bool {
        self.updates >= UPDATES_PER_SAVE || self.due.is_some_and(|due| due <= now.mono)
    }
}

/// When which part of the state is due to be saved.
#[derive(Debug, Clone, Copy)]
pub(super) struct SaveTimes {
    servers: Unsaved,
    sync_times: Unsaved,
    status_at: Mono,
}

impl SaveTimes {
    pub(super) fn new(now: Now) -> Self {
        // The status file is due at once: it says that this tracker has started.
        Self { servers: Unsaved::default(), sync_times: Unsaved::default(), status_at: now.mono }
    }

    pub(super) fn deadline(&self) -> Mono {
        let unsaved = [self.servers.due, self.sync_times.due];
        unsaved.into_iter().flatten().fold(self.status_at, Mono::min)
    }

    pub(super) fn servers_changed(&mut self, now: Now) {
        self.servers.note(now);
    }

    pub(super) fn sync_times_changed(&mut self, now: Now) {
        self.sync_times.note(now);
    }
}

impl Cluster {
    /// Has a section saved now.
    pub(super) fn save_now(&mut self, section: Section, before_reply: bool, now: Now, out: &mut Vec<Action>) {
        match section {
            Section::Servers => self.save.servers = Unsaved::default(),
            Section::SyncTimes => self.save.sync_times = Unsaved::default(),
            Section::Status => self.save.status_at = now.mono.after_ms(STATUS_EVERY_MS),
            Section::Groups | Section::Changelog => {}
        }
        out.push(Action::Persist { section, before_reply });
    }

    /// Has everything saved whose time has come.
    pub(super) fn save_what_is_due(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.save.servers.is_due(now) {
            self.save_now(Section::Servers, false, now, out);
        }
        if self.save.sync_times.is_due(now) {
            self.save_now(Section::SyncTimes, false, now, out);
        }
        if self.save.status_at <= now.mono {
            self.save_now(Section::Status, false, now, out);
        }
    }
}
