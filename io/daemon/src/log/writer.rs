//! The queue and the thread behind it.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Zoned;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::file::{RotatingFile, Rotation};
use super::line::{one_line, stamp};

/// Lines waiting to be written; one more is dropped and counted.
const QUEUE_LINES: usize = 8192;

/// Longest time between two looks at the clock, so that a rotation is not missed when nothing is logged.
const TICK: Duration = Duration::from_secs(20);

enum Message {
    Line { text: Vec<u8>, to_stderr: bool },
    Rotate,
    Close,
}

/// Every log of this process, for HUP, which asks the whole process.
static SINKS: Mutex<Vec<LogSink>> = Mutex::new(Vec::new());

/// Asks every log of the process for a new file.
pub fn rotate_all() {
    for sink in SINKS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        sink.rotate();
    }
}

/// Where lines go in. Cheap to copy.
#[derive(Clone)]
pub struct LogSink {
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
    stderr: LevelFilter,
}

impl LogSink {
    /// Queues a line (without its newline); never waits. A full queue drops it.
    pub fn line(&self, text: &[u8]) {
        self.send(text, false);
    }

    fn send(&self, text: &[u8], to_stderr: bool) {
        match self.queue.try_send(Message::Line { text: one_line(text), to_stderr }) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => {
                self.dropped.fetch_add(1, Relaxed);
            }
        }
    }

    /// Asks for a new file. Waits for room in the queue: a rotation must not be lost.
    pub fn rotate(&self) {
        let _ = self.queue.send(Message::Rotate);
    }
}

/// Holds the writing thread; dropping it writes what is queued.
pub struct LogGuard {
    sink: LogSink,
    thread: Option<JoinHandle<()>>,
}

impl LogGuard {
    /// A way in.
    pub fn sink(&self) -> LogSink {
        self.sink.clone()
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let mut sinks = SINKS.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.retain(|sink| !Arc::ptr_eq(&sink.dropped, &self.sink.dropped));
        drop(sinks);
        let _ = self.sink.queue.send(Message::Close);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Opens the targets and starts the thread.
pub(super) fn start(file: Option<(PathBuf, Rotation)>, stderr: LevelFilter) -> io::Result<LogGuard> {
    let file = match file {
        Some((path, rules)) => Some(RotatingFile::open(path, rules, &Zoned::now())?),
        None => None,
    };
    let (queue, queued) = sync_channel(QUEUE_LINES);
    let dropped = Arc::new(AtomicU64::new(0));
    let targets = Targets { file, dropped: Arc::clone(&dropped), failed: 0 };
    let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || targets.run(&queued))?;
    let sink = LogSink { queue, dropped, stderr };
    SINKS.lock().unwrap_or_else(PoisonError::into_inner).push(sink.clone());
    Ok(LogGuard { sink, thread: Some(thread) })
}

struct Targets {
    file: Option<RotatingFile>,
    dropped: Arc<AtomicU64>,
    /// Lines the file refused since it last took one (a full disk).
    failed: u64,
}

impl Targets {
    fn run(mut self, queued: &Receiver<Message>) {
        loop {
            let message = match queued.try_recv() {
                Ok(message) => Ok(message),
                // Nothing more at hand: what was written so far becomes visible.
                Err(_) => {
                    self.flush();
                    queued.recv_timeout(TICK)
                }
            };
            let now = Zoned::now();
            if let Some(file) = &mut self.file {
                // A rotation that fails is tried again the next day or on the next HUP; the old file
                // goes on.
                let _ = file.tick(&now);
            }
            match message {
                Ok(Message::Line { text, to_stderr }) => self.write(&text, to_stderr, &now),
                Ok(Message::Rotate) => {
                    if let Some(file) = &mut self.file {
                        let _ = file.rotate(&now);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => {
                    self.tell_losses(&now);
                    self.flush();
                    return;
                }
            }
        }
    }

    fn write(&mut self, line: &[u8], to_stderr: bool, now: &Zoned) {
        self.tell_losses(now);
        if to_stderr {
            // Nobody to tell when standard error is gone.
            let _ = io::stderr().write_all(line);
        }
        self.write_file(line, now);
    }

    fn write_file(&mut self, line: &[u8], now: &Zoned) {
        if let Some(file) = &mut self.file
            && file.write(line, now).is_err()
        {
            self.failed += 1;
        }
    }

    fn flush(&mut self) {
        if let Some(file) = &mut self.file
            && file.flush().is_err()
        {
            self.failed += 1;
        }
    }

    /// Says how many lines are missing, where they are missing.
    fn tell_losses(&mut self, now: &Zoned) {
        let dropped = self.dropped.swap(0, Relaxed);
        let failed = std::mem::take(&mut self.failed);
        if dropped + failed > 0 {
            let lost =
                format!("[{}] WARNING - log lines lost dropped={dropped} unwritten={failed}\n", stamp(now));
            if let Some(file) = &mut self.file
                && file.write(lost.as_bytes(), now).is_err()
            {
                // Said when the file takes a line again.
                self.failed = failed;
                self.dropped.fetch_add(dropped, Relaxed);
            }
        }
    }
}

/// What tracing writes one event into.
pub struct EventWriter {
    sink: LogSink,
    to_stderr: bool,
}

impl Write for EventWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.sink.send(event, self.to_stderr);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogSink {
    type Writer = EventWriter;

    fn make_writer(&'a self) -> EventWriter {
        EventWriter { sink: self.clone(), to_stderr: false }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> EventWriter {
        EventWriter { sink: self.clone(), to_stderr: *event.level() <= self.stderr }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_was_queued_is_in_the_file_when_the_guard_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let guard = start(Some((path.clone(), Rotation::default())), LevelFilter::OFF).unwrap();
        let sink = guard.sink();
        for number in 0..1000 {
            sink.line(format!("line {number}").as_bytes());
        }
        drop(guard);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1000);
        assert_eq!(text.lines().last(), Some("line 999"));
    }

    #[test]
    fn a_full_queue_drops_lines_and_says_how_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let file = RotatingFile::open(path.clone(), Rotation::default(), &Zoned::now()).unwrap();
        let (queue, queued) = sync_channel(2);
        let dropped = Arc::new(AtomicU64::new(0));
        let sink = LogSink { queue, dropped: Arc::clone(&dropped), stderr: LevelFilter::OFF };
        for text in ["one", "two", "three", "four", "five"] {
            sink.line(text.as_bytes());
        }
        let targets = Targets { file: Some(file), dropped, failed: 0 };
        drop(sink);
        targets.run(&queued);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].ends_with("WARNING - log lines lost dropped=3 unwritten=0"), "{}", lines[0]);
        assert_eq!(lines[1..], ["one", "two"]);
    }

    #[test]
    fn a_rotation_on_demand_happens_between_the_lines_around_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let guard = start(Some((path.clone(), Rotation::default())), LevelFilter::OFF).unwrap();
        guard.sink().line(b"before");
        guard.sink().rotate();
        guard.sink().line(b"after");
        drop(guard);
        assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
