//! The way of somebody who has never been here, timed: `git clone`, the command of the README, and a file that is shared in a
//! browser.
//!
//! What was built or fetched before is not used, but for what cargo and npm have downloaded: how long that takes says
//! more about the line than about the project. In a root of its own (`--root`) there is nothing but what was put there.

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::install;
use crate::steps::say;
use crate::workspace::{Workspace, run};

/// Where `cairn up` has the drive.
const DRIVE_PORT: u16 = 8080;

/// Where the checkout lies in a root of its own.
const IN_ROOT: &str = "newcomer";

/// `cargo xtask newcomer`; with `root` everything but the browser is in that root, such as a clean Debian's.
pub(crate) fn newcomer(workspace: &Workspace, listen: IpAddr, root: Option<&Path>) -> Result<()> {
    install::all(workspace)?;
    let checkout = root.map_or_else(|| workspace.target.join("newcomer"), |root| root.join(IN_ROOT));
    if checkout.exists() {
        std::fs::remove_dir_all(&checkout).with_context(|| format!("remove {}", checkout.display()))?;
    }
    let mut watch = Watch { begun: Instant::now(), before: Duration::ZERO };

    run(Command::new("git").args(["clone", "--quiet"]).arg(&workspace.root).arg(&checkout))?;
    watch.tell("git clone");

    let child = cargo_xtask_up(&checkout, listen, root)
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

/// As the README says it, but for the address. The line with the password is read in English.
fn cargo_xtask_up(checkout: &Path, listen: IpAddr, root: Option<&Path>) -> Command {
    let up = format!("cargo xtask up --listen {listen}");
    let Some(root) = root else {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {up}")]).current_dir(checkout);
        command.env_remove("CARGO_TARGET_DIR").env_remove("LC_ALL").env("LANG", "C.UTF-8");
        return command;
    };
    // Nothing of this machine's environment, and a login shell, as the installers of Rust and Node.js expect one.
    let mut command = Command::new("chroot");
    command.arg(root).args(["env", "--ignore-environment", "HOME=/root", "LANG=C.UTF-8"]);
    command.args(["sh", "-lc", &format!("cd /{IN_ROOT} && exec {up}")]);
    command
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

/// What it says of the first administrator. It goes on talking, and is listened to.
fn password(up: &mut Up) -> Result<String> {
    let said = up.0.stdout.take().context("no way out")?;
    let mut lines = BufReader::new(said).lines();
    let password = lines.by_ref().map_while(|line| line.ok()).find_map(|line| {
        line.split_once("with the password ").map(|(_, password)| password.trim().to_owned())
    });
    thread::spawn(move || lines.for_each(drop));
    password.context("cargo xtask up ended, or said no password")
}
