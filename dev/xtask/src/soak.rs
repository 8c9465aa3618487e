//! `cargo xtask soak`: the whole of Cairn under load while its members are killed, a program of its own (`dev/soak`).

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::workspace::{Workspace, run};
use crate::{install, web};

/// `cargo xtask soak --minutes 60`: see `dev/soak`. The program and the load are built in release.
pub(crate) fn soak(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    install::all(workspace)?;
    web::build(workspace)?;
    run(&mut workspace.cargo(["build", "--release", "--package", "cairn", "--package", "soak"]))?;
    let mut command = Command::new(workspace.built("release", "soak"));
    command.args(arguments).arg("--binary").arg(workspace.built("release", "cairn"));
    let given = |flag: &str| arguments.iter().any(|word| word.to_string_lossy().starts_with(flag));
    if !given("--dir") {
        // On the disk the build is on: a temporary folder may be memory.
        command.arg("--dir").arg(workspace.target.join("soak"));
    }
    run(&mut command)
}
