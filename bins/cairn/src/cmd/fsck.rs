//! `cairn fsck`: a store against its ids and its records. It changes no file, and the store may be in use.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use fdfs_conf::service::RunBy;
use fdfs_fileid::FileName;
use indicatif::ProgressBar;
use serde_json::json;
use store::fsck::{Event, Finding, FsckSettings, Progress, Severity, Stage, Summary, check};

use super::bar::bar;
use super::store_owner::become_owner;
use crate::conf;
use crate::messages::{Language, Say};

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A storage.conf, the data folder of `cairn up`, or a folder that is base path and only store path in one
    store: PathBuf,
    /// Compare names, sizes and records only, without reading the files' content
    #[arg(long)]
    quick: bool,
    /// Leave the records (the binlog) out
    #[arg(long)]
    no_records: bool,
    /// Have the storage replace what is damaged or missing with other members' copies when it runs next
    #[arg(long)]
    mark: bool,
    /// Folders checked at once
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Findings and summary as JSON lines, without a progress bar
    #[arg(long)]
    json: bool,
}

/// Exit status when something was found.
const EXIT_FOUND: u8 = 1;
/// Exit status when the store could not be checked.
const EXIT_NOT_CHECKED: u8 = 2;

pub(crate) fn run(args: &Args, language: Language) -> ExitCode {
    match try_run(args, language) {
        Ok(summary) if summary.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(EXIT_FOUND),
        Err(error) => {
            let _ = writeln!(io::stderr(), "cairn: {error:#}");
            ExitCode::from(EXIT_NOT_CHECKED)
        }
    }
}

fn try_run(args: &Args, language: Language) -> anyhow::Result<Summary> {
    let (mut settings, run_by) = settings(&args.store)?;
    if args.mark {
        // The storage has to read the marks, and to remove them.
        become_owner(&run_by, &settings.paths)?;
    }
    settings.content = !args.quick;
    settings.records = !args.no_records;
    if let Some(jobs) = args.jobs {
        settings.threads = jobs.into();
    }
    let bar = bar(args.json);
    let mut broken = None;
    let mut victims = BTreeSet::new();
    let checked = check(&settings, &mut |event| match event {
        Event::Progress(progress) => show(&bar, progress),
        Event::Finding(finding) => {
            let line = if args.json { finding_json(&finding) } else { finding_line(&finding) };
            let written = bar.suspend(|| writeln!(io::stdout(), "{line}"));
            // The check cannot be ended from here; it goes on for nothing when the reader is gone.
            broken = written.err().or(broken.take());
        }
        Event::Victim { name, .. } => {
            if args.mark {
                victims.insert(name);
            }
        }
        Event::Passed(_) => {}
    });
    bar.finish_and_clear();
    let summary = checked.context("check the store")?;
    if let Some(error) = broken {
        return Err(error).context("write the findings");
    }
    if args.mark {
        mark(&settings, &victims).context("mark the damaged files")?;
    }
    if args.json {
        writeln!(io::stdout(), "{}", summary_json(&summary, args.mark.then_some(victims.len())))?;
    } else {
        let marked = args.mark.then_some(victims.len());
        let say = Say::Checked { summary: &summary, content: settings.content, marked };
        writeln!(io::stderr(), "{}", say.in_language(language))?;
    }
    Ok(summary)
}

/// Leaves the names where the storage of each store path looks for them.
fn mark(settings: &FsckSettings, victims: &BTreeSet<FileName>) -> io::Result<()> {
    for (index, root) in settings.paths.iter().enumerate() {
        let here = |name: &&FileName| usize::from(name.path_index().0) == index;
        let names: Vec<FileName> = victims.iter().filter(here).cloned().collect();
        if !names.is_empty() {
            store::mark_damaged(root, &names)?;
        }
    }
    Ok(())
}

/// Where the store is, from what was named, and who serves it as far as that is configured.
fn settings(named: &Path) -> anyhow::Result<(FsckSettings, RunBy)> {
    let inside = named.join("conf/storage.conf");
    let conf = if named.is_file() { named.to_owned() } else { inside };
    if conf.is_file() {
        let (conf, _) = conf::storage(&conf)?;
        let paths = conf.store_paths.into_iter().map(|store| store.path).collect();
        let mut settings = FsckSettings::new(conf.base_path, paths);
        settings.subdir_count = conf.subdir_count_per_path;
        return Ok((settings, conf.run_by));
    }
    if !named.join("data").is_dir() {
        bail!("{}: neither a storage.conf nor a folder with a store in it", named.display());
    }
    Ok((FsckSettings::new(named.to_owned(), vec![named.to_owned()]), RunBy::default()))
}

fn show(bar: &ProgressBar, progress: Progress) {
    let stage = match progress.stage {
        Stage::Records => "records",
        Stage::Files => "files",
        Stage::Again => "files that changed",
        Stage::Names => "missing names",
    };
    bar.set_message(stage);
    bar.set_length(progress.total);
    bar.set_position(progress.done);
}

fn finding_line(finding: &Finding) -> String {
    match finding.severity() {
        Severity::Damage => format!("DAMAGED  {finding}"),
        Severity::Odd => format!("odd      {finding}"),
    }
}

fn finding_json(finding: &Finding) -> String {
    let severity = match finding.severity() {
        Severity::Damage => "damage",
        Severity::Odd => "odd",
    };
    json!({ "kind": "finding", "severity": severity, "text": finding.to_string() }).to_string()
}

fn summary_json(summary: &Summary, marked: Option<usize>) -> String {
    let records = summary.records.as_ref();
    json!({
        "kind": "summary",
        "clean": summary.is_clean(),
        "complete": summary.is_complete(),
        "running": summary.running,
        "folders": summary.folders,
        "normal": summary.normal,
        "appenders": summary.appenders,
        "slaves": summary.slaves,
        "links": summary.links,
        "metadata": summary.metadata,
        "containers": summary.containers,
        "slots": summary.slots,
        "bytes": summary.bytes,
        "packs": summary.packs,
        "packed": summary.packed,
        "bytes_read": summary.bytes_read,
        "unsettled": summary.unsettled,
        "records": records.map(|records| records.lines),
        "records_unread": records.map(|records| &records.unread),
        "damaged": summary.damaged,
        "odd": summary.odd,
        "marked": marked,
    })
    .to_string()
}
