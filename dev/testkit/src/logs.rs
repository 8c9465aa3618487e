//! Looks through what servers logged for lines nobody expected.

use std::path::Path;

use anyhow::{Result, ensure};

/// Level words of what needs attention, in our format and in that of the original.
const LOUD: [&str; 6] = ["WARN", "WARNING", "ERROR", "CRIT", "ALERT", "EMERG"];

/// Lines at WARN level or above that contain none of the `expected` texts.
#[must_use]
pub fn unexpected<'a>(log: &'a str, expected: &[&str]) -> Vec<&'a str> {
    log.lines().filter(|line| is_loud(line) && !expected.iter().any(|text| line.contains(text))).collect()
}

/// Scans every `*.log` file below a folder, without following links, and fails on an unexpected line.
///
/// # Errors
/// Shows the file and the lines.
pub fn check_folder(folder: &Path, expected: &[&str]) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            check_folder(&path, expected)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "log") {
            check_file(&path, expected)?;
        }
    }
    Ok(())
}

/// Scans one file, and fails on an unexpected line.
///
/// # Errors
/// Shows the file and the lines.
pub fn check_file(path: &Path, expected: &[&str]) -> Result<()> {
    let log = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
    let loud = unexpected(&log, expected);
    ensure!(loud.is_empty(), "{}:\n{}", path.display(), loud.join("\n"));
    Ok(())
}

/// The level is a word of its own among the first few of a line, after the time stamp; a panic counts too.
fn is_loud(line: &str) -> bool {
    let level = line.split_whitespace().take(4).any(|word| LOUD.contains(&word));
    level || (line.starts_with("thread '") && line.contains("panicked at"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
[2026-11-22 10:00:00] INFO - joined tracker=127.0.0.2:22122
[2026-11-22 10:00:01] WARNING - tracker lost tracker=127.0.0.2:22122
[2026-11-22 10:00:02] INFO - file named ERROR was stored
[2026-11-22 10:00:03] ERROR - disk full path=0
thread 'main' (12) panicked at src/main.rs:3:5:";

    #[test]
    fn warnings_errors_and_panics_are_found_and_nothing_else() {
        let loud = unexpected(LOG, &[]);
        assert_eq!(loud.len(), 3);
        assert!(
            loud[0].contains("tracker lost") && loud[1].contains("disk full") && loud[2].contains("panicked")
        );
    }

    #[test]
    fn an_expected_line_is_passed_over() {
        assert_eq!(unexpected(LOG, &["tracker lost", "disk full"]).len(), 1);
    }

    #[test]
    fn log_files_are_found_in_subfolders() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("logs")).unwrap();
        std::fs::write(folder.path().join("logs/storaged.log"), LOG).unwrap();
        std::fs::write(folder.path().join("notes.txt"), "now ERROR").unwrap();
        let words = check_folder(folder.path(), &["tracker lost"]).unwrap_err().to_string();
        assert!(
            words.contains("storaged.log") && words.contains("disk full") && !words.contains("tracker lost")
        );
        check_folder(folder.path(), &["tracker lost", "disk full", "panicked"]).unwrap();
    }

    #[test]
    fn links_are_not_followed_neither_to_their_own_folder_nor_to_a_log() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("good.log"), "fine").unwrap();
        std::os::unix::fs::symlink(".", folder.path().join("again")).unwrap();
        std::os::unix::fs::symlink("good.log", folder.path().join("latest.log")).unwrap();
        check_folder(folder.path(), &[]).unwrap();
    }
}
