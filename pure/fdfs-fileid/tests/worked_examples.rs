//! The worked examples of the reference, taken apart and put together again.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

use fdfs_fileid::{
    ExtName, FileId, FileName, Kind, NameError, SizeWord, SlavePrefix, Source, Stamp, StorePathIndex,
    TrunkPart, build_name, build_trunk_name, hashed_directories, slave_name,
};
use std::net::{IpAddr, Ipv4Addr};

const NORMAL: &str = "M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";
const APPENDER: &str = "M01/0A/FF/oYYBAGhjJTyEE1ebAAAAAA4Qul0015.log";
const TRUNK: &str = "M00/00/00/ooYBAGhjJbSIcAABAAAPoMv0OSYAAAAAQAAEAAAABAA2731.gz";
const LARGE: &str = "M00/7F/00/CgECA2hjJfAAAAABQAAAEd6tvu89081726";

fn name(text: &str) -> FileName {
    FileName::parse(text.as_bytes()).unwrap()
}

fn ext(text: &str) -> ExtName {
    ExtName::parse(text.as_bytes()).unwrap()
}

fn prefix(text: &str) -> SlavePrefix {
    SlavePrefix::parse(text.as_bytes()).unwrap()
}

#[test]
fn an_ordinary_file_of_a_storage_known_by_address() {
    let id: FileId = format!("group1/{NORMAL}").parse().unwrap();
    assert_eq!(id.group.as_str(), "group1");
    assert_eq!(id.name.as_str(), NORMAL);
    assert_eq!(id.name.path_index(), StorePathIndex(0));
    assert_eq!(id.name.true_name(), "00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt");
    assert_eq!(id.name.dirs(), (0x00, 0x1B));
    assert_eq!(id.name.base(), "wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt");
    assert_eq!(id.name.kind(), Kind::Normal);
    assert_eq!(id.name.ext_part(), Some(*b"482.txt"));
    assert_eq!(id.name.extension(), "txt");
    assert_eq!(id.name.check_client(), Ok(()));
    assert_eq!(id.to_string(), format!("group1/{NORMAL}"));

    let stamp = id.name.stamp().unwrap();
    assert_eq!(stamp.source, Source::Ip(Ipv4Addr::new(192, 168, 0, 196)));
    assert_eq!(stamp.timestamp, 1_751_328_000);
    assert_eq!(stamp.size, SizeWord(0x802a_5c3d_0000_000e));
    assert_eq!(stamp.size.size(), Some(14));
    assert_eq!(stamp.crc32, 0x0e10_ba5d);
    assert_eq!(crc32fast::hash(b"hello fastdfs\n"), 0x0e10_ba5d);

    let built = Stamp {
        source: Source::from_addr(IpAddr::from([192, 168, 0, 196])),
        timestamp: 1_751_328_000,
        size: SizeWord::normal(14, 0x2a_5c3d),
        crc32: 0x0e10_ba5d,
    };
    assert_eq!(build_name(StorePathIndex(0), (0, 0x1B), &built, &ext("txt"), 482).as_str(), NORMAL);
    assert_eq!(
        build_name(StorePathIndex(0), (0, 0x1B), &built, &ext("txt"), 7_000_482).as_str(),
        NORMAL,
        "only the digits there is room for are used"
    );
}

#[test]
fn an_appender_of_a_storage_known_by_number() {
    let appender = name(APPENDER);
    assert_eq!(appender.path_index(), StorePathIndex(1));
    assert_eq!(appender.dirs(), (0x0A, 0xFF));
    assert_eq!(appender.kind(), Kind::Appender);

    let stamp = appender.stamp().unwrap();
    assert_eq!(stamp.source, Source::Id(100_001));
    assert_eq!(stamp.timestamp, 1_751_328_060);
    assert_eq!(stamp.size.size(), None);
    assert_eq!(stamp.crc32, 0x0e10_ba5d);
    assert_eq!(
        stamp.encode(),
        [
            0xa1, 0x86, 0x01, 0, 0x68, 0x63, 0x25, 0x3c, 0x84, 0x13, 0x57, 0x9b, 0, 0, 0, 0, 0x0e, 0x10,
            0xba, 0x5d
        ]
    );

    let built = Stamp {
        source: Source::Id(100_001),
        timestamp: 1_751_328_060,
        size: SizeWord::appender(0x13_579b),
        crc32: 0x0e10_ba5d,
    };
    assert_eq!(build_name(StorePathIndex(1), (0x0A, 0xFF), &built, &ext("log"), 15).as_str(), APPENDER);
}

#[test]
fn an_appender_becomes_an_ordinary_file_with_a_new_stamp_and_the_old_end() {
    let stamp = Stamp {
        source: Source::Id(100_001),
        timestamp: 1_751_328_120,
        size: SizeWord::normal(42, 0x00_abcd),
        crc32: 0xaf9d_f79b,
    };
    let regenerated = name(APPENDER).regenerated(&stamp).unwrap();
    assert_eq!(regenerated.as_str(), "M01/0A/FF/oYYBAGhjJXiAAKvNAAAAKq-d95s015.log");
    assert_eq!(regenerated.kind(), Kind::Normal);
    assert_eq!(regenerated.stamp().unwrap().size.size(), Some(42));
    assert_eq!(name("M00/00/00/short.log").regenerated(&stamp), Err(NameError::MasterTooShort));
}

#[test]
fn a_file_in_a_trunk_slot() {
    let trunk = name(TRUNK);
    assert_eq!(trunk.as_str().len(), 60);
    assert_eq!(trunk.kind(), Kind::Trunk);
    assert_eq!(trunk.ext_part(), Some(*b"2731.gz"));

    let stamp = trunk.stamp().unwrap();
    assert_eq!(stamp.source, Source::Id(100_002));
    assert_eq!(stamp.timestamp, 1_751_328_180);
    assert_eq!(stamp.size.size(), Some(4000));
    assert_eq!(stamp.crc32, 0xcbf4_3926);

    let slot = trunk.trunk_part().unwrap();
    assert_eq!(slot, TrunkPart { file_id: 1, offset: 4096, alloc_size: 4096 });
    assert_eq!(slot.container(), "000001");

    let built = Stamp { size: SizeWord::trunk(4000, 0x70_0001), ..stamp };
    assert_eq!(build_trunk_name(StorePathIndex(0), (0, 0), &built, &slot, &ext("gz"), 2731).as_str(), TRUNK);
}

#[test]
fn a_large_file_without_extension() {
    let large = name(LARGE);
    let stamp = large.stamp().unwrap();
    assert_eq!(large.kind(), Kind::Normal);
    assert_eq!(stamp.source, Source::Ip(Ipv4Addr::new(10, 1, 2, 3)));
    assert_eq!(stamp.size.size(), Some(5_368_709_137));
    assert_eq!(stamp.crc32, 0xdead_beef);
    assert_eq!(large.extension(), "");

    let built = Stamp { size: SizeWord::normal(5_368_709_137, 0x12_3456), ..stamp };
    let again = build_name(StorePathIndex(0), (0x7F, 0), &built, &ExtName::NONE, 9_081_726);
    assert_eq!(again.as_str(), LARGE, "a size that needs more than 32 bits leaves no room for random ones");
}

#[test]
fn names_found_in_the_wild_read_as_expected() {
    let recent = name("M00/00/00/oYYBAGMi4zGAYNoxABY-esN9nNw502.jpg").stamp().unwrap();
    assert_eq!(recent.source, Source::Id(100_001));
    assert_eq!(recent.timestamp, 1_663_230_769);
    assert_eq!(recent.size.size(), Some(1_457_786));

    let from_2009 = name("M00/28/E3/U6Q-CkrMFUgAAAAAAAAIEBucRWc5452.h");
    assert_eq!(from_2009.as_str().len(), 43);
    assert_eq!(from_2009.kind(), Kind::Normal);
    let stamp = from_2009.stamp().unwrap();
    assert_eq!(stamp.source, Source::Ip(Ipv4Addr::new(83, 164, 62, 10)));
    assert_eq!(stamp.size, SizeWord(2064));
    assert_eq!(stamp.size.size(), Some(2064));
}

#[test]
fn a_slave_keeps_the_masters_digits_and_takes_its_own_extension() {
    let slave = slave_name(&name(NORMAL), &prefix("_150x150"), &ext("jpg")).unwrap();
    assert_eq!(slave.as_str(), "M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482_150x150.jpg");
    assert_eq!(slave.as_str().len(), 52);
    assert_eq!(slave.kind(), Kind::Slave);
    assert_eq!(slave.stamp(), name(NORMAL).stamp());
}

#[test]
fn a_slaves_extension_may_come_with_its_dot() {
    let slave = slave_name(&name(NORMAL), &prefix("_150x150"), &ext(".jpg")).unwrap();
    assert_eq!(slave.as_str(), "M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482_150x150.jpg");
}

#[test]
fn a_slave_without_extension_loses_the_masters() {
    let slave = slave_name(&name(NORMAL), &prefix("_original"), &ExtName::NONE).unwrap();
    assert_eq!(slave.as_str(), "M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482_original");
}

#[test]
fn a_master_without_extension_gives_its_whole_name() {
    let slave = slave_name(&name(LARGE), &prefix("_x"), &ext("h")).unwrap();
    assert_eq!(slave.as_str(), "M00/7F/00/CgECA2hjJfAAAAABQAAAEd6tvu89081726_x.h");
}

#[test]
fn a_masters_two_part_extension_goes_as_a_whole() {
    let master = name("M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0.tar.gz");
    assert_eq!(master.extension(), "tar.gz");
    let slave = slave_name(&master, &prefix("_150x150"), &ext("jpg")).unwrap();
    assert_eq!(slave.as_str(), "M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0_150x150.jpg");
}

#[test]
fn a_slave_as_short_as_an_ordinary_file_is_told_by_its_end() {
    // Made by FastDFS 6.16.1 for a master with the extension tar.gz, which has 100 bytes.
    let master = "M00/00/00/fwAAK2sI-haACf-5AAAAZHSh6IE.tar.gz";
    assert_eq!(name(master).kind(), Kind::Normal);
    for end in ["_0.png", "_50.png", "_50", "-a.b", "x", "_.", "1.png", "_small1"] {
        let slave = name(&master.replace(".tar.gz", end));
        assert_eq!(slave.kind(), Kind::Slave, "{slave}");
    }
    // Nothing tells these from a file with random digits, or from one of an old version.
    for end in ["123.png", "12.png", "1234567", ".png", ""] {
        let other = name(&master.replace(".tar.gz", end));
        assert_eq!(other.kind(), Kind::Normal, "{other}");
    }
    let metadata = name(&master.replace(".tar.gz", "_.png-m"));
    assert_eq!(metadata.metadata_master().map(|master| master.kind()), Some(Kind::Slave));
    // Of a master in a slot.
    let short = TRUNK.replace("2731.gz", "_50.png");
    assert_eq!((short.len(), name(&short).kind(), name(&short).trunk_part()), (60, Kind::Slave, None));
}

#[test]
fn t16_a_slave_that_would_pass_for_an_ordinary_file_is_refused() {
    assert_eq!(slave_name(&name(NORMAL), &prefix("x"), &ExtName::NONE), Err(NameError::SlaveTooShort));
    assert_eq!(slave_name(&name(NORMAL), &prefix("_ab"), &ext("c")).map(|_| ()), Ok(()), "45 characters");
    assert_eq!(slave_name(&name(NORMAL), &prefix("_a"), &ext("c")), Err(NameError::SlaveTooShort), "44");
}

#[test]
fn a_slave_of_a_trunk_file_must_exceed_sixty_characters() {
    let slave = slave_name(&name(TRUNK), &prefix("_big"), &ext("gz")).unwrap();
    assert_eq!(slave.as_str(), "M00/00/00/ooYBAGhjJbSIcAABAAAPoMv0OSYAAAAAQAAEAAAABAA2731_big.gz");
    assert_eq!(slave.kind(), Kind::Slave);
    assert_eq!(slave_name(&name(TRUNK), &prefix("x"), &ExtName::NONE), Err(NameError::SlaveTooShort));
}

#[test]
fn a_slave_named_like_metadata_is_refused() {
    let master = name(NORMAL);
    assert_eq!(slave_name(&master, &prefix("-m"), &ExtName::NONE), Err(NameError::Metadata));
    assert_eq!(slave_name(&master, &prefix("_small-m"), &ExtName::NONE), Err(NameError::Metadata));
    assert_eq!(slave_name(&master, &prefix("_small"), &ext("x-m")), Err(NameError::Metadata));
}

#[test]
fn a_slave_needs_a_master_of_thirty_four_characters() {
    let short = name("M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4");
    assert_eq!(short.as_str().len(), 33);
    assert_eq!(slave_name(&short, &prefix("_a"), &ext("jpg")), Err(NameError::MasterTooShort));
}

#[test]
fn the_slave_of_an_appender_counts_as_an_appender() {
    let slave = slave_name(&name(APPENDER), &prefix("_big"), &ext("log")).unwrap();
    assert_eq!(slave.kind(), Kind::Appender);
}

#[test]
fn directories_by_hash_follow_the_pjw_function() {
    assert_eq!(hashed_directories(b"wKgAxGhjJQCAKlw9AAAADg4Qul0", 256), (202, 144));
    assert_eq!(hashed_directories(b"oYYBAGhjJTyEE1ebAAAAAA4Qul0", 256), (227, 32));
    assert_eq!(hashed_directories(b"CgECA2hjJfAAAAABQAAAEd6tvu8", 4), (1, 0));
    assert_eq!(hashed_directories(b"______zzzzzzz~~~~", 4), (1, 2));
    assert_eq!(hashed_directories(b"anything", 0), (0, 0));
}
