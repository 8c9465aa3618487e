//! The way of somebody who has never been here, timed: `git clone`, the command of the README, and a file that is shared in a
//! browser.
//!
//! What was built or fetched before is not used, but for what cargo and npm have downloaded: how long that takes says
//! more about the line than about the project.

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::install;
use crate::steps::say;
use crate::workspace::{Workspace, run};

/// Where `cairn up` has the drive.
const DRIVE_PORT: u16 = 8080;

/// `cargo xtask newcomer`
pub(crate) fn newcomer(workspace: &Workspace, listen: IpAddr) -> Result<()> {
    install::all(workspace)?;
    let checkout = workspace.target.join("newcomer");
    if checkout.exists() {
        std::fs::remove_dir_all(&checkout).with_context(|| format!("remove {}", checkout.display()))?;
    }
    let mut watch = Watch { begun: Instant::now(), before: Duration::ZERO };

    run(Command::new("git").args(["clone", "--quiet"]).arg(&workspace.root).arg(&checkout))?;
    watch.tell("git clone");

    let child = Command::new("cargo")
        .args(["xtask", "up", "--listen", &listen.to_string()])
        .current_dir(&checkout)
        .env_remove("CARGO_TARGET_DIR")
        // The line with the password is read in English.
        .env_remove("LC_ALL")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo xtask up")?;
    let mut up = Up(child);
    let password = password(&mut up)?;
    watch.tell("cargo xtask up: everything built, running, and it says how to sign in");

    run(Command::new("npm")
        .args(["run", "--silent", "e2e"])
        .current_dir(checkout.join("web"))
        .env("NEWCOMER_URL", format!("http://{}", std::net::SocketAddr::from((listen, DRIVE_PORT))))
        .env("NEWCOMER_PASSWORD", password))?;
    watch.tell("signed in, uploaded, shared, fetched by a stranger; in both languages");
    drop(up);
    std::fs::remove_dir_all(&checkout).with_context(|| format!("remove {}", checkout.display()))
}

struct Watch {
    begun: Instant,
    before: Duration,
}

impl Watch {
    fn tell(&mut self, what: &str) {
        let now = self.begun.elapsed();
        say(&format!("{:>7.1} s  (+{:.1} s)  {what}", now.as_secs_f64(), (now - self.before).as_secs_f64()));
        self.before = now;
    }
}

/// Ended when dropped.
struct Up(Child);

impl Drop for Up {
    fn drop(&mut self) {
        // It has become the server: nothing is left behind it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What it says of the first administrator.
fn password(up: &mut Up) -> Result<String> {
    let said = up.0.stdout.take().context("no way out")?;
    for line in BufReader::new(said).lines() {
        if let Some((_, password)) = line?.split_once("with the password ") {
            return Ok(password.trim().to_owned());
        }
    }
    bail!("cargo xtask up ended, or said no password")
}
