//! What is wrong with a cluster: decided over what was seen, without asking anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

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
    /// Every storage with its status.
    pub members: BTreeMap<String, StorageStatus>,
    /// The newest beat of a storage that serves, by the tracker's clock.
    pub newest_beat: Option<i64>,
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
    /// The time of the newest change that it has of the others.
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
        !matches!(self.status, StorageStatus::Deleted | StorageStatus::IpChanged | StorageStatus::None)
    }
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
            Some((other, others)) => found.extend(differences((&other.name, others), (name, answer))),
        }
    }
    found
}

fn differences(first: (&str, &TrackerAnswer), second: (&str, &TrackerAnswer)) -> Vec<What> {
    let ((name, one), (other_name, other)) = (first, second);
    let mut found = Vec::new();
    if let (Some(leader), Some(other_leader)) = (&one.leader, &other.leader)
        && leader != other_leader
    {
        found.push(What::LeadersDiffer {
            tracker: name.to_owned(),
            leader: leader.clone(),
            other: other_name.to_owned(),
            other_leader: other_leader.clone(),
        });
    }
    let keys = |answer: &TrackerAnswer| answer.members.keys().cloned().collect::<BTreeSet<_>>();
    let (here, there) = (keys(one), keys(other));
    if here != there {
        found.push(What::MembersDiffer {
            tracker: name.to_owned(),
            other: other_name.to_owned(),
            only_first: here.difference(&there).cloned().collect(),
            only_other: there.difference(&here).cloned().collect(),
        });
    }
    for (storage, status) in &one.members {
        let Some(other_status) = other.members.get(storage) else { continue };
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

fn lag(storage: &StorageSeen, all: &[StorageSeen], now: i64) -> Option<What> {
    let others = all.iter().filter(|other| other.group == storage.group && other.name != storage.name);
    let newest = others.map(|other| other.last_source_update).max()?;
    if !storage.serves() || newest == 0 {
        return None;
    }
    let fresh = now.saturating_sub(newest) < REPORT_SECONDS_MAX;
    let name = storage.name.clone();
    if storage.last_synced == 0 {
        return (!fresh).then_some(What::SyncNever { storage: name });
    }
    let seconds = newest.saturating_sub(storage.last_synced);
    match (seconds > LAG_SECONDS_MAX, fresh) {
        (false, _) => None,
        (true, true) => Some(What::SyncLagFresh { storage: name, seconds }),
        (true, false) => Some(What::SyncLag { storage: name, seconds }),
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
                members: members.iter().map(|(name, status)| ((*name).to_owned(), *status)).collect(),
                newest_beat: Some(NOW - 10),
            }),
        }
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
                    answer(t).members.insert("a".into(), StorageStatus::Offline);
                },
                &["status_differs"],
            ),
            (
                |t| {
                    answer(t).members.insert("c".into(), StorageStatus::Active);
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
