//! Rules about the text of the project that no compiler knows.

use std::path::Path;

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// Files looked at, by extension.
const EXTENSIONS: [&str; 7] = ["rs", "toml", "md", "py", "sh", "yml", "conf"];
/// Recorded bytes and what was printed by other programs are as they are.
const NOT_OURS: [&str; 1] = ["fixtures/fastdfs-6.16.1"];
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["common", "utils", "util", "helpers", "misc", "manager"];

// Spelled apart, so that this file does not break its own rules.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/tm", "p/")];
const SKIPPED_TEST: &str = concat!("#[ig", "nore");

/// Every line that breaks a rule.
pub(crate) fn faults(workspace: &Workspace) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for path in workspace.files()? {
        let known =
            path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known));
        if !known || NOT_OURS.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        let text = std::fs::read_to_string(workspace.root.join(&path))
            .with_context(|| format!("read {}", path.display()))?;
        faults.extend(faults_in(&path, &text));
    }
    Ok(faults)
}

fn faults_in(path: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut add = |line: usize, what: String| faults.push(format!("{}:{line}: {what}", path.display()));
    let rust = path.extension().is_some_and(|extension| extension == "rs");
    // Attributes of the whole file may stand above its sentence.
    let first = text.lines().find(|line| !line.is_empty() && !line.starts_with("#!["));
    // A fuzz target is one line: the name of the function that it feeds.
    let fuzz_target = text.starts_with("#![no_main]");
    if rust && !fuzz_target && !first.is_some_and(|line| line.starts_with("//!")) {
        add(1, "does not begin with `//!`: what is in this file?".to_owned());
    }
    let stem = path.file_stem().unwrap_or_default();
    if rust && EMPTY_NAMES.iter().any(|name| stem == *name) {
        add(1, format!("a file called {} says nothing about what is inside", stem.display()));
    }
    for (index, line) in text.lines().enumerate() {
        if let Some(mark) = UNFINISHED.iter().find(|mark| has_word(line, mark)) {
            add(index + 1, format!("{mark}: finish it, or say why it is as it is"));
        }
        if let Some(path) = MACHINE_PATHS.iter().find(|path| has_path(line, path)) {
            add(index + 1, format!("{path} is a path of one machine"));
        }
        if rust && line.contains(SKIPPED_TEST) {
            add(index + 1, "a test that is skipped proves nothing".to_owned());
        }
    }
    faults
}

/// Does an absolute path begin so, and not the middle of another one?
fn has_path(line: &str, path: &str) -> bool {
    let part_of_path = |c: char| c.is_alphanumeric() || "._-{}".contains(c);
    line.match_indices(path).any(|(at, _)| !line[..at].ends_with(part_of_path))
}

/// Does the word stand there by itself, not as a part of a longer one?
fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(part_of_word) && !line[at + word.len()..].starts_with(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        faults_in(Path::new(path), text)
    }

    #[test]
    fn a_file_without_its_sentence_at_the_top_is_found() {
        assert_eq!(found("pure/a/src/lib.rs", "//! Names.\n"), Vec::<String>::new());
        assert_eq!(found("io/a/src/b.rs", "#![allow(missing_docs)]\n\n//! Names.\n"), Vec::<String>::new());
        assert_eq!(
            found("dev/fuzz/fuzz_targets/a.rs", "#![no_main]\nfuzz_target!(a);\n"),
            Vec::<String>::new()
        );
        let faults = found("pure/a/src/lib.rs", "use std::fmt;\n");
        assert_eq!(faults, ["pure/a/src/lib.rs:1: does not begin with `//!`: what is in this file?"]);
    }

    #[test]
    fn unfinished_marks_are_found_as_words_only() {
        let text = format!("a {} here\n{}S are fine\n", UNFINISHED[0], UNFINISHED[0]);
        assert_eq!(found("README.md", &text).len(), 1);
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        let text = format!("see {}main\n", MACHINE_PATHS[0]);
        assert_eq!(found("docs/a.md", &text).len(), 1);
        let within = format!("see data{}main\n", MACHINE_PATHS[0]);
        assert_eq!(found("docs/a.md", &within).len(), 0);
    }

    #[test]
    fn a_skipped_test_is_found() {
        let text = format!("//! Tests.\n{}]\nfn a() {{}}\n", SKIPPED_TEST);
        assert_eq!(
            found("io/a/tests/a.rs", &text),
            ["io/a/tests/a.rs:2: a test that is skipped proves nothing"]
        );
    }

    #[test]
    fn a_file_with_a_name_for_anything_is_found() {
        assert_eq!(found("io/a/src/utils.rs", "//! Things.\n").len(), 1);
    }
}
