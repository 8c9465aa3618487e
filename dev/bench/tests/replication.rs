//! `bench replication` against real servers.

use std::process::Command;

#[test]
fn a_short_measurement_tells_how_far_a_member_is_behind_and_how_fast_a_new_one_is_filled() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["replication", "--durability", "disk,copies:2", "--connections", "4", "--seconds", "0.3"])
        .args(["--files", "200", "--storage-key", "subdir_count_per_path=4", "--binary"])
        .arg(testkit::binary::cairn().unwrap())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{words}{}", String::from_utf8_lossy(&output.stderr));
    let line = |with: &str| words.lines().filter(|line| line.contains(with)).count();
    assert_eq!(line("; the rest took "), 2, "{words}");
    assert_eq!(line("active after "), 1, "{words}");
    assert_eq!(line("processors used: first member "), 3, "{words}");
}
