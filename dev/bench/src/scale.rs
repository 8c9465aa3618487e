//! A store with millions of small files, beside an empty one on the same disk.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use testkit::cluster::{Cluster, Plan};

use crate::document::Told;
use crate::load::{self, Job, Until};
use crate::machine::{self, Machine};
use crate::store::{content_seed, key_value, random_bytes, shuffle, size};
use crate::tally::Spread;
use crate::wire::{self, FileRef};

/// Files made between two looks at how far it is.
const PART: usize = 250_000;
/// Of the files made, every so-manieth is remembered for downloads.
const REMEMBERED: usize = 25;
/// How long making one part may take.
const PART_TIME: Duration = Duration::from_secs(300);
/// Length of one measured phase.
const PHASE: Duration = Duration::from_secs(1);

/// What to build.
#[derive(Args)]
pub(crate) struct Arguments {
    /// How many files
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    files: u64,
    /// Size of each
    #[arg(long, value_parser = size, default_value = "1K")]
    size: u64,
    /// Connections
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Rounds of comparing with an empty store
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// The server program
    #[arg(long)]
    binary: PathBuf,
    /// Puts what is printed into docs/performance.md
    #[arg(long)]
    write: bool,
    /// Where the servers keep their data; removed at the end
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A key of storage.conf, as `durability=disk`; may be given several times
    #[arg(long, value_parser = key_value)]
    storage_key: Vec<(String, String)>,
}

/// One of the two stores.
struct Side {
    name: &'static str,
    cluster: Cluster,
    storage: SocketAddr,
    /// Some of its files.
    files: Vec<FileRef>,
}

/// Carries out the measurement and prints it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut out = Told::new();
    writeln!(out, "machine: {}", Machine::here())?;
    let content = random_bytes(arguments.size, content_seed());
    let mut empty = Side::start("empty", arguments)?;
    let mut full = Side::start("full", arguments)?;
    let request = wire::upload_request(0, &content);
    let fresh = full.memory()?;
    full.fill(&request, arguments)?;
    writeln!(out, "{} files of {} bytes; memory {} KiB", arguments.files, arguments.size, full.memory()?)?;

    let stopped = full.restart(|cluster| cluster.storages[0].stop())?;
    let memory = full.memory()?;
    let each = memory.saturating_sub(fresh) as f64 * 1024.0 / arguments.files as f64;
    writeln!(
        out,
        "start after a stop: {:.2} s, memory {memory} KiB, of a fresh store {fresh} KiB: {each:.1} bytes a file",
        stopped.as_secs_f64()
    )?;
    let killed = full.restart(|cluster| cluster.storages[0].kill())?;
    writeln!(out, "start after kill -9: {:.2} s", killed.as_secs_f64())?;

    empty.make(&request, arguments, PART.min(20_000))?;
    let (mut uploads, mut downloads) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let rates = [&mut full, &mut empty].map(|side| side.round(&request, arguments));
        let [of_full, of_empty] = rates;
        let (of_full, of_empty) = (of_full?, of_empty?);
        uploads.push((of_full.0, of_empty.0));
        downloads.push((of_full.1, of_empty.1));
    }
    for (what, pairs) in [("upload", uploads), ("download", downloads)] {
        let median = |of: fn(&(f64, f64)) -> f64| Spread::of(pairs.iter().map(of)).map_or(0.0, |s| s.median);
        let ratio = Spread::of(pairs.iter().map(|(full, empty)| full / empty)).context("no rounds")?;
        writeln!(
            out,
            "{what:<9} full {:>8.0}/s  empty {:>8.0}/s  full / empty {:.2} ({:.2}–{:.2})",
            median(|pair| pair.0),
            median(|pair| pair.1),
            ratio.median,
            ratio.min,
            ratio.max
        )?;
    }
    for side in [full, empty] {
        writeln!(out, "{}: {} KiB of memory at the end", side.name, side.memory()?)?;
    }
    if arguments.write {
        out.put("scale")?;
    }
    Ok(())
}

impl Side {
    fn start(name: &'static str, arguments: &Arguments) -> Result<Side> {
        let mut plan = Plan::new().binary(&arguments.binary).storage_key("log_level", "warn");
        for (key, value) in &arguments.storage_key {
            plan = plan.storage_key(key, value);
        }
        if let Some(dir) = &arguments.dir {
            std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
            plan = plan.within(dir);
        }
        let cluster = plan.start()?;
        let storage = wire::query_store(cluster.tracker())?.address;
        Ok(Side { name, cluster, storage, files: Vec::new() })
    }

    /// Resident memory of the storage, KiB.
    fn memory(&self) -> Result<u64> {
        let server = self.cluster.storages[0].server.as_ref().context("the storage does not run")?;
        Ok(server.own_bytes().context("its memory can't be read")? >> 10)
    }

    fn fill(&mut self, request: &[u8], arguments: &Arguments) -> Result<()> {
        let mut left = usize::try_from(arguments.files)?;
        let start = Instant::now();
        while left > 0 {
            left -= self.make(request, arguments, left.min(PART))?;
            let made = arguments.files - left as u64;
            eprint!("\r{made} files, {:.0} s ", start.elapsed().as_secs_f64());
        }
        eprintln!();
        Ok(())
    }

    /// Makes so many files and remembers some.
    fn make(&mut self, request: &[u8], arguments: &Arguments, files: usize) -> Result<usize> {
        let mut made = Vec::with_capacity(files);
        let job = Job::Upload { request, made: &mut made };
        let until = Until { operations: files, time: PART_TIME };
        let tally = load::run(self.storage, arguments.connections, job, until)?;
        ensure!(tally.errors() == 0, "{}: {}", self.name, tally.errors_in_words());
        ensure!(!made.is_empty(), "{}: nothing was stored in {PART_TIME:?}", self.name);
        self.files.extend(made.iter().step_by(REMEMBERED.min(made.len())));
        Ok(made.len())
    }

    /// How long it takes to serve again after `end`.
    fn restart(&mut self, end: impl FnOnce(&mut Cluster) -> Result<()>) -> Result<Duration> {
        end(&mut self.cluster)?;
        machine::settle();
        let start = Instant::now();
        self.cluster.restart_storage(0)?;
        Ok(start.elapsed())
    }

    /// One phase of uploads and one of downloads: operations a second.
    fn round(&mut self, request: &[u8], arguments: &Arguments) -> Result<(f64, f64)> {
        machine::settle();
        let mut made = Vec::with_capacity(PART);
        let until = Until { operations: PART, time: PHASE };
        let job = Job::Upload { request, made: &mut made };
        let uploads = load::run(self.storage, arguments.connections, job, until)?;
        machine::settle();
        shuffle(&mut self.files);
        let until = Until { operations: usize::MAX, time: PHASE };
        let job = Job::Download { files: &self.files, size: arguments.size };
        let downloads = load::run(self.storage, arguments.connections, job, until)?;
        let errors = uploads.errors() + downloads.errors();
        ensure!(errors == 0, "{}: {errors} operations failed", self.name);
        Ok((uploads.figures().per_second, downloads.figures().per_second))
    }
}
