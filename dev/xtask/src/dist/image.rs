//! The container image, from nothing but the binary, by buildah, which needs no engine for it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{Product, empty, lay};
use crate::workspace::{Workspace, run};

/// Who is who in the image, and that names are looked up in its files and then asked from a server.
const ETC: [(&str, &str); 3] = [
    ("passwd", "root:x:0:0:root:/:/\ncairn:x:10001:10001:Cairn:/var/lib/cairn:/\n"),
    ("group", "root:x:0:\ncairn:x:10001:\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
];

/// Makes it, as an archive that engines load; its name.
pub(super) fn build(workspace: &Workspace, product: &Product) -> Result<String> {
    let context = product.work.join("image");
    lay(&product.binary, &context.join("cairn"), "0755")?;
    lay(&workspace.root.join("conf"), &context.join("conf"), "0644")?;
    lay(&workspace.root.join("LICENSE"), &context.join("LICENSE"), "0644")?;
    lay(&product.notices, &context.join("THIRD-PARTY-NOTICES"), "0644")?;
    // Folders whose modes and owners a COPY keeps are those inside of what is copied.
    for (folder, mode) in
        [("image/etc", 0o755), ("image/var/lib", 0o755), ("image/tmp", 0o1777), ("owned/cairn", 0o755)]
    {
        let folder = context.join(folder);
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        std::fs::set_permissions(&folder, Permissions::from_mode(mode))
            .context("set the mode of a folder")?;
    }
    for (name, text) in ETC {
        std::fs::write(context.join("image/etc").join(name), text)
            .with_context(|| format!("write {name}"))?;
    }
    let name = format!("cairn:{}", product.version);
    let file = format!("cairn-{}-{}-image.tar", product.version, product.machine);
    let target = product.out.join(&file);
    if target.exists() {
        std::fs::remove_file(&target).context("remove the old image")?;
    }
    // Of its own, so that nothing is left among the images of whoever builds.
    let store = product.work.join("buildah");
    empty(&store)?;
    let mut bud = buildah(&store);
    bud.args([
        "bud",
        "--quiet",
        "--isolation",
        "chroot",
        "--format",
        "docker",
        "--layers=false",
        "--timestamp",
    ]);
    bud.arg(&product.epoch).args(["--tag", &name, "--file"]).arg(workspace.root.join("deploy/Containerfile"));
    run(bud.arg(&context).stdout(Stdio::null()))?;
    let mut archive = std::ffi::OsString::from("docker-archive:");
    archive.push(&target);
    archive.push(format!(":{name}"));
    run(buildah(&store).args(["push", "--quiet", &name]).arg(archive))?;
    Ok(file)
}

/// Files only, no overlay: that needs rights and a kernel that a place for builds may not have.
fn buildah(store: &Path) -> Command {
    let mut command = Command::new("buildah");
    command.arg("--root").arg(store.join("root")).arg("--runroot").arg(store.join("run"));
    command.args(["--storage-driver", "vfs"]);
    command
}
