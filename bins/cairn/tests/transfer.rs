//! `cairn put`, `get` and `rm` where they could take something away: what is newer, what another manifest lists, the
//! patience of people.

#![allow(clippy::unwrap_used, reason = "a test")]

mod place;

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use place::Place;
use testkit::process::{Server, Signal};
use testkit::wait;

const ID: &str = "group1/M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";
const MANIFEST_ID: &str = "group1/M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.cairn";

/// A command that nothing holds ends within this.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `cairn`, which has to succeed; what it printed, and what it said.
    #[track_caller]
    fn done(&self, args: &[&str]) -> (String, String) {
        let (code, out, err) = self.cairn(args);
        assert_eq!(code, 0, "{args:?}: {err}");
        (out.trim_end().to_owned(), err)
    }

    fn start(&self, name: &str, args: &[&str]) -> Server {
        let program = Path::new(env!("CARGO_BIN_EXE_cairn"));
        Server::start(name, program, args, &self.path(&format!("{name}.printed"))).unwrap()
    }

    /// A `client.conf` with a tracker of which nothing is known.
    fn conf_without_a_cluster(&self) -> String {
        self.write("client.conf", &format!("tracker_server = {}\n", self.address.port(22122)));
        self.path("client.conf").display().to_string()
    }
}

#[track_caller]
fn ended(server: &mut Server) -> ExitStatus {
    wait::until("its end", ENDS_WITHIN, || (!server.is_running()).then_some(())).unwrap();
    server.wait().unwrap()
}

#[test]
fn a_get_without_a_target_leaves_what_was_changed_since_the_put() {
    let place = Place::new();
    let _server = place.up();
    let conf = place.conf();
    place.write("photos/a.txt", "as it was put");
    let (_, told) = place.done(&["put", "-c", &conf, "photos"]);
    let back = told.trim_end().rsplit_once("back again with: ").unwrap().1;
    assert!(back.ends_with("photos.cairn photos-back"), "{back}");

    place.write("photos/a.txt", "changed since");
    let later =
        fs::metadata(place.path("photos/a.txt")).unwrap().modified().unwrap() + Duration::from_secs(60);
    let file = fs::File::options().write(true).open(place.path("photos/a.txt")).unwrap();
    file.set_modified(later).unwrap();
    let (code, _, err) = place.cairn(&["get", "-c", &conf, "photos.cairn"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("a.txt: what is here was changed later, so it stays"), "{err}");
    assert_eq!(place.read("photos/a.txt"), "changed since");
    // Elsewhere it comes back, and here too for who says so.
    place.done(&["get", "-c", &conf, "photos.cairn", "photos-back"]);
    assert_eq!(place.read("photos-back/a.txt"), "as it was put");
    place.done(&["get", "-c", &conf, "photos.cairn", "photos"]);
    assert_eq!(place.read("photos/a.txt"), "as it was put");
}

#[test]
fn a_second_folder_of_the_same_name_needs_a_manifest_of_its_own() {
    let place = Place::new();
    let _server = place.up();
    let conf = place.conf();
    place.write("card1/DCIM/1.jpg", "one");
    place.write("card2/DCIM/1.jpg", "two");
    place.done(&["put", "-c", &conf, "card1/DCIM"]);
    let before = place.read("DCIM.cairn");
    let (code, out, err) = place.cairn(&["put", "-c", &conf, "card2/DCIM"]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("--manifest OTHER") && err.contains("--manifest DCIM.cairn"), "{err}");
    assert_eq!(place.read("DCIM.cairn"), before);

    place.done(&["put", "-c", &conf, "card2/DCIM", "--manifest", "second.cairn"]);
    place.done(&["get", "-c", &conf, "second.cairn", "back"]);
    assert_eq!(place.read("back/1.jpg"), "two");
    // The first card is read at another place now.
    fs::rename(place.path("card1"), place.path("reader")).unwrap();
    let (_, told) = place.done(&["put", "-c", &conf, "reader/DCIM", "--manifest", "DCIM.cairn"]);
    assert!(told.contains("(0 sent now, 1 had been sent before)"), "{told}");
    place.done(&["put", "-c", &conf, "reader/DCIM"]);
}

#[test]
fn an_old_version_goes_without_the_files_that_a_newer_one_lists() {
    let place = Place::new();
    let _server = place.up();
    let conf = place.conf();
    place.write("tree/same", "same");
    place.write("tree/changed", "old");
    let (first, _) = place.done(&["put", "-c", &conf, "tree"]);
    place.write("tree/changed", "new and longer");
    let (second, _) = place.done(&["put", "-c", &conf, "tree"]);
    assert_ne!(first, second);

    let (_, told) = place.done(&["rm", "-r", "-c", &conf, &first, "--except", &second]);
    assert_eq!(
        told.trim_end(),
        "1 files deleted, 0 were gone already, 0 failed, 1 stay because a manifest of --except lists them"
    );
    place.done(&["get", "-c", &conf, &second, "back"]);
    assert_eq!(
        (place.read("back/same"), place.read("back/changed")),
        ("same".into(), "new and longer".into())
    );
    assert_eq!(place.cairn(&["rm", "-c", &conf, &second, "--except", &first]).0, 2, "only with -r");

    // Without it nothing is deleted that the manifest here lists, whatever else is excepted.
    place.write("tree/changed", "newer still");
    place.done(&["put", "-c", &conf, "tree"]);
    place.write("other/file", "of another folder");
    place.done(&["put", "-c", &conf, "other"]);
    for more in [&[][..], &["--json"], &["--except", "other.cairn"]] {
        let (code, out, err) = place.cairn(&[&["rm", "-r", "-c", &conf, &second], more].concat());
        assert_eq!((code, out.as_str()), (1, ""), "{more:?}: {err}");
        assert!(err.contains("tree.cairn lists 1 of these files too, so nothing was deleted"), "{err}");
        assert!(err.contains("--except tree.cairn") && err.contains("--shared-too"), "{err}");
    }
    place.done(&["get", "-c", &conf, &second, "still-here"]);
    assert_eq!(place.read("still-here/changed"), "new and longer");
    // Who means it says so.
    assert_eq!(place.cairn(&["rm", "-c", &conf, &second, "--shared-too"]).0, 2, "only with -r");
    let (_, told) = place.done(&["rm", "-r", "-c", &conf, &second, "--shared-too"]);
    assert!(told.starts_with("2 files deleted"), "{told}");
    let (_, told) = place.done(&["put", "-c", &conf, "tree", "--check"]);
    assert!(told.contains("(1 sent now, 1 had been sent before)"), "{told}");
    // The manifest here may be excepted, too, and it may be what goes.
    let before = place.read("tree.cairn");
    place.write("old.cairn", &before);
    place.write("tree/changed", "newest of all");
    place.done(&["put", "-c", &conf, "tree"]);
    let (_, told) = place.done(&["rm", "-r", "-c", &conf, "old.cairn", "--except", "./tree.cairn"]);
    assert!(told.starts_with("1 files deleted") && told.contains("1 stay"), "{told}");
    let (_, told) = place.done(&["rm", "-r", "-c", &conf, "tree.cairn"]);
    assert!(told.starts_with("2 files deleted"), "{told}");
    // A lone file lists nothing.
    let (id, _) = place.done(&["put", "-c", &conf, "tree/same"]);
    place.done(&["rm", "-r", "-c", &conf, &id]);
}

#[test]
fn the_first_ctrl_c_ends_what_waits_for_the_cluster() {
    let place = Place::new();
    let conf = place.conf_without_a_cluster();
    place.write("file", "content");
    let (file, target) =
        (place.path("file").display().to_string(), place.path("target").display().to_string());
    // A tracker that says nothing.
    let tracker = TcpListener::bind(place.address.port(22122)).unwrap();
    tracker.set_nonblocking(true).unwrap();
    for (name, args) in [
        ("put", &["put", "-c", &conf, &file][..]),
        ("get", &["get", "-c", &conf, ID, &target]),
        ("get-folder", &["get", "-c", &conf, MANIFEST_ID, &target]),
        ("ls", &["ls", "-c", &conf, MANIFEST_ID]),
        ("stat", &["stat", "-c", &conf, ID]),
        ("rm", &["rm", "-c", &conf, ID]),
        ("rm-folder", &["rm", "-r", "-c", &conf, MANIFEST_ID]),
    ] {
        let mut command = place.start(name, args);
        let asked = wait::until("it asks the tracker", wait::READY, || {
            assert!(command.is_running(), "{name}: {}", command.output());
            tracker.accept().ok()
        });
        let _asked = asked.unwrap();
        command.signal(Signal::INT).unwrap();
        let status = ended(&mut command);
        // Either way a shell calls it 130.
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        assert_eq!(code, Some(130), "{name}: {status}");
    }
}

/// Makes a named pipe.
fn make_pipe(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, path, mode).unwrap();
}

/// Whether Ctrl-C is heard by the process instead of ending it.
fn hears_ctrl_c(server: &Server) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 1 << (Signal::INT.as_raw() - 1) != 0
}

#[test]
fn what_comes_out_of_a_pipe_is_the_content_and_nothing_else() {
    let place = Place::new();
    let _server = place.up();
    let conf = place.conf();
    place.write("file.txt", "content");
    let (id, _) = place.done(&["put", "-c", &conf, "file.txt"]);
    for more in [&[][..], &["--json"]] {
        let args = [&["get", "-c", &conf, &id, "/dev/stdout"], more].concat();
        let (code, out, err) = place.cairn(&args);
        assert_eq!((code, out.as_str()), (0, "content"), "{err}");
        assert!(err.contains("/dev/stdout"), "{err}");
    }
    // Where a file is now is what was asked for.
    assert_eq!(place.done(&["get", "-c", &conf, &id, "back.txt"]).0, "back.txt");
}

#[test]
fn ctrl_c_ends_a_get_into_a_pipe_that_nobody_reads() {
    let place = Place::new();
    let _server = place.up();
    let conf = place.conf();
    let pipe = place.path("pipe");
    make_pipe(&pipe);
    // More than a pipe takes.
    place.write("file.txt", &"content ".repeat(100_000));
    let (id, _) = place.done(&["put", "-c", &conf, "file.txt"]);
    let args = ["get", "-c", &conf, &id, pipe.to_str().unwrap()];

    // It waits for somebody who opens it.
    let mut get = place.start("unopened", &args);
    wait::until("it hears Ctrl-C", wait::READY, || hears_ctrl_c(&get).then_some(())).unwrap();
    get.signal(Signal::INT).unwrap();
    assert_eq!(ended(&mut get).code(), Some(130), "{}", get.output());

    // It waits for room.
    let reader = fs::File::options().read(true).write(true).open(&pipe).unwrap();
    // A pipe may be full before it has so many bytes, as its pages are not filled up.
    let half = rustix::pipe::fcntl_getpipe_size(&reader).unwrap() as u64 / 2;
    let mut get = place.start("unread", &args);
    let fills = || (rustix::io::ioctl_fionread(&reader).unwrap() > half).then_some(());
    wait::until("the pipe fills", wait::READY, fills).unwrap();
    get.signal(Signal::INT).unwrap();
    assert_eq!(ended(&mut get).code(), Some(130), "{}", get.output());
}

#[test]
fn a_named_pipe_is_refused_and_not_waited_for() {
    let place = Place::new();
    let conf = place.conf_without_a_cluster();
    let pipe = place.path("pipe");
    make_pipe(&pipe);
    let pipe = pipe.display().to_string();
    for (name, args, code, said) in [
        ("put", &["put", "-c", &conf, &pipe][..], 1, "not a regular file"),
        ("tool", &["fdfs_upload_file", &conf, &pipe], 22, "upload file fail, error no: 22"),
    ] {
        let mut command = place.start(name, args);
        assert_eq!(ended(&mut command).code(), Some(code), "{name}: {}", command.output());
        assert!(command.output().contains(said), "{name}: {}", command.output());
    }
}
