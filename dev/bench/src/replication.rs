//! Two members of a group: how far the second is behind while the first is loaded, and how fast a new one is filled.
//!
//! Both are watched from outside, by counting lines of their binlogs: a line with the letter `C` is a file that a
//! client brought, one with `c` is a file that came from the other member and is as durable as configured.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;
use tempfile::TempDir;
use testkit::cluster::{Cluster, Node, Plan};
use testkit::{probe, wait};

use crate::document::Told;
use crate::lines::Lines;
use crate::load::{self, Job, Until};
use crate::machine::{self, Machine, Used};
use crate::region;
use crate::store::{content_seed, key_value, random_bytes, size};
use crate::wire;

/// How often the binlogs are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How often a line is printed, and `cairn monitor` asked.
const TELL: Duration = Duration::from_secs(1);
/// How long a member may take to become active, and to get everything.
const JOIN_TIME: Duration = Duration::from_secs(120);
const CATCH_UP_TIME: Duration = Duration::from_secs(300);
/// Seconds between two beats of a storage: what monitoring shows is as old as the last one.
const BEAT_SECONDS: u64 = 1;

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Levels of `durability` to load a group with; none to leave that out
    #[arg(long, value_delimiter = ',', default_value = "disk,copies:2")]
    durability: Vec<String>,
    /// Size of each file
    #[arg(long, value_parser = size, default_value = "4K")]
    size: u64,
    /// Connections that upload
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    connections: u16,
    /// Seconds of uploading to one member
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Files that one member has when the second joins; 0 to leave that out
    #[arg(long, default_value_t = 100_000)]
    files: usize,
    /// The server program, of the tracker and of the member that is loaded; also asked for `monitor`
    #[arg(long)]
    binary: PathBuf,
    /// The server program of the second member, if it is another
    #[arg(long)]
    peer_binary: Option<PathBuf>,
    /// Puts what is printed into docs/performance.md
    #[arg(long)]
    write: bool,
    /// Where the servers keep their data; removed at the end
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A key of both storages' storage.conf, as `sync_max_threads=8`; may be given several times
    #[arg(long, value_parser = key_value)]
    storage_key: Vec<(String, String)>,
}

/// Carries out the measurement and prints it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.seconds > 0.0 && arguments.seconds <= 3600.0, "--seconds is between 0 and 3600");
    let mut out = Told::new();
    writeln!(out, "machine: {}", Machine::here())?;
    let content = random_bytes(arguments.size, content_seed());
    let request = wire::upload_request(0, &content);
    for durability in arguments.durability.iter().filter(|level| !level.is_empty()) {
        load(&mut out, arguments, durability, &request)?;
    }
    if arguments.files > 0 {
        catch_up(&mut out, arguments, &request)?;
    }
    if arguments.write {
        out.put("replication")?;
    }
    Ok(())
}

/// A tracker and two members, of which the first alone is given files.
struct Pair {
    cluster: Cluster,
    of_first: Lines,
    of_second: Lines,
    /// Where their data lies; goes after them.
    _region: Option<TempDir>,
}

impl Pair {
    /// Starts the tracker and the first member.
    fn start(arguments: &Arguments, durability: &str) -> Result<Pair> {
        let mut plan = Plan::new()
            .binary(&arguments.binary)
            .groups(&[("group1", 2)])
            .storage_key("durability", durability)
            .storage_key("subdir_count_per_path", 256)
            .storage_key("heart_beat_interval", BEAT_SECONDS)
            .storage_key("stat_report_interval", BEAT_SECONDS)
            .storage_key("sync_binlog_buff_interval", 1)
            .storage_key("log_level", "warn");
        for (key, value) in &arguments.storage_key {
            plan = plan.storage_key(key, value);
        }
        let region = arguments.dir.as_deref().map(region::cheap_folder).transpose()?;
        if let Some(region) = &region {
            plan = plan.within(region.path());
        }
        let mut cluster = plan.prepare()?;
        cluster.trackers[0].start(&arguments.binary)?;
        let tracker = cluster.tracker();
        wait::until("the tracker", wait::READY, || probe::answers(tracker).then_some(()))?;
        cluster.storages[0].start(&arguments.binary)?;
        cluster.wait_ready()?;
        let [of_first, of_second] =
            [0, 1].map(|index| Lines::of(&cluster.storages[index].base_path.join("data/sync/binlog.000")));
        let pair = Pair { cluster, of_first, of_second, _region: region };
        pair.wait_active(&pair.cluster.storages[0])?;
        Ok(pair)
    }

    fn start_second(&mut self, arguments: &Arguments) -> Result<()> {
        let binary = arguments.peer_binary.as_ref().unwrap_or(&arguments.binary);
        self.cluster.storages[1].start(binary)
    }

    fn wait_active(&self, member: &Node) -> Result<()> {
        let what = format!("{} to be active", member.name);
        wait::until(&what, JOIN_TIME, || {
            let seen = self.monitor(member).ok()?;
            (seen.get("status")? == "ACTIVE").then_some(())
        })
    }

    /// What `cairn monitor` says of a member.
    fn monitor(&self, member: &Node) -> Result<Value> {
        let mut command = Command::new(self.cluster.binary());
        let output = command.args(["monitor", "--json", "-c"]).arg(self.cluster.client_conf()).output()?;
        ensure!(output.status.success(), "monitor: {}", String::from_utf8_lossy(&output.stderr));
        let seen: Value = serde_json::from_slice(&output.stdout)?;
        let storages = seen["groups"][0]["storages"].as_array().context("no group")?;
        let ip = member.address().ip().to_string();
        let found = storages.iter().find(|storage| storage["ip"] == ip.as_str());
        found.cloned().with_context(|| format!("{} is not listed", member.name))
    }

    /// Processor time of both members so far.
    fn used(&self) -> [Used; 2] {
        [0, 1].map(|index| {
            let pid = self.cluster.storages[index].server.as_ref().map(testkit::process::Server::pid);
            pid.and_then(machine::used_by).unwrap_or_default()
        })
    }

    fn look(&mut self) -> Result<(u64, u64)> {
        // In this order: what has arrived was brought before.
        let arrived = self.of_second.count(b'c')?;
        Ok((self.of_first.count(b'C')?, arrived))
    }
}

/// How far the second member is behind at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Lag {
    files: u64,
    /// How long the oldest file has been missing.
    oldest: Duration,
}

/// What was seen over time.
#[derive(Default)]
struct History {
    /// When the first member had so many files, in order; those that have arrived are forgotten.
    brought: std::collections::VecDeque<(Instant, u64)>,
    worst: Lag,
}

impl History {
    fn note(&mut self, now: Instant, brought: u64, arrived: u64) -> Lag {
        self.brought.push_back((now, brought));
        while self.brought.front().is_some_and(|(_, count)| *count <= arrived) {
            self.brought.pop_front();
        }
        let oldest = self.brought.front().map_or(Duration::ZERO, |(since, _)| now - *since);
        let lag = Lag { files: brought.saturating_sub(arrived), oldest };
        self.worst.files = self.worst.files.max(lag.files);
        self.worst.oldest = self.worst.oldest.max(lag.oldest);
        lag
    }
}

/// Loads the first member and watches how far the second is behind.
fn load(out: &mut Told, arguments: &Arguments, durability: &str, request: &[u8]) -> Result<()> {
    let mut pair = Pair::start(arguments, durability)?;
    pair.start_second(arguments)?;
    pair.wait_active(&pair.cluster.storages[1])?;
    // The first member hears with its next beat that the second serves.
    std::thread::sleep(Duration::from_secs(2 * BEAT_SECONDS));
    machine::settle();
    writeln!(
        out,
        "\ndurability={durability}: {} connections bring files of {} bytes to one of two members for {} s",
        arguments.connections, arguments.size, arguments.seconds
    )?;
    out.aside(&format!(
        "{:>6}{:>12}{:>12}{:>10}{:>12}  monitor",
        "s", "brought/s", "arrived/s", "behind", "oldest ms"
    ))?;
    let storage = pair.cluster.storages[0].address();
    let done = AtomicBool::new(false);
    let used_before = pair.used();
    let start = Instant::now();
    let mut history = History::default();
    let (tally, at_end) = std::thread::scope(|scope| {
        let loading = scope.spawn(|| {
            let mut made = Vec::new();
            let job = Job::Upload { request, made: &mut made };
            let until = Until { operations: usize::MAX, time: Duration::from_secs_f64(arguments.seconds) };
            let tally = load::run(storage, arguments.connections.into(), job, until);
            done.store(true, Ordering::Release);
            tally
        });
        let watched = watch(out, &mut pair, &mut history, start, &|| done.load(Ordering::Acquire));
        let tally = loading.join().map_err(|_| anyhow::anyhow!("the load generator panicked"))??;
        anyhow::Ok((tally, watched?))
    })?;
    let stopped = Instant::now();
    let used = pair.used();
    ensure!(tally.errors() == 0, "{}", tally.errors_in_words());
    let figures = tally.figures();
    let files = u64::try_from(figures.operations)?;
    let mut arrived = 0;
    wait::until("the rest of the files", CATCH_UP_TIME, || {
        arrived = pair.of_second.count(b'c').ok()?;
        (arrived >= files).then_some(())
    })
    .with_context(|| format!("{arrived} of {files} files arrived"))?;
    let drained = stopped.elapsed();
    let seconds = (stopped - start).as_secs_f64();
    writeln!(
        out,
        "{files} files, {:.0}/s, p50 {:.1} ms, p99 {:.1} ms; behind at most {} files and {} ms, at the end {} files \
         and {} ms; the rest took {} ms",
        files as f64 / seconds,
        figures.p50_us / 1000.0,
        figures.p99_us / 1000.0,
        history.worst.files,
        history.worst.oldest.as_millis(),
        at_end.files,
        at_end.oldest.as_millis(),
        drained.as_millis()
    )?;
    tell_used(out, seconds, used_before, used)?;
    pair.cluster.stop()
}

/// Looks at both binlogs until `done`, and says once a second what it saw.
fn watch(
    out: &mut Told,
    pair: &mut Pair,
    history: &mut History,
    start: Instant,
    done: &dyn Fn() -> bool,
) -> Result<Lag> {
    let mut told = (start, 0, 0);
    loop {
        std::thread::sleep(LOOK);
        let ended = done();
        let (brought, arrived) = pair.look()?;
        let now = Instant::now();
        let lag = history.note(now, brought, arrived);
        if ended {
            return Ok(lag);
        }
        let since = (now - told.0).as_secs_f64();
        if now - told.0 >= TELL {
            let monitor = pair.monitor(&pair.cluster.storages[1])?;
            let line = format!(
                "{:>6.1}{:>12.0}{:>12.0}{:>10}{:>12}  {}",
                (now - start).as_secs_f64(),
                (brought - told.1) as f64 / since,
                (arrived - told.2) as f64 / since,
                lag.files,
                lag.oldest.as_millis(),
                monitored(&monitor)
            );
            out.aside(&line)?;
            told = (now, brought, arrived);
        }
    }
}

fn monitored(storage: &Value) -> String {
    let status = storage["status"].as_str().unwrap_or("?");
    match (storage["behind_s"].as_i64(), storage["never_synced"].as_bool()) {
        (Some(seconds), _) => format!("{status}, behind {seconds} s"),
        (None, Some(true)) => format!("{status}, never synced"),
        (None, _) => status.to_owned(),
    }
}

fn tell_used(out: &mut Told, seconds: f64, before: [Used; 2], after: [Used; 2]) -> Result<()> {
    let [first, second] = [0, 1].map(|index| after[index].since(&before[index]));
    writeln!(
        out,
        "processors used: first member {:.2}, second {:.2}",
        first.total().as_secs_f64() / seconds,
        second.total().as_secs_f64() / seconds
    )?;
    Ok(())
}

/// Fills a new member.
fn catch_up(out: &mut Told, arguments: &Arguments, request: &[u8]) -> Result<()> {
    let mut pair = Pair::start(arguments, "disk")?;
    let files = u64::try_from(arguments.files)?;
    let mut made = Vec::with_capacity(arguments.files);
    let job = Job::Upload { request, made: &mut made };
    let until = Until { operations: arguments.files, time: CATCH_UP_TIME };
    let tally = load::run(pair.cluster.storages[0].address(), arguments.connections.into(), job, until)?;
    ensure!(tally.errors() == 0, "{}", tally.errors_in_words());
    ensure!(made.len() == arguments.files, "only {} files could be made in time", made.len());
    machine::settle();
    writeln!(
        out,
        "\ndurability=disk: a second member joins one that has {files} files of {} bytes",
        arguments.size
    )?;
    out.flush()?;

    let start = Instant::now();
    pair.start_second(arguments)?;
    let mut first = None;
    let mut used = pair.used();
    let last = wait::until("a filled member", CATCH_UP_TIME, || {
        let arrived = pair.of_second.count(b'c').ok()?;
        if arrived > 0 && first.is_none() {
            first = Some((Instant::now(), arrived));
            used = pair.used();
        }
        (arrived >= files).then(Instant::now)
    })?;
    let used_after = pair.used();
    let Some((first, before)) = first else { bail!("no file arrived") };
    pair.wait_active(&pair.cluster.storages[1])?;
    let active = start.elapsed();
    let seconds = (last - first).as_secs_f64();
    writeln!(
        out,
        "first file after {:.2} s, all after {:.2} s, active after {:.2} s; {:.0} files/s",
        (first - start).as_secs_f64(),
        (last - start).as_secs_f64(),
        active.as_secs_f64(),
        (files - before) as f64 / seconds
    )?;
    tell_used(out, seconds, used, used_after)?;
    pair.cluster.stop()
}
