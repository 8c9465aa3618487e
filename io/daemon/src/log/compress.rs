//! Old log files, compressed as gzip does it, on a thread of their own.

use std::ffi::OsString;
use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Compresses some files at a time; those that fall due meanwhile are taken the next time.
#[derive(Default)]
pub(super) struct Compressor {
    thread: Option<JoinHandle<()>>,
}

impl Compressor {
    pub(super) fn start(&mut self, files: Vec<PathBuf>) {
        if files.is_empty() || self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        let work = move || {
            for path in files {
                // The line goes into the log as any other does: this is not the thread that writes it.
                if let Err(error) = compress(&path) {
                    tracing::warn!(path = %path.display(), %error, "an old log file cannot be compressed");
                }
            }
        };
        match std::thread::Builder::new().name("log gzip".to_owned()).spawn(work) {
            Ok(thread) => self.thread = Some(thread),
            // Without a thread to spare they stay as they are until the next time.
            Err(_) => self.thread = None,
        }
    }

    #[cfg(test)]
    pub(super) fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// What a file is called when it is compressed.
pub(super) fn packed_name(path: &Path) -> PathBuf {
    with(path, ".gz")
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(end);
    PathBuf::from(name)
}

/// Makes `<path>.gz` of a file, with its times and permissions, and removes it. What a crash leaves is the file or both.
fn compress(path: &Path) -> io::Result<()> {
    let packed = packed_name(path);
    let part = with(&packed, ".part");
    let made = write_part(path, &part).and_then(|()| fs::rename(&part, &packed));
    if made.is_err() {
        // A full disk: it shall not be fuller for it.
        let _ = fs::remove_file(&part);
    }
    made?;
    fs::remove_file(path)
}

fn write_part(path: &Path, part: &Path) -> io::Result<()> {
    let mut from = File::open(path)?;
    let about = from.metadata()?;
    let mut packed = GzEncoder::new(File::create(part)?, Compression::default());
    io::copy(&mut from, &mut packed)?;
    let file = packed.finish()?;
    file.set_permissions(about.permissions())?;
    file.set_times(FileTimes::new().set_modified(about.modified()?))?;
    // The file that it stands for is removed next.
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_compressed_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log.20261119");
        fs::write(&path, "lines").unwrap();
        fs::create_dir(packed_name(&path)).unwrap();
        assert!(compress(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "lines");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn times_and_permissions_are_those_of_the_file() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log.20261119");
        fs::write(&path, "lines").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        compress(&path).unwrap();
        let about = fs::metadata(packed_name(&path)).unwrap();
        assert_eq!((about.permissions().mode() & 0o777, about.modified().unwrap()), (0o600, before));
        assert!(!path.exists());
    }
}
