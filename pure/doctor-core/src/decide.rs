//! What is wrong with a cluster: decided over what was seen, without asking anybody.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use fdfs_conf::IpClass;
use fdfs_proto::StorageStatus;

use crate::finding::What;

/// A clock may differ so much from ours: beats and answers take their time.
const CLOCK_SECONDS_MAX: i64 = 30;
/// Some storage that serves has beaten within this time, unless the tracker's clock is wrong: trackers take one that did not
/// for 100 s (`check_active_interval`) for offline.
const BEAT_AGE_SECONDS_MAX: i64 = 300;
/// A member may be so far behind the others.
const LAG_SECONDS_MAX: i64 = 60;
/// A change younger than this may be on a member that has not reported it yet: beats come every 30 s.
const REPORT_SECONDS_MAX: i64 = 120;
/// Space is low when less is left above the reserve than this part of the whole …
const SPACE_LOW_PART: u64 = 20;
/// … and less than this many megabytes.
const SPACE_LOW_MB_MAX: u64 = 10 * 1024;
/// A disk is nearly full when less is free than this part of it …
const DISK_LOW_PART: u64 = 50;
/// … and less than this many megabytes.
const DISK_LOW_MB_MAX: u64 = 1024;
/// Files a connection may need: its own and the one it reads or writes.
const FILES_PER_CONNECTION: u64 = 2;
/// Files besides: logs, journals, connections to others.
const FILES_BESIDES: u64 = 256;

/// What was seen of a cluster.
#[derive(Debug, Default)]
pub struct ClusterSeen {
    /// Our own time when the answers were there, Unix seconds.
    pub now: i64,
    /// All that were asked.
    pub trackers: Vec<TrackerSeen>,
    /// As the leader knows them, or the first tracker that answered.
    pub storages: Vec<StorageSeen>,
}

/// A tracker, asked.
#[derive(Debug)]
pub struct TrackerSeen {
    /// What people know it by.
    pub name: String,
    /// Its addresses where it is given by address.
    pub ips: Vec<IpAddr>,
    /// A `tracker_server` names it so; else its own configuration does.
    pub named: bool,
    /// What it said, or why it said nothing.
    pub answer: Result<TrackerAnswer, String>,
}

/// What a tracker said.
#[derive(Debug, Default)]
pub struct TrackerAnswer {
    /// Who leads, if it knows.
    pub leader: Option<String>,
    /// Every storage, by what does not depend on who asks: its group and its id.
    pub members: BTreeMap<(String, String), MemberSeen>,
    /// The newest beat of a storage that serves, by the tracker's clock.
    pub newest_beat: Option<i64>,
}

/// A storage, as one tracker knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSeen {
    /// Group, id, and the address that is shown to us: of two, the one that suits where we ask from.
    pub name: String,
    /// How it is.
    pub status: StorageStatus,
}

/// A storage, as a tracker knows it, and what it says itself.
#[derive(Debug, Clone)]
pub struct StorageSeen {
    /// Group, id, address.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Where clients are sent, if that is an address of IP.
    pub ip: Option<IpAddr>,
    /// The same with its port, for people.
    pub address: String,
    /// As the tracker knows it.
    pub status: StorageStatus,
    /// Who sends it the old files.
    pub source: Option<String>,
    /// Since when it runs, by its own clock, Unix seconds.
    pub up_time: i64,
    /// When a client last changed something here, by its own clock.
    pub last_source_update: i64,
    /// When replication last changed something here, by its own clock.
    pub last_sync_update: i64,
    /// Up to when it has the changes of that of the others of which it has least.
    pub last_synced: i64,
    /// Space of its disks.
    pub total_mb: u64,
    /// What of it is free.
    pub free_mb: u64,
    /// What is kept free by the tracker's wish.
    pub reserved_mb: u64,
    /// Whether it answers at its address.
    pub reached: Result<(), String>,
    /// Nothing unless it is one of ours and serves.
    pub figures: BTreeMap<String, u64>,
}

impl StorageSeen {
    fn serves(&self) -> bool {
        self.status == StorageStatus::Active
    }

    /// Whether all that can be known of it is known; of one that was removed there is nothing to know.
    pub(crate) fn tells(&self) -> bool {
        !self.belongs() || (self.serves() && self.reached.is_ok())
    }

    fn belongs(&self) -> bool {
        belongs(self.status)
    }

    fn changes(&self) -> Changes {
        Changes::of(self.status, self.last_source_update, self.last_sync_update, self.last_synced)
    }
}

fn belongs(status: StorageStatus) -> bool {
    !matches!(status, StorageStatus::Deleted | StorageStatus::IpChanged | StorageStatus::None)
}

/// All that is wrong.
pub fn cluster(seen: &ClusterSeen) -> Vec<What> {
    let mut found = trackers(&seen.trackers);
    found.extend(groups(&seen.storages));
    for storage in &seen.storages {
        found.extend(status(storage));
        found.extend(address(storage, &seen.trackers));
        found.extend(lag(storage, &seen.storages, seen.now));
        found.extend(copies(&storage.name, &storage.figures));
        found.extend(space(storage));
    }
    found.extend(clocks(seen));
    found
}

fn trackers(trackers: &[TrackerSeen]) -> Vec<What> {
    let mut found = Vec::new();
    let mut first: Option<(&TrackerSeen, &TrackerAnswer)> = None;
    for tracker in trackers {
        let name = &tracker.name;
        let answer = match &tracker.answer {
            Ok(answer) => answer,
            Err(reason) => {
                found.push(What::TrackerSilent { tracker: name.clone(), reason: reason.clone() });
                continue;
            }
        };
        if answer.members.is_empty() {
            found.push(What::NoGroups { tracker: name.clone() });
        } else if answer.leader.is_none() {
            // Trackers know each other from the storages, so without these there is no leader.
            found.push(What::LeaderNone { tracker: name.clone() });
        }
        match first {
            None => first = Some((tracker, answer)),
            Some(first) => found.extend(differences(first, (tracker, answer), trackers)),
        }
    }
    found
}

fn differences(
    (first, one): (&TrackerSeen, &TrackerAnswer),
    (second, other): (&TrackerSeen, &TrackerAnswer),
    all: &[TrackerSeen],
) -> Vec<What> {
    let (name, other_name) = (first.name.as_str(), second.name.as_str());
    let mut found = Vec::new();
    if let (Some(leader), Some(other_leader)) = (&one.leader, &other.leader)
        && leader != other_leader
        && !may_be_one((first, leader), (second, other_leader), all)
    {
        found.push(What::LeadersDiffer {
            tracker: name.to_owned(),
            leader: leader.clone(),
            other: other_name.to_owned(),
            other_leader: other_leader.clone(),
        });
    }
    let missing = |here: &TrackerAnswer, there: &TrackerAnswer| -> Vec<String> {
        let only = here.members.iter().filter(|(key, _)| !there.members.contains_key(*key));
        only.map(|(_, member)| member.name.clone()).collect()
    };
    let (only_first, only_other) = (missing(one, other), missing(other, one));
    if !only_first.is_empty() || !only_other.is_empty() {
        found.push(What::MembersDiffer {
            tracker: name.to_owned(),
            other: other_name.to_owned(),
            only_first,
            only_other,
        });
    }
    for (key, member) in &one.members {
        let Some(MemberSeen { status: other_status, .. }) = other.members.get(key) else { continue };
        let MemberSeen { name: storage, status } = member;
        if (*status == StorageStatus::Active) != (*other_status == StorageStatus::Active) {
            found.push(What::StatusDiffers {
                storage: storage.clone(),
                tracker: name.to_owned(),
                status: status.caption().to_owned(),
                other: other_name.to_owned(),
                other_status: other_status.caption().to_owned(),
            });
        }
    }
    found
}

/// Whether two addresses of leaders, each with the tracker that says so, may be those of one tracker: it has two at most, and
/// shows the one that suits where we ask from, which for one of its own addresses may be another network than for the other.
/// They are two when each says so of itself, at the address at which it was asked, and nobody was asked at both.
fn may_be_one(
    (first, leader): (&TrackerSeen, &str),
    (second, other): (&TrackerSeen, &str),
    all: &[TrackerSeen],
) -> bool {
    let (Ok(one), Ok(other)) = (leader.parse::<SocketAddr>(), other.parse::<SocketAddr>()) else {
        return false;
    };
    if one.port() != other.port() || IpClass::of(one.ip()) == IpClass::of(other.ip()) {
        return false;
    }
    let is_at = |tracker: &TrackerSeen, address: SocketAddr| tracker.ips.contains(&address.ip());
    let both_lead = is_at(first, one) && is_at(second, other);
    !both_lead || all.iter().any(|tracker| is_at(tracker, one) && is_at(tracker, other))
}

fn groups(storages: &[StorageSeen]) -> Vec<What> {
    let mut groups: BTreeMap<&str, Vec<&StorageSeen>> = BTreeMap::new();
    for storage in storages.iter().filter(|storage| storage.belongs()) {
        groups.entry(&storage.group).or_default().push(storage);
    }
    let judge = |(group, members): (&str, Vec<&StorageSeen>)| {
        let live: Vec<_> = members.iter().filter(|member| member.serves()).collect();
        let count = members.len() as u64;
        let group = group.to_owned();
        match live.as_slice() {
            [] => Some(What::GroupDead { group, members: count }),
            [only] if count == 1 => Some(What::GroupSingle { group, storage: only.name.clone() }),
            [only] => Some(What::GroupOneLive { group, storage: only.name.clone(), members: count }),
            _ => None,
        }
    };
    groups.into_iter().filter_map(judge).collect()
}

fn status(storage: &StorageSeen) -> Option<What> {
    let name = storage.name.clone();
    let status = storage.status.caption().to_owned();
    match storage.status {
        StorageStatus::Active => None,
        StorageStatus::Offline => Some(What::StorageOffline {
            storage: name,
            address: storage.address.clone(),
            answers: storage.reached.is_ok(),
        }),
        StorageStatus::Deleted | StorageStatus::IpChanged | StorageStatus::None => {
            Some(What::StorageGone { storage: name, status })
        }
        StorageStatus::Init
        | StorageStatus::WaitSync
        | StorageStatus::Syncing
        | StorageStatus::Online
        | StorageStatus::Recovery => {
            Some(What::StorageWaits { storage: name, status, source: storage.source.clone() })
        }
    }
}

fn address(storage: &StorageSeen, trackers: &[TrackerSeen]) -> Option<What> {
    if !storage.belongs() {
        return None;
    }
    let name = storage.name.clone();
    let address = storage.address.clone();
    let private = storage.ip.is_some_and(is_private);
    let named = |fits: fn(IpAddr) -> bool| {
        let fits = |tracker: &&TrackerSeen| tracker.named && tracker.ips.iter().any(|ip| fits(*ip));
        trackers.iter().find(fits).map(|tracker| tracker.name.clone())
    };
    if storage.ip.is_some_and(|ip| ip.is_loopback())
        && let Some(tracker) = named(|ip| !ip.is_loopback())
    {
        return Some(What::AnnouncedLoopback { storage: name, address, tracker });
    }
    if storage.serves()
        && let Err(reason) = &storage.reached
    {
        return Some(What::StorageUnreachable { storage: name, address, reason: reason.clone(), private });
    }
    let tracker = named(|ip| !ip.is_loopback() && IpClass::of(ip) == IpClass::Outer)?;
    private.then_some(What::AnnouncedPrivate { storage: name, address, tracker })
}

fn is_private(ip: IpAddr) -> bool {
    IpClass::of(ip) != IpClass::Outer
}

/// What trackers show of a member's changes, Unix seconds, 0 = never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    /// When a client last changed something on it.
    pub made: i64,
    /// When something of the others last came to it.
    pub came: i64,
    /// Up to when it has the changes of that of the others of which it has least.
    pub synced: i64,
    /// It is not a member any more.
    pub gone: bool,
}

impl Changes {
    /// Of a member in this status, with these figures.
    pub fn of(status: StorageStatus, made: i64, came: i64, synced: i64) -> Self {
        Self { made, came, synced, gone: !belongs(status) }
    }
}

/// How far a member is behind the others of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// There is nothing to compare with: it is alone, or nothing has changed anywhere.
    Nothing,
    /// It has never got anything from the others.
    Never,
    /// At least so many seconds.
    Seconds(i64),
}

/// How far a member is behind the others, as far as that is certain.
///
/// Up to when it has everything is told of one of the others only: that of which it has least. That may be one on which
/// nothing has changed for long, so it says nothing of the others' newer changes. Certain is that a change is missing here
/// when it is newer than that on every other member, or when nothing at all has come since it was made. A member that still
/// gets changes, but slowly, is not seen in this way while another one is idle.
pub fn behind(member: Changes, others: impl Iterator<Item = Changes> + Clone) -> Behind {
    let newest = others.clone().filter(|other| !other.gone).map(|other| other.made).max().unwrap_or(0);
    if newest == 0 {
        return Behind::Nothing;
    }
    if member.synced == 0 {
        return Behind::Never;
    }
    // One that is gone may be the one of which it has least, until it reports again.
    let oldest = others.map(|other| other.made).min().unwrap_or(0);
    let of_all = oldest.saturating_sub(member.synced);
    let since_came = if member.came == 0 { 0 } else { newest.saturating_sub(member.came) };
    let at_most = newest.saturating_sub(member.synced);
    Behind::Seconds(of_all.max(since_came.min(at_most)).max(0))
}

fn lag(storage: &StorageSeen, all: &[StorageSeen], now: i64) -> Option<What> {
    let others = all.iter().filter(|other| other.group == storage.group && other.name != storage.name);
    let newest =
        others.clone().filter(|other| other.belongs()).map(|other| other.last_source_update).max()?;
    if !storage.serves() {
        return None;
    }
    let fresh = now.saturating_sub(newest) < REPORT_SECONDS_MAX;
    let name = storage.name.clone();
    match behind(storage.changes(), others.map(StorageSeen::changes)) {
        Behind::Nothing => None,
        Behind::Never => (!fresh).then_some(What::SyncNever { storage: name }),
        Behind::Seconds(seconds) => match (seconds > LAG_SECONDS_MAX, fresh) {
            (false, _) => None,
            (true, true) => Some(What::SyncLagFresh { storage: name, seconds }),
            (true, false) => Some(What::SyncLag { storage: name, seconds }),
        },
    }
}

/// What the figures that a storage tells of itself say about copies of its files.
pub fn copies(storage: &str, figures: &BTreeMap<String, u64>) -> Vec<What> {
    let get = |name: &str| figures.get(name).copied().unwrap_or(0);
    let name = || storage.to_owned();
    let mut found = Vec::new();
    let changes = get("changes_with_fewer_copies_total");
    if get("copies_degraded") > 0 {
        let (wanted, possible) = (get("copies_wanted"), get("copies_possible"));
        found.push(What::CopiesDegraded { storage: name(), wanted, possible });
    }
    if changes > 0 {
        found.push(What::CopiesFewer { storage: name(), changes });
    }
    let (scrub, quarantine) = (get("scrub_hopeless"), get("quarantine_lost"));
    if scrub > 0 || quarantine > 0 {
        found.push(What::FilesWithoutCopy { storage: name(), scrub, quarantine });
    }
    let (bad, missing) = (get("scrub_bad_total"), get("scrub_missing_total"));
    let mended = get("scrub_mended_total");
    if mended < bad.saturating_add(missing) {
        found.push(What::CopiesDamaged { storage: name(), bad, missing, mended });
    } else if mended > 0 {
        found.push(What::CopiesMended { storage: name(), bad, missing });
    }
    if get("quarantine_copies") > 0 {
        let (copies, bytes) = (get("quarantine_copies"), get("quarantine_bytes"));
        found.push(What::Quarantine { storage: name(), copies, bytes });
    }
    found
}

fn space(storage: &StorageSeen) -> Option<What> {
    let StorageSeen { free_mb, reserved_mb, total_mb, .. } = *storage;
    // A storage that has not reported its disks yet has none.
    if !storage.serves() || total_mb == 0 {
        return None;
    }
    let name = storage.name.clone();
    let left = free_mb.saturating_sub(reserved_mb);
    if left == 0 {
        return Some(What::SpaceOut { storage: name, free_mb, reserved_mb });
    }
    let low = left < SPACE_LOW_MB_MAX.min(total_mb / SPACE_LOW_PART);
    low.then_some(What::SpaceLow { storage: name, free_mb, reserved_mb, total_mb })
}

fn clocks(seen: &ClusterSeen) -> Vec<What> {
    let mut found = Vec::new();
    for tracker in &seen.trackers {
        let Some(beat) = tracker.answer.as_ref().ok().and_then(|answer| answer.newest_beat) else { continue };
        let ahead = beat.saturating_sub(seen.now);
        let server = tracker.name.clone();
        if ahead > CLOCK_SECONDS_MAX {
            found.push(What::ClockAhead { server, seconds: ahead });
        } else if -ahead > BEAT_AGE_SECONDS_MAX {
            found.push(What::ClockBehind { server, seconds: -ahead });
        }
    }
    for storage in &seen.storages {
        let ahead = storage.up_time.max(storage.last_source_update).saturating_sub(seen.now);
        if ahead > CLOCK_SECONDS_MAX {
            found.push(What::ClockAhead { server: storage.name.clone(), seconds: ahead });
        }
    }
    found
}

/// What a path of a configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathSeen {
    /// Nothing is there.
    Missing,
    /// Something else is there.
    NotFolder,
    /// It cannot be looked at or written to.
    Refused(String),
    /// A folder that can be written to, with the space of its disk.
    Fine {
        /// What is free of the disk.
        free_mb: u64,
        /// The whole disk.
        total_mb: u64,
    },
}

/// What is wrong with a path.
pub fn path(path: &str, is_store: bool, seen: PathSeen) -> Option<What> {
    let path = path.to_owned();
    match seen {
        PathSeen::Missing if is_store => Some(What::StorePathMissing { path }),
        PathSeen::Missing => Some(What::PathMissing { path }),
        PathSeen::NotFolder => Some(What::PathNotFolder { path }),
        PathSeen::Refused(reason) => Some(What::PathNotWritable { path, reason }),
        PathSeen::Fine { free_mb, total_mb } => {
            let low = free_mb < DISK_LOW_MB_MAX.min(total_mb / DISK_LOW_PART);
            low.then_some(What::PathSpaceLow { path, free_mb, total_mb })
        }
    }
}

/// Whether so many files are enough for so many connections; without a limit they are.
pub fn open_files(file: &str, max_connections: u64, limit: Option<u64>) -> Option<What> {
    let needed = max_connections.saturating_mul(FILES_PER_CONNECTION).saturating_add(FILES_BESIDES);
    let limit = limit.filter(|limit| *limit < needed)?;
    Some(What::OpenFilesFew { file: file.to_owned(), max_connections, needed, limit })
}

/// What is at an address where a server is configured to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortSeen {
    /// Nobody listens.
    Nobody,
    /// The server answers.
    Answers,
    /// Somebody, who does not answer as the server would.
    Stranger {
        /// The process, if we may see it.
        holder: Option<String>,
        /// What is wrong with the answer.
        reason: String,
    },
}

/// What is wrong there.
pub fn port(file: &str, address: &str, role: &str, seen: PortSeen) -> Option<What> {
    let (file, address) = (file.to_owned(), address.to_owned());
    match seen {
        PortSeen::Answers => None,
        PortSeen::Nobody => Some(What::PortNobody { file, address, role: role.to_owned() }),
        PortSeen::Stranger { holder, reason } => Some(What::PortStranger { file, address, holder, reason }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn storage(name: &str) -> StorageSeen {
        StorageSeen {
            name: name.into(),
            group: "group1".into(),
            ip: Some([10, 0, 0, 1].into()),
            address: "10.0.0.1:23000".into(),
            status: StorageStatus::Active,
            source: None,
            up_time: NOW - 1000,
            last_source_update: 0,
            last_sync_update: 0,
            last_synced: 0,
            total_mb: 100_000,
            free_mb: 50_000,
            reserved_mb: 1000,
            reached: Ok(()),
            figures: BTreeMap::new(),
        }
    }

    fn tracker(name: &str, ip: [u8; 4], members: &[(&str, StorageStatus)]) -> TrackerSeen {
        TrackerSeen {
            name: name.into(),
            ips: vec![ip.into()],
            named: true,
            answer: Ok(TrackerAnswer {
                leader: Some("t1".into()),
                members: members.iter().map(|(id, status)| member(id, id, *status)).collect(),
                newest_beat: Some(NOW - 10),
            }),
        }
    }

    fn member(id: &str, name: &str, status: StorageStatus) -> ((String, String), MemberSeen) {
        (("group1".to_owned(), id.to_owned()), MemberSeen { name: name.to_owned(), status })
    }

    fn answer(tracker: &mut TrackerSeen) -> &mut TrackerAnswer {
        tracker.answer.as_mut().unwrap()
    }

    fn codes(found: impl IntoIterator<Item = What>) -> Vec<&'static str> {
        found.into_iter().map(|what| what.code()).collect()
    }

    #[test]
    fn nothing_is_wrong_with_a_healthy_cluster() {
        let members = [("a", StorageStatus::Active), ("b", StorageStatus::Active)];
        let seen = ClusterSeen {
            now: NOW,
            trackers: vec![tracker("t1", [10, 0, 0, 8], &members), tracker("t2", [10, 0, 0, 9], &members)],
            storages: vec![storage("a"), storage("b")],
        };
        assert_eq!(codes(cluster(&seen)), [""; 0]);
    }

    #[test]
    fn trackers_that_are_silent_or_disagree_are_named() {
        type Spoil = fn(&mut TrackerSeen);
        let table: [(Spoil, &[&str]); 7] = [
            (|_| {}, &[]),
            (|t| t.answer = Err("refused".into()), &["tracker_silent"]),
            (|t| answer(t).leader = None, &["leader_none"]),
            (|t| answer(t).leader = Some("t2".into()), &["leaders_differ"]),
            (|t| answer(t).members.clear(), &["no_groups", "members_differ"]),
            (
                |t| {
                    answer(t).members.extend([member("a", "a", StorageStatus::Offline)]);
                },
                &["status_differs"],
            ),
            (
                |t| {
                    answer(t).members.extend([member("c", "c", StorageStatus::Active)]);
                },
                &["members_differ"],
            ),
        ];
        for (number, (spoil, wanted)) in table.into_iter().enumerate() {
            let members = [("a", StorageStatus::Active)];
            let mut second = tracker("t2", [10, 0, 0, 9], &members);
            spoil(&mut second);
            let all = [tracker("t1", [10, 0, 0, 8], &members), second];
            assert_eq!(codes(trackers(&all)), wanted, "row {number}");
        }
    }

    #[test]
    fn one_tracker_asked_at_two_addresses_does_not_disagree_with_itself() {
        use StorageStatus::Active;
        let seen = |own: [u8; 4], leader: &str, members: &[(&str, &str)]| {
            let mut tracker = tracker(leader, own, &[]);
            answer(&mut tracker).leader = Some(leader.to_owned());
            answer(&mut tracker).members =
                members.iter().map(|(id, name)| member(id, name, Active)).collect();
            tracker
        };
        let inner = [("1", "group1/1 (10.0.0.1:23000)"), ("2", "group1/2 (10.0.0.2:23000)")];
        let outer = [("1", "group1/1 (192.168.0.1:23000)"), ("2", "group1/2 (10.0.0.2:23000)")];
        let first = || seen([10, 0, 0, 5], "10.0.0.5:22122", &inner);
        let codes_with = |second| codes(trackers(&[first(), second]));
        assert_eq!(codes_with(seen([127, 0, 0, 1], "192.168.0.5:22122", &outer)), [""; 0]);
        assert_eq!(codes_with(seen([127, 0, 0, 1], "192.168.0.5:22122", &outer[..1])), ["members_differ"]);
        assert_eq!(codes_with(seen([10, 0, 0, 6], "10.0.0.6:22122", &inner)), ["leaders_differ"]);
        assert_eq!(codes_with(seen([127, 0, 0, 1], "192.168.0.5:22123", &outer)), ["leaders_differ"]);
    }

    #[test]
    fn trackers_in_two_networks_differ_when_each_says_that_it_leads_itself() {
        let seen = |ips: &[[u8; 4]], leader: &str| {
            let mut tracker = tracker(leader, [127, 0, 0, 1], &[("a", StorageStatus::Active)]);
            tracker.ips = ips.iter().map(|ip| (*ip).into()).collect();
            answer(&mut tracker).leader = Some(leader.to_owned());
            tracker
        };
        let (inner, outer) = ([10, 0, 0, 5], [192, 168, 0, 5]);
        let (at_inner, at_outer) = ("10.0.0.5:22122", "192.168.0.5:22122");
        let inner_leads = || seen(&[inner], at_inner);
        let outer_leads = || seen(&[outer], at_outer);
        let table = [
            ("each leads itself", vec![inner_leads(), outer_leads()], vec!["leaders_differ"]),
            ("one follows", vec![inner_leads(), seen(&[[192, 168, 0, 6]], at_outer)], vec![]),
            ("where one was asked is not known", vec![inner_leads(), seen(&[], at_outer)], vec![]),
            ("one has both addresses", vec![seen(&[inner, outer], at_inner), outer_leads()], vec![]),
            (
                "a third names both as one",
                vec![inner_leads(), outer_leads(), seen(&[inner, outer], at_inner)],
                vec![],
            ),
        ];
        for (why, all, wanted) in table {
            assert_eq!(codes(trackers(&all)), wanted, "{why}");
        }
    }

    #[test]
    fn addresses_are_judged_by_where_the_trackers_are() {
        let silent = Err("refused".to_owned());
        let (private, public, loopback) = ([10, 0, 0, 9], [8, 8, 8, 8], [127, 0, 0, 1]);
        let table = [
            (private, private, Ok(()), None),
            (loopback, loopback, Ok(()), None),
            (loopback, private, Ok(()), Some("announced_loopback")),
            (loopback, public, silent.clone(), Some("announced_loopback")),
            (private, public, Ok(()), Some("announced_private")),
            (private, public, silent.clone(), Some("storage_unreachable")),
            (public, public, Ok(()), None),
            (public, public, silent, Some("storage_unreachable")),
        ];
        for (own, of_tracker, reached, wanted) in table {
            let storage = StorageSeen { ip: Some(own.into()), reached, ..storage("a") };
            let trackers = [tracker("t1", of_tracker, &[])];
            assert_eq!(
                codes(address(&storage, &trackers)).first().copied(),
                wanted,
                "{own:?} {of_tracker:?}"
            );
        }
        let mut unnamed = tracker("t1", private, &[]);
        unnamed.named = false;
        let storage = StorageSeen { ip: Some(loopback.into()), ..storage("a") };
        assert_eq!(address(&storage, &[unnamed]), None, "what a tracker is bound to is not what clients use");
    }

    #[test]
    fn each_status_has_its_finding_and_each_group_needs_members_that_serve() {
        for status_now in StorageStatus::ALL {
            let wanted = match status_now {
                StorageStatus::Active => None,
                StorageStatus::Offline => Some("storage_offline"),
                StorageStatus::Deleted | StorageStatus::IpChanged | StorageStatus::None => {
                    Some("storage_gone")
                }
                _ => Some("storage_waits"),
            };
            let seen = StorageSeen { status: status_now, ..storage("a") };
            assert_eq!(status(&seen).map(|what| what.code()), wanted, "{}", status_now.caption());
        }
        use StorageStatus::{Active, Deleted, Offline};
        let table: [(&[StorageStatus], &[&str]); 6] = [
            (&[Active, Active], &[]),
            (&[Active], &["group_single"]),
            (&[Active, Deleted], &["group_single"]),
            (&[Active, Offline], &["group_one_live"]),
            (&[Offline, Offline], &["group_dead"]),
            (&[Deleted], &[]),
        ];
        for (statuses, wanted) in table {
            let members: Vec<_> =
                statuses.iter().map(|status| StorageSeen { status: *status, ..storage("x") }).collect();
            assert_eq!(codes(groups(&members)), wanted, "{statuses:?}");
        }
    }

    #[test]
    fn a_member_is_behind_when_it_had_time_to_report_and_did_not() {
        let old = NOW - REPORT_SECONDS_MAX;
        let table = [
            (0, 0, None),
            (old, 0, Some("sync_never")),
            (NOW - 1, 0, None),
            (old, old - LAG_SECONDS_MAX, None),
            (old, old - LAG_SECONDS_MAX - 1, Some("sync_lag")),
            (NOW - 1, NOW - 1000, Some("sync_lag_fresh")),
            (old, NOW, None),
        ];
        for (newest, last_synced, wanted) in table {
            let member = StorageSeen { last_synced, ..storage("a") };
            let other = StorageSeen { last_source_update: newest, ..storage("b") };
            let all = [member.clone(), other];
            let found = lag(&member, &all, NOW).map(|what| what.code());
            assert_eq!(found, wanted, "{newest} {last_synced}");
        }
        let alone = storage("a");
        assert_eq!(lag(&alone, std::slice::from_ref(&alone), NOW), None);
    }

    #[test]
    fn a_member_is_not_behind_because_another_one_is_idle() {
        let (now, idle) = (NOW, NOW - 50_000);
        let old = now - REPORT_SECONDS_MAX;
        // Of three: what came to it and when, and what of the idle and of the busy one it has.
        let table = [
            ("it has everything", old, idle, None),
            ("nothing has come since before the change", old - LAG_SECONDS_MAX - 1, idle, Some("sync_lag")),
            ("a little before is no lag", old - LAG_SECONDS_MAX, idle, None),
            ("it lacks changes of both", old, idle - LAG_SECONDS_MAX - 1, Some("sync_lag")),
            ("it has never got anything", 0, 0, Some("sync_never")),
            ("it does not know when something came", 0, idle, None),
        ];
        for (why, last_sync_update, last_synced, wanted) in table {
            let member = StorageSeen { last_sync_update, last_synced, ..storage("a") };
            let busy = StorageSeen { last_source_update: old, ..storage("b") };
            let idle = StorageSeen { last_source_update: idle, ..storage("c") };
            let all = [member.clone(), busy, idle];
            assert_eq!(lag(&member, &all, now).map(|what| what.code()), wanted, "{why}");
        }
    }

    #[test]
    fn one_that_was_removed_is_nobody_to_be_behind_of_and_may_be_the_one_of_which_it_has_least() {
        let old = NOW - REPORT_SECONDS_MAX;
        let removed = |last_source_update| StorageSeen {
            last_source_update,
            status: StorageStatus::Deleted,
            ..storage("c")
        };
        let member = StorageSeen { last_sync_update: old, last_synced: old - 5000, ..storage("a") };
        let other = StorageSeen { last_source_update: old, ..storage("b") };
        assert_eq!(lag(&member, &[member.clone(), other, removed(old - 5000)], NOW), None);
        assert_eq!(lag(&member, &[member.clone(), removed(old)], NOW), None);
    }

    #[test]
    fn figures_tell_of_copies() {
        type Row<'a> = (&'a [(&'a str, u64)], &'a [&'a str]);
        let table: [Row<'_>; 7] = [
            (&[], &[]),
            (&[("copies_degraded", 1), ("copies_wanted", 2), ("copies_possible", 1)], &["copies_degraded"]),
            (&[("changes_with_fewer_copies_total", 3)], &["copies_fewer"]),
            (&[("quarantine_lost", 1)], &["files_without_copy"]),
            (&[("scrub_bad_total", 2), ("scrub_mended_total", 1)], &["copies_damaged"]),
            (&[("scrub_bad_total", 2), ("scrub_mended_total", 2)], &["copies_mended"]),
            (&[("quarantine_copies", 1), ("quarantine_bytes", 9)], &["quarantine"]),
        ];
        for (figures, wanted) in table {
            let figures = figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
            assert_eq!(codes(copies("a", &figures)), wanted);
        }
    }

    #[test]
    fn space_is_judged_above_the_reserve() {
        let table = [
            (50_000, 100_000, None),
            (6000, 100_000, None),
            (5999, 100_000, Some("space_low")),
            (1000, 100_000, Some("space_out")),
            (0, 100_000, Some("space_out")),
            (12_000, 100_000_000, None),
            (0, 0, None),
        ];
        for (free_mb, total_mb, wanted) in table {
            let seen = StorageSeen { free_mb, total_mb, ..storage("a") };
            assert_eq!(space(&seen).map(|what| what.code()), wanted, "{free_mb} of {total_mb}");
        }
    }

    #[test]
    fn clocks_may_differ_within_their_bounds() {
        let table = [
            (NOW - 10, NOW, &[] as &[&str]),
            (NOW + CLOCK_SECONDS_MAX, NOW + CLOCK_SECONDS_MAX, &[]),
            (NOW + CLOCK_SECONDS_MAX + 1, NOW, &["clock_ahead"]),
            (NOW - BEAT_AGE_SECONDS_MAX - 1, NOW, &["clock_behind"]),
            (NOW, NOW + CLOCK_SECONDS_MAX + 1, &["clock_ahead"]),
        ];
        for (beat, up_time, wanted) in table {
            let mut one = tracker("t1", [10, 0, 0, 8], &[]);
            answer(&mut one).newest_beat = Some(beat);
            let storages = vec![StorageSeen { up_time, ..storage("a") }];
            assert_eq!(codes(clocks(&ClusterSeen { now: NOW, trackers: vec![one], storages })), wanted);
        }
    }

    #[test]
    fn paths_ports_and_limits_are_judged_by_what_is_there() {
        let fine = |free_mb, total_mb| PathSeen::Fine { free_mb, total_mb };
        let table = [
            (false, PathSeen::Missing, Some("path_missing")),
            (true, PathSeen::Missing, Some("store_path_missing")),
            (true, PathSeen::NotFolder, Some("path_not_folder")),
            (true, PathSeen::Refused("denied".into()), Some("path_not_writable")),
            (true, fine(500, 100_000), Some("path_space_low")),
            (true, fine(500, 1000), None),
            (true, fine(2000, 100_000_000), None),
        ];
        for (is_store, seen, wanted) in table {
            assert_eq!(path("/x", is_store, seen).map(|what| what.code()), wanted);
        }
        assert_eq!(open_files("x.conf", 256, Some(768)), None);
        assert_eq!(open_files("x.conf", 256, None), None);
        assert_eq!(codes(open_files("x.conf", 256, Some(767))), ["open_files_few"]);
        let stranger = PortSeen::Stranger { holder: None, reason: "no answer".into() };
        let table = [
            (PortSeen::Answers, None),
            (PortSeen::Nobody, Some("port_nobody")),
            (stranger, Some("port_stranger")),
        ];
        for (seen, wanted) in table {
            assert_eq!(port("x.conf", "1.2.3.4:1", "tracker", seen).map(|what| what.code()), wanted);
        }
    }
}
