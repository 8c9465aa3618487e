//! Every block of commands in the documentation is run by a test, as it is written, or has a reason here why it is not.
//!
//! [`CLAIMS`] is the list. The blocks that are not run elsewhere are run here, in the order of their page, each page in a folder and
//! at addresses of its own. What differs from what a reader types: the page's addresses are replaced by the test's, `/etc/…` and
//! `/backup` by folders of the test, and in the place of `cargo xtask up` and of what that builds stands the program under
//! test ([`stand_ins`]); `cargo xtask newcomer` does that one for real.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use e2e::confs::project;
use e2e::page::{Step, is_like, same_steps, steps};
use e2e::shell::{Reader, Shell, write_script};
use testkit::address::{Loopback, STATUS_PORT, STORAGE_PORT, TRACKER_PORT};
use testkit::conf::Conf;
use testkit::wait;

/// How a block is run.
#[derive(Debug, Clone, Copy)]
enum Run {
    /// In this file.
    Here,
    /// By a test of this file, in which these words stand.
    By(&'static str, &'static str),
    /// Nowhere, and why.
    Not(&'static str),
}
use Run::{By, Here, Not};

/// A page, how its block begins (with nothing: all of its blocks), and how that is run.
const CLAIMS: [(&str, &str, Run); 22] = [
    (
        "CONTRIBUTING.md",
        "debootstrap",
        Not("it downloads a system and a compiler, and builds for a quarter of an hour"),
    ),
    ("README.md", "cargo xtask up", Here),
    ("README.md", "C=cairn-data/client.conf", Here),
    ("README.md", "D=http://127.0.0.1:8080/api/v1", Here),
    ("README.md", "$cairn cluster start", Here),
    ("README.md", "cargo xtask test", Not("it is what runs all this")),
    ("docs/tutorial.md", "", By("dev/e2e/tests/tutorial.rs", "docs/tutorial.md")),
    ("docs/operations/backup.md", "cairn backup", Here),
    ("docs/operations/backup.md", "cairn restore", Here),
    ("docs/operations/doctor.md", "cairn doctor", Here),
    // As process 1 systemd runs on no test machine; the installer is run with `--root`.
    ("docs/operations/install.md", "tar -xzf", By("dev/e2e/tests/install.rs", "install.sh")),
    ("docs/operations/install.md", "cd deploy/compose", Not("no test machine has a container engine")),
    ("docs/operations/monitoring.md", "curl -s http://127.0.0.1:9122/readyz", Here),
    (
        "docs/operations/monitoring.md",
        "cairn watch watch.conf --test",
        By("dev/e2e/tests/watch.rs", "--test"),
    ),
    ("docs/operations/monitoring.md", "systemctl enable", Not("systemd is process 1 on no test machine")),
    ("docs/operations/monitoring.md", "cairn falcon --push", By("dev/e2e/tests/falcon.rs", "--push")),
    ("docs/operations/upgrade.md", "cp -a /etc/fdfs", UPGRADE),
    ("docs/operations/upgrade.md", "fdfs_trackerd", UPGRADE),
    ("docs/operations/upgrade.md", "sed -i '1i pack_max_size", UPGRADE),
    ("docs/operations/upgrade.md", "sed -i '/^pack_max_size", UPGRADE),
    ("docs/operations/upgrade.md", "cairn storage", UPGRADE),
    ("docs/operations/upgrade.md", "cairn tracker", UPGRADE),
];

const UPGRADE: Run = By("dev/e2e/tests/upgrade.rs", "docs/operations/upgrade.md");

/// Folders with pages, from the root.
const FOLDERS: [&str; 3] = ["deploy", "dev", "docs"];

/// The pages of the project, from its root, but for those in other languages.
fn pages() -> Vec<String> {
    let root = project("");
    let mut found: Vec<PathBuf> = entries(&root).into_iter().filter(|path| path.is_file()).collect();
    let mut folders: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        let (below, files) = entries(&folder).into_iter().partition::<Vec<_>, _>(|path| path.is_dir());
        folders.extend(below);
        found.extend(files);
    }
    let names = found.iter().map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
    let mut pages: Vec<String> =
        names.filter(|name| name.ends_with(".md") && !name.ends_with(".zh-CN.md")).collect();
    pages.sort();
    pages
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// How a block is run, if somebody says so.
fn claims<'a>(page: &'a str, step: &'a Step) -> impl Iterator<Item = usize> + 'a {
    let of_step = move |claim: &(&str, &str, Run)| claim.0 == page && step.typed.starts_with(claim.1);
    CLAIMS.iter().enumerate().filter(move |(_, claim)| of_step(claim)).map(|(index, _)| index)
}

#[test]
fn every_block_of_commands_is_run_by_a_test_or_has_a_reason_why_not() {
    let mut used = BTreeSet::new();
    let mut faults = Vec::new();
    let pages = pages();
    assert!(pages.len() > 20, "{pages:?}");
    for page in &pages {
        for step in steps(page) {
            let claims: Vec<usize> = claims(page, &step).collect();
            if claims.len() != 1 {
                faults.push(format!("{page}:{}: claimed {} times", step.line, claims.len()));
            }
            used.extend(claims);
        }
    }
    for (index, (page, begin, run)) in CLAIMS.iter().enumerate() {
        if !used.contains(&index) {
            faults.push(format!("{page}: no block begins with {begin:?}"));
        }
        if let By(file, words) = run
            && !fs::read_to_string(project(file)).unwrap_or_default().contains(words)
        {
            faults.push(format!("{page}: {begin:?}: there is no {words:?} in {file}"));
        }
        if let Not(reason) = run {
            assert!(!reason.is_empty());
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_page_in_both_languages_has_the_same_commands_in_both() {
    let other = |page: &str| page.replace(".md", ".zh-CN.md");
    let pages: Vec<String> = pages().into_iter().filter(|page| project(&other(page)).exists()).collect();
    assert!(pages.len() > 5, "{pages:?}");
    for page in pages {
        same_steps(&page, &other(&page));
    }
}

#[test]
fn files_that_a_reader_unpacks_have_the_name_of_this_version() {
    for page in ["docs/operations/install.md", "docs/operations/install.zh-CN.md"] {
        let text = fs::read_to_string(project(page)).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        for name in [
            format!("tar -xzf cairn-{version}-x86_64-linux.tar.gz && cd cairn-{version}-x86_64-linux"),
            format!("docker load -i cairn-{version}-x86_64-image.tar"),
            format!("apt install ./cairn_{version}_amd64.deb"),
        ] {
            assert!(text.contains(&name), "{page}: no {name:?}");
        }
    }
}

/// The blocks of a page that are run here.
fn mine(page: &str) -> Vec<Step> {
    let steps = steps(page).into_iter();
    steps.filter(|step| claims(page, step).any(|index| matches!(CLAIMS[index].2, Here))).collect()
}

/// In the place of `cargo xtask up`, and of what it has built then.
fn stand_ins(reader: &Reader, up: &Loopback, cluster: &Loopback) {
    let program = reader.place().join("target/quick/cairn");
    // What a reader does not have to say: the addresses are not the usual ones.
    let cairn = format!(
        "case \"$1 $2\" in 'cluster start') exec cairn \"$@\" --first-ip {};; esac\nexec cairn \"$@\"\n",
        cluster.ip()
    );
    write_script(&program, &cairn);
    let cargo =
        format!("[ \"$*\" = 'xtask up' ] || exit 1\nexec {} up --listen {}\n", program.display(), up.ip());
    reader.stand_in("cargo", &cargo);
}

fn is_up(line: &str) -> bool {
    line.contains("Ctrl-C")
}

/// What a block printed.
fn printed(shell: &mut Shell, page: &str, step: &Step, typed: &str) -> String {
    shell.typed(typed).unwrap_or_else(|error| panic!("{page}:{}: {error}", step.line))
}

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let page = "README.md";
    let (reader, row) = (Reader::new(), Loopback::claim_row(7).unwrap());
    stand_ins(&reader, &row[0], &row[1]);
    // A checkout has them.
    fs::copy(project(page), reader.place().join(page)).unwrap();
    fs::create_dir(reader.place().join("docs")).unwrap();
    fs::copy(project("docs/protocol.md"), reader.place().join("docs/protocol.md")).unwrap();

    let blocks = mine(page);
    let [up, tools, drive, cluster] = blocks.as_slice() else { panic!("{blocks:?}") };
    let (mut first, mut other) = (reader.shell(), reader.shell());
    let said = first.typed_until(&up.typed, is_up).unwrap();
    let here = |text: &str| text.replace("127.0.0.1:", &format!("{}:", row[0].ip()));

    let said_by_tools = printed(&mut other, page, tools, &here(&tools.typed));
    let id = said_by_tools.lines().find(|line| line.starts_with("group1/M00/00/00/"));
    assert!(id.is_some_and(|id| id.ends_with(".md")), "{said_by_tools}");
    assert!(said_by_tools.contains("ACTIVE"), "{said_by_tools}");
    let same = |one: &str, other: &Path| {
        assert!(fs::read(reader.place().join(one)).unwrap() == fs::read(other).unwrap(), "{one}");
    };
    same("copy.md", &project(page));
    same("there/protocol.md", &project("docs/protocol.md"));

    // The password is the one that was printed.
    let printed_password = said.split_once("with the password ").unwrap().1.lines().next().unwrap();
    assert!(drive.typed.contains("/first-password)"), "{}", drive.typed);
    let listed = printed(&mut other, page, drive, &here(&drive.typed));
    assert_eq!(other.typed("echo $PASSWORD").unwrap().trim_end(), printed_password);
    assert_eq!(listed.matches("\"read.md\"").count(), 2, "made, and listed: {listed}");

    let served = printed(&mut other, page, cluster, &cluster.typed);
    assert!(served.contains("group"), "{served}");
    assert!(!reader.place().join("cairn-cluster").exists(), "{served}");
    assert_eq!(
        reader.running().len(),
        4,
        "up, with the pid files of its three parts, and none of the cluster"
    );
}

#[test]
fn the_commands_about_doctor_and_backup_do_what_their_pages_say() {
    let (reader, row) = (Reader::new(), Loopback::claim_row(2).unwrap());
    stand_ins(&reader, &row[0], &row[1]);
    let (mut first, mut other) = (reader.shell(), reader.shell());
    let _said = first.typed_until("cargo xtask up", is_up).unwrap();
    let place = reader.place();
    let within = |name: &str| place.join(name).display().to_string();

    // The configurations of a server lie in the folder where they are typed, and where FastDFS has them.
    let copy = "mkdir etc && cp -R cairn-data/conf etc/fdfs && cp -R cairn-data/conf etc/cairn\n\
                cp -R cairn-data/conf . && cp conf/*.conf cairn-data/client.conf .\n";
    other.typed(copy).unwrap();
    let page = "docs/operations/doctor.md";
    let blocks = mine(page);
    assert_eq!(blocks.len(), 1);
    for line in blocks[0].typed.lines() {
        let command = line.split(" #").next().unwrap().trim_end();
        // A disk of the machine with the tests may well be nearly full, which is a warning (1).
        let typed = format!("{} || [ $? -eq 1 ]", command.replace("/etc/fdfs", &within("etc/fdfs")));
        let said = printed(&mut other, page, &blocks[0], &typed);
        let answered = ["trackers that answer: 1, storages that answer: 1", "\"storages_answered\": 1"];
        assert!(answered.iter().any(|words| said.contains(words)), "{line}: {said}");
        assert!(!said.contains("error ") && !said.contains("\"error\""), "{line}: {said}");
    }

    let page = "docs/operations/backup.md";
    let blocks = mine(page);
    let [backup, restore] = blocks.as_slice() else { panic!("{blocks:?}") };
    let here =
        |text: &str| text.replace("/etc/cairn", &within("etc/cairn")).replace("/backup", &within("backup"));
    fs::create_dir(place.join("backup")).unwrap();
    let said = printed(&mut other, page, backup, &here(&backup.typed));
    assert!(said.starts_with("1 accounts"), "{said}");
    // On another machine: a drive that has not been started.
    let new = format!("sed -i 's|^base_path.*|base_path = {}|' etc/cairn/drive.conf", within("new"));
    other.typed(&format!("{new}\nsed -i 's|^secret_file.*||' etc/cairn/drive.conf")).unwrap();
    let said = printed(&mut other, page, restore, &here(&restore.typed));
    assert!(said.contains("The drive can be started"), "{said}");
}

#[test]
fn a_storage_without_trackers_says_so_as_the_page_about_monitoring_shows() {
    let page = "docs/operations/monitoring.md";
    let (reader, row) = (Reader::new(), Loopback::claim_row(3).unwrap());
    let (storage, trackers) = (&row[0], &row[1..]);
    let base = reader.place().display().to_string();
    trackers
        .iter()
        .fold(Conf::new(), |conf, tracker| conf.add("tracker_server", tracker.port(TRACKER_PORT)))
        .set("group_name", "group1")
        .set("bind_addr", storage.ip())
        .set("port", STORAGE_PORT)
        .set("status_listen", storage.port(STATUS_PORT))
        .set("base_path", &base)
        .set("store_path0", &base)
        .set("subdir_count_per_path", 1)
        .write(&reader.place().join("storage.conf"))
        .unwrap();
    let mut shell = reader.shell();
    shell.typed("cairn storage storage.conf start").unwrap();
    let here = |text: &str| {
        text.replace("127.0.0.1:", &format!("{}:", storage.ip()))
            .replace("10.0.0.11:", &format!("{}:", trackers[0].ip()))
            .replace("10.0.0.12:", &format!("{}:", trackers[1].ip()))
    };
    let blocks = mine(page);
    assert_eq!(blocks.len(), 1);
    let shown = here(blocks[0].printed.as_deref().unwrap());
    let mut said = String::new();
    wait::until("it says what the page shows", wait::READY, || {
        said = printed(&mut shell, page, &blocks[0], &here(&blocks[0].typed));
        is_like(&said, &shown).then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}: the page shows\n{shown}\nand it is\n{said}"));
}
