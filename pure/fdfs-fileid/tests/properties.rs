//! What holds for every name and every byte string.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

use fdfs_fileid::{
    ExtName, FileId, FileName, GroupName, Kind, SizeWord, SlavePrefix, Source, Stamp, StorePathIndex,
    TrunkPart, build_name, build_trunk_name, hashed_directories, slave_name,
};
use proptest::prelude::*;
use std::net::Ipv4Addr;

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        (1..=fdfs_fileid::NUMERIC_ID_MAX).prop_map(Source::Id),
        // An address ending in .0 reads as an id: the format's own ambiguity.
        (any::<[u8; 3]>(), 1..=255_u8).prop_map(|([a, b, c], d)| Source::Ip(Ipv4Addr::new(a, b, c, d))),
    ]
}

fn size_word() -> impl Strategy<Value = SizeWord> {
    prop_oneof![
        (0..1_u64 << 50, any::<u32>()).prop_map(|(size, random)| SizeWord::normal(size, random)),
        any::<u32>().prop_map(SizeWord::appender),
    ]
}

fn stamp(size: impl Strategy<Value = SizeWord>) -> impl Strategy<Value = Stamp> {
    (source(), any::<u32>(), size, any::<u32>()).prop_map(|(source, timestamp, size, crc32)| Stamp {
        source,
        timestamp,
        size,
        crc32,
    })
}

fn ext() -> impl Strategy<Value = ExtName> {
    "[A-Za-z0-9._-]{0,6}".prop_map(|text| ExtName::parse(text.as_bytes()).unwrap())
}

proptest! {
    #[test]
    fn what_is_built_parses_and_gives_back_its_parts(
        path: u8, dirs: (u8, u8), stamp in stamp(size_word()), ext in ext(), random: u32,
    ) {
        let name = build_name(StorePathIndex(path), dirs, &stamp, &ext, random);
        let again = FileName::parse(name.as_str().as_bytes()).unwrap();
        prop_assert_eq!(&again, &name);
        prop_assert_eq!(again.as_str().len(), 44);
        prop_assert_eq!(again.path_index(), StorePathIndex(path));
        prop_assert_eq!(again.dirs(), dirs);
        prop_assert_eq!(again.stamp(), Some(stamp));
        let kind = if stamp.size.is_appender() { Kind::Appender } else { Kind::Normal };
        prop_assert_eq!(again.kind(), kind);
        prop_assert_eq!(again.check_client(), Ok(()));
        prop_assert!(again.metadata_name().is_metadata());
    }

    #[test]
    fn what_is_built_for_a_trunk_slot_gives_back_the_slot(
        path: u8, dirs: (u8, u8), source in source(), timestamp: u32, size: u32, random: u32, crc32: u32,
        file_id: u32, offset: u32, alloc_size: u32, ext in ext(),
    ) {
        let stamp = Stamp { source, timestamp, size: SizeWord::trunk(size, random), crc32 };
        let slot = TrunkPart { file_id, offset, alloc_size };
        let name = build_trunk_name(StorePathIndex(path), dirs, &stamp, &slot, &ext, random);
        let again = FileName::parse(name.as_str().as_bytes()).unwrap();
        prop_assert_eq!(again.as_str().len(), 60);
        prop_assert_eq!(again.kind(), Kind::Trunk);
        prop_assert_eq!(again.stamp(), Some(stamp));
        prop_assert_eq!(again.stamp().and_then(|stamp| stamp.size.size()), Some(u64::from(size)));
        prop_assert_eq!(again.trunk_part(), Some(slot));
        prop_assert!(again.metadata_name().is_metadata());
    }

    #[test]
    fn a_slave_is_never_taken_for_an_ordinary_file(
        stamp in stamp(size_word()), ext in ext(), prefix in "[A-Za-z0-9._-]{1,16}", slave_ext in ext(), random: u32,
    ) {
        let master = build_name(StorePathIndex(0), (0, 0), &stamp, &ext, random);
        let prefix = SlavePrefix::parse(prefix.as_bytes()).unwrap();
        if let Ok(slave) = slave_name(&master, &prefix, &slave_ext) {
            prop_assert!(slave.as_str().len() > 44);
            prop_assert_eq!(slave.stamp(), Some(stamp));
            prop_assert!(matches!(slave.kind(), Kind::Slave | Kind::Appender));
            prop_assert!(!slave.is_metadata());
        }
    }

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        look_at_everything(&bytes);
    }

    #[test]
    fn nothing_that_resembles_a_name_makes_a_parser_panic(
        text in "(group[0-9]/)?M?[0-9A-Fa-f]{0,3}/[0-9A-F]{2}/[0-9A-F]{2}/[A-Za-z0-9._/~-]{0,90}",
    ) {
        look_at_everything(text.as_bytes());
    }

    #[test]
    fn a_name_that_parses_is_a_plain_path_below_two_directories(text in "M0[0-9A-Fa-f]/[0-9A-F]{2}/[0-9A-F]{2}/[ -~]{0,120}") {
        if let Ok(name) = FileName::parse(text.as_bytes()) {
            let parts: Vec<&str> = name.true_name().split('/').collect();
            prop_assert_eq!(parts.len(), 3);
            prop_assert!(!parts.iter().any(|part| part.is_empty() || *part == "." || *part == ".."));
            prop_assert!(name.as_str().eq_ignore_ascii_case(&text));
            prop_assert_eq!(FileName::parse(name.as_str().as_bytes()), Ok(name.clone()));
        }
    }
}

/// Calls everything that takes bytes from outside, and everything that a parsed name offers.
fn look_at_everything(bytes: &[u8]) {
    let _ = GroupName::parse(bytes);
    let _ = GroupName::from_field(bytes);
    let _ = ExtName::parse(bytes);
    let _ = SlavePrefix::parse(bytes);
    let _ = Stamp::from_text(bytes);
    let _ = TrunkPart::from_text(bytes);
    let _ = hashed_directories(bytes, bytes.len() as u16);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = ExtName::from_path(text);
        let _ = fdfs_fileid::token::check(text, text, text, 1, 2, 3);
    }
    for name in
        [FileName::parse(bytes).ok(), FileId::parse(bytes).ok().map(|id| id.name)].into_iter().flatten()
    {
        let _ = (name.path_index(), name.dirs(), name.true_name(), name.base(), name.kind(), name.stamp());
        let _ =
            (name.trunk_part(), name.ext_part(), name.extension(), name.is_metadata(), name.check_client());
        let _ = (name.metadata_name().metadata_master(), name.is_trunk_container());
        let _ = name.regenerated(&Stamp::decode(&[7; 20]));
        let _ = slave_name(&name, &SlavePrefix::parse(b"_big").unwrap(), &ExtName::NONE);
    }
}
