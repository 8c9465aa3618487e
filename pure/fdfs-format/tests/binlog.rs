//! Lines of the replication log: what is read, what is refused, and how reading goes on behind damage.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

use fdfs_fileid::{FileName, NameError};
use fdfs_format::binlog::{Change, LINE_LEN_MAX, LineError, Origin, Record};
use fdfs_format::{Line, LineReader, binlog_file, binlog_file_index, complete_len};

const NAME: &str = "M00/00/00/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";
const OTHER: &str = "M00/00/00/oYYBAGhjJTyEE1ebAAAAAA4Qul0015.log";

fn name(text: &str) -> FileName {
    FileName::parse(text.as_bytes()).unwrap()
}

fn parse(line: &str) -> Result<Record, LineError> {
    Record::parse(line.as_bytes())
}

fn read(bytes: &[u8]) -> (Vec<Line>, LineReader) {
    let (mut reader, mut lines) = (LineReader::new(0), Vec::new());
    reader.feed(bytes, &mut lines);
    (lines, reader)
}

fn what(lines: &[Line]) -> Vec<(u64, u64, Option<LineError>)> {
    lines.iter().map(|line| (line.offset, line.len, line.record.clone().err())).collect()
}

#[test]
fn every_operation_reads_and_writes_the_same() {
    let changes = [
        (format!("C {NAME}"), Change::Create { name: name(NAME) }),
        (format!("A {OTHER} 4096 512"), Change::Append { name: name(OTHER), offset: 4096, len: 512 }),
        (format!("D {NAME}-m"), Change::Delete { name: name(NAME).metadata_name() }),
        (format!("U {NAME}-m"), Change::Update { name: name(NAME).metadata_name() }),
        (
            format!("M {OTHER} 0 18446744073709551615"),
            Change::Modify { name: name(OTHER), offset: 0, len: u64::MAX },
        ),
        (format!("T {OTHER} 4608 0"), Change::Truncate { name: name(OTHER), old_size: 4608, new_size: 0 }),
        (format!("L {NAME} {OTHER}"), Change::Link { name: name(NAME), source: name(OTHER) }),
        (format!("R {NAME} {OTHER}"), Change::Rename { name: name(NAME), old: name(OTHER) }),
    ];
    for (text, change) in changes {
        let line = format!("1700000000 {text}");
        let record = parse(&line).unwrap();
        assert_eq!(
            record,
            Record { timestamp: 1_700_000_000, origin: Origin::Client, change: change.clone() }
        );
        assert_eq!(record.encode().unwrap(), format!("{line}\n"));

        let (letter, rest) = text.split_at(1);
        let line = format!("1700000000 {}{rest}", letter.to_ascii_lowercase());
        let record = parse(&line).unwrap();
        assert_eq!(record, Record { timestamp: 1_700_000_000, origin: Origin::Peer, change });
        assert_eq!(record.encode().unwrap(), format!("{line}\n"));
    }
}

#[test]
fn a_line_that_is_no_record_says_why() {
    assert_eq!(parse(""), Err(LineError::Columns));
    assert_eq!(parse("1700000000 C"), Err(LineError::Columns));
    assert_eq!(parse(&format!("x C {NAME}")), Err(LineError::Timestamp));
    assert_eq!(parse(&format!("+1 C {NAME}")), Err(LineError::Timestamp));
    assert_eq!(parse(&format!("99999999999999999999 C {NAME}")), Err(LineError::Timestamp));
    assert_eq!(parse(&format!("1700000000 X {NAME}")), Err(LineError::Operation));
    assert_eq!(parse(&format!("1700000000 CC {NAME}")), Err(LineError::Operation));
    assert_eq!(parse("1700000000 C ../../../etc/passwd"), Err(LineError::Name(NameError::Directories)));
    assert_eq!(parse(&format!("1700000000 C {NAME} 1")), Err(LineError::Name(NameError::Character)));
    assert_eq!(parse(&format!("1700000000 A {NAME}")), Err(LineError::Numbers));
    assert_eq!(parse(&format!("1700000000 A {NAME} 1")), Err(LineError::Numbers));
    assert_eq!(parse(&format!("1700000000 A {NAME} 1 -2")), Err(LineError::Numbers));
    assert_eq!(parse(&format!("1700000000 A {NAME} 1 2 3")), Err(LineError::Numbers));
    assert_eq!(parse(&format!("1700000000 R {NAME}")), Err(LineError::Name(NameError::TooShort)));
}

#[test]
fn the_links_that_the_original_writes_wrong_are_bad_names() {
    assert_eq!(parse("1700000000 l "), Err(LineError::Name(NameError::TooShort)));
    assert_eq!(parse(&format!("1700000000 L  {NAME}")), Err(LineError::Name(NameError::TooShort)));
}

#[test]
fn a_record_with_two_long_names_is_read_as_it_was_written() {
    let long = |digit: char| name(&format!("M00/00/00/{}", digit.to_string().repeat(60)));
    let record = |change| Record { timestamp: 1, origin: Origin::Client, change };
    let both = record(Change::Link { name: long('1'), source: long('2') });
    assert_eq!(Record::parse(both.encode().unwrap().trim_end().as_bytes()), Ok(both));

    let longest = |digit: char| name(&format!("M00/00/00/{}", digit.to_string().repeat(117)));
    let both = record(Change::Rename { name: longest('1'), old: longest('2') });
    assert_eq!(both.encode(), Err(LineError::TooLong));
}

#[test]
fn d5_a_torn_line_costs_only_itself() {
    let log = format!("1 C {NAME}\n2 D M00/00\n\n3 D {NAME}\n");
    let (lines, reader) = read(log.as_bytes());
    assert_eq!(
        what(&lines),
        [
            (0, 49, None),
            (49, 11, Some(LineError::Name(NameError::TooShort))),
            (60, 1, Some(LineError::Columns)),
            (61, 49, None),
        ]
    );
    assert_eq!(reader.offset(), log.len() as u64);
}

#[test]
fn d5_a_line_beyond_the_limit_costs_only_itself() {
    let line = |len: usize| format!("1 C {}\n", "x".repeat(len - 5));
    let log = format!("{}{}2 D {NAME}\n", line(LINE_LEN_MAX), line(10 * LINE_LEN_MAX));
    let (lines, _) = read(log.as_bytes());
    assert_eq!(
        what(&lines),
        [
            (0, 256, Some(LineError::Name(NameError::TooLong))),
            (256, 2560, Some(LineError::TooLong)),
            (2816, 49, None),
        ]
    );
}

#[test]
fn d5_zero_bytes_after_a_power_cut_do_not_hide_the_next_line() {
    let log = format!("1 C {NAME}\n{}2 D {NAME}\n", "\0".repeat(5000));
    let (lines, _) = read(log.as_bytes());
    assert_eq!(what(&lines), [(0, 49, None), (49, 5000, Some(LineError::Zeros)), (5049, 49, None)]);
    assert_eq!(lines[2].record.clone().unwrap().change, Change::Delete { name: name(NAME) });
}

#[test]
fn the_incomplete_end_stays_unread_until_its_newline_comes() {
    let log = format!("1 C {NAME}\n2 D {NAME}");
    let (lines, mut reader) = read(log.as_bytes());
    assert_eq!(lines.len(), 1);
    assert_eq!((reader.offset(), reader.incomplete_len()), (49, 48));

    let mut lines = Vec::new();
    reader.feed(b"\n", &mut lines);
    assert_eq!(what(&lines), [(49, 49, None)]);
    assert_eq!((reader.offset(), reader.incomplete_len()), (98, 0));
}

#[test]
fn a_reader_can_begin_where_another_stopped() {
    let log = format!("1 C {NAME}\n2 D {NAME}");
    let (_, reader) = read(log.as_bytes());
    let mut again = LineReader::new(reader.offset());
    let mut lines = Vec::new();
    again.feed(&log.as_bytes()[reader.offset() as usize..], &mut lines);
    again.feed(b"\n", &mut lines);
    assert_eq!(what(&lines), [(49, 49, None)]);
}

#[test]
fn the_size_of_the_pieces_makes_no_difference() {
    let long = "y".repeat(700);
    let log = format!("1 C {NAME}\n\0\0\0\0{long}\nrubbish\n\0\n2 A {OTHER} 1 2\n3 D");
    let (whole, end) = read(log.as_bytes());
    assert_eq!(whole.len(), 7);
    for piece in 1..300 {
        let (mut reader, mut lines) = (LineReader::new(0), Vec::new());
        for bytes in log.as_bytes().chunks(piece) {
            reader.feed(bytes, &mut lines);
        }
        assert_eq!(lines, whole, "pieces of {piece}");
        assert_eq!((reader.offset(), reader.incomplete_len()), (end.offset(), end.incomplete_len()));
    }
}

#[test]
fn the_complete_part_ends_behind_the_last_newline() {
    assert_eq!(complete_len(b"1 C a\n2 D"), 6);
    assert_eq!(complete_len(b"1 C a\n"), 6);
    assert_eq!(complete_len(b"1 C a"), 0);
    assert_eq!(complete_len(b""), 0);
}

#[test]
fn files_of_the_log_have_three_digits_or_more() {
    assert_eq!(binlog_file(0), "binlog.000");
    assert_eq!(binlog_file(1234), "binlog.1234");
    assert_eq!(binlog_file_index("binlog.012"), Some(12));
    assert_eq!(binlog_file_index("binlog.1234"), Some(1234));
    assert_eq!(binlog_file_index("binlog.0012"), None);
    assert_eq!(binlog_file_index("binlog.12"), None);
    assert_eq!(binlog_file_index("binlog.000.gz"), None);
    assert_eq!(binlog_file_index("binlog."), None);
    assert_eq!(binlog_file_index("binlog_index.dat"), None);
    assert_eq!(binlog_file_index("binlog.+12"), None);
}
