//! File systems of a few megabytes: one to be full soon, one to hang.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
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

/// A mounted ext4 of a few megabytes that can be made to hang; unmounted when dropped.
#[derive(Debug)]
pub struct HangingDisk {
    point: PathBuf,
    _folder: TempDir,
}

impl HangingDisk {
    /// Makes and mounts one; the reason when this machine does not let us.
    ///
    /// # Errors
    /// When no folder can be made for it.
    pub fn mount(mib: u64) -> Result<std::result::Result<HangingDisk, String>> {
        let folder = tempfile::Builder::new().prefix("cairn-disk-").tempdir()?;
        let (image, point) = (folder.path().join("image"), folder.path().join("disk"));
        std::fs::create_dir(&point)?;
        std::fs::File::create(&image)?.set_len(mib << 20)?;
        let mut make = Command::new("mkfs.ext4");
        make.arg("-q").arg(&image);
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]).arg(&image).arg(&point);
        for command in [&mut make, &mut mount] {
            match command.output() {
                Ok(output) if output.status.success() => {}
                Ok(output) => return Ok(Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
                Err(error) => return Ok(Err(format!("cannot run {command:?}: {error}"))),
            }
        }
        Ok(Ok(HangingDisk { point, _folder: folder }))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.point
    }

    /// Makes everything that would write to it wait until [`Hang`] goes.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn hang(&self) -> Result<Hang> {
        // Goes on when its input ends: the disk does not hang any longer than this process is there.
        let script = "fsfreeze --freeze \"$1\" && echo hangs && { read -r _; fsfreeze --unfreeze \"$1\"; }";
        let mut shell = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&self.point)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("run sh")?;
        let mut said = String::new();
        BufReader::new(shell.stdout.take().context("no output")?).read_line(&mut said)?;
        ensure!(said == "hangs\n", "fsfreeze: {said:?}");
        Ok(Hang { shell })
    }
}

impl Drop for HangingDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.point).status();
    }
}

/// A disk that hangs as long as this lives.
#[derive(Debug)]
pub struct Hang {
    shell: Child,
}

impl Drop for Hang {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
