//! Storages that are only said to be: joins, beats, reports, and what trackers tell of such groups.
//!
//! Everything that depends on the state of the whole cluster is asked here, by one stream, so that the order is the same
//! for both trackers. The real group has one storage that nothing here touches.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use fdfs_fileid::{ExtName, SizeWord, Source, Stamp, StorePathIndex, build_name};
use fdfs_proto::{Peer, StorageStatus, TrackerCommand};

use crate::chance::Chance;
use crate::compare::{Difference, Place};
use crate::layout::{self, Shape};
use crate::peer_stream::now;
use crate::request::{Body, Request};
use crate::storage_stream::spoil;
use crate::wire::Pair;

/// Groups of made-up storages, and how many each has at most.
const GROUPS: [&[u8]; 2] = [b"alpha", b"beta"];
const PORT: i64 = 23000;

/// One made-up storage: its address is its id.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) ip: Ipv4Addr,
    group: &'static [u8],
    pub(crate) joined: bool,
    /// It has joined before.
    pub(crate) known: bool,
    /// It has sent a beat since it joined.
    pub(crate) active: bool,
}

/// Who sends the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Somebody who never joins.
    Client,
    /// This member, over its own connection.
    Member(usize),
}

/// What to do next.
pub(crate) enum Step {
    Ask {
        by: Sender,
        request: Request,
    },
    /// A member goes away; its status has to be the same on both sides before anything else is asked.
    Leave(usize),
}

/// The members and their next deeds.
pub(crate) struct MembersStream {
    pub(crate) members: Vec<Member>,
    places: Pair<Place>,
    begun: u32,
}

impl MembersStream {
    pub(crate) fn new(addresses: &[Ipv4Addr], places: Pair<Place>) -> MembersStream {
        let member = |(index, ip): (usize, &Ipv4Addr)| Member {
            ip: *ip,
            group: if index % 5 < 3 { GROUPS[0] } else { GROUPS[1] },
            joined: false,
            known: false,
            active: false,
        };
        let members = addresses.iter().enumerate().map(member).collect();
        MembersStream { members, places, begun: now() }
    }

    pub(crate) fn next(&self, chance: &mut Chance) -> Step {
        let index = chance.index(self.members.len());
        let member = &self.members[index];
        if !member.joined {
            // Who is away is asked about as well, but mostly comes back.
            if chance.percent(60) {
                return Step::Ask { by: Sender::Member(index), request: self.join(chance, member) };
            }
        } else if chance.percent(2) {
            return Step::Leave(index);
        } else if chance.percent(45) {
            let request = self.report(chance, member);
            let request = if chance.percent(4) { spoil(request, chance) } else { request };
            return Step::Ask { by: Sender::Member(index), request };
        }
        let request = self.question(chance, member);
        let request = if chance.percent(4) { spoil(request, chance) } else { request };
        Step::Ask { by: Sender::Client, request }
    }

    /// What is asked last of each member, since nothing can be compared after it: the original takes a
    /// new one for waiting when it refuses what it says of its source, tells nobody of a status that a member gives itself, counts it among the active ones still, keeps statuses that are none, and has no figures
    /// of who joins after it was deleted.
    pub(crate) fn last(&self, index: usize) -> Vec<(Sender, Request)> {
        let member = &self.members[index];
        let id = member.ip.to_string();
        let with_id = Body::new().group(member.group).raw(id.as_bytes()).done();
        let online = Request::tracker(
            TrackerCommand::ReportStatus,
            "at last: online",
            brief(Body::new().group(member.group), 6, &id).done(),
        );
        let look_before =
            Request::tracker(TrackerCommand::ListStorages, "at last, said to be online", with_id.clone())
                .shape(layout::STORAGES);
        let delete = Request::tracker(TrackerCommand::DeleteStorage, "a member, at last", with_id.clone());
        let look = Request::tracker(TrackerCommand::ListStorages, "a member, at last", with_id)
            .shape(layout::STORAGES);
        let (by, status) = (Sender::Member(index), TrackerCommand::ChangeStatus);
        let stranger = Body::new().padded(b"10.9.8.7", 16).int8(i64::from(self.begun)).done();
        let notify = Request::tracker(TrackerCommand::SyncNotify, "by a stranger, at last", stranger);
        match member.joined {
            true => vec![
                (by, notify),
                (by, Request::tracker(status, "to offline", vec![5])),
                (by, Request::tracker(status, "to syncing", vec![2])),
                (by, Request::tracker(status, "a status that is none", vec![50])),
            ],
            false => vec![
                (Sender::Client, online),
                (Sender::Client, look_before),
                (Sender::Client, delete.clone()),
                (Sender::Client, look),
                (Sender::Client, delete),
            ],
        }
    }

    /// 81. One with another port than the group's is left out: the original refuses it, and keeps the port all the same.
    fn join(&self, chance: &mut Chance, member: &Member) -> Request {
        let mut group = member.group;
        let (mut port, mut paths, mut subdirs, mut trackers) = (PORT, 1, 4, 1);
        let (mut init, mut status) = (0, 0);
        let mut case = "";
        match chance.below(40) {
            0 => (case, group) = ("a group with a blank", b"al pha"),
            1 => (case, group) = ("no group", b""),
            2 => (case, port) = ("port 0", 0),
            3 => (case, port) = ("a port below zero", -1),
            5 => (case, paths) = ("no store path", 0),
            6 => (case, paths) = ("257 store paths", 257),
            7 => (case, subdirs) = ("no directories", 0),
            8 => (case, subdirs) = ("257 directories", 257),
            9 => (case, trackers) = ("no tracker", 0),
            10 => (case, trackers) = ("17 trackers", 17),
            11 => (case, trackers) = ("more trackers than lines", 2),
            12 => (case, status) = ("deleted, it says", 3_i8),
            13 => (case, status) = ("with no status", -1),
            14..=17 => (case, init) = ("new", 1),
            18 => (case, status) = ("active, it says", 7),
            19 => (case, status) = ("offline, it says", 6),
            _ => {}
        }
        let line_end = if case.is_empty() && chance.percent(3) {
            case = "a line without an end";
            ""
        } else {
            "\n"
        };
        let bodies = self.places.map(|place| {
            Body::new()
                .padded(group, 17)
                .int8(port)
                .int8(paths)
                .int8(subdirs)
                .int8(10)
                .int8(i64::from(self.begun) - 1000)
                .int8(i64::from(self.begun))
                .padded(b"6.16.1", 8)
                .byte(init)
                .raw(&status.to_be_bytes())
                .padded(b"", 16)
                .padded(place.tracker.as_bytes(), 46)
                .int8(trackers)
                .raw(format!("{}:22122{line_end}", place.tracker).as_bytes())
                .done()
        });
        Request::new(Peer::Tracker, TrackerCommand::Join.code(), case, bodies).shape(layout::JOINED)
    }

    /// What a storage that has joined says.
    fn report(&self, chance: &mut Chance, member: &Member) -> Request {
        let peer = self.members[chance.index(self.members.len())].ip.to_string();
        match chance.below(100) {
            0..=19 => {
                let (case, len) =
                    chance.pick(&[("", 0), ("with figures", 348), ("with half of the figures", 174)]);
                Request::tracker(TrackerCommand::Beat, case, vec![0; len]).shape(Shape::Unread)
            }
            20..=34 => {
                let count = if chance.percent(90) { 1 } else { chance.index(4) };
                let free = 1000 + chance.below(1000) as i64;
                let body = (0..count).fold(Body::new(), |body, _| body.int8(5000).int8(free));
                let case = if count == 1 { "" } else { "of other store paths than it has" };
                Request::tracker(TrackerCommand::ReportDiskUsage, case, body.done()).shape(Shape::Unread)
            }
            35..=49 => {
                let time = now() as i32 - chance.below(1000) as i32;
                let (case, body) = match chance.below(4) {
                    0 => ("of a stranger", Body::new().padded(b"10.9.8.7", 16).int4(time)),
                    1 => ("at no time", Body::new().padded(peer.as_bytes(), 16).int4(0)),
                    _ => ("", Body::new().padded(peer.as_bytes(), 16).int4(time)),
                };
                Request::tracker(TrackerCommand::SyncReport, case, body.done()).shape(Shape::Unread)
            }
            50..=55 => Request::tracker(TrackerCommand::SyncDestQuery, "", Vec::new()).shape(layout::SOURCE),
            // Of one that serves the original counts on as readable what it made online; no storage asks so.
            56..=61 if !member.active => {
                Request::tracker(TrackerCommand::SyncDestRequest, "", Vec::new()).shape(layout::SOURCE)
            }
            56..=61 => Request::tracker(TrackerCommand::SyncDestQuery, "", Vec::new()).shape(layout::SOURCE),
            62..=69 => {
                // By whom it can't be: see `MembersStream::last`.
                let known: Vec<&Member> = self
                    .members
                    .iter()
                    .filter(|peer| peer.known && peer.group == member.group && peer.ip != member.ip)
                    .collect();
                let source = match chance.percent(60) || known.is_empty() {
                    true => String::new(),
                    false => chance.pick(&known).ip.to_string(),
                };
                let case = if source.is_empty() { "by nobody" } else { "by a peer" };
                let until = if source.is_empty() { 0 } else { i64::from(self.begun) };
                let body = Body::new().padded(source.as_bytes(), 16).int8(until).done();
                Request::tracker(TrackerCommand::SyncNotify, case, body)
            }
            70..=81 => {
                let status = chance.pick(&[1, 2, 5, 6, 7]);
                let body = brief(Body::new(), status, &peer);
                Request::tracker(TrackerCommand::ReplicaChange, "", body.done())
            }
            82..=85 => {
                Request::tracker(TrackerCommand::FetchTrunkFileId, "", Vec::new()).shape(layout::TRUNK_FILE)
            }
            86..=88 => Request::tracker(
                TrackerCommand::ReportTrunkFileId,
                "of no trunk server",
                Body::new().int4(3).done(),
            ),
            89..=91 => Request::tracker(
                TrackerCommand::ReportTrunkFree,
                "of no trunk server",
                Body::new().int8(100).done(),
            ),
            92..=95 => {
                Request::tracker(TrackerCommand::GetChangelog, "joined", Vec::new()).shape(Shape::Unread)
            }
            _ => {
                let body = Body::new().padded(member.group, 17).int4(PORT as i32).done();
                Request::tracker(TrackerCommand::GetMyIp, "a member", body).shape(Shape::Text)
            }
        }
    }

    /// What anybody asks about such groups, and what moves them from outside.
    fn question(&self, chance: &mut Chance, member: &Member) -> Request {
        let (id, group) = (member.ip.to_string(), member.group);
        let with_id = Body::new().group(group).raw(id.as_bytes()).done();
        let only_group = Body::new().group(group).done();
        match chance.below(100) {
            0..=14 => self.file(chance, member),
            15..=20 => Request::tracker(TrackerCommand::ListOneGroup, "", only_group).shape(layout::GROUPS),
            21..=25 => Request::tracker(TrackerCommand::ListAllGroups, "", Vec::new()).shape(layout::GROUPS),
            26..=32 => Request::tracker(TrackerCommand::ListStorages, "", only_group).shape(layout::STORAGES),
            33..=37 => Request::tracker(TrackerCommand::ListStorages, "one", with_id).shape(layout::STORAGES),
            38..=43 => {
                Request::tracker(TrackerCommand::QueryStoreOne, "", Vec::new()).shape(layout::STORE_ONE)
            }
            44..=48 => {
                Request::tracker(TrackerCommand::QueryStoreGroupOne, "", only_group).shape(layout::STORE_ONE)
            }
            49..=52 => Request::tracker(TrackerCommand::QueryStoreAll, "", Vec::new()).shape(layout::SERVERS),
            53..=56 => {
                Request::tracker(TrackerCommand::QueryStoreGroupAll, "", only_group).shape(layout::SERVERS)
            }
            57..=62 => {
                let body = Body::new().group(group).raw(format!("{id}:{PORT}").as_bytes()).done();
                Request::tracker(TrackerCommand::GetStorageStatus, "", body).shape(layout::BRIEFS)
            }
            63..=66 => {
                let filter = [chance.pick(&[0, 1, 3]), chance.below(2) as u8, chance.below(2) as u8];
                Request::tracker(TrackerCommand::TrackerClusterStat, "", filter.to_vec())
                    .shape(layout::TRACKERS)
            }
            67..=71 => {
                let filter = vec![
                    chance.below(4) as u8,
                    chance.pick(b"=!x"),
                    chance.pick(&[0, 5, 6, 7]),
                    chance.below(2) as u8,
                ];
                Request::tracker(TrackerCommand::StorageClusterStat, "", filter).shape(layout::STORAGE_STAT)
            }
            72..=76 => {
                let filter = vec![
                    chance.below(8) as u8,
                    chance.below(2) as u8,
                    chance.below(2) as u8,
                    chance.below(2) as u8,
                ];
                Request::tracker(TrackerCommand::StorageVolumeStat, "", filter).shape(layout::VOLUME_STAT)
            }
            77..=82 => {
                let body = Body::new().group(group).padded(id.as_bytes(), 16).done();
                Request::tracker(TrackerCommand::SyncSrcRequest, "", body).shape(layout::SOURCE)
            }
            83..=90 => {
                // That others serve: see `MembersStream::last`.
                let status = chance.pick(&[1, 2, 5, 9, 99]);
                let body = brief(Body::new().group(group), status, &id);
                Request::tracker(TrackerCommand::ReportStatus, format!("{status}"), body.done())
            }
            91..=93 => {
                // Of a member: see `MembersStream::last`.
                let body = Body::new().group(group).raw(b"10.9.8.7").done();
                Request::tracker(TrackerCommand::DeleteStorage, "nobody", body)
            }
            94 => Request::tracker(TrackerCommand::DeleteGroup, "with members", only_group),
            95..=96 => {
                let body = Body::new().group(group).padded(id.as_bytes(), 46).padded(b"10.9.8.7", 46).done();
                Request::tracker(TrackerCommand::ReportIpChanged, "to another's address", body)
            }
            97..=98 => {
                let body = Body::new().group(group).padded(id.as_bytes(), 16).done();
                Request::tracker(TrackerCommand::GetChangelog, "not joined", body).shape(Shape::Unread)
            }
            _ => Request::tracker(
                TrackerCommand::SysFilesGet,
                "without a beginning",
                Body::new().byte(0).int8(0).done(),
            )
            .shape(Shape::Unread),
        }
    }

    /// 102, 103, 105 about files that nobody has: the answer follows from the name and the members.
    fn file(&self, chance: &mut Chance, member: &Member) -> Request {
        let command = chance.pick(&[
            TrackerCommand::QueryFetchOne,
            TrackerCommand::QueryUpdate,
            TrackerCommand::QueryFetchAll,
        ]);
        let stranger = chance.percent(20);
        let source = if stranger { Ipv4Addr::new(10, 9, 8, 7) } else { member.ip };
        let (age_words, age) = chance.pick(&[("old", 200_000), ("of an hour ago", 3600), ("of now", 0)]);
        let appender = chance.percent(30);
        let random = chance.next() as u32;
        let size = if appender { SizeWord::appender(random) } else { SizeWord::normal(1000, random) };
        let stamp = Stamp { source: Source::Ip(source), timestamp: now() - age, size, crc32: random };
        let name = build_name(StorePathIndex(0), (0, 0), &stamp, &ExtName::NONE, random);
        let body = Body::new().group(member.group).raw(name.as_str().as_bytes()).done();
        let what = if appender { "an appender" } else { "an ordinary file" };
        let whose = if stranger { "of a stranger" } else { "of a member" };
        Request::tracker(command, format!("{what} {whose}, {age_words}"), body).shape(layout::SERVERS)
    }
}

fn brief(body: Body, status: u8, ip: &str) -> Body {
    body.byte(status).int4(PORT as i32).padded(ip.as_bytes(), 16).padded(ip.as_bytes(), 46)
}

/// What a member has been told of its group so far. The original tells a list once, ours once more after each join (D24):
/// what counts is what the member knows then.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    leader: Option<String>,
    /// By id: the status, and where it is.
    storages: BTreeMap<String, (u8, String)>,
}

impl View {
    /// Takes in the body of a reply to 83, 84 or 89; false when it is none.
    pub(crate) fn learn(&mut self, place: &Place, body: &[u8]) -> bool {
        let Some((flags, briefs)) = body.split_first() else { return true };
        if briefs.len() % BRIEF_LEN != 0 || flags & 2 != 0 {
            return false;
        }
        let mut briefs = briefs.chunks_exact(BRIEF_LEN).map(|brief| {
            let text = |part: &[u8]| place.neutral(&part.escape_ascii().to_string().replace("\\x00", ""));
            (text(&brief[5..21]), (brief[0], format!("{:?} {}", &brief[1..5], text(&brief[21..]))))
        });
        if flags & 1 != 0 {
            self.leader = briefs.next().map(|(_, (_, host))| host);
        }
        if flags & 4 != 0 {
            self.storages = briefs.collect();
        }
        true
    }

    /// What two members that should know the same do not.
    pub(crate) fn differences(views: &Pair<View>) -> Vec<Difference> {
        let Pair { ours, original } = views;
        let mut found = Vec::new();
        if ours.leader != original.leader {
            found.push(Difference::new(
                "leader",
                format!("{:?}", ours.leader),
                format!("{:?}", original.leader),
            ));
        }
        let same = |ours: &(u8, String), original: &(u8, String)| {
            // The original tells with the next change only that one who was offline, or filled a disk again, is online, or left
            // before it was active.
            let known_late = matches!(
                (ours.0, original.0),
                (OFFLINE | ONLINE, OFFLINE | ONLINE) | (OFFLINE | ONLINE, RECOVERY)
            );
            ours.1 == original.1 && (ours.0 == original.0 || known_late)
        };
        let both = ours.storages.iter().zip(&original.storages);
        if ours.storages.len() != original.storages.len()
            || both.into_iter().any(|(ours, original)| ours.0 != original.0 || !same(ours.1, original.1))
        {
            found.push(Difference::new(
                "list of storages",
                format!("{:?}", ours.storages),
                format!("{:?}", original.storages),
            ));
        }
        found
    }
}

/// Bytes of a storage in such a list.
const BRIEF_LEN: usize = 67;

const OFFLINE: u8 = StorageStatus::Offline as u8;
const ONLINE: u8 = StorageStatus::Online as u8;
const RECOVERY: u8 = StorageStatus::Recovery as u8;

/// Whether a member is there now, from the reply of its join.
pub(crate) fn has_joined(replies: &Pair<crate::wire::Reply>) -> bool {
    replies.ours.is_ok() && replies.original.is_ok()
}

/// How one is asked for its status: 71.
pub(crate) fn status_of(member: &Member) -> Request {
    let host = format!("{}:{PORT}", member.ip);
    let body = Body::new().group(member.group).raw(host.as_bytes()).done();
    Request::tracker(TrackerCommand::GetStorageStatus, "after it left", body).shape(layout::BRIEFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a member knows that was told one storage, in this status.
    fn told(status: u8) -> View {
        let place = Place { tracker: "127.0.0.1".to_owned(), storage: "127.0.0.2".to_owned() };
        let mut view = View::default();
        assert!(view.learn(&place, &brief(Body::new().byte(4), status, "127.0.0.109").done()));
        view
    }

    #[test]
    fn only_that_a_storage_is_online_or_was_may_be_told_late() {
        let differ = |ours, original| !View::differences(&Pair::new(told(ours), told(original))).is_empty();
        for (ours, original) in
            [(OFFLINE, ONLINE), (ONLINE, OFFLINE), (ONLINE, RECOVERY), (OFFLINE, RECOVERY), (7, 7)]
        {
            assert!(!differ(ours, original), "{ours} {original}");
        }
        for (ours, original) in [(RECOVERY, ONLINE), (RECOVERY, OFFLINE), (7, ONLINE), (1, 7)] {
            assert!(differ(ours, original), "{ours} {original}");
        }
        assert!(!View::differences(&Pair::new(told(ONLINE), View::default())).is_empty());
    }
}
