//! What can be found: each kind with a code that scripts may rely on, its severity and its fields.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing has to be done.
    Note,
    /// It works, and will not for long or not for everybody.
    Warning,
    /// Something does not work.
    Error,
}

impl Severity {
    /// The word for scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub what: What,
}

impl From<What> for Finding {
    fn from(what: What) -> Self {
        Self { severity: what.severity(), what }
    }
}

/// What a finding is about: the same trouble has the same subject from one look to the next, also when it got worse and is
/// of another kind by then.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// What kinds that follow each other have in common; else the code.
    pub topic: String,
    /// Whom it is about: servers, groups, files, paths.
    pub names: Vec<String>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.topic, self.names.join(" "))
    }
}

/// Declares [`What`]: a row for each kind. The fields before the semicolon say whom it is about, those behind it how it is
/// now.
macro_rules! kinds {
    ($(
        $(#[$doc:meta])* $name:ident $code:literal $severity:ident
        { $( $whom:ident: String ),+ $(; $( $field:ident: $type:ty ),+ )? }
    )*) => {
        /// What was found.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the fields of a kind are named for what they are")]
        pub enum What {
            $( $(#[$doc])* $name { $( $whom: String, )+ $( $( $field: $type ),+ )? }, )*
        }

        impl What {
            /// Every kind's code and severity, for the page that lists them.
            pub const KINDS: &'static [(&'static str, Severity)] =
                &[$( ($code, Severity::$severity) ),*];

            /// The kind in a word that never changes.
            pub fn code(&self) -> &'static str {
                match self { $( Self::$name { .. } => $code, )* }
            }

            /// How bad this kind is.
            pub fn severity(&self) -> Severity {
                match self { $( Self::$name { .. } => Severity::$severity, )* }
            }

            /// The fields, for scripts.
            pub fn fields(&self) -> Map<String, Value> {
                let mut fields = Map::new();
                match self {
                    $( Self::$name { $( $whom, )+ $( $( $field ),+ )? } => {
                        $( fields.insert(stringify!($whom).to_owned(), json!($whom)); )+
                        $( $( fields.insert(stringify!($field).to_owned(), json!($field)); )+ )?
                    } )*
                }
                fields
            }

            fn names(&self) -> Vec<String> {
                match self { $( Self::$name { $( $whom, )+ .. } => vec![$( $whom.clone() ),+], )* }
            }
        }
    };
}

impl What {
    /// What it is about.
    pub fn subject(&self) -> Subject {
        Subject { topic: self.topic().to_owned(), names: self.names() }
    }

    /// Whether it stays as it is until somebody does something about it. What servers have not told each other yet, or not
    /// caught up with, may pass by itself.
    pub fn lasts(&self) -> bool {
        matches!(
            self,
            Self::ConfBad { .. }
                | Self::ConfOdd { .. }
                | Self::ConfUnknown { .. }
                | Self::SpaceOut { .. }
                | Self::SpaceLow { .. }
                | Self::PathNotFolder { .. }
                | Self::PathNotWritable { .. }
                | Self::PathSpaceLow { .. }
                | Self::OpenFilesFew { .. }
        )
    }

    /// Kinds of one topic are about the same names, and of these at most one is true at a time.
    fn topic(&self) -> &'static str {
        match self {
            Self::StorageUnreachable { .. }
            | Self::StorageOffline { .. }
            | Self::StorageWaits { .. }
            | Self::StorageGone { .. } => topic::STORAGE,
            Self::GroupSingle { .. } | Self::GroupOneLive { .. } | Self::GroupDead { .. } => "group",
            Self::SyncLag { .. } | Self::SyncLagFresh { .. } | Self::SyncNever { .. } => "sync",
            Self::CopiesDamaged { .. } | Self::CopiesMended { .. } => "scrub",
            Self::ClockAhead { .. } | Self::ClockBehind { .. } => "clock",
            Self::SpaceOut { .. } | Self::SpaceLow { .. } => "space",
            Self::PathMissing { .. }
            | Self::StorePathMissing { .. }
            | Self::PathNotFolder { .. }
            | Self::PathNotWritable { .. }
            | Self::PathSpaceLow { .. } => topic::PATH,
            Self::PortNobody { .. } | Self::PortStranger { .. } => topic::PORT,
            Self::ConfBad { .. } | Self::ConfUnknown { .. } => topic::CONF,
            _ => self.code(),
        }
    }
}

/// Topics that are asked for by name.
pub(crate) mod topic {
    pub(crate) const CONF: &str = "conf";
    pub(crate) const CONF_ODD: &str = "conf_odd";
    pub(crate) const OPEN_FILES: &str = "open_files_few";
    pub(crate) const PATH: &str = "path";
    pub(crate) const PORT: &str = "port";
    pub(crate) const STORAGE: &str = "storage";
    pub(crate) const TRACKER_SILENT: &str = "tracker_silent";
}

kinds! {
    /// A configuration does not load.
    ConfBad "conf_bad" Error { file: String; line: Option<u32>, key: String, reason: String }
    /// Something in a configuration is odd: an unknown key, say.
    ConfOdd "conf_odd" Warning { file: String, key: String; line: Option<u32>, reason: String }
    /// No kind of configuration has any key of the file.
    ConfUnknown "conf_unknown" Error { file: String }
    /// A tracker does not answer.
    TrackerSilent "tracker_silent" Error { tracker: String; reason: String }
    /// A tracker knows no group.
    NoGroups "no_groups" Warning { tracker: String }
    /// A tracker knows of no leader.
    LeaderNone "leader_none" Warning { tracker: String }
    /// Two trackers hold different ones for the leader.
    LeadersDiffer "leaders_differ" Error { tracker: String, other: String; leader: String, other_leader: String }
    /// Two trackers know different members.
    MembersDiffer "members_differ" Warning { tracker: String, other: String; only_first: Vec<String>, only_other: Vec<String> }
    /// A storage serves for one tracker and not for another.
    StatusDiffers "status_differs" Warning { storage: String, tracker: String, other: String; status: String, other_status: String }
    /// Clients are sent to a loopback address, and the tracker is elsewhere.
    AnnouncedLoopback "announced_loopback" Error { storage: String; address: String, tracker: String }
    /// Clients are sent to a private address by a tracker with a public one.
    AnnouncedPrivate "announced_private" Note { storage: String; address: String, tracker: String }
    /// A storage that serves cannot be reached where clients are sent.
    StorageUnreachable "storage_unreachable" Error { storage: String; address: String, reason: String, private: bool }
    /// A storage is not connected to the tracker.
    StorageOffline "storage_offline" Error { storage: String; address: String, answers: bool }
    /// A storage does not serve yet.
    StorageWaits "storage_waits" Warning { storage: String; status: String, source: Option<String> }
    /// A storage was removed or has another address now.
    StorageGone "storage_gone" Note { storage: String; status: String }
    /// A group has one member only.
    GroupSingle "group_single" Note { group: String; storage: String }
    /// Of several members one serves.
    GroupOneLive "group_one_live" Warning { group: String; storage: String, members: u64 }
    /// No member serves.
    GroupDead "group_dead" Error { group: String; members: u64 }
    /// A member lacks changes that others have.
    SyncLag "sync_lag" Warning { storage: String; seconds: i64 }
    /// It seems so, but the change is too new to tell.
    SyncLagFresh "sync_lag_fresh" Note { storage: String; seconds: i64 }
    /// A member never got anything from the others.
    SyncNever "sync_never" Warning { storage: String }
    /// Fewer members than wanted can have a change.
    CopiesDegraded "copies_degraded" Warning { storage: String; wanted: u64, possible: u64 }
    /// Changes were acknowledged with fewer copies.
    CopiesFewer "copies_fewer" Note { storage: String; changes: u64 }
    /// Files have no good copy.
    FilesWithoutCopy "files_without_copy" Error { storage: String; scrub: u64, quarantine: u64 }
    /// Bad copies were found, and not all mended.
    CopiesDamaged "copies_damaged" Warning { storage: String; bad: u64, missing: u64, mended: u64 }
    /// Bad copies were found and mended.
    CopiesMended "copies_mended" Note { storage: String; bad: u64, missing: u64 }
    /// Bad copies are kept aside.
    Quarantine "quarantine" Note { storage: String; copies: u64, bytes: u64 }
    /// A server's clock is ahead of ours.
    ClockAhead "clock_ahead" Warning { server: String; seconds: i64 }
    /// A server's clock is behind ours.
    ClockBehind "clock_behind" Warning { server: String; seconds: i64 }
    /// A storage takes no uploads any more.
    SpaceOut "space_out" Error { storage: String; free_mb: u64, reserved_mb: u64 }
    /// It will soon take none.
    SpaceLow "space_low" Warning { storage: String; free_mb: u64, reserved_mb: u64, total_mb: u64 }
    /// A base path does not exist.
    PathMissing "path_missing" Note { path: String }
    /// A store path does not exist.
    StorePathMissing "store_path_missing" Warning { path: String }
    /// It is no folder.
    PathNotFolder "path_not_folder" Error { path: String }
    /// It cannot be written to.
    PathNotWritable "path_not_writable" Error { path: String; reason: String }
    /// Its disk is nearly full.
    PathSpaceLow "path_space_low" Warning { path: String; free_mb: u64, total_mb: u64 }
    /// Too few files may be open.
    OpenFilesFew "open_files_few" Warning { file: String; max_connections: u64, needed: u64, limit: u64 }
    /// Nobody serves at a configured address.
    PortNobody "port_nobody" Warning { file: String, address: String; role: String }
    /// Somebody does, and is not the server.
    PortStranger "port_stranger" Error { file: String, address: String; holder: Option<String>, reason: String }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_page_lists_every_kind_with_its_severity_in_both_languages() {
        let pages = [
            include_str!("../../../docs/operations/doctor.md"),
            include_str!("../../../docs/operations/doctor.zh-CN.md"),
        ];
        let wanted: BTreeSet<(&str, &str)> =
            What::KINDS.iter().map(|(code, severity)| (*code, severity.word())).collect();
        assert_eq!(wanted.len(), What::KINDS.len(), "a code is used twice");
        for page in pages {
            let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
            let listed: BTreeSet<(&str, &str)> = rows
                .filter_map(|row| row.split_once("` | "))
                .filter_map(|(code, rest)| Some((code, rest.split(' ').next()?)))
                .collect();
            assert_eq!(listed, wanted);
        }
    }

    #[test]
    fn what_got_worse_is_still_about_the_same() {
        let storage = || "group1/a".to_owned();
        let low = What::SpaceLow { storage: storage(), free_mb: 5, reserved_mb: 1, total_mb: 9 };
        let out = What::SpaceOut { storage: storage(), free_mb: 0, reserved_mb: 1 };
        assert_eq!(low.subject(), out.subject());
        assert_eq!(low.subject().to_string(), "space group1/a");
        let lag = |seconds| What::SyncLag { storage: storage(), seconds }.subject();
        assert_eq!(lag(61), lag(7000), "what is measured is no part of it");
        assert_ne!(low.subject(), lag(61));
        let silent = What::TrackerSilent { tracker: "t".into(), reason: "refused".into() }.subject();
        assert_eq!(silent.topic, topic::TRACKER_SILENT);
    }

    #[test]
    fn fields_have_the_names_that_scripts_read() {
        let what = What::ConfBad {
            file: "a.conf".into(),
            line: Some(3),
            key: "port".into(),
            reason: "no number".into(),
        };
        let wanted = json!({"file": "a.conf", "line": 3, "key": "port", "reason": "no number"});
        assert_eq!(Value::from(what.fields()), wanted);
        assert_eq!((what.code(), what.severity()), ("conf_bad", Severity::Error));
    }
}
