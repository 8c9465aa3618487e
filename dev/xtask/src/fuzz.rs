//! Runs the fuzz targets of `dev/fuzz`: needs a nightly toolchain, so no ring of `cargo xtask test` depends on it.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::install;
use crate::steps::Steps;
use crate::workspace::{Workspace, run};

/// No input may make a decoder hold more than this, whatever length it announces.
const MEMORY_MIB_MAX: u32 = 64;

#[derive(Deserialize)]
struct Manifest {
    packages: Vec<Targets>,
}

#[derive(Deserialize)]
struct Targets {
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    src_path: std::path::PathBuf,
}

/// `cargo xtask fuzz [TARGET] [--seconds N]`: one target, or all in turn.
pub(crate) fn fuzz(workspace: &Workspace, only: Option<&str>, seconds: u32) -> Result<()> {
    install::cargo_fuzz(workspace)?;
    let folder = workspace.root.join("dev/fuzz");
    run(workspace.cargo(["run", "--quiet", "--bin", "seed"]).current_dir(&folder))
        .context("fill the corpus from the recordings")?;
    let names = targets(workspace)?;
    let chosen: Vec<&String> = names.iter().filter(|name| only.is_none_or(|only| only == *name)).collect();
    ensure!(!chosen.is_empty(), "no such target; there are: {}", names.join(", "));
    let mut steps = Steps::default();
    for name in chosen {
        steps.plain(name, || {
            // Through rustup, because the cargo that runs us is another toolchain's.
            let mut command = Command::new("rustup");
            command.args(["run", "nightly", "cargo", "fuzz", "run", "--fuzz-dir", "dev/fuzz", name, "--"]);
            command
                .arg(format!("-max_total_time={seconds}"))
                .arg(format!("-malloc_limit_mb={MEMORY_MIB_MAX}"));
            run(command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").current_dir(&workspace.root))
        });
    }
    steps.finish()
}

fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let output = workspace
        .cargo(["metadata", "--no-deps", "--format-version", "1", "--manifest-path", "dev/fuzz/Cargo.toml"])
        .output()
        .context("run cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let manifest: Manifest =
        serde_json::from_slice(&output.stdout).context("read what cargo metadata printed")?;
    let targets = manifest.packages.into_iter().flat_map(|package| package.targets);
    let in_folder =
        |target: &Target| target.src_path.parent().is_some_and(|folder| folder.ends_with("fuzz_targets"));
    Ok(targets.filter(in_folder).map(|target| target.name).collect())
}
