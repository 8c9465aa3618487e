//! The binary answers to the name it is called by.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::process::Command;

#[test]
fn a_link_with_a_tools_name_is_that_tool() {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    let installed =
        Command::new(env!("CARGO_BIN_EXE_cairn")).arg("install-tools").arg(&bin).output().unwrap();
    assert!(installed.status.success(), "{installed:?}");
    let file = folder.path().join("check");
    fs::write(&file, "123456789").unwrap();
    let output = Command::new(bin.join("fdfs_crc32")).arg(&file).output().unwrap();
    // The check value of CRC-32/IEEE.
    assert_eq!(String::from_utf8_lossy(&output.stdout), "cbf43926\n");
    let usage = Command::new(bin.join("fdfs_delete_file")).output().unwrap();
    assert_eq!(usage.status.code(), Some(1));
    let text = String::from_utf8_lossy(&usage.stdout).into_owned();
    assert!(text.starts_with("Usage: ") && text.contains("bin/fdfs_delete_file CONF FILE_ID"), "{text}");
}

#[test]
fn a_tool_that_nobody_reads_any_more_ends_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("check");
    fs::write(&file, "123456789").unwrap();
    let mut child = Command::new("sh")
        .args(["-c", "{ \"$0\" fdfs_crc32 \"$1\"; echo status $? >&2; } | true"])
        .args([env!("CARGO_BIN_EXE_cairn").as_ref(), file.as_os_str()])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut err = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut err).unwrap();
    child.wait().unwrap();
    assert!(!err.contains("panicked"), "{err}");
}
