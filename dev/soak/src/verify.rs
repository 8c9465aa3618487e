//! The end: what was acknowledged is compared on both members of each group, then stores and database with themselves.

use std::collections::{BTreeMap, HashSet};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use drive_db::{Database, Settings};
use fdfs_client::{Client, DownloadOptions, FileId, ServerAddr};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use testkit::{binary, wait};
use tokio::sync::Semaphore;

use crate::classic::{Comparison, Kept, Shelf, as_texts};
use crate::old::OldShelf;
use crate::page::text_of;
use crate::people::{Account, Belongings, Place, send};
use crate::site::Site;
use crate::tally::Tally;

/// How long queue and replication may take once nobody works: what a killed drive had claimed of the queue comes back after a
/// minute.
const QUIET: Duration = Duration::from_secs(240);
/// How long one question may be asked again.
const PATIENCE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(250);
/// Comparisons at once.
const AT_ONCE: usize = 8;

/// The members that are stopped while the others are read, one set after the other.
const SETS: [[&str; 2]; 2] = [["group1-storage1", "group2-storage1"], ["group1-storage2", "group2-storage2"]];

/// Everything that anybody was told.
pub(crate) struct Told {
    pub(crate) shelves: Vec<Shelf>,
    pub(crate) people: Vec<Belongings>,
    pub(crate) old: (Account, OldShelf),
    pub(crate) page: (Account, Vec<String>),
}

/// What the end came to.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// How long it took until nothing was under way.
    pub(crate) drained: Duration,
    /// Comparisons on each set of members: files, and deletions that stayed.
    pub(crate) compared: u64,
    /// Entries that were set aside by the queue.
    pub(crate) queue_set_aside: u64,
    /// What `cairn fsck` said, by storage: none when it is clean.
    pub(crate) fsck: Vec<(String, Option<String>)>,
    /// What the drive's checker found.
    pub(crate) differences: Vec<String>,
    /// Members that Prometheus sees up, and alerts that it has at work, each with how often.
    pub(crate) scraped: u64,
    pub(crate) alerts: BTreeMap<String, usize>,
    /// Bytes of everything on disk.
    pub(crate) disk: u64,
}

/// A node whose content has to be this.
struct DriveFile {
    account: Account,
    node: String,
    bytes: Arc<dyn Fn() -> Vec<u8> + Send + Sync>,
}

/// Waits, compares, checks. The storages have ended afterwards.
pub(crate) async fn run(mut site: Site, tally: &Arc<Tally>, told: Told) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let begun = Instant::now();
    site = blocking(site, |site| {
        site.until_well()?;
        site.until_quiet(QUIET)
    })
    .await?;
    verdict.drained = begun.elapsed();
    site = blocking(site, |site| site.figures_at_the_end(&mut verdict)).await?;
    let Told { shelves, people, old, page } = told;
    let (files, gone) = settle(tally, people, old, page).await?;
    // What was settled has been written, too.
    site = blocking(site, |site| site.until_quiet(QUIET)).await?;
    let (shelves, files, gone) = (Arc::new(shelves), Arc::new(files), Arc::new(gone));
    for (number, set) in SETS.into_iter().enumerate() {
        let read = SETS[1 - number];
        crate::say(&format!("comparing on {} and {}", read[0], read[1]));
        site = blocking(site, |site| {
            for name in set {
                site.member(name)?.stop()?;
            }
            site.watch();
            site.until_well()
        })
        .await?;
        let addresses =
            BTreeMap::from([("group1", site.storage(read[0])?), ("group2", site.storage(read[1])?)]);
        verdict.compared += compare_classic(&site.client()?, tally, &shelves, &addresses, read).await;
        verdict.compared += compare_drive(tally, &files, &gone, read).await;
        site = blocking(site, |site| {
            for name in set {
                site.member(name)?.start()?;
            }
            site.watch();
            site.until_well()
        })
        .await?;
    }
    let checked = blocking(site, |site| {
        site.until_quiet(QUIET)?;
        site.fsck(&mut verdict)?;
        verdict.disk = disk_of(&site.folder);
        Ok(())
    });
    let site = checked.await?;
    let database = Database::open(Settings::mysql([site.database_url.clone()])).await?;
    let differences =
        database.check().await.map_err(|problem| anyhow::anyhow!("the checker: {problem:?}"))?;
    verdict.differences = differences.iter().map(|difference| format!("{difference:?}")).collect();
    Ok(verdict)
}

/// What waits does so on a thread of its own.
async fn blocking(mut site: Site, work: impl FnOnce(&mut Site) -> Result<()>) -> Result<Site> {
    tokio::task::block_in_place(move || work(&mut site).map(|()| site))
}

impl Site {
    fn figures_at_the_end(&self, verdict: &mut Verdict) -> Result<()> {
        verdict.queue_set_aside = self.sum("drive", "cairn_drive_queue_set_aside")? as u64;
        // The last round of Prometheus may have been before the last member came back.
        let up = wait::until("Prometheus sees every member", PATIENCE, || {
            let up = self.prometheus.ask("count(up == 1)").ok()?.first()?.1;
            (up == 8.0).then_some(up)
        });
        verdict.scraped = up.map_or(0, |up| up as u64);
        let alerts = self.prometheus.ask("ALERTS{alertstate=\"firing\"}")?;
        for (labels, _) in &alerts {
            let name = labels["alertname"].as_str().unwrap_or_default();
            *verdict.alerts.entry(name.to_owned()).or_default() += 1;
        }
        Ok(())
    }

    /// Stops all storages, and has each store checked.
    fn fsck(&mut self, verdict: &mut Verdict) -> Result<()> {
        for member in self.members.iter_mut().filter(|member| member.role == "storage") {
            member.stop()?;
        }
        self.watch();
        for member in self.members.iter().filter(|member| member.role == "storage") {
            let output = Command::new(binary::cairn()?)
                .args(["fsck", "--json"])
                .arg(&member.conf)
                .output()
                .context("run cairn fsck")?;
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).trim().to_owned();
            verdict.fsck.push((member.name.clone(), (!output.status.success()).then_some(said)));
        }
        Ok(())
    }
}

fn disk_of(folder: &std::path::Path) -> u64 {
    // Everything is beside each other in the folder of temporary files.
    let Some(top) = folder.parent() else { return 0 };
    let output = Command::new("du").args(["--summarize", "--block-size=1"]).arg(top).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// What of the drive is where: accepted files have been made, what is in the trash is taken back. Files, and nodes that have to
/// be gone.
async fn settle(
    tally: &Tally,
    people: Vec<Belongings>,
    old: (Account, OldShelf),
    page: (Account, Vec<String>),
) -> Result<(Vec<DriveFile>, Vec<(Account, String)>)> {
    let (mut files, mut gone) = (Vec::new(), Vec::new());
    for belongings in people {
        let Belongings { account, files: owned, accepted, gone: purged } = belongings;
        gone.extend(purged.into_iter().map(|node| (account.clone(), node)));
        for (key, content) in accepted {
            let answer =
                until_answered(&account, || account.request(Method::GET, &format!("/records/{key}"))).await?;
            let record: Value = serde_json::from_slice(&answer.1).unwrap_or_default();
            match (record["state"].as_str(), record["node"].as_str()) {
                (Some("applied"), Some(node)) => {
                    files.push(DriveFile::of(&account, node, Arc::new(move || content.bytes())));
                }
                _ => tally.wrong(format!("accepted as {key} of {}, and then: {record}", account.name)),
            }
        }
        let restore = |entry: &str| {
            account.json(
                Method::POST,
                &format!("/trash/{entry}/restore"),
                &serde_json::json!({"parent": "root"}),
            )
        };
        // Where it was not known what became of a file, the trash says.
        let trash: BTreeMap<String, String> = account
            .all("/trash?")
            .await?
            .iter()
            .filter_map(|row| Some((row["node"]["id"].as_str()?.to_owned(), row["id"].as_str()?.to_owned())))
            .collect();
        for file in owned {
            let entry = match &file.place {
                Place::Trash(entry) => Some(entry.clone()),
                Place::Tree => None,
                Place::Unknown => trash.get(&file.node).cloned(),
            };
            if let Some(entry) = entry {
                let (status, body) = until_answered(&account, || restore(&entry)).await?;
                if status != StatusCode::OK {
                    let said = String::from_utf8_lossy(&body).into_owned();
                    tally.wrong(format!(
                        "{entry} in the trash of {} does not come back: {status} {said}",
                        account.name
                    ));
                    continue;
                }
            }
            let content = file.content;
            files.push(DriveFile::of(&account, &file.node, Arc::new(move || content.bytes())));
        }
    }
    let (account, shelf) = old;
    // The old client and the page have signed in so often that the session from the beginning has ended.
    let account = account.again().await?;
    let nodes = names(&account).await?;
    for (name, content) in shelf.files {
        match nodes.get(&name) {
            Some(node) => files.push(DriveFile::of(&account, node, Arc::new(move || content.bytes()))),
            None => tally.wrong(format!("{name} of {} is not there", account.name)),
        }
    }
    for name in shelf.gone.iter().filter(|name| nodes.contains_key(*name)) {
        tally.wrong(format!("{name} of {} was deleted and is there", account.name));
    }
    let (account, sent) = page;
    let account = account.again().await?;
    let nodes = names(&account).await?;
    for name in sent {
        match nodes.get(&name) {
            Some(node) => {
                files.push(DriveFile::of(&account, node, Arc::new(move || text_of(&name).into_bytes())));
            }
            None => tally.wrong(format!("{name}, which the page has sent, is not there")),
        }
    }
    Ok((files, gone))
}

impl DriveFile {
    fn of(account: &Account, node: &str, bytes: Arc<dyn Fn() -> Vec<u8> + Send + Sync>) -> DriveFile {
        DriveFile { account: account.clone(), node: node.to_owned(), bytes }
    }
}

/// Files in the root folder of somebody, by their names.
async fn names(account: &Account) -> Result<BTreeMap<String, String>> {
    let rows = account.all("/nodes/root/children?order=name").await?;
    let pair = |row: &Value| Some((row["name"].as_str()?.to_owned(), row["id"].as_str()?.to_owned()));
    Ok(rows.iter().filter_map(pair).collect())
}

/// Asks until a part that was away answers.
async fn until_answered(
    account: &Account,
    request: impl Fn() -> reqwest::RequestBuilder,
) -> Result<(StatusCode, Vec<u8>)> {
    let end = Instant::now() + PATIENCE;
    loop {
        match send(request()).await {
            Ok(answer) => return Ok(answer),
            Err(reason) => ensure!(Instant::now() < end, "{} got no answer: {reason}", account.name),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Everything that users of FastDFS were told, asked of these members alone: the others have ended.
async fn compare_classic(
    client: &Client,
    tally: &Arc<Tally>,
    shelves: &Arc<Vec<Shelf>>,
    addresses: &BTreeMap<&'static str, ServerAddr>,
    where_: [&'static str; 2],
) -> u64 {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut work = tokio::task::JoinSet::new();
    let mut count = 0;
    // A slave goes by itself, and so may its master.
    let gone: HashSet<&FileId> = shelves.iter().flat_map(|shelf| &shelf.gone).collect();
    for (number, shelf) in shelves.iter().enumerate() {
        for at in 0..shelf.kept.len() {
            let (client, tally, shelves) = (client.clone(), Arc::clone(tally), Arc::clone(shelves));
            let (permits, addresses) = (Arc::clone(&permits), addresses.clone());
            count += 1;
            work.spawn(async move {
                let _permit = permits.acquire_owned().await;
                let Some(kept) = shelves.get(number).and_then(|shelf| shelf.kept.get(at)) else { return };
                let Some(address) = addresses.get(kept.id.group.as_str()) else { return };
                if let Err(reason) = compare_one(&client.storage(address.clone()), kept).await {
                    tally.wrong(format!(
                        "{} on {}: {reason}",
                        kept.id,
                        of_group(where_, kept.id.group.as_str())
                    ));
                }
            });
        }
    }
    while work.join_next().await.is_some() {}
    for id in gone {
        count += 1;
        let Some(address) = addresses.get(id.group.as_str()) else { continue };
        match client.storage(address.clone()).download(id, &DownloadOptions::default()).await {
            Err(error) if error.is_not_found() => {}
            Err(error) => tally.wrong(format!("{id}, which was deleted, can't be asked for: {error}")),
            Ok(_) => {
                tally.wrong(format!("{id} was deleted and is on {}", of_group(where_, id.group.as_str())))
            }
        }
    }
    count
}

fn of_group<'a>(names: [&'a str; 2], group: &str) -> &'a str {
    names.into_iter().find(|name| name.starts_with(group)).unwrap_or_default()
}

async fn compare_one(storage: &fdfs_client::Storage, kept: &Kept) -> Result<(), String> {
    match storage.download(&kept.id, &DownloadOptions::default()).await {
        Ok(bytes) => match kept.want.compare(&bytes) {
            Comparison::Same => {}
            Comparison::Stale => return Err("it lacks changes that were acknowledged".to_owned()),
            Comparison::Another => return Err(kept.want.difference(&bytes)),
        },
        Err(error) if error.is_not_found() && kept.perhaps_gone => return Ok(()),
        Err(error) => return Err(error.to_string()),
    }
    let metadata = match storage.metadata(&kept.id).await {
        Ok(metadata) => as_texts(&metadata),
        Err(error) if error.is_not_found() => BTreeMap::new(),
        Err(error) => return Err(format!("its metadata: {error}")),
    };
    if kept.metadata.contains(&metadata) || kept.perhaps_gone {
        return Ok(());
    }
    Err(format!("its metadata is {metadata:?}, and should be {:?}", kept.metadata))
}

/// Everything that people of the drive were told, read through the entry while one member of each group alone serves.
async fn compare_drive(
    tally: &Arc<Tally>,
    files: &Arc<Vec<DriveFile>>,
    gone: &Arc<Vec<(Account, String)>>,
    where_: [&'static str; 2],
) -> u64 {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut work = tokio::task::JoinSet::new();
    for at in 0..files.len() {
        let (tally, files, permits) = (Arc::clone(tally), Arc::clone(files), Arc::clone(&permits));
        work.spawn(async move {
            let _permit = permits.acquire_owned().await;
            let Some(DriveFile { account, node, bytes }) = files.get(at) else { return };
            let path = format!("/nodes/{node}/content");
            let answer = until_answered(account, || account.request(Method::GET, &path)).await;
            let reason = match answer {
                Ok((StatusCode::OK, read)) if read == bytes() => return,
                Ok((StatusCode::OK, read)) => format!("it is something else, of {} bytes", read.len()),
                Ok((status, _)) => status.to_string(),
                Err(error) => format!("{error:#}"),
            };
            tally.wrong(format!("node {node} of {} with {where_:?} alone: {reason}", account.name));
        });
    }
    while work.join_next().await.is_some() {}
    for (account, node) in gone.iter() {
        let path = format!("/nodes/{node}");
        let answer = until_answered(account, || account.request(Method::GET, &path)).await;
        if !matches!(answer, Ok((StatusCode::NOT_FOUND, _))) {
            tally.wrong(format!("node {node} of {} was removed for good and is there", account.name));
        }
    }
    (files.len() + gone.len()) as u64
}
