//! The servers that keep the bytes, as an administrator sees them: how far a member is behind, and how busy the groups
//! have been.
//!
//! Members count since their start, and tell their trackers every now and then ([`MemberSeen::heard_at`]). What a group
//! does in a second is therefore worked out between two of a member's beats, not between two looks.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use doctor_core::decide::{self, Behind, Changes};
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::UnixMillis;

/// Groups that one look shows at most; a FastDFS cluster has no more.
pub const GROUPS_SEEN_MAX: usize = 512;

/// How often the past is added to.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(10);

/// What the past has at most: an hour.
pub const SAMPLES_MAX: usize = 360;

/// A rate whose member has not been heard for so long is none any more.
const RATE_STALE_S: i64 = 120;

/// Why a server did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServerFault {
    /// No connection: refused, no way there, no such host, or not in time.
    Unreachable,
    /// It took the question, and said nothing in time.
    Silent,
    /// It broke off, or said something that is no answer.
    Broken,
    /// It refused.
    Refused,
}

/// A tracker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackerSeen {
    /// As it is configured.
    pub address: String,
    /// None when it answers.
    pub fault: Option<ServerFault>,
    /// It is the one that leads, as those say that answer.
    pub leads: bool,
}

/// What a member is doing, as the trackers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// New; it is not decided yet who gives it the old files.
    Init,
    /// It waits for the old files.
    WaitSync,
    /// It is getting the old files.
    Syncing,
    /// What is left of an address that it had.
    IpChanged,
    /// An administrator removed it.
    Deleted,
    /// Not connected.
    Offline,
    /// Connected, and not serving yet.
    Online,
    /// Serving.
    Active,
    /// It rebuilds a disk.
    Recovery,
    /// Not known.
    Unknown,
}

/// What a member has counted since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Files that clients stored.
    pub uploads: u64,
    /// Files that clients fetched.
    pub downloads: u64,
    /// Files that clients deleted.
    pub deletes: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSeen {
    /// Its id among the storages.
    pub id: String,
    /// Address and port.
    pub address: String,
    /// What it is doing.
    pub state: MemberState,
    /// Of its program.
    pub version: String,
    /// When it started; none while it is away.
    pub since: Option<UnixMillis>,
    /// Bytes of its store paths.
    pub total_bytes: u64,
    /// Bytes free there.
    pub free_bytes: u64,
    /// What it did.
    pub counters: Counters,
    /// Connections that it has.
    pub connections: u32,
    /// Connections that it had at once at most.
    pub connections_max: u32,
    /// When it was last heard, by the tracker's clock.
    pub heard_at: Option<UnixMillis>,
    /// When a client last changed something on it, Unix seconds; 0 = never.
    pub changed_at_s: i64,
    /// When replication last changed something on it, Unix seconds; 0 = never.
    pub came_at_s: i64,
    /// Up to when it has what was changed on that of the others of which it has least, Unix seconds; 0 = it never got anything.
    pub synced_at_s: i64,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSeen {
    /// Its name.
    pub name: String,
    /// Bytes of the member with the least.
    pub total_bytes: u64,
    /// Bytes free there.
    pub free_bytes: u64,
    /// Bytes of it that stay free.
    pub reserved_bytes: u64,
    /// Its members; none when the tracker did not say in time.
    pub members: Option<Vec<MemberSeen>>,
}

/// All of it, at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSeen {
    /// The trackers, as they are configured.
    pub trackers: Vec<TrackerSeen>,
    /// The groups, by name; none when no tracker tells.
    pub groups: Option<Vec<GroupSeen>>,
}

/// Why a member is as far behind as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LagReason {
    /// There is nobody that it could be behind.
    Alone,
    /// Nothing was ever changed on the others.
    NothingToDo,
    /// It has all that the others have.
    UpToDate,
    /// It is getting what the others have.
    CatchingUp,
    /// It is new, or its disk is, and gets what was there before.
    Filling,
    /// It never got anything from the others.
    NeverSynced,
    /// It is not there.
    Away,
}

/// How far a member is behind the newest change on the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Seconds; none when that is not known.
    pub seconds: Option<u64>,
    /// Why.
    pub reason: LagReason,
}

/// How far the member at this place is behind, as far as that is certain ([`decide::behind`]).
pub fn lag(members: &[MemberSeen], place: usize) -> Lag {
    let Some(member) = members.get(place) else { return Lag { seconds: None, reason: LagReason::Away } };
    let others = members.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, other)| other.changes());
    if others.clone().all(|other| other.gone) {
        return Lag { seconds: None, reason: LagReason::Alone };
    }
    let (seconds, reason) = match (decide::behind(member.changes(), others), member.state) {
        (Behind::Nothing, _) => (Some(0), LagReason::NothingToDo),
        (_, MemberState::Init | MemberState::WaitSync | MemberState::Syncing | MemberState::Recovery) => {
            (None, LagReason::Filling)
        }
        (Behind::Never, MemberState::Active) => (None, LagReason::NeverSynced),
        (Behind::Never, _) => (None, LagReason::Away),
        (Behind::Seconds(seconds), state) => {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            let reason = match (state, seconds) {
                (MemberState::Active | MemberState::Online, 0) => LagReason::UpToDate,
                (MemberState::Active | MemberState::Online, _) => LagReason::CatchingUp,
                _ => LagReason::Away,
            };
            (Some(seconds), reason)
        }
    };
    Lag { seconds, reason }
}

impl MemberSeen {
    fn changes(&self) -> Changes {
        Changes {
            made: self.changed_at_s,
            came: self.came_at_s,
            synced: self.synced_at_s,
            gone: matches!(self.state, MemberState::Deleted | MemberState::IpChanged),
        }
    }
}

/// What happens in a second.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rates {
    /// Files stored.
    pub uploads: f64,
    /// Files fetched.
    pub downloads: f64,
    /// Bytes from clients.
    pub bytes_in: f64,
    /// Bytes to clients.
    pub bytes_out: f64,
}

impl Rates {
    /// Between two beats of a member. One that started meanwhile counts from zero again: what it did since.
    fn between(before: &Counters, after: &Counters, seconds: f64) -> Self {
        let of = |before: u64, after: u64| after.checked_sub(before).unwrap_or(after) as f64 / seconds;
        Self {
            uploads: of(before.uploads, after.uploads),
            downloads: of(before.downloads, after.downloads),
            bytes_in: of(before.bytes_in, after.bytes_in),
            bytes_out: of(before.bytes_out, after.bytes_out),
        }
    }

    fn add(&mut self, other: &Self) {
        self.uploads += other.uploads;
        self.downloads += other.downloads;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
    }
}

/// A group at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSample {
    /// Its name.
    pub name: String,
    /// Of all members together.
    pub rates: Rates,
    /// Bytes free on the member with the least.
    pub free_bytes: u64,
    /// Of the member that is furthest behind; none when that is not known of any.
    pub lag_s: Option<u64>,
}

/// All groups at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When.
    pub at: UnixMillis,
    /// None when no tracker told.
    pub groups: Option<Vec<GroupSample>>,
}

/// What a member said, and how busy it was.
#[derive(Debug, Clone)]
struct Heard {
    at: UnixMillis,
    counters: Counters,
    rates: Rates,
}

/// The last hour.
#[derive(Debug, Default)]
pub struct History {
    samples: VecDeque<Sample>,
    /// By group and id.
    heard: BTreeMap<(String, String), Heard>,
}

impl History {
    /// Takes a look in. The oldest goes when there are too many.
    pub fn take(&mut self, seen: &ClusterSeen, at: UnixMillis) {
        let mut heard = BTreeMap::new();
        let groups = seen.groups.as_ref().map(|groups| {
            let sampled = groups.iter().take(GROUPS_SEEN_MAX).map(|group| self.group(group, at, &mut heard));
            sampled.collect()
        });
        if groups.is_some() {
            self.heard = heard;
        }
        if self.samples.len() >= SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { at, groups });
    }

    fn group(
        &self,
        group: &GroupSeen,
        now: UnixMillis,
        heard: &mut BTreeMap<(String, String), Heard>,
    ) -> GroupSample {
        let members = group.members.as_deref().unwrap_or_default();
        let mut rates = Rates::default();
        for member in members {
            let Some(at) = member.heard_at else { continue };
            let key = (group.name.clone(), member.id.clone());
            let now_heard = match self.heard.get(&key) {
                Some(before) if before.at >= at => before.clone(),
                Some(before) => {
                    let seconds = (at.0 - before.at.0) as f64 / 1000.0;
                    let rates = Rates::between(&before.counters, &member.counters, seconds);
                    Heard { at, counters: member.counters, rates }
                }
                None => Heard { at, counters: member.counters, rates: Rates::default() },
            };
            if now.0.saturating_sub(at.0) <= RATE_STALE_S * 1000 {
                rates.add(&now_heard.rates);
            }
            heard.insert(key, now_heard);
        }
        GroupSample {
            name: group.name.clone(),
            rates,
            free_bytes: group.free_bytes,
            lag_s: (0..members.len()).filter_map(|place| lag(members, place).seconds).max(),
        }
    }

    /// The samples, the oldest first.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, state: MemberState, changed: i64, synced: i64) -> MemberSeen {
        MemberSeen {
            id: id.to_owned(),
            address: "10.0.0.1:23000".to_owned(),
            state,
            version: "6.16".to_owned(),
            since: None,
            total_bytes: 100,
            free_bytes: 50,
            counters: Counters::default(),
            connections: 0,
            connections_max: 0,
            heard_at: Some(UnixMillis(0)),
            changed_at_s: changed,
            came_at_s: 0,
            synced_at_s: synced,
        }
    }

    #[test]
    fn a_member_is_behind_the_newest_change_on_the_others() {
        use LagReason as R;
        use MemberState as S;
        let lags = |members: &[MemberSeen]| {
            let all = (0..members.len()).map(|place| lag(members, place));
            all.map(|lag| (lag.seconds, lag.reason)).collect::<Vec<_>>()
        };
        let active = |changed, synced| member("a", S::Active, changed, synced);
        assert_eq!(lags(&[active(100, 0)]), [(None, R::Alone)]);
        assert_eq!(
            lags(&[active(0, 0), active(0, 0)]),
            [(Some(0), R::NothingToDo), (Some(0), R::NothingToDo)]
        );
        assert_eq!(
            lags(&[active(100, 90), active(90, 70)]),
            [(Some(0), R::UpToDate), (Some(30), R::CatchingUp)]
        );
        assert_eq!(lags(&[active(100, 0), active(0, 0)])[1], (None, R::NeverSynced));
        assert_eq!(lags(&[active(100, 0), member("b", S::Syncing, 0, 50)])[1], (None, R::Filling));
        assert_eq!(lags(&[active(100, 0), member("b", S::Offline, 0, 50)])[1], (Some(50), R::Away));
        assert_eq!(lags(&[active(100, 0), member("b", S::Offline, 0, 0)])[1], (None, R::Away));
        // Of three one is idle: what it made long ago is all there is of it.
        let busy = MemberSeen { came_at_s: 95, ..active(100, 10) };
        assert_eq!(lags(&[busy.clone(), active(100, 10), active(10, 100)])[0], (Some(5), R::CatchingUp));
        let fresh = MemberSeen { came_at_s: 100, ..busy };
        assert_eq!(lags(&[fresh, active(100, 10), active(10, 100)])[0], (Some(0), R::UpToDate));
        // Who was removed is nobody to be behind.
        assert_eq!(lags(&[active(5, 5), member("b", S::Deleted, 100, 0)])[0], (None, R::Alone));
    }

    fn look(heard_s: i64, bytes_in: u64, uploads: u64) -> ClusterSeen {
        let mut one = member("a", MemberState::Active, 100, 100);
        one.heard_at = Some(UnixMillis(heard_s * 1000));
        one.counters = Counters { bytes_in, uploads, ..Counters::default() };
        let group = GroupSeen {
            name: "group1".to_owned(),
            total_bytes: 100,
            free_bytes: 50,
            reserved_bytes: 10,
            members: Some(vec![one]),
        };
        ClusterSeen { trackers: Vec::new(), groups: Some(vec![group]) }
    }

    #[test]
    fn rates_are_those_between_two_beats_however_often_it_is_looked() {
        let mut history = History::default();
        // It beats every 30 seconds, and starts again before the last beat.
        for (at, heard, bytes, uploads) in [
            (0, 0, 1000, 10),
            (10, 0, 1000, 10),
            (30, 30, 4000, 40),
            (40, 30, 4000, 40),
            (60, 60, 4000, 40),
            (90, 90, 300, 3),
            (300, 90, 300, 3),
        ] {
            history.take(&look(heard, bytes, uploads), UnixMillis(at * 1000));
        }
        history.take(&ClusterSeen { trackers: Vec::new(), groups: None }, UnixMillis(310_000));
        let rates: Vec<_> = history
            .samples()
            .map(|sample| {
                sample.groups.as_ref().map(|groups| (groups[0].rates.bytes_in, groups[0].rates.uploads))
            })
            .collect();
        let rate = |bytes, uploads| Some((bytes, uploads));
        assert_eq!(
            rates,
            [
                rate(0.0, 0.0),
                rate(0.0, 0.0),
                rate(100.0, 1.0),
                rate(100.0, 1.0),
                rate(0.0, 0.0),
                rate(10.0, 0.1),
                rate(0.0, 0.0),
                None
            ]
        );
    }

    #[test]
    fn the_past_has_an_end() {
        let mut history = History::default();
        for at in 0..(SAMPLES_MAX as i64 + 5) {
            history.take(&look(at, 0, 0), UnixMillis(at * 10_000));
        }
        let samples: Vec<_> = history.samples().collect();
        assert_eq!((samples.len(), samples[0].at), (SAMPLES_MAX, UnixMillis(50_000)));
        assert_eq!(history.heard.len(), 1);
    }
}
