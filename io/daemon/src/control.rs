//! What `start`, `stop`, `restart` and `status` need to know about a running server.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rustix::process::Signal;

use crate::pid_file::holder;

/// Between two requests to stop.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How often a server is asked before it is killed: 30 s (storage internals: base_path).
const ASK_TIMES: u32 = 30;

/// How long the kernel may take to end a killed process.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// What the command line asks of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Run, unless it runs already.
    Start,
    /// End the running one.
    Stop,
    /// End the running one, if any, and run.
    Restart,
    /// Say whether it runs.
    Status,
}

/// A word that is no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid action: {0}")]
pub struct UnknownAction(pub String);

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "start" => Ok(Self::Start),
            "stop" => Ok(Self::Stop),
            "restart" => Ok(Self::Restart),
            "status" => Ok(Self::Status),
            other => Err(UnknownAction(other.to_owned())),
        }
    }
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It ended by itself when asked.
    Orderly {
        /// Its number.
        pid: i32,
    },
    /// It did not, and was killed.
    Killed {
        /// Its number.
        pid: i32,
    },
}

/// Why a server could not be stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// None runs.
    #[error("not running (pid file {})", .0.display())]
    NotRunning(PathBuf),
    /// The pid file cannot be read.
    #[error("pid file {}: {source}", path.display())]
    PidFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refuses the signal (another user's process, say).
    #[error("cannot signal pid {pid}: {source}")]
    Refused {
        /// Its number.
        pid: i32,
        /// What the system said.
        source: io::Error,
    },
    /// Not even killing ended it (it hangs in the kernel, on a dead disk say).
    #[error("pid {pid} does not end, not even killed")]
    Immortal {
        /// Its number.
        pid: i32,
    },
}

/// The number of the server that holds this pid file.
pub fn status(pid_file: &Path, program: &str) -> io::Result<Option<i32>> {
    Ok(holder(pid_file, program)?.map(|process| process.pid()))
}

/// Asks the server to end, once a second, and kills it after 30 s.
pub fn stop(pid_file: &Path, program: &str) -> Result<Stopped, StopError> {
    let process = holder(pid_file, program)
        .map_err(|source| StopError::PidFile { path: pid_file.to_owned(), source })?
        .ok_or_else(|| StopError::NotRunning(pid_file.to_owned()))?;
    let pid = process.pid();
    for _ in 0..ASK_TIMES {
        match process.signal(Signal::TERM) {
            Ok(()) => {}
            Err(rustix::io::Errno::SRCH) => return Ok(Stopped::Orderly { pid }),
            Err(error) => return Err(StopError::Refused { pid, source: error.into() }),
        }
        if process.ended_within(ASK_AGAIN) {
            return Ok(Stopped::Orderly { pid });
        }
    }
    match process.signal(Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => return Err(StopError::Refused { pid, source: error.into() }),
    }
    if process.ended_within(KILL_PATIENCE) {
        Ok(Stopped::Killed { pid })
    } else {
        Err(StopError::Immortal { pid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::sleeper_named;

    #[test]
    fn the_four_words_are_actions_and_nothing_else_is() {
        assert_eq!("start".parse(), Ok(Action::Start));
        assert_eq!("stop".parse(), Ok(Action::Stop));
        assert_eq!("restart".parse(), Ok(Action::Restart));
        assert_eq!("status".parse(), Ok(Action::Status));
        assert_eq!("Stop".parse::<Action>().unwrap_err().to_string(), "invalid action: Stop");
    }

    #[test]
    fn stopping_ends_the_process_named_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fdfs_trackerd.pid");
        let mut child = sleeper_named("fdfs_trackerd");
        std::fs::write(&path, child.id().to_string()).unwrap();
        assert_eq!(status(&path, "fdfs_trackerd").unwrap(), Some(child.id() as i32));
        let stopped = stop(&path, "fdfs_trackerd").unwrap();
        assert_eq!(stopped, Stopped::Orderly { pid: child.id() as i32 });
        child.wait().unwrap();
        assert_eq!(status(&path, "fdfs_trackerd").unwrap(), None);
    }

    #[test]
    fn stopping_what_does_not_run_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fdfs_trackerd.pid");
        assert!(matches!(stop(&path, "fdfs_trackerd"), Err(StopError::NotRunning(_))));
    }
}
