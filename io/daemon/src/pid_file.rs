//! The pid file: who serves this folder.
//!
//! `<base_path>/data/<program>.pid` holds the number in decimal, without a newline, as the original
//! writes it. While we run we also hold a lock on it, so that a file left behind by a crash is told
//! from a running server without guessing. The original takes no lock; a file that is not locked is
//! therefore believed when its process runs and carries the program's name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::process::Process;

/// How often taking the file is tried anew when somebody removes it under our hands.
const ATTEMPTS: usize = 10;

/// How long a killed server may take to be gone altogether: its lock may outlive what others see of it, as long as one of
/// its threads is at the disk.
const ENDING: Duration = Duration::from_secs(10);

/// How often that is looked at.
const ENDING_STEP: Duration = Duration::from_millis(10);

/// Longest pid file that makes sense: a number.
const LONGEST_BYTES: u64 = 32;

/// Why the pid file could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// Another server holds the folder.
    #[error("{program} already runs here, pid {pid}")]
    Running {
        /// The program's name.
        program: String,
        /// Its number, 0 when it has not written it yet.
        pid: i32,
    },
    /// The file cannot be made or written.
    #[error("pid file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The taken pid file. It is removed when this is dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    _lock: File,
}

impl PidFile {
    /// Takes `path` for this process.
    pub fn take(path: &Path, program: &str) -> Result<Self, PidFileError> {
        let failed = |source| PidFileError::Io { path: path.to_owned(), source };
        let gone_by = Instant::now() + ENDING;
        let mut attempts = 0;
        while attempts < ATTEMPTS {
            let mut file = open(path).map_err(failed)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let pid = read_number(&mut file);
                    if pid.is_some_and(|pid| Process::find(pid).is_none()) && Instant::now() < gone_by {
                        std::thread::sleep(ENDING_STEP);
                        continue;
                    }
                    return Err(PidFileError::Running { program: program.to_owned(), pid: pid.unwrap_or(0) });
                }
                Err(error) => return Err(failed(error.into())),
            }
            // Whoever held the lock before may have removed the file between our open and our lock:
            // then we hold a file nobody else can see.
            if !is_still_at(&file, path).map_err(failed)? {
                attempts += 1;
                continue;
            }
            if let Some(process) = read_number(&mut file).and_then(Process::find)
                && process.pid() != std::process::id() as i32
                && carries_name(process, program)
            {
                return Err(PidFileError::Running { program: program.to_owned(), pid: process.pid() });
            }
            write_number(&mut file).map_err(failed)?;
            return Ok(Self { path: path.to_owned(), _lock: file });
        }
        Err(failed(io::Error::other("it keeps being replaced")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Removed while the lock is held, so that nobody else's file is hit.
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the pid file");
        }
    }
}

/// The server that holds `path`, if one runs.
pub fn holder(path: &Path, program: &str) -> io::Result<Option<Process>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let process = read_number(&mut file).and_then(Process::find);
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(process.filter(|process| carries_name(*process, program))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(process),
        Err(error) => Err(error.into()),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path)
}

fn is_still_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn read_number(file: &mut File) -> Option<i32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(LONGEST_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok().filter(|pid| *pid > 0)
}

fn write_number(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())?;
    file.sync_all()
}

/// Whether the process was started under the program's name (the original's executable, ours under
/// that name, or ours told by its first argument).
fn carries_name(process: Process, program: &str) -> bool {
    process.command_line().iter().take(2).any(|word| word.rsplit('/').next() == Some(program))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::sleeper_named;

    const PROGRAM: &str = "fdfs_storaged";

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fdfs_storaged.pid");
        (folder, path)
    }

    #[test]
    fn the_file_holds_the_number_without_a_newline_and_goes_when_we_go() {
        let (_folder, path) = folder();
        let taken = PidFile::take(&path, PROGRAM).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), std::process::id().to_string());
        drop(taken);
        assert!(!path.exists());
    }

    #[test]
    fn a_killed_server_is_waited_for_that_still_holds_the_lock() {
        let (_folder, path) = folder();
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        fs::write(&path, gone.id().to_string()).unwrap();
        let held = File::open(&path).unwrap();
        flock(&held, FlockOperation::NonBlockingLockExclusive).unwrap();
        let next = std::thread::spawn({
            let path = path.clone();
            move || PidFile::take(&path, PROGRAM)
        });
        // As long as it is held, nobody gets it.
        assert_eq!(fs::read_to_string(&path).unwrap(), gone.id().to_string());
        assert!(!next.is_finished());
        drop(held);
        let taken = next.join().unwrap().unwrap();
        assert_eq!(fs::read_to_string(taken.path()).unwrap(), std::process::id().to_string());
    }

    #[test]
    fn a_second_server_on_the_same_folder_is_refused_with_the_number_of_the_first() {
        let (_folder, path) = folder();
        let _taken = PidFile::take(&path, PROGRAM).unwrap();
        match PidFile::take(&path, PROGRAM) {
            Err(PidFileError::Running { pid, .. }) => assert_eq!(pid, std::process::id() as i32),
            other => panic!("{other:?}"),
        }
        assert_eq!(holder(&path, PROGRAM).unwrap().map(Process::pid), Some(std::process::id() as i32));
    }

    #[test]
    fn a_file_left_by_a_process_that_ended_is_taken_over() {
        let (_folder, path) = folder();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        fs::write(&path, child.id().to_string()).unwrap();
        child.wait().unwrap();
        assert_eq!(holder(&path, PROGRAM).unwrap(), None);
        PidFile::take(&path, PROGRAM).unwrap();
    }

    #[test]
    fn a_file_with_the_number_of_an_unrelated_process_is_taken_over() {
        let (_folder, path) = folder();
        let mut child = sleeper_named("sleep");
        fs::write(&path, child.id().to_string()).unwrap();
        let taken = PidFile::take(&path, PROGRAM);
        child.kill().unwrap();
        child.wait().unwrap();
        taken.unwrap();
    }

    #[test]
    fn a_running_original_which_takes_no_lock_is_respected() {
        let (_folder, path) = folder();
        let mut child = sleeper_named("/usr/bin/fdfs_storaged");
        fs::write(&path, child.id().to_string()).unwrap();
        let taken = PidFile::take(&path, PROGRAM);
        let held = holder(&path, PROGRAM).unwrap().map(Process::pid);
        let pid = child.id() as i32;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(taken, Err(PidFileError::Running { pid: seen, .. }) if seen == pid), "{taken:?}");
        assert_eq!(held, Some(pid));
    }

    #[test]
    fn nonsense_in_the_file_is_no_server() {
        let (_folder, path) = folder();
        fs::write(&path, "-1 whatever").unwrap();
        assert_eq!(holder(&path, PROGRAM).unwrap(), None);
        PidFile::take(&path, PROGRAM).unwrap();
    }

    #[test]
    fn no_file_is_no_server() {
        let (_folder, path) = folder();
        assert_eq!(holder(&path, PROGRAM).unwrap(), None);
    }
}
