//! `cairn drive`: a drive of one process on a cluster, as its operator meets it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::curl::curl;
use serde_json::{Value, json};
use testkit::address::Loopback;
use testkit::cluster::Cluster;
use testkit::drive::{ADMIN_PASSWORD, Drive};
use testkit::mariadb::MariaDb;
use testkit::nats::Nats;
use testkit::nginx::Nginx;
use testkit::process::Server;
use testkit::redis::Redis;
use testkit::seaweed::{self, Seaweed};
use testkit::{binary, logs};

/// Signs in as the administrator; none when that is not the password.
fn sign_in(drive: &Drive, password: &str) -> Option<String> {
    let fields = json!({"user_name": "admin", "password": password, "hand": "token"}).to_string();
    let url = format!("http://{}/api/v1/session", drive.address());
    let (answer, _) = curl(&["--header", "content-type: application/json", "--data", &fields, &url]).unwrap();
    let answer: Value = serde_json::from_slice(&answer.content).unwrap();
    answer["token"].as_str().map(str::to_owned)
}

/// Sends a file, and fetches it; its id.
fn put(drive: &Drive, token: &str, file: &Path) -> String {
    let url = format!("http://{}/api/v1/nodes/root/files/a.bin", drive.address());
    let authorization = format!("authorization: Bearer {token}");
    let file = file.to_str().unwrap();
    let (answer, _) = curl(&["--header", &authorization, "--upload-file", file, &url]).unwrap();
    let made: Value = serde_json::from_slice(&answer.content).unwrap();
    assert_eq!(answer.status, 201, "{made}");
    made["id"].as_str().unwrap().to_owned()
}

fn get(drive: &Drive, token: &str, path: &str) -> Vec<u8> {
    let authorization = format!("authorization: Bearer {token}");
    let url = format!("http://{}/api/v1{path}", drive.address());
    let (answer, _) = curl(&["--header", &authorization, &url]).unwrap();
    assert_eq!(answer.status, 200);
    answer.content
}

fn tracker(cluster: &Cluster) -> String {
    format!("tracker_server = {}\n", cluster.tracker())
}

#[test]
fn the_first_start_makes_an_administrator_and_what_was_sent_survives_a_kill() {
    let cluster = Cluster::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut drive = Drive::start(folder.path(), "drive", &tracker(&cluster)).unwrap();
    assert_eq!(sign_in(&drive, "another password"), None);
    let token = sign_in(&drive, ADMIN_PASSWORD).unwrap();
    let file = folder.path().join("a.bin");
    let content: Vec<u8> = (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(&file, &content).unwrap();
    let node = put(&drive, &token, &file);
    drive.kill().unwrap();
    drive.start_again().unwrap();
    // The session is a row, not a thing of the process.
    assert!(get(&drive, &token, &format!("/nodes/{node}/content")) == content);
    drive.stop().unwrap();
    // Neither the password nor a token is in what it said.
    for text in [ADMIN_PASSWORD, &token] {
        assert!(!drive.printed().contains(text));
    }
    logs::check_folder(&drive.base_path, &[]).unwrap();
}

#[test]
fn a_password_that_was_made_up_is_in_a_file_that_only_its_operator_reads() {
    let cluster = Cluster::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut drive = Drive::start_first(folder.path(), "drive", &tracker(&cluster)).unwrap();
    let file = drive.base_path.join("data/first-password");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Nor does anybody else read what has hashes of passwords in it.
    for name in ["drive.db", "drive.db-wal", "queue.redb"] {
        let metadata = fs::metadata(drive.base_path.join("data").join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let password = fs::read_to_string(&file).unwrap().trim_end().to_owned();
    assert!(sign_in(&drive, &password).is_some());
    assert!(!drive.printed().contains(&password));
    // Another start makes no other.
    drive.stop().unwrap();
    fs::remove_file(&file).unwrap();
    drive.start_again().unwrap();
    assert!(!file.exists());
    assert!(sign_in(&drive, &password).is_some());
}

/// What any part of a URL would take for something else.
const AWKWARD: &str = "p@ss:w/ö rd#%41?";

#[test]
fn passwords_of_the_parts_come_from_files_or_from_the_environment() {
    let (cluster, server) = (Cluster::start().unwrap(), MariaDb::start().unwrap());
    let redis = Redis::with(&["--requirepass", AWKWARD]).unwrap();
    let database = server.database().unwrap();
    let grant = format!("CREATE USER drive IDENTIFIED BY '{AWKWARD}'; GRANT ALL ON {database}.* TO drive");
    server.sql(&grant).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("database-password");
    fs::write(&file, format!("{AWKWARD}\n")).unwrap();
    let url = format!("mysql://drive@{}/{database}?ssl-mode=disabled", server.address());
    let cache = format!("[cache]\nredis_server = {}\n", redis.address());
    let first = tracker(&cluster);
    let in_file = format!("{first}[database]\nurl = {url}\npassword_file = {}\n{cache}", file.display());
    let neither = format!("{first}[database]\nurl = {url}\n{cache}");
    let admin = format!("CAIRN_ADMIN_PASSWORD={ADMIN_PASSWORD}");
    let of_cache = format!("CAIRN_CACHE_REDIS_PASSWORD={AWKWARD}");
    let of_database = format!("CAIRN_DATABASE_PASSWORD={AWKWARD}");
    let mut one = Drive::start_with(folder.path(), "one", &in_file, &[&admin, &of_cache]).unwrap();
    assert!(sign_in(&one, ADMIN_PASSWORD).is_some());
    assert!(!one.base_path.join("data/first-password").exists());
    let mut other = Drive::start_with(folder.path(), "other", &neither, &[&of_database, &of_cache]).unwrap();
    assert!(sign_in(&other, ADMIN_PASSWORD).is_some());
    for drive in [&mut one, &mut other] {
        drive.stop().unwrap();
        assert!(!drive.printed().contains(AWKWARD));
    }
    let refused = Drive::start_with(folder.path(), "refused", &neither, &[]).unwrap_err();
    assert!(format!("{refused:#}").contains("open the database"), "{refused:#}");
}

#[test]
fn drives_that_may_share_a_database_make_no_secret_each() {
    let (cluster, server) = (Cluster::start().unwrap(), MariaDb::start().unwrap());
    let (folder, address) = (tempfile::tempdir().unwrap(), Loopback::claim().unwrap());
    let (conf, base, printed) =
        (folder.path().join("drive.conf"), folder.path().join("base"), folder.path().join("printed"));
    let url = server.url(&server.database().unwrap());
    let keys = format!("bind_addr = {}\nport = 18080\nbase_path = {}\n", address.ip(), base.display());
    fs::write(&conf, format!("{keys}{}[database]\nurl = {url}\n", tracker(&cluster))).unwrap();
    let start = || {
        let words = ["drive".as_ref(), conf.as_os_str(), "--no-daemon".as_ref()];
        Server::start("drive", binary::cairn().unwrap(), words, &printed).unwrap()
    };
    let mut refused = start();
    assert!(!refused.wait().unwrap().success());
    let (told, secret) = (refused.output(), base.join("data/secret"));
    for words in [&secret.display().to_string(), "secret_file", "CAIRN_SECRET", "openssl rand -hex 32"] {
        assert!(told.contains(words), "{told}");
    }
    assert!(!secret.exists());
    // Nor is there an account yet, whose password would be here.
    assert!(!base.join("data/first-password").exists());
    fs::write(&secret, "07".repeat(32)).unwrap();
    let mut drive = start();
    drive.until_ready(|| TcpStream::connect(address.port(18080)).is_ok()).unwrap();
    assert!(drive.terminate().unwrap().success());
}

#[test]
fn a_process_serves_fastcgi_to_the_nginx_of_its_machine() {
    let cluster = Cluster::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let lines = format!("FASTCGI\n{}", tracker(&cluster));
    let drive = Drive::start(folder.path(), "drive", &lines).unwrap();
    let conf = include_str!("../../../deploy/nginx/drive-fastcgi.conf");
    let conf = conf.replace("192.0.2.31:9000", &drive.fastcgi().to_string());
    let conf: String =
        conf.lines().filter(|line| !line.contains("192.0.2.32")).map(|line| format!("{line}\n")).collect();
    let nginx = Nginx::start(&conf).unwrap();
    let token = sign_in(&drive, ADMIN_PASSWORD).unwrap();
    let authorization = format!("authorization: Bearer {token}");
    let url = format!("http://{}/api/v1/me", nginx.address());
    let (answer, _) = curl(&["--header", &authorization, &url]).unwrap();
    let me: Value = serde_json::from_slice(&answer.content).unwrap();
    assert_eq!((answer.status, &me["user_name"]), (200, &json!("admin")));
}

#[test]
fn a_session_that_ends_at_one_process_has_ended_at_the_other_within_a_second() {
    let (cluster, server) = (Cluster::start().unwrap(), MariaDb::start().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let url = server.url(&server.database().unwrap());
    // Each with a cache of its own: nothing is told from one to the other.
    let lines = format!("{}[database]\nurl = {url}\n", tracker(&cluster));
    let one = Drive::start(folder.path(), "one", &lines).unwrap();
    let other = Drive::start(folder.path(), "other", &lines).unwrap();
    let token = sign_in(&one, ADMIN_PASSWORD).unwrap();
    let authorization = format!("authorization: Bearer {token}");
    let ask = |drive: &Drive, words: &[&str], path: &str| {
        let url = format!("http://{}/api/v1{path}", drive.address());
        curl(&[&["--header", &authorization, &url], words].concat()).unwrap().0.status
    };
    // Known to both caches, and asked for all the time.
    assert_eq!((ask(&one, &[], "/me"), ask(&other, &[], "/me")), (200, 200));
    assert_eq!(ask(&one, &["--request", "DELETE"], "/session"), 204);
    let ended = Instant::now();
    assert_eq!(ask(&one, &[], "/me"), 401);
    while ask(&other, &[], "/me") == 200 {
        // A verdict counts for a second; what begins after that is refused.
        assert!(ended.elapsed() < Duration::from_millis(1500), "{:?}", ended.elapsed());
    }
}

#[test]
fn the_bytes_may_be_in_s3_and_the_queue_in_nats() {
    let (s3, nats) = (Seaweed::start("files").unwrap(), Nats::start().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("s3-key");
    fs::write(&key, format!("{}\n", seaweed::SECRET_ACCESS_KEY)).unwrap();
    let lines = format!(
        "[queue]\nkind = nats\nnats_server = {}\n\
         [s3]\nendpoint = http://{}\nbucket = files\nprefix = drive/\naccess_key_id = {}\n\
         secret_access_key_file = {}\n",
        nats.address(),
        s3.address(),
        seaweed::ACCESS_KEY_ID,
        key.display(),
    );
    let mut drive = Drive::start(folder.path(), "drive", &lines).unwrap();
    let token = sign_in(&drive, ADMIN_PASSWORD).unwrap();
    let file = folder.path().join("a.bin");
    let content = e2e::files::noise(9 << 20);
    fs::write(&file, &content).unwrap();
    let node = put(&drive, &token, &file);
    assert!(get(&drive, &token, &format!("/nodes/{node}/content")) == content);
    drive.stop().unwrap();
}

#[test]
fn a_configuration_that_can_not_be_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    for (lines, expected) in [
        ("base_path = B\n", "tracker_server: is missing"),
        ("base_path = B\ntracker_server = 127.0.0.1\n[queue]\nkind = kafka\n", "drive.conf:4: kind: must be"),
        (
            "base_path = B\ntracker_server = 127.0.0.1\nport = 18080\n[database]\nurl = mysql://x@127.0.0.1:9/y\n",
            "open the database",
        ),
    ] {
        let conf = folder.path().join("drive.conf");
        let base = folder.path().join("base").display().to_string();
        fs::write(&conf, lines.replace('B', &base)).unwrap();
        let words = ["drive".as_ref(), conf.as_os_str(), "--no-daemon".as_ref()];
        let output = Command::new(binary::cairn().unwrap()).args(words).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(told.contains(expected), "{told}");
    }
}
