//! The classic tools against our servers: arguments, output, status. The texts are those the original's tools
//! print against the original's servers.

#![allow(clippy::unwrap_used, reason = "a test")]

mod place;

use std::fs;

use place::Place;
use testkit::process::Server;

const HELLO: &str = "hello fastdfs\n";
/// CRC-32 of it (wire protocol: worked examples).
const HELLO_CRC: &str = "235977309 (0x0e10ba5d)";

/// A cluster with the file `h.txt` beside it.
struct Bench {
    place: Place,
    _server: Server,
}

impl Bench {
    fn new() -> Self {
        let place = Place::new();
        fs::write(place.folder.path().join("h.txt"), HELLO).unwrap();
        fs::write(place.folder.path().join("empty"), "").unwrap();
        let server = place.up();
        Self { place, _server: server }
    }

    /// Runs a tool on the cluster; (status, standard output).
    #[track_caller]
    fn tool(&self, name: &str, args: &[&str]) -> (i32, String) {
        let (code, out, _) = self.all(name, args);
        (code, out)
    }

    /// The same with standard error.
    fn all(&self, name: &str, args: &[&str]) -> (i32, String, String) {
        let conf = self.place.conf();
        let mut words = vec![name, &conf];
        words.extend(args);
        self.place.cairn(&words)
    }

    /// A stat tool takes its configuration behind `-c`.
    fn stat(&self, name: &str, args: &[&str]) -> (i32, String) {
        let conf = self.place.conf();
        let mut words = vec![name, "-c", &conf];
        words.extend(args);
        let (code, out, _) = self.place.cairn(&words);
        (code, out)
    }

    #[track_caller]
    fn stored(&self, tool: &str) -> String {
        let (code, out) = self.tool(tool, &["h.txt"]);
        assert_eq!(code, 0);
        out.strip_suffix('\n').unwrap().to_owned()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.place.folder.path().join(name)).unwrap()
    }

    fn storage(&self) -> String {
        self.place.address.port(23000).to_string()
    }
}

/// `download file fail, error no: 2, error info: No such file or directory`
fn failed(what: &str, number: u8) -> String {
    let text = match number {
        2 => "No such file or directory",
        16 => "Device or resource busy",
        22 => "Invalid argument",
        95 => "Operation not supported",
        other => panic!("{other}"),
    };
    format!("{what} fail, error no: {number}, error info: {text}\n")
}

#[test]
fn an_upload_prints_the_id_with_the_two_dot_extension() {
    let bench = Bench::new();
    let id = bench.stored("fdfs_upload_file");
    let name = id.strip_prefix("group1/M00/00/00/").unwrap();
    assert_eq!((name.len(), &name[30..]), (34, ".txt"), "{id}");
    fs::write(bench.place.folder.path().join("x.tar.gz"), HELLO).unwrap();
    assert!(bench.tool("fdfs_upload_file", &["x.tar.gz"]).1.ends_with(".tar.gz\n"));
    assert_eq!(bench.tool("fdfs_upload_file", &["empty"]).0, 0);
}

#[test]
fn an_upload_goes_to_the_storage_and_path_that_are_named() {
    let bench = Bench::new();
    let storage = bench.storage();
    assert_eq!(bench.tool("fdfs_upload_file", &["h.txt", &storage]).0, 0);
    assert_eq!(bench.tool("fdfs_upload_file", &["h.txt", &storage, "0"]).0, 0);
    assert_eq!(bench.tool("fdfs_upload_file", &["h.txt", &storage, "-1"]).0, 0);
    let (code, _, err) = bench.all("fdfs_upload_file", &["h.txt", &storage, "7"]);
    assert_eq!(code, 22);
    assert!(err.starts_with(&failed("upload file", 22)), "{err}");
}

#[test]
fn an_upload_of_what_is_no_file_fails_with_the_systems_number() {
    let bench = Bench::new();
    for (path, number) in [("nofile", 2), ("data", 22)] {
        let (code, out, err) = bench.all("fdfs_upload_file", &[path]);
        assert_eq!((code, out.as_str()), (number.into(), ""));
        assert!(err.starts_with(&failed("upload file", number)), "{err}");
    }
}

#[test]
fn a_download_goes_to_the_name_given_or_the_last_part_of_the_id_and_may_be_a_part() {
    let bench = Bench::new();
    let id = bench.stored("fdfs_upload_file");
    assert_eq!(bench.tool("fdfs_download_file", &[&id, "x"]), (0, String::new()));
    assert_eq!(bench.text("x"), HELLO);
    assert_eq!(bench.tool("fdfs_download_file", &[&id]), (0, String::new()));
    assert_eq!(bench.text(id.rsplit('/').next().unwrap()), HELLO);
    assert_eq!(bench.tool("fdfs_download_file", &[&id, "x", "6", "4"]), (0, String::new()));
    assert_eq!(bench.text("x"), "fast");
    assert_eq!(bench.tool("fdfs_download_file", &[&id, "x", "6", "0"]).0, 0);
    assert_eq!(bench.text("x"), "fastdfs\n");
    // An offset alone is no part: the original takes both or none.
    assert_eq!(bench.tool("fdfs_download_file", &[&id, "x", "6"]).0, 0);
    assert_eq!(bench.text("x"), HELLO);
}

#[test]
fn t24_a_download_that_fails_ends_with_1_and_leaves_the_old_file() {
    let bench = Bench::new();
    let id = bench.stored("fdfs_upload_file");
    fs::write(bench.place.folder.path().join("x"), "old").unwrap();
    for (args, number) in [
        (&[id.as_str(), "x", "50", "3"][..], 22),
        (&["nonsense", "x"], 22),
        (&["group9/M00/00/00/oYYBAGMi4zGAYNoxABY-esN9nNw502.jpg", "x"], 2),
        (&[&id, "/no/such/folder/x"], 2),
    ] {
        assert_eq!(bench.tool("fdfs_download_file", args), (1, failed("download file", number)), "{args:?}");
    }
    assert_eq!(bench.text("x"), "old");
}

#[test]
fn an_empty_file_comes_back_empty() {
    let bench = Bench::new();
    let (_, out) = bench.tool("fdfs_upload_file", &["empty"]);
    assert_eq!(bench.tool("fdfs_download_file", &[out.trim_end(), "back"]), (0, String::new()));
    assert_eq!(bench.text("back"), "");
}

#[test]
fn a_deleted_file_is_gone_and_cannot_be_deleted_again() {
    let bench = Bench::new();
    let id = bench.stored("fdfs_upload_file");
    assert_eq!(bench.tool("fdfs_delete_file", &[&id]), (0, String::new()));
    assert_eq!(bench.tool("fdfs_delete_file", &[&id]), (2, failed("delete file", 2)));
    assert_eq!(bench.tool("fdfs_delete_file", &["nonsense"]), (22, failed("delete file", 22)));
    assert_eq!(bench.tool("fdfs_download_file", &[&id, "x"]), (1, failed("download file", 2)));
}

#[test]
fn the_info_of_a_file_comes_from_its_id_and_that_of_an_appender_from_the_storage() {
    let bench = Bench::new();
    let page = |from, kind| {
        format!(
            "GET FROM SERVER: {from}\n\nfile type: {kind}\nsource storage id: 100001\nsource ip address: {}\n\
             file create timestamp: ",
            bench.place.address.ip()
        )
    };
    let id = bench.stored("fdfs_upload_file");
    let (code, out) = bench.tool("fdfs_file_info", &[&id]);
    assert_eq!(code, 0);
    assert!(out.starts_with(&page("false", "normal")), "{out}");
    assert!(out.ends_with(&format!("\nfile size: 14\nfile crc32: {HELLO_CRC}\n\n")), "{out}");
    let id = bench.stored("fdfs_upload_appender");
    let (_, out) = bench.tool("fdfs_file_info", &[&id]);
    assert!(out.starts_with(&page("true", "appender")), "{out}");
    assert!(out.ends_with(&format!("\nfile size: 14\nfile crc32: {HELLO_CRC}\n\n")), "{out}");
    let (_, out) = bench.tool("fdfs_file_info", &["-n", &id]);
    assert!(out.ends_with("\nfile size: 14\n\n"), "{out}");
    let (code, out, err) = bench.all("fdfs_file_info", &["nonsense"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with(&failed("query file info", 22)), "{err}");
}

#[test]
fn an_appender_grows_and_becomes_a_normal_file_with_a_new_id() {
    let bench = Bench::new();
    let id = bench.stored("fdfs_upload_appender");
    assert_eq!(bench.tool("fdfs_append_file", &[&id, "h.txt"]), (0, String::new()));
    assert_eq!(bench.tool("fdfs_append_file", &[&id, "empty"]), (0, String::new()));
    assert_eq!(bench.tool("fdfs_append_file", &[&id, "nofile"]), (2, failed("append file", 2)));
    let normal = bench.stored("fdfs_upload_file");
    assert_eq!(bench.tool("fdfs_append_file", &[&normal, "h.txt"]), (22, failed("append file", 22)));
    let (code, out) = bench.tool("fdfs_regenerate_filename", &[&id]);
    assert_eq!(code, 0);
    let new = out.trim_end();
    assert_ne!(new, id);
    assert_eq!(bench.tool("fdfs_download_file", &[new, "x"]).0, 0);
    assert_eq!(bench.text("x"), HELLO.repeat(2));
    let (code, _, err) = bench.all("fdfs_regenerate_filename", &[&id]);
    assert_eq!(code, 2);
    assert!(err.starts_with(&failed(&format!("regenerate file {id}"), 2)), "{err}");
}

#[test]
fn the_test_program_shows_every_step_of_an_upload() {
    let bench = Bench::new();
    let ip = bench.place.address.ip();
    for (way, slave) in [("filename", "_big"), ("filebuff", "1024x1024"), ("callback", "-small")] {
        let word = match way {
            "filebuff" => "BUFF",
            "callback" => "CALLBACK",
            _ => "FILE",
        };
        let (code, out) = bench.tool("fdfs_test", &["upload", "h.txt", word]);
        assert_eq!(code, 0, "{out}");
        let lines: Vec<&str> = out.lines().collect();
        assert!(lines[0].starts_with("This is FastDFS client test program v6.16.1"), "{out}");
        assert_eq!(
            lines[1..8],
            [
                "",
                "tracker_query_storage_store_list_without_group: ",
                &format!("\tserver 1. group_name=group1, ip_addr={ip}, port=23000"),
                "",
                &format!("group_name=group1, ip_addr={ip}, port=23000"),
                &format!("storage_upload_by_{way}"),
                lines[7],
            ]
        );
        let name = lines[7].strip_prefix("group_name=group1, remote_filename=").unwrap();
        assert_eq!(lines[8], format!("source ip address: {ip}"));
        assert!(lines[9].starts_with("file timestamp=20"), "{out}");
        assert_eq!(lines[10..12], ["file size=14", "file crc32=235977309"]);
        assert_eq!(lines[12], format!("example file url: http://{ip}/group1/{name}"));
        assert_eq!(lines[13], format!("storage_upload_slave_by_{way}"));
        let slave_name = format!("{}{slave}.txt", name.strip_suffix(".txt").unwrap());
        assert_eq!(lines[14], format!("group_name=group1, remote_filename={slave_name}"));
        assert_eq!(lines[19], format!("example file url: http://{ip}/group1/{slave_name}"));
        assert_eq!(lines.len(), 20);
    }
}

#[test]
fn the_test_program_does_the_other_operations_on_group_and_name_or_on_whole_ids() {
    let bench = Bench::new();
    for tool in ["fdfs_test", "fdfs_test1"] {
        let id = bench.stored("fdfs_upload_file");
        let run = |operation: &str, rest: &[&str]| {
            let mut args = vec![operation];
            match (tool, id.split_once('/')) {
                ("fdfs_test", Some((group, name))) => args.extend([group, name]),
                _ => args.push(&id),
            }
            args.extend(rest);
            let (code, out) = bench.tool(tool, &args);
            let behind_banner = out.split_once("\n\n").unwrap().1.to_owned();
            (code, behind_banner)
        };
        let storage = format!("storage={}\n", bench.storage());
        let ok = |text: &str| (0, format!("{storage}{text}\n"));
        assert_eq!(run("download", &["x"]), ok("download file success, file size=14, file save to x"));
        assert_eq!(bench.text("x"), HELLO);
        assert_eq!(run("getmeta", &[]), (1, format!("{storage}{}", failed("getmeta", 2))));
        assert_eq!(run("setmeta", &["O", "width=160,height=80"]), ok("set meta data success"));
        assert_eq!(run("setmeta", &["M", "width=200"]), ok("set meta data success"));
        assert_eq!(run("getmeta", &[]), ok("get meta data success, meta count=2\nheight=80\nwidth=200"));
        assert_eq!(run("setmeta", &["X", "a=1"]), (1, format!("{storage}{}", failed("setmeta", 22))));
        assert_eq!(run("query_servers", &[]), (0, format!("server list (1):\n\t{}\n\n", bench.storage())));
        assert_eq!(run("delete", &[]), ok("delete file success"));
        assert_eq!(run("delete", &[]), (1, format!("{storage}{}", failed("delete file", 2))));
        let (code, out) = bench.tool(tool, &["bogus"]);
        assert_eq!(code, 22);
        assert!(out.ends_with("invalid operation: bogus\n"), "{out}");
        assert_eq!(bench.tool(tool, &["download"]).0, 22);
        assert_eq!(bench.tool(tool, &[]).0, 1);
    }
}

#[test]
fn the_appender_test_program_cuts_grows_and_changes() {
    let bench = Bench::new();
    for (tool, way, sizes) in [
        ("fdfs_appender_test", "filename", ["14", "7", "21", "35"]),
        ("fdfs_appender_test1", "filename1", ["14", "0", "14", "28"]),
    ] {
        let (code, out) = bench.tool(tool, &["h.txt"]);
        assert_eq!(code, 0, "{out}");
        assert!(out.contains(&format!("\nstorage_upload_appender_by_{way}\n")), "{out}");
        let shown: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix("file size=")).collect();
        assert_eq!(shown, sizes);
        assert_eq!(out.matches("file url: http://").count(), 2);
        for done in [
            "storage_append_by_filename\nappend file successfully.\n",
            "storage_modify_by_filename\nmodify file successfully.\n",
        ] {
            assert!(out.contains(done), "{out}");
        }
    }
    let (code, out) = bench.tool("fdfs_appender_test", &["nofile"]);
    assert_eq!(code, 2);
    assert!(out.ends_with(&failed("upload file", 2)), "{out}");
}

#[test]
fn the_monitor_lists_the_group_and_refuses_what_cannot_be_done() {
    let bench = Bench::new();
    let tracker = bench.place.address.port(22122);
    let head = format!("tracker server count=1, current server index=0\n\ntracker server is {tracker}\n\n");
    let (code, out) = bench.tool("fdfs_monitor", &[]);
    assert_eq!(code, 0);
    assert!(out.starts_with(&format!("{head}group count: 1\n\nGroup 1:\ngroup name = group1\n")), "{out}");
    for line in [
        "storage server count = 1",
        "\t\tid = 100001",
        &format!("\t\thost = {}  ACTIVE", bench.storage()),
        "\t\tread write mode = both (normal)",
        "\t\tstotal_download_bytes = 0",
    ] {
        assert!(out.lines().any(|shown| shown == line), "{line} in {out}");
    }
    let (code, out) = bench.tool("fdfs_monitor", &["-h", &tracker.to_string(), "list", "group1"]);
    assert_eq!(code, 0);
    assert!(out.starts_with(&format!("{head}group name = group1\n")), "{out}");
    let stranger = "tracker server: 127.0.0.9 not exists!\n".to_owned();
    assert_eq!(bench.tool("fdfs_monitor", &["-h", "127.0.0.9"]), (2, stranger));
    for (args, what, number) in [
        (&["delete", "group1", "100001"][..], "delete storage server group1::100001", 16),
        (&["delete", "group1"], "delete group: group1", 16),
        (&["delete", "group9"], "delete group: group9", 2),
        (&["set_trunk_server", "group1"], "set trunk server group1::", 95),
    ] {
        assert_eq!(bench.tool("fdfs_monitor", args), (1, format!("{head}{}", failed(what, number))));
    }
    assert_eq!(bench.tool("fdfs_monitor", &["list", "group9"]), (1, head.clone()));
    assert_eq!(bench.tool("fdfs_monitor", &["set_trunk_server"]).0, 1);
}

#[test]
fn the_stat_tools_list_trackers_storages_and_space() {
    let bench = Bench::new();
    let (code, out) = bench.stat("fdfs_tracker_stat", &[]);
    assert_eq!(code, 0);
    let tracker = bench.place.address.port(22122);
    assert!(
        out.starts_with(&format!("\n{tracker}, is_leader: 1, is_active: 1, connections {{alloc: ")),
        "{out}"
    );
    assert!(out.ends_with("\n\ntracker server count: 1\n\n"), "{out}");
    assert_eq!(bench.stat("fdfs_tracker_stat", &["-N"]), (0, String::new()));
    let (code, out) = bench.stat("fdfs_storage_stat", &["-A"]);
    assert_eq!(code, 0);
    assert!(out.starts_with(&format!("\n100001 {} ACTIVE, connections {{alloc: ", bench.storage())), "{out}");
    assert_eq!(bench.stat("fdfs_storage_stat", &["-N"]), (0, String::new()));
    let (code, out) = bench.stat("fdfs_volumn_stat", &["-A"]);
    assert_eq!(code, 0);
    assert!(out.starts_with("\ngroup1 disk_available: 1, disk space {total: "), "{out}");
    assert!(out.ends_with("%}\n\nstorage volumn / group count: 1\n\n"), "{out}");
    assert_eq!(bench.stat("fdfs_volumn_stat", &["-N"]), (0, String::new()));
    assert_eq!(bench.stat("fdfs_volumn_stat", &["-h"]).0, 0);
    assert_eq!(bench.stat("fdfs_volumn_stat", &["-x"]).0, 1);
}

#[test]
fn without_a_configuration_or_a_tracker_the_number_says_so() {
    let place = Place::new();
    fs::write(place.folder.path().join("h.txt"), HELLO).unwrap();
    let (code, _, err) = place.cairn(&["fdfs_upload_file", "noconf", "h.txt"]);
    assert_eq!(code, 2);
    assert!(err.contains("noconf"), "{err}");
    let conf = format!("tracker_server = {}\nconnect_timeout = 1\n", place.address.port(22122));
    fs::write(place.folder.path().join("client.conf"), conf).unwrap();
    let (code, _, err) = place.cairn(&["fdfs_upload_file", "client.conf", "h.txt"]);
    assert_eq!(code, 111, "{err}");
    assert!(
        err.starts_with("tracker_query_storage fail, error no: 111, error info: Connection refused\n"),
        "{err}"
    );
    let (code, _, _) = place.cairn(&["fdfs_monitor", "client.conf"]);
    assert_eq!(code, 111);
}
