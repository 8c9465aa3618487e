//! What the registry writes.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

mod support;

use fdfs_conf::files::{CLIENT_CONF, DRIVE_CONF, FILES, STORAGE_CONF, TRACKER_CONF, WATCH_CONF};
use fdfs_conf::generate::{configuration_md, default_conf, default_storage_ids};
use fdfs_conf::registry::{Effect, FileSpec, Key, Shape};
use fdfs_conf::{ClientConf, DriveConf, GatewayConf, StorageConf, StorageIds, TrackerConf, WatchConf};
use support::{clean, files, warnings};

/// Loads a text as the file a spec is for; the configuration as text, and its warnings.
fn load(spec: &FileSpec, text: &str) -> (String, Vec<String>) {
    let texts = [(spec.name, text)];
    let mut files = files(&texts);
    match spec.name {
        "tracker.conf" => shown(TrackerConf::load(spec.name, &mut files)),
        "storage.conf" => shown(StorageConf::load(spec.name, &mut files)),
        "mod_fastdfs.conf" => shown(GatewayConf::load(spec.name, &mut files)),
        "drive.conf" => shown(DriveConf::load(spec.name, &mut files)),
        "watch.conf" => shown(WatchConf::load(spec.name, &mut files)),
        _ => shown(ClientConf::load(spec.name, &mut files)),
    }
}

fn shown<T: std::fmt::Debug + Clone>(
    loaded: Result<(T, Vec<fdfs_conf::Warning>), fdfs_conf::ConfError>,
) -> (String, Vec<String>) {
    (format!("{:?}", loaded.as_ref().map(|(conf, _)| conf)), warnings(loaded))
}

/// The least a file must say.
fn least(spec: &FileSpec) -> &'static str {
    match spec.name {
        "tracker.conf" => "base_path=/x\n",
        "storage.conf" => "base_path=/x\ntracker_server=10.0.0.1\n",
        "mod_fastdfs.conf" => "group_name=group1\n",
        "drive.conf" | "watch.conf" => "base_path=/x\ntracker_server=10.0.0.1\n",
        _ => "tracker_server=10.0.0.1\n",
    }
}

fn used(spec: &FileSpec) -> impl Iterator<Item = &'static Key> {
    spec.rows().filter(|key| key.effect == Effect::Used)
}

#[test]
fn the_default_files_load_without_a_warning() {
    let tracker = default_conf(&TRACKER_CONF);
    clean(TrackerConf::load("tracker.conf", &mut files(&[("tracker.conf", &tracker)])));
    let storage = default_conf(&STORAGE_CONF);
    let storage = clean(StorageConf::load("storage.conf", &mut files(&[("storage.conf", &storage)])));
    assert_eq!(storage.store_paths.len(), 1);
    let client = default_conf(&CLIENT_CONF);
    clean(ClientConf::load("client.conf", &mut files(&[("client.conf", &client)])));
    let drive = default_conf(&DRIVE_CONF);
    clean(DriveConf::load("drive.conf", &mut files(&[("drive.conf", &drive)])));
    let watch = default_conf(&WATCH_CONF);
    clean(WatchConf::load("watch.conf", &mut files(&[("watch.conf", &watch)])));
    assert_eq!(StorageIds::parse("storage_ids.conf", &default_storage_ids()).unwrap().len(), 2);
}

#[test]
fn the_default_files_show_every_key_that_does_something() {
    for spec in FILES {
        let text = default_conf(spec);
        for key in used(spec).filter(|key| key.name != "check_file_duplicate") {
            let name = key.name.replace('#', "0");
            let shown = |line: &str| line.trim_start_matches('#').starts_with(&format!("{name} ="));
            assert!(text.lines().any(shown), "{} lacks {name}", spec.name);
        }
    }
}

#[test]
fn a_default_written_out_means_the_same_as_the_key_left_out() {
    for spec in FILES {
        let (without, none) = load(spec, least(spec));
        assert_eq!(none, Vec::<String>::new());
        for key in used(spec) {
            let Some(default) = key.default else { continue };
            let line = format!("{} = {default}\n", key.name.replace('#', "0"));
            let (with, warnings) = load(spec, &format!("{}{line}", least(spec)));
            assert_eq!((with, warnings), (without.clone(), vec![]), "{}: {line}", spec.name);
        }
    }
}

#[test]
fn no_key_is_declared_twice_and_every_row_is_complete() {
    for spec in FILES {
        let mut names: Vec<&str> = spec.rows().map(|key| key.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{}", spec.name);
        for key in used(spec) {
            assert!(!key.doc.is_empty() && key.doc.ends_with('.'), "{}", key.name);
            let has_absence = key.default.is_some() || !key.absent.is_empty();
            assert!(has_absence, "{} does not say what absence means", key.name);
            let numbered = key.name.contains('#');
            assert_eq!(numbered, key.shape == Shape::Numbered, "{}", key.name);
        }
    }
}

#[test]
fn a_row_of_the_page_says_name_value_default_and_meaning() {
    let page = configuration_md();
    let lines: Vec<&str> = page.lines().collect();
    for row in [
        "| `store_path_count` | number 1 to 256 | `1` | Number of store paths (disks): M00, M01 and so on. |",
        "| `heart_beat_interval` | seconds from 1; less means the default | `30` | Pause between beats. |",
        "| `journal_size` **Cairn** | size from 32MB to 1TB | `256MB` | Journal space per store path for durability = disk. |",
        "| `thread_stack_size` | connections are tasks, not threads with a stack each |",
        "| `use_access_log` | set enabled inside [access-log] |",
        "| `time_precision` | ms or us | `ms` | Unit of the time a request took. |",
        "| `http.anti_steal.token_ttl` | seconds from 1 | `600` | How long a token is good. |",
    ] {
        assert!(lines.contains(&row), "{row}");
    }
    for heading in
        ["## tracker.conf", "## storage.conf", "## client.conf", "## storage_ids.conf", "### [access-log]"]
    {
        assert!(lines.contains(&heading), "{heading}");
    }
}

#[test]
fn the_tables_of_the_page_have_as_many_cells_as_columns() {
    let page = configuration_md();
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut columns = 0;
    for line in page.lines() {
        match line.starts_with('|') {
            false => columns = 0,
            true if columns == 0 => columns = cells(line),
            true => assert_eq!(cells(line), columns, "{line}"),
        }
    }
}
