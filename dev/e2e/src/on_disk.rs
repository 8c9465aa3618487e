//! What lies in a store path, looked at without the server: is a file under a final name torn?

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use fdfs_fileid::{FileName, Kind};

/// How much of each kind was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Ordinary files, whose names hold their size and CRC-32; they were compared.
    pub normal: usize,
    /// Appenders and slaves, whose names do not hold it.
    pub others: usize,
    /// Metadata of any of them.
    pub metadata: usize,
}

/// Looks at every file of the first store path `M00` of a storage.
///
/// # Errors
/// Names a file that has not the size or CRC-32 that its name says, that is no file id, or that is metadata of nothing
/// or cannot be read as metadata.
pub fn check(store_path: &Path) -> Result<Found> {
    let mut found = Found::default();
    let mut names = BTreeSet::new();
    let mut metadata = Vec::new();
    for first in hex_folders(&store_path.join("data"))? {
        for second in hex_folders(&store_path.join("data").join(&first))? {
            for entry in fs::read_dir(store_path.join("data").join(&first).join(&second))? {
                let entry = entry?;
                let base = entry.file_name().into_string().ok().context("a name that is no text")?;
                let text = format!("M00/{first}/{second}/{base}");
                let name = FileName::parse(text.as_bytes()).with_context(|| text.clone())?;
                if let Some(master) = name.metadata_master() {
                    let bytes = fs::read(entry.path())?;
                    ensure!(
                        is_metadata(&bytes),
                        "{text} is not metadata: {:?}",
                        String::from_utf8_lossy(&bytes)
                    );
                    metadata.push(master);
                    continue;
                }
                match name.kind() {
                    Kind::Normal => {
                        compare(&name, &fs::read(entry.path())?)?;
                        found.normal += 1;
                    }
                    Kind::Appender | Kind::Slave => found.others += 1,
                    Kind::Trunk => bail!("{text}: nobody writes trunk files here"),
                }
                names.insert(name);
            }
        }
    }
    found.metadata = metadata.len();
    let orphan = metadata.iter().find(|master| !names.contains(*master));
    ensure!(orphan.is_none(), "metadata of {orphan:?}, which is not there");
    Ok(found)
}

fn compare(name: &FileName, content: &[u8]) -> Result<()> {
    let stamp = name.stamp().with_context(|| format!("{name} has no stamp"))?;
    let (size, crc32) = (content.len() as u64, crc32fast::hash(content));
    ensure!(stamp.size.size() == Some(size), "{name} holds {size} bytes");
    ensure!(stamp.crc32 == crc32, "{name} has the CRC-32 {crc32:08x}, not {:08x}", stamp.crc32);
    Ok(())
}

/// `name 02 value` records with 01 between them (storage internals: store paths).
fn is_metadata(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == 1).all(|record| record.iter().filter(|byte| **byte == 2).count() == 1)
}

/// The folders `00` to `FF`.
fn hex_folders(parent: &Path) -> Result<Vec<String>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(parent).with_context(|| parent.display().to_string())? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if name.len() == 2 && u8::from_str_radix(&name, 16).is_ok() {
            folders.push(name);
        }
    }
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";

    #[test]
    fn a_torn_file_and_metadata_of_nothing_are_found() {
        let path = tempfile::tempdir().unwrap();
        let folder = path.path().join("data/00/1B");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(NAME), "hello fastdfs\n").unwrap();
        fs::write(folder.join(format!("{NAME}-m")), "a\u{2}b\u{1}c\u{2}d").unwrap();
        assert_eq!(check(path.path()).unwrap(), Found { normal: 1, others: 0, metadata: 1 });
        fs::write(folder.join(NAME), "hello fastdfs").unwrap();
        assert!(check(path.path()).unwrap_err().to_string().contains("13 bytes"));
        fs::write(folder.join(NAME), "Hello fastdfs\n").unwrap();
        assert!(check(path.path()).unwrap_err().to_string().contains("CRC-32"));
        fs::remove_file(folder.join(NAME)).unwrap();
        assert!(check(path.path()).unwrap_err().to_string().contains("metadata of"));
        fs::write(folder.join("leftover.tmp"), "").unwrap();
        check(path.path()).unwrap_err();
    }
}
