//! The archive: the binary, the installer and what it installs, for any Linux.

use std::process::Command;

use anyhow::Result;

use super::{Product, lay};
use crate::workspace::{Workspace, run};

/// What is in the archive beside the binary, and where from.
const FILES: [(&str, &str, &str); 6] = [
    ("deploy/install.sh", "install.sh", "0755"),
    ("deploy/systemd", "systemd", "0644"),
    ("deploy/nginx", "nginx", "0644"),
    ("conf", "conf", "0644"),
    ("LICENSE", "LICENSE", "0644"),
    ("README.md", "README.md", "0644"),
];

/// Makes it; its name.
pub(super) fn archive(workspace: &Workspace, product: &Product) -> Result<String> {
    let name = format!("cairn-{}-{}-linux", product.version, product.machine);
    let folder = product.work.join(&name);
    lay(&product.binary, &folder.join("cairn"), "0755")?;
    lay(&product.notices, &folder.join("THIRD-PARTY-NOTICES"), "0644")?;
    for (from, to, mode) in FILES {
        lay(&workspace.root.join(from), &folder.join(to), mode)?;
    }
    let file = format!("{name}.tar.gz");
    let level = if product.compact { "-9" } else { "-1" };
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.arg(format!("--mtime=@{}", product.epoch)).arg(format!("--use-compress-program=gzip -n {level}"));
    run(tar.arg("--file").arg(product.out.join(&file)).arg("--directory").arg(&product.work).arg(&name))?;
    Ok(file)
}
