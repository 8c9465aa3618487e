//! The classic tools and daemons under their own names, as links made by `cairn install-tools`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use testkit::address::{Loopback, STORAGE_PORT, TRACKER_PORT};
use testkit::{binary, logs, probe, python, wait};

/// Commands that fail and print nothing about it; what the original calls a failure otherwise shows in its words.
const FAIL_SILENTLY: [&str; 2] = ["fdfs_file_info CONF group1", "fdfs_monitor CONF list group9"];

/// A tracker and a storage as an operator has them: folders, conf files, the tools in a folder of their own.
struct Site {
    folder: TempDir,
    tracker: Loopback,
    storage: Loopback,
}

/// Status, standard output, standard error.
type Told = (i32, String, String);

impl Site {
    /// Configuration files and links; nothing runs yet.
    fn new() -> Site {
        let site = Site {
            folder: tempfile::tempdir().unwrap(),
            tracker: Loopback::claim().unwrap(),
            storage: Loopback::claim().unwrap(),
        };
        let done = Command::new(binary::cairn().unwrap())
            .arg("install-tools")
            .arg(site.path("bin"))
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        let tracker = site.tracker.port(TRACKER_PORT);
        // The files that come with us, with the few lines that everybody changes.
        site.conf(
            "tracker",
            &[
                ("base_path", site.path("tracker").display().to_string()),
                ("bind_addr", site.tracker.ip().to_string()),
                ("reserved_storage_space", "1MB".to_owned()),
            ],
        );
        site.conf(
            "storage",
            &[
                ("base_path", site.path("storage").display().to_string()),
                ("store_path0", site.path("storage").display().to_string()),
                ("bind_addr", site.storage.ip().to_string()),
                ("subdir_count_per_path", "4".to_owned()),
                ("tracker_server", tracker.to_string()),
            ],
        );
        site.conf(
            "client",
            &[
                ("base_path", site.path("client").display().to_string()),
                ("tracker_server", tracker.to_string()),
            ],
        );
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn conf_file(&self, role: &str) -> PathBuf {
        self.path(&format!("{role}.conf"))
    }

    /// Writes the default file of a role, some keys set.
    fn conf(&self, role: &str, keys: &[(&str, String)]) {
        let text = fs::read_to_string(binary::workspace().join(format!("conf/{role}.conf"))).unwrap();
        let is_set = |line: &str, key: &str| {
            line.trim_start_matches(['#', ' ']).split_once('=').is_some_and(|(word, _)| word.trim() == key)
        };
        let kept = text.lines().filter(|line| !keys.iter().any(|(key, _)| is_set(line, key)));
        let set = keys.iter().map(|(key, value)| format!("{key} = {value}"));
        // In front: further down begin sections.
        let lines: Vec<String> = set.chain(kept.map(str::to_owned)).collect();
        fs::write(self.conf_file(role), lines.join("\n") + "\n").unwrap();
    }

    /// Adds a line in front of a configuration file.
    fn add_line(&self, role: &str, line: &str) {
        let text = fs::read_to_string(self.conf_file(role)).unwrap();
        fs::write(self.conf_file(role), format!("{line}\n{text}")).unwrap();
    }

    fn run(&self, tool: &str, arguments: &[&str]) -> Told {
        let output = Command::new(self.path("bin").join(tool))
            .args(arguments)
            .env_remove("LANG")
            .env_remove("LC_ALL")
            .env_remove("LC_MESSAGES")
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// A daemon by its classic name.
    fn daemon(&self, role: &str, arguments: &[&str]) -> Told {
        let conf = self.conf_file(role).display().to_string();
        self.run(&program(role), &[&[conf.as_str()], arguments].concat())
    }

    fn pid_file(&self, role: &str) -> PathBuf {
        self.path(role).join("data").join(format!("{}.pid", program(role)))
    }

    fn log(&self, role: &str) -> String {
        fs::read_to_string(self.path(role).join("logs").join(format!("{role}d.log"))).unwrap_or_default()
    }

    /// Starts both, and waits until uploads find a place.
    fn start(&self) {
        for role in ["tracker", "storage"] {
            let (code, out, err) = self.daemon(role, &["start"]);
            assert_eq!((code, out.as_str()), (0, ""), "{err}");
        }
        let tracker = self.tracker.port(TRACKER_PORT);
        wait::until("a storage to offer", wait::READY, || probe::offers_storage(tracker).then_some(()))
            .unwrap();
    }

    fn stop(&self) {
        for role in ["storage", "tracker"] {
            assert_eq!(self.daemon(role, &["stop"]).0, 0);
            assert!(!self.pid_file(role).exists(), "{role}");
        }
    }

    /// Nothing unexpected in the logs of both.
    fn check_logs(&self, expected: &[&str]) {
        logs::check_folder(self.folder.path(), expected).unwrap();
    }
}

impl Drop for Site {
    /// No test leaves a server behind, failed or not.
    fn drop(&mut self) {
        for role in ["storage", "tracker"] {
            let _ = self.daemon(role, &["stop"]);
        }
    }
}

fn program(role: &str) -> String {
    format!("fdfs_{role}d")
}

/// What was printed for each command, and its status, in the order of `python/tools.py`.
fn blocks(transcript: &str) -> Vec<(&str, &str)> {
    transcript.strip_prefix("$ ").unwrap().split("\n$ ").map(|b| b.split_once('\n').unwrap()).collect()
}

#[test]
fn every_tool_prints_what_the_original_prints_and_never_calls_a_failure_a_success() {
    let site = Site::new();
    site.start();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let (bin, conf) =
        (site.path("bin").display().to_string(), site.conf_file("client").display().to_string());
    let (tracker, storage) = (site.tracker.ip().to_string(), site.storage.ip().to_string());
    let folder = tempfile::tempdir().unwrap();
    let printed =
        python::run(&here.join("tools.py"), &[&bin, &conf, &tracker, &storage], folder.path()).unwrap();
    let expected = fs::read_to_string(here.join("tools.expected")).unwrap();
    // The original leaves the name of the group out of this list.
    let expected = expected.replace("group_name=, ip_addr", "group_name=group1, ip_addr");
    let (printed, expected) = (blocks(&printed), blocks(&expected));
    assert!(expected.len() > 80);
    for ((command, ours), (_, theirs)) in printed.iter().zip(&expected) {
        let failed = theirs.contains(" fail, error no: ") || FAIL_SILENTLY.contains(command);
        // Where the original ends with 0 all the same, ours end with 1.
        let theirs = match theirs.strip_suffix("[0]") {
            Some(text) if failed => format!("{text}[1]"),
            _ => (*theirs).to_owned(),
        };
        assert_eq!(ours.trim_end(), theirs.trim_end(), "{command}");
    }
    assert_eq!(printed.len(), expected.len());
    site.stop();
    site.check_logs(&[]);
}

#[test]
fn daemons_start_tell_their_status_restart_and_stop() {
    let site = Site::new();
    for role in ["tracker", "storage"] {
        let program = program(role);
        assert_eq!(site.daemon(role, &["status"]), (2, "NOT running\n".to_owned(), String::new()));
        assert_eq!(site.daemon(role, &["stop"]).0, 2);
        // Without a word it starts.
        let (code, out, err) = site.daemon(role, &[]);
        assert_eq!((code, out.as_str()), (0, ""), "{err}");
        let pid = fs::read_to_string(site.pid_file(role)).unwrap();
        assert_eq!(err, format!("{program}, pid {pid}: started\n"));
        // It serves by then.
        let port = if role == "tracker" { TRACKER_PORT } else { STORAGE_PORT };
        let place = if role == "tracker" { &site.tracker } else { &site.storage };
        assert!(probe::answers(place.port(port)));
        assert_eq!(site.daemon(role, &["status"]), (0, format!("Running, pid: {pid}\n"), String::new()));
        let (code, _, err) = site.daemon(role, &["start"]);
        assert_eq!((code, err), (17, format!("process {program} already running, pid: {pid}\n")));
        assert_eq!(site.daemon(role, &["restart"]).0, 0);
        let again = fs::read_to_string(site.pid_file(role)).unwrap();
        assert_ne!(again, pid);
        assert_eq!(site.daemon(role, &["dance"]).0, 22);
        let (code, out, _) = site.run(&program, &["-V"]);
        assert_eq!(code, 0);
        assert!(out.starts_with(&format!("\n{program} V6.16.1")), "{out}");
        assert_eq!(site.run(&program, &[]).0, 1);
        assert_eq!(site.run(&program, &["/nowhere/server.conf", "start"]).0, 2);
    }
    let tracker = site.tracker.port(TRACKER_PORT);
    wait::until("a storage to offer", wait::READY, || probe::offers_storage(tracker).then_some(())).unwrap();
    site.stop();
    site.check_logs(&[]);
}

#[test]
fn a_wrong_value_stops_the_start_with_file_line_key_and_reason() {
    let site = Site::new();
    for (role, line, key) in [
        ("tracker", "store_lookup = 7", "store_lookup"),
        ("tracker", "max_connections = many", "max_connections"),
        ("tracker", "reserved_storage_space = 20 parrots", "reserved_storage_space"),
        ("storage", "subdir_count_per_path = 257", "subdir_count_per_path"),
        ("storage", "heart_beat_interval = soon", "heart_beat_interval"),
        ("storage", "durability = perhaps", "durability"),
        ("storage", "journal_size = 1", "journal_size"),
    ] {
        let good = fs::read_to_string(site.conf_file(role)).unwrap();
        let without: Vec<&str> = good.lines().filter(|old| !old.starts_with(key)).collect();
        fs::write(site.conf_file(role), format!("# a comment\n\n{line}\n{}\n", without.join("\n"))).unwrap();
        let (code, out, err) = site.daemon(role, &["start"]);
        assert_eq!((code, out.as_str()), (1, ""), "{line}: {err}");
        let place = format!("{}:3: {key}: ", site.conf_file(role).display());
        let reason = err.split_once(&place).unwrap_or_else(|| panic!("no {place} in {err}")).1;
        assert!(reason.trim().len() > 10, "{err}");
        assert_eq!(site.daemon(role, &["status"]).0, 2, "{line}");
        fs::write(site.conf_file(role), good).unwrap();
    }
}

#[test]
fn an_unknown_key_is_a_warning_that_names_file_and_line() {
    let site = Site::new();
    for role in ["tracker", "storage"] {
        site.add_line(role, "colour_of_the_parrot = green");
    }
    site.start();
    for role in ["tracker", "storage"] {
        let place = format!("{}:1: ", site.conf_file(role).display());
        let log = site.log(role);
        let warnings = logs::unexpected(&log, &[]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(&place) && warnings[0].contains("colour_of_the_parrot"), "{warnings:?}");
    }
    site.stop();
}

#[test]
fn a_taken_port_is_answered_with_who_has_it() {
    let site = Site::new();
    for (role, address) in
        [("tracker", site.tracker.port(TRACKER_PORT)), ("storage", site.storage.port(STORAGE_PORT))]
    {
        let _taken = TcpListener::bind(address).unwrap();
        let (code, out, err) = site.daemon(role, &["start"]);
        assert_eq!((code, out.as_str()), (1, ""), "{err}");
        let reason = format!("cannot listen on {address}: it is taken by ");
        assert!(err.contains(&reason) && err.contains(&format!("pid {}", std::process::id())), "{err}");
        assert_eq!(site.daemon(role, &["status"]).0, 2);
        assert!(!site.pid_file(role).exists());
        let log = site.log(role);
        assert!(log.contains(" ERROR - the server gives up") && log.contains(&reason), "{log}");
    }
}
