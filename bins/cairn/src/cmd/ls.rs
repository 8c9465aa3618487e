//! `cairn ls`: what is in a manifest.

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use jiff::tz::TimeZone;
use transfer::manifest::Line;
use transfer::{Entry, EntryKind, Source};

use super::cluster::ClusterArgs;
use super::transfer_view::wait_for;
use crate::fdfs::human;

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// A manifest: its file, or its id
    manifest: OsString,
    /// With the file ids
    #[arg(short, long)]
    ids: bool,
    /// As JSON lines
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let source = Source::parse(&args.manifest)?;
    let manifest = match &source {
        // Nobody has to be asked for what is here.
        Source::LocalManifest(path) => transfer::Manifest::open(path)?,
        _ => {
            let client = args.cluster.client()?;
            wait_for(async { Ok(source.manifest(&client).await?) })?
        }
    };
    let zone = TimeZone::system();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    manifest.for_each(|entry| {
        if written.is_ok() {
            written = if args.json {
                out.write_all(&Line::Entry(entry).to_json()).and_then(|()| out.write_all(b"\n"))
            } else {
                writeln!(out, "{}", line(&entry, args.ids, &zone))
            };
        }
    })?;
    written?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// `-rw-r--r--      9.5 KB  2026-11-22 12:31:09  path`
fn line(entry: &Entry, with_id: bool, zone: &TimeZone) -> String {
    let time = human::time(entry.mtime.seconds, zone);
    let path = &entry.path;
    match &entry.kind {
        EntryKind::Dir { mode } => format!("d{}  {:>9}  {time}  {path}/", permissions(*mode), ""),
        EntryKind::File { mode, size, id, .. } => {
            let id = if with_id { format!("  {id}") } else { String::new() };
            format!("-{}  {:>9}  {time}  {path}{id}", permissions(*mode), human::bytes(*size))
        }
        EntryKind::Symlink { target } => {
            format!("lrwxrwxrwx  {:>9}  {time}  {path} -> {}", "", String::from_utf8_lossy(target))
        }
    }
}

fn permissions(mode: u32) -> String {
    let letters = ['r', 'w', 'x'];
    (0..9).map(|bit| if mode & (0o400 >> bit) != 0 { letters[bit % 3] } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use transfer::RelPath;
    use transfer::manifest::Mtime;

    #[test]
    fn a_line_looks_like_that_of_ls() {
        let entry = Entry {
            path: RelPath::parse(b"a/b.txt").unwrap(),
            mtime: Mtime { seconds: 1_751_328_000, nanoseconds: 0 },
            kind: EntryKind::File {
                mode: 0o640,
                size: 14,
                crc32: 0x0e10_ba5d,
                id: "group1/M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt".parse().unwrap(),
            },
        };
        assert_eq!(
            line(&entry, false, &TimeZone::UTC),
            "-rw-r-----      14  B  2025-07-01 00:00:00  a/b.txt"
        );
        assert!(line(&entry, true, &TimeZone::UTC).ends_with("0482.txt"));
        let folder = Entry { kind: EntryKind::Dir { mode: 0o755 }, ..entry };
        assert_eq!(
            line(&folder, false, &TimeZone::UTC),
            "drwxr-xr-x             2025-07-01 00:00:00  a/b.txt/"
        );
    }
}
