//! `cairn rm`: a file, or everything in a manifest, out of the cluster.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;
use transfer::{RemoveOptions, Source, Stop};

use super::cluster::ClusterArgs;
use super::transfer_view::{EXIT_INTERRUPTED, View, until_done};
use crate::messages::{Language, Say};

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// A file id; with -r a manifest (its file, or its id)
    source: OsString,
    /// Delete everything the manifest lists, and the manifest
    #[arg(short, long)]
    recursive: bool,
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
    let client = args.cluster.client()?;
    let options = RemoveOptions { jobs: args.jobs.into(), ..RemoveOptions::default() };
    let view = View::new(args.json);
    let stop = Stop::new();
    let work = async { Ok(transfer::remove(&client, &source, &options, view.clone(), &stop).await?) };
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
