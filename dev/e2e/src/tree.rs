//! A large folder as real machines have them, and whether two folders are equal to the byte.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Larger ones would make the tests slow without testing more.
const FILE_LEN_MAX: u64 = 32 * 1024;
/// A fuller folder than this says nothing new.
const DEPTH_MAX: usize = 64;

/// Fills `root` with at least `files` files of this machine: the documentation of the Rust toolchain if it is there,
/// else of whatever is installed; and with what documentation never has (empty files and folders, names that are not
/// UTF-8, links to nowhere, files of megabytes). Where there is too little, files are made up. Gives the number.
///
/// # Errors
/// When `root` cannot be written to.
pub fn real(root: &Path, files: usize) -> Result<usize> {
    let mut copied = 0;
    for source in sources() {
        if copied < files {
            copied += copy(&source, &root.join(format!("from{copied}")), files - copied, 0)?;
        }
    }
    for number in copied..files {
        let folder = root.join(format!("made/{}/{}", number % 7, number % 101));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("file {number}.txt")), content(number as u64, number % 20_000))?;
    }
    Ok(files + oddities(&root.join("odd"))?)
}

/// Where tens of thousands of files are made and removed in no time: in memory, if there is room for so many bytes.
/// What survives the end of a process is the same there as on a disk.
#[must_use]
pub fn quick_folder(bytes: u64) -> PathBuf {
    let in_memory = Path::new("/dev/shm");
    match rustix::fs::statvfs(in_memory) {
        Ok(stat) if stat.f_bavail * stat.f_frsize >= bytes => in_memory.to_owned(),
        _ => std::env::temp_dir(),
    }
}

/// Bytes that differ from one seed to the next.
#[must_use]
pub fn content(seed: u64, len: usize) -> Vec<u8> {
    // Numbers as they come out of Marsaglia's xorshift; never zero.
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn sources() -> Vec<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = Command::new(rustc).args(["--print", "sysroot"]).output();
    let sysroot = sysroot.map(|output| output.stdout).unwrap_or_default();
    let sysroot = PathBuf::from(OsStr::from_bytes(sysroot.trim_ascii_end()));
    vec![sysroot.join("share/doc/rust/html"), PathBuf::from("/usr/share")]
}

/// Copies up to `limit` files, and the links and folders between them. What cannot be read is left out.
fn copy(from: &Path, to: &Path, limit: usize, depth: usize) -> Result<usize> {
    let Ok(entries) = fs::read_dir(from) else { return Ok(0) };
    fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    let mut count = 0;
    for entry in entries.flatten() {
        if count == limit || depth == DEPTH_MAX {
            break;
        }
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let Ok(metadata) = fs::symlink_metadata(&from) else { continue };
        if metadata.is_dir() {
            count += copy(&from, &to, limit - count, depth + 1)?;
        } else if metadata.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
        } else if metadata.is_file() && metadata.len() <= FILE_LEN_MAX && fs::copy(&from, &to).is_ok() {
            count += 1;
        }
    }
    Ok(count)
}

/// What rarely occurs and goes wrong first. Gives the number of files.
fn oddities(root: &Path) -> Result<usize> {
    fs::create_dir_all(root.join("empty folder/in an empty folder"))?;
    let names: [&[u8]; 9] = [
        b"not \xFF\xFE utf-8",
        b"a\nline break",
        "文件".as_bytes(),
        b"100% %41",
        b" spaces around ",
        b"-r",
        b"no.ext.ension",
        b".hidden",
        &[b'n'; 255],
    ];
    for (number, name) in names.iter().enumerate() {
        fs::write(root.join(OsStr::from_bytes(name)), content(number as u64, number * 1000))?;
    }
    fs::write(root.join("empty"), "")?;
    fs::write(root.join("one byte"), "1")?;
    fs::write(root.join("megabytes"), content(1, 9 << 20))?;
    let mut zeros = fs::File::create(root.join("with a hole"))?;
    zeros.set_len(3 << 20)?;
    zeros.write_all(b"not empty")?;
    let script = root.join("script");
    fs::write(&script, "#!/bin/sh\n")?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o751))?;
    symlink("megabytes", root.join("link"))?;
    symlink("nowhere/at/all", root.join("link to nowhere"))?;
    symlink("..", root.join("link to a folder"))?;
    Ok(names.len() + 5)
}

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    Folder { mode: u32 },
    File { mode: u32, len: u64 },
    Link { target: PathBuf },
}

/// Compares names, kinds, permissions, link targets and every byte.
///
/// # Errors
/// Names the first difference.
pub fn same(one: &Path, other: &Path) -> Result<()> {
    let (ours, theirs) = (list(one)?, list(other)?);
    for (path, thing) in &ours {
        let Some(found) = theirs.get(path) else { anyhow::bail!("{} is missing", path.display()) };
        ensure!(thing == found, "{}: {thing:?} against {found:?}", path.display());
        if matches!(thing, Thing::File { .. }) {
            let equal = fs::read(one.join(path))? == fs::read(other.join(path))?;
            ensure!(equal, "{}: the content differs", path.display());
        }
    }
    let more = theirs.keys().find(|path| !ours.contains_key(*path));
    ensure!(more.is_none(), "{more:?} is too much");
    Ok(())
}

fn list(root: &Path) -> Result<BTreeMap<PathBuf, Thing>> {
    let mut things = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let metadata = fs::symlink_metadata(entry.path())?;
            let mode = metadata.permissions().mode() & 0o7777;
            let thing = if metadata.is_dir() {
                folders.push(path.clone());
                Thing::Folder { mode }
            } else if metadata.is_symlink() {
                Thing::Link { target: fs::read_link(entry.path())? }
            } else {
                Thing::File { mode, len: metadata.len() }
            };
            things.insert(path, thing);
        }
    }
    Ok(things)
}

/// The bytes of a path in a manifest of `cairn put`, where what is not UTF-8 stands as `%XX`.
#[must_use]
pub fn unescaped(path: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|_| first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_the_same_only_when_every_byte_is() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        for root in [&one, &other] {
            oddities(root).unwrap();
        }
        same(&one, &other).unwrap();
        for (change, undo) in [("one byte", "2"), ("empty", "x")] {
            let path = other.join(change);
            let old = fs::read(&path).unwrap();
            fs::write(&path, undo).unwrap();
            assert!(same(&one, &other).unwrap_err().to_string().contains(change));
            fs::write(&path, old).unwrap();
        }
        fs::set_permissions(other.join("script"), fs::Permissions::from_mode(0o750)).unwrap();
        assert!(same(&one, &other).unwrap_err().to_string().contains("script"));
        fs::remove_file(other.join("script")).unwrap();
        assert!(same(&one, &other).unwrap_err().to_string().contains("missing"));
        assert!(same(&other, &one).unwrap_err().to_string().contains("too much"));
    }

    #[test]
    fn a_path_of_a_manifest_becomes_the_bytes_of_its_name() {
        assert_eq!(unescaped("a%FF%25b").as_os_str().as_bytes(), b"a\xFF%b");
        assert_eq!(unescaped("文件").as_os_str().as_bytes(), "文件".as_bytes());
    }
}
