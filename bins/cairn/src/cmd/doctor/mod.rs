//! `cairn doctor`: what is wrong with configurations, servers and a cluster, and what to do about it.
//!
//! [`local`] looks at this machine, `cluster-probe` at the cluster; `doctor-core` says what is wrong with what was seen, and in words.

mod local;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cluster_probe::Target;
use doctor_core::words::Checked;
use doctor_core::{Finding, Severity, Unseen, What, decide, words};
use serde_json::{Value, json};

use super::cluster::ClusterArgs;
use crate::messages::Language;

/// What is asked for.
///
/// The status is 0 when nothing is worse than a note, 1 when there are warnings, 2 when there are errors.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit status: 0 = nothing worse than notes, 1 = warnings, 2 = errors.")]
pub(crate) struct Args {
    /// Configurations to check, with what they name on this machine: tracker.conf, storage.conf, client.conf,
    /// mod_fastdfs.conf, drive.conf or watch.conf under any name; none = the client.conf of the cluster
    #[arg(value_name = "CONF")]
    confs: Vec<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Look again for up to so many seconds until nothing worse than a note is left that may pass by itself
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=3600))]
    wait: u64,
}

/// Pause between two looks: news travels in seconds.
const WAIT_PAUSE: Duration = Duration::from_millis(500);

/// The status when there are warnings.
const EXIT_WARNINGS: u8 = 1;
/// The status when there are errors, or nothing could be found out.
const EXIT_ERRORS: u8 = 2;

/// Never fails with another status than its own: a script takes 1 for warnings.
pub(crate) fn run(args: &Args, language: Language) -> ExitCode {
    examine(args, language).unwrap_or_else(|error| {
        // Where nothing can be said, the status has to do.
        let _ = writeln!(io::stderr(), "cairn: {error:#}");
        ExitCode::from(EXIT_ERRORS)
    })
}

fn examine(args: &Args, language: Language) -> anyhow::Result<ExitCode> {
    let mut files = args.confs.clone();
    if files.is_empty() || args.cluster.named().is_some() {
        files.push(args.cluster.path());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (checked, findings) = runtime.block_on(look_until(&files, Duration::from_secs(args.wait)));
    let text = if args.json {
        format!("{:#}\n", as_json(&checked, &findings))
    } else {
        as_text(&checked, &findings, language)
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(status(&findings))
}

/// Looks until nothing worse than a note may pass by itself, or the time is over: what was seen last, the worst first.
async fn look_until(files: &[PathBuf], patience: Duration) -> (Checked, Vec<Finding>) {
    let until = Instant::now() + patience;
    loop {
        let Seen { checked, found, .. } = look(files, Vec::new()).await;
        let mut findings: Vec<Finding> = found.into_iter().map(Finding::from).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let settled = findings.iter().all(|found| found.severity == Severity::Note || found.what.lasts());
        if settled || Instant::now() + WAIT_PAUSE >= until {
            return (checked, findings);
        }
        tokio::time::sleep(WAIT_PAUSE).await;
    }
}

/// What a look has seen.
#[derive(Debug)]
pub(crate) struct Seen {
    pub checked: Checked,
    /// All that is wrong.
    pub found: Vec<What>,
    /// What could not be looked at.
    pub unseen: Unseen,
}

/// Looks at configurations with what they name, and at the cluster of the trackers that they and `trackers` name.
pub(crate) async fn look(files: &[PathBuf], mut trackers: Vec<Target>) -> Seen {
    let client = cluster_probe::client();
    let mut found = Vec::new();
    let mut files = files.to_vec();
    let mut done = 0;
    while let Some(file) = files.get(done).cloned() {
        done += 1;
        let looked = local::look(&client, &file).await;
        found.extend(looked.found);
        let more: Vec<_> = looked.confs.into_iter().filter(|conf| !files.contains(conf)).collect();
        files.extend(more);
        for target in looked.trackers {
            match trackers.iter_mut().find(|known| known.address == target.address) {
                Some(known) => known.named |= target.named,
                None => trackers.push(target),
            }
        }
    }
    let seen = cluster_probe::cluster(&client, &trackers).await;
    let unseen = Unseen::of(&seen, &found);
    found.extend(decide::cluster(&seen));
    let checked = Checked {
        files: files.len(),
        trackers: seen.trackers.iter().filter(|tracker| tracker.answer.is_ok()).count(),
        storages: seen.storages.iter().filter(|storage| storage.reached.is_ok()).count(),
    };
    Seen { checked, found, unseen }
}

fn worst(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Note)
}

fn status(findings: &[Finding]) -> ExitCode {
    match worst(findings) {
        Severity::Note => ExitCode::SUCCESS,
        Severity::Warning => ExitCode::from(EXIT_WARNINGS),
        Severity::Error => ExitCode::from(EXIT_ERRORS),
    }
}

fn as_text(checked: &Checked, findings: &[Finding], language: Language) -> String {
    let mut text = String::new();
    for finding in findings {
        let (what, todo) = words::of(&finding.what, language);
        let severity = words::severity(finding.severity, language);
        text.push_str(&format!("{severity} [{}] {what}\n  → {todo}\n", finding.what.code()));
    }
    text.push_str(&words::sum(checked, findings, language));
    text.push('\n');
    text
}

/// The same in every language.
fn as_json(checked: &Checked, findings: &[Finding]) -> Value {
    let each = |finding: &Finding| {
        let (what, todo) = words::of(&finding.what, Language::English);
        json!({
            "severity": finding.severity.word(),
            "code": finding.what.code(),
            "fields": finding.what.fields(),
            "what": what,
            "todo": todo,
        })
    };
    json!({
        "worst": worst(findings).word(),
        "files_checked": checked.files,
        "trackers_answered": checked.trackers,
        "storages_answered": checked.storages,
        "findings": findings.iter().map(each).collect::<Vec<_>>(),
    })
}
