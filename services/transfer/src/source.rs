//! What is fetched, listed or removed: a file of the cluster, or everything in a manifest.

use crate::error::TransferError;
use crate::manifest::{End, Entry, EntryKind, Header, MANIFEST_EXT, ManifestError, ManifestReader};
use crate::rel_path::RelPath;
use fdfs_client::{Client, DownloadOptions};
use fdfs_fileid::FileId;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Seek as _};
use std::path::{Path, PathBuf};

/// What is fetched, listed or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file of the cluster.
    File(FileId),
    /// A manifest the cluster has.
    StoredManifest(FileId),
    /// A local manifest.
    LocalManifest(PathBuf),
}

impl Source {
    /// What a text on a command line means: a local manifest if such a file exists, else a file id. An id with the
    /// extension of manifests is one.
    ///
    /// # Errors
    /// [`TransferError::NoSource`]: it is neither.
    pub fn parse(text: &std::ffi::OsStr) -> Result<Source, TransferError> {
        if Path::new(text).is_file() {
            return Ok(Source::LocalManifest(PathBuf::from(text)));
        }
        let id = text.to_str().and_then(|text| text.parse::<FileId>().ok());
        match id {
            Some(id) if is_manifest(&id) => Ok(Source::StoredManifest(id)),
            Some(id) => Ok(Source::File(id)),
            None => Err(TransferError::NoSource(text.to_string_lossy().into_owned())),
        }
    }

    /// Whether `other` is the same thing, also where the paths of a local manifest are spelled differently or lead there
    /// through a link. Blocks.
    pub fn is_same_as(&self, other: &Source) -> bool {
        match (self, other) {
            (Source::LocalManifest(one), Source::LocalManifest(other)) => {
                one == other
                    || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
            }
            _ => self == other,
        }
    }
}

/// Whether an id is that of a manifest, by its extension.
pub fn is_manifest(id: &FileId) -> bool {
    id.name.extension() == MANIFEST_EXT
}

/// A manifest at hand: a local file, or a copy of a stored one.
#[derive(Debug)]
pub struct Manifest {
    file: File,
    from: String,
    stored: Option<FileId>,
}

/// What a first reading of a whole manifest tells.
pub(crate) struct Survey {
    /// What is to be there, paths listed twice counted once.
    pub(crate) total: End,
    /// The put that wrote it finished.
    pub(crate) finished: bool,
    /// The id under which the cluster has it, as the manifest itself says.
    pub(crate) stored: Option<FileId>,
    /// Of an unfinished manifest: where the line of each path begins that counts.
    last_lines: Option<BTreeMap<RelPath, u64>>,
}

impl Manifest {
    /// Opens a local manifest.
    ///
    /// # Errors
    /// [`TransferError::Local`] when it cannot be opened.
    pub fn open(path: &Path) -> Result<Manifest, TransferError> {
        let file = File::open(path).map_err(|error| TransferError::Local { path: path.to_owned(), error })?;
        Ok(Manifest { file, from: path.display().to_string(), stored: None })
    }

    /// Fetches a stored manifest into a file without a name.
    ///
    /// # Errors
    /// [`TransferError::Cluster`], or [`TransferError::Local`] when there is no room for it.
    pub async fn fetch(client: &Client, id: &FileId) -> Result<Manifest, TransferError> {
        let local = |error| TransferError::Local { path: std::env::temp_dir(), error };
        let file = tokio::task::spawn_blocking(tempfile::tempfile).await?.map_err(local)?;
        let mut writer = tokio::fs::File::from_std(file.try_clone().map_err(local)?);
        client.download_to_writer(id, &DownloadOptions::default(), &mut writer).await?;
        Ok(Manifest { file, from: id.to_string(), stored: Some(id.clone()) })
    }

    /// Reads it from the beginning. Blocks.
    ///
    /// # Errors
    /// [`TransferError::Manifest`].
    pub fn read(&self) -> Result<ManifestReader<BufReader<&File>>, TransferError> {
        let mut file = &self.file;
        file.rewind().map_err(|error| self.error(error.into()))?;
        ManifestReader::open(BufReader::new(file)).map_err(|error| self.error(error))
    }

    /// The header.
    ///
    /// # Errors
    /// [`TransferError::Manifest`].
    pub fn header(&self) -> Result<Header, TransferError> {
        self.read().map(|reader| reader.header().clone())
    }

    /// Reads all entries that count, in their order. Blocks.
    ///
    /// # Errors
    /// [`TransferError::Manifest`], with the line that is wrong.
    pub fn for_each(&self, mut visit: impl FnMut(Entry)) -> Result<(), TransferError> {
        let survey = self.survey()?;
        self.for_each_that_counts(&survey, &mut |entry| {
            visit(entry);
            std::ops::ControlFlow::Continue(())
        })
    }

    /// The ids of all files it names, on lines that no longer count too, and its own where that is known. Blocks, and
    /// takes all of them into memory.
    ///
    /// # Errors
    /// [`TransferError::Manifest`].
    pub fn ids(&self) -> Result<BTreeSet<FileId>, TransferError> {
        let mut ids = BTreeSet::new();
        let mut reader = self.read()?;
        while let Some(entry) = reader.next_entry().map_err(|error| self.error(error))? {
            if let EntryKind::File { id, .. } = entry.kind {
                ids.insert(id);
            }
        }
        ids.extend(self.stored.as_ref().or(reader.stored()).cloned());
        Ok(ids)
    }

    /// The entry at `path`.
    ///
    /// # Errors
    /// [`TransferError::NotInManifest`], [`TransferError::Manifest`].
    pub fn find(&self, path: &RelPath) -> Result<Entry, TransferError> {
        let mut found = None;
        self.for_each(|entry| {
            if entry.path == *path {
                found = Some(entry);
            }
        })?;
        found.ok_or_else(|| TransferError::NotInManifest(path.to_string()))
    }

    pub(crate) fn error(&self, error: ManifestError) -> TransferError {
        TransferError::Manifest { from: self.from.clone(), error }
    }

    /// Reads the whole manifest, so that a wrong line is known before anything is done.
    pub(crate) fn survey(&self) -> Result<Survey, TransferError> {
        let mut reader = self.read()?;
        let mut total = End::default();
        let next = |reader: &mut ManifestReader<_>| reader.next_entry().map_err(|error| self.error(error));
        while let Some(entry) = next(&mut reader)? {
            total.count(&entry.kind);
        }
        let stored = self.stored.clone().or_else(|| reader.stored().cloned());
        let mut survey = Survey { total, finished: reader.end().is_some(), stored, last_lines: None };
        if !survey.finished {
            let mut last_lines = BTreeMap::new();
            let mut kinds = BTreeMap::new();
            let mut reader = self.read()?;
            let mut offset = reader.offset();
            while let Some(entry) = next(&mut reader)? {
                // Of the same file again: only the last counts.
                last_lines.insert(entry.path.clone(), offset);
                kinds.insert(entry.path, entry.kind);
                offset = reader.offset();
            }
            survey.total = End::default();
            kinds.values().for_each(|kind| survey.total.count(kind));
            survey.last_lines = Some(last_lines);
        }
        Ok(survey)
    }

    pub(crate) fn for_each_that_counts(
        &self,
        survey: &Survey,
        visit: &mut dyn FnMut(Entry) -> std::ops::ControlFlow<()>,
    ) -> Result<(), TransferError> {
        let mut reader = self.read()?;
        let mut offset = reader.offset();
        while let Some(entry) = reader.next_entry().map_err(|error| self.error(error))? {
            let counts = survey.last_lines.as_ref().is_none_or(|last| last.get(&entry.path) == Some(&offset));
            offset = reader.offset();
            if counts && visit(entry).is_break() {
                break;
            }
        }
        Ok(())
    }
}
