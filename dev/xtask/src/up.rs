//! Builds the page and the product, and becomes it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::web;
use crate::workspace::{Workspace, run};

/// Whoever tries it waits for it: faster to build than a release.
const PROFILE: &str = "quick";

/// `cargo xtask up`: signals go to the server itself, because nothing is left in between.
pub(crate) fn up(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    web::build(workspace)?;
    run(&mut workspace.cargo(["build", "--profile", PROFILE, "--package", "cairn"]))?;
    let binary = workspace.built(PROFILE, "cairn");
    let error = Command::new(&binary).arg("up").args(arguments).exec();
    Err(error).with_context(|| format!("start {}", binary.display()))
}
