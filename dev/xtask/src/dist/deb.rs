//! The Debian package, made by dpkg-deb.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Product, lay, run_for};
use crate::workspace::{Workspace, run};

/// What is in it beside the binary, and where from.
const FILES: [(&str, &str); 6] = [
    ("deploy/nginx", "usr/share/doc/cairn/nginx"),
    ("conf", "etc/cairn"),
    ("README.md", "usr/share/doc/cairn/README.md"),
    ("deploy/debian/copyright", "usr/share/doc/cairn/copyright"),
    ("deploy/debian/lintian-overrides", "usr/share/lintian/overrides/cairn"),
    ("deploy/systemd/cairn.sysusers", "usr/lib/sysusers.d/cairn.conf"),
];

/// What dpkg runs.
const SCRIPTS: [&str; 4] = ["preinst", "postinst", "prerm", "postrm"];

/// Makes it; its name.
pub(super) fn package(workspace: &Workspace, product: &Product) -> Result<String> {
    let root = product.work.join("deb");
    lay(&product.binary, &root.join("usr/bin/cairn"), "0755")?;
    lay(&product.notices, &root.join("usr/share/doc/cairn/THIRD-PARTY-NOTICES"), "0644")?;
    for (from, to) in FILES {
        lay(&workspace.root.join(from), &root.join(to), "0644")?;
    }
    let units = workspace.root.join("deploy/systemd");
    for unit in units_of(&units)? {
        lay(&units.join(&unit), &root.join("usr/lib/systemd/system").join(&unit), "0644")?;
    }
    changelog(workspace, product, &root)?;
    for script in SCRIPTS {
        lay(&workspace.root.join("deploy/debian").join(script), &root.join("DEBIAN").join(script), "0755")?;
    }
    describe(workspace, product, &root)
}

fn units_of(folder: &Path) -> Result<Vec<String>> {
    let names = std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut units: Vec<String> = names
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .filter(|name| name.as_ref().map_or(true, |name| name.ends_with(".service")))
        .collect::<std::io::Result<_>>()?;
    units.sort();
    Ok(units)
}

/// The project's, in the place and form that Debian wants: what changed is in CHANGELOG.md.
fn changelog(workspace: &Workspace, product: &Product, root: &Path) -> Result<()> {
    let documents = root.join("usr/share/doc/cairn");
    lay(&workspace.root.join("CHANGELOG.md"), &documents.join("NEWS.md"), "0644")?;
    let date = run_for(Command::new("date").args(["-uR", "-d"]).arg(format!("@{}", product.epoch)))?;
    let text = format!(
        "cairn ({}) stable; urgency=medium\n\n  * See NEWS.md.gz.\n\n -- The Cairn authors <cairn@example.org>  {date}",
        product.version
    );
    let file = documents.join("changelog");
    std::fs::write(&file, text).context("write the changelog")?;
    run(Command::new("gzip")
        .args(["-9", "-n"])
        .arg(&file)
        .args(["NEWS.md", "THIRD-PARTY-NOTICES"].map(|name| documents.join(name))))
}

fn describe(workspace: &Workspace, product: &Product, root: &Path) -> Result<String> {
    let architecture = run_for(Command::new("dpkg").arg("--print-architecture"))?.trim().to_owned();
    // Debian's rule: KiB, of the files alone.
    let size = run_for(Command::new("du").args(["-k", "-s", "--apparent-size"]).arg(root))?;
    let template = std::fs::read_to_string(workspace.root.join("deploy/debian/control.in"))?;
    let control = template
        .replace("@VERSION@", &product.version)
        .replace("@ARCHITECTURE@", &architecture)
        .replace("@SIZE@", size.split_whitespace().next().unwrap_or("0"));
    let debian = root.join("DEBIAN");
    std::fs::write(debian.join("control"), control).context("write control")?;
    let find = |what: &[&str]| {
        let mut command = Command::new("find");
        run_for(command.args(what).args(["-type", "f", "-printf", "%P\\n"]).current_dir(root))
    };
    let mut conffiles: Vec<String> = find(&["etc"])?.lines().map(|name| format!("/etc/{name}\n")).collect();
    conffiles.sort();
    std::fs::write(debian.join("conffiles"), conffiles.concat()).context("write conffiles")?;
    let mut files: Vec<String> = find(&["usr"])?.lines().map(|name| format!("usr/{name}")).collect();
    files.sort();
    let sums = run_for(Command::new("md5sum").args(&files).current_dir(root))?;
    std::fs::write(debian.join("md5sums"), sums).context("write md5sums")?;
    run(Command::new("chmod").args(["0644", "control", "conffiles", "md5sums"]).current_dir(&debian))?;

    let mut file = String::new();
    // Writing to a String cannot fail.
    let _ = write!(file, "cairn_{}_{architecture}.deb", product.version);
    let compression: &[&str] = if product.compact { &["-Zxz"] } else { &["-Zgzip", "-z1"] };
    let mut build = Command::new("dpkg-deb");
    build.arg("--root-owner-group").args(compression).arg("--build").arg(root).arg(product.out.join(&file));
    run(build.env(super::EPOCH, &product.epoch).stdout(std::process::Stdio::null()))?;
    Ok(file)
}
