//! One process of this machine, named so that a later one with the same number is not mistaken for it.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// How often a process that should end is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running process: its number and the moment it began.
///
/// The kernel reuses numbers, so the number alone may, a second later, name somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pid: Pid,
    started_ticks: u64,
}

impl Process {
    /// The process with this number, if one runs (one that ended and was not yet collected by its
    /// parent does not).
    pub fn find(pid: i32) -> Option<Self> {
        let pid = Pid::from_raw(pid)?;
        let started_ticks = start_of(pid)?;
        Some(Self { pid, started_ticks })
    }

    /// The number.
    pub fn pid(self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Whether it still runs.
    pub fn runs(self) -> bool {
        start_of(self.pid) == Some(self.started_ticks)
    }

    /// Sends a signal, unless it has ended.
    pub fn signal(self, signal: Signal) -> rustix::io::Result<()> {
        if !self.runs() {
            return Err(rustix::io::Errno::SRCH);
        }
        rustix::process::kill_process(self.pid, signal)
    }

    /// Waits up to `patience` for its end; true when it ended.
    pub(crate) fn ended_within(self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.runs() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        true
    }

    /// The command line, as it was given.
    pub fn command_line(self) -> Vec<String> {
        let raw = fs::read(format!("/proc/{}/cmdline", self.pid())).unwrap_or_default();
        raw.split(|&byte| byte == 0)
            .filter(|word| !word.is_empty())
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect()
    }
}

/// When a process began, in clock ticks since boot; nothing when it has ended.
fn start_of(pid: Pid) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The second field is the command in brackets, and may hold blanks and brackets itself.
    let after_command = &text[text.rfind(')')? + 1..];
    let mut fields = after_command.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    // Field 22 of the file; the state was field 3.
    fields.nth(18)?.parse().ok()
}

/// A process that sleeps under another program's name, for the tests of this crate.
#[cfg(test)]
pub(crate) fn sleeper_named(name: &str) -> std::process::Child {
    use std::os::unix::process::CommandExt;
    let child = std::process::Command::new("sleep").arg0(name).arg("60").spawn().unwrap();
    // The spawn returns a moment before the kernel shows the new command line.
    let until = Instant::now() + Duration::from_secs(20);
    while Process::find(child.id() as i32).unwrap().command_line().first().map(String::as_str) != Some(name) {
        assert!(Instant::now() < until, "the command line of {} does not appear", child.id());
        std::thread::yield_now();
    }
    child
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn this_process_runs() {
        let me = Process::find(std::process::id() as i32).unwrap();
        assert!(me.runs());
        assert!(!me.command_line().is_empty());
    }

    #[test]
    fn a_process_that_ended_but_was_not_collected_does_not_run() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id() as i32;
        let found = Process::find(pid);
        assert!(found.is_none_or(|process| process.ended_within(Duration::from_secs(10))));
        assert_eq!(Process::find(pid), None);
        child.wait().unwrap();
    }

    #[test]
    fn the_same_number_with_another_beginning_is_another_process() {
        let me = Process::find(std::process::id() as i32).unwrap();
        let namesake = Process { started_ticks: me.started_ticks + 1, ..me };
        assert!(!namesake.runs());
        assert_eq!(namesake.signal(Signal::KILL), Err(rustix::io::Errno::SRCH));
    }
}
