//! What is handed out: an archive with the static binary, a Debian package, a container image, and their checksums.

mod binary;
mod deb;
mod image;
mod notices;
mod stage;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::steps::say;
use crate::workspace::{Workspace, run};
use crate::{install, web};

/// Bytes that can be told from a build of the same commit: when it was made.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// What is built.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// A profile of cargo: `release`, or `dev` where it is only looked at.
    pub(crate) profile: String,
    /// Where it goes.
    pub(crate) out: PathBuf,
}

/// What all of it is made of.
struct Product {
    version: String,
    /// As Rust has it: `x86_64`.
    machine: &'static str,
    /// Seconds since 1970 that everything in it is dated.
    epoch: String,
    /// Whether small is worth the time.
    compact: bool,
    binary: PathBuf,
    /// Whose work is in it.
    notices: PathBuf,
    /// Where files are laid out before they are packed; emptied at the beginning.
    work: PathBuf,
    out: PathBuf,
}

/// `cargo xtask dist [--profile dev] [--out DIR]`
pub(crate) fn dist(workspace: &Workspace, options: &Options) -> Result<()> {
    install::for_dist()?;
    web::build(workspace)?;
    let work = workspace.target.join("dist/work");
    empty(&work)?;
    std::fs::create_dir_all(&options.out).with_context(|| format!("make {}", options.out.display()))?;
    let product = Product {
        version: workspace.version("cairn")?,
        machine: std::env::consts::ARCH,
        epoch: epoch(workspace)?,
        compact: options.profile == "release",
        binary: binary::build(workspace, &options.profile, &work)?,
        notices: work.join("THIRD-PARTY-NOTICES"),
        work,
        out: options.out.canonicalize().context("the folder for what is made")?,
    };
    notices::write(workspace, &product.notices)?;
    let made = [
        stage::archive(workspace, &product)?,
        deb::package(workspace, &product)?,
        image::build(workspace, &product)?,
    ];
    let sums = run_for(Command::new("sha256sum").args(&made).current_dir(&product.out))?;
    std::fs::write(product.out.join("SHA256SUMS"), sums).context("write SHA256SUMS")?;
    for name in made {
        say(&product.out.join(name).display().to_string());
    }
    Ok(())
}

/// Where it goes unless told otherwise.
pub(crate) fn usual_place(workspace: &Workspace, profile: &str) -> PathBuf {
    workspace.target.join("dist").join(profile)
}

/// When the commit was made, or what the environment says.
fn epoch(workspace: &Workspace) -> Result<String> {
    if let Ok(epoch) = std::env::var(EPOCH) {
        return Ok(epoch);
    }
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%ct"]).current_dir(&workspace.root);
    Ok(run_for(&mut git)?.trim().to_owned())
}

/// An empty folder.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))
}

/// Copies a file, or the files of a folder, under a new name; with its folders, and readable for all.
fn lay(from: &Path, to: &Path, mode: &str) -> Result<()> {
    let install = || {
        let mut command = Command::new("install");
        command.args(["-D", "-m", mode]);
        command
    };
    if !from.is_dir() {
        return run(install().arg(from).arg(to));
    }
    let mut names: Vec<_> = std::fs::read_dir(from)
        .with_context(|| format!("read {}", from.display()))?
        .collect::<Result<_, _>>()?;
    names.sort_by_key(std::fs::DirEntry::file_name);
    for entry in names.iter().filter(|entry| entry.path().is_file()) {
        run(install().arg(entry.path()).arg(to.join(entry.file_name())))?;
    }
    Ok(())
}

/// Runs a program and returns what it printed.
fn run_for(command: &mut Command) -> Result<String> {
    let words = crate::workspace::in_words(command);
    let output = command.output().with_context(|| format!("run {words}"))?;
    ensure!(output.status.success(), "`{words}`: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).with_context(|| format!("what `{words}` printed"))
}
