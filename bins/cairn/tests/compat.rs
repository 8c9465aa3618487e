//! `docs/compat.md` has a line for every command, tool and hole: nothing is forgotten.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use drive_core::dialect::Operation;
use fdfs_proto::{StorageCommand, TrackerCommand};

fn page() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compat.md")).unwrap()
}

/// The first cells of the table rows under a heading.
fn first_cells(page: &str, heading: &str) -> Vec<String> {
    let (_, section) = page.split_once(&format!("# {heading}\n")).unwrap();
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| row.split(" | ").next().unwrap().trim_start_matches("| ").to_owned()).collect()
}

#[track_caller]
fn assert_once_each(listed: Vec<u8>, expected: impl Iterator<Item = u8>) {
    let unique: BTreeSet<u8> = listed.iter().copied().collect();
    assert_eq!(unique.len(), listed.len(), "a number is listed twice");
    assert_eq!(unique, expected.collect());
}

fn numbers(cells: &[String]) -> Vec<u8> {
    cells.iter().flat_map(|cell| cell.split(", ")).map(|number| number.parse().unwrap()).collect()
}

#[test]
fn every_command_of_a_tracker_has_a_line() {
    let listed = numbers(&first_cells(&page(), "Tracker commands"));
    assert_once_each(listed, TrackerCommand::ALL.iter().map(|command| command.code()));
}

#[test]
fn every_command_of_a_storage_has_a_line() {
    let listed = numbers(&first_cells(&page(), "Storage commands"));
    assert_once_each(listed, StorageCommand::ALL.iter().map(|command| command.code()));
}

#[test]
fn every_tool_has_a_line() {
    let listed: BTreeSet<String> =
        first_cells(&page(), "Tools").iter().map(|cell| cell.replace('`', "")).collect();
    let folder = tempfile::tempdir().unwrap();
    let installed =
        Command::new(env!("CARGO_BIN_EXE_cairn")).arg("install-tools").arg(folder.path()).status().unwrap();
    assert!(installed.success());
    let tools: BTreeSet<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(listed, tools);
}

#[test]
fn every_key_that_is_listed_is_one() {
    let reference = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md"));
    let reference = reference.unwrap();
    for cell in first_cells(&page(), "Configuration") {
        for key in cell.split(", ") {
            assert!(reference.contains(key), "{key} is not in configuration.md");
        }
    }
}

#[test]
fn every_point_of_a_mixed_group_is_tested() {
    let mut names = BTreeSet::new();
    for layer in ["pure", "io", "services"] {
        functions(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(layer), &mut names);
    }
    let page = page();
    let (_, section) = page.split_once("\n## In a group with members of the original\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    for number in 1..=11 {
        let (_, row) = section.split_once(&format!("\n| M{number}: ")).unwrap();
        let tests: Vec<&str> = row.lines().next().unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "M{number}");
        for test in tests {
            let begin = test.trim_end_matches('…');
            assert!(
                names.iter().any(|name| name == test || begin != test && name.starts_with(begin)),
                "{test}"
            );
        }
    }
}

#[test]
fn every_operation_of_the_old_dialect_and_every_weakness_is_tested() {
    let mut names = BTreeSet::new();
    for layer in ["pure", "io", "services"] {
        functions(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(layer), &mut names);
    }
    let page = page();
    let (_, section) = page.split_once("\n## The old dialect\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `") || line.starts_with("| W-"));
    for row in rows {
        // The last cell of a row has the names of its tests.
        let tests: Vec<&str> =
            row.trim_end_matches(" |").rsplit(" | ").next().unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            assert!(names.contains(test), "{test}");
        }
    }
    let weaknesses = (1..=17).chain(20..=32).map(|number| format!("W-{number:02}"));
    assert_eq!(first_cells(&page, "Weaknesses of the course's servers"), weaknesses.collect::<Vec<_>>());
    for operation in Operation::ALL {
        let path = match operation {
            Operation::Register => "`reg`",
            Operation::Login => "`login`",
            Operation::Md5 => "`md5`",
            Operation::Upload => "`upload`",
            Operation::MyFilesCount => "`myfiles` `count`",
            Operation::MyFiles => "`myfiles` `normal`",
            Operation::MyFilesLeastDownloaded => "`pvasc`, `pvdesc`",
            Operation::MyFilesMostDownloaded => "`myfiles` `normal`, `pvasc`, `pvdesc`",
            Operation::Share => "`dealfile` `share`",
            Operation::Delete => "`dealfile` `del`",
            Operation::CountDownload => "`dealfile` `pv`",
            Operation::SharedCount | Operation::Shared => "`sharefiles` `count`, `normal`",
            Operation::RankingMost | Operation::RankingLeast => "`sharefiles` `pvdesc`, `pvasc`",
            Operation::SharedCancel => "`dealsharefile` `cancel`",
            Operation::SharedSave => "`dealsharefile` `save`",
            Operation::SharedCountDownload => "`dealsharefile` `pv`",
            Operation::PictureShare => "`sharepic` `share`",
            Operation::PictureBrowse => "`sharepic` `browse`",
            Operation::Pictures => "`sharepic` `normal`",
            Operation::PictureCancel => "`sharepic` `cancel`",
        };
        let listed = first_cells(&page, "The old dialect");
        assert!(listed.iter().any(|cell| cell.contains(path)), "{path}");
    }
}

#[test]
fn every_hole_has_an_answer() {
    let page = page();
    let holes = |letter: char, last: u32| (1..=last).map(move |number| format!("{letter}{number}"));
    assert_eq!(first_cells(&page, "Durability and consistency"), holes('D', 28).collect::<Vec<_>>());
    assert_eq!(first_cells(&page, "Security"), holes('S', 12).collect::<Vec<_>>());
    assert_eq!(first_cells(&page, "Trackers, protocol and tools"), holes('T', 26).collect::<Vec<_>>());
}

/// The names of all tests below a folder that begin with the number of a hole.
fn tests_of_holes(folder: &Path, found: &mut BTreeSet<String>) {
    functions(folder, found);
    found.retain(|name| !holes_of(name).is_empty());
}

/// The names of all functions below a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                functions(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            for line in fs::read_to_string(&path).unwrap().lines() {
                let line = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("async ");
                let name =
                    line.strip_prefix("fn ").and_then(|rest| rest.split_once('(')).map(|(name, _)| name);
                found.extend(name.map(str::to_owned));
            }
        }
    }
}

/// `d2_d16_the_log…` is a test of D2 and D16.
fn holes_of(test: &str) -> Vec<String> {
    let is_hole = |word: &&str| {
        word.strip_prefix(['d', 's', 't'])
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    test.split('_').take_while(is_hole).map(str::to_uppercase).collect()
}

#[test]
fn a_hole_is_called_tested_when_a_test_has_its_number_and_only_then() {
    let mut tests = BTreeSet::new();
    for layer in ["pure", "io", "services", "bins", "dev"] {
        tests_of_holes(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(layer), &mut tests);
    }
    let tested: BTreeSet<String> = tests.iter().flat_map(|test| holes_of(test)).collect();
    let page = page();
    let (_, holes) = page.split_once("\n## Holes of the original").unwrap();
    let rows = holes.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    let called: BTreeSet<String> =
        rows.filter(|(_, row)| row.contains("tested `")).map(|(hole, _)| hole.to_owned()).collect();
    assert_eq!(called, tested);
    // And what a row calls its test is the beginning of one.
    for name in holes.split("tested `").skip(1).map(|rest| rest.split(['`', '…']).next().unwrap()) {
        assert!(tests.iter().any(|test| test.starts_with(name)), "{name}");
    }
}
