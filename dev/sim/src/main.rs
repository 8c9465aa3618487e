//! `cargo xtask sim`: plays seeds and says which fail.

use std::ops::Range;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use sim::Fault;

#[derive(Parser)]
#[command(name = "cargo xtask sim", about = "Plays seeds: a whole cluster on virtual time")]
struct Arguments {
    /// One seed, with its trace
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Many seeds, A..B
    #[arg(long, value_parser = range, default_value = "0..1000")]
    seeds: Range<u64>,
    /// Plant this bug
    #[arg(long, value_parser = fault)]
    fault: Option<Fault>,
    /// Show everything that happens, not only what came last
    #[arg(long)]
    trace: bool,
}

fn range(text: &str) -> Result<Range<u64>> {
    let (first, end) = text.split_once("..").context("a range is A..B")?;
    Ok(first.parse()?..end.parse()?)
}

fn fault(name: &str) -> Result<Fault> {
    Fault::named(name).with_context(|| format!("there are {:?}", Fault::ALL))
}

fn run() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        let outcome = sim::play(seed, arguments.fault, arguments.trace);
        eprintln!("{}", outcome.report());
        ensure!(outcome.failure.is_none(), "seed {seed} fails");
        return Ok(());
    }
    let count = arguments.seeds.end.saturating_sub(arguments.seeds.start);
    let mut failed = Vec::new();
    let (mut uploads, mut changes, mut deletions, mut rebuilt, mut retired) = (0, 0, 0, 0, 0);
    for seed in arguments.seeds {
        let outcome = sim::play(seed, arguments.fault, arguments.trace);
        uploads += outcome.uploads;
        changes += outcome.changes;
        deletions += outcome.deletions;
        rebuilt += outcome.rebuilt;
        retired += outcome.retired;
        if let Some(failure) = &outcome.failure {
            if failed.is_empty() {
                eprintln!("{}", outcome.report());
            } else {
                eprintln!("seed {seed}: {failure}");
            }
            failed.push(seed);
        }
    }
    let failures = failed.len();
    eprintln!(
        "{count} seeds, {failures} failed; {uploads} uploads, {changes} changes, {deletions} deletions"
    );
    eprintln!("{rebuilt} lost disks rebuilt, {retired} storages taken out");
    if !failed.is_empty() {
        bail!("failed: {failed:?}");
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}
