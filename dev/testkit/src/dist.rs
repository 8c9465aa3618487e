//! What `cargo xtask dist` makes of this source, in the profile of developers.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use rustix::fs::{FlockOperation, flock};

use crate::binary::workspace;

/// Names the folder with what was made already; set by whoever made it.
pub const CAIRN_DIST: &str = "CAIRN_DIST";

/// The folder with the archive, the package and the image: the one that [`CAIRN_DIST`] names, else made now.
///
/// # Errors
/// When they can't be made.
pub fn folder() -> Result<&'static PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOLDER
        .get_or_init(|| make().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|words| anyhow::anyhow!("{words}"))
}

/// The one file in it whose name ends so.
///
/// # Errors
/// When there is none, or several.
pub fn file(end: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder()?)?;
    let paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    let mut found = paths.into_iter().filter(|path| path.to_string_lossy().ends_with(end));
    let file = found.next().with_context(|| format!("no {end}"))?;
    ensure!(found.next().is_none(), "several {end}");
    Ok(file)
}

fn make() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(CAIRN_DIST) {
        return Ok(PathBuf::from(folder));
    }
    let target = workspace().join("target");
    std::fs::create_dir_all(&target)?;
    // Tests are processes of their own, and it lays out its files in one place.
    let lock = File::create(target.join("dist.lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let folder = target.join("dist-of-tests");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut dist = Command::new(cargo);
    dist.args(["xtask", "dist", "--profile", "dev", "--out"]).arg(&folder).current_dir(workspace());
    let output = dist.output().context("run cargo")?;
    ensure!(output.status.success(), "cargo xtask dist: {}", String::from_utf8_lossy(&output.stderr));
    Ok(folder)
}
