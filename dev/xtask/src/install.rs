//! What the tests need beyond Rust, installed when it is missing. Idempotent; says what it installs, else nothing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::steps::say;
use crate::workspace::{Workspace, run};

/// Debian packages: a command that works when the package is there, and its name.
const SYSTEM: [(&[&str], &str); 25] = [
    (&["git", "--version"], "git"),
    (&["tar", "--version"], "tar"),
    (&["unzip", "-v"], "unzip"),
    (&["python3", "--version"], "python3"),
    (&["python3", "-c", "import ensurepip, venv"], "python3-venv"),
    (&["nginx", "-v"], "nginx-light"),
    // It has no question that it answers with success.
    (&["sh", "-c", "command -v cgi-fcgi"], "libfcgi-bin"),
    (&["curl", "--version"], "curl"),
    (&["chromium", "--version"], "chromium"),
    // Chinese texts in pictures of the page.
    (&["sh", "-c", "ls /usr/share/fonts/opentype/noto/NotoSansCJK-*"], "fonts-noto-cjk"),
    (&["mariadbd", "--version"], "mariadb-server-core"),
    (&["mariadb", "--version"], "mariadb-client-core"),
    (&["redis-server", "--version"], "redis-server"),
    (&["nats-server", "--version"], "nats-server"),
    // For promtool. Where systemd runs, it starts a Prometheus that watches itself.
    (&["promtool", "--version"], "prometheus"),
    (&["dpkg-deb", "--version"], "dpkg"),
    (&["buildah", "--version"], "buildah"),
    (&["lintian", "--version"], "lintian"),
    (&["shellcheck", "--version"], "shellcheck"),
    (&["systemd-analyze", "--version"], "systemd"),
    // A terminal for `cairn monitor --live`.
    (&["script", "--version"], "bsdutils"),
    // The template for Zabbix is tried in one: its server, and its page, which has the API.
    (&["/usr/sbin/zabbix_server", "--version"], "zabbix-server-mysql"),
    (&["sh", "-c", "test -f /usr/share/zabbix/api_jsonrpc.php"], "zabbix-frontend-php"),
    (&["php", "--version"], "php-cli"),
    (&["php", "-r", "exit(extension_loaded('mysqli') ? 0 : 1);"], "php-mysql"),
];
/// Those that `cargo xtask dist` uses.
const FOR_DIST: [&str; 4] = ["git", "tar", "dpkg", "buildah"];
/// Pinned, because a new release may refuse what it accepted before.
const CARGO_DENY: &str = "cargo-deny@0.20.2";
const CARGO_FUZZ: &str = "cargo-fuzz@0.13.2";
const MDBOOK: &str = "0.5.4";
/// The public clients and what they need.
const PYTHON: &str = include_str!("../python.txt");

/// Everything the end-to-end tests use.
pub(crate) fn all(workspace: &Workspace) -> Result<()> {
    system(|_| true)?;
    python(workspace)
}

/// What packs the product.
pub(crate) fn for_dist() -> Result<()> {
    system(|package| FOR_DIST.contains(&package))
}

/// `cargo deny`, unless it is there in some version.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Result<()> {
    cargo_tool(workspace, "deny", CARGO_DENY)
}

/// `cargo fuzz`, unless it is there in some version.
pub(crate) fn cargo_fuzz(workspace: &Workspace) -> Result<()> {
    cargo_tool(workspace, "fuzz", CARGO_FUZZ)
}

/// mdBook of the pinned version, in our own folder; its program.
pub(crate) fn mdbook(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("tools/mdbook");
    let program = folder.join("bin/mdbook");
    let output = Command::new(&program).arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    if version.is_ok_and(|version| version == format!("mdbook v{MDBOOK}")) {
        return Ok(program);
    }
    say(&format!("installing mdbook@{MDBOOK} (a minute or two, once)"));
    // Not optimised: it takes half the time to build, and a second more to make the book. It only builds, so it needs none
    // of its features, which serve, watch and search.
    let install = ["install", "--quiet", "--locked", "--force", "--debug", "--no-default-features"];
    run(workspace.cargo(install).arg("--root").arg(&folder).arg(format!("mdbook@{MDBOOK}")))?;
    Ok(program)
}

fn cargo_tool(workspace: &Workspace, command: &str, package: &str) -> Result<()> {
    if works(workspace.cargo([command, "--version"])) {
        return Ok(());
    }
    say(&format!("installing {package} (some minutes, once)"));
    run(&mut workspace.cargo(["install", "--quiet", "--locked", package]))
}

fn system(wanted: impl Fn(&str) -> bool) -> Result<()> {
    let missing: Vec<&str> = SYSTEM
        .iter()
        .filter(|(_, package)| wanted(package))
        .filter(|(probe, _)| {
            let mut command = Command::new(probe[0]);
            command.args(&probe[1..]);
            !works(command)
        })
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    ensure!(works(apt(&["--version"])), "missing, and this is no Debian: {list}");
    say(&format!("installing Debian packages: {list}"));
    run(apt(&["update", "-qq"]).stdout(Stdio::null()))?;
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    run(apt(&install).args(&missing).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()))
        .with_context(|| format!("install by hand: {list}"))
}

/// `apt-get`, through sudo for those who are not root.
fn apt(arguments: &[&str]) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--non-interactive", "apt-get"]);
        sudo
    };
    command.args(arguments);
    command
}

/// A Python environment of our own with the public clients in it.
fn python(workspace: &Workspace) -> Result<()> {
    let folder: PathBuf = workspace.target.join("tools/py");
    let stamp = folder.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == PYTHON) {
        return Ok(());
    }
    let packages: Vec<&str> =
        PYTHON.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    say(&format!("installing Python packages: {}", packages.join(" ")));
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];
    run(Command::new(folder.join("bin/python")).args(pip).args(packages))?;
    std::fs::write(&stamp, PYTHON).with_context(|| format!("write {}", stamp.display()))
}

fn works(mut command: Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Is nextest there? Where it is not, `cargo test` does the same work, so it is never installed.
pub(crate) fn has_nextest(workspace: &Workspace) -> bool {
    works(workspace.cargo(["nextest", "--version"]))
}
