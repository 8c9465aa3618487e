//! Running in the background, with the shell told how the start went.
//!
//! The launcher starts the program anew with its standard output tied to a pipe and waits. The new
//! process makes itself a session of its own, keeps the pipe, and says one line on it: that it is
//! ready, or why it is not. So `start` ends with a status that means something, which forking first and
//! starting afterwards cannot do.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const READY: &str = "ready";
const FAILED: &str = "failed ";

/// How a start in the background went.
#[derive(Debug)]
pub enum Launched {
    /// It serves.
    Ready {
        /// Its number.
        pid: u32,
    },
    /// It runs but has not said yet that it serves.
    StillStarting {
        /// Its number.
        pid: u32,
    },
    /// It gave up, and said why.
    Failed(String),
    /// It ended without a word.
    Died(ExitStatus),
}

/// Starts `command` in the background and waits up to `patience` for its word.
///
/// The command must make the new process call [`Detached::begin`].
pub fn launch(mut command: Command, patience: Duration) -> io::Result<Launched> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let pid = child.id();
    let (said, hear) = mpsc::sync_channel(1);
    let Some(pipe) = child.stdout.take() else {
        return Err(io::Error::other("no pipe to the new process"));
    };
    std::thread::spawn(move || {
        let mut line = String::new();
        let word = BufReader::new(pipe).read_line(&mut line).map(|_| line);
        // Nobody listens any more when patience ran out.
        let _ = said.send(word);
    });
    match hear.recv_timeout(patience) {
        Ok(word) => judge(&word?, pid, &mut child),
        Err(_) => Ok(Launched::StillStarting { pid }),
    }
}

fn judge(word: &str, pid: u32, child: &mut Child) -> io::Result<Launched> {
    let word = word.trim_end_matches('\n');
    if word == READY {
        Ok(Launched::Ready { pid })
    } else if let Some(reason) = word.strip_prefix(FAILED) {
        child.wait()?;
        Ok(Launched::Failed(reason.to_owned()))
    } else {
        Ok(Launched::Died(child.wait()?))
    }
}

/// The background process's side: its word to the launcher.
#[derive(Debug)]
pub struct Detached {
    pipe: File,
    nowhere: File,
}

impl Detached {
    /// Leaves the launcher's session and terminal. Standard error stays until the start has gone well,
    /// so that a panic on the way is seen.
    pub fn begin() -> io::Result<Self> {
        rustix::process::setsid()?;
        let pipe: OwnedFd = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        let nowhere = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdin(&nowhere)?;
        rustix::stdio::dup2_stdout(&nowhere)?;
        Ok(Self { pipe: File::from(pipe), nowhere })
    }

    /// Says that the server serves, and lets go of the launcher's standard error.
    pub fn ready(mut self) -> io::Result<()> {
        rustix::stdio::dup2_stderr(&self.nowhere)?;
        match writeln!(self.pipe, "{READY}") {
            // The launcher lost its patience, or was interrupted. We serve all the same.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            told => told,
        }
    }

    /// Says why it does not.
    pub fn failed(mut self, reason: &str) {
        let one_line = reason.replace('\n', " ");
        // The launcher may be gone; then the log has to do.
        let _ = writeln!(self.pipe, "{FAILED}{one_line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_process_that_says_ready_is_ready() {
        assert!(matches!(launch(shell("echo ready"), PATIENCE).unwrap(), Launched::Ready { .. }));
    }

    #[test]
    fn a_process_that_gives_up_is_quoted() {
        match launch(shell("echo failed port 22122 is taken; exit 1"), PATIENCE).unwrap() {
            Launched::Failed(reason) => assert_eq!(reason, "port 22122 is taken"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_process_that_ends_without_a_word_is_dead() {
        match launch(shell("exit 3"), PATIENCE).unwrap() {
            Launched::Died(status) => assert_eq!(status.code(), Some(3)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_process_that_says_nothing_in_time_is_still_starting() {
        let Launched::StillStarting { pid } =
            launch(shell("exec sleep 60"), Duration::from_millis(1)).unwrap()
        else {
            panic!("it said something");
        };
        let process = crate::process::Process::find(pid as i32).unwrap();
        process.signal(rustix::process::Signal::KILL).unwrap();
    }
}
