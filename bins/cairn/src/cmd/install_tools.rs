//! `cairn install-tools DIR`: the classic names, as links to this binary.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::fdfs::TOOLS;
use crate::messages::{Language, Say};

/// Links every tool's name in `folder` to the running binary. Links that are there are renewed; a file of
/// the same name is left alone, and nothing is changed.
pub(crate) fn install(folder: &Path, language: Language) -> anyhow::Result<usize> {
    let binary = std::env::current_exe().context("find this binary")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let links: Vec<PathBuf> = TOOLS.iter().map(|tool| folder.join(tool.name)).collect();
    for link in &links {
        match fs::symlink_metadata(link) {
            Ok(there) if !there.is_symlink() => {
                bail!(Say::ToolInTheWay { path: link }.in_language(language));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("look at {}", link.display()));
            }
            Ok(_) | Err(_) => {}
        }
    }
    for link in &links {
        // Beside, then over: at no moment is a tool missing.
        let beside = link.with_extension("new");
        let made = replace(&binary, &beside, link);
        made.with_context(|| format!("link {}", link.display()))?;
    }
    Ok(links.len())
}

fn replace(binary: &Path, beside: &Path, link: &Path) -> io::Result<()> {
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(binary, beside)?;
    fs::rename(beside, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_becomes_a_link_to_this_binary_and_again() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let count = install(folder.path(), Language::English).unwrap();
            assert_eq!(count, TOOLS.len());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), TOOLS.len());
        }
        let target = fs::read_link(folder.path().join("fdfs_crc32")).unwrap();
        assert_eq!(target, std::env::current_exe().unwrap());
    }

    #[test]
    fn a_real_file_in_the_way_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let original = folder.path().join("fdfs_crc32");
        fs::write(&original, "the original").unwrap();
        let error = install(folder.path(), Language::English).unwrap_err();
        assert!(error.to_string().contains("fdfs_crc32 exists"), "{error}");
        assert_eq!(fs::read_to_string(&original).unwrap(), "the original");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
