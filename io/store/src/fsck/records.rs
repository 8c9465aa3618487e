//! Reading the binlog as the list of what should exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fdfs_fileid::FileName;
use fdfs_format::binlog::{Change, LineError, Record};
use fdfs_format::{LineReader, binlog_file, binlog_file_index};

use super::Finding;

/// What is read of a log at a time.
const STEP: usize = 1 << 20;

/// Ending of a log that FastDFS has compressed.
const COMPRESSED: &str = ".gz";

/// What a record says about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect<'a> {
    /// The file exists from here on.
    Made(&'a FileName),
    /// It does not exist any more.
    Gone(&'a FileName),
}

/// What a change says about names. Appends and the like say nothing new.
pub(super) fn effects(change: &Change, mut effect: impl FnMut(Effect<'_>)) {
    match change {
        Change::Create { name } | Change::Update { name } | Change::Link { name, .. } => {
            effect(Effect::Made(name));
        }
        Change::Delete { name } => effect(Effect::Gone(name)),
        Change::Rename { name, old } => {
            effect(Effect::Gone(old));
            effect(Effect::Made(name));
        }
        Change::Append { .. } | Change::Modify { .. } | Change::Truncate { .. } => {}
    }
}

/// The files of a binlog.
pub(super) struct Logs {
    dir: PathBuf,
    /// Numbers and lengths of the files that can be read.
    plain: BTreeMap<u32, u64>,
    /// Names of the files that are compressed or missing.
    pub(super) unread: Vec<String>,
    /// The first file behind the last one that can't be read.
    pub(super) whole_from: u32,
}

impl Logs {
    pub(super) fn list(dir: &Path) -> io::Result<Self> {
        let mut plain = BTreeMap::new();
        let mut compressed = BTreeSet::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(index) = binlog_file_index(name) {
                plain.insert(index, entry.metadata().map_or(0, |metadata| metadata.len()));
            } else if let Some(index) = name.strip_suffix(COMPRESSED).and_then(binlog_file_index) {
                compressed.insert(index);
            }
        }
        let end = plain.keys().chain(&compressed).max().map_or(0, |last| last + 1);
        let mut unread = Vec::new();
        let mut whole_from = 0;
        let mut next = 0;
        for &index in plain.keys() {
            unread.extend((next..index).map(|missing| unread_name(missing, &compressed)));
            whole_from = if next < index { index } else { whole_from };
            next = index + 1;
        }
        unread.extend((next..end).map(|missing| unread_name(missing, &compressed)));
        whole_from = if next < end { end } else { whole_from };
        Ok(Self { dir: dir.to_owned(), plain, unread, whole_from })
    }

    pub(super) fn indexes(&self) -> impl Iterator<Item = u32> + use<> {
        self.plain.clone().into_keys()
    }

    /// Bytes in all of them when they were listed.
    pub(super) fn len(&self) -> u64 {
        self.plain.values().sum()
    }

    pub(super) fn open(&self, index: u32) -> Reading {
        Reading {
            path: self.dir.join(binlog_file(index)),
            index,
            file: None,
            at: 0,
            lines: LineReader::new(0),
            line: 1,
        }
    }

    /// Files that have been begun since.
    pub(super) fn newer_than(&self, index: u32) -> Vec<u32> {
        let newer = Self::list(&self.dir).map(|logs| logs.indexes().filter(|&found| found > index).collect());
        // Only what came meanwhile is lost.
        newer.unwrap_or_default()
    }
}

fn unread_name(index: u32, compressed: &BTreeSet<u32>) -> String {
    let name = binlog_file(index);
    if compressed.contains(&index) { name + COMPRESSED } else { name }
}

/// A file of the binlog that is being read.
pub(super) struct Reading {
    path: PathBuf,
    index: u32,
    file: Option<File>,
    at: u64,
    lines: LineReader,
    /// Number of the next line, from 1.
    line: u64,
}

impl Reading {
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes read.
    pub(super) fn offset(&self) -> u64 {
        self.at
    }

    /// Reads to the present end of the file.
    pub(super) fn read_on(&mut self, visit: &mut dyn FnMut(Result<&Record, Finding>)) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path)?,
        };
        let mut buffer = vec![0; STEP];
        let mut lines = Vec::new();
        loop {
            let n = file.read_at(&mut buffer, self.at)?;
            if n == 0 {
                self.file = Some(file);
                return Ok(());
            }
            self.at += n as u64;
            self.lines.feed(buffer.get(..n).unwrap_or_default(), &mut lines);
            for line in lines.drain(..) {
                match &line.record {
                    Ok(record) => visit(Ok(record)),
                    Err(error) => visit(Err(Finding::BinlogLine {
                        file: self.path.clone(),
                        line: self.line,
                        error: *error,
                    })),
                }
                // Zero bytes before a line are a piece of it.
                self.line += u64::from(line.record != Err(LineError::Zeros));
            }
        }
    }

    /// Whether the last line has no end so far.
    pub(super) fn is_torn(&self) -> bool {
        self.lines.incomplete_len() > 0
    }

    /// What to say about the end of the file.
    pub(super) fn torn(&self) -> Option<Finding> {
        self.is_torn()
            .then(|| Finding::BinlogTorn { file: self.path.clone(), bytes: self.lines.incomplete_len() })
    }
}

#[cfg(test)]
mod tests {
    use super::Logs;

    fn logs(files: &[&str]) -> (Vec<u32>, Vec<String>, u32) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(dir.path().join(file), b"").unwrap();
        }
        let logs = Logs::list(dir.path()).unwrap();
        (logs.indexes().collect(), logs.unread, logs.whole_from)
    }

    #[test]
    fn a_log_that_can_not_be_read_ends_what_is_known_about_the_files_before_it() {
        let unread = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(logs(&[]), (vec![], vec![], 0));
        assert_eq!(logs(&["binlog.000", "binlog.001", "binlog_index.dat"]), (vec![0, 1], vec![], 0));
        let compressed = logs(&["binlog.000.gz", "binlog.001", "binlog.002"]);
        assert_eq!(compressed, (vec![1, 2], unread(&["binlog.000.gz"]), 1));
        let gap = logs(&["binlog.000", "binlog.002", "x.mark"]);
        assert_eq!(gap, (vec![0, 2], unread(&["binlog.001"]), 2));
        let both = logs(&["binlog.000", "binlog.000.gz", "binlog.001"]);
        assert_eq!(both, (vec![0, 1], vec![], 0));
        let last = logs(&["binlog.000", "binlog.001.gz"]);
        assert_eq!(last, (vec![0], unread(&["binlog.001.gz"]), 2));
    }
}
