//! The folders of a base path.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use daemon::run_as::Identity;

use super::Role;

/// Modes the original gives them.
const BASE_MODE: u32 = 0o775;
const INNER_MODE: u32 = 0o755;

/// Where a server of this role keeps its pid.
pub(crate) fn pid_file(base_path: &Path, role: Role) -> PathBuf {
    base_path.join("data").join(format!("{}.pid", role.program()))
}

/// Makes the base path with `data` and `logs`; what is made here belongs to `owner`, if there is one.
pub(crate) fn prepare(base_path: &Path, owner: Option<&Identity>) -> anyhow::Result<()> {
    if let Some(above) = base_path.parent() {
        fs::create_dir_all(above).with_context(|| format!("create {}", above.display()))?;
    }
    make(base_path, BASE_MODE, owner)?;
    make(&base_path.join("data"), INNER_MODE, owner)?;
    make(&base_path.join("logs"), INNER_MODE, owner)
}

fn make(path: &Path, mode: u32, owner: Option<&Identity>) -> anyhow::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {
            if let Some(owner) = owner {
                owner.give(path)?;
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error).with_context(|| format!("create {}", path.display())),
    }
}
