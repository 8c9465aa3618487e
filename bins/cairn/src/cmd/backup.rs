//! `cairn backup` and `cairn restore`: what a drive knows, in a folder, and back.
//!
//! A backup is a folder with the database as a SQLite file whatever engine it was in, the secret of the installation,
//! a list of where the bytes of all files are, and a manifest with the digests of those. The bytes themselves stay in
//! the store. It is made beside its place and moved there when it is whole, so a folder that is there is a backup.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use drive_db::{CopiedRows, CopyError, Database, Settings};
use fdfs_conf::DriveConf;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cmd::bar::bar;
use crate::messages::{Language, Say};
use crate::server::prepare_folders;
use crate::{conf, drive_parts};

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BackupArgs {
    /// The drive's drive.conf; of `cairn up`, conf/drive.conf in its folder
    conf: PathBuf,
    /// The folder to make
    folder: PathBuf,
}

/// What is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The drive.conf of a drive that has no accounts yet; its database may be of another engine than before
    conf: PathBuf,
    /// The folder of the backup
    folder: PathBuf,
}

const DATABASE: &str = "drive.db";
const BLOBS: &str = "blobs.tsv";
const SECRET: &str = "secret";
const MANIFEST: &str = "manifest.json";
/// The form of backups: another number for another.
const FORMAT: u32 = 1;
/// Bytes of a manifest at most.
const MANIFEST_LEN_MAX: u64 = 1 << 20;

/// `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// Who made it.
    cairn: String,
    /// When, RFC 3339.
    made_at: String,
    /// Rows of each table.
    rows: BTreeMap<String, u64>,
    /// SHA-256 of each file.
    sha256: BTreeMap<String, String>,
}

/// What there is to say of a backup.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Accounts, nodes of their trees, contents.
    pub(crate) counts: [u64; 3],
    pub(crate) folder: PathBuf,
}

/// `cairn backup`
pub(crate) fn backup(args: &BackupArgs, language: Language) -> anyhow::Result<ExitCode> {
    ensure!(!args.folder.exists(), "{} is there already: name a new folder", args.folder.display());
    // It is not made: where a disk is not mounted, a backup would go to another one unnoticed.
    let within = parent(&args.folder);
    ensure!(within.is_dir(), "{} is no folder that is there: mount or make it first", within.display());
    let (conf, _) = conf::drive(&args.conf)?;
    let part = beside(&args.folder)?;
    if part.exists() {
        fs::remove_dir_all(&part).with_context(|| format!("remove {}", part.display()))?;
    }
    fs::DirBuilder::new().mode(0o700).create(&part).with_context(|| format!("make {}", part.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let made = runtime.block_on(make(&conf, &part)).and_then(|rows| {
        fs::rename(&part, &args.folder).context("move the backup to its place")?;
        sync_folder(parent(&args.folder))?;
        Ok(rows)
    });
    let rows = match made {
        Ok(rows) => rows,
        Err(error) => {
            // What was made so far is of no use to anybody.
            fs::remove_dir_all(&part).ok();
            return Err(error);
        }
    };
    let done = Kept { counts: counts(&rows), folder: args.folder.clone() };
    say(&Say::BackedUp { done: &done }, language)
}

async fn make(conf: &DriveConf, part: &Path) -> anyhow::Result<BTreeMap<String, u64>> {
    let from = Database::open_as_it_is(drive_parts::database_as_it_is(&conf.database)?)
        .await
        .context("open the drive's database")?;
    // Under another name first: what is left of its log belongs to that name.
    let building = part.join("building.db");
    write_private(&building)?;
    let to = Database::open(Settings::sqlite(&building)).await.context("make the backup's database")?;
    let rows = copy(&from, &to, "of the drive").await?;
    let blobs = part.join(BLOBS);
    list_blobs(&to, &blobs).await?;
    to.settle().await.context("finish the backup's database")?;
    drop(to);
    let database = part.join(DATABASE);
    fs::rename(&building, &database)?;
    for left in ["building.db-wal", "building.db-shm"] {
        match fs::remove_file(part.join(left)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    let (secret, known) = (part.join(SECRET), drive_parts::written_secret(&conf.secret_file)?);
    let text = known.with_context(|| {
        format!(
            "the secret of the installation is neither in {} nor in CAIRN_SECRET: make the backup with what the drive has",
            conf.secret_file.display()
        )
    })?;
    // With another one nothing could be read that was restored.
    drive_parts::parse_secret(&text, &conf.secret_file)?;
    write_private(&secret)?.write_all(text.as_bytes())?;
    let mut sha256 = BTreeMap::new();
    for file in &[database, blobs, secret] {
        File::open(file)?.sync_all()?;
        sha256.insert(name_of(file), digest_of(file)?);
    }
    let manifest = Manifest {
        format: FORMAT,
        cairn: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: jiff::Timestamp::now().to_string(),
        rows,
        sha256,
    };
    let mut file = write_private(&part.join(MANIFEST))?;
    serde_json::to_writer_pretty(&mut file, &manifest)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    sync_folder(part)?;
    Ok(manifest.rows)
}

/// `cairn restore`
pub(crate) fn restore(args: &RestoreArgs, language: Language) -> anyhow::Result<ExitCode> {
    let (conf, _) = conf::drive(&args.conf)?;
    let manifest = verified(&args.folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    prepare_folders(&conf.base_path, None)?;
    // A copy: one of an earlier version is brought to this one, and a backup stays as it was made.
    let copy = conf.base_path.join("restore.part");
    fs::remove_dir_all(&copy).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    fs::DirBuilder::new().mode(0o700).create(&copy).with_context(|| format!("make {}", copy.display()))?;
    let restored = runtime.block_on(bring_back(&conf, &args.folder, &copy, &manifest));
    let removed = fs::remove_dir_all(&copy).with_context(|| format!("remove {}", copy.display()));
    restored?;
    removed?;
    let done = Kept { counts: counts(&manifest.rows), folder: args.folder.clone() };
    say(&Say::Restored { done: &done, made_at: &manifest.made_at }, language)
}

async fn bring_back(
    conf: &DriveConf,
    folder: &Path,
    copy_in: &Path,
    manifest: &Manifest,
) -> anyhow::Result<()> {
    let secret = secret_to_write(conf, folder)?;
    let file = copy_in.join(DATABASE);
    fs::copy(folder.join(DATABASE), &file).context("copy the backup's database")?;
    let from = Database::open(Settings::sqlite(&file)).await.context("open the backup")?;
    let to =
        Database::open(drive_parts::database(&conf.database)?).await.context("open the drive's database")?;
    let rows = copy(&from, &to, "into the drive").await?;
    for (table, count) in &manifest.rows {
        let there = rows.get(table).copied().unwrap_or_default();
        ensure!(
            there == *count,
            "{table}: {there} rows came, and the backup says {count}: try another backup, with an empty database"
        );
    }
    let differences = to.check().await.context("check what was restored")?;
    if let Some(first) = differences.first() {
        let count = differences.len();
        bail!(
            "{count} differences in what was restored, the first: {first:?}: try another backup, with an empty database"
        );
    }
    if let Some(text) = secret {
        let mut file = write_private(&conf.secret_file)?;
        file.write_all(&text)?;
        file.sync_all()?;
    }
    Ok(())
}

/// The secret of the backup, if the drive has none. With another one, codes of links would not be read any more.
fn secret_to_write(conf: &DriveConf, folder: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let kept = folder.join(SECRET);
    if !kept.is_file() {
        return Ok(None);
    }
    let kept = fs::read(&kept).context("read the backup's secret")?;
    let Some(present) = drive_parts::written_secret(&conf.secret_file)? else { return Ok(Some(kept)) };
    ensure!(
        present.trim().as_bytes() == kept.trim_ascii(),
        "{}, or CAIRN_SECRET, is not the secret that the backup was made with: move it away, and restore again",
        conf.secret_file.display()
    );
    Ok(None)
}

async fn copy(from: &Database, to: &Database, which: &'static str) -> anyhow::Result<BTreeMap<String, u64>> {
    let shown = spinner();
    let told = |copied: CopiedRows| {
        shown.set_message(format!("{} {}", copied.table, copied.rows));
        shown.tick();
    };
    let copied = from.copy_to(to, told).await;
    shown.finish_and_clear();
    let copied = match copied {
        Err(CopyError::NotEmpty(accounts)) => bail!(
            "the drive has {accounts} accounts: restore into a new one, before its first start (a new file for SQLite, \
             an empty database for MySQL)"
        ),
        other => other.with_context(|| format!("copy the rows {which}"))?,
    };
    Ok(copied.into_iter().map(|copied| (copied.table.to_owned(), copied.rows)).collect())
}

fn spinner() -> ProgressBar {
    let bar = bar(false);
    if let Ok(style) = indicatif::ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// A line for each content: SHA-256, bytes, where the store has them.
async fn list_blobs(database: &Database, path: &Path) -> anyhow::Result<()> {
    let mut out = BufWriter::new(write_private(path)?);
    let mut behind = None;
    loop {
        let lines = database.blob_lines(behind).await.context("list the bytes of files")?;
        let Some(last) = lines.last() else { break };
        behind = Some(last.id);
        for line in &lines {
            writeln!(out, "{}\t{}\t{}", hex(&line.sha256.0), line.size.get(), line.blob.as_str())?;
        }
    }
    Ok(out.flush()?)
}

/// The manifest of a backup all of whose files are as they were made.
fn verified(folder: &Path) -> anyhow::Result<Manifest> {
    let path = folder.join(MANIFEST);
    let file = File::open(&path).with_context(|| format!("open {}: is this a backup?", path.display()))?;
    let mut text = String::new();
    file.take(MANIFEST_LEN_MAX)
        .read_to_string(&mut text)
        .with_context(|| format!("read {}", path.display()))?;
    let manifest: Manifest =
        serde_json::from_str(&text).with_context(|| format!("{} is no manifest", path.display()))?;
    ensure!(
        manifest.format == FORMAT,
        "{}: a backup of form {}, and this version knows {FORMAT}: use the version that made it, {}",
        path.display(),
        manifest.format,
        manifest.cairn
    );
    ensure!(manifest.sha256.contains_key(DATABASE), "{}: names no {DATABASE}", path.display());
    for (name, expected) in &manifest.sha256 {
        ensure!(
            [DATABASE, BLOBS, SECRET].contains(&name.as_str()),
            "{}: no file of a backup is called {name}",
            path.display()
        );
        let file = folder.join(name);
        let found = digest_of(&file).with_context(|| format!("read {}", file.display()))?;
        ensure!(found == *expected, "{} is damaged: its SHA-256 is not that of the manifest", file.display());
    }
    Ok(manifest)
}

fn counts(rows: &BTreeMap<String, u64>) -> [u64; 3] {
    ["accounts", "nodes", "contents"].map(|table| rows.get(table).copied().unwrap_or_default())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A folder beside another, for what is not ready: on the same disk, so that it can be moved.
fn beside(folder: &Path) -> anyhow::Result<PathBuf> {
    let name = folder.file_name().with_context(|| format!("{} names no folder", folder.display()))?;
    let mut part = name.to_owned();
    part.push(".part");
    Ok(parent(folder).join(part))
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A new file that only its owner reads: hashes of passwords may be in it.
fn write_private(path: &Path) -> anyhow::Result<File> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.with_context(|| format!("write {}", path.display()))
}

fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("sync {}", folder.display()))
}

fn digest_of(path: &Path) -> anyhow::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut piece = vec![0; 1 << 16];
    loop {
        let len = file.read(&mut piece)?;
        match piece.get(..len) {
            Some([]) | None => break,
            Some(read) => hasher.update(read),
        }
    }
    Ok(hex(&hasher.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn say(say: &Say<'_>, language: Language) -> anyhow::Result<ExitCode> {
    writeln!(io::stdout(), "{}", say.in_language(language))?;
    Ok(ExitCode::SUCCESS)
}
