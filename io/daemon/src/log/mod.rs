//! The log: lines in the original's shape, `[2026-11-22 12:31:09] INFO - text`, in
//! `<base_path>/logs/<name>.log`, on standard error, or both (storage internals: logs).
//!
//! Whoever logs hands its line to a bounded queue and goes on; one thread writes. When the disk cannot
//! follow and the queue is full, lines are dropped and their number is logged: a server that answers
//! is worth more than its diary. What is in the queue when the process ends is written.

mod compress;
mod file;
mod line;
mod writer;

use std::io;
use std::path::PathBuf;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use file::Rotation;
pub use writer::{LogGuard, LogSink, rotate_all};

/// The environment variable that overrides the level, in the syntax of tracing's filters
/// (`debug`, `storage=trace,info`).
pub const LEVEL_VARIABLE: &str = "CAIRN_LOG";

/// Where the log goes and how much of it.
#[derive(Debug, Clone)]
pub struct LogSetup {
    /// The file, if any. Its folder must exist.
    pub file: Option<(PathBuf, Rotation)>,
    /// The least level that also goes to standard error.
    pub stderr: LevelFilter,
    /// The least level that is logged at all.
    pub level: LevelFilter,
}

/// Makes the log the process's log. Keep the guard until the end: dropping it writes what is queued.
pub fn init(setup: LogSetup) -> io::Result<LogGuard> {
    let guard = writer::start(setup.file, setup.stderr)?;
    let filter = std::env::var(LEVEL_VARIABLE)
        .ok()
        .and_then(|text| EnvFilter::try_new(text).ok())
        .unwrap_or_else(|| EnvFilter::new(setup.level.to_string()));
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .event_format(line::OriginalLine)
        .with_writer(guard.sink());
    tracing_subscriber::registry()
        .with(filter)
        .with(layer)
        .try_init()
        .map_err(|error| io::Error::new(io::ErrorKind::AlreadyExists, error))?;
    log_panics();
    Ok(guard)
}

/// Opens a second log of ready-made lines, an access log say, with rules of its own.
pub fn open(path: PathBuf, rotation: Rotation) -> io::Result<LogGuard> {
    writer::start(Some((path, rotation)), LevelFilter::OFF)
}

/// A panic is a bug and needs a person: it goes to the log as well as to standard error.
fn log_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("no text");
        tracing::error!(place, what, "panic");
        default(panic);
    }));
}
