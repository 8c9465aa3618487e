//! Packs: many small files in one large one, found through an index in memory.
//!
//! A *pack* is a file that is only appended to, record by record (`docs/formats.md`). One of them, the *head*, takes new
//! records; when it is full it is *sealed*: a hint beside it lists its records. What is gone is said by a record of its
//! own, so the files that are there are those whose records no gone record names: the order of packs does not
//! matter. Packs that are mostly gone are rewritten without it ([`compact`]).
//!
//! [`Packs`] is shared: anybody finds files in it. Only the writer of the store path has the [`Head`].

mod compact;
mod disk;
mod head;
mod index;
mod listing;
mod load;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fdfs_format::pack::{Kind, PACK_HEADER_LEN, PackHeader, Record};
use parking_lot::{Mutex, RwLock};

pub(crate) use compact::{CompactSettings, Compactor, REWRITE_EXTENSION};
pub(crate) use disk::Disk;
pub(crate) use head::{Head, New};
pub(crate) use index::Location;
use index::{Fingerprint, Index};
pub(crate) use listing::{
    HINT_EXTENSION, Key, Listing, PACK_EXTENSION, hint_path, numbers, pack_path, read_file, read_header, scan,
};
pub(crate) use load::{Loaded, RecordLine, UNKNOWN_LOG, is_blank, load, stored_key};

/// How packs are kept.
#[derive(Clone)]
pub(crate) struct PackSettings {
    /// The folder of the packs.
    pub(crate) dir: PathBuf,
    /// Length at which a pack takes no more files, bytes.
    pub(crate) pack_len: u64,
    /// Whether records are synced before they count (`durability = disk`).
    pub(crate) sync: bool,
    pub(crate) disk: Disk,
}

/// The packed files of a store path, for whoever looks for one.
pub(crate) struct Packs {
    settings: PackSettings,
    key: Key,
    index: Index,
    /// Every open pack. No place is used twice: a reader may have looked one up before its pack went.
    table: RwLock<Vec<Option<Arc<Pack>>>>,
    /// Packs that are gone, as long as somebody may be reading them.
    forgotten: Mutex<Vec<Arc<Pack>>>,
    /// Everything up to this sequence number shows in the index.
    applied: AtomicU64,
    /// Numbers of packs of which nothing can be read: nobody knows what is in them, so no other pack stands for them.
    unreadable: Vec<u64>,
}

/// One pack.
pub(crate) struct Pack {
    pub(crate) header: PackHeader,
    pub(crate) file: Arc<File>,
    slot: u32,
    /// Where its records end.
    end: AtomicU64,
    /// Bytes of its records that are in the index.
    live: AtomicU64,
    /// Bytes of gone records that were still needed when it was rewritten: rewriting it again would not leave them out.
    kept: AtomicU64,
    /// The head is not.
    sealed: AtomicBool,
    /// Not rewritten any more before the next start: a record of it can't be read, or nobody knows whether another
    /// file stands for it on the disk.
    left_alone: AtomicBool,
}

impl Pack {
    /// Bytes of records that are gone, or say that others are.
    fn dead(&self) -> u64 {
        let used = self.end.load(Ordering::Acquire).saturating_sub(PACK_HEADER_LEN as u64);
        used.saturating_sub(self.live.load(Ordering::Acquire))
    }

    /// The sequence number of a record of this pack.
    pub(crate) fn sequence(&self, location: &Location) -> u64 {
        self.header.first_sequence + u64::from(location.sequence)
    }
}

impl Packs {
    /// Where a file is, and in which pack.
    pub(crate) fn find(&self, name: &str) -> Option<(Arc<Pack>, Location)> {
        self.find_fingerprint(self.key.fingerprint(name.as_bytes()))
    }

    fn find_fingerprint(&self, fingerprint: Fingerprint) -> Option<(Arc<Pack>, Location)> {
        loop {
            let location = self.index.get(fingerprint)?;
            if let Some(pack) = self.pack(location.slot) {
                return Some((pack, location));
            }
            // The pack was rewritten in between: the index has another place by now.
        }
    }

    /// Whether there is a file of this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.index.get(self.key.fingerprint(name.as_bytes())).is_some()
    }

    /// Whether the record of this sequence number is that of the file of this name.
    pub(crate) fn counts(&self, name: &str, sequence: u64) -> bool {
        self.find(name).is_some_and(|(pack, location)| pack.sequence(&location) == sequence)
    }

    /// The number of the pack that a file is in, and where its record begins there, bytes.
    pub(crate) fn place(&self, name: &str) -> Option<(u64, u64)> {
        self.find(name).map(|(pack, location)| (pack.header.number, location.offset()))
    }

    /// Where the records of a pack end, bytes; `None` when there is no pack of this number any more.
    pub(crate) fn end_of(&self, number: u64) -> Option<u64> {
        let table = self.table.read();
        let pack = table.iter().flatten().find(|pack| pack.header.number == number)?;
        Some(pack.end.load(Ordering::Acquire))
    }

    /// All of a file, checked; `None` when there is none of this name. Blocks.
    ///
    /// # Errors
    /// What reading says; a record that is damaged is one.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let Some((pack, location)) = self.find(name) else { return Ok(None) };
        let mut bytes = vec![0; location.padded_len() as usize];
        pack.file.read_exact_at(&mut bytes, location.offset())?;
        let record = Record::decode(&bytes).map_err(|error| damaged(&pack, &location, error))?;
        if record.name != name.as_bytes() {
            return Err(damaged(&pack, &location, "it has another name"));
        }
        Ok(Some(record.content.to_vec()))
    }

    /// Calls `visit` with the record of every file, and tells how many files could not be read. Blocks.
    ///
    /// # Errors
    /// What reading or `visit` says.
    pub(crate) fn for_each_file(
        &self,
        visit: &mut dyn FnMut(&Record<'_>) -> io::Result<()>,
    ) -> io::Result<u64> {
        let mut seen = 0;
        for pack in self.packs() {
            let end = pack.end.load(Ordering::Acquire);
            scan(&pack.file, Some(pack.header.first_sequence), Some(end), |at, record| {
                let place = self.index.get(self.key.fingerprint(record.name));
                let is_it = |place: Location| place.slot == pack.slot && place.offset() == at;
                if record.header.kind == Kind::File && place.is_some_and(is_it) {
                    seen += 1;
                    visit(record)?;
                }
                Ok(())
            })?;
        }
        Ok((self.index.len() as u64).saturating_sub(seen))
    }

    fn pack(&self, slot: u32) -> Option<Arc<Pack>> {
        self.table.read().get(slot as usize)?.clone()
    }

    /// The packs that are there, in the order of their numbers.
    fn packs(&self) -> Vec<Arc<Pack>> {
        let mut packs: Vec<_> = self.table.read().iter().flatten().cloned().collect();
        packs.sort_by_key(|pack| pack.header.number);
        packs
    }

    /// Takes a pack up into the table.
    fn add(&self, header: PackHeader, file: Arc<File>, end: u64, sealed: bool) -> io::Result<Arc<Pack>> {
        let mut table = self.table.write();
        let pack = Arc::new(Pack {
            header,
            file,
            slot: u32::try_from(table.len()).map_err(io::Error::other)?,
            end: AtomicU64::new(end),
            live: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            sealed: sealed.into(),
            left_alone: AtomicBool::new(false),
        });
        table.push(Some(Arc::clone(&pack)));
        Ok(pack)
    }

    fn forget(&self, pack: &Pack) {
        let gone = self.table.write().get_mut(pack.slot as usize).and_then(Option::take);
        self.forgotten.lock().extend(gone);
    }

    /// Closes packs that are gone and that nobody reads any more. Their space is given back here, which takes its time;
    /// readers, who may be threads of the network, are spared that.
    fn close_forgotten(&self) {
        self.forgotten.lock().retain(|pack| Arc::strong_count(pack) > 1);
    }

    /// What a file takes no longer.
    fn give_up(&self, location: &Location) {
        if let Some(pack) = self.pack(location.slot) {
            pack.live.fetch_sub(location.padded_len(), Ordering::AcqRel);
        }
    }

    /// Figures for people.
    pub(crate) fn usage(&self) -> PackUsage {
        let packs = self.packs();
        let sum = |of: fn(&Pack) -> u64| packs.iter().map(|pack| of(pack)).sum();
        PackUsage {
            files: self.index.len() as u64,
            packs: packs.len() as u64,
            bytes: sum(|pack| pack.end.load(Ordering::Acquire)),
            dead: sum(Pack::dead),
            memory: self.index.memory() as u64,
        }
    }
}

/// A record is not what the index says.
pub(crate) fn damaged(pack: &Pack, location: &Location, why: impl std::fmt::Display) -> io::Error {
    let text = format!("record at {} of pack {}: {why}; run fsck", location.offset(), pack.header.number);
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// What the packs of a store path hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PackUsage {
    /// Files, metadata included.
    pub files: u64,
    /// Packs.
    pub packs: u64,
    /// Length of all packs, bytes.
    pub bytes: u64,
    /// Part of it that is gone, bytes.
    pub dead: u64,
    /// Memory of the index, bytes.
    pub memory: u64,
}
