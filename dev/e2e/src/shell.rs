//! A reader of the documentation at a terminal: an empty folder, and shells into which the commands of a page are typed.
//!
//! Whatever was started there ends with it, by the pid files that servers leave in their folders.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;
use testkit::{binary, wait};

/// How long a block may take: the waits in it end after two minutes each.
const PATIENCE: Duration = Duration::from_secs(240);

/// Printed when a block is done, on a line of its own unless the block's last one has no end; no command prints it.
const DONE: &str = "--- the block is done ---";

/// What a reader has: a folder to work in, and the program under test as `cairn`.
#[derive(Debug)]
pub struct Reader {
    folder: TempDir,
}

impl Reader {
    /// With an empty folder.
    #[must_use]
    pub fn new() -> Reader {
        let folder = tempfile::Builder::new().prefix("cairn-reader-").tempdir().unwrap();
        let reader = Reader { folder };
        fs::create_dir(reader.programs()).unwrap();
        fs::create_dir(reader.place()).unwrap();
        symlink(binary::cairn().unwrap(), reader.programs().join("cairn")).unwrap();
        reader
    }

    /// Where commands are typed; it is the reader's home, too.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        self.folder.path().join("reader")
    }

    fn programs(&self) -> PathBuf {
        self.folder.path().join("programs")
    }

    /// Puts a program that is not there, or not to be run, into the path: a script for `sh`.
    pub fn stand_in(&self, name: &str, script: &str) {
        write_script(&self.programs().join(name), script);
    }

    /// A shell in the reader's folder, in which every command has to succeed.
    #[must_use]
    pub fn shell(&self) -> Shell {
        let path = format!("{}:{}", self.programs().display(), std::env::var("PATH").unwrap());
        let mut child = Command::new("sh")
            .current_dir(self.place())
            .env("PATH", path)
            .env("HOME", self.place())
            .env("LC_ALL", "C.UTF-8")
            .env_remove("LC_MESSAGES")
            .env_remove("LANG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let printed = child.stdout.take().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(printed).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        // Both streams are one, as at a terminal.
        writeln!(input, "set -eu\nexec 2>&1").unwrap();
        let blocks = tempfile::Builder::new().prefix("blocks-").tempdir_in(self.folder.path()).unwrap();
        Shell { blocks, typed: 0, child, input, output }
    }

    /// The processes whose pid files are there.
    #[must_use]
    pub fn running(&self) -> Vec<Pid> {
        let mut pids = Vec::new();
        collect_pids(self.folder.path(), &mut pids);
        pids.retain(|pid| test_kill_process(*pid).is_ok());
        pids
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Reader {
    /// No test leaves a server behind, failed or not. nginx ends its workers when it is asked to, not when it is killed.
    fn drop(&mut self) {
        for pid in self.running() {
            let _ = kill_process(pid, Signal::TERM);
        }
        let gone = || self.running().is_empty().then_some(());
        if wait::until("servers end", wait::STOP, gone).is_err() {
            for pid in self.running() {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// Writes a script that can be run.
pub fn write_script(file: &Path, script: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(file, PermissionsExt::from_mode(0o755)).unwrap();
}

fn collect_pids(folder: &Path, pids: &mut Vec<Pid>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type());
        if kind.is_ok_and(|kind| kind.is_dir()) {
            collect_pids(&path, pids);
        } else if path.extension().is_some_and(|end| end == "pid") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            pids.extend(text.trim().parse().ok().and_then(Pid::from_raw));
        }
    }
}

/// One shell with everything that is typed into it.
#[derive(Debug)]
pub struct Shell {
    blocks: TempDir,
    typed: u32,
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
}

impl Shell {
    /// Types a block; what it printed.
    ///
    /// # Errors
    /// When one of its commands failed, or has not ended in time; what was printed until then.
    pub fn typed(&mut self, block: &str) -> Result<String, String> {
        self.send(block);
        self.read(|line| line.ends_with(DONE)).map(|printed| printed.replace(DONE, ""))
    }

    /// Types a block whose last command goes on; what is printed up to a line, and that.
    ///
    /// # Errors
    /// As of [`Shell::typed`].
    pub fn typed_until(&mut self, block: &str, is_last: impl Fn(&str) -> bool) -> Result<String, String> {
        self.send(block);
        self.read(is_last)
    }

    fn send(&mut self, block: &str) {
        // From a file: a command that read what is typed would eat the next one.
        self.typed += 1;
        let file = self.blocks.path().join(format!("block-{}.sh", self.typed));
        fs::write(&file, block).unwrap();
        writeln!(self.input, ". {} </dev/null\necho '{DONE}'", file.display()).unwrap();
    }

    fn read(&mut self, is_last: impl Fn(&str) -> bool) -> Result<String, String> {
        let mut printed = String::new();
        loop {
            let line = self.output.recv_timeout(PATIENCE);
            let line = line.map_err(|error| format!("{error}; printed so far:\n{printed}"))?;
            let last = is_last(&line);
            printed += &(line + "\n");
            if last {
                return Ok(printed);
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
