//! A real MariaDB server in a temporary folder: one for a test binary, a database for each test.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::address::Loopback;
use crate::binary::workspace;
use crate::process::Server;

/// The port it listens on: not 3306, where the machine may have a server of its own on all addresses.
const PORT: u16 = 3307;

/// A running server, ended and removed when dropped. Its administrator is `root` without a password, over TCP.
#[derive(Debug)]
pub struct MariaDb {
    loopback: Loopback,
    server: Server,
    folder: TempDir,
    databases: AtomicU32,
}

/// The server that tests of this process share, as long as one of them holds it.
static SHARED: Mutex<Weak<MariaDb>> = Mutex::new(Weak::new());

impl MariaDb {
    /// The server that tests of this process share; started by the first, ended when the last lets it go. (A server in
    /// a static would never be dropped, and so outlive the process.)
    ///
    /// # Errors
    /// As [`MariaDb::start`].
    pub fn shared() -> Result<Arc<MariaDb>> {
        // A test that panicked here has left nothing half done.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(MariaDb::start()?);
        *shared = Arc::downgrade(&server);
        Ok(server)
    }

    /// Makes an empty server and starts it. What was committed survives [`MariaDb::kill`], as that is no power cut;
    /// syncing is left out.
    ///
    /// # Errors
    /// When it is not installed, or does not listen within [`crate::wait::READY`].
    pub fn start() -> Result<MariaDb> {
        let loopback = Loopback::claim()?;
        let folder = tempfile::Builder::new().prefix("mariadb-").tempdir()?;
        let copied = Command::new("cp")
            .args(["--archive", "--reflink=auto"])
            .args([&template()?, &folder.path().join("data")])
            .output()
            .context("run cp")?;
        ensure!(copied.status.success(), "cp: {}", String::from_utf8_lossy(&copied.stderr));
        let server = spawn(&folder, &loopback)?;
        let mut this = MariaDb { loopback, server, folder, databases: AtomicU32::new(0) };
        this.wait()?;
        Ok(this)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.loopback.port(PORT)
    }

    /// The URL of a database.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("mysql://root@{}/{database}?ssl-mode=disabled", self.address())
    }

    /// Makes a database that nobody else has: its name.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn database(&self) -> Result<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"))?;
        Ok(name)
    }

    /// Runs statements as the administrator, with the command-line client: what they print.
    ///
    /// # Errors
    /// When one of them is refused.
    pub fn sql(&self, statements: &str) -> Result<String> {
        let address = self.address();
        let out = Command::new("mariadb")
            .args(["--no-defaults", "--protocol=tcp", "--user=root", "--batch", "--skip-column-names"])
            .arg(format!("--host={}", address.ip()))
            .arg(format!("--port={}", address.port()))
            .arg(format!("--execute={statements}"))
            .stdin(Stdio::null())
            .output()
            .context("run the client of MariaDB")?;
        ensure!(out.status.success(), "{statements}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// Ends it with SIGKILL: the crash of tests.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        self.server.kill()
    }

    /// Starts it again on the same data and address.
    ///
    /// # Errors
    /// When it does not listen within [`crate::wait::READY`].
    pub fn restart(&mut self) -> Result<()> {
        self.server = spawn(&self.folder, &self.loopback)?;
        self.wait()
    }

    /// What it has printed, over all its starts.
    #[must_use]
    pub fn output(&self) -> String {
        self.server.output()
    }

    fn wait(&mut self) -> Result<()> {
        let address = self.address();
        self.server.until_ready(|| TcpStream::connect(address).is_ok())
    }
}

/// An empty server's data, made once: making it takes seconds, copying it a tenth of one.
fn template() -> Result<PathBuf> {
    let version = Command::new(server_program()).arg("--version").output();
    let version = version.context("run mariadbd: `cargo xtask test` installs it")?;
    // What was made by another version, or as another user, is another template.
    let mut mark = DefaultHasher::new();
    (version.stdout, user()).hash(&mut mark);
    let tools = workspace().join("target/tools");
    let template = tools.join(format!("mariadb-{:016x}", mark.finish()));
    if template.is_dir() {
        return Ok(template);
    }
    std::fs::create_dir_all(&tools)?;
    let folder = tempfile::Builder::new().prefix("mariadb-").tempdir_in(&tools)?;
    let data = folder.path().join("data");
    let made = Command::new("mariadb-install-db")
        .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
        .arg(flag("--datadir=", &data))
        .args(user())
        // Several at once would delete each other's temporary tables.
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .output()
        .context("run mariadb-install-db: `cargo xtask test` installs it")?;
    ensure!(made.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&made.stderr));
    match std::fs::rename(&data, &template) {
        // Another process was faster.
        Err(_) if template.is_dir() => Ok(template),
        renamed => renamed.map(|()| template).context("keep the data of an empty server"),
    }
}

/// Not in every PATH.
fn server_program() -> PathBuf {
    let programs = ["/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd"].map(PathBuf::from);
    programs.into_iter().find(|path| path.exists()).unwrap_or_else(|| "mariadbd".into())
}

fn spawn(folder: &TempDir, loopback: &Loopback) -> Result<Server> {
    let place = folder.path();
    let arguments: Vec<OsString> = [
        OsString::from("--no-defaults"),
        flag("--datadir=", &place.join("data")),
        flag("--socket=", &place.join("socket")),
        flag("--pid-file=", &place.join("pid")),
        flag("--tmpdir=", place),
        format!("--bind-address={}", loopback.ip()).into(),
        format!("--port={PORT}").into(),
        "--skip-name-resolve".into(),
        "--character-set-server=utf8mb4".into(),
        "--max-connections=500".into(),
        "--innodb-buffer-pool-size=64M".into(),
        "--innodb-flush-log-at-trx-commit=2".into(),
        "--performance-schema=0".into(),
    ]
    .into_iter()
    .chain(user().map(OsString::from))
    .collect();
    Server::start("mariadbd", &server_program(), arguments, &place.join("output.log"))
}

/// It refuses to run as root unless told so.
fn user() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("--user=root")
}

fn flag(name: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(path);
    flag
}

#[cfg(test)]
mod tests {
    use super::MariaDb;

    #[test]
    fn each_test_has_a_database_of_its_own_and_what_is_committed_survives_a_crash() {
        let mut server = MariaDb::start().unwrap();
        let (one, other) = (server.database().unwrap(), server.database().unwrap());
        assert_ne!(one, other);
        server.sql(&format!("CREATE TABLE {one}.t (a INT); INSERT INTO {one}.t VALUES (7)")).unwrap();
        server.kill().unwrap();
        assert!(server.sql("SELECT 1").is_err());
        server.restart().unwrap();
        assert_eq!(server.sql(&format!("SELECT a FROM {one}.t")).unwrap(), "7\n");
    }
}
