//! `cairn monitor`: groups and storages at a glance.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use fdfs_client::{Client, GroupStat, StorageStat};
use serde_json::{Value, json};

use super::cluster::ClusterArgs;
use super::table::Table;
use crate::fdfs::human;

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Only this group
    group: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = args.cluster.client()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cluster = runtime.block_on(look(&client, args.group.as_deref()))?;
    if let Some(name) = &args.group {
        anyhow::ensure!(!cluster.is_empty(), "no group {name}");
    }
    let text = if args.json { format!("{:#}\n", as_json(&cluster)) } else { as_text(&cluster) };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// A group and its storages.
type Seen = (GroupStat, Vec<StorageStat>);

async fn look(client: &Client, only: Option<&str>) -> anyhow::Result<Vec<Seen>> {
    let groups = client.list_groups().await.context("list the groups")?;
    let mut seen = Vec::new();
    for group in groups.into_iter().filter(|group| only.is_none_or(|name| group.group.as_str() == name)) {
        let storages = client.list_storages(group.group, None).await.context("list the storages")?;
        seen.push((group, storages));
    }
    Ok(seen)
}

fn as_text(cluster: &[Seen]) -> String {
    if cluster.is_empty() {
        return "no groups: no storage has joined yet\n".to_owned();
    }
    let mut text = String::new();
    for (group, storages) in cluster {
        text.push_str(&format!(
            "{}  {} of {} free, {} reserved; storages: {}, readable: {}, writable: {}\n",
            group.group,
            human::megabytes(group.free_mb),
            human::megabytes(group.total_mb),
            human::megabytes(group.reserved_mb),
            group.storage_count,
            group.readable_server_count,
            group.writable_server_count
        ));
        let mut table = Table::new([
            "id",
            "address",
            "status",
            "free",
            "total",
            "open",
            "uploads",
            "downloads",
            "deletes",
            "behind",
            "version",
        ]);
        for (index, storage) in storages.iter().enumerate() {
            table.row(row(storage, behind(storages, index)));
        }
        text.push_str(&table.text("  "));
        text.push('\n');
    }
    text
}

fn row(storage: &StorageStat, behind: Behind) -> [String; 11] {
    let figures = &storage.figures;
    let stat = &figures.stat;
    let host = match storage.ip.ip() {
        Some(std::net::IpAddr::V6(ip)) => format!("[{ip}]"),
        _ => storage.ip.to_string(),
    };
    [
        storage.who.id.to_string(),
        format!("{host}:{}", figures.storage_port),
        storage.who.status.caption().to_owned(),
        human::megabytes(figures.free_mb),
        human::megabytes(figures.total_mb),
        stat.connection_current_count.to_string(),
        stat.success_upload_count.to_string(),
        stat.success_download_count.to_string(),
        stat.success_delete_count.to_string(),
        match behind {
            Behind::Nothing => "-".to_owned(),
            Behind::Never => "never synced".to_owned(),
            Behind::Seconds(seconds) => human::seconds(seconds),
        },
        figures.version.to_string(),
    ]
}

/// How far a member is behind the newest change on the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// Nothing to compare with: it is alone, or nothing has changed anywhere.
    Nothing,
    /// It has never got anything from the others.
    Never,
    Seconds(i64),
}

fn behind(storages: &[StorageStat], index: usize) -> Behind {
    let updates = |(_, storage): (usize, &StorageStat)| storage.figures.stat.last_source_update;
    let newest = storages.iter().enumerate().filter(|(other, _)| *other != index).map(updates).max();
    let synced = storages.get(index).map_or(0, |storage| storage.figures.stat.last_synced_timestamp);
    match newest {
        None | Some(0) => Behind::Nothing,
        Some(_) if synced == 0 => Behind::Never,
        Some(newest) => Behind::Seconds(newest.saturating_sub(synced).max(0)),
    }
}

fn as_json(cluster: &[Seen]) -> Value {
    let groups: Vec<Value> = cluster.iter().map(|(group, storages)| group_json(group, storages)).collect();
    json!({ "groups": groups })
}

fn group_json(group: &GroupStat, storages: &[StorageStat]) -> Value {
    let storages: Vec<Value> = storages
        .iter()
        .enumerate()
        .map(|(index, storage)| storage_json(storage, behind(storages, index)))
        .collect();
    json!({
        "group": group.group.as_str(),
        "total_mb": group.total_mb,
        "free_mb": group.free_mb,
        "reserved_mb": group.reserved_mb,
        "trunk_free_mb": group.trunk_free_mb,
        "storage_count": group.storage_count,
        "readable_count": group.readable_server_count,
        "writable_count": group.writable_server_count,
        "store_path_count": group.store_path_count,
        "storages": storages,
    })
}

fn storage_json(storage: &StorageStat, behind: Behind) -> Value {
    let figures = &storage.figures;
    let stat = &figures.stat;
    json!({
        "id": storage.who.id.as_str(),
        "ip": storage.ip.to_string(),
        "port": figures.storage_port,
        "status": storage.who.status.caption(),
        "version": figures.version.to_string(),
        "join_time": figures.join_time,
        "up_time": figures.up_time,
        "total_mb": figures.total_mb,
        "free_mb": figures.free_mb,
        "reserved_mb": figures.reserved_mb,
        "store_path_count": figures.store_path_count,
        "is_trunk_server": figures.is_trunk_server,
        "connections": stat.connection_current_count,
        "uploads": { "asked": stat.total_upload_count, "done": stat.success_upload_count, "bytes": stat.success_upload_bytes },
        "downloads": { "asked": stat.total_download_count, "done": stat.success_download_count, "bytes": stat.success_download_bytes },
        "deletes": { "asked": stat.total_delete_count, "done": stat.success_delete_count },
        "last_beat": stat.last_heart_beat_time,
        "last_synced": stat.last_synced_timestamp,
        "never_synced": behind == Behind::Never,
        "behind_s": match behind {
            Behind::Seconds(seconds) => Some(seconds),
            Behind::Nothing | Behind::Never => None,
        },
    })
}
