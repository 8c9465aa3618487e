//! Paths inside a tree: relative, and unable to leave it.

use crate::escape::{escape, unescape};
use std::borrow::Borrow;
use std::fmt;
use std::path::{Path, PathBuf};

/// The longest path, in bytes (Linux: PATH_MAX without its NUL).
const PATH_LEN_MAX: usize = 4095;
/// The longest component, in bytes (Linux: NAME_MAX).
const COMPONENT_LEN_MAX: usize = 255;

/// The text that stands for the root of the tree.
const ROOT_TEXT: &str = ".";

/// A path relative to the root of a tree, of bytes as Linux has them.
///
/// It has no leading slash and no component that is empty, `.` or `..`, so joined to a folder it stays below it, as
/// long as no symbolic link is followed on the way. The root itself is the empty path, written `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Box<[u8]>);

/// Why a path was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It begins with a slash.
    #[error("the path is absolute")]
    Absolute,
    /// It has a component `..`.
    #[error("the path has a .. in it")]
    Parent,
    /// It has a component that is empty or `.`.
    #[error("the path has an empty component or a . in it")]
    Empty,
    /// It holds a NUL byte.
    #[error("the path has a NUL in it")]
    Nul,
    /// It is longer than 4095 bytes, or a component is longer than 255.
    #[error("the path is too long")]
    TooLong,
    /// A `%` in the text is not followed by two hex digits.
    #[error("a % without two hex digits")]
    Escape,
}

impl RelPath {
    /// The root of the tree.
    pub fn root() -> RelPath {
        RelPath(Box::default())
    }

    /// Checks and keeps a path; neither empty nor `.` is one.
    ///
    /// # Errors
    /// [`PathError`]: it could leave the tree, or no file system would take it.
    pub fn parse(bytes: &[u8]) -> Result<RelPath, PathError> {
        if bytes.starts_with(b"/") {
            return Err(PathError::Absolute);
        }
        if bytes.len() > PATH_LEN_MAX {
            return Err(PathError::TooLong);
        }
        for component in bytes.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => return Err(PathError::Empty),
                b".." => return Err(PathError::Parent),
                _ if component.contains(&0) => return Err(PathError::Nul),
                _ if component.len() > COMPONENT_LEN_MAX => return Err(PathError::TooLong),
                _ => {}
            }
        }
        Ok(RelPath(bytes.into()))
    }

    /// Reads the text of a manifest: escaped bytes, or `.` for the root.
    ///
    /// # Errors
    /// As [`RelPath::parse`].
    pub fn from_text(text: &str) -> Result<RelPath, PathError> {
        if text == ROOT_TEXT {
            return Ok(RelPath::root());
        }
        RelPath::parse(&unescape(text).ok_or(PathError::Escape)?)
    }

    /// The path of `name` in this folder.
    ///
    /// # Errors
    /// As [`RelPath::parse`].
    pub fn join(&self, name: &[u8]) -> Result<RelPath, PathError> {
        if name.contains(&b'/') {
            return Err(PathError::Empty);
        }
        if self.is_root() {
            return RelPath::parse(name);
        }
        RelPath::parse(&[&self.0, &b"/"[..], name].concat())
    }

    /// True for the root of the tree.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes; none for the root.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The components from the root down; none for the root.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|component| !component.is_empty())
    }

    /// The folder it is in and its own name; `None` for the root.
    pub fn split_last(&self) -> Option<(RelPath, &[u8])> {
        if self.is_root() {
            return None;
        }
        match self.0.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => Some((RelPath(self.0[..slash].into()), &self.0[slash + 1..])),
            None => Some((RelPath::root(), &self.0)),
        }
    }

    /// The path below `root`.
    pub fn below(&self, root: &Path) -> PathBuf {
        use std::os::unix::ffi::OsStrExt as _;
        if self.is_root() { root.to_owned() } else { root.join(std::ffi::OsStr::from_bytes(&self.0)) }
    }
}

/// Paths are in the order of their bytes, and so are found by bytes that are no path.
impl Borrow<[u8]> for RelPath {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for RelPath {
    /// The escaped text, as in a manifest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            b"" => f.write_str(ROOT_TEXT),
            bytes => f.write_str(&escape(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_taken() {
        for path in ["a", "a/b/c.txt", "...", "a/..b", ".hidden/x", "with space/é", "-rf"] {
            assert_eq!(RelPath::parse(path.as_bytes()).unwrap().as_bytes(), path.as_bytes());
        }
    }

    #[test]
    fn paths_that_could_leave_the_tree_are_refused() {
        assert_eq!(RelPath::parse(b"/etc/passwd"), Err(PathError::Absolute));
        assert_eq!(RelPath::parse(b".."), Err(PathError::Parent));
        assert_eq!(RelPath::parse(b"a/../../b"), Err(PathError::Parent));
        assert_eq!(RelPath::parse(b"a/.."), Err(PathError::Parent));
        assert_eq!(RelPath::from_text("%2E%2E/x"), Err(PathError::Parent));
        assert_eq!(RelPath::from_text("%2Fetc"), Err(PathError::Absolute));
    }

    #[test]
    fn paths_with_two_spellings_are_refused() {
        for path in ["", ".", "a//b", "a/./b", "a/", "./a"] {
            assert_eq!(RelPath::parse(path.as_bytes()), Err(PathError::Empty), "{path:?}");
        }
    }

    #[test]
    fn paths_no_file_system_takes_are_refused() {
        assert_eq!(RelPath::parse(b"a\0b"), Err(PathError::Nul));
        assert_eq!(RelPath::parse(&[b'a'; 256]), Err(PathError::TooLong));
        assert!(RelPath::parse(&[b'a'; 255]).is_ok());
        assert_eq!(RelPath::parse("a/".repeat(2048).as_bytes()), Err(PathError::TooLong));
    }

    #[test]
    fn the_root_is_a_dot() {
        assert_eq!(RelPath::root().to_string(), ".");
        assert!(RelPath::from_text(".").unwrap().is_root());
        assert_eq!(RelPath::root().below(Path::new("/t")), Path::new("/t"));
        assert_eq!(RelPath::root().join(b"a").unwrap().join(b"b").unwrap().as_bytes(), b"a/b");
        assert_eq!(RelPath::root().components().count(), 0);
    }

    #[test]
    fn a_name_joined_to_a_folder_is_one_component() {
        let folder = RelPath::parse(b"a").unwrap();
        assert_eq!(folder.join(b".."), Err(PathError::Parent));
        assert_eq!(folder.join(b"b/c"), Err(PathError::Empty));
    }

    #[test]
    fn the_last_component_splits_off() {
        let path = RelPath::parse(b"a/b/c").unwrap();
        let (folder, name) = path.split_last().unwrap();
        assert_eq!((folder.as_bytes(), name), (&b"a/b"[..], &b"c"[..]));
        let path = RelPath::parse(b"a").unwrap();
        let (folder, name) = path.split_last().unwrap();
        assert_eq!((folder.is_root(), name), (true, &b"a"[..]));
    }
}
