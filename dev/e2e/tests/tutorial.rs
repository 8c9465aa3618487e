//! The tutorial (`docs/tutorial.md`), done as a reader does it.
//!
//! Its commands are typed into one shell, in their order; each succeeds, and prints what the page shows. How a page is written
//! is in `e2e::page`.
//!
//! The page names addresses that people use by hand. Tests run side by side, so here each is replaced by one of the test's own.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use e2e::page::{is_like, same_steps, steps};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;
use testkit::address::Loopback;
use testkit::{binary, wait};

/// The last numbers of the addresses on the page: the entry, two trackers, four storages, the drive.
const FIRST: u8 = 10;
const ADDRESSES: u8 = 8;
/// How long a block may take: the waits in it end after a minute each.
const PATIENCE: Duration = Duration::from_secs(240);

/// Addresses side by side that sort as those of the page do, so that lists come in its order.
fn addresses() -> Vec<Loopback> {
    let mut passed_over = Vec::new();
    loop {
        let row = Loopback::claim_row(ADDRESSES).unwrap();
        let texts: Vec<String> = row.iter().map(|claim| claim.ip().to_string()).collect();
        if texts.is_sorted() {
            return row;
        }
        // Kept until another one is found, or it would be offered again.
        passed_over.push(row);
    }
}

/// The text with the test's addresses in the place of the page's.
fn readdress(text: &str, addresses: &[Loopback]) -> String {
    let mut pieces = text.split("127.0.0.");
    let mut told = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let digits = piece.len() - piece.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = piece.split_at(digits);
        told.push_str("127.0.0.");
        if number.is_empty() {
            told.push_str(rest);
            continue;
        }
        let index = number.parse::<u8>().unwrap().checked_sub(FIRST).map(usize::from);
        let claim = index.and_then(|index| addresses.get(index));
        let claim = claim.unwrap_or_else(|| panic!("127.0.0.{number} is none of the tutorial's addresses"));
        told.push_str(&claim.ip().octets()[3].to_string());
        told.push_str(rest);
    }
    told
}

/// The disk of whoever follows the page has room. That of the machine with the tests may well be nearly full, of which doctor warns.
fn with_any_disk(text: &str) -> String {
    text.replace(
        "cairn doctor -c client.conf --wait 60",
        "cairn doctor -c client.conf --wait 60 || [ $? -eq 1 ]",
    )
    .replace("errors: 0, warnings: 0", "…\nerrors: 0, warnings: …")
}

/// One shell with everything that is typed into it; what runs in its folder ends with it.
struct Shell {
    folder: TempDir,
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
}

/// Printed when a block is done; no command prints it.
const DONE: &str = "--- the block is done ---";

impl Shell {
    /// In an empty folder, with the program under test as `cairn`.
    fn open() -> Shell {
        let folder = tempfile::Builder::new().prefix("cairn-tutorial-").tempdir().unwrap();
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).unwrap();
        symlink(binary::cairn().unwrap(), programs.join("cairn")).unwrap();
        fs::create_dir(folder.path().join("reader")).unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut child = Command::new("sh")
            .current_dir(folder.path().join("reader"))
            .env("PATH", path)
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
        // Each command succeeds, and both streams are one, as at a terminal.
        writeln!(input, "set -eu\nexec 2>&1").unwrap();
        Shell { folder, child, input, output }
    }

    /// Types a block; what it printed.
    fn typed(&mut self, number: usize, block: &str) -> Result<String, String> {
        // From a file: a command that read what is typed would eat the next one.
        let file = self.folder.path().join(format!("block-{number}.sh"));
        fs::write(&file, block).unwrap();
        writeln!(self.input, ". {} </dev/null\necho '{DONE}'", file.display()).unwrap();
        let mut printed = String::new();
        loop {
            match self.output.recv_timeout(PATIENCE) {
                Ok(line) if line == DONE => return Ok(printed),
                Ok(line) => printed += &(line + "\n"),
                Err(error) => return Err(format!("{error}; printed so far:\n{printed}")),
            }
        }
    }

    /// The processes whose pid files are there.
    fn running(&self) -> Vec<Pid> {
        let mut pids = Vec::new();
        collect_pids(self.folder.path(), &mut pids);
        pids.retain(|pid| test_kill_process(*pid).is_ok());
        pids
    }
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

impl Drop for Shell {
    /// No test leaves a server behind, failed or not. nginx ends its workers when it is asked to, not when it is killed.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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

#[test]
fn every_block_of_the_tutorial_does_what_the_page_says() {
    let steps = steps("docs/tutorial.md");
    assert!(steps.len() > 10, "{steps:?}");
    let addresses = addresses();
    let mut shell = Shell::open();
    for (number, step) in steps.iter().enumerate() {
        let typed = with_any_disk(&readdress(&step.typed, &addresses));
        let printed = shell.typed(number, &typed);
        let printed = printed.unwrap_or_else(|error| panic!("docs/tutorial.md:{}: {error}", step.line));
        let shown = step.printed.as_deref().map(|shown| with_any_disk(&readdress(shown, &addresses)));
        let fits = shown.as_ref().is_none_or(|shown| is_like(&printed, shown));
        assert!(
            fits,
            "docs/tutorial.md:{}: the page shows\n{}\nand it is\n{printed}",
            step.line,
            shown.unwrap()
        );
    }
    // The page has stopped what it started; nginx says so before it is gone.
    wait::until("nothing runs any more", wait::STOP, || shell.running().is_empty().then_some(())).unwrap();
}

#[test]
fn both_languages_have_the_same_commands() {
    same_steps("docs/tutorial.md", "docs/tutorial.zh-CN.md");
}
