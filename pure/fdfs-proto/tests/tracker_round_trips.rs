//! What is written to or by a tracker is read back the same, for every command.

mod common;

use common::{
    brief, count, fixed, group, group_field, host, id, ip, ip_text, maybe_id, plain_host, rw_mode, server,
    stat_block, status, text, width,
};
use fdfs_fileid::StorePathIndex;
use fdfs_proto::tracker::{
    GroupAsk, HostBody, Reply, Request, beat, change_list, delete_storage, disk_usage, group_name,
    identity_change, join, leader, list_groups, list_storages, my_ip, parameters, query_fetch, query_store,
    set_trunk_server, status_report, storage_cluster_stat, storage_ids, storage_lookup, storage_volume_stat,
    sync_report, sync_source, sys_files, tracker_cluster_stat, tracker_status, trunk,
};
use fdfs_proto::{AddrWidth, Body, RawName, StorageStatus};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn request_survives(ask: &Request<'_>) {
    let mut out = Vec::new();
    ask.encode(&mut out);
    assert_eq!(Request::decode(ask.command(), &out).as_ref(), Ok(ask));
    let Body::Whole { len_max } = ask.command().body() else { panic!("no tracker command is streamed") };
    assert!(out.len() as u64 <= len_max, "{}: {} > {len_max}", ask.command(), out.len());
}

fn reply_survives(got: &Reply<'_>, width: AddrWidth) {
    let mut out = Vec::new();
    got.encode(width, &mut out);
    assert_eq!(Reply::decode(got.command(), &out).as_ref(), Ok(got));
}

fn connections() -> impl Strategy<Value = leader::Connections> {
    any::<(u32, u32, u32)>().prop_map(|(alloc_count, current_count, max_count)| leader::Connections {
        alloc_count,
        current_count,
        max_count,
    })
}

fn sync_source() -> impl Strategy<Value = sync_source::SyncSource> {
    (maybe_id(), any::<i64>())
        .prop_map(|(src_id, until_timestamp)| sync_source::SyncSource { src_id, until_timestamp })
}

fn joiner() -> impl Strategy<Value = join::Joiner> {
    let numbers = (1..=u16::MAX, 1..=256_u64, 1..=256_u64, any::<i64>(), any::<i64>(), any::<i64>());
    let rest = (fixed(), any::<bool>(), option::of(status()), maybe_id(), ip_text());
    (group(), numbers, rest).prop_map(|(group, numbers, rest)| {
        let (storage_port, store_path_count, subdir_count_per_path, upload_priority, join_time, up_time) =
            numbers;
        let (version, init, status, storage_id, tracker_ip) = rest;
        join::Joiner {
            group,
            storage_port,
            store_path_count,
            subdir_count_per_path,
            upload_priority,
            join_time,
            up_time,
            version,
            init,
            status,
            storage_id,
            tracker_ip,
        }
    })
}

fn group_stat() -> impl Strategy<Value = list_groups::GroupStat> {
    (group(), [(); 10].map(|()| count()), any::<Option<u16>>(), any::<Option<u32>>()).prop_map(
        |(group, n, storage_port, current_trunk_file_id)| list_groups::GroupStat {
            group,
            total_mb: n[0],
            free_mb: n[1],
            reserved_mb: n[2],
            trunk_free_mb: n[3],
            storage_count: n[4],
            storage_port,
            readable_server_count: n[5],
            writable_server_count: n[6],
            current_write_server: n[7],
            store_path_count: n[8],
            subdir_count_per_path: n[9],
            current_trunk_file_id,
        },
    )
}

fn storage_stat(width: AddrWidth) -> impl Strategy<Value = list_storages::StorageStat> {
    let who = (status(), rw_mode(), id()).prop_map(|(status, rw_mode, id)| list_storages::Who {
        status,
        rw_mode,
        id,
    });
    let figures =
        (maybe_id(), fixed(), any::<[i64; 3]>(), [(); 6].map(|()| count()), stat_block(), any::<bool>())
            .prop_map(|(src_id, version, times, n, stat, is_trunk_server)| list_storages::Figures {
                src_id,
                version,
                join_time: times[0],
                up_time: times[1],
                total_mb: n[0],
                free_mb: n[1],
                reserved_mb: n[2],
                upload_priority: times[2],
                store_path_count: n[3],
                subdir_count_per_path: n[4],
                current_write_path: n[5],
                storage_port: 23000,
                stat,
                is_trunk_server,
            });
    (who, server(width), figures).prop_map(|(who, server, figures)| list_storages::StorageStat {
        who,
        ip: server.ip,
        figures,
    })
}

fn parameters() -> impl Strategy<Value = parameters::Parameters> {
    let reserved = prop_oneof![
        (0..u64::from(u32::MAX)).prop_map(parameters::ReservedSpace::Mib),
        (1..10_000_u16).prop_map(parameters::ReservedSpace::HundredthsOfPercent),
    ];
    let time = || (0..24_u8, 0..60_u8).prop_map(|(hour, minute)| parameters::TimeOfDay { hour, minute });
    let id_type = select(vec![parameters::IdType::Ip, parameters::IdType::Id]);
    (
        any::<[bool; 10]>(),
        any::<[u32; 6]>(),
        any::<[u64; 5]>(),
        reserved,
        (time(), time()),
        (id_type, width()),
    )
        .prop_map(|(flag, n, size, reserved_storage_space, times, (id_type_in_filename, width))| {
            parameters::Parameters {
                use_storage_id: flag[0],
                id_type_in_filename,
                trust_storage_server_id: flag[1],
                response_ip_addr_size: width,
                storage_ip_changed_auto_adjust: flag[2],
                storage_sync_file_max_delay: n[0],
                store_path: n[1],
                reserved_storage_space,
                use_trunk_file: flag[3],
                slot_min_size: size[0],
                slot_max_size: size[1],
                trunk_alloc_alignment_size: size[2],
                trunk_file_size: size[3],
                trunk_create_file_advance: flag[4],
                trunk_create_file_time_base: times.0,
                trunk_create_file_interval: n[2],
                trunk_create_file_space_threshold: size[4],
                trunk_init_check_occupying: flag[5],
                trunk_init_reload_from_binlog: flag[6],
                trunk_free_space_merge: flag[7],
                delete_unused_trunk_files: flag[8],
                trunk_compress_binlog_min_interval: n[3],
                trunk_compress_binlog_interval: n[4],
                trunk_compress_binlog_time_base: times.1,
                trunk_binlog_max_backups: n[5],
                store_slave_file_use_link: flag[9],
            }
        })
}

proptest! {
    #[test]
    fn store_queries_survive(group in group_field()) {
        let ask = GroupAsk { group };
        request_survives(&Request::QueryStoreGroupOne(ask));
        request_survives(&Request::QueryStoreGroupAll(ask));
        request_survives(&Request::ListOneGroup(ask));
        request_survives(&Request::DeleteGroup(ask));
    }

    #[test]
    fn store_replies_survive_in_both_widths(
        group in group(),
        (width, servers) in width().prop_flat_map(|width| (Just(width), vec(server(width), 1..=32))),
        path in any::<u8>(),
    ) {
        let path = StorePathIndex(path);
        let one = query_store::Got { group, server: servers[0], path };
        reply_survives(&Reply::QueryStoreOne(one), width);
        reply_survives(&Reply::QueryStoreGroupOne(one), width);
        let one = query_fetch::Got { group, server: servers[0] };
        reply_survives(&Reply::QueryFetchOne(one), width);
        reply_survives(&Reply::QueryUpdate(one), width);
        reply_survives(&Reply::QueryFetchAll(query_fetch::GotAll { group, servers: servers.clone() }), width);
        let all = query_store::GotAll { group, servers, path };
        reply_survives(&Reply::QueryStoreAll(all.clone()), width);
        reply_survives(&Reply::QueryStoreGroupAll(all), width);
    }

    #[test]
    fn fetch_queries_survive(group in group_field(), name in vec(any::<u8>(), 22..=127)) {
        let ask = query_fetch::Ask { group, name: RawName::new(&name) };
        request_survives(&Request::QueryFetchOne(ask));
        request_survives(&Request::QueryFetchAll(ask));
        request_survives(&Request::QueryUpdate(ask));
    }

    #[test]
    fn group_figures_survive(groups in vec(group_stat(), 0..6)) {
        if let Some(group) = groups.first() {
            reply_survives(&Reply::ListOneGroup(*group), AddrWidth::V4);
        }
        reply_survives(&Reply::ListAllGroups(list_groups::GotAll { groups }), AddrWidth::V4);
    }

    #[test]
    fn storage_figures_survive_in_both_widths(
        (width, storages) in width().prop_flat_map(|width| (Just(width), vec(storage_stat(width), 0..4))),
    ) {
        reply_survives(&Reply::ListStorages(list_storages::Got { storages }), width);
    }

    #[test]
    fn administration_survives(group in group_field(), id in id(), maybe in maybe_id()) {
        request_survives(&Request::ListStorages(list_storages::Ask { group, id: maybe }));
        request_survives(&Request::SetTrunkServer(set_trunk_server::Ask { group, id: maybe }));
        request_survives(&Request::DeleteStorage(delete_storage::Ask { group, id }));
        reply_survives(&Reply::SetTrunkServer(set_trunk_server::Got { id }), AddrWidth::V4);
    }

    #[test]
    fn a_join_survives(
        joiner in joiner(),
        trackers in vec(host(), 1..=16),
        status in status(),
        src_id in maybe_id(),
    ) {
        request_survives(&Request::Join(join::Ask { joiner, trackers }));
        reply_survives(&Reply::Join(join::Got { status, src_id }), AddrWidth::V4);
    }

    #[test]
    fn beats_and_reports_survive(
        stat in option::of(stat_block()),
        paths in vec((count(), count()), 1..=256),
        sources in vec((maybe_id(), any::<u32>()), 1..=32),
        leader in option::of(brief()),
        trunk_server in option::of(brief()),
        storages in option::of(vec(brief(), 0..=32)),
    ) {
        request_survives(&Request::Beat(beat::Ask { stat }));
        let paths = paths.into_iter().map(|(total_mb, free_mb)| disk_usage::PathSpace { total_mb, free_mb });
        request_survives(&Request::ReportDiskUsage(disk_usage::Ask { paths: paths.collect() }));
        let sources = sources.into_iter().map(|(src_id, timestamp)| sync_report::Synced { src_id, timestamp });
        request_survives(&Request::SyncReport(sync_report::Ask { sources: sources.collect() }));
        let changes = change_list::Got { leader, trunk_server, storages };
        reply_survives(&Reply::Beat(changes.clone()), AddrWidth::V4);
        reply_survives(&Reply::ReportDiskUsage(changes.clone()), AddrWidth::V4);
        reply_survives(&Reply::SyncReport(changes), AddrWidth::V4);
    }

    #[test]
    fn questions_about_old_data_survive(
        group in group_field(),
        dest_id in maybe_id(),
        source in sync_source(),
        maybe in option::of(sync_source()),
    ) {
        request_survives(&Request::SyncSrcRequest(sync_source::AskDest { group, dest_id }));
        request_survives(&Request::SyncNotify(source));
        let got = sync_source::Got { source: maybe };
        reply_survives(&Reply::SyncSrcRequest(got), AddrWidth::V4);
        reply_survives(&Reply::SyncDestRequest(got), AddrWidth::V4);
        reply_survives(&Reply::SyncDestQuery(got), AddrWidth::V4);
    }

    #[test]
    fn questions_about_addresses_survive(
        group in group(),
        port in any::<u16>(),
        first in ip(),
        second in option::of(ip()),
        host in plain_host(),
        id in id(),
        brief in brief(),
    ) {
        request_survives(&Request::GetMyIp(my_ip::Ask { group, port }));
        reply_survives(&Reply::GetMyIp(my_ip::Got { ip: first, second }), AddrWidth::V4);
        let ask = storage_lookup::Ask { group: group.into(), host };
        request_survives(&Request::GetServerId(ask));
        request_survives(&Request::GetStorageStatus(ask));
        reply_survives(&Reply::GetServerId(storage_lookup::GotId { id }), AddrWidth::V4);
        reply_survives(&Reply::GetStorageStatus(brief), AddrWidth::V4);
        let text = first.to_string();
        request_survives(&Request::GetGroupName(group_name::Ask { ip_text: text.as_bytes(), port }));
        request_survives(&Request::GetGroupName(group_name::Ask { ip_text: b"", port }));
        reply_survives(&Reply::GetGroupName(group_name::Got { group }), AddrWidth::V4);
    }

    #[test]
    fn the_table_of_ids_survives(
        start in any::<u32>(),
        allow_empty in any::<bool>(),
        lines in vec("[0-9]{1,8} group[0-9] 10\\.0\\.0\\.[0-9]:23000\n", 0..20),
        more in 0..1000_u32,
    ) {
        request_survives(&Request::FetchStorageIds(storage_ids::Ask { start, allow_empty }));
        let count = u32::try_from(lines.len()).unwrap();
        let text = lines.concat();
        let got = storage_ids::Got { total: count + more, count, lines: text.as_bytes() };
        reply_survives(&Reply::FetchStorageIds(got), AddrWidth::V4);
    }

    #[test]
    fn parameters_survive(parameters in parameters()) {
        reply_survives(&Reply::GetParameters(parameters), AddrWidth::V4);
    }

    #[test]
    fn status_reports_survive(
        group in group_field(),
        brief in brief(),
        briefs in vec(brief(), 0..=32),
        status in status(),
    ) {
        request_survives(&Request::ReportStatus(status_report::Report { group, brief }));
        request_survives(&Request::ReplicaChange(status_report::Replicas { briefs }));
        request_survives(&Request::ChangeStatus(status_report::Change { status }));
    }

    #[test]
    fn changes_of_identity_survive(
        group in group_field(),
        old_ip in ip_text(),
        new_ip in ip_text(),
        id in maybe_id(),
        text in vec(any::<u8>(), 0..300),
    ) {
        request_survives(&Request::ReportIpChanged(identity_change::Report { group, old_ip, new_ip }));
        request_survives(&Request::GetChangelog(identity_change::AskLog { who: None }));
        let who = identity_change::LogReader { group, id };
        request_survives(&Request::GetChangelog(identity_change::AskLog { who: Some(who) }));
        reply_survives(&Reply::GetChangelog(identity_change::GotLog { text: &text }), AddrWidth::V4);
    }

    #[test]
    fn figures_about_trunk_files_survive(id in any::<u32>(), free_mb in count()) {
        let number = trunk::FileNumber { id };
        request_survives(&Request::ReportTrunkFileId(number));
        reply_survives(&Reply::FetchTrunkFileId(number), AddrWidth::V4);
        request_survives(&Request::ReportTrunkFree(trunk::Free { free_mb }));
    }

    #[test]
    fn election_survives(
        host in plain_host(),
        times in any::<[i64; 3]>(),
        version in fixed(),
        port in any::<u16>(),
        is_leader in any::<bool>(),
        connections in connections(),
        trunk_servers in vec((group(), maybe_id()), 0..9),
    ) {
        request_survives(&Request::NotifyNextLeader(HostBody { host }));
        request_survives(&Request::CommitNextLeader(HostBody { host }));
        reply_survives(&Reply::GetLeader(HostBody { host }), AddrWidth::V4);
        request_survives(&Request::JoinLeader(leader::Join { up_time: times[0], version, server_port: port }));
        request_survives(&Request::PingLeader(connections));
        let trunk_servers = trunk_servers.into_iter().map(|(group, id)| leader::TrunkServer { group, id });
        let pong = leader::Pong { trunk_servers: trunk_servers.collect() };
        reply_survives(&Reply::PingLeader(pong), AddrWidth::V4);
        let status = tracker_status::Got { is_leader, running_time: times[1], restart_interval: times[2] };
        reply_survives(&Reply::TrackerStatus(status), AddrWidth::V4);
    }

    #[test]
    fn state_files_survive(
        file in select(sys_files::SysFile::ALL.to_vec()),
        offset in count(),
        part in vec(any::<u8>(), 0..=8173),
        more in 0..1_000_000_u64,
    ) {
        request_survives(&Request::SysFilesGet(sys_files::Ask { file, offset }));
        let got = sys_files::Got { file_size: part.len() as u64 + more, part: &part };
        reply_survives(&Reply::SysFilesGet(got), AddrWidth::V4);
    }

    #[test]
    fn figures_of_the_trackers_survive(
        filter_by in any::<u8>(),
        flags in any::<[bool; 2]>(),
        trackers in vec((text(0..=52), any::<[bool; 2]>(), connections(), fixed(), any::<[i64; 2]>()), 0..=16),
    ) {
        let ask = tracker_cluster_stat::Ask { filter_by, is_active: flags[0], is_leader: flags[1] };
        request_survives(&Request::TrackerClusterStat(ask));
        let trackers = trackers.into_iter().map(|(host, flags, connections, version, times)| {
            tracker_cluster_stat::TrackerStat {
                host: fdfs_proto::HostText::from_field(&host),
                is_leader: flags[0],
                is_active: flags[1],
                connections,
                version,
                up_time: times[0],
                last_heartbeat_time: times[1],
            }
        });
        let got = tracker_cluster_stat::Got { trackers: trackers.collect() };
        reply_survives(&Reply::TrackerClusterStat(got), AddrWidth::V4);
    }

    #[test]
    fn filtered_figures_of_storages_survive(
        bytes in any::<[u8; 3]>(),
        flags in any::<[bool; 3]>(),
        storages in vec((id(), fixed(), status(), connections(), fixed(), any::<[i64; 2]>()), 0..=16),
    ) {
        let [filter_by, op_type, status] = bytes;
        let ask = storage_cluster_stat::Ask { filter_by, op_type, status, is_trunk_server: flags[0] };
        request_survives(&Request::StorageClusterStat(ask));
        let storages = storages.into_iter().map(|(id, host, status, connections, version, times)| {
            storage_cluster_stat::StorageStat {
                id,
                host,
                is_trunk_server: status == StorageStatus::Active,
                status,
                connections,
                version,
                up_time: times[0],
                last_heartbeat_time: times[1],
            }
        });
        let got = storage_cluster_stat::Got {
            use_storage_id: flags[1],
            use_trunk_file: flags[2],
            storages: storages.collect(),
        };
        reply_survives(&Reply::StorageClusterStat(got), AddrWidth::V4);
    }

    #[test]
    fn filtered_figures_of_volumes_survive(
        filter_by in any::<u8>(),
        flags in any::<[bool; 4]>(),
        groups in vec((group(), [count(), count(), count(), count(), count()], any::<[bool; 2]>()), 0..=16),
    ) {
        let ask = storage_volume_stat::Ask {
            filter_by,
            is_disk_available: flags[0],
            is_trunk_available: flags[1],
            is_space_available: flags[2],
        };
        request_survives(&Request::StorageVolumeStat(ask));
        let groups = groups.into_iter().map(|(group, n, flags)| storage_volume_stat::VolumeStat {
            group,
            total_mb: n[0],
            free_mb: n[1],
            reserved_mb: n[2],
            avail_mb: n[3],
            trunk_free_mb: n[4],
            is_disk_available: flags[0],
            is_trunk_available: flags[1],
        });
        let got = storage_volume_stat::Got { use_trunk_file: flags[3], groups: groups.collect() };
        reply_survives(&Reply::StorageVolumeStat(got), AddrWidth::V4);
    }
}
