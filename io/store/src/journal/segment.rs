//! Segment files: creating, writing at the end, reading back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fdfs_format::journal::{BLOCK_LEN, SegmentHeader};
use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;

/// Extension of segment files.
const EXTENSION: &str = "journal";

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) file: File,
    pub(super) path: PathBuf,
    pub(super) number: u64,
    /// Where the next batch goes.
    pub(super) end: u64,
    /// Bytes of temporary files that its entries need.
    pub(super) staged: u64,
    /// Temporary files that nobody needs once it is checkpointed.
    pub(super) temps: Vec<PathBuf>,
}

/// A file that a segment can be made of.
#[derive(Debug)]
pub(super) struct Blank {
    file: File,
    pub(super) path: PathBuf,
}

impl Blank {
    /// One of `len` bytes in `dir`. A failure leaves none.
    pub(super) fn create(dir: &Path, len: u64, number: u64) -> io::Result<Self> {
        let path = dir.join(format!("{number:012}.{EXTENSION}"));
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600))?);
        if let Err(error) = make_room(&file, dir, len) {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(Self { file, path })
    }

    /// What another segment has left.
    pub(super) fn spare(path: PathBuf) -> io::Result<Self> {
        Ok(Self { file: File::options().read(true).write(true).open(&path)?, path })
    }
}

fn make_room(file: &File, dir: &Path, len: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, len) {
        // So that a full disk says it here.
        Err(Errno::OPNOTSUPP) => file.write_all_at(&[0; BLOCK_LEN], 0)?,
        room => room?,
    }
    file.sync_all()?;
    File::open(dir)?.sync_all()
}

impl Segment {
    /// Begins a segment.
    ///
    /// The header goes to disk with the first batch: a segment whose header is missing has no batch that
    /// anybody was told of.
    pub(super) fn begin(Blank { file, path }: Blank, header: SegmentHeader) -> io::Result<Self> {
        file.write_all_at(&header.encode(), 0)?;
        Ok(Self { file, path, number: header.number, end: BLOCK_LEN as u64, staged: 0, temps: Vec::new() })
    }
}

/// The segment files of a folder, in no particular order.
pub(super) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            found.push(path);
        }
    }
    Ok(found)
}
