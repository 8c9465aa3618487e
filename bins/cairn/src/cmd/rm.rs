//! `cairn rm`: a file, or everything in a manifest, out of the cluster.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use fdfs_client::Client;
use serde_json::json;
use transfer::{Manifest, RemoveOptions, Source, Stop};

use super::cluster::ClusterArgs;
use super::put::usual_manifest;
use super::transfer_view::{EXIT_INTERRUPTED, View, until_done};
use crate::messages::{Language, Say};

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// A file id; with -r a manifest (its file, or its id)
    source: OsString,
    /// Delete everything the manifest lists, and the manifest. Manifests of one folder share the files that did not change between them: name those that stay with --except
    #[arg(short, long)]
    recursive: bool,
    /// Leave what this manifest (its file, or its id) lists; may be given several times
    #[arg(long, value_name = "MANIFEST", requires = "recursive")]
    except: Vec<OsString>,
    /// Delete also what FOLDER.cairn in the current folder lists, the manifest that a put of the same folder goes on with; otherwise nothing is deleted then
    #[arg(long, requires = "recursive")]
    shared_too: bool,
    /// Files deleted at once
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Report as JSON, without a progress bar
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, language: Language) -> anyhow::Result<ExitCode> {
    let source = Source::parse(&args.source)?;
    if !args.recursive && !matches!(source, Source::File(_)) {
        bail!(Say::RemoveNeedsRecursive { source: &args.source.to_string_lossy() }.in_language(language));
    }
    let except = args.except.iter().map(|manifest| Source::parse(manifest)).collect::<Result<_, _>>()?;
    let client = args.cluster.client()?;
    let options = RemoveOptions { jobs: args.jobs.into(), except, ..RemoveOptions::default() };
    let view = View::new(args.json);
    let stop = Stop::new();
    let work = async {
        if !matches!(source, Source::File(_)) && !args.shared_too {
            let shared = shared_with_usual(&client, &source, &options.except);
            if let Some((manifest, files)) = stop.unless_requested(shared).await.transpose()?.flatten() {
                bail!(Say::RemoveShares { manifest: &manifest, files }.in_language(language));
            }
        }
        Ok(transfer::remove(&client, &source, &options, view.clone(), &stop).await?)
    };
    let report = until_done(work, &stop);
    view.finish();
    let report = report?;
    // One file that is not there was asked for by name: that is a failure, as with rm.
    let lone_and_missing = matches!(source, Source::File(_)) && report.missing > 0;
    if args.json {
        let report = json!({
            "complete": report.is_complete() && !lone_and_missing,
            "deleted": report.deleted,
            "missing": report.missing,
            "kept": report.kept,
            "failures": report.failures,
            "interrupted": report.interrupted,
            "gave_up": report.gave_up,
        });
        writeln!(io::stdout(), "{report}")?;
    } else if lone_and_missing || args.recursive {
        writeln!(io::stderr(), "{}", Say::Removed { report: &report }.in_language(language))?;
    }
    Ok(match (report.is_complete() && !lone_and_missing, report.interrupted) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(EXIT_INTERRUPTED),
        (false, false) => ExitCode::FAILURE,
    })
}

/// The manifest in the current folder that a put of the same folder goes on with, and how many files that would be deleted
/// it lists too. Nothing when it lists none, or is `source` itself.
async fn shared_with_usual(
    client: &Client,
    source: &Source,
    except: &[Source],
) -> anyhow::Result<Option<(PathBuf, usize)>> {
    let manifest = source.manifest(client).await?;
    let root = OsString::from_vec(manifest.header()?.root);
    let usual = usual_manifest(Path::new(&root));
    let Ok(here) = Manifest::open(&usual) else { return Ok(None) };
    let mut excepted = Vec::new();
    for other in except {
        excepted.push(other.manifest(client).await?);
    }
    let source = source.clone();
    let look = move || {
        // What cannot be read is no manifest of anything.
        let listed_here = here.ids().unwrap_or_default();
        let is_itself = match &source {
            Source::LocalManifest(_) => source.is_same_as(&Source::LocalManifest(usual.clone())),
            Source::StoredManifest(id) | Source::File(id) => listed_here.contains(id),
        };
        if is_itself {
            return Ok(None);
        }
        let mut shared = manifest.ids()?;
        shared.retain(|id| listed_here.contains(id));
        for other in excepted {
            let kept = other.ids()?;
            shared.retain(|id| !kept.contains(id));
        }
        Ok((!shared.is_empty()).then_some((usual, shared.len())))
    };
    tokio::task::spawn_blocking(look).await?
}
