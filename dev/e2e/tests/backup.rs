//! `cairn backup` and `cairn restore`: a drive that is there again, on either database.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use e2e::curl::curl;
use serde_json::{Value, json};
use testkit::binary;
use testkit::cluster::Cluster;
use testkit::drive::{ADMIN_PASSWORD, Drive};
use testkit::mariadb::MariaDb;

fn command(words: &[&Path], language: &str) -> Command {
    let mut command = Command::new(binary::cairn().unwrap());
    command.args(words).env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", language);
    command
}

fn cairn(words: &[&Path], language: &str) -> Output {
    command(words, language).output().unwrap()
}

fn succeeded(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// What a refusal says.
fn refused(output: &Output) -> String {
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn sign_in(drive: &Drive) -> String {
    let fields = json!({"user_name": "admin", "password": ADMIN_PASSWORD, "hand": "token"}).to_string();
    let url = format!("http://{}/api/v1/session", drive.address());
    let (answer, _) = curl(&["--header", "content-type: application/json", "--data", &fields, &url]).unwrap();
    let answer: Value = serde_json::from_slice(&answer.content).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

fn get(drive: &Drive, token: &str, path: &str) -> Vec<u8> {
    let authorization = format!("authorization: Bearer {token}");
    let url = format!("http://{}/api/v1{path}", drive.address());
    let (answer, _) = curl(&["--header", &authorization, &url]).unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.content));
    answer.content
}

/// Puts a file into the drive; its id.
fn put(drive: &Drive, token: &str, name: &str, file: &Path) -> String {
    let url = format!("http://{}/api/v1/nodes/root/files/{name}", drive.address());
    let authorization = format!("authorization: Bearer {token}");
    let (answer, _) =
        curl(&["--header", &authorization, "--upload-file", file.to_str().unwrap(), &url]).unwrap();
    assert_eq!(answer.status, 201);
    let made: Value = serde_json::from_slice(&answer.content).unwrap();
    made["id"].as_str().unwrap().to_owned()
}

/// A configuration as [`Drive`] writes them, before there is a drive.
fn configure(folder: &Path, name: &str, lines: &str) -> std::path::PathBuf {
    let conf = folder.join(format!("{name}.conf"));
    let (base, secret) = (folder.join(name), folder.join("secret"));
    let text = format!("base_path = {}\nsecret_file = {}\n{lines}", base.display(), secret.display());
    fs::write(&conf, text).unwrap();
    conf
}

#[test]
fn a_drive_is_backed_up_while_it_runs_and_is_there_again_on_either_database() {
    let (cluster, server) = (Cluster::start().unwrap(), MariaDb::start().unwrap());
    let place = tempfile::tempdir().unwrap();
    let [before, after] = ["before", "after"].map(|name| place.path().join(name));
    fs::create_dir(&before).unwrap();
    fs::create_dir(&after).unwrap();
    let tracker = format!("tracker_server = {}\n", cluster.tracker());
    let drive = Drive::start(&before, "drive", &tracker).unwrap();
    let token = sign_in(&drive);
    let file = place.path().join("a.bin");
    let content: Vec<u8> = (0..500_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(&file, &content).unwrap();
    let node = put(&drive, &token, "a.bin", &file);

    let backup = place.path().join("backup");
    let conf = before.join("drive.conf");
    let said = succeeded(&cairn(&[Path::new("backup"), &conf, &backup], "en_US.UTF-8"));
    assert!(said.starts_with("1 accounts, 2 files and folders, 1 contents: "), "{said}");
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o700);
    let mut names: Vec<_> = fs::read_dir(&backup)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["blobs.tsv", "drive.db", "manifest.json", "secret"]);
    for name in &names {
        assert_eq!(fs::metadata(backup.join(name)).unwrap().permissions().mode() & 0o077, 0, "{name}");
    }
    let blobs = fs::read_to_string(backup.join("blobs.tsv")).unwrap();
    assert!(blobs.lines().count() == 1 && blobs.contains("\t500000\t"), "{blobs}");
    // The drive goes on, and what comes later is not in the backup.
    let later = put(&drive, &token, "later.bin", &file);
    assert_eq!(get(&drive, &token, &format!("/nodes/{later}/content")), content);

    let lines = format!("{tracker}[database]\nurl = {}\n", server.url(&server.database().unwrap()));
    let conf = configure(&after, "on-mariadb", &lines);
    let said = succeeded(&cairn(&[Path::new("restore"), &conf, &backup], "zh_CN.UTF-8"));
    assert!(said.contains("1 个账号、2 个文件和文件夹、1 份内容，核对无误"), "{said}");
    assert_eq!(fs::read_to_string(after.join("secret")).unwrap().trim(), "07".repeat(32));
    let restored = Drive::start(&after, "on-mariadb", &lines).unwrap();
    // Sessions are rows, too.
    assert_eq!(get(&restored, &token, &format!("/nodes/{node}/content")), content);
    let children: Value = serde_json::from_slice(&get(&restored, &token, "/nodes/root/children")).unwrap();
    assert_eq!(children["rows"].as_array().unwrap().len(), 1, "{children}");
    let again = cairn(&[Path::new("restore"), &conf, &backup], "en_US.UTF-8");
    assert!(refused(&again).contains("the drive has 1 accounts: restore into a new one"));
    assert_eq!(get(&restored, &sign_in(&restored), &format!("/nodes/{node}/content")), content);

    // And from there to SQLite.
    let back = place.path().join("back");
    succeeded(&cairn(&[Path::new("backup"), &conf, &back], "en_US.UTF-8"));
    let conf = configure(&after, "on-sqlite", &tracker);
    succeeded(&cairn(&[Path::new("restore"), &conf, &back], "en_US.UTF-8"));
    let restored = Drive::start(&after, "on-sqlite", &tracker).unwrap();
    assert_eq!(get(&restored, &token, &format!("/nodes/{node}/content")), content);
}

#[test]
fn a_secret_that_is_no_file_is_in_the_backup_and_is_compared_when_it_is_restored() {
    let cluster = Cluster::start().unwrap();
    let place = tempfile::tempdir().unwrap();
    let tracker = format!("tracker_server = {}\n", cluster.tracker());
    drop(Drive::start(place.path(), "drive", &tracker).unwrap());
    fs::remove_file(place.path().join("secret")).unwrap();
    let (conf, backup) = (place.path().join("drive.conf"), place.path().join("backup"));
    let make = || command(&[Path::new("backup"), &conf, &backup], "en_US.UTF-8");
    let run = |mut command: Command, secret: &str| command.env("CAIRN_SECRET", secret).output().unwrap();
    // A shell without the drive's variables.
    assert!(refused(&run(make(), "")).contains("is neither in"));
    assert!(!backup.exists());
    // A shell that took a part of it for its own.
    assert!(refused(&run(make(), &"07".repeat(31))).contains("not 64 hexadecimal digits"));
    assert!(!backup.exists());
    succeeded(&run(make(), &"07".repeat(32)));
    assert_eq!(fs::read_to_string(backup.join("secret")).unwrap(), "07".repeat(32));

    let new = configure(place.path(), "new", &tracker);
    let restore = || command(&[Path::new("restore"), &new, &backup], "en_US.UTF-8");
    let other = refused(&run(restore(), &"08".repeat(32)));
    assert!(other.contains("is not the secret that the backup was made with"), "{other}");
    succeeded(&run(restore(), &"07".repeat(32)));
    assert!(!place.path().join("secret").exists());
}

#[test]
fn a_backup_that_is_damaged_or_of_another_installation_is_refused_and_nothing_is_begun() {
    let cluster = Cluster::start().unwrap();
    let place = tempfile::tempdir().unwrap();
    let tracker = format!("tracker_server = {}\n", cluster.tracker());
    let drive = Drive::start(place.path(), "drive", &tracker).unwrap();
    let conf = place.path().join("drive.conf");
    let backup = place.path().join("backup");
    succeeded(&cairn(&[Path::new("backup"), &conf, &backup], "en_US.UTF-8"));
    let again = cairn(&[Path::new("backup"), &conf, &backup], "en_US.UTF-8");
    assert!(refused(&again).contains("is there already: name a new folder"));
    // A disk that is not mounted: nothing goes anywhere else.
    let unmounted = place.path().join("disk");
    let missing = cairn(&[Path::new("backup"), &conf, &unmounted.join("backup")], "en_US.UTF-8");
    let words = format!("{} is no folder that is there: mount or make it first", unmounted.display());
    assert!(refused(&missing).contains(&words));
    assert!(!unmounted.exists());
    drop(drive);

    let new = configure(place.path(), "new", &tracker);
    let restore = || refused(&cairn(&[Path::new("restore"), &new, &backup], "en_US.UTF-8"));
    fs::rename(place.path().join("secret"), place.path().join("secret.away")).unwrap();
    fs::write(place.path().join("secret"), "08".repeat(32)).unwrap();
    assert!(restore().contains("is not the secret that the backup was made with"));
    fs::remove_file(place.path().join("secret")).unwrap();
    let database = backup.join("drive.db");
    let whole = fs::read(&database).unwrap();
    let mut damaged = whole.clone();
    damaged[5_000] ^= 1;
    fs::write(&database, damaged).unwrap();
    assert!(restore().contains("drive.db is damaged"));
    fs::write(&database, whole).unwrap();
    let manifest = fs::read_to_string(backup.join("manifest.json")).unwrap();
    fs::write(backup.join("manifest.json"), manifest.replace("\"format\": 1", "\"format\": 2")).unwrap();
    assert!(restore().contains("a backup of form 2"));
    fs::write(backup.join("manifest.json"), &manifest[..40]).unwrap();
    assert!(restore().contains("is no manifest"));
    fs::remove_file(backup.join("manifest.json")).unwrap();
    assert!(restore().contains("is this a backup?"));
    assert!(!place.path().join("new/data/drive.db").exists());
    // Not a drive: nothing is left of an attempt.
    let nowhere = configure(place.path(), "nowhere", &tracker);
    let other = place.path().join("other");
    refused(&cairn(&[Path::new("backup"), &nowhere, &other], "en_US.UTF-8"));
    assert!(!other.exists() && !place.path().join("other.part").exists());
}
