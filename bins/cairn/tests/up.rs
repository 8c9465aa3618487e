//! `cairn up`, and the commands that talk to it.

#![allow(clippy::unwrap_used, reason = "a test")]

mod place;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use place::{Place, told};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn what_was_stored_is_there_after_an_orderly_stop_and_a_new_start() {
    let place = Place::new();
    let file = place.folder.path().join("hello.txt");
    fs::write(&file, "hello fastdfs\n").unwrap();
    let mut server = place.up();
    let (code, out, err) = place.cairn(&["fdfs_upload_file", &place.conf(), "hello.txt"]);
    assert_eq!(code, 0, "{err}");
    let id = out.trim_end().to_owned();
    assert!(id.starts_with("group1/M00/00/00/") && id.ends_with(".txt"), "{id}");

    // Ctrl-C is the way to end it.
    server.signal(Signal::INT).unwrap();
    assert!(server.wait().unwrap().success(), "{}", server.output());
    let mut server = place.up();
    let (code, _, err) = place.cairn(&["fdfs_download_file", &place.conf(), &id, "back.txt"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(fs::read_to_string(place.folder.path().join("back.txt")).unwrap(), "hello fastdfs\n");
    assert!(server.terminate().unwrap().success());
    testkit::logs::check_folder(&place.data(), &[]).unwrap();
}

#[test]
fn a_second_up_in_the_same_folder_is_told_of_the_first() {
    let place = Place::new();
    let server = place.up();
    let ip = place.address.ip().to_string();
    let data = place.data().display().to_string();
    let (code, _, err) = place.cairn(&["up", "--data", &data, "--listen", &ip]);
    assert_eq!(code, 1);
    assert!(err.contains("already up") && err.contains(&format!("pid {}", server.pid())), "{err}");
}

#[test]
fn a_taken_port_is_answered_with_who_has_it_and_what_to_do() {
    let place = Place::new();
    let _taken = std::net::TcpListener::bind(place.address.port(22122)).unwrap();
    let ip = place.address.ip().to_string();
    let (code, _, err) = place.cairn(&["up", "--listen", &ip]);
    assert_eq!(code, 1);
    assert!(err.contains(&format!("{ip}:22122 is taken by ")), "{err}");
    assert!(err.contains(&format!("pid {}", std::process::id())), "{err}");
    assert!(err.contains("--tracker-port"), "{err}");
}

#[test]
fn an_address_that_is_none_is_refused_because_clients_are_told_it() {
    let place = Place::new();
    let (code, _, err) = place.cairn(&["up", "--listen", "0.0.0.0"]);
    assert_eq!(code, 1);
    assert!(err.contains("--listen needs the address that clients reach"), "{err}");
}

#[test]
fn a_half_of_a_running_up_cannot_be_started_on_its_own() {
    let place = Place::new();
    let server = place.up();
    let conf = place.data().join("conf/storage.conf").display().to_string();
    let (code, _, err) = place.cairn(&["storage", &conf, "start"]);
    assert_eq!(code, 17, "{err}");
    assert!(err.contains(&format!("pid: {}", server.pid())), "{err}");
}

#[test]
fn a_folder_goes_up_is_listed_comes_back_and_is_deleted() {
    let place = Place::new();
    let _server = place.up();
    let conf = place.conf();
    let tree = place.folder.path().join("tree");
    fs::create_dir_all(tree.join("sub/empty")).unwrap();
    fs::write(tree.join("a.txt"), "hello fastdfs\n").unwrap();
    fs::write(tree.join("sub/nothing"), "").unwrap();
    std::os::unix::fs::symlink("a.txt", tree.join("link")).unwrap();

    let (code, out, err) = place.cairn(&["put", "-c", &conf, "tree", "--json"]);
    assert_eq!(code, 0, "{err}");
    let report = json(&out);
    assert_eq!(report["complete"], true);
    assert_eq!((&report["files"], &report["sent"], &report["failures"]), (&2.into(), &2.into(), &0.into()));
    assert_eq!(report["manifest"], "tree.cairn");
    let id = report["manifest_id"].as_str().unwrap().to_owned();

    let (code, out, _) = place.cairn(&["put", "-c", &conf, "tree", "--json"]);
    assert_eq!((code, &json(&out)["sent"], &json(&out)["skipped"]), (0, &0.into(), &2.into()));

    let (code, out, err) = place.cairn(&["ls", "tree.cairn"]);
    assert_eq!(code, 0, "{err}");
    let names: Vec<&str> = out.lines().map(|line| line.split("  ").last().unwrap()).collect();
    for name in ["a.txt", "sub/", "sub/empty/", "sub/nothing", "link -> a.txt"] {
        assert!(names.contains(&name), "{name} in {out}");
    }

    // From the stored manifest: nothing local is needed.
    let (code, _, err) = place.cairn(&["get", "-c", &conf, &id, "back"]);
    assert_eq!(code, 0, "{err}");
    let same =
        Command::new("diff").arg("-r").arg(&tree).arg(place.folder.path().join("back")).output().unwrap();
    assert!(same.status.success(), "{same:?}");

    let (code, out, _) = place.cairn(&["stat", "-c", &conf, "tree.cairn", "a.txt", "--json"]);
    assert_eq!(code, 0);
    assert_eq!((&json(&out)["size"], &json(&out)["crc32"]), (&14.into(), &"0e10ba5d".into()));

    let (code, _, err) = place.cairn(&["rm", "-c", &conf, "tree.cairn"]);
    assert_eq!(code, 1);
    assert!(err.contains("say -r"), "{err}");
    let (code, out, err) = place.cairn(&["rm", "-r", "-c", &conf, "tree.cairn", "--json"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(json(&out)["deleted"], 2);
    assert_ne!(place.cairn(&["get", "-c", &conf, &id, "gone"]).0, 0);
}

#[test]
fn a_single_file_is_its_id_and_a_missing_one_is_a_failure() {
    let place = Place::new();
    let _server = place.up();
    let conf = place.conf();
    fs::write(place.folder.path().join("hello.txt"), "hello fastdfs\n").unwrap();
    let (code, out, err) = place.cairn(&["put", "-c", &conf, "hello.txt"]);
    assert_eq!(code, 0, "{err}");
    let id = out.trim_end();
    let (code, out, err) = place.cairn(&["get", "-c", &conf, id, "copy.txt"]);
    assert_eq!((code, out.as_str()), (0, "copy.txt\n"), "{err}");
    assert_eq!(place.cairn(&["rm", "-c", &conf, id]).0, 0);
    assert_eq!(place.cairn(&["rm", "-c", &conf, id]).0, 1);
    assert_eq!(place.cairn(&["get", "-c", &conf, id]).0, 1);
    let (code, _, err) = place.cairn(&["put", "-c", &conf, "no such file"]);
    assert_eq!(code, 1);
    assert!(err.contains("no such file"), "{err}");
}

#[test]
fn the_monitor_shows_the_storage_as_text_and_as_json() {
    let place = Place::new();
    let _server = place.up();
    let conf = place.conf();
    let (code, out, err) = place.cairn(&["monitor", "-c", &conf]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("group1  ") && out.contains("ACTIVE"), "{out}");
    let (code, out, _) = place.cairn(&["monitor", "-c", &conf, "group1", "--json"]);
    assert_eq!(code, 0);
    let storage = &json(&out)["groups"][0]["storages"][0];
    assert_eq!((&storage["id"], &storage["status"]), (&"100001".into(), &"ACTIVE".into()));
    let (code, _, err) = place.cairn(&["monitor", "-c", &conf, "group9"]);
    assert_eq!(code, 1);
    assert!(err.contains("no group group9: there is group1"), "{err}");
}

#[test]
fn a_check_finds_nothing_in_a_good_store_and_names_what_was_damaged() {
    let place = Place::new();
    let mut server = place.up();
    fs::write(place.folder.path().join("hello.txt"), "hello fastdfs\n").unwrap();
    let (code, out, err) = place.cairn(&["put", "-c", &place.conf(), "hello.txt"]);
    assert_eq!(code, 0, "{err}");
    let name = out.trim_end().strip_prefix("group1/").unwrap().to_owned();
    assert!(server.terminate().unwrap().success());

    let data = place.data().display().to_string();
    let (code, out, err) = place.cairn(&["fsck", &data]);
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    assert!(err.contains("1 files, 14  B, contents compared: nothing is wrong"), "{err}");

    // One byte, the length as before. So small a file is in a pack.
    let pack = place.data().join("storage/data/.cairn/packs/000000000001.pack");
    let whole = fs::read(&pack).unwrap();
    let mut bytes = whole.clone();
    let at = bytes.windows(5).position(|window| window == b"hello").unwrap();
    bytes[at + 4] = b'O';
    fs::write(&pack, &bytes).unwrap();
    let (code, out, _) = place.cairn(&["fsck", &data]);
    assert_eq!(code, 1);
    assert!(out.starts_with(&format!("DAMAGED  {}: ", pack.display())), "{out}");
    assert!(
        out.lines().next().unwrap().contains(&format!(" cannot be read, first of them {name}; ")),
        "{out}"
    );
    assert_eq!(place.cairn(&["fsck", "--quick", &data]).0, 0, "a look at names and sizes sees nothing");
    fs::write(&pack, &whole).unwrap();
    let (code, out, _) = place.cairn(&["fsck", "--json", &data]);
    let summary = json(&out);
    assert_eq!((code, &summary["normal"], &summary["packed"]), (0, &1.into(), &1.into()), "{out}");

    let log = place.data().join("storage/data/sync/binlog.000");
    let lines = fs::read_to_string(&log).unwrap();
    // Another file of the same content.
    let missing = name.replace(".txt", ".doc");
    fs::write(&log, format!("{lines}{} C {missing}\n", lines.split(' ').next().unwrap())).unwrap();
    let name = missing;
    let (code, out, _) = place.cairn(&["fsck", "--json", &data]);
    assert_eq!(code, 1);
    let lines: Vec<Value> = out.lines().map(json).collect();
    assert_eq!((&lines[0]["kind"], &lines[0]["severity"]), (&"finding".into(), &"damage".into()));
    assert!(
        lines[0]["text"].as_str().unwrap().starts_with(&format!("{name}: recorded and not there")),
        "{out}"
    );
    assert_eq!((&lines[1]["kind"], &lines[1]["damaged"]), (&"summary".into(), &1.into()));
    assert_eq!(place.cairn(&["fsck", "no such folder"]).0, 2);
}

#[test]
fn a_store_is_unpacked_when_its_storage_is_stopped_and_not_before() {
    let place = Place::new();
    let mut server = place.up();
    fs::write(place.folder.path().join("hello.txt"), "hello fastdfs\n").unwrap();
    let (code, out, err) = place.cairn(&["put", "-c", &place.conf(), "hello.txt"]);
    assert_eq!(code, 0, "{err}");
    let name = out.trim_end().strip_prefix("group1/M00/").unwrap().to_owned();
    let conf = place.data().join("conf/storage.conf").display().to_string();
    let (code, _, err) = place.cairn(&["unpack", &conf]);
    assert_eq!(code, 1);
    let root = place.data().join("storage");
    let expected = format!(
        "cairn: unpack the store, whose storage must be stopped: {}: another storage process is using this store path: stop it first\n",
        root.display()
    );
    assert_eq!(err, expected);
    assert!(server.terminate().unwrap().success());
    // All folders of the original are 65536, which takes a while.
    let text = fs::read_to_string(&conf).unwrap();
    let conf = place.data().join("unpack.conf").display().to_string();
    fs::write(&conf, format!("subdir_count_per_path = 2\n{text}")).unwrap();

    let file = root.join("data").join(name);
    assert!(!file.exists());
    let (code, out, err) = place.cairn(&["unpack", &conf]);
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    let said = "1 packed files, 14  B, are files of their own now: FastDFS can take the store over\n\
                new files will be packed again by cairn unless ";
    assert_eq!(err, format!("{said}{conf} says pack_max_size = 0\n"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "hello fastdfs\n");
    assert!(root.join("data/01/01").is_dir() && !root.join("data/02").exists());
    assert!(!root.join("data/.cairn/packs").exists());
    let (code, out, _) = place.cairn(&["unpack", "--json", &conf]);
    let expected: Value = serde_json::json!({ "files": 0, "bytes": 0, "packs_again": true });
    assert_eq!((code, json(&out)), (0, expected));
    let data = place.data().display().to_string();
    let (_, out, _) = place.cairn(&["fsck", "--json", &data]);
    let summary = json(&out);
    assert_eq!(
        (&summary["clean"], &summary["normal"], &summary["packed"]),
        (&true.into(), &1.into(), &0.into())
    );
}

/// Everything below, itself included.
fn everything_in(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    if path.symlink_metadata().unwrap().is_dir() {
        found.extend(fs::read_dir(path).unwrap().flat_map(|entry| everything_in(&entry.unwrap().path())));
    }
    found
}

/// The user `nobody`, on nearly every system.
const NOBODY: u32 = 65534;

/// A store with one packed file and a storage.conf with these lines, all of it nobody's; none where this is not root.
fn store_of_nobody(lines: &str) -> Option<(Place, PathBuf, String)> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root becomes somebody else");
        return None;
    }
    let place = Place::new();
    let mut server = place.up();
    fs::write(place.folder.path().join("hello.txt"), "hello fastdfs\n").unwrap();
    let (code, out, err) = place.cairn(&["put", "-c", &place.conf(), "hello.txt"]);
    assert_eq!(code, 0, "{err}");
    assert!(server.terminate().unwrap().success());
    let text = fs::read_to_string(place.data().join("conf/storage.conf")).unwrap();
    let conf = place.data().join("nobody.conf");
    fs::write(&conf, format!("subdir_count_per_path = 2\n{lines}{text}")).unwrap();
    fs::set_permissions(place.folder.path(), Permissions::from_mode(0o755)).unwrap();
    for path in everything_in(&place.data()) {
        std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    Some((place, conf, out.trim_end().strip_prefix("group1/M00/").unwrap().to_owned()))
}

/// A command typed by root, who keeps everything to himself.
fn typed_by_root(words: &[&str]) -> (i32, String, String) {
    let script = "umask 077; exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_cairn")])
        .args(words)
        .env("LC_ALL", "C")
        .output();
    told(&output.unwrap())
}

#[test]
fn what_root_unpacks_belongs_to_who_serves_the_store() {
    for lines in ["run_by_user = nobody\n", ""] {
        let Some((place, conf, name)) = store_of_nobody(lines) else { return };
        let (code, _, err) = typed_by_root(&["unpack", conf.to_str().unwrap()]);
        assert_eq!(code, 0, "{err}");
        let data = place.data().join("storage/data");
        assert_eq!(fs::read_to_string(data.join(&name)).unwrap(), "hello fastdfs\n");
        for path in everything_in(&place.data().join("storage")) {
            assert_eq!(fs::symlink_metadata(&path).unwrap().uid(), NOBODY, "{}", path.display());
        }
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(data.join(&name)), mode(data.join("01/01"))), (0o644, 0o755), "{lines}");
    }
}

#[test]
fn what_root_marks_as_damaged_can_be_read_by_who_serves_the_store() {
    for lines in ["run_by_user = nobody\n", ""] {
        let Some((place, conf, _)) = store_of_nobody(lines) else { return };
        let own = place.data().join("storage/data/.cairn");
        let pack = own.join("packs/000000000001.pack");
        let mut bytes = fs::read(&pack).unwrap();
        let at = bytes.windows(5).position(|window| window == b"hello").unwrap();
        bytes[at + 4] = b'O';
        fs::write(&pack, &bytes).unwrap();
        let (code, _, err) = typed_by_root(&["fsck", "--mark", conf.to_str().unwrap()]);
        assert_eq!(code, 1, "{err}");
        let marks = fs::metadata(own.join("damaged")).unwrap();
        assert_eq!((marks.uid(), marks.permissions().mode() & 0o777), (NOBODY, 0o644), "{lines}");
    }
}

#[test]
fn people_who_read_chinese_are_told_in_chinese() {
    let place = Place::new();
    let output = Command::new(env!("CARGO_BIN_EXE_cairn"))
        .args(["up", "--listen", "0.0.0.0"])
        .env("LC_ALL", "zh_CN.UTF-8")
        .current_dir(place.folder.path())
        .output()
        .unwrap();
    let (_, _, err) = told(&output);
    assert!(err.contains("--listen 需要客户端能访问到的地址"), "{err}");
}
