//! Packs: what is written reads back, every damaged byte is noticed, and no bytes hurt a reader.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

use fdfs_format::pack::{
    ALIGN, CONTENT_MAX, HINT_FILE_LEN, HINT_GONE_LEN, HintFile, HintGone, HintHeader, Kind, PACK_HEADER_LEN,
    PackFormatError, PackHeader, RECORD_HEADER_LEN, Record, RecordHeader, Victim,
};
use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::{collection, prop_assert, prop_assert_eq};

const NAME: &[u8] = b"00/00/fwAABGsC4I2AIaxRAAAADg4Qul0217.txt";

fn pack_header() -> PackHeader {
    PackHeader {
        number: 3,
        covers: 7,
        first_sequence: 1 << 40,
        rewritten: (1 << 40) + 9,
        binlog_index: 2,
        binlog_offset: 1 << 33,
    }
}

fn hint_header() -> HintHeader {
    HintHeader {
        number: 3,
        covers: 7,
        rewritten: 9,
        end: 1 << 34,
        files: 5,
        gone: 6,
        key_check: u64::MAX - 1,
        list_checksum: 0x0102_0304,
    }
}

fn file() -> Vec<u8> {
    let mut bytes = Vec::new();
    Record::encode(5, Kind::File, b'C', 1_795_350_669, b"hello fastdfs\n", NAME, &mut bytes).unwrap();
    bytes
}

fn gone() -> Vec<u8> {
    let victim = Victim { sequence: 5, pack: 3 };
    let mut bytes = Vec::new();
    Record::encode(6, Kind::Gone, b'D', 1_795_350_670, &victim.encode(), NAME, &mut bytes).unwrap();
    bytes
}

/// Every byte changed in turn.
fn damaged(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..bytes.len()).flat_map(move |at| {
        [0x01, 0x80, 0xff].map(|bits| {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= bits;
            (at, damaged)
        })
    })
}

#[test]
fn headers_read_back_and_have_64_bytes() {
    assert_eq!(PackHeader::decode(&pack_header().encode()), Ok(pack_header()));
    assert_eq!(HintHeader::decode(&hint_header().encode()), Ok(hint_header()));
    assert_eq!(PackHeader::decode(&pack_header().encode()[..63]), Err(PackFormatError::Short));
    assert_eq!(HintHeader::decode(&pack_header().encode()), Err(PackFormatError::Magic));
    assert_eq!(PackHeader::decode(&hint_header().encode()), Err(PackFormatError::Magic));
}

#[test]
fn a_pack_that_covers_less_than_itself_is_none() {
    let header = PackHeader { covers: 2, ..pack_header() };
    assert_eq!(PackHeader::decode(&header.encode()), Err(PackFormatError::Length));
}

#[test]
fn any_damaged_byte_of_a_header_is_noticed() {
    for (at, bytes) in damaged(&pack_header().encode()) {
        assert!(PackHeader::decode(&bytes).is_err(), "byte {at}");
    }
    for (at, bytes) in damaged(&hint_header().encode()) {
        assert!(HintHeader::decode(&bytes).is_err(), "byte {at}");
    }
}

#[test]
fn a_file_reads_back() {
    let bytes = file();
    assert_eq!(bytes.len() % ALIGN, 0);
    let record = Record::decode(&bytes).unwrap();
    assert_eq!((record.content, record.name), (&b"hello fastdfs\n"[..], NAME));
    assert_eq!((record.header.sequence, record.header.kind, record.header.op), (5, Kind::File, b'C'));
    assert_eq!((record.header.mtime, record.victim()), (1_795_350_669, None));
    assert_eq!((record.header.with_before, record.header.with_next), (false, false));
    assert_eq!(record.header.record_len(), RECORD_HEADER_LEN + 14 + 40);
    assert_eq!(record.header.padded_len(), bytes.len());
    assert_eq!(RecordHeader::name_at(14), 46);
}

#[test]
fn a_gone_record_names_what_is_gone() {
    let bytes = gone();
    let record = Record::decode(&bytes).unwrap();
    assert_eq!((record.header.kind, record.name), (Kind::Gone, NAME));
    assert_eq!(record.victim(), Some(Victim { sequence: 5, pack: 3 }));
    let mut short = Vec::new();
    Record::encode(6, Kind::Gone, b'D', 0, b"15 bytes or so.", NAME, &mut short).unwrap();
    assert_eq!(Record::decode(&short), Err(PackFormatError::Length));
}

#[test]
fn records_of_one_change_say_so_and_can_be_parted_again() {
    for (with_before, with_next) in [(true, false), (false, true), (true, true)] {
        let mut bytes = gone();
        Record::join(&mut bytes, with_before, with_next).unwrap();
        let header = Record::decode(&bytes).unwrap().header;
        assert_eq!((header.with_before, header.with_next), (with_before, with_next));
        Record::join(&mut bytes, false, false).unwrap();
        assert_eq!(bytes, gone());
    }
    assert_eq!(Record::join(&mut gone()[..40], true, false), Err(PackFormatError::Short));
}

#[test]
fn any_damaged_byte_of_a_record_is_noticed() {
    for record in [file(), gone()] {
        let whole = RecordHeader::decode(&record).unwrap().record_len();
        for (at, bytes) in damaged(&record[..whole]) {
            assert!(Record::decode(&bytes).is_err(), "byte {at}");
        }
        for len in 0..whole {
            assert!(Record::decode(&record[..len]).is_err(), "{len} bytes");
        }
    }
}

#[test]
fn the_largest_content_and_name_fit_and_more_does_not() {
    let (mut out, name) = (Vec::new(), [b'n'; 255]);
    let content = vec![7; CONTENT_MAX + 1];
    let mut encode =
        |content: &[u8], name: &[u8]| Record::encode(1, Kind::File, 0, 0, content, name, &mut out);
    assert_eq!(encode(&content, &name), Err(PackFormatError::Length));
    assert_eq!(encode(b"", &[b'n'; 256]), Err(PackFormatError::Length));
    assert_eq!(encode(&content[..CONTENT_MAX], &name), Ok(()));
    let record = Record::decode(&out).unwrap();
    assert_eq!((record.content.len(), record.name), (CONTENT_MAX, &name[..]));
}

#[test]
fn a_header_that_announces_too_much_or_something_unknown_is_refused() {
    let changed = |at: usize, byte: u8| {
        let mut bytes = file();
        bytes[at] = byte;
        RecordHeader::decode(&bytes).map(|header| header.content_len)
    };
    assert_eq!(changed(24, 1), Err(PackFormatError::Length));
    assert_eq!(changed(16, 0), Err(PackFormatError::Kind));
    assert_eq!(changed(16, 3), Err(PackFormatError::Kind));
    assert_eq!(changed(19, 4), Err(PackFormatError::Kind));
    assert_eq!(changed(0, b'D'), Err(PackFormatError::Magic));
}

#[test]
fn what_a_hint_lists_reads_back() {
    let file = HintFile {
        fingerprint: *b"0123456789ab",
        sequence: 77,
        at: u32::MAX,
        content_len: CONTENT_MAX as u32,
        name_len: 255,
    };
    let gone = HintGone { sequence: u64::MAX, victim: Victim { sequence: 5, pack: 3 }, at: 9 };
    let mut list = Vec::new();
    file.encode(&mut list);
    gone.encode(&mut list);
    assert_eq!(list.len(), HINT_FILE_LEN + HINT_GONE_LEN);
    assert_eq!(HintFile::decode(&list), Ok(file));
    assert_eq!(HintGone::decode(&list[HINT_FILE_LEN..]), Ok(gone));
    assert_eq!(HintFile::decode(&list[..HINT_FILE_LEN - 4]), Err(PackFormatError::Short));
    assert_eq!(HintGone::decode(&list[..HINT_GONE_LEN - 1]), Err(PackFormatError::Short));
    list[20] = 1;
    assert_eq!(HintFile::decode(&list), Err(PackFormatError::Length));
}

/// Reads a pack of `fixtures/` with nothing but the format: the sequence numbers, kinds and contents of its records.
fn records(pack: &[u8]) -> Vec<(u64, Kind, String)> {
    let (mut at, mut found) = (PACK_HEADER_LEN, Vec::new());
    while let Ok(record) = Record::decode(&pack[at..]) {
        let text = match record.victim() {
            Some(victim) => format!("{} of {}", victim.sequence, victim.pack),
            None => String::from_utf8_lossy(record.content).into_owned(),
        };
        found.push((record.header.sequence, record.header.kind, text));
        at += record.header.padded_len();
        if at >= pack.len() {
            break;
        }
    }
    found
}

#[test]
fn packs_written_by_the_first_version_are_read() {
    let pack = include_bytes!("../../../fixtures/cairn-packs-1/000000000001.pack");
    let header = PackHeader {
        number: 1,
        covers: 2,
        first_sequence: 1,
        rewritten: 10,
        binlog_index: 0,
        binlog_offset: 0,
    };
    assert_eq!(PackHeader::decode(pack), Ok(header));
    let file = |sequence, content: &str| (sequence, Kind::File, content.to_owned());
    let gone = |sequence, victim: &str| (sequence, Kind::Gone, victim.to_owned());
    assert_eq!(records(pack), [file(2, "two"), file(4, "four"), file(6, "six")]);
    let pack = include_bytes!("../../../fixtures/cairn-packs-1/000000000003.pack");
    assert_eq!(records(pack), [gone(7, "1 of 1"), gone(8, "3 of 1"), gone(9, "5 of 2"), file(10, "seven")]);
    let pack = include_bytes!("../../../fixtures/cairn-packs-1/000000000004.pack");
    assert_eq!(
        records(pack),
        [
            gone(11, "2 of 1"),
            gone(12, "10 of 3"),
            file(13, "four again"),
            gone(14, "4 of 1"),
            file(15, "eight"),
        ]
    );
    let hint = include_bytes!("../../../fixtures/cairn-packs-1/000000000003.hint");
    let header = HintHeader::decode(hint).unwrap();
    assert_eq!((header.number, header.covers, header.rewritten, header.files, header.gone), (3, 3, 0, 1, 3));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_hurt_a_reader(mut bytes in collection::vec(any::<u8>(), 0..400), magic in 0..4usize) {
        let magics: [&[u8]; 4] = [b"", b"CPR1", b"CAIRNP01", b"CAIRNH01"];
        let len = magics[magic].len().min(bytes.len());
        bytes[..len].copy_from_slice(&magics[magic][..len]);
        if magic == 1 && bytes.len() > 24 {
            // Near enough to a record that its lengths are looked at.
            bytes[16] = 1 + bytes[16] % 2;
            bytes[19] %= 4;
            bytes[24] = 0;
        }
        let _ = PackHeader::decode(&bytes);
        let _ = HintHeader::decode(&bytes);
        let _ = HintFile::decode(&bytes);
        let _ = HintGone::decode(&bytes);
        let _ = Record::join(&mut bytes.clone(), true, true);
        if let Ok(header) = RecordHeader::decode(&bytes) {
            prop_assert!(header.padded_len() < CONTENT_MAX + 512);
        }
        if let Ok(record) = Record::decode(&bytes) {
            prop_assert!(record.content.len() + record.name.len() <= bytes.len());
        }
    }

    #[test]
    fn any_record_reads_back(
        (sequence, op, mtime) in (any::<u64>(), any::<u8>(), any::<u32>()),
        content in collection::vec(any::<u8>(), 0..200),
        name in collection::vec(any::<u8>(), 0..=255),
        before in collection::vec(any::<u8>(), 0..9),
    ) {
        let mut out = before.clone();
        Record::encode(sequence, Kind::File, op, mtime, &content, &name, &mut out).unwrap();
        prop_assert_eq!(&out[..before.len()], &before[..]);
        let record = Record::decode(&out[before.len()..]).unwrap();
        prop_assert_eq!(record.content, &content[..]);
        prop_assert_eq!(record.name, &name[..]);
        let header = record.header;
        prop_assert_eq!((header.sequence, header.op, header.mtime), (sequence, op, mtime));
        prop_assert_eq!(header.padded_len(), out.len() - before.len());
    }
}
