//! Folders into a cluster and back.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod fake;

use fake::Fake;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use transfer::{
    Entry, EntryKind, GetOptions, GetReport, Manifest, Outcome, Problem, Progress, PutOptions, PutReport,
    RelPath, RemoveOptions, Silent, Source, Stop, TransferError, get, get_file, put, put_file, remove,
};

/// A transfer that is asked to stop ends within this, whatever the cluster does.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

const UPLOAD: u8 = 11;
const DELETE: u8 = 12;
const DOWNLOAD: u8 = 14;
const FILE_INFO: u8 = 22;

/// What a progress was told.
#[derive(Default)]
struct Told {
    total: Mutex<(u64, u64)>,
    bytes: Mutex<i64>,
    done: Mutex<BTreeMap<String, Outcome>>,
    problems: Mutex<Vec<String>>,
}

impl Progress for Told {
    fn total(&self, files: u64, bytes: u64) {
        *self.total.lock().unwrap() = (files, bytes);
    }

    fn bytes(&self, delta: i64) {
        *self.bytes.lock().unwrap() += delta;
    }

    fn file_done(&self, path: &RelPath, outcome: Outcome) {
        self.done.lock().unwrap().insert(path.to_string(), outcome);
    }

    fn problem(&self, problem: &Problem) {
        self.problems.lock().unwrap().push(problem.to_string());
    }
}

impl Told {
    fn problems(&self) -> Vec<String> {
        self.problems.lock().unwrap().clone()
    }
}

/// A place with a folder `tree`, and room for the manifest and copies.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tree")).unwrap();
        Place { dir }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn tree(&self) -> PathBuf {
        self.at("tree")
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.tree().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn options(&self) -> PutOptions {
        PutOptions { attempts: 2, ..PutOptions::new(self.at("manifest")) }
    }

    async fn put(&self, fake: &Fake) -> PutReport {
        self.put_with(fake, &self.options(), Arc::new(Silent)).await
    }

    async fn put_with(&self, fake: &Fake, options: &PutOptions, progress: Arc<dyn Progress>) -> PutReport {
        put(&fake.client(), &self.tree(), options, progress, &Stop::new()).await.unwrap()
    }

    /// Gets from the stored manifest into the folder `copy`.
    async fn get(&self, fake: &Fake, report: &PutReport) -> GetReport {
        self.get_with(fake, report, Arc::new(Silent)).await
    }

    async fn get_with(&self, fake: &Fake, report: &PutReport, progress: Arc<dyn Progress>) -> GetReport {
        let client = fake.client();
        let manifest = Manifest::fetch(&client, report.manifest.as_ref().unwrap()).await.unwrap();
        let options = GetOptions { attempts: 2, ..GetOptions::default() };
        get(&client, manifest, &self.at("copy"), &options, progress, &Stop::new()).await.unwrap()
    }

    /// The id of a file, as the local manifest has it.
    fn entry(&self, path: &str) -> Entry {
        let manifest = Manifest::open(&self.at("manifest")).unwrap();
        manifest.find(&RelPath::from_text(path).unwrap()).unwrap()
    }

    fn id(&self, path: &str) -> fdfs_fileid::FileId {
        match self.entry(path).kind {
            EntryKind::File { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }
}

/// All there is to know about a folder: kind, mode, time and content of everything in it.
fn picture(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let mut picture = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                folders.push(path.clone());
            }
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            picture.insert(name, describe(&path));
        }
    }
    picture.insert(Vec::new(), describe(root));
    picture
}

fn describe(path: &Path) -> String {
    let metadata = fs::symlink_metadata(path).unwrap();
    let what = if metadata.is_dir() {
        "dir".to_owned()
    } else if metadata.is_symlink() {
        format!("link to {:?}", fs::read_link(path).unwrap())
    } else {
        format!("file {:08x}", crc32fast::hash(&fs::read(path).unwrap()))
    };
    let mode = if metadata.is_symlink() { 0 } else { metadata.mode() };
    format!("{what} {mode:o} {}.{:09}", metadata.mtime(), metadata.mtime_nsec())
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_folder_comes_back_as_it_was() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a.txt", "hello");
    place.write("empty.txt", "");
    place.write("deep/er/and/deeper/b.tar.gz", vec![7; 600_000]);
    place.write("with space/报告 100%.txt", "x");
    fs::create_dir(place.tree().join("empty")).unwrap();
    symlink("../a.txt", place.tree().join("deep/link")).unwrap();
    symlink("/nowhere/at all", place.tree().join("broken")).unwrap();
    set_mode(&place.tree().join("a.txt"), 0o640);
    set_mode(&place.tree().join("empty"), 0o1750);
    set_mode(&place.tree().join("deep/er"), 0o700);
    let name = std::ffi::OsString::from_vec(b"caf\xe9/\xff\xfe".to_vec());
    fs::create_dir(place.tree().join(OsStr::from_bytes(b"caf\xe9"))).unwrap();
    fs::write(place.tree().join(name), "latin").unwrap();
    let old = fs::File::open(place.tree().join("a.txt")).unwrap();
    old.set_modified(std::time::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789)).unwrap();
    let before = picture(&place.tree());

    let told = Arc::new(Told::default());
    let report = place.put_with(&fake, &place.options(), told.clone()).await;
    assert!(report.is_complete());
    assert_eq!((report.sent, report.skipped, report.left_out), (5, 0, 0));
    assert_eq!((report.listed.files, report.listed.dirs, report.listed.symlinks), (5, 8, 2));
    assert_eq!(*told.bytes.lock().unwrap(), 5 + 600_000 + 1 + 5);
    assert_eq!(told.problems(), [""; 0]);

    let copy = place.get(&fake, &report).await;
    assert!(copy.is_complete());
    assert_eq!((copy.fetched, copy.skipped, copy.dirs, copy.symlinks), (5, 0, 8, 2));
    assert_eq!(picture(&place.at("copy")), before);
}

#[tokio::test]
async fn ids_carry_the_extensions_of_the_files() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a.tar.gz", "x");
    place.write("picture.jpeg", "x");
    place.write("none", "x");
    let report = place.put(&fake).await;
    assert_eq!(place.id("a.tar.gz").name.extension(), "tar.gz");
    assert_eq!(place.id("picture.jpeg").name.extension(), "jpeg");
    assert_eq!(place.id("none").name.extension(), "");
    assert_eq!(report.manifest.unwrap().name.extension(), "cairn");
}

#[tokio::test]
async fn a_second_put_sends_only_what_has_changed() {
    let (fake, place) = (Fake::start().await, Place::new());
    for name in ["a", "b", "sub/c", "sub/d"] {
        place.write(name, name);
    }
    place.put(&fake).await;
    let sent = fake.uploads();

    place.write("b", "other content");
    place.write("sub/new", "new");
    fs::remove_file(place.tree().join("sub/c")).unwrap();
    set_mode(&place.tree().join("a"), 0o600);
    let report = place.put(&fake).await;
    assert_eq!((report.sent, report.skipped), (2, 2));
    // The manifest is sent again too.
    assert_eq!(fake.uploads(), sent + 3);
    assert_eq!(report.listed.files, 4);

    assert!(place.get(&fake, &report).await.is_complete());
    assert_eq!(picture(&place.at("copy")), picture(&place.tree()));
}

#[tokio::test]
async fn a_put_of_an_unchanged_folder_sends_nothing_and_gives_the_same_manifest() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "a");
    let first = place.put(&fake).await;
    let sent = fake.uploads();
    let second = place.put(&fake).await;
    assert_eq!(fake.uploads(), sent);
    assert_eq!(second.manifest, first.manifest);
    assert_eq!((second.sent, second.skipped), (0, 1));
}

#[tokio::test]
async fn an_interrupted_put_goes_on_where_it_was() {
    let (fake, place) = (Fake::start().await, Place::new());
    for number in 0..100 {
        place.write(&format!("f{number:03}"), format!("content {number}"));
    }
    fake.break_after(Some(30));
    let options = PutOptions { attempts: 1, ..place.options() };
    let report = place.put_with(&fake, &options, Arc::new(Silent)).await;
    assert!(report.gave_up);
    assert_eq!(report.sent, 30);
    assert_eq!(report.manifest, None);
    assert!(!report.is_complete());

    fake.break_after(None);
    let report = place.put(&fake).await;
    assert_eq!((report.sent, report.skipped), (70, 30));
    assert!(place.get(&fake, &report).await.is_complete());
    assert_eq!(picture(&place.at("copy")), picture(&place.tree()));
}

#[tokio::test]
async fn a_put_that_is_asked_to_stop_stops_and_leaves_a_manifest_to_go_on_from() {
    struct StopAfter(Stop, Mutex<u32>);
    impl Progress for StopAfter {
        fn file_done(&self, _: &RelPath, _: Outcome) {
            let mut count = self.1.lock().unwrap();
            *count += 1;
            if *count == 10 {
                self.0.request();
            }
        }
    }
    let (fake, place) = (Fake::start().await, Place::new());
    for number in 0..100 {
        place.write(&format!("f{number:03}"), "x");
    }
    let stop = Stop::new();
    let progress = Arc::new(StopAfter(stop.clone(), Mutex::new(0)));
    let report = put(&fake.client(), &place.tree(), &place.options(), progress, &stop).await.unwrap();
    assert!(report.interrupted);
    assert_eq!((report.sent, report.manifest.is_none()), (10, true));
    let report = place.put(&fake).await;
    assert_eq!((report.sent, report.skipped), (90, 10));
}

#[tokio::test]
async fn uploads_without_an_answer_are_tried_again() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "hello");
    fake.break_uploads(1);
    let told = Arc::new(Told::default());
    let report = place.put_with(&fake, &place.options(), told.clone()).await;
    assert!(report.is_complete());
    // The first attempt was taken back.
    assert_eq!(*told.bytes.lock().unwrap(), 5);
}

#[tokio::test]
async fn a_file_that_cannot_be_sent_is_told_and_the_manifest_not_finished() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "hello");
    fake.break_uploads(2);
    let told = Arc::new(Told::default());
    let report = place.put_with(&fake, &place.options(), told.clone()).await;
    assert_eq!((report.failures, report.manifest.is_none(), report.gave_up), (1, true, false));
    assert!(told.problems()[0].starts_with("a: upload file: storage 127.0.0.1:"), "{:?}", told.problems());
    assert_eq!(told.done.lock().unwrap()["a"], Outcome::Failed);
}

#[tokio::test]
async fn special_files_are_told_and_left_out_without_being_a_failure() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "hello");
    let _socket = std::os::unix::net::UnixListener::bind(place.tree().join("socket")).unwrap();
    let told = Arc::new(Told::default());
    let report = place.put_with(&fake, &place.options(), told.clone()).await;
    assert!(report.is_complete());
    assert_eq!((report.left_out, report.failures), (1, 0));
    assert_eq!(told.problems(), ["socket: left out, it is a socket"]);
}

#[tokio::test]
async fn a_manifest_inside_the_folder_is_not_part_of_it() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "hello");
    let options = PutOptions { manifest: place.tree().join("manifest"), ..place.options() };
    let report = place.put_with(&fake, &options, Arc::new(Silent)).await;
    assert_eq!((report.sent, report.listed.files), (1, 1));
}

#[tokio::test]
async fn files_that_are_gone_from_the_cluster_are_noticed_and_sent_again() {
    let (fake, place) = (Fake::start().await, Place::new());
    for name in ["a", "b", "c"] {
        place.write(name, name);
    }
    place.put(&fake).await;
    fake.lose(&place.id("b"));
    let report = place.put(&fake).await;
    assert_eq!((report.sent, report.skipped), (1, 2));
    assert!(place.get(&fake, &report).await.is_complete());
}

#[tokio::test]
async fn two_puts_into_one_manifest_at_once_are_refused() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "hello");
    let (client, tree, options) = (fake.client(), place.tree(), place.options());
    let (one, two) = (Stop::new(), Stop::new());
    let (first, second) = tokio::join!(
        put(&client, &tree, &options, Arc::new(Silent), &one),
        put(&client, &tree, &options, Arc::new(Silent), &two),
    );
    let mut outcomes = [first, second];
    outcomes.sort_by_key(Result::is_err);
    let [Ok(report), Err(error)] = outcomes else { panic!("one of both is to be refused") };
    assert!(report.is_complete());
    assert!(
        error.to_string().ends_with("is in use by another run: wait for its end, or name another manifest"),
        "{error}"
    );
}

#[tokio::test]
async fn a_folder_that_has_become_empty_is_refused_and_its_manifest_stays_as_it_is() {
    let (fake, place) = (Fake::start().await, Place::new());
    let options = PutOptions { manifest: place.tree().join("manifest"), ..place.options() };
    place.write("a", "hello");
    let first = place.put_with(&fake, &options, Arc::new(Silent)).await;
    assert!(first.is_complete());
    let before = fs::read(&options.manifest).unwrap();
    // The manifest itself is in the folder, and is nothing of it.
    fs::remove_file(place.tree().join("a")).unwrap();
    let error =
        put(&fake.client(), &place.tree(), &options, Arc::new(Silent), &Stop::new()).await.unwrap_err();
    assert!(error.to_string().contains("is the disk mounted?"), "{error}");
    assert_eq!(fs::read(&options.manifest).unwrap(), before);
}

#[tokio::test]
async fn an_empty_folder_that_was_put_empty_is_no_failure() {
    let (fake, place) = (Fake::start().await, Place::new());
    assert!(place.put(&fake).await.is_complete());
    assert!(place.put(&fake).await.is_complete());
}

#[tokio::test]
async fn another_folder_of_the_same_name_does_not_take_over_the_manifest_of_the_first() {
    let (fake, place) = (Fake::start().await, Place::new());
    let (first, second) = (place.at("card1/DCIM"), place.at("card2/DCIM"));
    for folder in [&first, &second] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(first.join("1.jpg"), "one").unwrap();
    fs::write(second.join("2.jpg"), "two").unwrap();
    let (client, options) = (fake.client(), place.options());
    let stop = Stop::new();
    put(&client, &first, &options, Arc::new(Silent), &stop).await.unwrap();
    let before = fs::read(&options.manifest).unwrap();
    let error = put(&client, &second, &options, Arc::new(Silent), &stop).await.unwrap_err().to_string();
    assert!(error.contains("--manifest OTHER") && error.contains(&first.display().to_string()), "{error}");
    assert_eq!(fs::read(&options.manifest).unwrap(), before);
}

#[tokio::test]
async fn the_manifest_of_a_folder_that_was_moved_goes_with_it_when_that_is_said() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "hello");
    assert!(place.put(&fake).await.is_complete());
    fs::create_dir(place.at("new")).unwrap();
    fs::rename(place.tree(), place.at("new/tree")).unwrap();
    let options = PutOptions { moved: true, ..place.options() };
    let (client, stop) = (fake.client(), Stop::new());
    let report = put(&client, &place.at("new/tree"), &options, Arc::new(Silent), &stop).await.unwrap();
    assert_eq!((report.is_complete(), report.sent, report.skipped), (true, 0, 1));
    // From now on it is known where it is.
    let options = place.options();
    let again = put(&client, &place.at("new/tree"), &options, Arc::new(Silent), &stop).await.unwrap();
    assert_eq!(again.manifest, report.manifest);
}

#[tokio::test]
async fn a_manifest_that_does_not_say_where_its_folder_was_is_gone_on_with_and_says_it_then() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "hello");
    place.put(&fake).await;
    let written = fs::read_to_string(place.at("manifest")).unwrap();
    let (_, lines) = written.split_once('\n').unwrap();
    let header = r#"{"kind":"manifest","version":1,"root":"tree","created":1}"#;
    fs::write(place.at("manifest"), format!("{header}\n{lines}")).unwrap();
    let report = place.put(&fake).await;
    assert_eq!((report.is_complete(), report.sent, report.skipped), (true, 0, 1));
    let header = Manifest::open(&place.at("manifest")).unwrap().header().unwrap();
    let tree = place.tree().canonicalize().unwrap();
    assert_eq!((header.created, header.folder), (1, Some(tree.into_os_string().into_vec())));
}

#[tokio::test]
async fn what_is_newer_than_the_manifest_stays_when_that_is_wanted() {
    let (fake, place) = (Fake::start().await, Place::new());
    for name in ["edited", "stale", "same"] {
        place.write(name, "stored");
    }
    symlink("same", place.tree().join("link")).unwrap();
    let report = place.put(&fake).await;
    place.get(&fake, &report).await;
    let change = |name: &str, seconds: i64| {
        fs::write(place.at("copy").join(name), "changed").unwrap();
        let stored = place.tree().join(name).symlink_metadata().unwrap().modified().unwrap();
        let shift = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 { stored - shift } else { stored + shift };
        fs::File::options()
            .write(true)
            .open(place.at("copy").join(name))
            .unwrap()
            .set_modified(time)
            .unwrap();
    };
    change("edited", 60);
    change("stale", -60);
    fs::remove_file(place.at("copy/link")).unwrap();
    change("link", 60);

    let (client, told) = (fake.client(), Arc::new(Told::default()));
    let options = GetOptions { attempts: 1, keep_newer: true, ..GetOptions::default() };
    let manifest = Manifest::open(&place.at("manifest")).unwrap();
    let copy = place.at("copy");
    let got = get(&client, manifest, &copy, &options, told.clone(), &Stop::new()).await.unwrap();
    assert_eq!((got.fetched, got.skipped, got.failures, got.is_complete()), (1, 1, 2, false));
    let read = |name: &str| fs::read_to_string(place.at("copy").join(name)).unwrap();
    assert_eq!([read("edited"), read("stale"), read("link")], ["changed", "stored", "changed"]);
    let mut problems = told.problems();
    problems.sort();
    let newer = "what is here was changed later, so it stays: name the target to replace it";
    assert_eq!(problems, [format!("edited: {newer}"), format!("link: {newer}")]);
    // To a target that was named everything comes.
    assert!(place.get(&fake, &report).await.is_complete());
    assert_eq!(picture(&place.at("copy")), picture(&place.tree()));
}

#[tokio::test]
async fn a_get_fetches_only_what_is_not_there() {
    let (fake, place) = (Fake::start().await, Place::new());
    for name in ["same", "shorter", "different", "missing"] {
        place.write(name, "content");
    }
    let report = place.put(&fake).await;
    place.get(&fake, &report).await;
    let fetched = fake.downloads();
    fs::write(place.at("copy/shorter"), "cont").unwrap();
    fs::write(place.at("copy/different"), "CONTENT").unwrap();
    fs::remove_file(place.at("copy/missing")).unwrap();
    set_mode(&place.at("copy/same"), 0o777);
    let copy = place.get(&fake, &report).await;
    assert_eq!((copy.fetched, copy.skipped), (3, 1));
    // Three, and the manifest.
    assert_eq!(fake.downloads(), fetched + 4);
    assert_eq!(picture(&place.at("copy")), picture(&place.tree()));
}

#[tokio::test]
async fn a_damaged_file_is_told_and_does_not_appear() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "hello");
    place.write("b", "hello");
    let report = place.put(&fake).await;
    fake.damage(&place.id("a"));
    let told = Arc::new(Told::default());
    let copy = place.get_with(&fake, &report, told.clone()).await;
    assert_eq!((copy.fetched, copy.failures, copy.is_complete()), (1, 1, false));
    assert!(told.problems()[0].contains("the content has CRC-32"), "{:?}", told.problems());
    let names: Vec<_> = picture(&place.at("copy")).into_keys().collect();
    assert_eq!(names, [b"".to_vec(), b"b".to_vec()]);
}

#[tokio::test]
async fn a_missing_file_does_not_keep_the_others() {
    let (fake, place) = (Fake::start().await, Place::new());
    for name in ["a", "b", "c"] {
        place.write(name, name);
    }
    let report = place.put(&fake).await;
    fake.lose(&place.id("b"));
    let copy = place.get(&fake, &report).await;
    assert_eq!((copy.fetched, copy.failures), (2, 1));
}

#[tokio::test]
async fn folders_that_their_owner_cannot_write_to_are_filled_all_the_same() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("closed/inner/file", "x");
    set_mode(&place.tree().join("closed/inner"), 0o500);
    set_mode(&place.tree().join("closed"), 0o500);
    let before = picture(&place.tree());
    let report = place.put(&fake).await;
    assert!(place.get(&fake, &report).await.is_complete());
    assert_eq!(picture(&place.at("copy")), before);
    assert!(place.get(&fake, &report).await.is_complete());
    for root in [place.tree(), place.at("copy")] {
        set_mode(&root.join("closed"), 0o700);
        set_mode(&root.join("closed/inner"), 0o700);
    }
}

/// A manifest of one file with these lines in front and behind.
fn manifest_with(place: &Place, lines: &[&str]) -> PathBuf {
    let header = r#"{"kind":"manifest","version":1,"root":"tree","created":1}"#;
    let path = place.at("crafted");
    fs::write(&path, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
    path
}

async fn get_crafted(
    fake: &Fake,
    place: &Place,
    lines: &[&str],
) -> (Result<GetReport, TransferError>, Arc<Told>) {
    let told = Arc::new(Told::default());
    let manifest = Manifest::open(&manifest_with(place, lines)).unwrap();
    let options = GetOptions { attempts: 1, ..GetOptions::default() };
    let client = fake.client();
    let got = get(&client, manifest, &place.at("copy"), &options, told.clone(), &Stop::new()).await;
    (got, told)
}

#[tokio::test]
async fn a_manifest_with_a_path_that_leads_out_is_refused_before_anything_is_written() {
    let (fake, place) = (Fake::start().await, Place::new());
    let dir = r#"{"kind":"dir","path":"d","mode":493,"mtime":1,"mtime_ns":0}"#;
    for evil in ["../evil", "/evil", "d/../../evil", "%2e%2e/evil"] {
        let line = format!(r#"{{"kind":"symlink","path":"{evil}","mtime":1,"mtime_ns":0,"target":"x"}}"#);
        let (got, _) = get_crafted(&fake, &place, &[dir, &line]).await;
        let error = got.unwrap_err().to_string();
        assert!(error.contains("line 3 of the manifest"), "{error}");
        assert!(!place.at("copy").exists());
    }
}

#[tokio::test]
async fn nothing_is_written_through_a_link_that_the_manifest_brings() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("f", "x");
    place.put(&fake).await;
    let outside = tempfile::tempdir().unwrap();
    let link = format!(
        r#"{{"kind":"symlink","path":"d","mtime":1,"mtime_ns":0,"target":"{}"}}"#,
        outside.path().display()
    );
    let file = format!(
        r#"{{"kind":"file","path":"d/evil","mode":420,"mtime":1,"mtime_ns":0,"size":1,"crc32":"{:08x}","id":"{}"}}"#,
        crc32fast::hash(b"x"),
        place.id("f")
    );
    let end = r#"{"kind":"end","files":1,"dirs":0,"symlinks":1,"bytes":1}"#;
    let (got, told) = get_crafted(&fake, &place, &[&link, &file, end]).await;
    // The file made a folder of it, so the link had no place.
    assert_eq!(got.unwrap().failures, 1);
    assert_eq!(told.problems().len(), 1);
    // And with the link there from before, the file has none.
    fs::remove_dir_all(place.at("copy")).unwrap();
    fs::create_dir(place.at("copy")).unwrap();
    symlink(outside.path(), place.at("copy/d")).unwrap();
    let (got, _) = get_crafted(&fake, &place, &[&file, end]).await;
    assert_eq!(got.unwrap().failures, 1);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_path_that_a_finished_manifest_lists_twice_is_written_once_or_told() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("f", "x");
    place.put(&fake).await;
    let file = format!(
        r#"{{"kind":"file","path":"f","mode":420,"mtime":1,"mtime_ns":0,"size":1,"crc32":"{:08x}","id":"{}"}}"#,
        crc32fast::hash(b"x"),
        place.id("f")
    );
    let end = r#"{"kind":"end","files":2,"dirs":0,"symlinks":0,"bytes":2}"#;
    let (got, _) = get_crafted(&fake, &place, &[&file, &file, end]).await;
    got.unwrap();
    assert_eq!(fs::read(place.at("copy/f")).unwrap(), b"x");
}

#[tokio::test]
async fn an_unfinished_manifest_gives_what_it_has_and_says_so() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("f", "old");
    place.put(&fake).await;
    let old = place.entry("f");
    place.write("f", "newer");
    place.put(&fake).await;
    let new = place.entry("f");
    let line = |entry| String::from_utf8(transfer::manifest::Line::Entry(entry).to_json()).unwrap();
    let (old, new) = (line(old), line(new));
    let (got, told) = get_crafted(&fake, &place, &[old.trim(), new.trim(), r#"{"kind":"fi"#]).await;
    // The torn line has a newline here, so it is a wrong one.
    assert!(got.is_err());
    let (got, _) = get_crafted(&fake, &place, &[old.trim(), new.trim()]).await;
    assert_eq!((got.unwrap().fetched, told.problems().len()), (1, 0));
    assert_eq!(fs::read(place.at("copy/f")).unwrap(), b"newer");
    let (got, told) = get_crafted(&fake, &place, &[old.trim(), new.trim()]).await;
    let got = got.unwrap();
    assert_eq!((got.skipped, got.failures), (1, 1));
    assert!(told.problems()[0].contains("did not finish"), "{:?}", told.problems());
}

#[tokio::test]
async fn two_gets_into_one_folder_at_once_are_refused() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "hello");
    place.put(&fake).await;
    fs::create_dir(place.at("copy")).unwrap();
    let held = fs::File::open(place.at("copy")).unwrap();
    held.lock().unwrap();
    let manifest = Manifest::open(&place.at("manifest")).unwrap();
    let (client, options) = (fake.client(), GetOptions::default());
    let got = get(&client, manifest, &place.at("copy"), &options, Arc::new(Silent), &Stop::new()).await;
    assert!(matches!(got, Err(TransferError::TargetBusy(_))));
}

#[tokio::test]
async fn removing_a_stored_manifest_leaves_nothing_behind() {
    let (fake, place) = (Fake::start().await, Place::new());
    for name in ["a", "b", "sub/c"] {
        place.write(name, name);
    }
    let report = place.put(&fake).await;
    fake.lose(&place.id("b"));
    let source = Source::StoredManifest(report.manifest.unwrap());
    let (client, options) = (fake.client(), RemoveOptions::default());
    let removed = remove(&client, &source, &options, Arc::new(Silent), &Stop::new()).await.unwrap();
    assert_eq!((removed.deleted, removed.missing, removed.is_complete()), (2, 1, true));
    assert_eq!(fake.ids(), [""; 0]);
}

#[tokio::test]
async fn removing_an_old_manifest_leaves_what_an_excepted_one_lists() {
    let (fake, place) = (Fake::start().await, Place::new());
    for name in ["a", "b", "c"] {
        place.write(name, name);
    }
    let old = place.put(&fake).await;
    place.write("b", "changed");
    let new = place.put(&fake).await;
    let except = vec![Source::StoredManifest(new.manifest.clone().unwrap())];
    let (client, options) = (fake.client(), RemoveOptions { except, ..RemoveOptions::default() });
    let source = Source::StoredManifest(old.manifest.unwrap());
    let removed = remove(&client, &source, &options, Arc::new(Silent), &Stop::new()).await.unwrap();
    assert_eq!((removed.deleted, removed.kept, removed.is_complete()), (1, 2, true));
    assert!(place.get(&fake, &new).await.is_complete());
    assert_eq!(picture(&place.at("copy")), picture(&place.tree()));
    assert_eq!(fake.ids().len(), 4, "three files and the manifest that lists them");
}

#[tokio::test]
async fn a_manifest_that_is_excepted_from_its_own_removal_stays() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "a");
    let report = place.put(&fake).await;
    let local = Source::LocalManifest(place.at("manifest"));
    for except in [local.clone(), Source::StoredManifest(report.manifest.unwrap())] {
        let (client, options) =
            (fake.client(), RemoveOptions { except: vec![except], ..RemoveOptions::default() });
        let removed = remove(&client, &local, &options, Arc::new(Silent), &Stop::new()).await.unwrap();
        assert_eq!((removed.deleted, removed.kept), (0, 1));
        assert_eq!((fake.ids().len(), place.at("manifest").exists()), (2, true));
    }
}

#[tokio::test]
async fn an_unfinished_manifest_stays_however_the_exception_spells_it() {
    let (fake, place) = (Fake::start().await, Place::new());
    for name in ["a", "b", "c"] {
        place.write(name, name);
    }
    fake.break_after(Some(2));
    assert!(place.put(&fake).await.manifest.is_none());
    fake.break_after(None);
    symlink(place.at("manifest"), place.at("link")).unwrap();
    let local = Source::LocalManifest(place.at("manifest"));
    for other in ["tree/../manifest", "link"] {
        let except = vec![Source::LocalManifest(place.at(other))];
        let (client, options) = (fake.client(), RemoveOptions { except, ..RemoveOptions::default() });
        let removed = remove(&client, &local, &options, Arc::new(Silent), &Stop::new()).await.unwrap();
        assert_eq!((removed.deleted, removed.kept, removed.is_complete()), (0, 2, true), "{other}");
        assert!(place.at("manifest").exists(), "{other}");
    }
    // Another one with the same files in it is another manifest.
    fs::copy(place.at("manifest"), place.at("copy-of-it")).unwrap();
    let except = vec![Source::LocalManifest(place.at("copy-of-it"))];
    let (client, options) = (fake.client(), RemoveOptions { except, ..RemoveOptions::default() });
    let removed = remove(&client, &local, &options, Arc::new(Silent), &Stop::new()).await.unwrap();
    assert_eq!((removed.deleted, removed.kept), (0, 2));
    assert!(!place.at("manifest").exists());
}

#[tokio::test]
async fn an_excepted_manifest_that_cannot_be_read_keeps_everything() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "a");
    let report = place.put(&fake).await;
    let except = vec![Source::File(place.id("a"))];
    let (client, options) = (fake.client(), RemoveOptions { except, ..RemoveOptions::default() });
    let source = Source::StoredManifest(report.manifest.unwrap());
    assert!(remove(&client, &source, &options, Arc::new(Silent), &Stop::new()).await.is_err());
    assert_eq!(fake.ids().len(), 2);
}

/// Asks `work` to stop when the cluster gets this command, which it does not answer.
async fn stopped_at<T>(fake: &Fake, command: u8, stop: &Stop, work: impl Future<Output = T>) -> T {
    let asked = fake.keep_silent_to(command);
    let stopping = async {
        asked.notified().await;
        stop.request();
    };
    let both = async { tokio::join!(work, stopping) };
    tokio::time::timeout(STOPS_WITHIN, both).await.unwrap().0
}

#[tokio::test]
async fn a_put_that_is_asked_to_stop_does_not_wait_for_the_cluster() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "a");
    place.write("b", "b");
    place.put(&fake).await;
    fs::remove_file(place.tree().join("b")).unwrap();
    // While it tries files of the manifest, and while it sends the manifest.
    for command in [FILE_INFO, UPLOAD] {
        let (client, tree, options, stop) = (fake.client(), place.tree(), place.options(), Stop::new());
        let work = put(&client, &tree, &options, Arc::new(Silent), &stop);
        let report = stopped_at(&fake, command, &stop, Box::pin(work)).await.unwrap();
        assert!(report.interrupted && report.manifest.is_none(), "{command}: {report:?}");
    }
    fake.answer_again();
    assert!(place.put(&fake).await.is_complete());
}

#[tokio::test]
async fn a_removal_that_is_asked_to_stop_does_not_wait_for_the_cluster() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "a");
    let report = place.put(&fake).await;
    let (file, manifest) = (Source::File(place.id("a")), Source::StoredManifest(report.manifest.unwrap()));
    for (source, command) in [(&file, DELETE), (&manifest, DOWNLOAD), (&manifest, DELETE)] {
        let (client, options, stop) = (fake.client(), RemoveOptions::default(), Stop::new());
        let work = remove(&client, source, &options, Arc::new(Silent), &stop);
        let report = stopped_at(&fake, command, &stop, Box::pin(work)).await.unwrap();
        assert!(report.interrupted, "{command}: {report:?}");
    }
}

#[tokio::test]
async fn a_named_pipe_is_refused_and_not_waited_for() {
    let (fake, place) = (Fake::start().await, Place::new());
    let pipe = place.tree().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    let (client, options) = (fake.client(), place.options());
    let work = put_file(&client, &pipe, &options, Arc::new(Silent));
    let waited = tokio::time::timeout(STOPS_WITHIN, work).await;
    // Whoever does open it to read is let go, or the test would wait for that.
    let _writer = fs::File::options().read(true).write(true).open(&pipe).unwrap();
    let error = waited.unwrap().unwrap_err();
    assert!(error.to_string().ends_with("not a regular file"), "{error}");
}

#[tokio::test]
async fn removing_a_local_manifest_takes_the_stored_one_and_itself_along() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a", "a");
    place.put(&fake).await;
    let source = Source::parse(place.at("manifest").as_os_str()).unwrap();
    assert_eq!(source, Source::LocalManifest(place.at("manifest")));
    let (client, options) = (fake.client(), RemoveOptions::default());
    let removed = remove(&client, &source, &options, Arc::new(Silent), &Stop::new()).await.unwrap();
    assert!(removed.is_complete());
    assert_eq!(fake.ids(), [""; 0]);
    assert!(!place.at("manifest").exists());
}

#[tokio::test]
async fn a_single_file_goes_up_and_down() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a.txt", "hello");
    let client = fake.client();
    let file = place.tree().join("a.txt");
    let uploaded = put_file(&client, &file, &place.options(), Arc::new(Silent)).await.unwrap();
    assert_eq!(uploaded.id.name.extension(), "txt");
    assert_eq!(
        Source::parse(OsStr::new(&uploaded.id.to_string())).unwrap(),
        Source::File(uploaded.id.clone())
    );

    let (at, _) = get_file(&client, &uploaded.id, &place.at("b.txt"), &GetOptions::default()).await.unwrap();
    assert_eq!(at, place.at("b.txt"));
    assert_eq!(fs::read(at).unwrap(), b"hello");
    // Into a folder under its own name.
    let (at, _) = get_file(&client, &uploaded.id, &place.tree(), &GetOptions::default()).await.unwrap();
    assert_eq!(at, place.tree().join(uploaded.id.name.base()));

    let source = Source::File(uploaded.id);
    let options = RemoveOptions::default();
    let removed = remove(&client, &source, &options, Arc::new(Silent), &Stop::new()).await.unwrap();
    assert_eq!((removed.deleted, fake.ids().len()), (1, 0));
}

/// A pipe, and its end for reading, which is there until the test is over.
fn pipe(path: &Path) -> fs::File {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).unwrap();
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    // To write as well: so neither end waits for the other.
    fs::File::options().read(true).write(true).custom_flags(flags.try_into().unwrap()).open(path).unwrap()
}

/// What is in a pipe now.
fn contents(mut pipe: &fs::File) -> Vec<u8> {
    let mut got = Vec::new();
    assert_eq!(pipe.read_to_end(&mut got).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    got
}

#[tokio::test]
async fn what_went_into_a_pipe_is_not_sent_again() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("a.txt", "hello, pipe");
    let client = fake.client();
    let file = place.tree().join("a.txt");
    let uploaded = put_file(&client, &file, &place.options(), Arc::new(Silent)).await.unwrap();
    let (path, options) = (place.at("pipe"), GetOptions::default());
    let pipe = pipe(&path);

    fake.cut_downloads(&[5]);
    let got = get_file(&client, &uploaded.id, &path, &options).await;
    assert_eq!(contents(&pipe), b"hello");
    assert!(matches!(got, Err(TransferError::Cluster(_))), "{got:?}");
    // As long as nothing went in it is tried again.
    fake.cut_downloads(&[0, 0]);
    let (at, downloaded) = get_file(&client, &uploaded.id, &path, &options).await.unwrap();
    assert_eq!(contents(&pipe), b"hello, pipe");
    assert_eq!((at, downloaded.size, downloaded.verified), (path.clone(), 11, true));
    assert!(!path.is_file(), "it is a pipe still");
    // A file is begun anew.
    fake.cut_downloads(&[5]);
    let (at, _) = get_file(&client, &uploaded.id, &place.at("b.txt"), &options).await.unwrap();
    assert_eq!(fs::read(at).unwrap(), b"hello, pipe");
}

#[test]
fn a_text_that_is_neither_file_nor_id_is_refused() {
    let error = Source::parse(OsStr::new("no such thing")).unwrap_err();
    assert!(matches!(error, TransferError::NoSource(_)));
}

#[test]
fn all_futures_can_move_between_threads() {
    fn moves<T: Send>(_: T) {}
    let client = fdfs_client::Client::new(fdfs_client::ClientConfig::new([]));
    let (options, stop, path) = (PutOptions::new("m"), Stop::new(), Path::new("x"));
    let progress: Arc<dyn Progress> = Arc::new(Silent);
    moves(put(&client, path, &options, progress.clone(), &stop));
    moves(put_file(&client, path, &options, progress.clone()));
    let source = Source::LocalManifest(path.to_owned());
    let remove_options = RemoveOptions::default();
    moves(remove(&client, &source, &remove_options, progress, &stop));
}

/// Changes a file as soon as its first bytes have been read.
struct Meddler {
    told: Told,
    change: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Meddler {
    fn new(change: impl FnOnce() + Send + 'static) -> Arc<Meddler> {
        Arc::new(Meddler { told: Told::default(), change: Mutex::new(Some(Box::new(change))) })
    }
}

impl Progress for Meddler {
    fn bytes(&self, _: i64) {
        if let Some(change) = self.change.lock().unwrap().take() {
            change();
        }
    }

    fn problem(&self, problem: &Problem) {
        self.told.problem(problem);
    }
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_read_is_told_and_sent_anew_by_the_next_put() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("log", "line\n");
    let log = place.tree().join("log");
    let meddler = Meddler::new(move || fs::write(log, "line\nline\n").unwrap());
    let report = place.put_with(&fake, &place.options(), meddler.clone()).await;
    assert_eq!((report.sent, report.failures), (1, 1));
    assert_eq!(meddler.told.problems(), ["log: changed while it was read; put it again"]);
    // What was announced is what is stored.
    assert_eq!(fake.content(&place.id("log")).unwrap(), b"line\n");
    let report = place.put(&fake).await;
    assert_eq!((report.sent, report.failures), (1, 0));
    assert_eq!(fake.content(&place.id("log")).unwrap(), b"line\nline\n");
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_read_is_read_anew() {
    let (fake, place) = (Fake::start().await, Place::new());
    place.write("big", vec![1; 2_000_000]);
    let big = place.tree().join("big");
    let meddler = Meddler::new(move || fs::write(big, vec![2; 1_000_000]).unwrap());
    let report = place.put_with(&fake, &place.options(), meddler.clone()).await;
    assert_eq!((report.sent, report.failures), (1, 0));
    assert_eq!(fake.content(&place.id("big")).unwrap(), vec![2; 1_000_000]);
}
