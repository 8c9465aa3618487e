//! Known holes in what we depend on, where a copy of the RustSec database is at hand.
//!
//! Fetching it needs a network that build machines may not have, so its place is told from outside.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::steps::say;
use crate::workspace::{Workspace, run};

/// Names a folder with the database; without it advisories are not looked up.
const ADVISORY_DB: &str = "ADVISORY_DB";
/// The folder in which cargo-deny looks for the checkout of its default database.
const CHECKOUT: &str = "advisory-db-3157b0e258782691";

/// Compares the lock file with the database.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let Some(database) = std::env::var_os(ADVISORY_DB).map(PathBuf::from) else {
        say(&format!("not looked up: {ADVISORY_DB} names no database"));
        return Ok(());
    };
    ensure!(database.join("crates").is_dir(), "{ADVISORY_DB}: no RustSec database in {}", database.display());
    let folder = workspace.target.join("tools/advisories");
    stage(&database, &folder.join(CHECKOUT))?;
    let rules = std::fs::read_to_string(workspace.root.join("deny.toml")).context("read deny.toml")?;
    let config = folder.join("deny.toml");
    let place = format!("[advisories]\ndb-path = {:?}", folder.display().to_string());
    ensure!(rules.contains("[advisories]"), "deny.toml has no [advisories]");
    std::fs::write(&config, rules.replace("[advisories]", &place)).context("write the settings")?;
    let deny = ["deny", "--offline", "--log-level", "error", "--config"];
    run(workspace.cargo(deny).arg(&config).args(["check", "advisories"]))
}

/// cargo-deny wants a git checkout, and a copy of the database may be plain files.
fn stage(database: &Path, checkout: &Path) -> Result<()> {
    if checkout.exists() {
        std::fs::remove_dir_all(checkout).context("remove the old copy of the database")?;
    }
    std::fs::create_dir_all(checkout).context("make a folder for the database")?;
    run(Command::new("cp").arg("-r").arg(database.join(".")).arg(checkout))?;
    let git = |arguments: &[&str]| run(Command::new("git").arg("-C").arg(checkout).args(arguments));
    git(&["init", "--quiet"])?;
    git(&["add", "--all"])?;
    let identity = ["-c", "user.name=xtask", "-c", "user.email=xtask@localhost"];
    let commit = ["commit", "--quiet", "--allow-empty", "--no-verify", "--message", "as copied"];
    git(&[&identity[..], &commit[..]].concat())
}
