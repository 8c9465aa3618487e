//! A server process, its output in a file, killed when dropped.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};
pub use rustix::process::Signal;
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process, waitid};

use crate::{memory, wait};

/// Lines of a dead server's log shown when a test fails.
const LOG_TAIL_LINES: usize = 40;

/// One running (or ended) server process.
#[derive(Debug)]
pub struct Server {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts `program` with `arguments`; what it prints is appended to `log`.
    ///
    /// It stays in the process group of the test, so a runner that kills the group takes it along.
    ///
    /// # Errors
    /// When the log cannot be opened or the program not started.
    pub fn start<A: AsRef<OsStr>>(
        name: &str,
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        log: &Path,
    ) -> Result<Server> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("open {}", log.display()))?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        Ok(Server { name: name.to_owned(), child, log: log.to_path_buf() })
    }

    /// Number of the process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Still there?
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it is ready, by whatever says so.
    ///
    /// # Errors
    /// When it ends before, with what it printed, or is not ready within [`wait::READY`].
    pub fn until_ready(&mut self, mut is_ready: impl FnMut() -> bool) -> Result<()> {
        let ready = wait::until(&format!("{} is ready", self.name), wait::READY, || {
            if is_ready() {
                return Some(true);
            }
            (!self.is_running()).then_some(false)
        })?;
        anyhow::ensure!(ready, "{} ended at its start:\n{}", self.name, self.output());
        Ok(())
    }

    /// Ends it with SIGKILL and waits until it is gone: the crash of tests.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        // Killing one that has ended already is no fault.
        let _ = self.child.kill();
        self.child.wait().with_context(|| format!("wait for {}", self.name))?;
        Ok(())
    }

    /// Ends it with SIGTERM: the orderly stop.
    ///
    /// # Errors
    /// When it has not ended within [`wait::STOP`].
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait()
    }

    /// Sends any signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("process id")?;
        kill_process(pid, signal).with_context(|| format!("signal {}", self.name))?;
        if signal == Signal::STOP {
            // It goes on until the last of its threads has stopped.
            let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
            wait::until(&format!("{} stops", self.name), wait::STOP, || {
                waitid(WaitId::Pid(pid), stopped).ok().flatten()
            })?;
        }
        Ok(())
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it has not ended within [`wait::STOP`].
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let Server { name, child, .. } = self;
        wait::until(&format!("end of {name}"), wait::STOP, || child.try_wait().ok().flatten())
    }

    /// What it has printed so far, over all its starts.
    #[must_use]
    pub fn output(&self) -> String {
        read_lossy(&self.log)
    }

    /// Memory of its own at this moment, in bytes (`RssAnon`); none once it has ended. How much of the program is mapped is
    /// left out: the kernel decides it, and may drop it.
    #[must_use]
    pub fn own_bytes(&self) -> Option<u64> {
        memory::own_bytes(self.pid())
    }

    /// Bytes it has read and written so far, from and to files and connections, except by sendfile; none once it has
    /// ended.
    #[must_use]
    pub fn moved_bytes(&self) -> Option<u64> {
        let io = std::fs::read_to_string(format!("/proc/{}/io", self.pid())).ok()?;
        let figure =
            |name: &str| io.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        Some(figure("rchar:")? + figure("wchar:")?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let output = self.output();
            let lines: Vec<&str> = output.lines().collect();
            let tail = &lines[lines.len().saturating_sub(LOG_TAIL_LINES)..];
            eprintln!("--- last output of {} ---\n{}", self.name, tail.join("\n"));
        }
    }
}

fn read_lossy(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &tempfile::TempDir) -> Server {
        Server::start("sh", Path::new("/bin/sh"), ["-c", script], &folder.path().join("log")).unwrap()
    }

    #[test]
    fn output_of_both_streams_is_kept_over_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = shell("echo one; echo two >&2", &folder);
        assert!(first.wait().unwrap().success());
        let mut second = shell("echo three", &folder);
        second.wait().unwrap();
        assert_eq!(second.output(), "one\ntwo\nthree\n");
    }

    #[test]
    fn a_dropped_server_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let server = shell("sleep 1000", &folder);
        let proc = PathBuf::from(format!("/proc/{}", server.pid()));
        assert!(proc.exists());
        drop(server);
        assert!(!proc.exists());
    }

    #[test]
    fn a_terminated_server_may_clean_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut server =
            shell("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done", &folder);
        wait::until("trap", wait::READY, || server.output().contains("up").then_some(())).unwrap();
        assert_eq!(server.terminate().unwrap().code(), Some(7));
        assert!(server.output().ends_with("bye\n"));
    }
}
