//! A real Zabbix: its server, its page for the API, and a MariaDB for both, in temporary folders.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::address::Loopback;
use crate::mariadb::MariaDb;
use crate::process::Server;

const PAGE_PORT: u16 = 8081;
const SERVER_PORT: u16 = 10051;
const PAGE: &str = "/usr/share/zabbix";
const SCHEMA: &str = "/usr/share/zabbix-server-mysql";
/// The first user there is, and its password, as Zabbix makes it.
const FIRST_USER: (&str, &str) = ("Admin", "zabbix");

/// A running Zabbix, ended and removed when dropped.
#[derive(Debug)]
pub struct Zabbix {
    // In the order in which they end.
    server: Option<Server>,
    page: Server,
    _database: MariaDb,
    loopback: Loopback,
    folder: TempDir,
    session: String,
}

impl Zabbix {
    /// Makes the database and starts it and the page; the server is started by [`Zabbix::watch`], when there are hosts.
    ///
    /// # Errors
    /// When it is not installed, or does not answer within [`crate::wait::READY`].
    pub fn start() -> Result<Zabbix> {
        let database = MariaDb::start()?;
        let name = database.database()?;
        database.sql(&format!(
            "ALTER DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; \
             SET GLOBAL log_bin_trust_function_creators = 1"
        ))?;
        fill(&database, &name)?;
        let loopback = Loopback::claim()?;
        let folder = tempfile::Builder::new().prefix("zabbix-").tempdir()?;
        let at = database.address();
        let conf = format!(
            "LogType=console\nDBHost={}\nDBPort={}\nDBName={name}\nDBUser=root\nListenIP={}\nListenPort={SERVER_PORT}\n\
             SocketDir={folder}\nPidFile={folder}/pid\nAllowRoot=1\nAllowUnsupportedDBVersions=1\nStartPollers=2\n\
             StartPreprocessors=1\nStartTrappers=1\nStartDiscoverers=0\nStartPingers=0\nStartDBSyncers=1\nCacheUpdateFrequency=2\n",
            at.ip(),
            at.port(),
            loopback.ip(),
            folder = folder.path().display(),
        );
        fs::write(folder.path().join("server.conf"), conf)?;
        let page = page(&database, &name, &loopback, folder.path())?;
        let mut this =
            Zabbix { server: None, page, _database: database, loopback, folder, session: String::new() };
        let address = this.loopback.port(PAGE_PORT);
        this.page.until_ready(|| TcpStream::connect(address).is_ok())?;
        let (user, password) = FIRST_USER;
        let session = this.ask("user.login", &json!({"user": user, "password": password}))?;
        this.session = session.as_str().context("no session")?.to_owned();
        Ok(this)
    }

    /// Starts the server, which then asks all hosts there are.
    ///
    /// # Errors
    /// When it does not listen within [`crate::wait::READY`].
    pub fn watch(&mut self) -> Result<()> {
        let conf = self.folder.path().join("server.conf");
        let log = self.folder.path().join("server.log");
        let arguments = ["-f".as_ref(), "-c".as_ref(), conf.as_os_str()];
        let mut server =
            Server::start("zabbix_server", Path::new("/usr/sbin/zabbix_server"), arguments, &log)?;
        let address = self.loopback.port(SERVER_PORT);
        server.until_ready(|| TcpStream::connect(address).is_ok())?;
        self.server = Some(server);
        Ok(())
    }

    /// Asks the API.
    ///
    /// # Errors
    /// When it answers with an error.
    pub fn ask(&self, method: &str, parameters: &Value) -> Result<Value> {
        let auth = (!self.session.is_empty()).then_some(&self.session);
        let question =
            json!({"jsonrpc": "2.0", "method": method, "params": parameters, "id": 1, "auth": auth});
        let url = format!("http://{}/api_jsonrpc.php", self.loopback.port(PAGE_PORT));
        let mut curl = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "60", "--data-binary", "@-"])
            .args(["--header", "Content-Type: application/json-rpc", &url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("run curl")?;
        curl.stdin.take().context("no way in")?.write_all(question.to_string().as_bytes())?;
        let out = curl.wait_with_output()?;
        ensure!(out.status.success(), "curl {url}: {}", String::from_utf8_lossy(&out.stderr));
        let mut answer: Value = serde_json::from_slice(&out.stdout)
            .with_context(|| format!("{method}: {}", String::from_utf8_lossy(&out.stdout)))?;
        if let Some(error) = answer.get("error") {
            bail!("{method}: {error}");
        }
        Ok(answer["result"].take())
    }

    /// What its server has printed.
    #[must_use]
    pub fn output(&self) -> String {
        self.server.as_ref().map(Server::output).unwrap_or_default()
    }
}

impl Drop for Zabbix {
    /// In order: whoever kills its first process leaves the others.
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.terminate();
        }
    }
}

/// The tables, and what is in them at first. The pictures are left out, and with them the one map that shows some.
fn fill(database: &MariaDb, name: &str) -> Result<()> {
    let address = database.address();
    for file in ["schema.sql.gz", "data.sql.gz"] {
        let mut unpack = Command::new("zcat")
            .arg(Path::new(SCHEMA).join(file))
            .stdout(Stdio::piped())
            .spawn()
            .context("run zcat")?;
        let statements = unpack.stdout.take().context("no way out of zcat")?;
        // `--force` goes on behind the map, and then tells that there was an error.
        let client = Command::new("mariadb")
            .args(["--no-defaults", "--protocol=tcp", "--user=root", "--force"])
            .arg(format!("--host={}", address.ip()))
            .arg(format!("--port={}", address.port()))
            .arg(name)
            .stdin(statements)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        client.context("run the client of MariaDB")?;
        ensure!(unpack.wait()?.success(), "{SCHEMA}/{file} can't be read: `cargo xtask test` installs it");
    }
    let templates = database.sql(&format!("SELECT COUNT(*) FROM {name}.hosts WHERE status = 3"))?;
    ensure!(templates.trim().parse().is_ok_and(|count: u32| count > 100), "half a database: {templates}");
    Ok(())
}

/// The page, with a configuration of its own: Debian's has it at one fixed place.
fn page(database: &MariaDb, name: &str, loopback: &Loopback, folder: &Path) -> Result<Server> {
    let root = folder.join("page");
    let copied = Command::new("cp").args(["--recursive", "--dereference", PAGE]).arg(&root).output()?;
    ensure!(copied.status.success(), "cp: {}", String::from_utf8_lossy(&copied.stderr));
    let conf = folder.join("page.php");
    let at = database.address();
    let lines = format!(
        "<?php\n$DB['TYPE'] = 'MYSQL';\n$DB['SERVER'] = '{}';\n$DB['PORT'] = '{}';\n$DB['DATABASE'] = '{name}';\n\
         $DB['USER'] = 'root';\n$DB['PASSWORD'] = '';\n$DB['DOUBLE_IEEE754'] = true;\n\
         $ZBX_SERVER = '{}';\n$ZBX_SERVER_PORT = '{SERVER_PORT}';\n$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;\n",
        at.ip(),
        at.port(),
        loopback.ip(),
    );
    fs::write(&conf, lines)?;
    let reads_it = root.join("include/classes/core/CConfigFile.php");
    let code = fs::read_to_string(&reads_it).with_context(|| format!("read {}", reads_it.display()))?;
    let place = "'/etc/zabbix/zabbix.conf.php'";
    ensure!(code.contains(place), "{} has its configuration elsewhere", reads_it.display());
    fs::write(&reads_it, code.replace(place, &format!("'{}'", conf.display())))?;
    let listen = loopback.port(PAGE_PORT).to_string();
    let arguments = ["-S".as_ref(), listen.as_ref(), "-t".as_ref(), root.as_os_str()];
    Server::start("php", Path::new("php"), arguments, &folder.join("page.log"))
}
