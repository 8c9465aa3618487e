//! What a name leads to that is in no pack.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use fdfs_fileid::{FileName, Kind, StorePathIndex};

use crate::plain::Plain;
use crate::pool::Pool;
use crate::trunk::{self, Opened, Verified};
use crate::{StoreError, StoredFile};

/// What a name leads to.
pub(crate) enum Found {
    File(StoredFile),
    /// Another name.
    Link(FileName),
}

/// How what a name leads to is kept.
pub(crate) enum Kept {
    File(File),
    /// A symbolic link to this.
    Link(PathBuf),
    Slot(Opened),
}

/// Looks for a file of its own, then for a slot. Blocks.
pub(crate) fn look(
    plain: &Plain<'_>,
    verified: Option<&Verified>,
    name: &FileName,
) -> Result<Kept, StoreError> {
    match plain.open(name.true_name()) {
        Ok(Some(file)) => Ok(Kept::File(file)),
        Ok(None) => Ok(Kept::Link(plain.link_target(name.true_name())?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && name.kind() == Kind::Trunk => {
            trunk::open(plain, verified, name).map(Kept::Slot)
        }
        Err(error) => Err(error.into()),
    }
}

impl Kept {
    /// `data` are the folders of all store paths, in their order.
    pub(crate) fn found<'a>(
        self,
        data: impl Iterator<Item = &'a Path>,
        pool: &Pool,
    ) -> Result<Found, StoreError> {
        let target = match self {
            Self::File(file) => return StoredFile::new(file, pool).map(Found::File),
            Self::Slot(Opened::Slot(slot)) => return Ok(Found::File(StoredFile::in_slot(slot, pool))),
            Self::Slot(Opened::Link(target)) => target,
            Self::Link(target) => named(data, &target)?,
        };
        // A made up name can make a slot of what somebody has uploaded, and a link to a whole trunk file of it.
        target.check_client().map_err(|_| StoreError::NotFound)?;
        Ok(Found::Link(target))
    }
}

/// The name of what a symbolic link of the original points to, if that is a file of one of the store paths.
fn named<'a>(data: impl Iterator<Item = &'a Path>, target: &Path) -> Result<FileName, StoreError> {
    for (index, data) in (0..=u8::MAX).map(StorePathIndex).zip(data) {
        let Some(rest) = target.strip_prefix(data).ok().and_then(Path::to_str) else { continue };
        if let Ok(name) = FileName::parse(format!("{index}/{rest}").as_bytes()) {
            return Ok(name);
        }
    }
    tracing::warn!(target = %target.display(), "link points out of the store, not followed");
    Err(StoreError::NotFound)
}
