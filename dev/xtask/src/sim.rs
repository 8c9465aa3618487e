//! `cargo xtask sim`: the simulator, which is a program of its own (`dev/sim`).

use std::ffi::OsString;

use anyhow::Result;

use crate::workspace::{Workspace, run};

/// `cargo xtask sim --seed N`, `--seeds A..B`, `--fault NAME`: see `dev/sim`.
pub(crate) fn sim(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    run(workspace.cargo(["run", "--quiet", "--package", "sim", "--"]).args(arguments))
}
