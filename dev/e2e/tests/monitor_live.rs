//! `cairn monitor --live` in a terminal.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use e2e::files::serving;
use tempfile::TempDir;
use testkit::cluster::{Cluster, Plan};
use testkit::{binary, wait};

/// How long trackers may take to miss a storage on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal of util-linux's `script`, with a program in it.
struct Terminal {
    script: Child,
    shown: PathBuf,
    _folder: TempDir,
}

impl Terminal {
    fn start(cluster: &Cluster, language: &str, group: &str) -> Terminal {
        let folder = tempfile::tempdir().unwrap();
        let shown = folder.path().join("shown");
        let command = format!(
            "stty cols 160 rows 40; exec '{}' monitor --conf '{}' --live=1 {group}",
            binary::cairn().unwrap().display(),
            cluster.client_conf().display()
        );
        let script = Command::new("script")
            .args(["--quiet", "--flush", "--return", "--command", &command])
            .arg(&shown)
            .env_remove("LC_ALL")
            .env("LANG", language)
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Terminal { script, shown, _folder: folder }
    }

    /// Everything that was drawn so far.
    fn shown(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.shown).unwrap_or_default()).into_owned()
    }

    fn until_shown(&self, text: &str) {
        let wanted = letters(text);
        wait::until(text, PATIENCE, || letters(&self.shown()).contains(&wanted).then_some(()))
            .unwrap_or_else(|error| panic!("{error}\n{}", self.shown()));
    }

    /// Presses a key, and waits for the end.
    fn press_and_end(mut self, key: &[u8]) -> String {
        self.script.stdin.as_mut().unwrap().write_all(key).unwrap();
        let ended = wait::until("the end", PATIENCE, || self.script.try_wait().unwrap()).unwrap();
        assert!(ended.success(), "{ended}\n{}", self.shown());
        self.shown()
    }
}

/// Letters without what moves the cursor and gives colours; spaces are moves of the cursor, too.
fn letters(drawn: &str) -> String {
    let mut parts = drawn.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    let behind = |part: &str| {
        let end = part.find(|c: char| ('@'..='~').contains(&c)).map_or(part.len(), |at| at + 1);
        part[end..].to_owned()
    };
    let all: String = std::iter::once(first).chain(parts.map(behind)).collect();
    all.chars().filter(|c| !c.is_whitespace()).collect()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Gone already, where all went well.
        self.script.kill().ok();
        self.script.wait().ok();
    }
}

#[test]
fn a_terminal_shows_a_storage_go_and_is_itself_again_after_q() {
    let plan = Plan::new()
        .groups(&[("group1", 2)])
        .tracker_key("check_active_interval", 3)
        .storage_key("heart_beat_interval", 1);
    let mut cluster = plan.start().unwrap();
    let terminal = Terminal::start(&cluster, "en_US.UTF-8", "");
    for storage in &cluster.storages {
        terminal.until_shown(&storage.address().to_string());
    }
    terminal.until_shown("every 1 s; arrows scroll, q quits");
    // What goes before it has been ACTIVE is INIT and stays so.
    serving(&cluster, &["group1"], 2);
    terminal.until_shown("ACTIVE");
    cluster.storages[1].kill().unwrap();
    terminal.until_shown("OFFLINE");
    // Without a tracker it goes on, and says how old what it shows is.
    cluster.trackers[0].kill().unwrap();
    terminal.until_shown("older figures, trying again");
    let shown = terminal.press_and_end(b"q");
    // The other screen is left, and the cursor is there.
    assert!(shown.contains("\u{1b}[?1049h") && shown.contains("\u{1b}[?1049l"), "{shown}");
    assert!(shown.rfind("\u{1b}[?25h") > shown.rfind("\u{1b}[?25l"), "{shown}");
}

#[test]
fn it_speaks_chinese_and_ends_at_ctrl_c() {
    let cluster = Cluster::start().unwrap();
    let terminal = Terminal::start(&cluster, "zh_CN.UTF-8", "group1");
    terminal.until_shown("每 1 秒刷新");
    terminal.until_shown("上传/秒");
    terminal.press_and_end(&[3]);
}

#[test]
fn a_group_that_is_not_there_is_said_before_anything_is_drawn() {
    let cluster = Cluster::start().unwrap();
    let mut terminal = Terminal::start(&cluster, "en_US.UTF-8", "group9");
    let ended = wait::until("the end", PATIENCE, || terminal.script.try_wait().unwrap()).unwrap();
    assert!(!ended.success());
    let shown = terminal.shown();
    assert!(shown.contains("no group group9") && !shown.contains("\u{1b}[?1049h"), "{shown}");
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let cluster = Cluster::start().unwrap();
    let conf = cluster.client_conf();
    let output = Command::new(binary::cairn().unwrap())
        .args(["monitor", "--conf", conf.to_str().unwrap(), "--live"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--live needs a terminal; --json is for programs"), "{said}");
}
