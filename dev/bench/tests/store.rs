//! `bench store` against real servers.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use testkit::cluster::{Cluster, Plan};

/// Two of ours, one compared with the other: each operation is measured, nothing fails, nothing stays behind.
#[test]
fn a_short_measurement_reports_every_operation_of_both_servers_and_leaves_no_file() {
    let ours = Plan::new().storage_key("durability", "fastdfs").start().unwrap();
    let theirs = Cluster::start().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["store", "--sizes", "1K,64K", "--connections", "1,8", "--rounds", "2", "--seconds", "0.1"])
        .args(["--tracker", &ours.tracker().to_string(), "--against", &theirs.tracker().to_string()])
        .args(["--json", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cells = report["cells"].as_array().unwrap();
    // 3 operations × 2 sizes × 2 connection counts
    assert_eq!(cells.len(), 12);
    for cell in cells {
        let subjects = cell["rounds"].as_array().unwrap();
        assert_eq!(subjects.len(), 2);
        for rounds in subjects {
            let rounds = rounds.as_array().unwrap();
            assert_eq!(rounds.len(), 2);
            assert!(rounds.iter().all(|figures| figures["operations"].as_u64().unwrap() > 0), "{cell}");
            assert!(rounds.iter().all(|figures| figures["errors"] == 0), "{cell}");
        }
    }
    for cluster in [&ours, &theirs] {
        assert_eq!(files_below(&cluster.storages[0].store_paths[0].join("data")), 0);
        cluster.check_logs(&[]).unwrap();
    }
}

#[test]
fn a_tracker_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["store", "--tracker", "127.0.0.1:9"])
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("connect to 127.0.0.1:9"), "{words}");
}

/// Files in the two-level directories that hold stored files.
fn files_below(data: &Path) -> usize {
    let entries = std::fs::read_dir(data).into_iter().flatten().flatten().map(|entry| entry.path());
    let stored = |path: &Path| path.file_name().is_some_and(|name| name.len() == 2);
    entries
        .filter(|path| stored(path))
        .flat_map(|path| std::fs::read_dir(path).into_iter().flatten().flatten())
        .flat_map(|entry| std::fs::read_dir(entry.path()).into_iter().flatten().flatten())
        .count()
}
