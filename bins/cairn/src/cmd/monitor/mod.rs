//! `cairn monitor`: groups and storages at a glance.

mod live;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use doctor_core::decide::{Behind, Changes};
use doctor_core::{What, decide, words};
use fdfs_client::{Client, GroupStat, ServerAddr, StorageStat, StorageStatus};
use serde_json::{Value, json};

use super::cluster::ClusterArgs;
use super::table::Table;
use crate::fdfs::human;
use crate::messages::Language;

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
    /// Draw it anew every so many seconds, with what happens in each; q quits
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        require_equals = true,
        conflicts_with = "json",
        value_parser = clap::value_parser!(u16).range(1..=3600)
    )]
    live: Option<u16>,
}

/// How long a storage may take to tell its figures; without them it is shown as the trackers know it.
const FIGURES_WAIT: Duration = Duration::from_secs(3);

pub(crate) fn run(args: &Args, language: Language) -> anyhow::Result<ExitCode> {
    let client = args.cluster.client()?;
    if let Some(seconds) = args.live {
        return live::run(&client, args.group.as_deref(), Duration::from_secs(seconds.into()), language);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cluster = runtime.block_on(look(&client, args.group.as_deref()))?;
    let text = if args.json { format!("{:#}\n", as_json(&cluster)) } else { as_text(&cluster) };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// A group and its storages.
type Seen = (GroupStat, Vec<Member>);

/// A storage.
struct Member {
    /// As the tracker knows it.
    stat: StorageStat,
    /// What it tells about itself: nothing unless it is one of ours.
    figures: BTreeMap<String, u64>,
}

impl Member {
    /// What somebody should know of its copies, or do something about: what `cairn doctor` says of them, too.
    fn found(&self) -> Vec<What> {
        decide::copies(&address(&self.stat), &self.figures)
    }
}

async fn look(client: &Client, only: Option<&str>) -> anyhow::Result<Vec<Seen>> {
    let groups = client.list_groups().await.context("list the groups")?;
    let mut seen = Vec::new();
    let names: Vec<String> = groups.iter().map(|group| group.group.to_string()).collect();
    for group in groups.into_iter().filter(|group| only.is_none_or(|name| group.group.as_str() == name)) {
        let storages = client.list_storages(group.group, None).await.context("list the storages")?;
        let asked: Vec<_> =
            storages.into_iter().map(|stat| tokio::spawn(ask(client.clone(), stat))).collect();
        let mut members = Vec::new();
        for member in asked {
            members.push(member.await.context("ask a storage")?);
        }
        seen.push((group, members));
    }
    if let Some(name) = only {
        let there = match names.len() {
            0 => "no storage has joined yet".to_owned(),
            1 => format!("there is {}", names.join("")),
            _ => format!("there are {}", names.join(", ")),
        };
        anyhow::ensure!(!seen.is_empty(), "no group {name}: {there}");
    }
    Ok(seen)
}

/// Asks a storage that serves for its figures; one that does not answer in time has none.
async fn ask(client: Client, stat: StorageStat) -> Member {
    let address = stat.ip.ip().map(|ip| ServerAddr::new(ip, stat.figures.storage_port));
    let mut figures = BTreeMap::new();
    if let (StorageStatus::Active, Some(address)) = (stat.who.status, address) {
        let asked = tokio::time::timeout(FIGURES_WAIT, client.storage(address).figures()).await;
        figures = asked.ok().and_then(Result::ok).unwrap_or_default().into_iter().collect();
    }
    Member { stat, figures }
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
            table.row(row(&storage.stat, behind(storages, index)));
        }
        text.push_str(&table.text("  "));
        for storage in storages {
            for found in storage.found() {
                let (what, todo) = words::of(&found, Language::English);
                text.push_str(&format!("  {what}\n    → {todo}\n"));
            }
        }
        text.push('\n');
    }
    text
}

fn row(storage: &StorageStat, behind: Behind) -> [String; 11] {
    let figures = &storage.figures;
    let stat = &figures.stat;
    [
        storage.who.id.to_string(),
        address(storage),
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

fn address(storage: &StorageStat) -> String {
    let host = match storage.ip.ip() {
        Some(std::net::IpAddr::V6(ip)) => format!("[{ip}]"),
        _ => storage.ip.to_string(),
    };
    format!("{host}:{}", storage.figures.storage_port)
}

fn behind(storages: &[Member], index: usize) -> Behind {
    let changes = |member: &Member| {
        let stat = &member.stat.figures.stat;
        let (came, synced) = (stat.last_sync_update, stat.last_synced_timestamp);
        Changes::of(member.stat.who.status, stat.last_source_update, came, synced)
    };
    let others = storages.iter().enumerate().filter(|(other, _)| *other != index);
    let member = storages.get(index).map(changes);
    member.map_or(Behind::Nothing, |member| decide::behind(member, others.map(|(_, other)| changes(other))))
}

fn as_json(cluster: &[Seen]) -> Value {
    let groups: Vec<Value> = cluster.iter().map(|(group, storages)| group_json(group, storages)).collect();
    json!({ "groups": groups })
}

fn group_json(group: &GroupStat, storages: &[Member]) -> Value {
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

fn storage_json(member: &Member, behind: Behind) -> Value {
    let storage = &member.stat;
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
        // Empty of a storage that is not ours, or does not answer.
        "figures": member.figures,
        "behind_s": match behind {
            Behind::Seconds(seconds) => Some(seconds),
            Behind::Nothing | Behind::Never => None,
        },
    })
}
