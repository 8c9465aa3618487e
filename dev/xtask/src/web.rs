//! The page (`web/`): what it needs from npm, its build, its checks, its tests.
//!
//! The binary embeds `web/dist`. It is made again only when something in `web/` changed, so that the binary is not.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::steps::say;
use crate::workspace::{Workspace, run};

/// What Vite and the tests' tools need.
const NODE_MAJOR: u32 = 20;
const NODE_MINOR: u32 = 19;

/// The packages of the lock file, unless they are there.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    node()?;
    let folder = folder(workspace);
    let lock = read(&folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/installed.json");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    say("installing npm packages of the page");
    run(&mut npm(workspace, &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    std::fs::write(&stamp, lock).with_context(|| format!("write {}", stamp.display()))
}

/// `web/dist`, as what is in `web/` says.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    install(workspace)?;
    let sources = fingerprint(workspace)?;
    let stamp = workspace.target.join("tools/page.txt");
    let dist = folder(workspace).join("dist/index.html");
    if dist.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|built| built == sources) {
        return Ok(());
    }
    run(&mut npm(workspace, &["run", "--silent", "build"]))?;
    std::fs::create_dir_all(workspace.target.join("tools"))?;
    std::fs::write(&stamp, sources).with_context(|| format!("write {}", stamp.display()))
}

/// Format, lints and types.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    install(workspace)?;
    run(&mut npm(workspace, &["run", "--silent", "lint"]))?;
    run(&mut npm(workspace, &["run", "--silent", "types"]))
}

/// What lints can mend by themselves.
pub(crate) fn fix(workspace: &Workspace) -> Result<()> {
    install(workspace)?;
    run(&mut npm(workspace, &["run", "--silent", "fix"]))
}

/// The types of the API, as its description says: the text of `web/src/api/gen.ts`.
pub(crate) fn types_of_api(workspace: &Workspace, description: &str) -> Result<String> {
    install(workspace)?;
    let file = workspace.target.join("tools/openapi.json");
    std::fs::create_dir_all(workspace.target.join("tools"))?;
    std::fs::write(&file, description).with_context(|| format!("write {}", file.display()))?;
    let command = ["exec", "--offline", "--", "openapi-typescript", "--alphabetize"];
    let output = npm(workspace, &command).arg(&file).output().context("run openapi-typescript")?;
    ensure!(output.status.success(), "openapi-typescript: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("the types of the API")
}

/// Tests of what needs no browser.
pub(crate) fn test_logic(workspace: &Workspace) -> Result<()> {
    install(workspace)?;
    run(&mut npm(workspace, &["run", "--silent", "test"]))
}

/// Tests in a browser, against the binary.
pub(crate) fn test_in_browser(workspace: &Workspace, cairn: &Path) -> Result<()> {
    install(workspace)?;
    run(npm(workspace, &["run", "--silent", "e2e"]).env("CAIRN", cairn))
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join("web")
}

fn npm(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut command = Command::new("npm");
    command.args(arguments).current_dir(folder(workspace));
    command
}

/// Node.js is the user's to install: which one is their choice.
fn node() -> Result<()> {
    let wanted = format!("Node.js {NODE_MAJOR}.{NODE_MINOR} or later with npm is needed for the page");
    let output = Command::new("node").arg("--version").output().with_context(|| wanted.clone())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers =
        text.trim().trim_start_matches('v').split('.').map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    ensure!(version >= (NODE_MAJOR, NODE_MINOR), "{wanted}; there is {}", text.trim());
    // Debian has it in a package of its own.
    let npm = Command::new("npm").arg("--version").output();
    ensure!(npm.is_ok_and(|output| output.status.success()), "{wanted}; there is no npm that works");
    Ok(())
}

/// What is in `web/` and the build does not read: what it and npm make, and the tests in a browser.
const NOT_READ: [&str; 5] = ["dist", "e2e", "node_modules", "playwright-report", "test-results"];

/// Of everything that the build reads. It asks the folder and not git, which nobody needs who only tries it.
fn fingerprint(workspace: &Workspace) -> Result<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder(workspace)];
    while let Some(inside) = folders.pop() {
        let words = || format!("read {}", inside.display());
        for entry in std::fs::read_dir(&inside).with_context(words)? {
            let entry = entry.with_context(words)?;
            if NOT_READ.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            let kind = entry.file_type().with_context(words)?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for path in files {
        workspace.relative(&path).hash(&mut hasher);
        std::fs::read(&path).with_context(|| format!("read {}", path.display()))?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}
