//! What a small machine needs: the whole installation and a storage alone, each within a bound that the kernel keeps.
//!
//! What counts is memory of the process's own (`RssAnon`), looked at every 2 ms: pages of files, of the program too, the
//! kernel takes back when it needs them. Where it lets us, a group of processes (cgroup) has the bound, and a process that
//! does not fit is ended: so what is measured has really worked with so little.

mod client;
mod content;
mod pictures;
mod storage;
mod up;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testkit::memory::{Bound, Seen, Watch};

use crate::document;
use crate::machine::Machine;

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Memory for `cairn up`, MiB
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    up: u64,
    /// Memory for each storage alone, MiB
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    storage: u64,
    /// Size of the large file, MiB, a multiple of 64
    #[arg(long, default_value_t = 2048, value_parser = clap::value_parser!(u64).range(64..=1 << 20))]
    large: u64,
    /// Files in the large folder, and in the store: with the folder itself no more than an archive may have
    #[arg(long, default_value_t = 9_999, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    files: u32,
    /// Only this one; then nothing is written into the documentation
    #[arg(long)]
    only: Option<Which>,
    /// The server program
    #[arg(long)]
    binary: PathBuf,
    /// Where the servers keep their data; removed at the end
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// The whole installation
    Up,
    /// A storage alone
    Storage,
}

/// Carries out the measurement and prints it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!((arguments.large << 20).is_multiple_of(content::PIECE), "--large is a multiple of 64");
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })
        .context("raise the limit of open files")?;
    let binary = arguments.binary.canonicalize().context("the server program")?;
    let scratch = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    fs::create_dir_all(&scratch).with_context(|| format!("make {}", scratch.display()))?;
    let folder = tempfile::Builder::new().prefix("memory-").tempdir_in(scratch.canonicalize()?)?;
    let mut text = format!("{}.\n", Machine::here());
    show(&text)?;
    for which in [Which::Up, Which::Storage] {
        if arguments.only.is_some_and(|only| only != which) {
            continue;
        }
        let part = match which {
            Which::Up => up::measure(&binary, folder.path(), arguments)?,
            Which::Storage => storage::measure(&binary, folder.path(), arguments)?,
        };
        write!(text, "\n{part}")?;
    }
    if arguments.only.is_none() {
        document::put("memory", &text)?;
    }
    Ok(())
}

/// One kind of process within its bound: what each step took.
struct Bounded {
    memory: u64,
    bound: Option<Bound>,
    /// The program, which is under the bound from its beginning.
    program: PathBuf,
    watch: Option<(u32, Watch)>,
    rows: Vec<Row>,
}

/// What was seen during a step, bytes.
struct Row {
    step: String,
    most: u64,
    after: u64,
}

impl Bounded {
    fn new(program: &Path, memory: u64, folder: &Path) -> Result<Bounded> {
        fs::create_dir_all(folder)?;
        let bound = Bound::new(memory);
        let program = match &bound {
            Some(bound) => bound.around(program, folder)?,
            None => program.to_owned(),
        };
        Ok(Bounded { memory, bound, program, watch: None, rows: Vec::new() })
    }

    /// Looks at this process from now on.
    fn watch(&mut self, pid: u32) {
        self.watch = Some((pid, Watch::of(pid)));
    }

    /// Carries out a step, and notes what it took.
    fn step<T>(&mut self, step: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let done = work();
        self.note(step, done)
    }

    /// Notes what was taken since the last time.
    fn note<T>(&mut self, step: &str, done: Result<T>) -> Result<T> {
        let killed = self.seen()?.is_some_and(|seen| seen.killed > 0);
        ensure!(!killed, "{step}: the process was ended, {} MiB were not enough", mib(self.memory));
        let done = done.with_context(|| step.to_owned())?;
        let (pid, watch) = self.watch.as_ref().context("no process is watched")?;
        let Some(after) = testkit::memory::own_bytes(*pid) else { bail!("{step}: the process is gone") };
        let row = Row { step: step.to_owned(), most: watch.most().max(after), after };
        self.push(row)?;
        Ok(done)
    }

    /// Notes what a process took that has ended.
    fn ended(&mut self, step: &str) -> Result<()> {
        let killed = self.seen()?.is_some_and(|seen| seen.killed > 0);
        ensure!(!killed, "{step}: the process was ended, {} MiB were not enough", mib(self.memory));
        let (_, watch) = self.watch.take().context("no process is watched")?;
        self.push(Row { step: step.to_owned(), most: watch.most(), after: 0 })
    }

    fn push(&mut self, row: Row) -> Result<()> {
        show(&format!("{:<60} most {:>4} MiB, then {:>4} MiB\n", row.step, mib(row.most), mib(row.after)))?;
        self.rows.push(row);
        Ok(())
    }

    fn seen(&self) -> Result<Option<Seen>> {
        self.bound.as_ref().map(Bound::seen).transpose()
    }

    /// As Markdown; fails when the bound was not kept.
    fn table(&self, heading: &str) -> Result<String> {
        let mut out = format!("### {heading}\n\n");
        let memory = mib(self.memory);
        match self.seen()? {
            Some(seen) => writeln!(
                out,
                "The kernel kept it within {memory} MiB, pages of files counted: {} MiB were taken at most, {} times such \
                 pages had to go, nothing was ended for want of memory.",
                mib(seen.highest),
                seen.reached
            )?,
            None => writeln!(
                out,
                "No bound could be made on this machine: the figures are what was taken, not what was enough."
            )?,
        }
        writeln!(out, "\n| step | at most, MiB | afterwards, MiB |\n|---|---:|---:|")?;
        for Row { step, most, after } in &self.rows {
            writeln!(out, "| {step} | {} | {} |", mib(*most), mib(*after))?;
        }
        show(&format!("\n{out}\n"))?;
        let over = self.rows.iter().find(|row| row.most > self.memory);
        ensure!(over.is_none(), "{}: more than {memory} MiB", over.map_or("", |row| &row.step));
        Ok(out)
    }
}

/// Rounded up.
fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn show(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush().context("print")
}
