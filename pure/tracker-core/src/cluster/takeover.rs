//! A tracker that knows nothing, or was away for long, takes over what a better one knows (61, 63, 62).
//!
//! Only before its first storage joins: afterwards its own knowledge is the fresher one.
//!
//! Source: wire protocol, "system file transfer".

use super::{Cluster, Saved, Session, numbered};
use crate::changelog::Changelog;
use crate::leader::RunningFigures;
use crate::limits::AWAY_LONG_S;
use crate::{Action, Note, Now, Section};

/// Which other tracker's state would be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateWanted {
    /// The best one there is: this tracker has nothing.
    Any,
    /// Only that of a tracker with better figures than these.
    BetterThan(RunningFigures),
}

impl Cluster {
    /// Whether the state of other trackers is to be looked for before the first JOIN is served. Its outcome is told
    /// with [`crate::Event::StateSought`].
    pub fn state_wanted(&self, now: Now) -> Option<StateWanted> {
        let away_s = self.last_check.map_or(0, |last| self.config.up_time.saturating_sub(last));
        match (self.state_sought, away_s > AWAY_LONG_S, self.groups.is_empty()) {
            (true, _, _) => None,
            (false, true, _) => {
                let figures = RunningFigures::new(now, self.config.up_time, self.last_check, false);
                Some(StateWanted::BetterThan(figures))
            }
            (false, false, true) => Some(StateWanted::Any),
            (false, false, false) => None,
        }
    }

    /// The state of others was looked for.
    pub(super) fn state_sought(&mut self, now: Now, found: Option<Box<Saved>>, out: &mut Vec<Action>) {
        let joined = self.sessions.values().any(|session| matches!(session, Session::Storage { .. }));
        if std::mem::replace(&mut self.state_sought, true) || joined {
            return;
        }
        let Some(found) = found else { return };
        self.changelog = Changelog::new(found.changelog);
        let (groups, last) = numbered(found.groups, &self.changelog, self.group_numbers);
        self.group_numbers = last;
        *self.changing() = groups;
        out.push(Action::Note(Note::StateTaken));
        for section in
            [Section::Groups, Section::Servers, Section::SyncTimes, Section::Changelog, Section::Status]
        {
            self.save_now(section, false, now, out);
        }
    }
}
