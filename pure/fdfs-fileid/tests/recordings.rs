//! Every name in the recordings of the original parses and reads back to the same text.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "recordings are files")]

use fdfs_fileid::{ExtName, FileName, GroupName, Kind, StorePathIndex, build_name, build_trunk_name};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;

const RECORDINGS: [&str; 3] = ["plain-2-storages", "trunk-2-trackers-4-storages", "late-join-disk-recovery"];

fn folder(recording: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fastdfs-6.16.1").join(recording)
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

/// Names in the messages whose body is, or ends with, `[numbers] group 16, name`.
fn names_on_the_wire(recording: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(folder(recording).join("wire.jsonl")).unwrap();
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(body) = message["body"].as_str().map(hex) else { continue };
        let request = message["kind"] == "request";
        let name_at = match message["cmd"].as_u64().unwrap() {
            12 | 15 | 22 | 102 | 103 | 105 if request => 16,
            14 if request => 32,
            100 if !request && body.get(16) == Some(&b'M') && body.get(19) == Some(&b'/') => 16,
            _ => continue,
        };
        GroupName::from_field(&body[name_at - 16..name_at]).unwrap();
        names.insert(String::from_utf8(body[name_at..].to_vec()).unwrap());
    }
    names
}

/// Names of the files in the storages' folders, and in their binlogs.
fn names_on_disk(recording: &str) -> BTreeSet<String> {
    let file = std::fs::File::open(folder(recording).join("stores.tar.gz")).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut names = BTreeSet::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        if path.ends_with("/sync/binlog.000") {
            let mut binlog = String::new();
            entry.read_to_string(&mut binlog).unwrap();
            names.extend(binlog.lines().map(|line| line.split(' ').nth(2).unwrap().to_owned()));
        } else if !path.ends_with('/')
            && let Some((_, true_name)) = path.split_once("/data/")
            && true_name.matches('/').count() == 2
        {
            let index = if path.contains("/p1/") { "M01" } else { "M00" };
            names.insert(format!("{index}/{true_name}"));
        }
    }
    names
}

fn all_names() -> BTreeSet<String> {
    RECORDINGS
        .into_iter()
        .flat_map(|name| names_on_the_wire(name).into_iter().chain(names_on_disk(name)))
        .collect()
}

#[test]
fn every_recorded_name_parses_and_reads_back() {
    let names = all_names();
    assert!(names.len() > 50, "only {} names found", names.len());
    for text in &names {
        let name = FileName::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(name.as_str(), text);
    }
}

#[test]
fn every_recorded_name_is_rebuilt_from_its_parts() {
    let mut rebuilt = [0; 2];
    for text in all_names() {
        let name = FileName::parse(text.as_bytes()).unwrap();
        if name.is_metadata() || name.is_trunk_container() || name.kind() == Kind::Slave {
            continue;
        }
        let Some(stamp) = name.stamp() else { panic!("{text} has no stamp") };
        let ext = ExtName::parse(name.extension().as_bytes()).unwrap();
        let part = String::from_utf8(name.ext_part().unwrap().to_vec()).unwrap();
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        let random = digits.parse().unwrap_or(0);
        let (path, dirs): (StorePathIndex, _) = (name.path_index(), name.dirs());
        let again = match name.trunk_part() {
            Some(slot) => build_trunk_name(path, dirs, &stamp, &slot, &ext, random),
            None if name.as_str().len() == 44 => build_name(path, dirs, &stamp, &ext, random),
            None => continue,
        };
        assert_eq!(again.as_str(), text);
        rebuilt[usize::from(name.kind() == Kind::Trunk)] += 1;
    }
    let [plain, trunk] = rebuilt;
    assert!(plain > 20 && trunk > 5, "{plain} plain and {trunk} trunk names rebuilt");
}

#[test]
fn a_name_carries_the_checksum_of_the_recorded_input() {
    let text = std::fs::read(folder("plain-2-storages").join("h.txt")).unwrap();
    let name = FileName::parse(b"M00/00/00/fwAABGsC4I2AGPFwAAAADg4Qul0465.txt").unwrap();
    let stamp = name.stamp().unwrap();
    assert_eq!(stamp.crc32, crc32fast::hash(&text));
    assert_eq!(stamp.size.size(), Some(text.len() as u64));
}
