//! The log as a process sees it: one subscriber for all, so one test.

use std::fs;

use daemon::log::{LogSetup, Rotation, init, open, rotate_all};
use tracing::level_filters::LevelFilter;

#[test]
fn events_become_lines_in_the_shape_of_the_original_and_all_logs_rotate_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storaged.log");
    let setup = LogSetup {
        file: Some((path.clone(), Rotation::default())),
        stderr: LevelFilter::OFF,
        level: LevelFilter::INFO,
    };
    let guard = init(setup).unwrap();
    tracing::info!(port = 23000, group = "group1", "storage listens");
    tracing::debug!("not for the file");
    {
        let span = tracing::info_span!("conn", peer = "127.0.0.1");
        let _inside = span.enter();
        tracing::warn!(name = ?"a\nb", "odd name");
    }
    let joined = std::thread::spawn(|| panic!("broken on purpose")).join();
    assert!(joined.is_err());
    let access_path = folder.path().join("access.log");
    let access = open(access_path.clone(), Rotation::default()).unwrap();
    access.sink().line(b"before");
    rotate_all();
    access.sink().line(b"after");
    drop(access);
    drop(guard);
    assert_eq!(fs::read_to_string(&access_path).unwrap(), "after\n");

    // The first log was rotated as well: its lines are in the file put aside.
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    let aside = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("storaged.log.");
    let path = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).find(aside).unwrap().path();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    let (stamps, rest): (Vec<&str>, Vec<&str>) = lines.iter().map(|line| line.split_at(22)).unzip();
    assert_eq!(rest[0], "INFO - storage listens port=23000 group=\"group1\"");
    assert_eq!(rest[1], "WARNING - odd name name=\"a\\nb\" conn{peer=\"127.0.0.1\"}");
    assert!(rest[2].starts_with("ERROR - panic place="), "{}", rest[2]);
    assert!(rest[2].contains("what=\"broken on purpose\""), "{}", rest[2]);
    for stamp in stamps {
        let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(shape, "[9999-99-99 99:99:99] ");
    }
}
