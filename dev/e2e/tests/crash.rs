//! A storage that is killed again and again under load: what was acknowledged is there, what was not is whole or absent.
//!
//! Several clients upload, append, modify, truncate, delete, and set metadata, each on files of its own, and remember
//! what they were answered. The storage is killed after some hundred answers, in the middle of whatever it does, and
//! started again. A change whose answer never came may have happened or not; everything else is certain.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use e2e::{on_disk, tree};
use fdfs_client::{
    Client, ClientConfig, DownloadOptions, Error, ExtName, FileId, MetaFlag, Metadata, ServerAddr,
    SlavePrefix, UploadOptions, Uploaded,
};
use fdfs_fileid::Kind;
use testkit::cluster::{Cluster, Node, Plan};
use testkit::wait;

/// Kills.
const ROUNDS: usize = 10;
/// Clients at once.
const WORKERS: u64 = 8;
/// Answers before a kill: at least, and how many more at most. With the most of them the journal is full and begins anew.
const ANSWERS: (usize, usize) = (200, 2500);

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    content: Vec<u8>,
    metadata: Metadata,
}

/// A file of one worker.
struct File {
    id: FileId,
    /// In which states it may be, `None` being deleted. One, unless the answer to the last change never came.
    states: Vec<Option<State>>,
}

impl File {
    fn new(id: FileId, content: Vec<u8>) -> File {
        File { id, states: vec![Some(State { content, metadata: Metadata::new() })] }
    }

    /// Its certain state.
    fn state(&self) -> State {
        assert_eq!(self.states.len(), 1);
        self.states[0].clone().unwrap()
    }

    fn is_appender(&self) -> bool {
        self.id.name.kind() == Kind::Appender
    }
}

/// What all workers of a round share.
#[derive(Default)]
struct Round {
    answers: AtomicUsize,
    /// From now on requests may fail.
    killing: AtomicBool,
}

/// One client and all it knows.
struct Worker {
    client: Client,
    dice: Dice,
    files: Vec<File>,
    /// Ids of what is deleted.
    gone: Vec<FileId>,
    /// Records that acknowledged changes must have left: name, letter, how many.
    records: BTreeMap<(String, char), usize>,
    /// For contents and names that nobody else uses.
    next: u64,
}

/// Numbers by chance, the same for the same seed.
struct Dice(u64);

impl Dice {
    /// 0 to `sides - 1`.
    fn roll(&mut self, sides: usize) -> usize {
        let bytes = tree::content(self.0, 8);
        self.0 = u64::from_le_bytes(bytes.try_into().unwrap());
        (self.0 >> 16) as usize % sides
    }
}

impl Worker {
    fn content(&mut self) -> Vec<u8> {
        // Below and above what goes through the journal, and through one buffer.
        let len = match self.dice.roll(10) {
            0 => 0,
            1..=3 => self.dice.roll(5_000),
            4..=7 => self.dice.roll(64_000),
            8 => self.dice.roll(150_000),
            _ => self.dice.roll(900_000),
        };
        self.next += 1;
        tree::content(self.next, len)
    }

    fn recorded(&mut self, name: &str, letter: char) {
        *self.records.entry((name.to_owned(), letter)).or_default() += 1;
    }

    /// Works until the storage is gone.
    async fn work(mut self, round: Arc<Round>) -> Worker {
        loop {
            match self.step().await {
                Ok(()) => round.answers.fetch_add(1, Ordering::Relaxed),
                Err(error) => {
                    assert!(round.killing.load(Ordering::SeqCst), "{error}");
                    return self;
                }
            };
        }
    }

    /// One request of some kind.
    async fn step(&mut self) -> Result<(), Error> {
        let kind = self.dice.roll(16);
        let picked = match self.files.len() {
            0 => None,
            files => Some(self.dice.roll(files)),
        };
        match (kind, picked) {
            (0..=3, _) | (_, None) => self.upload(false).await,
            (4, _) => self.upload(true).await,
            (5, Some(picked)) if self.files[picked].id.name.kind() != Kind::Slave => {
                self.upload_slave(picked).await
            }
            (6..=8, Some(picked)) => self.delete(picked).await,
            (9, Some(picked)) => self.set_metadata(picked).await,
            (_, Some(picked)) => match self.appender_from(picked) {
                Some(appender) => self.change(appender, kind).await,
                None => self.upload(true).await,
            },
        }
    }

    /// The first appender from this file on, around the end.
    fn appender_from(&self, first: usize) -> Option<usize> {
        let files = self.files.len();
        (first..first + files).map(|index| index % files).find(|index| self.files[*index].is_appender())
    }

    async fn upload(&mut self, appender: bool) -> Result<(), Error> {
        let content = self.content();
        let ext = Some(ExtName::parse(if appender { b"log" } else { b"bin" }).unwrap());
        let options = UploadOptions { ext, appender, ..UploadOptions::default() };
        let stored = self.client.upload((&content).into(), &options).await?;
        self.stored(stored, content);
        Ok(())
    }

    async fn upload_slave(&mut self, master: usize) -> Result<(), Error> {
        let content = self.content();
        let prefix = format!("_slave{}", self.next % (1 << 32));
        let prefix = SlavePrefix::parse(prefix.as_bytes()).unwrap();
        let master = self.files[master].id.clone();
        let stored =
            self.client.upload_slave(&master, &prefix, (&content).into(), &UploadOptions::default()).await;
        self.stored(stored?, content);
        Ok(())
    }

    fn stored(&mut self, stored: Uploaded, content: Vec<u8>) {
        self.recorded(stored.id.name.as_str(), 'C');
        self.files.push(File::new(stored.id, content));
    }

    async fn delete(&mut self, index: usize) -> Result<(), Error> {
        let id = self.files[index].id.clone();
        self.files[index].states.push(None);
        self.client.delete(&id).await?;
        self.files.swap_remove(index);
        self.recorded(id.name.as_str(), 'D');
        self.gone.push(id);
        Ok(())
    }

    async fn set_metadata(&mut self, index: usize) -> Result<(), Error> {
        self.next += 1;
        let mut given = Metadata::new();
        given.insert(format!("key{}", self.dice.roll(3)), format!("value{}", self.next));
        let before = self.files[index].state();
        let (flag, metadata) = match self.dice.roll(5) {
            0 => {
                given = Metadata::new();
                (MetaFlag::Overwrite, Metadata::new())
            }
            1..=2 => (MetaFlag::Overwrite, given.clone()),
            _ => {
                let mut merged = before.metadata.clone();
                given.iter().for_each(|(name, value)| merged.insert(name, value));
                (MetaFlag::Merge, merged)
            }
        };
        let letter = match (before.metadata.is_empty(), metadata.is_empty()) {
            (true, true) => None,
            (true, false) => Some('C'),
            (false, true) => Some('D'),
            (false, false) => Some('U'),
        };
        let id = self.files[index].id.clone();
        self.files[index].states.push(Some(State { metadata, ..before }));
        self.client.set_metadata(&id, &given, flag).await?;
        self.files[index].states.remove(0);
        if let Some(letter) = letter {
            self.recorded(id.name.metadata_name().as_str(), letter);
        }
        Ok(())
    }

    /// Changes an appender in one of the ways there are.
    async fn change(&mut self, index: usize, kind: usize) -> Result<(), Error> {
        let before = self.files[index].state();
        let id = self.files[index].id.clone();
        let mut content = before.content.clone();
        let more = match self.content() {
            more if more.is_empty() => vec![b'x'],
            more => more,
        };
        let offset = self.dice.roll(content.len() + 1);
        match kind {
            10..=11 => content.extend_from_slice(&more),
            12..=13 => {
                let end = content.len().max(offset + more.len());
                content.resize(end, 0);
                content[offset..offset + more.len()].copy_from_slice(&more);
            }
            14 => content.resize(more.len(), 0),
            _ => return self.regenerate(index).await,
        }
        let new_len = content.len() as u64;
        self.files[index].states.push(Some(State { content, ..before.clone() }));
        let letter = match kind {
            10..=11 => self.client.append(&id, (&more).into()).await.map(|()| 'A'),
            12..=13 => self.client.modify(&id, offset as u64, (&more).into()).await.map(|()| 'M'),
            _ => self.client.truncate(&id, new_len).await.map(|()| 'T'),
        }?;
        self.files[index].states.remove(0);
        // Truncating to the size it has changes nothing.
        if letter != 'T' || new_len != before.content.len() as u64 {
            self.recorded(id.name.as_str(), letter);
        }
        Ok(())
    }

    async fn regenerate(&mut self, index: usize) -> Result<(), Error> {
        let state = self.files[index].state();
        let id = self.files[index].id.clone();
        self.files[index].states.push(None);
        let new = self.client.regenerate(&id).await?;
        self.recorded(new.name.as_str(), 'R');
        self.files[index] = File { id: new, states: vec![Some(state)] };
        self.gone.push(id);
        Ok(())
    }

    /// Everything is in a state it may be in; from then on that is certain.
    async fn settle(mut self) -> Worker {
        for file in &mut self.files {
            let found = found(&self.client, &file.id).await;
            let place = file.states.iter().position(|state| *state == found);
            let Some(place) = place else { panic!("{}: {}", file.id, wrong(&found, &file.states)) };
            file.states = vec![file.states.swap_remove(place)];
        }
        let (there, gone): (Vec<File>, Vec<File>) =
            self.files.into_iter().partition(|file| file.states[0].is_some());
        self.files = there;
        self.gone.extend(gone.into_iter().map(|file| file.id));
        for id in &self.gone {
            assert!(found(&self.client, id).await.is_none(), "{id} was deleted and is there");
        }
        self
    }
}

/// What the storage has under an id.
async fn found(client: &Client, id: &FileId) -> Option<State> {
    let content = match client.download(id, &DownloadOptions::default()).await {
        Ok(content) => content,
        Err(error) if error.is_not_found() => return None,
        Err(error) => panic!("{id}: {error}"),
    };
    let metadata = match client.metadata(id).await {
        Ok(metadata) => metadata,
        Err(error) if error.is_not_found() => Metadata::new(),
        Err(error) => panic!("metadata of {id}: {error}"),
    };
    Some(State { content, metadata })
}

fn wrong(found: &Option<State>, states: &[Option<State>]) -> String {
    let words = |state: &Option<State>| match state {
        None => "gone".to_owned(),
        Some(State { content, metadata }) => {
            format!("{} bytes, CRC {:08x}, {metadata:?}", content.len(), crc32fast::hash(content))
        }
    };
    format!("{}, and not {:?}", words(found), states.iter().map(words).collect::<Vec<_>>())
}

/// The lines of the binlog, which must be whole. None of these runs fills more than one file of it.
fn binlog(storage: &Node) -> String {
    let text = fs::read_to_string(storage.base_path.join("data/sync/binlog.000")).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "an incomplete line");
    text
}

/// Every record of the binlog: name and letter, how many.
fn records(storage: &Node) -> BTreeMap<(String, char), usize> {
    let mut records = BTreeMap::new();
    for line in binlog(storage).lines() {
        let mut columns = line.split(' ');
        let time: u64 = columns.next().unwrap().parse().unwrap();
        assert!(time > 1_700_000_000, "{line}");
        let letter = columns.next().unwrap().parse().unwrap();
        *records.entry((columns.next().unwrap().to_owned(), letter)).or_default() += 1;
    }
    records
}

/// The lines of the binlog about files that a text speaks of.
fn lines_about(storage: &Node, text: &str) -> Vec<String> {
    let names: Vec<&str> = text.split([' ', ':', '\n']).filter(|word| word.starts_with("M00/")).collect();
    let is_about = |line: &&str| names.iter().any(|name| line.contains(name));
    binlog(storage).lines().filter(is_about).map(str::to_owned).collect()
}

fn client(cluster: &Cluster) -> Client {
    let tracker = cluster.tracker();
    // A round ends with the first failure; nobody waits for better times.
    let trackers = [ServerAddr::new(tracker.ip(), tracker.port())];
    Client::new(ClientConfig { connect_rounds: 1, ..ClientConfig::new(trackers) })
}

/// Kills and restarts, `ROUNDS` times.
/// How small files are kept.
#[derive(Clone, Copy)]
enum Packs {
    Small,
    None,
}

async fn survive(durability: &str, packs: Packs, seed: u64) {
    let plan = Plan::new().storage_key("durability", durability).storage_key("journal_size", "32MB");
    let plan = match packs {
        // Small ones, so that several are filled and rewritten.
        Packs::Small => plan.storage_key("pack_size", "1MB").storage_key("pack_rewrite_percent", 10),
        Packs::None => plan.storage_key("pack_max_size", 0),
    };
    let mut cluster = plan.start().unwrap();
    let mut dice = Dice(seed);
    let mut workers: Vec<Worker> = (0..WORKERS)
        .map(|number| Worker {
            client: client(&cluster),
            dice: Dice(seed * 1000 + number),
            files: Vec::new(),
            gone: Vec::new(),
            records: BTreeMap::new(),
            next: number << 32,
        })
        .collect();
    for number in 0..ROUNDS {
        let round = Arc::new(Round::default());
        let running: Vec<_> =
            workers.drain(..).map(|worker| tokio::spawn(worker.work(Arc::clone(&round)))).collect();
        let enough = ANSWERS.0 + dice.roll(ANSWERS.1);
        cluster = tokio::task::spawn_blocking(move || {
            wait::until("answers", wait::READY, || {
                (round.answers.load(Ordering::Relaxed) >= enough).then_some(())
            })
            .unwrap();
            round.killing.store(true, Ordering::SeqCst);
            cluster.storages[0].kill().unwrap();
            cluster
        })
        .await
        .unwrap();
        for worker in running {
            workers.push(worker.await.unwrap());
        }
        // In every other round it is killed again while it recovers.
        let mut moments = dice.roll(12);
        cluster = tokio::task::spawn_blocking(move || {
            if number % 2 == 1 {
                let binary = cluster.binary().to_path_buf();
                cluster.storages[0].start(&binary).unwrap();
                wait::until("some moment of the start", wait::READY, || {
                    let there = moments == 0;
                    moments = moments.saturating_sub(1);
                    there.then_some(())
                })
                .unwrap();
                cluster.storages[0].kill().unwrap();
            }
            cluster.restart_storage(0).unwrap();
            cluster
        })
        .await
        .unwrap();
        let settling: Vec<_> = workers.drain(..).map(|worker| tokio::spawn(worker.settle())).collect();
        for worker in settling {
            workers.push(worker.await.unwrap());
        }
        on_disk::check(&cluster.storages[0].store_paths[0]).unwrap();
        let written = records(&cluster.storages[0]);
        for ((name, letter), count) in workers.iter().flat_map(|worker| &worker.records) {
            let lines = written.get(&(name.clone(), *letter)).copied().unwrap_or_default();
            assert!(lines >= *count, "{letter} {name}: {lines} records of {count} changes");
        }
    }
    assert!(workers.iter().all(|worker| !worker.files.is_empty() && !worker.gone.is_empty()));
    cluster.stop().unwrap();
    on_disk::check(&cluster.storages[0].store_paths[0]).unwrap();
    let conf = &cluster.storages[0].conf;
    let output = Command::new(cluster.binary()).arg("fsck").arg(conf).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", lines_about(&cluster.storages[0], &said).join("\n"));
    cluster.check_logs(&["lost the tracker", "cut off an incomplete line"]).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kills_with_durability_disk() {
    survive("disk", Packs::Small, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kills_where_every_file_has_its_own() {
    survive("disk", Packs::None, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kills_with_durability_fastdfs() {
    survive("fastdfs", Packs::Small, 2).await;
}
