//! The format page and the packs of `fixtures/` say what this code does.

use std::fs;
use std::path::Path;

use fdfs_format::pack::{Kind, PackHeader, Record, Victim};

use super::world::{Files, World, folder, packs_dir, put};
use crate::pack::{Disk, Key, Listing, PackSettings, RecordLine, load};

const PAGE: &str = include_str!("../../../../../docs/formats.md");

/// The lines of a hex dump that begins at `offset`.
fn dump(offset: usize, bytes: &[u8]) -> Vec<String> {
    let line = |(number, bytes): (usize, &[u8])| {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let visible = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
        let text: String = bytes.iter().map(visible).collect();
        format!("{:04x}  {:<47}  {text}", offset + number * 16, hex.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

#[test]
fn the_worked_example_of_the_format_page_is_what_is_written() {
    let key = Key(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
    let header = PackHeader {
        number: 1,
        covers: 1,
        first_sequence: 1,
        rewritten: 0,
        binlog_index: 0,
        binlog_offset: 0,
    };
    let name = b"00/00/fwAABGsC4I2AIaxRAAAADg4Qul0217.txt";
    let mut pack = header.encode().to_vec();
    Record::encode(1, Kind::File, b'C', 1_795_350_669, b"hello fastdfs\n", name, &mut pack).unwrap();
    let victim = Victim { sequence: 1, pack: 1 }.encode();
    Record::encode(2, Kind::Gone, b'D', 1_795_350_670, &victim, name, &mut pack).unwrap();
    let mut listing = Listing { end: pack.len() as u64, ..Listing::default() };
    for at in [64, 152] {
        listing.add(key, &header, at, &Record::decode(&pack[at as usize..]).unwrap()).unwrap();
    }
    let lines = [dump(0, &pack), dump(0, &listing.hint(key, &header))].concat();
    for line in &lines {
        assert!(PAGE.contains(line.as_str()), "docs/formats.md should have\n{}", lines.join("\n"));
    }
}

#[test]
fn packs_written_by_the_first_version_are_read_and_go_on() {
    let folder = folder();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/cairn-packs-1");
    fs::create_dir(packs_dir(folder.path())).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), packs_dir(folder.path()).join(entry.file_name())).unwrap();
    }
    let settings =
        PackSettings { dir: packs_dir(folder.path()), pack_len: 1000, sync: true, disk: Disk::default() };
    let lines = load(settings).unwrap().lines;
    let line = |op, name: &str| RecordLine { time: 7, op, name: name.into() };
    let expected = [
        line(b'D', "00/00/two"),
        line(b'D', "00/00/seven"),
        line(b'C', "00/00/four"),
        line(b'C', "00/00/eight"),
    ];
    assert_eq!(lines, expected);
    let all = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let all = all.map(|name| format!("00/00/{name}"));
    let mut files: Files = [("00/00/four", "four again"), ("00/00/six", "six"), ("00/00/eight", "eight")]
        .map(|(name, content)| (name.to_owned(), content.into()))
        .into();
    let open = || World::open(folder.path(), 1000, Disk::default()).unwrap();
    let mut world = open();
    assert_eq!(world.files(&all), files);
    world.batch(&[put("00/00/nine", "nine")]).unwrap();
    files.insert("00/00/nine".into(), b"nine".into());
    world.close();
    world.rewrite_all();
    assert_eq!(world.files(&all), files);
    assert_eq!(open().files(&all), files);
}
