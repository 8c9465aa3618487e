//! A folder on a part of the disk where new files are cheap.
//!
//! ext4 without a journal does not give a deleted inode to a new file for one to six minutes, and searches past all such
//! inodes again at every creation: where a measurement has just deleted its files, the next one would find uploads up to
//! twenty times slower. So the servers of a measurement get a part of the disk where that is not so.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::fs::IFlags;
use tempfile::TempDir;

/// Parts of the disk looked at before the best of them is taken.
const TRIES: usize = 16;
/// Files made to see what one costs there.
const PROBES: u32 = 200;
/// What one may cost: about ten times the usual, a tenth of what it is where many were just deleted.
const CHEAP: Duration = Duration::from_micros(80);

/// A new folder inside this one; removed when dropped.
pub(crate) fn cheap_folder(within: &Path) -> Result<TempDir> {
    std::fs::create_dir_all(within).with_context(|| format!("make {}", within.display()))?;
    spread_subfolders(within);
    let mut dear: Vec<(Duration, TempDir)> = Vec::new();
    for _ in 0..TRIES {
        // The dear ones stay until one is chosen, or the same place would be given again.
        let folder = tempfile::Builder::new().prefix("region-").tempdir_in(within)?;
        let cost = cost_of_a_file(folder.path()).context("probe the disk")?;
        if cost <= CHEAP {
            return Ok(folder);
        }
        dear.push((cost, folder));
    }
    dear.sort_by_key(|(cost, _)| *cost);
    dear.into_iter().next().map(|(_, folder)| folder).context("no folder")
}

/// The probes stay until the folder goes: deleting them here would spoil the place.
fn cost_of_a_file(folder: &Path) -> Result<Duration> {
    let probes = folder.join("probes");
    std::fs::create_dir(&probes)?;
    let start = Instant::now();
    for number in 0..PROBES {
        std::fs::write(probes.join(number.to_string()), "")?;
    }
    Ok(start.elapsed() / PROBES)
}

/// Asks the file system to put each new subfolder elsewhere on the disk, as it does at the top of a disk.
fn spread_subfolders(folder: &Path) {
    // Not every file system knows the flag, nor does every one need it.
    let Ok(folder) = std::fs::File::open(folder) else { return };
    if let Ok(flags) = rustix::fs::ioctl_getflags(&folder) {
        let _ = rustix::fs::ioctl_setflags(&folder, flags | IFlags::TOPDIR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_is_new_and_goes_when_dropped() {
        let within = tempfile::tempdir().unwrap();
        let folders = [cheap_folder(within.path()).unwrap(), cheap_folder(within.path()).unwrap()];
        assert_ne!(folders[0].path(), folders[1].path());
        drop(folders);
        assert_eq!(std::fs::read_dir(within.path()).unwrap().count(), 0);
    }
}
