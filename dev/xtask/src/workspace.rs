//! Where things are, and how programs are run there.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The workspace as `cargo metadata` describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
    /// Whether what cargo compiles of ours is linted on the way.
    #[serde(skip)]
    pub(crate) lints: bool,
}

/// What cargo calls instead of the compiler for crates of the workspace.
const WRAPPER: &str = "RUSTC_WORKSPACE_WRAPPER";
/// Arguments for the linter, each followed by a mark, as `cargo clippy` gives them.
const LINT_ARGUMENTS: (&str, &str) = ("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");

/// One crate of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    #[serde(default)]
    pub(crate) metadata: Option<Metadata>,
}

/// One line of a crate's dependencies.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Nothing for a normal dependency, else "dev" or "build".
    pub(crate) kind: Option<String>,
}

/// `[package.metadata]`
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) layer: Option<LayerName>,
}

/// `[package.metadata.layer]`
#[derive(Debug, Deserialize)]
pub(crate) struct LayerName {
    pub(crate) name: String,
}

impl Workspace {
    /// Asks cargo about the workspace this program was built from.
    pub(crate) fn find() -> Result<Workspace> {
        let output = Command::new(cargo())
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .context("run cargo metadata")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("read what cargo metadata printed")
    }

    /// A cargo command in the root of the workspace.
    pub(crate) fn cargo<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(cargo());
        command.args(arguments).current_dir(&self.root);
        if self.lints {
            let (name, value) = LINT_ARGUMENTS;
            command.env(WRAPPER, "clippy-driver").env(name, value);
        }
        command
    }

    /// The version of a crate.
    pub(crate) fn version(&self, name: &str) -> Result<String> {
        let package = self.packages.iter().find(|package| package.name == name);
        Ok(package.with_context(|| format!("no crate {name}"))?.version.clone())
    }

    /// A program built with this profile ("debug", "release").
    pub(crate) fn built(&self, profile: &str, name: &str) -> PathBuf {
        self.target.join(profile).join(name)
    }

    /// A path as people write it: relative to the root.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// Text files that belong to the project, tracked or new, relative to the root.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"])
            .current_dir(&self.root)
            .output()
            .context("run git")?;
        ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
        let list = String::from_utf8(output.stdout).context("file names")?;
        ensure!(!list.is_empty(), "git knows no files in {}", self.root.display());
        let present = |path: &PathBuf| self.root.join(path).is_file();
        Ok(list.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).filter(present).collect())
    }
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Runs a program to its end, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let words = in_words(command);
    let status = command.status().with_context(|| format!("run {words}"))?;
    ensure!(status.success(), "`{words}` ended with {status}");
    Ok(())
}

/// The command line, for messages.
pub(crate) fn in_words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
