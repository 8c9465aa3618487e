//! Small things to do with files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Replaces a file at once and durably: a reader sees the old or the new content, also after a crash.
///
/// # Errors
/// What the file system says; the old content stays.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temp = path.as_os_str().to_owned();
    temp.push(".tmp");
    let mut file = File::create(&temp)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temp, path)?;
    sync_parent(path)
}

/// Makes the entry of `path` in its folder durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}
