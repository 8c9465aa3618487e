//! What holds whatever happens in whatever order.

use std::sync::Arc;

use crate::testing::{CLIENT, PORT, Script, appender_of, brief, file_of, first_join, group, id, ip};
use fdfs_fileid::{FileName, GroupName};
use fdfs_proto::tracker::Server;
use fdfs_proto::tracker::disk_usage::PathSpace;
use fdfs_proto::tracker::leader::Connections;
use fdfs_proto::tracker::sync_report::Synced;
use fdfs_proto::{Brief, Host, StatBlock, StorageStatus, Version};
use proptest::collection::vec;
use proptest::prelude::*;
use tracker_core::limits::{GROUPS_MAX, MEMBERS_MAX, TRACKERS_MAX};
use tracker_core::{Action, Naming, Now, Refusal, Request, Saved, Ticket, View};

/// Something that happens, from a small world: so many storages, connections and names that they meet often.
#[derive(Debug, Clone)]
struct Happening {
    what: u8,
    /// Connection 0..6, storage 1..40.
    conn: u64,
    storage: u8,
    other: u8,
    number: u64,
    status: StorageStatus,
    flag: bool,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let status = proptest::sample::select(StorageStatus::ALL.to_vec());
    let one = (0..34u8, 0..6u64, 1..40u8, 1..40u8, 0..2000u64, status, any::<bool>()).prop_map(
        |(what, conn, storage, other, number, status, flag)| Happening {
            what,
            conn,
            storage,
            other,
            number,
            status,
            flag,
        },
    );
    vec(one, 0..120)
}

/// Lets it happen; whether that left a request without reply.
fn happen(t: &mut Script, seconds: &mut u64, event: &Happening) -> bool {
    let name = group(if event.flag { "group1" } else { "group2" });
    let (storage, other) = (format!("10.0.0.{}", event.storage), format!("10.0.0.{}", event.other));
    let mut join = first_join(name.as_str());
    join.joiner.init = event.number.is_multiple_of(2);
    join.joiner.status = Some(event.status);
    join.joiner.store_path_count = 1 + event.number % 3;
    if event.number > 1900 {
        join.trackers.push(Host::new(ip(&other), PORT));
    }
    let stat = StatBlock { total_upload_count: event.number, ..StatBlock::default() };
    let paths = vec![PathSpace { total_mb: 1000, free_mb: event.number }; 1 + event.number as usize % 3];
    let times = [Synced { src_id: Some(id(&other)), timestamp: event.number as u32 }];
    // Now and then with an id that is not the one of the address.
    let told_id = if event.number.is_multiple_of(4) { id(&storage) } else { id(&other) };
    let briefs = [Brief { id: Some(told_id), ..brief(&other, event.status) }];
    let file = if event.flag {
        file_of(&other, 1_799_000_000 + event.number as i64)
    } else {
        appender_of(&other, 5)
    };
    if (20..=24).contains(&event.what) {
        let view = t.cluster.view();
        if let Ok(servers) = sent_to(&view, t.now, event, name, &file) {
            assert!(serve(&view, &servers), "{event:?}: {servers:?}");
        }
        assert!(Arc::ptr_eq(&view, &t.cluster.view()), "a question of a client left another view: {event:?}");
        return false;
    }
    let tracker = if event.flag { ip(&other) } else { ip("10.0.0.254") };
    let ask = match event.what {
        0..=5 => Request::Join(&join),
        6 => Request::Beat { stat: event.flag.then_some(&stat) },
        7 => Request::ReportDisks { paths: &paths },
        8 => Request::ReportSync { times: &times },
        9 => Request::RequestSource,
        10 => Request::NotifySource { source: event.flag.then(|| id(&other)), until: 5 },
        11 => Request::SourceOf { group: name, dest: id(&other) },
        12 => Request::OwnSource,
        13 => Request::ReportStatus { group: name, brief: &briefs[0] },
        14 => Request::ReportReplicas { briefs: &briefs },
        15 => Request::ChangeStatus { status: event.status },
        16 => Request::ReportTrunkFileId { id: event.number as u32 },
        17 => Request::ReportTrunkFree { free_mb: event.number },
        18 => Request::ReadChangelog { of: event.flag.then(|| (name, id(&other))) },
        19 => Request::ReportIpChanged { group: name, old: ip(&other), new: ip(&storage) },
        25 => Request::DeleteStorage { group: name, id: id(&other) },
        26 => Request::DeleteGroup { group: name },
        27 => Request::SetTrunkServer { group: name, id: event.flag.then(|| id(&other)) },
        28 if event.flag => Request::JoinLeader { up_time: 1, version: Version::EMPTY, port: PORT },
        28 => Request::PingLeader { connections: Connections::default() },
        29 => Request::NotifyLeader { addr: tracker, port: PORT },
        30 => Request::CommitLeader { addr: tracker, port: PORT },
        31 => {
            t.answers(Ticket(event.number % 20), event.flag.then_some(event.number));
            return false;
        }
        32 => {
            *seconds += event.number % 90;
            t.until(*seconds);
            return false;
        }
        _ => {
            t.closes(tracker_core::ConnId(event.conn));
            return false;
        }
    };
    t.start(tracker_core::ConnId(event.conn), &storage, ask).is_none()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn promises_hold_whatever_happens(events in happenings(), use_trunk: bool) {
        let mut t = Script::with(|config| config.placement.use_trunk = use_trunk);
        let mut seconds = 0;
        for event in &events {
            let waits = matches!(event.what, 27);
            let left_open = happen(&mut t, &mut seconds, event);
            prop_assert!(waits || !left_open, "a request without reply: {event:?}");
            t.actions.retain(|action| !matches!(action, Action::Note(_) | Action::Persist { .. }));
            let view = t.cluster.view();
            prop_assert!(view.groups().count() <= GROUPS_MAX);
            prop_assert!(view.trackers().iter().count() <= TRACKERS_MAX);
            for group in view.groups() {
                prop_assert!(group.members.len() <= MEMBERS_MAX);
                for (id, member) in &group.members {
                    prop_assert_eq!(*id, member.id);
                    prop_assert!(member.status != StorageStatus::None);
                    // Nobody serves without having been heard of.
                    prop_assert!(!member.is_active() || member.last_beat.is_some());
                }
            }
            prop_assert!(t.cluster.deadline() >= t.now.mono || event.what != 32);
        }
        let now = t.now;
        let tables = t.cluster.tables(now);
        let again = Saved::from_tables(tables.clone(), &Naming::ByAddress);
        prop_assert!(again.is_ok(), "what was saved cannot be loaded: {again:?}");
        let mut t = Script::restarted(again.unwrap(), |_| {});
        prop_assert_eq!(t.cluster.tables(now).groups, tables.groups);
    }
}

/// Where a client is sent.
fn sent_to(
    view: &View,
    now: Now,
    event: &Happening,
    name: GroupName,
    file: &FileName,
) -> Result<Vec<Server>, Refusal> {
    let named = event.number.is_multiple_of(3).then_some(name);
    match event.what {
        20 => view.store_one(named, ip(CLIENT)).map(|got| vec![got.server]),
        21 => view.store_all(named, ip(CLIENT)).map(|got| got.servers),
        22 => view.fetch_one(now, name, file, ip(CLIENT)).map(|got| vec![got.server]),
        23 => view.fetch_all(now, name, file, ip(CLIENT)).map(|got| got.servers),
        _ => view.update(name, file, ip(CLIENT)).map(|got| vec![got.server]),
    }
}

/// Whether every storage that a client was sent to serves.
fn serve(view: &View, servers: &[Server]) -> bool {
    let is_active = |server: &Server| {
        let mut members = view.groups().flat_map(|group| group.members.values());
        members.any(|member| member.is_active() && Some(member.addrs.first()) == server.ip.ip())
    };
    !servers.is_empty() && servers.iter().all(is_active)
}
