//! Following the binlog, and the marks of peers.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use fdfs_format::Mark;
use fdfs_format::binlog::LineError;
use flate2::Compression;
use flate2::write::GzEncoder;
use storage_core::replication::LogPosition;
use store::binlog::{Binlog, KeptMark, LogLine, LogReader, MarkFile, Read};
use tempfile::TempDir;

fn at(file: u32, offset: u64) -> LogPosition {
    LogPosition { file, offset }
}

fn line(n: u32) -> String {
    format!("17000000{n:02} C M00/00/00/file{n:06}\n")
}

const LINE_LEN: u64 = 34;

/// Reads on until the end.
fn read(reader: &mut LogReader, log: &Binlog) -> Vec<LogLine> {
    let mut lines = Vec::new();
    while reader.read(log, &mut lines).unwrap() == Read::More {}
    lines
}

/// The numbers of the records, `None` for what is no record.
fn numbers(lines: &[LogLine]) -> Vec<Option<i64>> {
    lines
        .iter()
        .map(|line| line.record.as_ref().ok().map(|record| record.timestamp - 1_700_000_000))
        .collect()
}

fn log_with(files: &[(&str, &[u8])]) -> (TempDir, Binlog) {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(dir.path().join(name), content).unwrap();
    }
    let log = Binlog::open(dir.path()).unwrap();
    (dir, log)
}

#[test]
fn a_reader_sees_lines_that_are_only_in_memory_and_goes_on_as_they_come() {
    let (_dir, log) = log_with(&[]);
    let mut reader = LogReader::open(&log, at(0, 0)).unwrap();
    assert_eq!(read(&mut reader, &log), []);
    log.append(line(1).as_bytes());
    log.append(line(2).as_bytes());
    let lines = read(&mut reader, &log);
    assert_eq!(numbers(&lines), [Some(1), Some(2)]);
    assert_eq!((lines[1].at, lines[1].end), (at(0, LINE_LEN), at(0, 2 * LINE_LEN)));
    log.append(line(3).as_bytes());
    assert_eq!(numbers(&read(&mut reader, &log)), [Some(3)]);
    assert_eq!((reader.position(), reader.skipped()), (at(0, 3 * LINE_LEN), 0));
    assert_eq!(log.len_from(at(0, LINE_LEN)), 2 * LINE_LEN);
}

#[tokio::test]
async fn whoever_waits_for_lines_is_told() {
    let (_dir, log) = log_with(&[]);
    let mut appended = log.appended();
    let waiting = tokio::spawn(async move { appended.changed().await });
    log.append(line(1).as_bytes());
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap().unwrap();
}

#[test]
fn a_reader_goes_from_file_to_file_compressed_ones_included() {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    gz.write_all([line(1), line(2)].concat().as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    let (_dir, log) = log_with(&[
        ("binlog.000.gz", &gz),
        ("binlog.001", line(3).as_bytes()),
        ("binlog.002", line(4).as_bytes()),
    ]);
    let mut reader = LogReader::open(&log, at(0, 0)).unwrap();
    let lines = read(&mut reader, &log);
    assert_eq!(numbers(&lines), [Some(1), Some(2), Some(3), Some(4)]);
    assert_eq!((lines[2].at, reader.position()), (at(1, 0), at(2, LINE_LEN)));
    let mut reader = LogReader::open(&log, at(0, LINE_LEN)).unwrap();
    assert_eq!(numbers(&read(&mut reader, &log)), [Some(2), Some(3), Some(4)]);
}

#[test]
fn d28_a_file_that_is_missing_is_stepped_over() {
    let (_dir, log) = log_with(&[("binlog.000", line(1).as_bytes()), ("binlog.002", line(3).as_bytes())]);
    let mut reader = LogReader::open(&log, at(0, 0)).unwrap();
    assert_eq!(numbers(&read(&mut reader, &log)), [Some(1), Some(3)]);
}

#[test]
fn d5_torn_empty_and_overlong_lines_are_counted_and_stepped_over() {
    let bad = ["\n", "17000000\n", &format!("1700000001 C M00/00/00/{}\n", "x".repeat(300)), "\0\0\0\0"];
    let first = [&line(1), bad[0], bad[1], bad[2], bad[3], &line(2), "1700000003 C M00/0"].concat();
    let (_dir, log) = log_with(&[("binlog.000", first.as_bytes()), ("binlog.001", line(4).as_bytes())]);
    let mut reader = LogReader::open(&log, at(0, 0)).unwrap();
    let lines = read(&mut reader, &log);
    assert_eq!(numbers(&lines), [Some(1), None, None, None, None, Some(2), None, Some(4)]);
    assert_eq!(lines[3].record, Err(LineError::TooLong));
    assert_eq!((lines[6].end, lines[7].at), (at(1, 0), at(1, 0)), "the torn end leads to the next file");
    assert_eq!(reader.skipped(), 5);
    // Each line begins where the one before it ends.
    assert!(lines.windows(2).all(|pair| pair[0].end == pair[1].at));
}

#[test]
fn d7_a_place_in_the_middle_of_a_line_is_read_from_its_beginning() {
    let (_dir, log) = log_with(&[("binlog.000", [line(1), line(2)].concat().as_bytes())]);
    let mut reader = LogReader::open(&log, at(0, LINE_LEN + 7)).unwrap();
    assert_eq!(numbers(&read(&mut reader, &log)), [Some(2)]);
}

#[test]
fn a_place_that_the_log_does_not_have_any_more_gives_way_to_an_earlier_one() {
    let (_dir, log) = log_with(&[("binlog.000", line(1).as_bytes()), ("binlog.001", line(2).as_bytes())]);
    let mut reader = LogReader::open(&log, at(1, 5_000)).unwrap();
    assert_eq!(numbers(&read(&mut reader, &log)), [Some(2)]);
    let mut reader = LogReader::open(&log, at(7, 0)).unwrap();
    assert_eq!(numbers(&read(&mut reader, &log)), [Some(1), Some(2)]);
}

fn mark(binlog_offset: u64) -> Mark {
    Mark { binlog_offset, need_sync_old: true, until_timestamp: 1_700_000_000, ..Mark::default() }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn d6_of_a_broken_mark_the_one_before_it_is_used_and_without_it_none() {
    let dir = tempfile::tempdir().unwrap();
    let file = MarkFile::new(dir.path(), "10.0.0.2_23000.mark");
    assert_eq!(file.load().unwrap(), KeptMark::Nothing);
    for offset in [10, 20, 30] {
        file.save(&mark(offset)).unwrap();
        assert_eq!(file.load().unwrap(), KeptMark::Newest(mark(offset)));
    }
    let path = dir.path().join("10.0.0.2_23000.mark");
    for broken in [&b""[..], b"binlog_index=0\n", &[0; 60], &[b'x'; 100_000]] {
        fs::write(&path, broken).unwrap();
        assert_eq!(file.load().unwrap(), KeptMark::Older(mark(20)));
    }
    // A broken one never takes the place of the one before it.
    file.save(&mark(40)).unwrap();
    fs::write(&path, b"").unwrap();
    assert_eq!(file.load().unwrap(), KeptMark::Older(mark(20)));
    fs::remove_file(&path).unwrap();
    assert_eq!(file.load().unwrap(), KeptMark::Older(mark(20)));
    fs::write(&path, b"").unwrap();
    fs::write(dir.path().join("10.0.0.2_23000.mark.last"), b"").unwrap();
    assert_eq!(file.load().unwrap(), KeptMark::Broken);
}

#[test]
fn the_mark_of_a_peer_that_left_is_put_away_under_a_name_with_the_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = MarkFile::new(dir.path(), "100002.mark");
    file.save(&mark(10)).unwrap();
    file.save(&mark(20)).unwrap();
    file.retire("20260701120000").unwrap();
    assert_eq!(names(dir.path()), ["100002.mark.20260701120000"]);
    assert_eq!(file.load().unwrap(), KeptMark::Nothing);
    file.retire("20260701120001").unwrap();
    assert_eq!(names(dir.path()), ["100002.mark.20260701120000"]);
}

#[test]
fn a_place_before_the_end_may_be_in_an_earlier_file() {
    let (_dir, log) = log_with(&[
        ("binlog.001", [line(1), line(2)].concat().as_bytes()),
        ("binlog.002", line(3).as_bytes()),
    ]);
    assert_eq!(log.place_before_end(10), (2, LINE_LEN - 10));
    assert_eq!(log.place_before_end(LINE_LEN), (2, 0));
    assert_eq!(log.place_before_end(LINE_LEN + 10), (1, 2 * LINE_LEN - 10));
    // What was compressed, or removed, is not gone into.
    assert_eq!(log.place_before_end(u64::MAX), (1, 0));
}
