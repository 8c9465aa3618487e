//! Where the built programs are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

/// Names the program under test; set by whoever built it already.
pub const CAIRN_BIN: &str = "CAIRN_BIN";

/// The root of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        // Said by whoever runs the tests: checkouts may share a target folder, and this was built from one of them.
        let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let here = here.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        here.ancestors().nth(2).unwrap_or(&here).to_path_buf()
    })
}

/// The `cairn` program: the one [`CAIRN_BIN`] names, else the one of this build, built now if need be.
///
/// # Errors
/// When it does not compile, or the named file does not exist.
pub fn cairn() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match BINARY.get_or_init(|| find().map_err(|error| format!("{error:#}"))) {
        Ok(path) => Ok(path),
        Err(words) => anyhow::bail!("{words}"),
    }
}

fn find() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(CAIRN_BIN) {
        let path = PathBuf::from(path);
        ensure!(path.is_file(), "{CAIRN_BIN} names {}, which is no file", path.display());
        return Ok(path);
    }
    // A test program lies in target/<profile>/deps, any other in target/<profile>.
    let this = std::env::current_exe().context("find this program")?;
    let folder = this.parent().context("folder of this program")?;
    let profile = if folder.ends_with("deps") { folder.parent().context("target folder")? } else { folder };
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "--package", "cairn"]).current_dir(workspace());
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let status = build.status().context("run cargo")?;
    ensure!(status.success(), "cairn did not compile");
    let binary = profile.join("cairn");
    ensure!(binary.is_file(), "cargo left no {}", binary.display());
    Ok(binary)
}
