//! `cairn get`: a file or a whole folder out of the cluster, verified.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::ExitCode;

use fdfs_client::Client;
use serde_json::json;
use transfer::{GetOptions, GetReport, RelPath, Source, Stop, TransferError};

use super::cluster::ClusterArgs;
use super::transfer_view::{EXIT_INTERRUPTED, View, unless_interrupted, until_done};
use crate::messages::{Language, Say};

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// A manifest (its file, or its id) or a file id
    source: OsString,
    /// Where to; what is there and differs is replaced, and a pipe (/dev/stdout too) gets the content of a file [default: for a folder its old name, and what is newer there stays; for a file the last part of its id]
    target: Option<PathBuf>,
    /// Files fetched at once
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Report as JSON, without a progress bar
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, language: Language) -> anyhow::Result<ExitCode> {
    let client = args.cluster.client()?;
    let source = Source::parse(&args.source)?;
    // Without a target it goes to a folder of the old name here, and that may be the one that was put.
    let keep_newer = args.target.is_none();
    let options = GetOptions { jobs: args.jobs.into(), keep_newer, ..GetOptions::default() };
    if let Source::File(id) = &source {
        let target = args.target.clone().unwrap_or_else(|| PathBuf::from("."));
        let work = async { Ok(transfer::get_file(&client, id, &target, &options).await?) };
        let Some((path, downloaded)) = unless_interrupted(work)? else {
            return Ok(ExitCode::from(EXIT_INTERRUPTED));
        };
        let line = if args.json {
            let crc32 = format!("{:08x}", downloaded.crc32);
            json!({ "path": path.display().to_string(), "size": downloaded.size, "crc32": crc32, "verified": downloaded.verified })
                .to_string()
        } else {
            path.display().to_string()
        };
        if path.is_file() {
            writeln!(io::stdout(), "{line}")?;
        } else {
            // A pipe or a device, and that may be where standard output goes: nothing may follow the content there.
            writeln!(io::stderr(), "{line}")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let view = View::new(args.json);
    let stop = Stop::new();
    let fetched = until_done(fetch(&client, &source, args.target.clone(), &options, &view, &stop), &stop);
    view.finish();
    let Some((target, report)) = fetched? else { return Ok(ExitCode::from(EXIT_INTERRUPTED)) };
    if args.json {
        let report = json!({
            "complete": report.is_complete(),
            "target": target.display().to_string(),
            "fetched": report.fetched,
            "bytes_fetched": report.bytes_fetched,
            "skipped": report.skipped,
            "dirs": report.dirs,
            "symlinks": report.symlinks,
            "failures": report.failures,
            "interrupted": report.interrupted,
            "gave_up": report.gave_up,
        });
        writeln!(io::stdout(), "{report}")?;
    } else {
        let say = if report.is_complete() {
            Say::GetDone { report: &report, target: &target }
        } else {
            Say::GetIncomplete { report: &report }
        };
        writeln!(io::stderr(), "{}", say.in_language(language))?;
    }
    Ok(match (report.is_complete(), report.interrupted) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(EXIT_INTERRUPTED),
        (false, false) => ExitCode::FAILURE,
    })
}

/// Gives nothing when it was asked to stop before there was a manifest.
async fn fetch(
    client: &Client,
    source: &Source,
    target: Option<PathBuf>,
    options: &GetOptions,
    view: &std::sync::Arc<View>,
    stop: &Stop,
) -> anyhow::Result<Option<(PathBuf, GetReport)>> {
    let Some(manifest) = stop.unless_requested(source.manifest(client)).await.transpose()? else {
        return Ok(None);
    };
    let target = match target {
        Some(target) => target,
        None => folder_name(manifest.header()?.root)?,
    };
    let report = transfer::get(client, manifest, &target, options, view.clone(), stop).await?;
    Ok(Some((target, report)))
}

/// The folder's old name, if it is one name: a manifest must not lead us elsewhere.
fn folder_name(root: Vec<u8>) -> Result<PathBuf, TransferError> {
    let is_name = RelPath::parse(&root).is_ok() && !root.contains(&b'/') && root != b".";
    if is_name { Ok(PathBuf::from(OsString::from_vec(root))) } else { Ok(PathBuf::from("folder")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_a_folder_here_and_nowhere_else() {
        assert_eq!(folder_name(b"photos".to_vec()).unwrap(), PathBuf::from("photos"));
        for bad in [&b""[..], b".", b"..", b"/etc", b"a/b", b"../x"] {
            assert_eq!(folder_name(bad.to_vec()).unwrap(), PathBuf::from("folder"), "{bad:?}");
        }
    }
}
