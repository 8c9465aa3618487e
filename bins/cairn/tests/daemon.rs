//! A server as a process, under its classic name: start, status, restart, stop, and what goes wrong.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use testkit::address::Loopback;
use testkit::conf::Conf;
use testkit::wait;

const PATIENCE: Duration = Duration::from_secs(60);

/// A storage's folder, configuration and address. No tracker listens there; a storage starts without one.
struct Storage {
    folder: TempDir,
    address: Loopback,
}

impl Storage {
    fn new() -> Self {
        let storage = Self { folder: tempfile::tempdir().unwrap(), address: Loopback::claim().unwrap() };
        storage.conf().write(&storage.conf_file()).unwrap();
        storage
    }

    fn conf(&self) -> Conf {
        Conf::new()
            .set("group_name", "group1")
            .set("bind_addr", self.address.ip())
            .set("base_path", self.base().display())
            .set("store_path_count", 1)
            .set("store_path0", self.base().display())
            .set("subdir_count_per_path", 2)
            .set("tracker_server", self.address.port(22122))
    }

    fn base(&self) -> PathBuf {
        self.folder.path().join("base")
    }

    fn conf_file(&self) -> PathBuf {
        self.folder.path().join("storage.conf")
    }

    fn pid_file(&self) -> PathBuf {
        self.base().join("data/fdfs_storaged.pid")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.base().join("logs/storaged.log")).unwrap_or_default()
    }

    /// Runs the tool; (status, standard output, standard error).
    fn tool(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_cairn"))
            .arg("fdfs_storaged")
            .arg(self.conf_file())
            .args(args)
            .output()
            .unwrap();
        told(&output)
    }

    fn pid(&self) -> i32 {
        fs::read_to_string(self.pid_file()).unwrap().parse().unwrap()
    }
}

impl Drop for Storage {
    /// No test leaves a server behind, failed or not.
    fn drop(&mut self) {
        let _ = self.tool(&["stop"]);
    }
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn signal(pid: i32, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}

fn rotated_logs(folder: &Path) -> usize {
    let is_rotated = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("storaged.log.");
    fs::read_dir(folder).unwrap().map(Result::unwrap).filter(is_rotated).count()
}

#[test]
fn a_server_starts_in_the_background_says_that_it_runs_and_stops() {
    let storage = Storage::new();
    assert_eq!(storage.tool(&["status"]), (2, "NOT running\n".into(), String::new()));

    let (code, out, err) = storage.tool(&[]);
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    let pid = storage.pid();
    // It serves by the time the start is over.
    std::net::TcpStream::connect(storage.address.port(23000)).unwrap();
    assert_eq!(storage.tool(&["status"]), (0, format!("Running, pid: {pid}\n"), String::new()));

    let (code, _, err) = storage.tool(&["start"]);
    assert_eq!(code, 17, "{err}");
    assert!(err.contains(&format!("already running, pid: {pid}")), "{err}");
    assert_eq!(storage.pid(), pid);

    let (code, _, err) = storage.tool(&["stop"]);
    assert_eq!(code, 0, "{err}");
    assert!(!storage.pid_file().exists());
    assert_eq!(storage.tool(&["status"]).0, 2);
    assert_eq!(storage.tool(&["stop"]).0, 2);
    assert!(storage.log().contains("INFO - ready program=\"fdfs_storaged\""), "{}", storage.log());
    assert_eq!(testkit::logs::unexpected(&storage.log(), &["tracker"]), [] as [&str; 0]);
}

#[test]
fn a_restart_is_another_process_and_works_from_a_standstill_too() {
    let storage = Storage::new();
    assert_eq!(storage.tool(&["restart"]).0, 0);
    let first = storage.pid();
    assert_eq!(storage.tool(&["restart"]).0, 0);
    assert_ne!(storage.pid(), first);
}

#[test]
fn a_start_that_cannot_listen_is_no_success_and_says_why() {
    let storage = Storage::new();
    let _taken = TcpListener::bind(storage.address.port(23000)).unwrap();
    let (code, out, err) = storage.tool(&["start"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains(&format!("cannot listen on {}", storage.address.port(23000))), "{err}");
    assert_eq!(storage.tool(&["status"]).0, 2);
    assert!(!storage.pid_file().exists());
    assert!(storage.log().contains("ERROR - the server gives up"), "{}", storage.log());
}

#[test]
fn a_wrong_value_stops_the_start_with_file_line_key_and_reason() {
    let storage = Storage::new();
    storage.conf().set("store_path_count", "many").write(&storage.conf_file()).unwrap();
    let (code, _, err) = storage.tool(&["start"]);
    assert_ne!(code, 0);
    let line = fs::read_to_string(storage.conf_file())
        .unwrap()
        .lines()
        .position(|line| line.contains("many"))
        .unwrap()
        + 1;
    assert!(err.contains(&format!("storage.conf:{line}: store_path_count: ")), "{err}");
}

#[test]
fn a_configuration_that_is_not_there_ends_with_the_systems_number() {
    let output = Command::new(env!("CARGO_BIN_EXE_cairn"))
        .args(["fdfs_trackerd", "/nowhere/tracker.conf", "start"])
        .output()
        .unwrap();
    let (code, _, err) = told(&output);
    assert_eq!(code, 2);
    assert!(err.contains("/nowhere/tracker.conf"), "{err}");
}

#[test]
fn a_killed_server_leaves_nothing_that_keeps_the_next_from_starting() {
    let storage = Storage::new();
    assert_eq!(storage.tool(&["start"]).0, 0);
    let killed = storage.pid();
    signal(killed, "KILL");
    wait::until("the killed server is gone", PATIENCE, || (storage.tool(&["status"]).0 == 2).then_some(()))
        .unwrap();
    assert_eq!(storage.pid(), killed, "the file stays when nobody removes it");
    let (code, _, err) = storage.tool(&["start"]);
    assert_eq!(code, 0, "{err}");
    assert_ne!(storage.pid(), killed);
}

#[test]
fn a_hangup_begins_a_new_log_and_the_user_signals_do_nothing() {
    let storage = Storage::new();
    assert_eq!(storage.tool(&["start"]).0, 0);
    let pid = storage.pid();
    signal(pid, "USR1");
    signal(pid, "USR2");
    signal(pid, "HUP");
    let logs = storage.base().join("logs");
    wait::until("a rotated log", PATIENCE, || (rotated_logs(&logs) == 1).then_some(())).unwrap();
    assert_eq!(storage.tool(&["status"]), (0, format!("Running, pid: {pid}\n"), String::new()));
}

#[test]
fn in_the_foreground_the_log_is_on_the_terminal_too_and_a_signal_is_an_orderly_end() {
    for name in ["TERM", "INT", "QUIT"] {
        let storage = Storage::new();
        let child = Command::new(env!("CARGO_BIN_EXE_cairn"))
            .args(["storage", "--no-daemon"])
            .arg(storage.conf_file())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait::until("the server serves", PATIENCE, || storage.log().contains(" - ready ").then_some(()))
            .unwrap();
        signal(child.id() as i32, name);
        let (code, _, err) = told(&child.wait_with_output().unwrap());
        assert_eq!(code, 0, "{err}");
        assert!(err.contains("INFO - ready program=\"fdfs_storaged\""), "{err}");
        assert!(!storage.pid_file().exists());
    }
}

#[test]
fn version_and_help_are_no_failures_and_nonsense_is() {
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_cairn")).arg("fdfs_storaged").args(args).output();
        told(&output.unwrap())
    };
    let (code, out, _) = run(&["-V"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("\nfdfs_storaged V6.16.1"), "{out}");
    let (code, out, err) = run(&["--help"]);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.starts_with("Usage: "), "{err}");
    assert_eq!(run(&[]).0, 1);
    assert_eq!(run(&["-x", "storage.conf"]).0, 1);
    let storage = Storage::new();
    assert_eq!(storage.tool(&["bogus"]).0, 22);
}
