//! A file system of a few megabytes, to be full soon.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

/// A mounted tmpfs, unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    point: PathBuf,
    _folder: TempDir,
}

impl SmallDisk {
    /// Mounts one; the reason when this machine does not let us.
    ///
    /// # Errors
    /// When no folder can be made for it.
    pub fn mount(mib: u32) -> Result<std::result::Result<SmallDisk, String>> {
        let folder = tempfile::Builder::new().prefix("cairn-disk-").tempdir()?;
        let point = folder.path().join("disk");
        std::fs::create_dir(&point)?;
        let size = format!("size={mib}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&point).output();
        Ok(match mounted {
            Ok(output) if output.status.success() => Ok(SmallDisk { point, _folder: folder }),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(format!("cannot run mount: {error}")),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.point
    }

    /// Bytes that can still be written.
    ///
    /// # Errors
    /// What the system says.
    pub fn free(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.point)?;
        Ok(stat.f_bavail * stat.f_frsize)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that is being killed may still have files open.
        let _ = Command::new("umount").arg("--lazy").arg(&self.point).status();
    }
}
