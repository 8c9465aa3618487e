//! How much memory a process takes: watched from outside, and bounded by the kernel where it lets us.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::wait;

/// Where Linux has its groups of processes.
const CGROUPS: &str = "/sys/fs/cgroup";

/// How often a process is looked at. Who hashes a password has that memory for ten times as long.
const LOOK: Duration = Duration::from_millis(2);

/// A bound on the memory of processes, kept by the kernel: it takes back what it can (the cache of files), and ends a
/// process when the rest does not fit. Goes when dropped, which its processes must have been before.
#[derive(Debug)]
pub struct Bound {
    folder: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// What a group of processes takes, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Memory that belongs to them alone.
    pub own: u64,
    /// Pages of files, which the kernel takes back when it needs them.
    pub files: u64,
    /// The most at any time, both together.
    pub highest: u64,
    /// How often the bound was reached, and pages of files had to go.
    pub reached: u64,
    /// Processes that were ended for want of memory.
    pub killed: u64,
}

impl Bound {
    /// A bound for processes to come; none where the machine does not let us make one: who is not root, and most
    /// containers.
    #[must_use]
    pub fn new(bytes: u64) -> Option<Bound> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("cairn-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let root = Path::new(CGROUPS);
        let (within, version) = match root.join("memory/memory.limit_in_bytes").exists() {
            true => (root.join("memory"), Version::One),
            false => (root.to_owned(), Version::Two),
        };
        if version == Version::Two {
            // It may be so already, or not be allowed: the files of the new group tell.
            let _ = fs::write(within.join("cgroup.subtree_control"), "+memory");
        }
        let folder = within.join(name);
        fs::create_dir(&folder).ok()?;
        let bound = Bound { folder, version };
        // Without memory.swap or memsw there is nothing to swap to, or nothing that counts it.
        let (limit, swap, of_swap) = match version {
            Version::One => ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", bytes),
            Version::Two => ("memory.max", "memory.swap.max", 0),
        };
        fs::write(bound.folder.join(limit), bytes.to_string()).ok()?;
        // Where there is none, a bound on both together would be met first, and not be counted.
        if fs::read_to_string("/proc/swaps").is_ok_and(|swaps| swaps.lines().count() > 1) {
            let _ = fs::write(bound.folder.join(swap), of_swap.to_string());
        }
        Some(bound)
    }

    /// A program that is `program` under this bound from its first page on. It is written into the folder.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn around(&self, program: &Path, folder: &Path) -> Result<PathBuf> {
        let path = folder.join("bounded");
        let procs = self.folder.join("cgroup.procs");
        let text =
            format!("#!/bin/sh\necho $$ > {} && exec '{}' \"$@\"\n", procs.display(), program.display());
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }

    /// What its processes take, and took since it was made.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn seen(&self) -> Result<Seen> {
        let number = |file: &str, key: &str| -> Result<u64> {
            let path = self.folder.join(file);
            let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            figure(&text, key).with_context(|| format!("no {key} in {}", path.display()))
        };
        Ok(match self.version {
            Version::One => Seen {
                own: number("memory.stat", "total_rss")?,
                files: number("memory.stat", "total_cache")?,
                highest: number("memory.max_usage_in_bytes", "")?,
                reached: number("memory.failcnt", "")?,
                killed: number("memory.oom_control", "oom_kill")?,
            },
            Version::Two => Seen {
                own: number("memory.stat", "anon")?,
                files: number("memory.stat", "file")?,
                highest: number("memory.peak", "")?,
                reached: number("memory.events", "max")?,
                killed: number("memory.events", "oom_kill")?,
            },
        })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // A process that has just ended is still counted for a moment.
        let gone = || fs::remove_dir(&self.folder).ok();
        let _ = wait::until("an empty group of processes", wait::STOP, gone);
    }
}

/// The number of a line `key number`; without a key that of the only line.
fn figure(text: &str, key: &str) -> Option<u64> {
    if key.is_empty() {
        return text.trim().parse().ok();
    }
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Looks at a process again and again: the most memory of its own (`RssAnon`) that it was seen to have.
#[derive(Debug)]
pub struct Watch {
    most: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins. It ends with the process, or when dropped.
    #[must_use]
    pub fn of(pid: u32) -> Watch {
        let (most, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (high, end) = (Arc::clone(&most), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let Some(bytes) = own_bytes(pid) else { return };
                high.fetch_max(bytes, Ordering::Relaxed);
                std::thread::sleep(LOOK);
            }
        });
        Watch { most, ended, thread: Some(thread) }
    }

    /// The most since the last time it was asked.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.most.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Memory of a process's own at this moment, in bytes (`RssAnon`); none once it has ended. How much of the program and of
/// its files is mapped is left out: the kernel decides it, and may drop it.
#[must_use]
pub fn own_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_by_their_whole_name() {
        let stat = "rss 1\ntotal_rss_huge 2\ntotal_rss 3\n";
        assert_eq!(figure(stat, "total_rss"), Some(3));
        assert_eq!(figure(stat, "total"), None);
        assert_eq!(figure("4\n", ""), Some(4));
    }

    #[test]
    fn a_process_beyond_its_bound_is_ended_and_counted() {
        // Where no bound can be made there is nothing to see.
        let Some(bound) = Bound::new(16 << 20) else { return };
        let folder = tempfile::tempdir().unwrap();
        let shell = bound.around(Path::new("/bin/sh"), folder.path()).unwrap();
        // A text that doubles until it does not fit.
        let grows = "x=0123456789abcdef; while :; do x=$x$x; done";
        let status = std::process::Command::new(shell).args(["-c", grows]).status().unwrap();
        assert!(!status.success());
        let seen = bound.seen().unwrap();
        assert_eq!(seen.killed, 1, "{seen:?}");
        assert!(seen.highest <= 16 << 20 && seen.reached > 0, "{seen:?}");
        let folder = bound.folder.clone();
        drop(bound);
        assert!(!folder.exists());
    }

    #[test]
    fn what_a_process_had_for_a_moment_is_remembered_once() {
        let watch = Watch::of(std::process::id());
        let taken = std::hint::black_box(vec![7u8; 64 << 20]);
        wait::until("a look", wait::READY, || (watch.most.load(Ordering::Relaxed) > 64 << 20).then_some(()))
            .unwrap();
        drop(taken);
        assert!(watch.most() > 64 << 20);
    }
}
