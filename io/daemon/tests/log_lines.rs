//! The log as a process sees it: one subscriber for all, so one test.

use std::fs;

use daemon::log::{LogSetup, Rotation, init};
use tracing::level_filters::LevelFilter;

#[test]
fn events_become_lines_in_the_shape_of_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storaged.log");
    let setup =
        LogSetup { file: Some((path.clone(), Rotation::default())), stderr: false, level: LevelFilter::INFO };
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
    drop(guard);

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
