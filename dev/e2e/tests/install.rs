//! What is handed out, as somebody who installs it meets it: the archive with its installer, the Debian package, the units.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use e2e::confs;
use tempfile::TempDir;
use testkit::dist;

/// What the units need to be judged "ok" by systemd, whose scale ends at 10 for no protection at all (times ten).
const EXPOSURE_MAX: &str = "20";

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn printed(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).unwrap()
}

/// Everything below a folder: mode, length and the moment of its last change.
fn below(folder: &Path) -> BTreeMap<PathBuf, (u32, u64, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_path_buf()];
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        found.insert(path, (meta.permissions().mode(), meta.len(), meta.mtime(), meta.mtime_nsec()));
    }
    found
}

/// The archive, unpacked; its only folder.
fn unpacked() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    run(Command::new("tar")
        .arg("-xzf")
        .arg(dist::file("-linux.tar.gz").unwrap())
        .arg("-C")
        .arg(folder.path()));
    let inside = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    (folder, inside)
}

/// All configurations of an `/etc/cairn` load without a word.
fn check_confs(folder: &Path) {
    assert_eq!(confs::tracker(&folder.join("tracker.conf")).listen.inner_port, 22122);
    let (storage, _) = confs::storage(&folder.join("storage.conf"));
    assert_eq!(storage.base_path, Path::new("/var/lib/cairn/storage"));
    confs::gateway(&folder.join("mod_fastdfs.conf"));
    confs::drive(&folder.join("drive.conf"));
    confs::client(&folder.join("client.conf"));
    assert_eq!(confs::watch(&folder.join("watch.conf")).base_path, Path::new("/var/lib/cairn/watch"));
}

/// The units are what systemd understands, run a program that is there, and may do little.
fn check_units(root: &Path, folder: &str) {
    let mut units: Vec<PathBuf> = fs::read_dir(root.join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "service"))
        .collect();
    units.sort();
    assert_eq!(units.len(), 7, "{units:?}");
    // What every unit needs of a system is not in this root.
    let system = root.join("run/systemd/system");
    fs::create_dir_all(&system).unwrap();
    for target in ["sysinit", "basic", "shutdown", "network-online", "local-fs"] {
        fs::write(system.join(format!("{target}.target")), "[Unit]\n").unwrap();
    }
    for unit in &units {
        let name = unit.file_name().unwrap().to_str().unwrap().replace("@.", "@disk2.");
        let root = format!("--root={}", root.display());
        let complaints =
            run(Command::new("systemd-analyze").args(["verify", "--man=no", &root, &name])).stderr;
        let complaints = String::from_utf8_lossy(&complaints);
        // Units of the system that are not in this root are not ours.
        let ours: Vec<&str> = complaints.lines().filter(|line| line.contains("cairn")).collect();
        assert!(ours.is_empty(), "{ours:?}");
        let threshold = format!("--threshold={EXPOSURE_MAX}");
        run(Command::new("systemd-analyze").args([
            "security",
            "--offline=true",
            "--no-pager",
            &threshold,
            &root,
            &name,
        ]));
        let text = fs::read_to_string(unit).unwrap();
        for line in
            ["Type=notify", "WatchdogSec=30", "Restart=on-failure", "User=cairn", "NoNewPrivileges=yes"]
        {
            assert!(text.lines().any(|found| found == line), "{name} has no {line}");
        }
    }
    fs::remove_dir_all(root.join("run")).unwrap();
}

#[test]
fn the_archive_installs_changes_nothing_when_run_again_and_leaves_what_people_wrote() {
    let (_folder, archive) = unpacked();
    let root = tempfile::tempdir().unwrap();
    let install = |words: &[&str]| {
        let mut command = Command::new(archive.join("install.sh"));
        printed(command.args(["--root", root.path().to_str().unwrap()]).args(words))
    };
    let said = install(&[]);
    assert!(said.contains("installed /usr/local/bin/cairn\n"), "{said}");
    let notices = fs::read_to_string(archive.join("THIRD-PARTY-NOTICES")).unwrap();
    // A crate that is linked, one that only the page has, and none that only builds or tests.
    assert!(notices.contains("\ntokio ") && notices.contains("\nvue "), "{}", &notices[..2000]);
    assert!(!notices.contains("\nproptest ") && !notices.contains("\nvite "), "{}", &notices[..2000]);
    let at = |path: &str| root.path().join(path);
    let version = printed(Command::new(at("usr/local/bin/cairn")).arg("--version"));
    assert_eq!(version, format!("cairn {}\n", env!("CARGO_PKG_VERSION")));
    check_confs(&at("etc/cairn"));
    check_units(root.path(), "etc/systemd/system");
    let passwd = fs::read_to_string(at("etc/passwd")).unwrap();
    assert!(
        passwd.lines().any(|line| line.starts_with("cairn:") && line.ends_with("/usr/sbin/nologin")),
        "{passwd}"
    );

    let before = below(root.path());
    assert_eq!(install(&[]), "everything is there already\n");
    assert_eq!(below(root.path()), before);

    fs::write(at("etc/cairn/tracker.conf"), "base_path = /srv/tracker\n").unwrap();
    fs::write(at("usr/local/bin/cairn"), "an old version").unwrap();
    fs::create_dir_all(at("var/lib/cairn/storage")).unwrap();
    fs::write(at("var/lib/cairn/storage/a file"), "of somebody").unwrap();
    assert_eq!(install(&[]), "installed /usr/local/bin/cairn\n");
    assert_eq!(fs::read_to_string(at("etc/cairn/tracker.conf")).unwrap(), "base_path = /srv/tracker\n");

    let said = install(&["--uninstall"]);
    assert!(
        said.ends_with("kept /etc/cairn and /var/lib/cairn: --uninstall --purge removes them\n"),
        "{said}"
    );
    assert!(!at("usr/local/bin/cairn").exists());
    assert_eq!(fs::read_dir(at("etc/systemd/system")).unwrap().count(), 0);
    assert_eq!(fs::read_to_string(at("var/lib/cairn/storage/a file")).unwrap(), "of somebody");
    assert!(at("etc/cairn/tracker.conf").exists());

    install(&["--uninstall", "--purge"]);
    assert!(!at("etc/cairn").exists() && !at("var/lib/cairn").exists());
}

#[test]
fn what_servers_have_to_read_is_open_and_what_passwords_go_into_is_not_whatever_the_umask() {
    let (_folder, archive) = unpacked();
    let root = tempfile::tempdir().unwrap();
    let script = format!("umask 077 && exec ./install.sh --root {}", root.path().display());
    printed(Command::new("sh").args(["-c", &script]).current_dir(archive));
    let mode = |path: &str| fs::metadata(root.path().join(path)).unwrap().permissions().mode() & 0o777;
    for folder in ["etc/cairn", "etc/systemd/system", "usr/local/bin", "var/lib/cairn"] {
        assert_eq!(mode(folder), 0o755, "{folder}");
    }
    assert_eq!([mode("etc/cairn/drive.env"), mode("etc/cairn/watch.env")], [0o600, 0o600]);
}

#[test]
fn the_package_is_not_put_over_what_the_archives_installer_left() {
    let root = tempfile::tempdir().unwrap();
    let asked = |action: &str| {
        let mut script = Command::new("sh");
        script
            .arg(confs::project("deploy/debian/preinst"))
            .arg(action)
            .env("DPKG_ROOT", root.path())
            .output()
            .unwrap()
    };
    assert!(asked("install").status.success());
    let units = root.path().join("etc/systemd/system");
    fs::create_dir_all(&units).unwrap();
    // One that somebody changed for the package.
    fs::write(units.join("cairn-drive.service"), "[Service]\nExecStart=/usr/bin/cairn drive a.conf\n")
        .unwrap();
    assert!(asked("install").status.success());
    fs::write(units.join("cairn-up.service"), "[Service]\nExecStart=/usr/local/bin/cairn up\n").unwrap();
    let refused = asked("install");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("install.sh --uninstall"), "{refused:?}");
    assert!(asked("upgrade").status.success());
}

#[test]
fn a_purged_package_leaves_the_passwords_that_somebody_wrote() {
    let root = tempfile::tempdir().unwrap();
    let confs = root.path().join("etc/cairn");
    fs::create_dir_all(&confs).unwrap();
    fs::write(confs.join("drive.env"), "CAIRN_SECRET=0\n").unwrap();
    fs::write(confs.join("watch.env"), "").unwrap();
    let script = confs::project("deploy/debian/postrm");
    run(Command::new("sh").arg(script).arg("purge").env("DPKG_ROOT", root.path()));
    assert!(confs.join("drive.env").exists());
    assert!(!confs.join("watch.env").exists());
}

#[test]
fn the_installer_refuses_what_it_does_not_understand_before_it_changes_anything() {
    let root = tempfile::tempdir().unwrap();
    let script = confs::project("deploy/install.sh");
    let place = root.path().to_str().unwrap();
    for words in [
        &["--root", place, "--start", "everything"][..],
        &["--root", place, "--purge"],
        &["--root", place, "--binary", "/bin/false"],
        &["--root", place, "--instal"],
        &["--root"],
    ] {
        let output = Command::new(&script).args(words).output().unwrap();
        assert!(!output.status.success(), "{words:?}");
        assert!(!output.stderr.is_empty(), "{words:?}");
    }
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn the_package_is_as_debian_wants_it_and_what_it_installs_loads() {
    let package = dist::file(".deb").unwrap();
    // Root, in a container or in CI, may look at packages, too.
    run(Command::new("lintian").args(["--allow-root", "--fail-on", "error,warning"]).arg(&package));
    let root = tempfile::tempdir().unwrap();
    run(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(root.path()));
    check_confs(&root.path().join("etc/cairn"));
    check_units(root.path(), "usr/lib/systemd/system");
    let version = printed(Command::new(root.path().join("usr/bin/cairn")).arg("--version"));
    assert_eq!(version, format!("cairn {}\n", env!("CARGO_PKG_VERSION")));

    // What dpkg does, in a root of its own, without running the scripts: there is no shell in it.
    let field = |name: &str| printed(Command::new("dpkg-deb").arg("--field").arg(&package).arg(name));
    assert_eq!(field("Version"), format!("{}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(field("Depends").trim(), "", "a static program needs nothing");
    let conffiles = printed(Command::new("dpkg-deb").arg("--info").arg(&package).arg("conffiles"));
    assert!(conffiles.lines().any(|line| line == "/etc/cairn/storage.conf"), "{conffiles}");
}

#[test]
fn the_checksums_are_those_of_what_is_there() {
    let folder = dist::folder().unwrap();
    let checked = printed(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(folder));
    assert_eq!(checked.lines().filter(|line| line.ends_with(": OK")).count(), 3, "{checked}");
}

#[test]
fn shellcheck_has_nothing_to_say_about_the_scripts() {
    let scripts = [
        "deploy/install.sh",
        "deploy/debian/preinst",
        "deploy/debian/postinst",
        "deploy/debian/prerm",
        "deploy/debian/postrm",
        ".ci/run",
    ];
    run(Command::new("shellcheck").args(scripts.map(confs::project)));
}
