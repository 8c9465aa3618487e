//! The text of a group and its storages, line by line as scripts parse it (wire protocol: fdfs_monitor).

use std::io::{self, Write};

use fdfs_proto::tracker::list_groups::GroupStat;
use fdfs_proto::tracker::list_storages::StorageStat;
use fdfs_proto::{RwMode, StatBlock};
use jiff::tz::TimeZone;

use crate::fdfs::human;

/// One group and its storages.
pub(super) fn write_group(
    out: &mut dyn Write,
    group: &GroupStat,
    storages: &[StorageStat],
    zone: &TimeZone,
) -> io::Result<()> {
    writeln!(out, "group name = {}", group.group)?;
    write_space(out, "", group.total_mb, group.free_mb, group.reserved_mb)?;
    if group.current_trunk_file_id.is_some() {
        writeln!(out, "trunk free space = {:>7}", human::megabytes(group.trunk_free_mb))?;
    }
    writeln!(out, "storage server count = {}", group.storage_count)?;
    writeln!(out, "readable server count = {}", group.readable_server_count)?;
    writeln!(out, "writable server count = {}", group.writable_server_count)?;
    match group.storage_port {
        Some(port) => writeln!(out, "storage server port = {port}")?,
        None => writeln!(out, "storage server port = -1")?,
    }
    writeln!(out, "store path count = {}", group.store_path_count)?;
    writeln!(out, "subdir count per path = {}", group.subdir_count_per_path)?;
    writeln!(out, "current write server index = {}", group.current_write_server)?;
    if let Some(file_id) = group.current_trunk_file_id
        && let Some(trunk) = storages.iter().find(|storage| storage.figures.is_trunk_server)
    {
        writeln!(out, "current trunk server = {} ({})", trunk.who.id, trunk.ip)?;
        writeln!(out, "current trunk file id = {file_id}")?;
    }
    writeln!(out)?;
    for (index, storage) in storages.iter().enumerate() {
        writeln!(out, "\tStorage {}:", index + 1)?;
        write_storage(out, storage, newest_update_elsewhere(storages, index), zone)?;
    }
    Ok(())
}

/// The newest change by a client on any other member: what this one has to catch up with.
fn newest_update_elsewhere(storages: &[StorageStat], index: usize) -> i64 {
    let others = storages.iter().enumerate().filter(|(other, _)| *other != index);
    others.map(|(_, storage)| storage.figures.stat.last_source_update).max().unwrap_or(0).max(0)
}

fn write_storage(
    out: &mut dyn Write,
    storage: &StorageStat,
    newest_elsewhere: i64,
    zone: &TimeZone,
) -> io::Result<()> {
    let figures = &storage.figures;
    let stat = &figures.stat;
    let time = |unix_s| human::time(unix_s, zone);
    let host = match storage.ip.ip() {
        Some(std::net::IpAddr::V6(ip)) => format!("[{ip}]"),
        _ => storage.ip.to_string(),
    };
    let source = figures.src_id.as_ref().map(ToString::to_string).unwrap_or_default();
    writeln!(out, "\t\tid = {}", storage.who.id)?;
    writeln!(out, "\t\thost = {host}:{}  {}", figures.storage_port, storage.who.status.caption())?;
    writeln!(out, "\t\tread write mode = {}", mode_caption(storage.who.rw_mode))?;
    writeln!(out, "\t\tversion = {}", figures.version)?;
    writeln!(out, "\t\tjoin time = {}", time(figures.join_time))?;
    let up_time = if figures.up_time == 0 { String::new() } else { time(figures.up_time) };
    writeln!(out, "\t\tup time = {up_time}")?;
    write_space(out, "\t\t", figures.total_mb, figures.free_mb, figures.reserved_mb)?;
    writeln!(out, "\t\tupload priority = {}", figures.upload_priority)?;
    writeln!(out, "\t\tstore_path_count = {}", figures.store_path_count)?;
    writeln!(out, "\t\tsubdir_count_per_path = {}", figures.subdir_count_per_path)?;
    writeln!(out, "\t\tcurrent_write_path = {}", figures.current_write_path)?;
    writeln!(out, "\t\tsource storage id = {source}")?;
    writeln!(out, "\t\tif_trunk_server = {}", u8::from(figures.is_trunk_server))?;
    for (name, value) in counters(stat) {
        // Counters travel as signed numbers and are shown so.
        writeln!(out, "\t\t{name} = {}", value as i64)?;
    }
    writeln!(out, "\t\tlast_heart_beat_time = {}", time(stat.last_heart_beat_time))?;
    writeln!(out, "\t\tlast_source_update = {}", time(stat.last_source_update))?;
    writeln!(out, "\t\tlast_sync_update = {}", time(stat.last_sync_update))?;
    let delay = synced_column(stat.last_synced_timestamp, newest_elsewhere);
    writeln!(out, "\t\tlast_synced_timestamp = {} {delay}", time(stat.last_synced_timestamp))
}

fn write_space(out: &mut dyn Write, indent: &str, total: u64, free: u64, reserved: u64) -> io::Result<()> {
    writeln!(out, "{indent}disk total space     = {:>7}", human::megabytes(total))?;
    writeln!(out, "{indent}disk free space      = {:>7}", human::megabytes(free))?;
    writeln!(out, "{indent}disk reserved space  = {:>7}", human::megabytes(reserved))?;
    let available = free.saturating_sub(reserved);
    writeln!(out, "{indent}disk available space = {:>7}", human::megabytes(available))
}

/// How far a member is behind the others, as the last column says it.
fn synced_column(synced: i64, newest_elsewhere: i64) -> String {
    if newest_elsewhere == 0 {
        String::new()
    } else if synced == 0 {
        "(never synced)".to_owned()
    } else {
        format!("({} delay)", human::seconds(newest_elsewhere.saturating_sub(synced)))
    }
}

fn mode_caption(mode: RwMode) -> &'static str {
    match mode {
        RwMode::None => "none (disabled)",
        RwMode::Read => "readonly",
        RwMode::Write => "writeonly",
        RwMode::Both => "both (normal)",
    }
}

/// The counters by the names scripts know, the misspelt one included.
fn counters(stat: &StatBlock) -> [(&'static str, u64); 41] {
    [
        ("connection.alloc_count", stat.connection_alloc_count.into()),
        ("connection.current_count", stat.connection_current_count.into()),
        ("connection.max_count", stat.connection_max_count.into()),
        ("total_upload_count", stat.total_upload_count),
        ("success_upload_count", stat.success_upload_count),
        ("total_append_count", stat.total_append_count),
        ("success_append_count", stat.success_append_count),
        ("total_modify_count", stat.total_modify_count),
        ("success_modify_count", stat.success_modify_count),
        ("total_truncate_count", stat.total_truncate_count),
        ("success_truncate_count", stat.success_truncate_count),
        ("total_set_meta_count", stat.total_set_meta_count),
        ("success_set_meta_count", stat.success_set_meta_count),
        ("total_delete_count", stat.total_delete_count),
        ("success_delete_count", stat.success_delete_count),
        ("total_download_count", stat.total_download_count),
        ("success_download_count", stat.success_download_count),
        ("total_get_meta_count", stat.total_get_meta_count),
        ("success_get_meta_count", stat.success_get_meta_count),
        ("total_create_link_count", stat.total_create_link_count),
        ("success_create_link_count", stat.success_create_link_count),
        ("total_delete_link_count", stat.total_delete_link_count),
        ("success_delete_link_count", stat.success_delete_link_count),
        ("total_upload_bytes", stat.total_upload_bytes),
        ("success_upload_bytes", stat.success_upload_bytes),
        ("total_append_bytes", stat.total_append_bytes),
        ("success_append_bytes", stat.success_append_bytes),
        ("total_modify_bytes", stat.total_modify_bytes),
        ("success_modify_bytes", stat.success_modify_bytes),
        ("stotal_download_bytes", stat.total_download_bytes),
        ("success_download_bytes", stat.success_download_bytes),
        ("total_sync_in_bytes", stat.total_sync_in_bytes),
        ("success_sync_in_bytes", stat.success_sync_in_bytes),
        ("total_sync_out_bytes", stat.total_sync_out_bytes),
        ("success_sync_out_bytes", stat.success_sync_out_bytes),
        ("total_file_open_count", stat.total_file_open_count),
        ("success_file_open_count", stat.success_file_open_count),
        ("total_file_read_count", stat.total_file_read_count),
        ("success_file_read_count", stat.success_file_read_count),
        ("total_file_write_count", stat.total_file_write_count),
        ("success_file_write_count", stat.success_file_write_count),
    ]
}

#[cfg(test)]
mod tests {
    //! The replies a tracker of the original gave to `fdfs_monitor`, and what that printed.

    use super::*;
    use fdfs_proto::tracker::{list_groups, list_storages};

    struct Recording {
        replies: Vec<(u8, Vec<u8>)>,
        transcript: String,
    }

    fn recording(name: &str) -> Recording {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/fastdfs-6.16.1/");
        let wire = std::fs::read_to_string(format!("{folder}{name}/wire.jsonl")).unwrap();
        let transcript = std::fs::read_to_string(format!("{folder}{name}/tools-transcript.txt")).unwrap();
        // The replies follow their requests on the same stream.
        let mut asked = std::collections::BTreeMap::new();
        let mut replies = Vec::new();
        for line in wire.lines() {
            let message: serde_json::Value = serde_json::from_str(line).unwrap();
            let stream = message["stream"].to_string();
            let cmd = message["cmd"].as_u64().unwrap() as u8;
            if message["kind"] == "request" {
                asked.insert(stream, cmd);
            } else if let Some(asked) = asked.get(&stream)
                && [91, 92].contains(asked)
                && let Some(body) = message["body"].as_str()
            {
                replies.push((*asked, unhex(body)));
            }
        }
        Recording { replies, transcript }
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    /// What every run of the tool in the recording printed, put together anew from the replies it got.
    fn all_groups(recording: &Recording) -> Vec<String> {
        let mut texts = Vec::new();
        let mut groups = Vec::new();
        for (cmd, body) in &recording.replies {
            if *cmd == 91 {
                groups = list_groups::GotAll::decode(body).unwrap().groups;
                groups.reverse();
            } else if let Some(group) = groups.pop() {
                let storages = list_storages::Got::decode(body).unwrap().storages;
                let mut text = Vec::new();
                write_group(&mut text, &group, &storages, &TimeZone::UTC).unwrap();
                texts.push(String::from_utf8(text).unwrap());
            }
        }
        texts
    }

    /// The groups in the transcript: from `group name =` to the end of the indented lines.
    fn printed_groups(transcript: &str) -> Vec<String> {
        let mut groups: Vec<String> = Vec::new();
        let mut inside = false;
        for line in transcript.lines() {
            if line.starts_with("group name = ") {
                groups.push(String::new());
                inside = true;
            }
            inside &= line.is_empty() || line.starts_with('\t') || line.contains(" = ");
            if inside && let Some(group) = groups.last_mut() {
                group.push_str(line);
                group.push('\n');
            }
        }
        groups
    }

    #[track_caller]
    fn compare(recording: &Recording, groups: usize) {
        let ours = all_groups(recording);
        let printed = printed_groups(&recording.transcript);
        assert_eq!(printed.len(), groups);
        for text in printed {
            // Between two groups the tool prints an empty line of its own.
            let text = format!("{}\n", text.trim_end_matches('\n'));
            assert!(ours.contains(&text), "we would not have printed:\n{text}\nbut:\n{}", ours.concat());
        }
    }

    #[test]
    fn a_plain_group_is_printed_as_the_original_printed_it() {
        compare(&recording("plain-2-storages"), 2);
    }

    #[test]
    fn groups_with_trunk_files_are_printed_as_the_original_printed_them() {
        compare(&recording("trunk-2-trackers-4-storages"), 2);
    }

    #[test]
    fn the_last_column_says_how_far_a_member_is_behind() {
        assert_eq!(synced_column(0, 0), "");
        assert_eq!(synced_column(0, 100), "(never synced)");
        assert_eq!(synced_column(100, 100), "(0 second delay)");
        assert_eq!(synced_column(100, 165), "(1 minute 5 seconds delay)");
        assert_eq!(synced_column(200, 100), "(0 second delay)");
    }
}
