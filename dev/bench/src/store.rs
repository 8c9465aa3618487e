//! The plan of a measurement: which servers, sizes and connection counts, in which order.

use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;
use tempfile::TempDir;
use testkit::cluster::{Cluster, Plan};

use crate::document::Told;
use crate::load::{self, Job, Until};
use crate::machine::{self, Machine};
use crate::region;
use crate::report::{Cell, Report};
use crate::tally::Figures;
use crate::wire::{self, FileRef, Storage};

/// Content uploaded in one phase stays below this: all of it stays on disk until the end.
const PHASE_BYTES_MAX: u64 = 128 << 20;
/// Files made in one phase: a few for the largest size, and not too many of the smallest.
const PHASE_FILES_MIN: usize = 16;
const PHASE_FILES_MAX: usize = 100_000;
/// Deleting what a phase made may take this long before it counts as a failure.
const CLEAN_UP_TIME: Duration = Duration::from_secs(300);

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Tracker of the cluster to load; without it a server of ours is started for each durability level
    #[arg(long, value_parser = address)]
    tracker: Option<SocketAddr>,
    /// Tracker of another cluster: rounds alternate between the two and ratios are printed
    #[arg(long, value_parser = address)]
    against: Option<SocketAddr>,
    /// What that other cluster is called
    #[arg(long, default_value = "theirs")]
    against_name: String,
    /// File sizes
    #[arg(long, value_parser = size, value_delimiter = ',', default_value = "1K,4K,64K,1M")]
    sizes: Vec<u64>,
    /// Connection counts
    #[arg(long, value_delimiter = ',', default_value = "1,4,16,64")]
    connections: Vec<usize>,
    /// Operations to report; files are always uploaded first and deleted at the end
    #[arg(long, value_enum, value_delimiter = ',', default_value = "upload,download,delete")]
    ops: Vec<Op>,
    /// Rounds per size and connection count
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds of uploading and of downloading per round
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Writes all figures of all rounds to this file as JSON ("-" for standard output, instead of the table)
    #[arg(long)]
    json: Option<PathBuf>,
    /// Puts what is printed into docs/performance.md
    #[arg(long, conflicts_with = "json")]
    write: bool,
    /// The server program to start when no tracker is given
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Where the started servers keep their data; removed at the end
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A key of the started servers' storage.conf, as `pack_max_size=0`; may be given several times
    #[arg(long, value_parser = key_value)]
    storage_key: Vec<(String, String)>,
}

/// One kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Op {
    Upload,
    Download,
    Delete,
}

/// A cluster under load.
struct Subject {
    name: String,
    storage: Storage,
    /// The processes, where this program started them; they end with it.
    _started: Option<Cluster>,
    /// Where their data lies; goes after them.
    _region: Option<TempDir>,
}

/// Levels of `durability` that one storage alone can offer.
const DURABILITY: [&str; 2] = ["fastdfs", "disk"];

/// Carries out the whole measurement and prints it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.seconds > 0.0 && arguments.seconds <= 3600.0, "--seconds is between 0 and 3600");
    ensure!(
        arguments.connections.iter().all(|count| (1..=10_000).contains(count)),
        "1 to 10,000 connections"
    );
    let subjects = subjects(arguments)?;
    let names = subjects.iter().map(|subject| subject.name.clone()).collect();
    let mut report = Report::new(Machine::here(), arguments.rounds, arguments.seconds, names);
    let mut told = Told::new();
    let json_only = arguments.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let table: &mut dyn Write = if json_only { &mut std::io::sink() } else { &mut told };
    report.write_head(table)?;
    let mut measurement = Measurement { subjects: &subjects, arguments, table, made: Vec::new() };
    let loaded = measurement.load(&mut report);
    // What was uploaded is deleted even when something in between failed.
    let deleted = measurement.delete(&mut report);
    loaded?;
    deleted?;
    if arguments.write {
        told.put("store")?;
    }
    match &arguments.json {
        Some(path) if path.as_os_str() == "-" => {
            serde_json::to_writer_pretty(std::io::stdout().lock(), &report)?
        }
        Some(path) => {
            let file = std::fs::File::create(path).with_context(|| format!("create {}", path.display()))?;
            serde_json::to_writer_pretty(file, &report)?;
        }
        None => {}
    }
    Ok(())
}

/// First everything is uploaded and downloaded, round by round in turn at each subject; then everything is deleted,
/// in the same order. Deletes come last because some file systems make new files slowly for minutes after many
/// were deleted (ext4 without a journal keeps their inodes back), which would be charged to the next upload.
struct Measurement<'a> {
    subjects: &'a [Subject],
    arguments: &'a Arguments,
    table: &'a mut dyn Write,
    made: Vec<Made>,
}

/// What one upload phase left behind.
struct Made {
    subject: usize,
    size: u64,
    connections: usize,
    files: Vec<FileRef>,
}

impl Measurement<'_> {
    fn load(&mut self, report: &mut Report) -> Result<()> {
        let seed = content_seed();
        for &size in &self.arguments.sizes {
            let content = random_bytes(size, seed);
            let request = |subject: &Subject| wire::upload_request(subject.storage.path_index, &content);
            let requests: Vec<Vec<u8>> = self.subjects.iter().map(request).collect();
            for &connections in &self.arguments.connections {
                let cell = |op| Cell::new(op, size, connections, self.subjects.len());
                let (mut uploads, mut downloads) = (cell(Op::Upload), cell(Op::Download));
                for _ in 0..self.arguments.rounds {
                    for (index, request) in requests.iter().enumerate() {
                        uploads.rounds[index].push(self.upload(index, request, size, connections)?);
                        if self.wants(Op::Download) {
                            downloads.rounds[index].push(self.download()?);
                        }
                    }
                }
                for cell in [uploads, downloads] {
                    self.tell(report, cell)?;
                }
            }
        }
        Ok(())
    }

    fn upload(&mut self, subject: usize, request: &[u8], size: u64, connections: usize) -> Result<Figures> {
        let Subject { name, storage, .. } = &self.subjects[subject];
        machine::settle();
        let operations = files_max(size);
        let mut files = Vec::with_capacity(operations);
        let job = Job::Upload { request, made: &mut files };
        let until = Until { operations, time: Duration::from_secs_f64(self.arguments.seconds) };
        let tally = load::run(storage.address, connections, job, until);
        shuffle(&mut files);
        files.shrink_to_fit();
        self.made.push(Made { subject, size, connections, files });
        let tally =
            tally.with_context(|| format!("{name}: upload of {size} bytes, {connections} connections"))?;
        Ok(tally.figures())
    }

    /// Downloads what the last upload made, in random order, from the start again when through.
    fn download(&self) -> Result<Figures> {
        let Some(Made { subject, size, connections, files }) =
            self.made.last().filter(|made| !made.files.is_empty())
        else {
            bail!("nothing was uploaded that could be downloaded");
        };
        let Subject { name, storage, .. } = &self.subjects[*subject];
        machine::settle();
        let until = Until { operations: usize::MAX, time: Duration::from_secs_f64(self.arguments.seconds) };
        let tally = load::run(storage.address, *connections, Job::Download { files, size: *size }, until)
            .with_context(|| format!("{name}: download of {size} bytes, {connections} connections"))?;
        Ok(tally.figures())
    }

    /// Deletes everything, whatever fails on the way.
    fn delete(&mut self, report: &mut Report) -> Result<()> {
        let mut cells: Vec<Cell> = Vec::new();
        let mut failed = Ok(());
        for made in std::mem::take(&mut self.made) {
            match self.delete_one(&made) {
                Ok(figures) => {
                    let at = cells.iter().position(|cell| cell.is(made.size, made.connections));
                    let at = at.unwrap_or_else(|| {
                        cells.push(Cell::new(Op::Delete, made.size, made.connections, self.subjects.len()));
                        cells.len() - 1
                    });
                    cells[at].rounds[made.subject].push(figures);
                }
                Err(error) => failed = Err(error),
            }
        }
        for cell in cells {
            self.tell(report, cell)?;
        }
        failed
    }

    fn delete_one(&self, made: &Made) -> Result<Figures> {
        let Made { subject, size, connections, files } = made;
        let Subject { name, storage, .. } = &self.subjects[*subject];
        machine::settle();
        let until = Until { operations: files.len(), time: CLEAN_UP_TIME };
        let figures = load::run(storage.address, *connections, Job::Delete { files }, until)
            .with_context(|| format!("{name}: delete of {size} bytes, {connections} connections"))?
            .figures();
        let left = files.len() - figures.operations;
        ensure!(left == 0, "{name}: {left} of {} files could not be deleted", files.len());
        Ok(figures)
    }

    fn tell(&mut self, report: &mut Report, cell: Cell) -> Result<()> {
        if self.wants(cell.op) {
            report.write_cell(self.table, &cell)?;
            report.cells.push(cell);
        }
        Ok(())
    }

    fn wants(&self, op: Op) -> bool {
        self.arguments.ops.contains(&op)
    }
}

fn files_max(size: u64) -> usize {
    let by_bytes = PHASE_BYTES_MAX / size.max(1);
    usize::try_from(by_bytes).unwrap_or(usize::MAX).clamp(PHASE_FILES_MIN, PHASE_FILES_MAX)
}

/// The cluster named, or a server of ours for each durability level; then the one to compare with.
fn subjects(arguments: &Arguments) -> Result<Vec<Subject>> {
    let mut subjects = match (arguments.tracker, &arguments.binary) {
        (Some(tracker), _) if arguments.against.is_some() => vec![Subject::ask("ours", tracker)?],
        (Some(tracker), _) => vec![Subject::ask(&tracker.to_string(), tracker)?],
        (None, Some(binary)) => {
            let start = |level: &&str| {
                Subject::start(level, binary, arguments.dir.as_deref(), &arguments.storage_key)
            };
            DURABILITY.iter().map(start).collect::<Result<_>>()?
        }
        (None, None) => {
            bail!("name the cluster to load with --tracker, or the program to start with --binary")
        }
    };
    if let Some(tracker) = arguments.against {
        subjects.push(Subject::ask(&arguments.against_name, tracker)?);
    }
    Ok(subjects)
}

impl Subject {
    fn ask(name: &str, tracker: SocketAddr) -> Result<Subject> {
        Ok(Subject {
            name: name.to_owned(),
            storage: wire::query_store(tracker)?,
            _started: None,
            _region: None,
        })
    }

    /// Starts a tracker and a storage, configured as people run them.
    fn start(
        durability: &str,
        binary: &Path,
        folder: Option<&Path>,
        keys: &[(String, String)],
    ) -> Result<Subject> {
        let mut plan = Plan::new()
            .binary(binary)
            .storage_key("durability", durability)
            .storage_key("subdir_count_per_path", 256)
            .storage_key("log_level", "warn");
        for (key, value) in keys {
            plan = plan.storage_key(key, value);
        }
        let region = folder.map(region::cheap_folder).transpose()?;
        if let Some(region) = &region {
            plan = plan.within(region.path());
        }
        let cluster = plan.start().with_context(|| format!("start a server with durability {durability}"))?;
        let storage = wire::query_store(cluster.tracker())?;
        Ok(Subject {
            name: format!("durability={durability}"),
            storage,
            _started: Some(cluster),
            _region: region,
        })
    }
}

fn address(text: &str) -> Result<SocketAddr> {
    text.to_socket_addrs()?.next().context("no address")
}

/// "key=value".
pub(crate) fn key_value(text: &str) -> Result<(String, String)> {
    let (key, value) = text.split_once('=').context("write key=value")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// "4096", "4K", "1M".
pub(crate) fn size(text: &str) -> Result<u64> {
    let (digits, factor) = match text.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 1 << 10),
        None => text.strip_suffix(['M', 'm']).map_or((text, 1), |digits| (digits, 1 << 20)),
    };
    let bytes = digits.parse::<u64>()?.checked_mul(factor).context("too large")?;
    ensure!((1..=1 << 30).contains(&bytes), "a size is between 1 byte and 1024M");
    Ok(bytes)
}

/// Random enough that nothing on the way can compress it.
pub(crate) fn random_bytes(len: u64, seed: u64) -> Vec<u8> {
    let mut state = XorShift(seed);
    let mut out = Vec::with_capacity(len as usize + 8);
    while (out.len() as u64) < len {
        out.extend_from_slice(&state.next().to_le_bytes());
    }
    out.truncate(len as usize);
    out
}

pub(crate) fn shuffle(files: &mut [FileRef]) {
    let mut state = XorShift(files.len() as u64 | 1);
    for upper in (1..files.len()).rev() {
        files.swap(upper, (state.next() % (upper as u64 + 1)) as usize);
    }
}

pub(crate) fn content_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64 | 1
}

/// Marsaglia's 64-bit xorshift; never seeded with zero.
struct XorShift(u64);

impl XorShift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        assert_eq!(size("1").unwrap(), 1);
        assert_eq!(size("4K").unwrap(), 4096);
        assert_eq!(size("1M").unwrap(), 1_048_576);
        assert!(size("0").is_err());
        assert!(size("2048M").is_err());
        assert!(size("1G").is_err());
    }

    #[test]
    fn content_has_exactly_the_length_asked_for() {
        assert_eq!(random_bytes(13, 1).len(), 13);
        assert_ne!(random_bytes(64, 1), random_bytes(64, 3));
    }
}
