//! Whose work is in the binary: names, licences and notices of every crate that is linked into it and of every package that is
//! in the page, as their licences want it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::run_for;
use crate::workspace::Workspace;

const HEAD: &str = "\
This program contains the works listed here, each under the licence that is named. Texts of licences and notices that came with them
follow, each once, with the names of those that it came with. This software is based in part on the work of the
Independent JPEG Group.
";

/// Packages that name their licence in their Readme only.
const IN_README: [(&str, &str); 1] = [("combine-errors", "MIT")];

/// Beginnings of the names of files with licences and notices.
const FILES: [&str; 5] = ["license", "licence", "copying", "notice", "unlicense"];

#[derive(Deserialize)]
struct Crates {
    packages: Vec<Crate>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Crate {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: PathBuf,
    /// Nothing for crates of this workspace.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// Nothing for what is linked.
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    packages: BTreeMap<String, Locked>,
}

#[derive(Deserialize)]
struct Locked {
    version: Option<String>,
    license: Option<String>,
    #[serde(default)]
    dev: bool,
}

/// Somebody's work: what it is called, its licence, and where its files are.
struct Work {
    name: String,
    licence: String,
    folder: PathBuf,
}

/// Writes the file.
pub(super) fn write(workspace: &Workspace, file: &Path) -> Result<()> {
    let text = text(workspace)?;
    ensure!(text.contains("\ntokio "), "the notices are not those of this program");
    std::fs::write(file, text).with_context(|| format!("write {}", file.display()))
}

fn text(workspace: &Workspace) -> Result<String> {
    let mut works = linked(workspace)?;
    works.extend(in_page(&workspace.root.join("web"))?);
    works.sort_by(|one, other| one.name.cmp(&other.name));
    let mut page = HEAD.to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Work { name, licence, folder } in &works {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n{name}: {licence}");
        for text in texts_in(folder)? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    for (text, names) in texts {
        let _ = write!(page, "\n\n{}\n{}\n\n{}", "=".repeat(100), names.join(", "), text.trim_end());
    }
    page.push('\n');
    Ok(page)
}

/// The crates of others that are linked into `cairn`.
fn linked(workspace: &Workspace) -> Result<Vec<Work>> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let described =
        run_for(&mut workspace.cargo(["metadata", "--format-version", "1", "--filter-platform", &target]))?;
    let Crates { packages, resolve } =
        serde_json::from_str(&described).context("what cargo metadata printed")?;
    let edges: BTreeMap<&str, &Node> = resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let root = packages.iter().find(|package| package.name == "cairn").context("no crate cairn")?;
    let (mut found, mut left) = (BTreeSet::new(), vec![root.id.as_str()]);
    while let Some(id) = left.pop() {
        if found.insert(id) {
            let node = edges.get(id).with_context(|| format!("{id} is not resolved"))?;
            let linked =
                node.deps.iter().filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            left.extend(linked.map(|edge| edge.pkg.as_str()));
        }
    }
    let others =
        packages.iter().filter(|package| found.contains(package.id.as_str()) && package.source.is_some());
    others
        .map(|package| {
            let licence = package.license.clone().with_context(|| format!("{}: no licence", package.name))?;
            let folder = package.manifest_path.parent().unwrap_or(Path::new("/")).to_path_buf();
            Ok(Work { name: format!("{} {}", package.name, package.version), licence, folder })
        })
        .collect()
}

/// The npm packages that the page is made with, but for tools and for what is not installed on this machine.
fn in_page(web: &Path) -> Result<Vec<Work>> {
    let lock = std::fs::read_to_string(web.join("package-lock.json")).context("read package-lock.json")?;
    let Lock { packages } = serde_json::from_str(&lock).context("package-lock.json")?;
    let used = packages.into_iter().filter(|(path, package)| !path.is_empty() && !package.dev);
    used.map(|(path, package)| (web.join(&path), path, package))
        .filter(|(folder, ..)| folder.is_dir())
        .map(|(folder, path, package)| {
            let name = path.rsplit("node_modules/").next().unwrap_or(&path);
            let told =
                IN_README.iter().find(|(known, _)| *known == name).map(|(_, licence)| (*licence).to_owned());
            let licence = package.license.or(told).with_context(|| format!("{name}: no licence"))?;
            let name = format!("{name} {} (the page)", package.version.unwrap_or_default());
            Ok(Work { name, licence, folder })
        })
        .collect()
}

fn texts_in(folder: &Path) -> Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_file() && FILES.iter().any(|begin| name.starts_with(begin)) {
            let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            texts.insert(String::from_utf8_lossy(&bytes).replace('\r', ""));
        }
    }
    Ok(texts)
}
