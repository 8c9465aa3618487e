//! `cairn put`: a file or a whole folder into the cluster.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use fdfs_fileid::GroupName;
use serde_json::json;
use transfer::{PutOptions, PutReport, Stop};

use super::cluster::ClusterArgs;
use super::transfer_view::{EXIT_INTERRUPTED, View, unless_interrupted, until_done};
use crate::messages::{Language, Say};

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// The file or folder
    path: PathBuf,
    /// The folder's manifest, which maps paths to file ids; a put that finds it sends only what changed. One that is named is taken although the folder was elsewhere before [default: NAME.cairn in the current folder]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Into this group; otherwise the trackers choose
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Files sent at once
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Ask the cluster for every file that the manifest has already
    #[arg(long)]
    check: bool,
    /// Report as JSON, without a progress bar
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, program: &str, language: Language) -> anyhow::Result<ExitCode> {
    let path = args.path.canonicalize().with_context(|| args.path.display().to_string())?;
    let client = args.cluster.client()?;
    let manifest = args.manifest.clone().unwrap_or_else(|| usual_manifest(&path));
    let mut options = PutOptions {
        check: args.check,
        jobs: args.jobs.into(),
        // Who names the manifest means it, wherever the folder was before.
        moved: args.manifest.is_some(),
        ..PutOptions::new(manifest)
    };
    if let Some(group) = &args.group {
        let name = GroupName::parse(group.as_bytes()).with_context(|| format!("group {group}"))?;
        options.group = Some(name);
    }
    let view = View::new(args.json);
    if !path.is_dir() {
        let work = async { Ok(transfer::put_file(&client, &path, &options, view.clone()).await?) };
        let uploaded = unless_interrupted(work);
        view.finish();
        let Some(uploaded) = uploaded? else { return Ok(ExitCode::from(EXIT_INTERRUPTED)) };
        let line = if args.json {
            json!({ "id": uploaded.id.to_string(), "size": uploaded.size, "crc32": format!("{:08x}", uploaded.crc32) })
                .to_string()
        } else {
            uploaded.id.to_string()
        };
        writeln!(io::stdout(), "{line}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let stop = Stop::new();
    let work = async { Ok(transfer::put(&client, &path, &options, view.clone(), &stop).await?) };
    let report = until_done(work, &stop);
    view.finish();
    let report = report?;
    tell(args, &options.manifest, &report, program, language)?;
    Ok(match (report.is_complete(), report.interrupted) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(EXIT_INTERRUPTED),
        (false, false) => ExitCode::FAILURE,
    })
}

/// `photos.cairn` for the folder `photos`.
pub(super) fn usual_manifest(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_else(|| "root".as_ref()).to_owned();
    name.push(".");
    name.push(transfer::manifest::MANIFEST_EXT);
    PathBuf::from(name)
}

/// The id of the manifest is the result; the rest is for people.
fn tell(
    args: &Args,
    manifest: &Path,
    report: &PutReport,
    program: &str,
    language: Language,
) -> io::Result<()> {
    if args.json {
        let listed = &report.listed;
        let report = json!({
            "complete": report.is_complete(),
            "manifest": manifest.display().to_string(),
            "manifest_id": report.manifest.as_ref().map(ToString::to_string),
            "files": listed.files,
            "dirs": listed.dirs,
            "symlinks": listed.symlinks,
            "bytes": listed.bytes,
            "sent": report.sent,
            "bytes_sent": report.bytes_sent,
            "skipped": report.skipped,
            "left_out": report.left_out,
            "failures": report.failures,
            "interrupted": report.interrupted,
            "gave_up": report.gave_up,
        });
        return writeln!(io::stdout(), "{report}");
    }
    if let Some(id) = &report.manifest {
        writeln!(io::stdout(), "{id}")?;
    }
    let say = if report.is_complete() {
        Say::PutDone { report, manifest, program, conf: args.cluster.named() }
    } else {
        Say::PutIncomplete { report, manifest }
    };
    writeln!(io::stderr(), "{}", say.in_language(language))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_manifest_has_the_folders_name() {
        assert_eq!(usual_manifest(Path::new("/srv/photos")), PathBuf::from("photos.cairn"));
        assert_eq!(usual_manifest(Path::new("/")), PathBuf::from("root.cairn"));
    }
}
