//! `cargo xtask differential`: ours beside the original, which is a program of its own (`dev/differential`).

use std::ffi::OsString;

use anyhow::Result;

use crate::workspace::{Workspace, run};

/// `cargo xtask differential --original HOST:PORT …`: see `dev/differential`. It starts a cluster of this build.
pub(crate) fn differential(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    run(&mut workspace.cargo(["build", "--release", "--package", "differential"]))?;
    run(std::process::Command::new(workspace.built("release", "differential")).args(arguments))
}
