//! `cairn stat`: what a file's id says, and what the storage says.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use anyhow::bail;
use fdfs_client::{Client, FileInfo, InfoFlags, Metadata};
use fdfs_fileid::{FileId, Kind, Source as Origin};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use transfer::{EntryKind, RelPath, Source};

use super::cluster::ClusterArgs;
use super::transfer_view::wait_for;
use crate::fdfs::human;

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// A file id, or a manifest (its file, or its id) with PATH
    source: OsString,
    /// The file's path in the manifest
    path: Option<OsString>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// All that is known of a file.
struct Known {
    id: FileId,
    info: FileInfo,
    metadata: Metadata,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = args.cluster.client()?;
    let source = Source::parse(&args.source)?;
    let known = wait_for(look(&client, &source, args.path.as_ref()))?;
    let text =
        if args.json { format!("{:#}\n", as_json(&known)) } else { as_text(&known, &TimeZone::system()) };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn look(client: &Client, source: &Source, path: Option<&OsString>) -> anyhow::Result<Known> {
    let id = match (source, path) {
        (Source::File(id) | Source::StoredManifest(id), None) => id.clone(),
        (Source::LocalManifest(manifest), None) => bail!("{}: name a path in it", manifest.display()),
        (_, Some(path)) => {
            let entry = source.manifest(client).await?.find(&RelPath::parse(path.as_bytes())?)?;
            match entry.kind {
                EntryKind::File { id, .. } => id,
                EntryKind::Dir { .. } => bail!("{} is a folder: cairn ls lists what is in it", entry.path),
                EntryKind::Symlink { .. } => {
                    bail!("{} is a symbolic link, which has no content: name what it leads to", entry.path)
                }
            }
        }
    };
    let info = client.file_info(&id, InfoFlags::default()).await?;
    let metadata = match client.metadata(&id).await {
        // A file without metadata has none to show.
        Err(error) if error.is_not_found() => Metadata::new(),
        other => other?,
    };
    Ok(Known { id, info, metadata })
}

fn kind(id: &FileId) -> &'static str {
    match id.name.kind() {
        Kind::Normal => "normal",
        Kind::Appender => "appender",
        Kind::Slave => "slave",
        Kind::Trunk => "trunk",
    }
}

/// The storage that took the file: its number or its address.
fn origin(id: &FileId) -> Option<String> {
    id.name.stamp().map(|stamp| match stamp.source {
        Origin::Id(id) => id.to_string(),
        Origin::Ip(ip) => ip.to_string(),
    })
}

fn as_text(known: &Known, zone: &TimeZone) -> String {
    let Known { id, info, metadata } = known;
    let mut lines = vec![
        format!("id        {id}"),
        format!("kind      {}", kind(id)),
        format!("size      {} ({})", info.size, human::bytes(info.size)),
        format!("crc32     {:08x}", info.crc32),
        format!("modified  {}", human::time(info.mtime, zone)),
    ];
    lines.extend(origin(id).map(|origin| format!("source    {origin}")));
    for (name, value) in metadata.iter() {
        lines.push(format!("metadata  {}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn as_json(known: &Known) -> Value {
    let Known { id, info, metadata } = known;
    let metadata: Map<String, Value> = metadata
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value).into_owned();
            (String::from_utf8_lossy(name).into_owned(), Value::String(value))
        })
        .collect();
    json!({
        "id": id.to_string(),
        "kind": kind(id),
        "size": info.size,
        "crc32": format!("{:08x}", info.crc32),
        "mtime": info.mtime,
        "source": origin(id),
        "source_ip": info.source.map(|ip| ip.to_string()),
        "metadata": metadata,
    })
}
