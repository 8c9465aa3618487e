//! A folder, walked: every thing in it once, folders before what is in them, names in order.
//!
//! Symbolic links are not followed, special files and what cannot be read are told and left out.

use crate::manifest::Mtime;
use crate::rel_path::{PathError, RelPath};
use std::fs::{self, Metadata};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

/// One thing that was found.
#[derive(Debug)]
pub struct Found {
    /// Where, below the root of the walk.
    pub path: RelPath,
    /// What.
    pub what: What,
}

/// What was found.
#[derive(Debug)]
pub enum What {
    /// A folder; what is in it follows.
    Dir {
        /// Permission bits.
        mode: u32,
        /// When it last changed.
        mtime: Mtime,
    },
    /// A regular file.
    File {
        /// Permission bits.
        mode: u32,
        /// When it last changed.
        mtime: Mtime,
        /// Bytes.
        size: u64,
    },
    /// A symbolic link.
    Symlink {
        /// When it was made.
        mtime: Mtime,
        /// Where it points, as it is written in the link.
        target: Vec<u8>,
    },
    /// Something that has no content to store.
    Special(Special),
    /// It is there, but cannot be read.
    Unreadable(io::Error),
    /// A name in this folder that no manifest can hold.
    BadName {
        /// The name.
        name: Vec<u8>,
        /// Why.
        error: PathError,
    },
}

/// Things that are neither file nor folder nor link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
    /// Something this program does not know.
    Unknown,
}

impl std::fmt::Display for Special {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Special::Fifo => "a named pipe",
            Special::Socket => "a socket",
            Special::Device => "a device",
            Special::Unknown => "of an unknown type",
        })
    }
}

/// Walks the folder `root`, itself included, and hands what it finds to `sink` until that breaks off.
///
/// Files whose device and inode are in `leave_out` are passed over in silence. Blocks; memory is that of the names of
/// the folders on the way down to the present one.
///
/// # Errors
/// The root cannot be read or is no folder. Everything below is told to `sink` instead.
pub fn walk(
    root: &Path,
    leave_out: &[(u64, u64)],
    sink: &mut dyn FnMut(Found) -> ControlFlow<()>,
) -> io::Result<()> {
    // The root may be a link to a folder: whoever names it means the folder.
    let metadata = fs::metadata(root)?;
    let names = sorted_names(root)?;
    let what = What::Dir { mode: mode(&metadata), mtime: mtime(&metadata) };
    let mut level = vec![Level { folder: RelPath::root(), names: names.into_iter() }];
    if sink(Found { path: RelPath::root(), what }).is_break() {
        return Ok(());
    }
    while let Some(Level { folder, names }) = level.last_mut() {
        let Some(name) = names.next() else {
            level.pop();
            continue;
        };
        let path = match folder.join(&name) {
            Ok(path) => path,
            Err(error) => {
                let found = Found { path: folder.clone(), what: What::BadName { name, error } };
                if sink(found).is_break() {
                    return Ok(());
                }
                continue;
            }
        };
        let full = path.below(root);
        let (what, below) = match look(&full, leave_out) {
            Ok(Some(looked)) => looked,
            Ok(None) => continue,
            Err(error) => (What::Unreadable(error), None),
        };
        if let Some(names) = below {
            level.push(Level { folder: path.clone(), names: names.into_iter() });
        }
        if sink(Found { path, what }).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

struct Level {
    folder: RelPath,
    names: std::vec::IntoIter<Vec<u8>>,
}

/// The names in a folder, in order.
type Names = Vec<Vec<u8>>;

/// What is at `path`, and if it is a folder, the names in it. Nothing when it is to be left out or has just gone.
fn look(path: &Path, leave_out: &[(u64, u64)]) -> io::Result<Option<(What, Option<Names>)>> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if leave_out.contains(&(metadata.dev(), metadata.ino())) {
        return Ok(None);
    }
    let (mode, mtime, kind) = (mode(&metadata), mtime(&metadata), metadata.file_type());
    Ok(Some(if kind.is_dir() {
        (What::Dir { mode, mtime }, Some(sorted_names(path)?))
    } else if kind.is_file() {
        (What::File { mode, mtime, size: metadata.len() }, None)
    } else if kind.is_symlink() {
        let target = fs::read_link(path)?.into_os_string().into_vec();
        (What::Symlink { mtime, target }, None)
    } else {
        let special = if kind.is_fifo() {
            Special::Fifo
        } else if kind.is_socket() {
            Special::Socket
        } else if kind.is_block_device() || kind.is_char_device() {
            Special::Device
        } else {
            Special::Unknown
        };
        (What::Special(special), None)
    }))
}

fn sorted_names(folder: &Path) -> io::Result<Names> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().as_bytes().to_vec());
    }
    names.sort_unstable();
    Ok(names)
}

pub(crate) fn mode(metadata: &Metadata) -> u32 {
    metadata.mode() & 0o7777
}

pub(crate) fn mtime(metadata: &Metadata) -> Mtime {
    let nanoseconds = u32::try_from(metadata.mtime_nsec()).unwrap_or_default();
    Mtime { seconds: metadata.mtime(), nanoseconds }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn found(root: &Path, leave_out: &[(u64, u64)]) -> Vec<Found> {
        let mut all = Vec::new();
        walk(root, leave_out, &mut |found| {
            all.push(found);
            ControlFlow::Continue(())
        })
        .unwrap();
        all
    }

    fn paths(all: &[Found]) -> Vec<String> {
        all.iter().map(|found| found.path.to_string()).collect()
    }

    #[test]
    fn folders_come_before_what_is_in_them_and_names_in_order() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("b/inner")).unwrap();
        fs::create_dir(dir.path().join("empty")).unwrap();
        fs::write(dir.path().join("b/inner/file"), "x").unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        fs::write(dir.path().join("c"), "cc").unwrap();
        let all = found(dir.path(), &[]);
        assert_eq!(paths(&all), [".", "a", "b", "b/inner", "b/inner/file", "c", "empty"]);
        assert!(matches!(all[1].what, What::File { size: 0, .. }));
        assert!(matches!(all[6].what, What::Dir { .. }));
    }

    #[test]
    fn links_are_told_with_their_target_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/f"), "x").unwrap();
        symlink("d", dir.path().join("link")).unwrap();
        symlink("..", dir.path().join("d/loop")).unwrap();
        symlink("nowhere", dir.path().join("broken")).unwrap();
        let all = found(dir.path(), &[]);
        assert_eq!(paths(&all), [".", "broken", "d", "d/f", "d/loop", "link"]);
        assert!(matches!(&all[5].what, What::Symlink { target, .. } if target == b"d"));
        assert!(matches!(&all[1].what, What::Symlink { target, .. } if target == b"nowhere"));
    }

    #[test]
    fn a_root_that_is_a_link_is_the_folder_it_points_to() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("real")).unwrap();
        fs::write(dir.path().join("real/f"), "x").unwrap();
        symlink("real", dir.path().join("link")).unwrap();
        assert_eq!(paths(&found(&dir.path().join("link"), &[])), [".", "f"]);
    }

    #[test]
    fn names_that_are_not_utf_8_are_kept_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
        fs::write(dir.path().join(name), "x").unwrap();
        let all = found(dir.path(), &[]);
        assert_eq!(all[1].path.as_bytes(), b"caf\xe9");
    }

    #[test]
    fn sockets_are_told_as_special() {
        let dir = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        let all = found(dir.path(), &[]);
        assert!(matches!(all[1].what, What::Special(Special::Socket)));
    }

    #[test]
    fn files_to_leave_out_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "x").unwrap();
        fs::write(dir.path().join("manifest"), "x").unwrap();
        let metadata = fs::metadata(dir.path().join("manifest")).unwrap();
        assert_eq!(paths(&found(dir.path(), &[(metadata.dev(), metadata.ino())])), [".", "a"]);
    }

    #[test]
    fn permission_bits_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "x").unwrap();
        fs::set_permissions(dir.path().join("a"), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(found(dir.path(), &[])[1].what, What::File { mode: 0o640, .. }));
    }

    #[test]
    fn the_walk_stops_when_told_to() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let mut count = 0;
        walk(dir.path(), &[], &mut |_| {
            count += 1;
            if count == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert_eq!(count, 2);
    }

    #[test]
    fn a_root_that_is_no_folder_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "x").unwrap();
        assert!(walk(&dir.path().join("a"), &[], &mut |_| ControlFlow::Continue(())).is_err());
        assert!(walk(&dir.path().join("none"), &[], &mut |_| ControlFlow::Continue(())).is_err());
    }
}
