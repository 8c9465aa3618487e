//! What the original does wrong with names (wire protocol: defects not to copy); the number is in the name.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

use std::net::Ipv4Addr;

use fdfs_fileid::{ExtName, FileName, SizeWord, Source, Stamp, StorePathIndex, build_name};

fn built(path: u8, source: Source, timestamp: u32) -> FileName {
    let stamp = Stamp { source, timestamp, size: SizeWord::normal(14, 7), crc32: 1 };
    let name = build_name(StorePathIndex(path), (0, 0), &stamp, &ExtName::NONE, 7);
    FileName::parse(name.as_str().as_bytes()).unwrap()
}

#[test]
fn t14_padding_is_digits_whatever_the_dice_say() {
    for ext in ["", "a", "txt", "tar.gz"] {
        let name = ExtName::parse(ext.as_bytes()).unwrap();
        for dice in [0, 9, 10, 999_999, 1_000_000, 9_999_999, i32::MAX as u32, u32::MAX] {
            let part = name.part(dice);
            let digits = part.strip_suffix(ext).unwrap().trim_end_matches('.');
            assert_eq!(part.len(), 7);
            assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{part}");
        }
    }
}

#[test]
fn t15_store_paths_beyond_127_are_as_good_as_others() {
    for path in [127, 128, 200, 255] {
        let name = built(path, Source::Id(1), 1_700_000_000);
        assert!(name.as_str().starts_with(&format!("M{path:02X}/00/00/")), "{name}");
        assert_eq!(name.path_index(), StorePathIndex(path));
    }
}

#[test]
fn t20_times_beyond_2038_are_later_than_those_before() {
    let (before, after) = (i32::MAX as u32, i32::MAX as u32 + 1);
    let time = |timestamp| built(0, Source::Id(1), timestamp).stamp().unwrap().timestamp;
    assert_eq!((time(before), time(after), time(u32::MAX)), (before, after, u32::MAX));
}

#[test]
fn t22_of_an_address_that_reads_as_an_id_the_address_is_not_lost() {
    let address = Ipv4Addr::new(10, 1, 2, 0);
    let read = built(0, Source::Ip(address), 1_700_000_000).stamp().unwrap().source;
    assert_eq!(read, Source::Id(131_338), "there is no way to tell");
    assert_eq!(read.address(), address);
    assert_eq!(Source::Ip(address).address(), address);
}
