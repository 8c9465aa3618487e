//! Runs scripts against the public Python clients, in the environment `cargo xtask test` makes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use crate::binary::workspace;

/// Names the interpreter, when it is not the one in `target/tools/py`.
pub const CAIRN_PYTHON: &str = "CAIRN_PYTHON";

/// The interpreter that has the clients installed.
///
/// # Errors
/// When it is missing.
pub fn interpreter() -> Result<PathBuf> {
    let path = match std::env::var_os(CAIRN_PYTHON) {
        Some(path) => PathBuf::from(path),
        None => workspace().join("target/tools/py/bin/python"),
    };
    ensure!(path.is_file(), "no {}: `cargo xtask test` makes it", path.display());
    Ok(path)
}

/// Runs a script file with arguments, in a working folder of its own choosing.
///
/// # Errors
/// When it cannot be run or ends with a code other than 0; what it printed is in the error.
pub fn run(script: &Path, arguments: &[&str], folder: &Path) -> Result<String> {
    let Output { status, stdout, stderr } = Command::new(interpreter()?)
        // -B: no compiled files next to the sources.
        .arg("-B")
        .arg(script)
        .args(arguments)
        .current_dir(folder)
        .output()
        .context("run python")?;
    let printed = String::from_utf8_lossy(&stdout).into_owned();
    let complaints = String::from_utf8_lossy(&stderr);
    ensure!(status.success(), "{} ended with {status}\n{printed}\n{complaints}", script.display());
    Ok(printed)
}
