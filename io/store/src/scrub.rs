//! Going through an open store for copies that are not what they should be, and mending them.
//!
//! [`Store::scrub`] is the check of `fsck` against the open store. What it finds is only a hint: [`Store::verify`]
//! looks at one file again, and says what exactly is bad; [`Store::mend`] puts a good copy in the place of that, and
//! [`Store::set_aside`] takes it away when there is none. Either keeps the bad copy in the quarantine first. Both do
//! nothing when the file has changed meanwhile, which the writer of its store path sees to.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fdfs_fileid::{FileName, StorePathIndex};
use fdfs_format::metadata::META_LEN_MAX;
use fdfs_format::pack::{CONTENT_MAX, RECORD_HEADER_LEN};

use crate::fsck::{self, Event, FsckSettings, Mark, Pace, Summary};
use crate::mutation::{Mutation, Outcome, Standing};
use crate::path::{Files, OWN_DIR, StorePath};
use crate::quarantine::{Extent, Kept, QuarantineUsage};
use crate::receive::named_content;
use crate::trunk;
use crate::{Content, Store, StoreError};

/// Names of files that somebody has found damaged while the storage did not run, one a line.
const MARKED_FILE: &str = "damaged";

/// Longest list of them that is read, bytes.
const MARKED_LEN_MAX: u64 = 64 << 20;

/// What is here under a name.
#[derive(Debug)]
pub enum Verdict {
    /// What should be here, as far as anybody can tell.
    Whole,
    /// Nothing.
    Missing,
    /// Something else.
    Bad(BadCopy),
}

/// A copy of a file that is not what it should be.
#[derive(Debug)]
pub struct BadCopy {
    found: Standing,
    /// What is wrong, in words.
    pub why: Box<str>,
    /// Last change of the file, Unix seconds, if that can still be told.
    pub mtime: Option<u32>,
}

/// What became of a file that was to be mended or set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mended {
    /// It was done.
    Done,
    /// Nothing was done: the file has changed or was deleted meanwhile.
    Changed,
}

impl Store {
    /// Checks all content, then what the binlog says, as [`fsck::check`] does, from a [`Mark`] on. Which names go is
    /// remembered from before the binlog is read until the next call, so that nothing that was deleted meanwhile is
    /// mended. Blocks, for as long as `pace` has it.
    ///
    /// # Errors
    /// [`StoreError`]: it could not begin, or go on.
    pub fn scrub(
        &self,
        settings: &FsckSettings,
        from: Option<Mark>,
        pace: &dyn Pace,
        event: &mut dyn FnMut(Event),
    ) -> Result<Summary, StoreError> {
        let packs = self.paths().map(|(_, path)| Arc::clone(&path.packs)).collect();
        let watch = || {
            self.tell_writers(|| Mutation::Watch)?;
            Ok(self.binlog().flush()?)
        };
        fsck::check_open(settings, packs, from, pace, &watch, event)
    }

    /// Reads a file and says whether it is what it should be: by its name, which says size and checksum of an ordinary
    /// one, by the checksum of its record, if it is packed, and of any other, whether it can be read to its end.
    ///
    /// # Errors
    /// [`StoreError`] when even that can't be told.
    pub async fn verify(&self, name: &FileName) -> Result<Verdict, StoreError> {
        let path = self.path_of(name)?;
        if path.packs.contains(name.true_name()) {
            let (home, name) = (Arc::clone(path), name.clone());
            return path.pool.run(move || Ok(verify_packed(&home, &name))).await;
        }
        let stored = match self.open_here(name).await {
            Ok(stored) => stored,
            Err(StoreError::NotFound) => {
                let (files, name) = (Arc::clone(&path.files), name.clone());
                return path.pool.run(move || Ok(verify_slot(&files, &name)?)).await;
            }
            Err(error) => return Err(error),
        };
        let mtime = stored.mtime().await.ok().and_then(|mtime| u32::try_from(mtime).ok());
        let bad = |why: String| Verdict::Bad(BadCopy { found: stored.standing(), why: why.into(), mtime });
        if let Some((len, _)) = named_content(name)
            && len != stored.len
        {
            return Ok(bad(format!("it has {} bytes, its name says {len}", stored.len)));
        }
        let crc32 = match stored.crc32().await {
            Ok(crc32) => crc32,
            Err(StoreError::Io(error)) => return Ok(bad(format!("it cannot be read: {error}"))),
            // It was deleted meanwhile.
            Err(StoreError::NotFound) => return Ok(Verdict::Missing),
            Err(error) => return Err(error),
        };
        if let Some((_, named)) = named_content(name) {
            let differs = named != crc32;
            return Ok(if differs { bad(wrong_crc(crc32, named)) } else { Verdict::Whole });
        }
        if name.metadata_master().is_some_and(|master| fsck::is_id(&master)) {
            if stored.len > META_LEN_MAX as u64 {
                return Ok(bad(format!("metadata of {} bytes", stored.len)));
            }
            let len = usize::try_from(stored.len).unwrap_or(usize::MAX);
            let fault = fsck::metadata_fault(&stored.read(0, len).await?);
            return Ok(fault.map_or(Verdict::Whole, |fault| bad(format!("metadata {fault}"))));
        }
        Ok(Verdict::Whole)
    }

    /// Puts a good copy in the place of a bad one, which goes into the quarantine, or of none. `time` is that of the
    /// file, Unix seconds. Content must be that of [`Store::stage`] on the path of the name, or short.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is no good copy either. Then, and with any other, what was there stays.
    pub async fn mend(
        &self,
        name: &FileName,
        bad: Option<&BadCopy>,
        content: Content,
        time: u32,
    ) -> Result<Mended, StoreError> {
        let (len, crc32) = (content.len(), content.crc32());
        if named_content(name).is_some_and(|named| named != (len, crc32)) {
            return Err(StoreError::Corrupt { name: name.as_str().into(), len, crc32 });
        }
        let found = bad.map(|bad| bad.found);
        let is_packed = matches!(found, Some(Standing::Packed(_)));
        let content = match content {
            _ if is_packed && len > CONTENT_MAX as u64 => return Err(StoreError::Busy),
            Content::Staged(staged) if is_packed => Content::Bytes(staged.into_bytes().await?),
            content => content,
        };
        self.ready(name.path_index(), &content).await?;
        let kept = match found {
            Some(found) => self.keep(name, found).await?,
            None => None,
        };
        let mend = Mutation::Mend { name: name.clone(), content, bad: found, time };
        let outcome = self.ask(name.path_index(), mend).await;
        let path = self.path_of(name)?;
        if !matches!(outcome, Ok(Outcome::Done | Outcome::Named(_) | Outcome::Had)) {
            if let Some(kept) = kept {
                path.pool
                    .run(move || {
                        kept.discard();
                        Ok(())
                    })
                    .await?;
            }
            return outcome.map(|_| Mended::Changed);
        }
        let (files, name) = (Arc::clone(&path.files), name.clone());
        path.pool
            .run(move || {
                files.quarantine.settle(&name);
                Ok(())
            })
            .await?;
        Ok(Mended::Done)
    }

    /// Takes a bad copy away into the quarantine. From now on the file is [`StoreError::SetAside`] for readers, until
    /// it is mended, made anew or deleted; the binlog says nothing of it.
    ///
    /// # Errors
    /// [`StoreError`]; the bad copy stays where it is.
    pub async fn set_aside(&self, name: &FileName, bad: &BadCopy, now: u32) -> Result<Mended, StoreError> {
        let path = self.path_of(name)?;
        if bad.found == Standing::Slot && self.is_set_aside(name) {
            // It stands where it stood, and has been kept.
            return Ok(Mended::Changed);
        }
        let Some(kept) = self.keep(name, bad.found).await? else { return Ok(Mended::Changed) };
        let aside = Mutation::SetAside { name: name.clone(), bad: bad.found, time: bad.mtime.unwrap_or(now) };
        let outcome = self.ask(name.path_index(), aside).await;
        let (files, name, done) =
            (Arc::clone(&path.files), name.clone(), matches!(outcome, Ok(Outcome::Done)));
        let settled = move || {
            if done {
                return Ok(files.quarantine.lose(&name, kept)?);
            }
            kept.discard();
            Ok(())
        };
        path.pool.run(settled).await?;
        outcome.map(|_| if done { Mended::Done } else { Mended::Changed })
    }

    /// Keeps a bad copy; `None` when it is not there any more.
    async fn keep(&self, name: &FileName, found: Standing) -> Result<Option<Kept>, StoreError> {
        let path = self.path_of(name)?;
        let (home, name) = (Arc::clone(path), name.clone());
        let keep = move || match keep(&home, &name, found) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            kept => Ok(Some(kept?)),
        };
        path.pool.run(keep).await
    }

    /// Whether the copy of a file that was here is in the quarantine, and no other one has come.
    pub fn is_set_aside(&self, name: &FileName) -> bool {
        self.path_of(name).is_ok_and(|path| path.files.quarantine.holds(name.true_name()))
    }

    /// The files that are [`StoreError::SetAside`].
    pub fn set_aside_files(&self) -> Vec<FileName> {
        let of_path = |(index, path): (StorePathIndex, &Arc<StorePath>)| {
            let lost = path.files.quarantine.lost();
            let full = move |name: String| FileName::parse(format!("{index}/{name}").as_bytes()).ok();
            lost.into_iter().filter_map(full)
        };
        self.paths().flat_map(of_path).collect()
    }

    /// What is in the quarantines of all store paths. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub fn quarantine_usage(&self) -> Result<QuarantineUsage, StoreError> {
        let mut all = QuarantineUsage::default();
        for (_, path) in self.paths() {
            let usage = path.files.quarantine.usage()?;
            all.copies += usage.copies;
            all.bytes += usage.bytes;
            all.lost += usage.lost;
        }
        Ok(all)
    }

    /// The files that were marked with [`mark_damaged`]. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub fn marked_damaged(&self) -> Result<Vec<FileName>, StoreError> {
        let mut names = Vec::new();
        for (_, path) in self.paths() {
            let file = marked_file(&path.files.data);
            let text = match fs::File::open(&file) {
                Ok(file) => io::read_to_string(io::Read::take(file, MARKED_LEN_MAX))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            names.extend(text.lines().filter_map(|line| FileName::parse(line.as_bytes()).ok()));
        }
        Ok(names)
    }

    /// Forgets these marks. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub fn forget_marks(&self) -> Result<(), StoreError> {
        for (_, path) in self.paths() {
            match fs::remove_file(marked_file(&path.files.data)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Marks files of a store path as damaged, for the storage to mend when it runs. `root` is the folder that holds
/// `data/`. Blocks.
///
/// # Errors
/// What the file system says.
pub fn mark_damaged(root: &Path, names: &[FileName]) -> io::Result<()> {
    let path = marked_file(&root.join("data"));
    fs::create_dir_all(path.parent().unwrap_or(root))?;
    let mut file = fs::File::options().append(true).create(true).open(path)?;
    let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
    file.write_all(lines.as_bytes())?;
    file.sync_all()
}

fn marked_file(data: &Path) -> PathBuf {
    data.join(OWN_DIR).join(MARKED_FILE)
}

fn wrong_crc(found: u32, named: u32) -> String {
    format!("its CRC-32 is {found:08x}, its name says {named:08x}")
}

fn verify_packed(home: &StorePath, name: &FileName) -> Verdict {
    let Some((pack, location)) = home.packs.find(name.true_name()) else { return Verdict::Missing };
    let found = Standing::Packed(pack.sequence(&location));
    let mtime = crate::stored::read_header(&pack, &location).ok().map(|header| header.mtime);
    let bad = |why: String| Verdict::Bad(BadCopy { found, why: why.into(), mtime });
    let content = match home.packs.read(name.true_name()) {
        Ok(Some(content)) => content,
        Ok(None) => return Verdict::Missing,
        Err(error) => return bad(error.to_string()),
    };
    let Some((len, crc32)) = named_content(name) else {
        let is_metadata = name.metadata_master().is_some_and(|master| fsck::is_id(&master));
        let fault = fsck::metadata_fault(&content).filter(|_| is_metadata);
        return fault.map_or(Verdict::Whole, |fault| bad(format!("metadata {fault}")));
    };
    let hash = crc32fast::hash(&content);
    if len != content.len() as u64 {
        return bad(format!("it has {} bytes, its name says {len}", content.len()));
    }
    if hash == crc32 { Verdict::Whole } else { bad(wrong_crc(hash, crc32)) }
}

/// Whether the slot that a name speaks of is its own, and damaged.
fn verify_slot(files: &Files, name: &FileName) -> io::Result<Verdict> {
    let Some(slot) = trunk::find(&files.plain(), name)? else { return Ok(Verdict::Missing) };
    // A name that somebody made up points to where no slot begins.
    if slot.is_whole()? || !fsck::starts_a_slot(&slot.file, slot.place.part.offset)? {
        return Ok(Verdict::Missing);
    }
    files.trunk.verified.forget(name.true_name());
    let why = "the slot holds something else than its header says".into();
    Ok(Verdict::Bad(BadCopy { found: Standing::Slot, why, mtime: Some(slot.header.mtime) }))
}

fn keep(home: &StorePath, name: &FileName, found: Standing) -> io::Result<Kept> {
    let (files, quarantine) = (&home.files, &home.files.quarantine);
    match found {
        Standing::Plain(_) => quarantine.keep_plain(&files.plain(), name),
        Standing::Packed(_) => {
            let (pack, location) = home.packs.find(name.true_name()).ok_or(io::ErrorKind::NotFound)?;
            let at = location.offset() + RECORD_HEADER_LEN as u64;
            quarantine.keep_extent(name, &Extent { file: &pack.file, at, len: location.content_len().into() })
        }
        Standing::Slot => {
            let slot = trunk::find(&files.plain(), name)?.ok_or(io::ErrorKind::NotFound)?;
            let (at, len) = (slot.place.content(), slot.header.file_size.into());
            quarantine.keep_extent(name, &Extent { file: &slot.file, at, len })
        }
    }
}
