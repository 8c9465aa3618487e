//! What a power cut may leave of the steps that were done to a folder.
//!
//! Every file has a durable image and steps that may or may not have reached the disk; so has the folder. `SyncFile`
//! makes a file's steps durable, `SyncDir` the folder's. Of what was not synced any part may be there: of a file's
//! steps any subset, of a write any part that ends or begins at a sector, of the folder's steps any subset too. (File
//! systems with a journal lose those from the end only; surviving more is no harm.)

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::dice::Dice;
use crate::pack::disk::Step;

const SECTOR: u64 = 512;

/// So many unsynced steps of either kind are lost in every combination; of more, some are tried.
const ALL_OF: usize = 6;

/// A file: its bytes, but for zeros at the end, and its length.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Content {
    bytes: Vec<u8>,
    len: u64,
}

#[derive(Clone)]
enum FileStep {
    Write(u64, Vec<u8>),
    /// At least so long.
    Allocate(u64),
    Len(u64),
}

impl Content {
    fn step(&mut self, step: &FileStep) {
        match step {
            FileStep::Write(at, bytes) => {
                let (at, end) = (*at as usize, *at as usize + bytes.len());
                if self.bytes.len() < end {
                    self.bytes.resize(end, 0);
                }
                self.bytes[at..end].copy_from_slice(bytes);
                self.len = self.len.max(end as u64);
            }
            FileStep::Allocate(len) => self.len = self.len.max(*len),
            FileStep::Len(len) => {
                self.bytes.truncate(*len as usize);
                self.len = *len;
            }
        }
    }
}

#[derive(Clone, Default)]
struct Inode {
    durable: Content,
    pending: Vec<FileStep>,
}

#[derive(Clone)]
enum DirStep {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

type Names = BTreeMap<String, usize>;

fn dir_step(names: &mut Names, step: &DirStep) {
    match step {
        DirStep::Create(name, inode) => drop(names.insert(name.clone(), *inode)),
        DirStep::Rename(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
        DirStep::Remove(name) => drop(names.remove(name)),
    }
}

/// A folder, with what of it is durable.
#[derive(Clone, Default)]
pub(super) struct Platter {
    inodes: Vec<Inode>,
    durable: Names,
    pending: Vec<DirStep>,
    now: Names,
}

/// A folder as it may be found after a power cut.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Image(BTreeMap<String, Content>);

impl Image {
    pub(super) fn of(dir: &Path) -> Self {
        let file = |entry: fs::DirEntry| {
            let bytes = fs::read(entry.path()).unwrap();
            let len = bytes.len() as u64;
            (name(&entry.path()), Content { bytes, len })
        };
        Self(fs::read_dir(dir).unwrap().map(|entry| file(entry.unwrap())).collect())
    }

    pub(super) fn write(&self, dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        for (name, content) in &self.0 {
            let file = File::create(dir.join(name)).unwrap();
            file.set_len(content.len).unwrap();
            file.write_all_at(&content.bytes, 0).unwrap();
        }
    }

    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    pub(super) fn names(&self) -> String {
        self.0.iter().map(|(name, content)| format!("{name} ({}) ", content.bytes.len())).collect()
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

impl Platter {
    /// All of the image is durable.
    pub(super) fn new(image: &Image) -> Self {
        let mut platter = Self::default();
        for (name, content) in &image.0 {
            platter.durable.insert(name.clone(), platter.inodes.len());
            platter.inodes.push(Inode { durable: content.clone(), pending: Vec::new() });
        }
        platter.now = platter.durable.clone();
        platter
    }

    pub(super) fn step(&mut self, step: &Step) {
        match step {
            Step::Create(path) => match self.now.get(&name(path)) {
                Some(&inode) => self.inodes[inode].pending.push(FileStep::Len(0)),
                None => {
                    self.inodes.push(Inode::default());
                    self.dir_step(DirStep::Create(name(path), self.inodes.len() - 1));
                }
            },
            Step::Allocate(path, len) => self.file(path).pending.push(FileStep::Allocate(*len)),
            Step::Write(path, at, bytes) => self.file(path).pending.push(FileStep::Write(*at, bytes.clone())),
            Step::SetLen(path, len) => self.file(path).pending.push(FileStep::Len(*len)),
            Step::SyncFile(path) => {
                let file = self.file(path);
                for step in std::mem::take(&mut file.pending) {
                    file.durable.step(&step);
                }
            }
            Step::Rename(from, to) => self.dir_step(DirStep::Rename(name(from), name(to))),
            Step::Remove(path) => self.dir_step(DirStep::Remove(name(path))),
            Step::SyncDir => {
                self.durable = self.now.clone();
                self.pending.clear();
            }
        }
    }

    fn file(&mut self, path: &Path) -> &mut Inode {
        &mut self.inodes[self.now[&name(path)]]
    }

    fn dir_step(&mut self, step: DirStep) {
        dir_step(&mut self.now, &step);
        self.pending.push(step);
    }

    /// What may be found: every combination where they are few, otherwise `most` of them, among these all and nothing.
    pub(super) fn images(&self, dice: &mut Dice, most: usize) -> Vec<Image> {
        let of_files: Vec<(usize, usize)> = (0..self.inodes.len())
            .flat_map(|inode| (0..self.inodes[inode].pending.len()).map(move |step| (inode, step)))
            .collect();
        let mut images = Vec::new();
        let unsynced = of_files.len() + self.pending.len();
        let few = unsynced <= ALL_OF && 1 << unsynced <= most;
        let tries = if few { 1 << unsynced } else { most };
        for number in 0..tries {
            let bits = match number {
                0 => 0,
                1 if !few => u64::MAX,
                _ if few => number as u64,
                _ => dice.roll(),
            };
            let there = |bit: usize| bits >> (bit % 64) & 1 == 1;
            images.push(self.image(&of_files, there, None));
            for (at, &(inode, step)) in of_files.iter().enumerate() {
                if there(at)
                    && let FileStep::Write(offset, bytes) = &self.inodes[inode].pending[step]
                {
                    for torn in torn(*offset, bytes, dice) {
                        images.push(self.image(&of_files, there, Some((at, &torn))));
                    }
                }
            }
        }
        images
    }

    /// The image with those steps of files, then of the folder, for whose numbers `there` says so, one of them in a
    /// torn form.
    fn image(
        &self,
        of_files: &[(usize, usize)],
        there: impl Fn(usize) -> bool,
        torn: Option<(usize, &FileStep)>,
    ) -> Image {
        let mut names = self.durable.clone();
        for (at, step) in self.pending.iter().enumerate() {
            if there(of_files.len() + at) {
                dir_step(&mut names, step);
            }
        }
        let content = |inode: usize| {
            let mut content = self.inodes[inode].durable.clone();
            for (at, &(of, step)) in of_files.iter().enumerate() {
                if of == inode && there(at) {
                    let whole = &self.inodes[inode].pending[step];
                    content.step(torn.filter(|(torn, _)| *torn == at).map_or(whole, |(_, torn)| torn));
                }
            }
            while content.bytes.last() == Some(&0) {
                content.bytes.pop();
            }
            content
        };
        Image(names.iter().map(|(name, &inode)| (name.clone(), content(inode))).collect())
    }
}

/// Parts of a write: what is before, and what is behind, a boundary of sectors.
fn torn(offset: u64, bytes: &[u8], dice: &mut Dice) -> Vec<FileStep> {
    let end = offset + bytes.len() as u64;
    let first = (offset / SECTOR + 1) * SECTOR;
    let cuts: Vec<u64> = (first..end).step_by(SECTOR as usize).collect();
    let mut parts = Vec::new();
    for _ in 0..cuts.len().min(2) {
        let cut = cuts[dice.below(cuts.len())];
        let (before, behind) = bytes.split_at((cut - offset) as usize);
        parts.push(FileStep::Write(offset, before.to_vec()));
        parts.push(FileStep::Write(cut, behind.to_vec()));
    }
    parts
}
