//! What is not a name, and what a client may not name.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

use fdfs_fileid::{
    ExtName, FileId, FileName, GroupName, Kind, NameError, SlavePrefix, Stamp, StorePathIndex,
};

fn name(text: &str) -> FileName {
    FileName::parse(text.as_bytes()).unwrap()
}

fn refusal(text: &str) -> NameError {
    FileName::parse(text.as_bytes()).unwrap_err()
}

#[test]
fn a_name_of_ten_characters_or_fewer_is_refused() {
    assert_eq!(refusal(""), NameError::TooShort);
    assert_eq!(refusal("M00/00/00/"), NameError::TooShort);
    assert_eq!(name("M00/00/00/a").base(), "a");
}

#[test]
fn a_name_of_128_characters_is_refused() {
    let longest = format!("M00/00/00/{}", "a".repeat(117));
    assert_eq!(longest.len(), 127);
    assert_eq!(name(&longest).as_str(), longest);
    assert_eq!(refusal(&format!("{longest}a")), NameError::TooLong);
}

#[test]
fn the_metadata_name_of_the_longest_name_reads_back() {
    let longest = name(&format!("M00/00/00/{}", "a".repeat(117)));
    let metadata = longest.metadata_name();
    assert_eq!(FileName::parse(metadata.as_str().as_bytes()), Ok(metadata.clone()));
    assert_eq!(metadata.metadata_master(), Some(longest));
}

#[test]
fn a_store_path_is_m_and_two_hex_digits() {
    assert_eq!(refusal("M0G/00/00/abc"), NameError::StorePath);
    assert_eq!(refusal("M000/00/00/abc"), NameError::StorePath);
    assert_eq!(refusal("M/00/00/abcdef"), NameError::StorePath);
    assert_eq!(name("MFF/00/00/abc").path_index(), StorePathIndex(255));
}

#[test]
fn a_store_path_in_lower_case_names_the_same_file() {
    let lower = name("M0a/00/00/abc");
    assert_eq!(lower, name("M0A/00/00/abc"));
    assert_eq!(lower.to_string(), "M0A/00/00/abc");
    assert_eq!(lower.path_index(), StorePathIndex(10));
}

#[test]
fn a_name_without_store_path_gets_the_first_one() {
    let whole = |text: &str| name(text).with_store_path().map(|name| name.to_string());
    assert_eq!(whole("00/1A/abcdef"), Ok("M00/00/1A/abcdef".to_owned()));
    assert_eq!(whole("M01/00/1A/abcdef"), Ok("M01/00/1A/abcdef".to_owned()));
    assert_eq!(whole(&format!("00/00/{}", "a".repeat(117))).unwrap().len(), 127);
    assert_eq!(whole(&format!("00/00/{}", "a".repeat(118))), Err(NameError::TooLong));
}

#[test]
fn directories_in_lower_case_are_refused() {
    assert_eq!(refusal("M00/0a/00/abc"), NameError::Directories);
    assert_eq!(refusal("M00/00/0g/abc"), NameError::Directories);
    assert_eq!(refusal("M00/0/000/abc"), NameError::Directories);
    assert_eq!(refusal("M00//00/00/abc"), NameError::Directories);
    assert_eq!(refusal("m00/00/00/abc"), NameError::Directories);
}

#[test]
fn a_name_with_a_third_directory_is_refused() {
    assert_eq!(refusal("M00/00/00/a/b"), NameError::ExtraSlash);
    assert_eq!(refusal("M00/00/00//abc"), NameError::ExtraSlash);
    assert_eq!(refusal("M00/00/00/../../etc/passwd"), NameError::ExtraSlash);
    assert_eq!(refusal("M00/00/../00/abc"), NameError::Directories);
}

#[test]
fn a_name_that_is_only_dots_is_refused() {
    assert_eq!(refusal("M00/00/00/."), NameError::DotName);
    assert_eq!(refusal("M00/00/00/.."), NameError::DotName);
    assert_eq!(name("M00/00/00/...").base(), "...");
}

#[test]
fn control_bytes_blanks_and_other_alphabets_are_refused() {
    assert_eq!(FileName::parse(b"M00/00/00/abc\0"), Err(NameError::Character));
    assert_eq!(FileName::parse(b"M00/00/00/a\nbc"), Err(NameError::Character));
    assert_eq!(FileName::parse(b"M00/00/00/a bc"), Err(NameError::Character));
    assert_eq!(FileName::parse(b"M00/00/00/\xff\xfe"), Err(NameError::Character));
    assert_eq!(refusal("M00/00/00/é"), NameError::Character);
    assert_eq!(refusal("M0é/00/00/abc"), NameError::Character);
}

#[test]
fn a_name_from_before_store_paths_is_in_path_zero() {
    let old = name("28/E3/U6Q-CkrMFUgAAAAAAAAIEBucRWc5452.h");
    assert_eq!(old.path_index(), StorePathIndex(0));
    assert_eq!(old.true_name(), old.as_str());
    assert_eq!(old.dirs(), (0x28, 0xE3));
    assert_eq!(old.stamp().unwrap().size.size(), Some(2064));
    assert_eq!(old.kind(), Kind::Normal);
}

#[test]
fn a_client_may_not_name_metadata_trunk_containers_or_hidden_files() {
    let master = name("M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt");
    assert_eq!(master.metadata_name().as_str(), "M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt-m");
    assert_eq!(master.metadata_name().check_client(), Err(NameError::Metadata));
    assert_eq!(master.metadata_name().metadata_master(), Some(master.clone()));
    assert_eq!(master.metadata_master(), None);
    assert_eq!(name("M00/00/00/abc-m").check_client(), Err(NameError::Metadata));
    assert_eq!(name("M00/00/00/000001").check_client(), Err(NameError::TrunkContainer));
    assert_eq!(name("M00/00/00/1234567").check_client(), Err(NameError::TrunkContainer));
    assert_eq!(name("M00/00/00/.cp123.tmp").check_client(), Err(NameError::Hidden));
    assert_eq!(name("M00/00/00/00001").check_client(), Ok(()));
}

#[test]
fn an_upload_whose_extension_ends_like_metadata_stays_reachable() {
    let odd = name("M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.x-m");
    assert!(!odd.is_metadata());
    assert_eq!(odd.check_client(), Ok(()));
    assert!(odd.metadata_name().is_metadata());
}

#[test]
fn a_stamp_is_read_whatever_the_two_spare_bits_say() {
    let exact = Stamp::from_text(b"wKgAxGhjJQCAKlw9AAAADg4Qul0").unwrap();
    assert_eq!(Stamp::from_text(b"wKgAxGhjJQCAKlw9AAAADg4Qul1"), Some(exact));
    assert_eq!(Stamp::from_text(b"wKgAxGhjJQCAKlw9AAAADg4Qul"), None);
    assert_eq!(Stamp::from_text(b"wKgAxGhjJQCAKlw9AAAADg4Qul=="), None);
    assert_eq!(Stamp::from_text(b"wKgAxGhjJQ+AKlw9AAAADg4Qul0"), None);
}

#[test]
fn a_name_with_other_characters_where_the_stamp_should_be_has_none() {
    let odd = name("M00/00/00/not.base64.at.all.but.long.enough.txt");
    assert_eq!(odd.stamp(), None);
    assert_eq!(odd.kind(), Kind::Normal);
    assert_eq!(odd.trunk_part(), None);
}

#[test]
fn a_group_name_has_one_to_sixteen_letters_and_digits() {
    assert_eq!(GroupName::parse(b"Group16CharsLong").unwrap().as_str(), "Group16CharsLong");
    assert_eq!(GroupName::parse(b"Group17CharsLongX"), Err(NameError::GroupLength));
    assert_eq!(GroupName::parse(b""), Err(NameError::GroupLength));
    assert_eq!(GroupName::parse(b"group-1"), Err(NameError::GroupCharacter));
    assert_eq!(GroupName::parse(b"../etc"), Err(NameError::GroupCharacter));
    assert_eq!(GroupName::parse(b"group1\0"), Err(NameError::GroupCharacter));
}

#[test]
fn a_group_field_ends_at_its_first_nul() {
    let field = *b"group1\0\x7f\x05rubbish";
    let group = GroupName::from_field(&field).unwrap();
    assert_eq!(group.as_str(), "group1");
    assert_eq!(group.to_field(), *b"group1\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(GroupName::from_field(&[0; 16]), Err(NameError::GroupLength));
}

#[test]
fn group_names_sort_like_their_text() {
    let group = |text: &str| GroupName::parse(text.as_bytes()).unwrap();
    assert!(group("group1") < group("group10"));
    assert!(group("group10") < group("group2"));
    assert_eq!(format!("[{:<8}]", group("group1")), "[group1  ]");
}

#[test]
fn a_file_id_without_a_slash_is_refused() {
    assert_eq!("group1".parse::<FileId>(), Err(NameError::NoGroup));
    assert_eq!("".parse::<FileId>(), Err(NameError::NoGroup));
    assert_eq!("/M00/00/00/abc".parse::<FileId>(), Err(NameError::GroupLength));
    assert_eq!("group1/".parse::<FileId>(), Err(NameError::TooShort));
}

#[test]
fn an_extension_has_at_most_six_harmless_characters() {
    assert_eq!(ExtName::from_field(b"tar.gz").unwrap().as_str(), "tar.gz");
    assert_eq!(ExtName::from_field(b"txt\0x/").unwrap().as_str(), "txt");
    assert_eq!(ExtName::from_field(b"\0\0\0\0\0\0"), Ok(ExtName::NONE));
    assert_eq!(ExtName::from_field(b"a/b\0\0\0"), Err(NameError::Extension));
    assert_eq!(ExtName::from_field(b"a b\0\0\0"), Err(NameError::Extension));
    assert_eq!(ExtName::parse(b"toolong"), Err(NameError::Extension));
    assert_eq!(ExtName::parse(b"txt\0"), Err(NameError::Extension));
    assert_eq!(ExtName::parse(b"txt").unwrap().to_field(), *b"txt\0\0\0");
}

#[test]
fn the_end_of_a_name_always_has_seven_characters() {
    let part = |ext: &str, random| ExtName::parse(ext.as_bytes()).unwrap().part(random);
    assert_eq!(part("", 12), "0000012");
    assert_eq!(part("", u32::MAX), "4967295");
    assert_eq!(part("h", 5), "00005.h");
    assert_eq!(part("jpeg", 987_654), "54.jpeg");
    assert_eq!(part("tar.gz", 987_654), ".tar.gz");
}

#[test]
fn the_extension_of_a_path_may_have_two_parts() {
    let of = |path: &str| ExtName::from_path(path).as_str().to_owned();
    assert_eq!(of("a.txt"), "txt");
    assert_eq!(of("x.tar.gz"), "tar.gz");
    assert_eq!(of("/some/where/x.tar.gz"), "tar.gz");
    assert_eq!(of("x.tar.bz2"), "bz2", "seven characters are too many");
    assert_eq!(of("a.b.c"), "b.c");
    assert_eq!(of("a.b.c.d"), "c.d", "never more than two parts");
    assert_eq!(of("noext"), "");
    assert_eq!(of("dir.d/noext"), "");
    assert_eq!(of("a.b/c.d"), "d");
    assert_eq!(of("a.extension"), "");
    assert_eq!(of(".gz.ip"), "ip", "the dot that begins the path does not count");
    assert_eq!(of(".bashrc"), "bashrc");
    assert_eq!(of("a."), "");
    assert_eq!(of("报告.图片"), "");
    assert_eq!(of("报告.v2.txt"), "v2.txt");
    assert_eq!(of("a.é.txt"), "txt");
    assert_eq!(of(""), "");
}

#[test]
fn a_slave_prefix_has_one_to_sixteen_harmless_characters() {
    assert_eq!(SlavePrefix::from_field(b"_big\0\0\0\0\0\0\0\0\0\0\0\0").unwrap().as_str(), "_big");
    assert_eq!(SlavePrefix::from_field(b"sixteen.chars-ok").unwrap().as_str(), "sixteen.chars-ok");
    assert_eq!(SlavePrefix::from_field(&[0; 16]), Err(NameError::Prefix));
    assert_eq!(SlavePrefix::parse(b"a/../b"), Err(NameError::Prefix));
    assert_eq!(SlavePrefix::parse(b"seventeen.chars-x"), Err(NameError::Prefix));
}
