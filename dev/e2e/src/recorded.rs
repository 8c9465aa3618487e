//! Folders that the original left, put where a test has its own.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::Path;

/// Replaces addresses in the state files of a folder.
pub fn readdress(folder: &Path, addresses: &[(&str, String)]) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let state = path.extension().is_some_and(|e| e == "dat") || path.ends_with(".data_init_flag");
        if path.is_dir() || !state {
            continue;
        }
        let mut text = fs::read_to_string(&path).unwrap();
        for (old, new) in addresses {
            // Not 127.0.0.3 in 127.0.0.33.
            let pieces: Vec<&str> = text.split(old).collect();
            let mut replaced = pieces[0].to_owned();
            for piece in &pieces[1..] {
                replaced.push_str(if piece.starts_with(|c: char| c.is_ascii_digit()) { old } else { new });
                replaced.push_str(piece);
            }
            text = replaced;
        }
        fs::write(&path, text).unwrap();
    }
}
