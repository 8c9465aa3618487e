//! The conversation of this storage with one tracker (storage internals: tracker conversation of a storage).
//!
//! One machine per tracker. It says when to connect, what to ask next, and reads the answers into the
//! [`Membership`] that all links share. One question is under way at a time; the shell carries it, within its
//! deadlines, and brings the answer back as an [`Event`].
//!
//! ```text
//! waiting -> connecting -> who am I? -> JOIN -> where do my old files come from? -> serving
//!    ^                                                                                |
//!    +--------- anything that fails, at any point; longer pauses each time -----------+
//! ```
//!
//! While serving it beats, reports space and replication, and corrects what this tracker gets wrong.

mod ask;
mod reply;
mod trouble;

use std::collections::BTreeMap;
use std::net::IpAddr;

use fdfs_proto::tracker::change_list;
use fdfs_proto::tracker::disk_usage::PathSpace;
use fdfs_proto::{Brief, StatBlock, Status, StorageId, StorageStatus, TrackerCommand, Version};

use crate::membership::{Membership, TrackerIndex};
use crate::time::Mono;

use ask::Question;
pub use trouble::{Failure, Trouble};

/// First pause before another attempt; each further one is twice as long, up to the beat interval.
pub const RETRY_MS_MIN: u64 = 250;

/// Most text that a tracker may send as storage ids, bytes: 512 groups of 32 lines of 128 bytes.
pub const IDS_TEXT_LEN_MAX: usize = 512 * 32 * 128;

/// What a link is configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Store paths, 1 to 256.
    pub store_path_count: u16,
    /// Directories per level in each of them, 1 to 256.
    pub subdir_count: u16,
    /// `upload_priority`; smaller is preferred.
    pub upload_priority: i32,
    /// Unix second of the start of this process.
    pub up_time: i64,
    /// The version shown in lists of storages.
    pub version: Version,
    /// `heart_beat_interval`.
    pub beat_interval_ms: u64,
    /// `stat_report_interval`.
    pub disk_report_interval_ms: u64,
}

/// What the trunk server of a group reports about its trunk files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrunkFigures {
    /// Number of the newest one.
    pub file_id: u32,
    /// Free space in them, MiB.
    pub free_mb: u64,
}

/// What a link reports about the storage, asked for at the moment it is sent.
pub trait LinkInputs: Send + Sync {
    /// Counters and connections.
    fn stat_block(&self) -> StatBlock;

    /// Space of every store path, in the order of their index.
    fn disk_usage(&self) -> Vec<PathSpace>;

    /// Per source server: the Unix second up to which its files have arrived here.
    fn synced_from(&self) -> BTreeMap<StorageId, u32> {
        BTreeMap::new()
    }

    /// While this storage is the trunk server of its group. Who changes it wakes the links.
    fn trunk(&self) -> Option<TrunkFigures> {
        None
    }
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A deadline has passed, or another link changed the [`Membership`].
    Wake,
    /// How the cluster is now is to be asked at once.
    Look,
    /// The connection is there; this is the address it goes to.
    Connected(IpAddr),
    /// The connection could not be made, broke, or stayed silent for too long.
    Failed(Failure),
    /// The answer to the last question.
    Replied {
        /// Its status.
        status: Status,
        /// Its body; empty when the status is not 0.
        body: &'a [u8],
    },
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Bring [`Membership::record`] to disk, before anything that follows.
    Persist,
    /// Tell the operator.
    Report(Notice),
    /// Look the tracker up if it has a name ([`Membership::tracker_found`]) and connect.
    Connect,
    /// Send this and bring the answer.
    Send {
        /// The command.
        command: TrackerCommand,
        /// The body.
        body: Vec<u8>,
    },
    /// Close the connection.
    Disconnect,
}

/// What an operator may want to know; each is said once, not on every attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// This storage joined; the tracker has it in this status.
    Joined(StorageStatus),
    /// It is settled where the old files come from: from this storage, or from none.
    SourceSettled(Option<StorageId>),
    /// The tracker is asked again to which storage this one owes its old files, since no tracker knows the
    /// last one.
    SourceLost,
    /// An administrator removed this storage from the cluster; it joins as a new one and gets all files
    /// again.
    Removed,
    /// Something stands in the way.
    Trouble(Trouble),
}

/// How far the conversation is.
#[derive(Debug)]
enum State {
    /// No connection; the next attempt comes at this time.
    Waiting { until: Mono },
    /// The shell is connecting.
    Connecting,
    /// The shell is asking.
    Asking(Question),
    /// Connected, nothing under way.
    Idle,
}

/// What belongs to one connection.
#[derive(Debug)]
struct Session {
    /// The tracker's address.
    ip: IpAddr,
    /// The tracker said how it knows this storage.
    known: bool,
    joined: bool,
    /// How many trackers the JOIN listed.
    listed: usize,
    /// Nothing stands before beats and reports.
    serving: bool,
    /// [`Membership::source_duty`] remembers here what was said.
    notified: Option<u32>,
    /// The answer to 71, between it and 79.
    recheck: Option<Option<StorageStatus>>,
    /// Storage ids received so far, and how many lines that is.
    ids: (String, u32),
    /// A beat was answered: by then the tracker has said whether it leads.
    beaten: bool,
    /// To be sent back.
    differences: Vec<Brief>,
    /// The status this storage has, against what the tracker listed.
    correction: Option<StorageStatus>,
    /// The tail of the changelog that broke off in the middle of a line.
    changelog: Vec<u8>,
    changelog_due: bool,
    /// Pages of the changelog that were read one after the other.
    pages: u32,
    /// A list that waits until the changelog is read: it may have a server under another id than it is known by.
    held: Option<change_list::Got>,
    synced_due: bool,
    beat_due: Mono,
    disk_due: Mono,
    /// What the tracker was last told.
    stat: Option<StatBlock>,
    synced: BTreeMap<StorageId, u32>,
    trunk_file_id: Option<u32>,
    trunk_free_mb: Option<u64>,
    /// [`Membership::trunk_epoch`] when the tracker was asked for the newest trunk file.
    trunk_asked: Option<u64>,
    trunk_refused: bool,
}

impl Session {
    fn new(now: Mono, ip: IpAddr) -> Self {
        Self {
            ip,
            known: false,
            joined: false,
            listed: 0,
            serving: false,
            notified: None,
            recheck: None,
            ids: (String::new(), 0),
            beaten: false,
            differences: Vec::new(),
            correction: None,
            changelog: Vec::new(),
            changelog_due: false,
            pages: 0,
            held: None,
            synced_due: false,
            beat_due: now,
            disk_due: now,
            stat: None,
            synced: BTreeMap::new(),
            trunk_file_id: None,
            trunk_free_mb: None,
            trunk_asked: None,
            trunk_refused: false,
        }
    }
}

/// See the [module](self).
#[derive(Debug)]
pub struct TrackerLink {
    index: TrackerIndex,
    settings: Settings,
    state: State,
    session: Option<Session>,
    /// The pause before the next attempt.
    retry_ms: u64,
    /// What was last complained about.
    trouble: Option<Trouble>,
    /// It has been said that this storage joined.
    announced: bool,
}

/// What makes a link give up its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    /// To be told.
    Trouble(Trouble),
    /// On purpose: the next JOIN puts things right.
    Rejoin,
}

impl<T: Into<Trouble>> From<T> for Leave {
    fn from(trouble: T) -> Self {
        Self::Trouble(trouble.into())
    }
}

impl TrackerLink {
    /// A link that connects at its first step.
    pub fn new(index: TrackerIndex, settings: Settings) -> Self {
        Self {
            index,
            settings,
            state: State::Waiting { until: Mono::default() },
            session: None,
            retry_ms: RETRY_MS_MIN,
            trouble: None,
            announced: false,
        }
    }

    /// When it wants to be woken, unless something happens before. `None` while the shell is connecting or
    /// asking, and while another link has to come first.
    pub fn deadline(&self) -> Option<Mono> {
        match (&self.state, &self.session) {
            (State::Waiting { until }, _) => Some(*until),
            (State::Idle, Some(session)) if session.serving => Some(session.beat_due.min(session.disk_due)),
            _ => None,
        }
    }

    /// Takes in an event and appends what is to be done. At most one of the actions is [`Action::Connect`] or
    /// [`Action::Send`], and then it is the last one; its outcome is the next event.
    pub fn step(
        &mut self,
        now: Mono,
        event: Event<'_>,
        membership: &mut Membership,
        inputs: &dyn LinkInputs,
        out: &mut Vec<Action>,
    ) {
        let (start, record_version) = (out.len(), membership.record_version());
        let going =
            self.take(now, event, membership, out).and_then(|()| self.go_on(now, membership, inputs, out));
        if let Err(leave) = going {
            self.leave(now, leave, membership, out);
        }
        if membership.record_version() != record_version {
            // First of all: nothing may be said to a tracker that a crash could make untrue.
            out.insert(start, Action::Persist);
        }
    }

    fn take(
        &mut self,
        now: Mono,
        event: Event<'_>,
        membership: &mut Membership,
        out: &mut Vec<Action>,
    ) -> Result<(), Leave> {
        match event {
            Event::Wake => Ok(()),
            Event::Look => {
                if let Some(session) = &mut self.session {
                    session.beat_due = now;
                }
                Ok(())
            }
            Event::Connected(ip) => {
                self.session = Some(Session::new(now, ip));
                self.state = State::Idle;
                Ok(())
            }
            Event::Failed(failure) => match self.state {
                State::Waiting { .. } => Ok(()),
                State::Connecting => Err(Trouble::Unreachable(failure).into()),
                State::Asking(_) | State::Idle => Err(Trouble::Lost(failure).into()),
            },
            Event::Replied { status, body } => match std::mem::replace(&mut self.state, State::Idle) {
                State::Asking(question) => self.answered(now, question, status, body, membership, out),
                // An answer nobody asked for: the shell has dropped the connection meanwhile.
                other => {
                    self.state = other;
                    Ok(())
                }
            },
        }
    }

    fn go_on(
        &mut self,
        now: Mono,
        membership: &mut Membership,
        inputs: &dyn LinkInputs,
        out: &mut Vec<Action>,
    ) -> Result<(), Leave> {
        match self.state {
            State::Waiting { until } if until <= now => {
                self.state = State::Connecting;
                out.push(Action::Connect);
            }
            State::Idle => {
                if let Some((question, body)) = self.next_question(now, membership, inputs)? {
                    out.push(Action::Send { command: question.command(), body });
                    self.state = State::Asking(question);
                }
            }
            State::Waiting { .. } | State::Connecting | State::Asking(_) => {}
        }
        Ok(())
    }

    fn leave(&mut self, now: Mono, leave: Leave, membership: &mut Membership, out: &mut Vec<Action>) {
        if let Leave::Trouble(trouble) = leave
            && self.trouble != Some(trouble)
        {
            self.trouble = Some(trouble);
            out.push(Action::Report(Notice::Trouble(trouble)));
        }
        if self.session.take().is_some() {
            out.push(Action::Disconnect);
            membership.forget_unless_identified();
        }
        membership.link_lost(self.index);
        self.state = State::Waiting { until: now.after_ms(self.retry_ms) };
        self.retry_ms = self.retry_ms.saturating_mul(2).min(self.settings.beat_interval_ms).max(RETRY_MS_MIN);
    }
}
