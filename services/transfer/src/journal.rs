//! The manifest while a put writes it: locked, appended to, synced now and then, tidied at the end.

use crate::manifest::{End, Entry, EntryKind, Header, Line, ManifestError, ManifestReader, VERSION};
use crate::rel_path::RelPath;
use fdfs_fileid::FileId;
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Entries written before the file is synced.
const SYNC_EVERY: u32 = 256;
/// The file is also synced when an entry comes this long after the last time.
const SYNC_AFTER: Duration = Duration::from_secs(1);

/// Why a manifest cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another put holds it.
    #[error("{0} is in use by another run: wait for its end, or name another manifest")]
    Locked(PathBuf),
    /// It is the manifest of another folder.
    #[error("{path} is the manifest of a folder named {found:?}, not {wanted:?}: name another manifest")]
    OtherRoot {
        /// The manifest.
        path: PathBuf,
        /// The folder it is of.
        found: String,
        /// The folder to be put.
        wanted: String,
    },
    /// It is the manifest of a folder of the same name elsewhere.
    #[error(
        "{path} is the manifest of {found}, not of {wanted}: name another one with --manifest OTHER, or, when the \
         folder was moved, go on with this one by --manifest {path}"
    )]
    OtherFolder {
        /// The manifest.
        path: PathBuf,
        /// Where the folder is that it is of.
        found: String,
        /// Where the folder is that is to be put.
        wanted: String,
    },
    /// It cannot be read, or is something else.
    #[error("{path}: {error}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        error: ManifestError,
    },
    /// It cannot be written.
    #[error("{path}: {error}")]
    Io {
        /// The manifest.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// What an earlier run wrote about one path.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) mtime: crate::manifest::Mtime,
    pub(crate) kind: EntryKind,
    /// Where its line begins.
    offset: u64,
    /// The line still holds in this run.
    kept: bool,
}

impl Known {
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.kind, EntryKind::File { .. })
    }
}

/// What earlier runs wrote, by path.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    paths: BTreeMap<RelPath, Known>,
    /// A path has several lines.
    superseded: bool,
    /// What follows the last entry, when the run before finished: its end line, and the manifest's id.
    finished: Option<(End, FileId)>,
}

impl Earlier {
    pub(crate) fn get(&self, path: &RelPath) -> Option<&Known> {
        self.paths.get(path)
    }

    /// This run found the path unchanged: its line is kept.
    pub(crate) fn keep(&mut self, path: &RelPath) {
        if let Some(known) = self.paths.get_mut(path) {
            known.kept = true;
        }
    }

    /// This run could not look into the path, which is not the root: the lines of all that is below it are kept.
    /// They are counted in `listed`.
    pub(crate) fn keep_below(&mut self, path: &RelPath, listed: &mut End) {
        // What is below `d` begins with `d/`, and `0` is the byte behind the slash.
        let [from, to] = [b'/', b'0'].map(|end| [path.as_bytes(), &[end]].concat());
        let below = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
        for known in self.paths.range_mut::<[u8], _>(below).map(|(_, known)| known) {
            known.kept = true;
            listed.count(&known.kind);
        }
    }

    /// Every line is to stay.
    fn all_hold(&self) -> bool {
        !self.superseded && self.paths.values().all(|known| known.kept)
    }

    /// The ids of the files listed, in the order of their paths.
    pub(crate) fn file_ids(&self) -> impl Iterator<Item = &FileId> {
        self.paths.values().filter_map(|known| match &known.kind {
            EntryKind::File { id, .. } => Some(id),
            _ => None,
        })
    }
}

/// The manifest, open and locked.
pub(crate) struct Journal {
    path: PathBuf,
    lock: Lock,
    file: File,
    /// Where this run's lines begin: behind the last entry there was.
    run_start: u64,
    /// The first line, when that of the file does not say where the folder is now.
    new_header: Option<Vec<u8>>,
    /// This run has written something.
    written: bool,
    unsynced: u32,
    last_sync: Instant,
}

impl Journal {
    /// Opens or begins the manifest at `path` for the folder at `folder`, an absolute path, and reads what earlier runs
    /// wrote. One that is of a folder elsewhere is taken only if the folder was `moved`.
    pub(crate) fn open(
        path: &Path,
        folder: &Path,
        moved: bool,
        now: i64,
    ) -> Result<(Journal, Earlier), JournalError> {
        let fail = |error| JournalError::Io { path: path.to_owned(), error };
        let lock = Lock::take(path)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(fail)?;
        let mut earlier = Earlier::default();
        let header = Header {
            version: VERSION,
            root: folder.file_name().unwrap_or_default().as_bytes().to_vec(),
            created: now,
            folder: Some(folder.as_os_str().as_bytes().to_vec()),
        };
        let (run_start, new_header) = if file.metadata().map_err(fail)?.len() == 0 {
            let header = Line::Header(header).to_json();
            file.write_all(&header).map_err(fail)?;
            file.sync_all().map_err(fail)?;
            sync_folder(path).map_err(fail)?;
            (header.len() as u64, None)
        } else {
            read_earlier(&mut BufReader::new(&file), header, moved, &mut earlier, path)?
        };
        let path = path.to_owned();
        let last_sync = Instant::now();
        let journal =
            Journal { path, lock, file, run_start, new_header, written: false, unsynced: 0, last_sync };
        Ok((journal, earlier))
    }

    pub(crate) fn error(&self, error: io::Error) -> JournalError {
        JournalError::Io { path: self.path.clone(), error }
    }

    /// Appends one entry; synced at the latest with the 256th.
    pub(crate) fn append(&mut self, entry: Entry) -> Result<(), JournalError> {
        self.begin_writing()?;
        let line = Line::Entry(entry).to_json();
        self.file.write_all(&line).map_err(|error| self.error(error))?;
        self.unsynced += 1;
        if self.unsynced >= SYNC_EVERY || self.last_sync.elapsed() >= SYNC_AFTER {
            self.sync()?;
        }
        Ok(())
    }

    /// Before the first line: what follows the last entry goes, an end line or a torn one.
    fn begin_writing(&mut self) -> Result<(), JournalError> {
        if !self.written {
            let cut = self.file.set_len(self.run_start);
            let cut = cut.and_then(|()| self.file.seek(SeekFrom::Start(self.run_start)));
            cut.map_err(|error| self.error(error))?;
            self.written = true;
        }
        Ok(())
    }

    /// Makes what was appended survive a power cut.
    pub(crate) fn sync(&mut self) -> Result<(), JournalError> {
        if self.unsynced > 0 {
            self.file.sync_data().map_err(|error| self.error(error))?;
            self.unsynced = 0;
        }
        self.last_sync = Instant::now();
        Ok(())
    }

    /// The id of the manifest, when this run found everything as the run before left it.
    pub(crate) fn unchanged(&self, earlier: &Earlier, end: End) -> Option<FileId> {
        let (same_end, id) = earlier.finished.as_ref().map(|(before, id)| (*before == end, id))?;
        let same = !self.written && self.new_header.is_none() && same_end && earlier.all_hold();
        same.then(|| id.clone())
    }

    /// Writes the end line. Lines that no longer hold are dropped: those of paths that are gone or were sent again.
    /// Gives the length of the finished manifest.
    pub(crate) fn finish(&mut self, earlier: &Earlier, end: End) -> Result<u64, JournalError> {
        self.begin_writing()?;
        if !earlier.all_hold() || self.new_header.is_some() {
            self.tidy(earlier).map_err(|error| self.error(error))?;
        }
        self.write_synced(&Line::End(end))?;
        self.file.stream_position().map_err(|error| self.error(error))
    }

    /// Notes under which id the finished manifest is stored.
    pub(crate) fn stored(&mut self, id: &FileId) -> Result<(), JournalError> {
        self.write_synced(&Line::Stored(id.clone()))
    }

    fn write_synced(&mut self, line: &Line) -> Result<(), JournalError> {
        let written = self.file.write_all(&line.to_json()).and_then(|()| self.file.sync_all());
        self.unsynced = 0;
        written.map_err(|error| self.error(error))
    }

    /// Writes the lines that hold to a new file and puts it in the place of the old one.
    fn tidy(&mut self, earlier: &Earlier) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut old = BufReader::new(&self.file);
        let new_path = with_suffix(&self.path, ".new");
        let new = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&new_path)?;
        let mut out = BufWriter::new(new);
        // The header first, then of the earlier lines those that hold, in their order.
        let mut header = Vec::new();
        old.read_until(b'\n', &mut header)?;
        out.write_all(self.new_header.as_deref().unwrap_or(&header))?;
        let mut kept: Vec<u64> =
            earlier.paths.values().filter(|known| known.kept).map(|known| known.offset).collect();
        kept.sort_unstable();
        let mut line = Vec::new();
        for offset in kept {
            old.seek(SeekFrom::Start(offset))?;
            line.clear();
            old.read_until(b'\n', &mut line)?;
            out.write_all(&line)?;
        }
        old.seek(SeekFrom::Start(self.run_start))?;
        io::copy(&mut old, &mut out)?;
        let mut new = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        new.seek(SeekFrom::End(0))?;
        new.sync_all()?;
        std::fs::rename(&new_path, &self.path)?;
        sync_folder(&self.path)?;
        self.file = new;
        self.new_header = None;
        Ok(())
    }

    /// The file, to upload it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a directory entry with this device and inode is the manifest or its lock.
    pub(crate) fn own_files(&self) -> io::Result<Vec<(u64, u64)>> {
        use std::os::unix::fs::MetadataExt as _;
        let of = |file: &File| file.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
        Ok(vec![of(&self.file)?, of(&self.lock.file)?])
    }
}

/// Gives where the entries end, and a new first line if there is to be one.
fn read_earlier(
    input: &mut BufReader<&File>,
    wanted: Header,
    moved: bool,
    earlier: &mut Earlier,
    path: &Path,
) -> Result<(u64, Option<Vec<u8>>), JournalError> {
    let fail = |error| JournalError::Manifest { path: path.to_owned(), error };
    let mut reader = ManifestReader::open(input).map_err(fail)?;
    let found = reader.header();
    if found.root != wanted.root {
        return Err(JournalError::OtherRoot {
            path: path.to_owned(),
            found: crate::escape::escape(&found.root),
            wanted: crate::escape::escape(&wanted.root),
        });
    }
    let new_header = match (&found.folder, &wanted.folder) {
        (Some(there), Some(here)) if there != here && !moved => {
            return Err(JournalError::OtherFolder {
                path: path.to_owned(),
                found: crate::escape::escape(there),
                wanted: crate::escape::escape(here),
            });
        }
        (there, here) if there == here => None,
        _ => Some(Line::Header(Header { created: found.created, ..wanted }).to_json()),
    };
    loop {
        let offset = reader.offset();
        let Some(Entry { path, mtime, kind }) = reader.next_entry().map_err(fail)? else {
            earlier.finished = reader.end().zip(reader.stored().cloned());
            return Ok((offset, new_header));
        };
        let known = Known { mtime, kind, offset, kept: false };
        if earlier.paths.insert(path, known).is_some() {
            earlier.superseded = true;
        }
    }
}

/// A lock beside the manifest. The manifest itself is replaced when it is tidied, so it cannot carry the lock.
struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    fn take(manifest: &Path) -> Result<Lock, JournalError> {
        let path = with_suffix(manifest, ".lock");
        let fail = |error| JournalError::Io { path: path.clone(), error };
        loop {
            let file =
                OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(fail)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(JournalError::Locked(manifest.to_owned())),
                Err(error) => return Err(fail(error.into())),
            }
            // The run before may have removed the file between our opening and locking it; then the lock is on a
            // file nobody else will find.
            if is_at(&file, &path).map_err(fail)? {
                return Ok(Lock { path, file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While the lock is held, so that nobody can be between opening and locking without noticing.
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the lock file");
        }
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let ours = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Removes the local manifest, and nobody may be using it.
pub(crate) fn remove(path: &Path) -> Result<(), JournalError> {
    let lock = Lock::take(path)?;
    let removed = std::fs::remove_file(path);
    drop(lock);
    removed.map_err(|error| JournalError::Io { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Mtime;

    const ID: &str = "group1/M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.txt";
    const OTHER_ID: &str = "group1/M00/00/1B/wKgAxGhjJQCAKlw9AAAADg4Qul0482.cairn";
    const MTIME: Mtime = Mtime { seconds: 1, nanoseconds: 2 };

    fn file(path: &str, size: u64) -> Entry {
        let kind = EntryKind::File { mode: 0o644, size, crc32: 1, id: ID.parse().unwrap() };
        Entry { path: RelPath::from_text(path).unwrap(), mtime: MTIME, kind }
    }

    fn end(files: u64, bytes: u64) -> End {
        End { files, dirs: 0, symlinks: 0, bytes }
    }

    fn open(path: &Path) -> (Journal, Earlier) {
        Journal::open(path, Path::new("/srv/root"), false, 100).unwrap()
    }

    fn listed(path: &Path) -> (Vec<(String, u64)>, Option<End>) {
        let mut reader = ManifestReader::open(BufReader::new(File::open(path).unwrap())).unwrap();
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_entry().unwrap() {
            let EntryKind::File { size, .. } = entry.kind else { continue };
            entries.push((entry.path.to_string(), size));
        }
        (entries, reader.end())
    }

    fn names(path: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_one_run_wrote_the_next_one_knows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let (mut journal, earlier) = open(&path);
        assert!(earlier.get(&RelPath::from_text("a").unwrap()).is_none());
        journal.append(file("a", 5)).unwrap();
        drop(journal);
        let (_journal, earlier) = open(&path);
        let known = earlier.get(&RelPath::from_text("a").unwrap()).unwrap();
        assert!(matches!(known.kind, EntryKind::File { size: 5, .. }));
        assert_eq!(known.mtime, MTIME);
        assert_eq!(earlier.file_ids().count(), 1);
    }

    #[test]
    fn two_runs_at_once_are_refused_and_the_lock_goes_with_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let first = open(&path);
        assert!(matches!(
            Journal::open(&path, Path::new("/srv/root"), false, 0),
            Err(JournalError::Locked(_))
        ));
        assert!(matches!(remove(&path), Err(JournalError::Locked(_))));
        drop(first);
        assert_eq!(names(&path), ["m"]);
        drop(open(&path));
        remove(&path).unwrap();
        assert_eq!(names(&path), [""; 0]);
    }

    #[test]
    fn the_manifest_of_another_folder_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        drop(open(&path));
        let open = |folder: &str, moved| Journal::open(&path, Path::new(folder), moved, 0);
        for moved in [false, true] {
            assert!(matches!(open("/srv/other", moved), Err(JournalError::OtherRoot { .. })));
        }
        let Err(error) = open("/media/root", false) else { panic!("it is that of another folder") };
        let m = path.display();
        assert_eq!(
            error.to_string(),
            format!(
                "{m} is the manifest of /srv/root, not of /media/root: name another one with --manifest OTHER, or, \
                 when the folder was moved, go on with this one by --manifest {m}"
            )
        );
        assert!(open("/media/root", true).is_ok());
    }

    #[test]
    fn a_file_that_is_no_manifest_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        std::fs::write(&path, "my diary").unwrap();
        assert!(matches!(
            Journal::open(&path, Path::new("/srv/root"), false, 0),
            Err(JournalError::Manifest { .. })
        ));
        assert_eq!(std::fs::read(&path).unwrap(), b"my diary");
    }

    #[test]
    fn a_torn_line_is_cut_off_before_the_next_one_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let (mut journal, _) = open(&path);
        journal.append(file("a", 5)).unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole, &b"{\"kind\":\"fi"[..]].concat()).unwrap();
        let (mut journal, mut earlier) = open(&path);
        earlier.keep(&RelPath::from_text("a").unwrap());
        journal.append(file("b", 6)).unwrap();
        journal.finish(&earlier, end(2, 11)).unwrap();
        let entries = vec![("a".to_owned(), 5), ("b".to_owned(), 6)];
        assert_eq!(listed(&path), (entries, Some(end(2, 11))));
    }

    #[test]
    fn lines_that_no_longer_hold_are_dropped_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let (mut journal, earlier) = open(&path);
        for (name, size) in [("gone", 1), ("kept", 2), ("changed", 3)] {
            journal.append(file(name, size)).unwrap();
        }
        journal.finish(&earlier, end(3, 6)).unwrap();
        journal.stored(&OTHER_ID.parse().unwrap()).unwrap();
        drop(journal);

        let (mut journal, mut earlier) = open(&path);
        earlier.keep(&RelPath::from_text("kept").unwrap());
        journal.append(file("changed", 30)).unwrap();
        journal.append(file("new", 4)).unwrap();
        assert_eq!(journal.unchanged(&earlier, end(3, 36)), None);
        let len = journal.finish(&earlier, end(3, 36)).unwrap();
        assert_eq!(len, std::fs::metadata(&path).unwrap().len());
        journal.stored(&OTHER_ID.parse().unwrap()).unwrap();
        drop(journal);
        let entries = [("kept", 2), ("changed", 30), ("new", 4)].map(|(name, size)| (name.to_owned(), size));
        assert_eq!(listed(&path), (entries.to_vec(), Some(end(3, 36))));
        assert_eq!(names(&path), ["m"]);
    }

    #[test]
    fn a_run_that_finds_nothing_new_keeps_the_stored_manifest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let (mut journal, earlier) = open(&path);
        journal.append(file("a", 5)).unwrap();
        journal.finish(&earlier, end(1, 5)).unwrap();
        journal.stored(&OTHER_ID.parse().unwrap()).unwrap();
        drop(journal);
        let before = std::fs::read(&path).unwrap();

        let (journal, mut earlier) = open(&path);
        assert_eq!(journal.unchanged(&earlier, end(1, 5)), None);
        earlier.keep(&RelPath::from_text("a").unwrap());
        assert_eq!(journal.unchanged(&earlier, end(1, 5)), Some(OTHER_ID.parse().unwrap()));
        drop(journal);
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_run_that_was_interrupted_leaves_no_end_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let (mut journal, earlier) = open(&path);
        journal.append(file("a", 5)).unwrap();
        journal.finish(&earlier, end(1, 5)).unwrap();
        drop(journal);
        let (mut journal, _) = open(&path);
        journal.append(file("b", 6)).unwrap();
        drop(journal);
        let entries = vec![("a".to_owned(), 5), ("b".to_owned(), 6)];
        assert_eq!(listed(&path), (entries, None));
    }
}
