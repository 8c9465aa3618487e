//! Store path marks: whether a store path is the disk that it was at the last start.
//!
//! The same text stands in the storage's `.data_init_flag` and in `data/.fastdfs_vars` of the store path (storage
//! internals: store paths). When they do not agree, a start would do harm: it would serve another storage's files,
//! or write to the folder below a disk that is not mounted. So [`check`] comes before [`crate::Store::open`].
//!
//! | recorded | file | then |
//! |---|---|---|
//! | no | no | a new store path: the mark is made |
//! | no | yes | refused: another storage's disk, or the base path was lost. Taken over only when this storage made the mark and the path has no folders with files: a first start that was interrupted |
//! | yes | the same | good |
//! | yes | another | refused: another disk, or the store paths are in another order |
//! | yes | no | with folders of files: the file is made again from what is recorded; without: refused, as the disk is probably not mounted |
//!
//! The last line is stricter than the original, which takes an empty folder for the old disk, fills it, and so
//! hides the files below the mount point. Who has put a new disk in place of a broken one says so by removing the
//! line from `.data_init_flag`. The path is then new ([`is_new`]), and its files are fetched from the peers.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use fdfs_fileid::StorePathIndex;
use fdfs_format::{INIT_FLAG_FILE, PATH_MARK_FILE, PathMark};

use crate::StoreError;
use crate::relog::holds_files;

/// Who makes marks, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Address of this storage.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
    /// Now, unix seconds.
    pub now: u32,
}

/// Checks the mark of one store path and makes it if the path is new. `recorded` are the marks of
/// `.data_init_flag`. Gives back the mark to record there, if there is a new one; nothing is done unless `enabled`
/// (`check_store_path_mark`). Blocks.
///
/// # Errors
/// [`StoreError::Unusable`]: the storage must not start with this store path. The reason says what to do.
pub fn check(
    root: &Path,
    index: StorePathIndex,
    recorded: &BTreeMap<StorePathIndex, PathMark>,
    enabled: bool,
    owner: Owner,
) -> Result<Option<PathMark>, StoreError> {
    if !enabled {
        return Ok(None);
    }
    let refuse = |reason: String| Err(StoreError::Unusable { path: root.to_owned(), reason });
    let data = root.join("data");
    let file = data.join(PATH_MARK_FILE);
    let found = match fs::read(&file) {
        Ok(bytes) => match PathMark::decode_file(&bytes) {
            Ok(mark) => Some(mark),
            Err(error) => {
                return refuse(format!(
                    "{} is damaged ({error}); if this is the right disk, remove that file and start again",
                    file.display()
                ));
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return refuse(format!("cannot read {}: {error}", file.display())),
    };
    let write = |mark: &PathMark| {
        fs::create_dir_all(&data)
            .and_then(|()| daemon::state_file::replace(&file, &mark.encode_file()))
            .map_err(|error| StoreError::Unusable {
                path: root.to_owned(),
                reason: format!("cannot write {}: {error}", file.display()),
            })
    };
    let own_key = format!("store_path_mark{}", index.0);
    match (recorded.get(&index), found) {
        (None, None) => {
            let mark = PathMark::generate(owner.ip, owner.port, index, owner.now);
            write(&mark)?;
            Ok(Some(mark))
        }
        (Some(recorded), Some(found)) if *recorded == found => Ok(None),
        (Some(_), Some(found)) => match recorded.iter().find(|(_, mark)| **mark == found) {
            Some((other, _)) => refuse(format!(
                "this is the disk of store_path{}, not of store_path{}; put the store paths back into their old \
                 order",
                other.0, index.0
            )),
            None => refuse(format!(
                "{} is not the mark that {INIT_FLAG_FILE} has for store_path{}: this is the disk of another \
                 storage; mount the right one, or correct store_path{}",
                file.display(),
                index.0,
                index.0
            )),
        },
        (Some(mark), None) => {
            if !is_in_use(&data) {
                return refuse(format!(
                    "this store path was in use and is empty now; is the disk mounted? If it is a new disk in \
                     place of a broken one, remove {own_key} from {INIT_FLAG_FILE} and start again: its files are then \
                     fetched from the peers"
                ));
            }
            tracing::warn!(file = %file.display(), "the mark of a store path was gone and is made again");
            write(mark)?;
            Ok(None)
        }
        (None, Some(found)) if is_own(&found, index, owner) => {
            if holds_files(&data) {
                return refuse(format!(
                    "this storage has marked this disk, but {INIT_FLAG_FILE} does not know of it: the base_path \
                     is another than before, or its data was lost; correct base_path or bring its data back. \
                     If it is lost, remove {} and start again: a new log is then made of the files that are here",
                    file.display()
                ));
            }
            Ok(Some(found))
        }
        (None, Some(_)) => refuse(format!(
            "{} was written by another storage, so this is its disk, or this storage has lost its base_path or got \
             another address or port since; mount the right disk or bring the data of base_path back. If this \
             disk is to be used here, remove that file: without a log a new one is made of the files on it",
            file.display()
        )),
    }
}

/// Whether a store path has neither a mark nor folders for files: nobody has worked in it. Blocks.
pub fn is_new(root: &Path) -> bool {
    let data = root.join("data");
    !data.join(PATH_MARK_FILE).exists() && !is_in_use(&data)
}

/// Whether a mark is one that this storage makes for this path, whatever its time.
fn is_own(mark: &PathMark, index: StorePathIndex, owner: Owner) -> bool {
    /// Characters before those that the time has to do with: 51 bytes of address, port and index.
    const SAME: usize = 68;
    let own = PathMark::generate(owner.ip, owner.port, index, 0);
    own.as_str().len() == mark.as_str().len() && own.as_str().get(..SAME) == mark.as_str().get(..SAME)
}

/// Whether a `data` folder is one that a storage has worked in, rather than an empty mount point.
fn is_in_use(data: &Path) -> bool {
    holds_files(data) || data.join(INIT_FLAG_FILE).exists()
}
