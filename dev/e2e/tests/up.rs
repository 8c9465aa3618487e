//! `cairn up`, as somebody who tries it for the first time meets it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use e2e::curl::curl;
use e2e::http::ask;
use e2e::tree;
use rustix::process::Signal;
use tempfile::TempDir;
use testkit::address::Loopback;
use testkit::open_metrics::Exposition;
use testkit::process::Server;
use testkit::{binary, logs, wait};

/// From the start of the process until it says what to type. Without optimisation, and on a machine that runs other
/// tests, it may take a little longer than the two seconds we promise.
const READY_WITHIN: Duration = Duration::from_secs(if cfg!(debug_assertions) { 5 } else { 2 });

/// A folder and an address; `up` keeps its data in a folder whose name has to be quoted.
struct Place {
    folder: TempDir,
    address: Loopback,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap(), address: Loopback::claim().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts it, waits until it says that it is up; how long that took.
    fn up(&self) -> (Server, Duration) {
        let printed = self.path("printed");
        let _ = fs::remove_file(&printed);
        let (data, ip) = (self.path("my data").display().to_string(), self.address.ip().to_string());
        let words = ["up", "--data", &data, "--listen", &ip];
        let begin = Instant::now();
        let mut server = Server::start("up", binary::cairn().unwrap(), words, &printed).unwrap();
        wait::until("up", wait::READY, || {
            assert!(server.is_running(), "{}", server.output());
            server.output().contains("Ctrl-C").then_some(())
        })
        .unwrap();
        let took = begin.elapsed();
        (server, took)
    }

    /// Types a line into a shell.
    fn typed(&self, line: &str) -> String {
        let Output { status, stdout, stderr } = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.folder.path())
            .env_remove("LANG")
            .env_remove("LC_ALL")
            .env_remove("LC_MESSAGES")
            .output()
            .unwrap();
        assert!(status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }
}

/// The lines of commands in what was printed: they are indented and have a word on what they do.
fn commands(printed: &str) -> Vec<String> {
    let is_command = |line: &&str| line.starts_with("  ") && line.contains(" # ");
    printed.lines().filter(is_command).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn it_is_ready_at_once_and_what_it_prints_can_be_typed() {
    let place = Place::new();
    let (mut server, took) = place.up();
    assert!(took < READY_WITHIN, "{took:?}");
    let printed = server.output();
    assert!(printed.contains(&place.path("my data").display().to_string()), "{printed}");
    assert!(printed.contains(&format!("{}:22122", place.address.ip())), "{printed}");
    assert!(printed.contains(&format!("{}:23000  group1", place.address.ip())), "{printed}");

    // How it is, in numbers and in words.
    let status = place.address.port(9122);
    assert!(printed.contains(&format!("http://{status}/metrics")), "{printed}");
    let told = ask(status, "GET", "/metrics", &[]).unwrap();
    let told = Exposition::parse(&String::from_utf8(told.content).unwrap()).unwrap();
    for role in ["tracker", "storage", "gateway", "drive"] {
        assert!(told.value("cairn_ready", &[("role", role)]).is_some(), "{role}");
    }
    wait::until("it is ready", wait::READY, || {
        (ask(status, "GET", "/readyz", &[]).unwrap().status == 200).then_some(())
    })
    .unwrap();

    // The drive, with the password that is shown once.
    // Both lead to the page: a browser finds nothing at the root of the API.
    let page = format!("http://{}:8080", place.address.ip());
    assert!(printed.contains(&format!("  drive    {page}\n")), "{printed}");
    assert!(printed.contains(&format!("Sign in at {page} as admin with the password ")), "{printed}");
    let shown = place.path("my data/drive/data/first-password").display().to_string();
    assert!(printed.contains(&format!("delete '{shown}'.\n")), "{printed}");
    assert!(Path::new(&shown).exists());
    let password = printed.split_once("with the password ").unwrap().1.lines().next().unwrap();
    let fields = format!("{{\"user_name\":\"admin\",\"password\":\"{password}\",\"hand\":\"token\"}}");
    let api = format!("http://{}:8080/api/v1", place.address.ip());
    let url = format!("{api}/session");
    let json = "content-type: application/json";
    let (session, _) = curl(&["--header", json, "--data", &fields, &url]).unwrap();
    let session: serde_json::Value = serde_json::from_slice(&session.content).unwrap();
    let authorization = format!("authorization: Bearer {}", session["token"].as_str().unwrap());
    fs::write(place.path("in the drive.txt"), "hello drive\n").unwrap();
    let file = place.path("in the drive.txt").display().to_string();
    let url = format!("{api}/nodes/root/files/hello.txt");
    let (made, _) = curl(&["--header", &authorization, "--upload-file", &file, &url]).unwrap();
    let made: serde_json::Value = serde_json::from_slice(&made.content).unwrap();
    let content_url = format!("{api}/nodes/{}/content", made["id"].as_str().unwrap());

    // One file and one folder, in the place of the words in capitals.
    let folder = place.path("some folder");
    tree::real(&folder, 100).unwrap();
    fs::write(place.path("hello.txt"), "hello fastdfs\n").unwrap();
    let lines = commands(&printed);
    assert_eq!(lines.len(), 4, "{printed}");
    let line = |word: &str| lines.iter().find(|line| line.contains(word)).unwrap();
    let id = place.typed(&line("fdfs_upload_file").replace("FILE", "hello.txt"));
    assert!(id.starts_with("group1/M00/") && id.ends_with(".txt\n"), "{id}");
    let manifest_id = place.typed(&line(" put ").replace("FOLDER", "'some folder'"));
    assert!(manifest_id.trim_end().ends_with(".cairn"), "{manifest_id}");
    // It comes back beside the first one, which has to make room.
    fs::rename(&folder, place.path("original")).unwrap();
    place.typed(&line(" get ").replace("FOLDER.cairn BACK", "'some folder.cairn' 'some folder'"));
    tree::same(&place.path("original"), &folder).unwrap();
    assert!(place.typed(line(" monitor ")).contains("ACTIVE"));

    // Ctrl-C, and up again: everything is there.
    server.signal(Signal::INT).unwrap();
    assert!(server.wait().unwrap().success(), "{}", server.output());
    let (mut server, took) = place.up();
    assert!(took < READY_WITHIN, "{took:?}");
    // It may have been changed meanwhile.
    assert!(!server.output().contains("password"), "{}", server.output());
    let conf = "'my data/client.conf'";
    let cairn = binary::cairn().unwrap().display();
    place.typed(&format!("{cairn} fdfs_download_file {conf} {} back.txt", id.trim_end()));
    assert_eq!(fs::read_to_string(place.path("back.txt")).unwrap(), "hello fastdfs\n");
    place.typed(&format!("{cairn} get -c {conf} {} again", manifest_id.trim_end()));
    let (content, _) = curl(&["--header", &authorization, &content_url]).unwrap();
    assert_eq!((content.status, &content.content[..]), (200, &b"hello drive\n"[..]));
    tree::same(&place.path("original"), &place.path("again")).unwrap();
    assert!(server.terminate().unwrap().success());
    place.typed(&format!("{cairn} fsck 'my data'"));
    logs::check_folder(&place.path("my data"), &[]).unwrap();
}

#[test]
fn a_killed_up_comes_back_with_everything_that_was_acknowledged() {
    let place = Place::new();
    let (mut server, _) = place.up();
    fs::write(place.path("hello.txt"), "hello fastdfs\n").unwrap();
    let upload = commands(&server.output())[0].replace("FILE", "hello.txt");
    let ids: Vec<String> = (0..20).map(|_| place.typed(&upload).trim_end().to_owned()).collect();
    server.kill().unwrap();
    let (mut server, took) = place.up();
    assert!(took < READY_WITHIN, "{took:?}");
    let cairn = binary::cairn().unwrap().display();
    for id in &ids {
        place.typed(&format!("{cairn} fdfs_download_file 'my data/client.conf' {id} back.txt"));
        assert_eq!(fs::read_to_string(place.path("back.txt")).unwrap(), "hello fastdfs\n");
    }
    assert!(server.terminate().unwrap().success());
    assert!(Path::new(&place.path("my data")).join("client.conf").is_file());
    place.typed(&format!("{cairn} fsck 'my data'"));
    logs::check_folder(&place.path("my data"), &["cut off an incomplete line"]).unwrap();
}
