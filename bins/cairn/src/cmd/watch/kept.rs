//! The file with what outlives a restart.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use daemon::pid_file::PidFile;
use daemon::state_file;
use watch_core::kept::{Kept, LEN_MAX};

/// In the base path.
const FILE: &str = "watch.json";
const PID_FILE: &str = "watch.pid";
const FOLDER_MODE: u32 = 0o755;

/// The file, which nobody else writes meanwhile.
#[derive(Debug)]
pub(crate) struct KeptFile {
    path: PathBuf,
    /// What is in it.
    written: Vec<u8>,
    _pid_file: PidFile,
}

impl KeptFile {
    /// Takes the file in this folder, which is made; what was kept in it.
    pub(crate) fn take(folder: &Path) -> anyhow::Result<(Self, Kept)> {
        let mut maker = DirBuilder::new();
        maker.recursive(true).mode(FOLDER_MODE);
        maker.create(folder).with_context(|| format!("create {}", folder.display()))?;
        let pid_file = PidFile::take(&folder.join(PID_FILE), "cairn watch")?;
        let path = folder.join(FILE);
        let kept = match read(&path) {
            Ok(None) => Kept::default(),
            Ok(Some(bytes)) => Kept::from_bytes(&bytes).unwrap_or_else(|error| {
                set_aside(&path, &error.to_string());
                Kept::default()
            }),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        Ok((Self { path, written: Vec::new(), _pid_file: pid_file }, kept))
    }

    /// Writes it, unless this is what is in it. Waits for the disk, which is all there is to wait for.
    pub(crate) fn keep(&mut self, kept: &Kept) {
        let bytes = match kept.to_bytes() {
            Ok(bytes) if bytes != self.written => bytes,
            Ok(_) => return,
            Err(error) => return tracing::error!(%error, "what is known cannot be written"),
        };
        match state_file::replace(&self.path, &bytes) {
            Ok(()) => self.written = bytes,
            Err(error) => tracing::error!(
                %error,
                path = %self.path.display(),
                "what is known cannot be kept: after a restart it may be told again"
            ),
        }
    }
}

/// Nothing when there is no file.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(LEN_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// A file that cannot be read may tell somebody why.
fn set_aside(path: &Path, reason: &str) {
    let aside = path.with_extension("json.bad");
    let moved = fs::rename(path, &aside);
    tracing::error!(
        reason,
        path = %path.display(),
        set_aside = moved.is_ok(),
        "what was known cannot be used, so what is wrong is told again"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_set_aside_and_one_process_has_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        let (mut file, kept) = KeptFile::take(&path).unwrap();
        assert_eq!(kept, Kept::default());
        let kept = Kept::new(Vec::new(), [("email".to_owned(), Default::default())].into());
        file.keep(&kept);
        drop(file);
        let (file, again) = KeptFile::take(&path).unwrap();
        assert_eq!(again, kept);
        drop(file);
        fs::write(path.join(FILE), "{}").unwrap();
        let (_file, again) = KeptFile::take(&path).unwrap();
        assert_eq!(again, Kept::default());
        assert!(path.join("watch.json.bad").exists());
    }
}
