//! A folder of packs with everything that belongs to it, driven by a test step by step: what threads do elsewhere
//! is done here when the test says so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use tempfile::TempDir;

use crate::StoreError;
use crate::binlog::Binlog;
use crate::pack::compact::{Work, neighbours, rewrite};
use crate::pack::head::seal;
use crate::pack::{Disk, Head, New, Pack, PackSettings, Packs, load};

/// A name, and its new content; none when it goes.
pub(super) type Change = (String, Option<Vec<u8>>);

/// What is there.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

pub(super) struct World {
    pub(super) packs: Arc<Packs>,
    pub(super) head: Head,
    pub(super) binlog: Arc<Binlog>,
    pub(super) waiting: Receiver<Work>,
}

/// A folder in memory where there is one: nothing here needs a disk that is slow.
pub(super) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

pub(super) fn packs_dir(root: &Path) -> PathBuf {
    root.join("packs")
}

pub(super) fn put(name: &str, content: &str) -> Change {
    (name.to_owned(), Some(content.as_bytes().to_vec()))
}

pub(super) fn delete(name: &str) -> Change {
    (name.to_owned(), None)
}

impl World {
    pub(super) fn open(root: &Path, pack_len: u64, disk: Disk) -> Result<Self, StoreError> {
        Self::open_with(root, pack_len, disk, true)
    }

    /// With or without a sync of every batch.
    pub(super) fn open_with(root: &Path, pack_len: u64, disk: Disk, sync: bool) -> Result<Self, StoreError> {
        let binlog = Arc::new(Binlog::open(&root.join("sync"))?);
        let loaded = load(PackSettings { dir: packs_dir(root), pack_len, sync, disk })?;
        let (work, waiting) = sync_channel(64);
        let packs = Arc::clone(&loaded.packs);
        let head = loaded.finish(&binlog, work)?;
        Ok(Self { packs, head, binlog, waiting })
    }

    /// All of the changes, or none.
    pub(super) fn batch(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.commit(changes, false)
    }

    /// As one change, or as many.
    pub(super) fn commit(&mut self, changes: &[Change], joined: bool) -> Result<(), StoreError> {
        let mark = self.head.mark();
        for (name, content) in changes {
            let (op, new) = match content {
                Some(content) => (b'C', New::File { content }),
                None => (b'D', New::Gone),
            };
            if let Err(error) = self.head.add(name, op, 7, new) {
                self.head.take_back(mark);
                return Err(error);
            }
        }
        if joined {
            self.head.join(mark)?;
        }
        Ok(self.head.commit()?)
    }

    pub(super) fn seal_next(&self) -> bool {
        match self.waiting.try_recv() {
            Ok(Work::Seal { pack, to, listing }) => {
                seal(&self.packs, &self.binlog, &pack, &to, &listing).unwrap();
                true
            }
            Err(_) => false,
        }
    }

    pub(super) fn seal_all(&self) {
        while self.seal_next() {}
    }

    /// Closes the head, so that all packs are sealed; the next change begins a new one.
    pub(super) fn close(&mut self) {
        self.seal_all();
        self.head.close().unwrap();
    }

    /// The sealed packs with these numbers.
    pub(super) fn group(&self, numbers: &[u64]) -> Vec<Arc<Pack>> {
        let packs = self.packs.packs();
        let with = |number: &u64| packs.iter().find(|pack| pack.header.number == *number).cloned();
        numbers.iter().map(|number| with(number).unwrap()).collect()
    }

    pub(super) fn rewrite(&self, numbers: &[u64]) {
        rewrite(&self.packs, &self.group(numbers), 0, || false).unwrap();
    }

    /// Rewrites everything that may be rewritten, neighbours together.
    pub(super) fn rewrite_all(&self) {
        for run in neighbours(&self.packs) {
            rewrite(&self.packs, &run, 0, || false).unwrap();
        }
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.packs.packs().iter().map(|pack| pack.header.number).collect()
    }

    /// What is there of these names.
    pub(super) fn files<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Files {
        let read = |name: &'a String| self.packs.read(name).unwrap().map(|content| (name.clone(), content));
        names.into_iter().filter_map(read).collect()
    }
}

pub(super) fn apply(files: &mut Files, changes: &[Change]) {
    for (name, content) in changes {
        match content {
            Some(content) => files.insert(name.clone(), content.clone()),
            None => files.remove(name),
        };
    }
}
