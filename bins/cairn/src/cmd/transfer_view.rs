//! How a transfer shows itself: a bar on a terminal, only what went wrong elsewhere.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};
use transfer::{Outcome, Problem, Progress, RelPath, Stop};

/// Exit status after Ctrl-C, as shells have it.
pub(super) const EXIT_INTERRUPTED: u8 = 130;

/// How long the end of a transfer waits for calls of the system that cannot be broken off, such as the opening of a pipe
/// that nobody reads. They end with the process.
const STUCK_CALLS_WAIT: Duration = Duration::from_secs(1);

const TICK: Duration = Duration::from_millis(120);
const BAR: &str =
    "{spinner} {bytes}/{total_bytes} {bar:24} {binary_bytes_per_sec} {files_done} files, {eta} left";
const SPINNER: &str = "{spinner} {files_done} files";

/// Shows a transfer on standard error.
pub(super) struct View {
    bar: ProgressBar,
    files_done: Arc<AtomicU64>,
}

impl View {
    /// A bar when there is somebody to look at it and `quiet` does not forbid it.
    pub(super) fn new(quiet: bool) -> Arc<Self> {
        let visible = !quiet && io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let files_done = Arc::new(AtomicU64::new(0));
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(style(SPINNER, &files_done));
        if visible {
            bar.enable_steady_tick(TICK);
        }
        Arc::new(Self { bar, files_done })
    }

    /// A line on standard error, above the bar.
    pub(super) fn say(&self, line: impl Display) {
        self.bar.suspend(|| {
            // Nobody may be there to read it.
            let _ = writeln!(io::stderr(), "{line}");
        });
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str, files_done: &Arc<AtomicU64>) -> ProgressStyle {
    let files_done = Arc::clone(files_done);
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key(
        "files_done",
        move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
            // A bar that cannot be drawn is no reason to stop.
            let _ = write!(out, "{}", files_done.load(Relaxed));
        },
    )
}

impl Progress for View {
    fn total(&self, _files: u64, bytes: u64) {
        if bytes > 0 && self.bar.length().is_none() {
            self.bar.set_style(style(BAR, &self.files_done));
        }
        self.bar.set_length(bytes);
    }

    fn bytes(&self, delta: i64) {
        if delta < 0 {
            self.bar.dec(delta.unsigned_abs());
        } else {
            self.bar.inc(delta.unsigned_abs());
        }
    }

    fn file_done(&self, _path: &RelPath, outcome: Outcome) {
        if outcome != Outcome::Failed {
            self.files_done.fetch_add(1, Relaxed);
        }
    }

    fn problem(&self, problem: &Problem) {
        self.say(problem);
    }
}

/// Waits for `work`, which looks at `stop`. The first Ctrl-C asks it to end in order, the second ends the process.
pub(super) fn until_done<T>(work: impl Future<Output = anyhow::Result<T>>, stop: &Stop) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        // Before the work begins: from here on Ctrl-C does not end the process by itself.
        let mut interrupts = signal(SignalKind::interrupt())?;
        let stop = stop.clone();
        tokio::spawn(async move {
            if interrupts.recv().await.is_some() {
                stop.request();
                if interrupts.recv().await.is_some() {
                    std::process::exit(i32::from(EXIT_INTERRUPTED));
                }
            }
        });
        work.await
    });
    // Nobody hears Ctrl-C any more, so this must not wait for long.
    runtime.shutdown_timeout(STUCK_CALLS_WAIT);
    result
}

/// Waits for `work`. Ctrl-C breaks it off, and then there is no result.
pub(super) fn unless_interrupted<T>(
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<T>> {
    let stop = Stop::new();
    until_done(async { stop.unless_requested(work).await.transpose() }, &stop)
}

/// Waits for `work` that leaves nothing behind when it does not end. Ctrl-C ends the process, now and later.
pub(super) fn wait_for<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
