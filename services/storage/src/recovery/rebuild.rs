//! One store path: the lists of all peers, one after the other, and every file of them that is not here.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use fdfs_fileid::{FileName, StorePathIndex};
use fdfs_format::LineReader;
use fdfs_format::binlog::Record;
use fdfs_proto::{GroupField, Status};
use storage_core::recovery::{self, LastChange, OwnLog, Version, Wanted};
use storage_core::replication::LogPosition;
use store::binlog::{LogReader, Read};
use store::{StoreError, StoredFile, WhichCopy};
use tokio::task::{JoinSet, spawn_blocking};

use super::Sources;
use super::peer::{Peer, PeerError};
use crate::server::Server;
use crate::tracker_link::wire;

/// What is read of a list at a time, bytes; its files are fetched before the next part is read.
const STEP: usize = 64 * 1024;

/// Lost files that are named in the log; the rest is only counted.
const NAMED_MAX: usize = 100;

/// What a rebuilt store path has got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Files that were fetched.
    pub(crate) fetched: u64,
    /// Copies that were not what their name says, and were not taken, or that the peer would not send.
    pub(crate) damaged: u64,
    /// Files that this storage's log or a peer's list knows and no peer could give.
    pub(crate) lost: u64,
    /// Files that came back without the last change that this storage's log knows.
    pub(crate) older: u64,
    /// Peers that would not give a list.
    pub(crate) refusing: u64,
}

impl Report {
    pub(super) fn say(self, path: StorePathIndex) {
        let Self { fetched, damaged, lost, older, refusing } = self;
        if lost + older == 0 {
            tracing::info!(path = path.0, fetched, damaged, refusing, "a store path is rebuilt");
        } else {
            tracing::error!(
                path = path.0,
                fetched,
                damaged,
                refusing,
                lost,
                older,
                "a store path is rebuilt, but some of its files are lost, or their last changes: no peer that serves has them"
            );
        }
    }
}

pub(super) struct Rebuild<'a> {
    pub(super) server: &'a Arc<Server>,
    pub(super) wire: &'a wire::Settings,
    pub(super) streams: usize,
    pub(super) path: StorePathIndex,
    pub(super) group: GroupField,
    pub(super) spool: PathBuf,
    pub(super) purpose: Purpose,
}

/// What the lists of the peers are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A store path was lost and nothing else changes it: of a file that changes the newest copy is taken, and what is on
    /// record and not here in the end is lost.
    Restore,
    /// The storage serves: only what is missing is fetched, as peers send changes of the rest meanwhile.
    Complete,
}

impl Rebuild<'_> {
    /// What came of it, and the files that are older than the changes of them that clients of this storage made.
    pub(super) async fn run(&self, sources: &Sources) -> Result<(Report, Vec<FileName>), String> {
        let mut report = Report::default();
        let own = Arc::new(self.own_log().await?);
        let mut bad = BTreeSet::new();
        for (id, addresses) in sources {
            let link = || Peer::open(addresses, self.wire, self.group);
            let words = |error: PeerError| format!("peer {id}: {error}");
            let listed = match link().await.map_err(words)?.list(self.path, self.spool().await?).await {
                Ok(listed) => listed,
                // It would say the same again.
                Err(PeerError::Refused(status)) => {
                    tracing::warn!(peer = %id, %status, "a peer does not tell its files, they are not fetched");
                    report.refusing += 1;
                    continue;
                }
                Err(error) => return Err(words(error)),
            };
            let mut idle = Vec::new();
            for _ in 0..self.streams {
                idle.push(link().await.map_err(words)?);
            }
            let mut list = List::new(listed);
            loop {
                let (back, records) = list.read().await?;
                list = back;
                let Some(records) = records else { break };
                let done = self.fetch(idle, addresses, &own, records).await;
                let (free, part) = done.map_err(|error| format!("peer {id}: {error}"))?;
                idle = free;
                report.fetched += part.fetched;
                report.damaged += part.bad.len() as u64;
                bad.extend(part.bad);
            }
        }
        if report.refusing > 0 && report.refusing == sources.len() as u64 {
            return Err("no peer tells its files".to_owned());
        }
        let mut older = Vec::new();
        if self.purpose == Purpose::Restore {
            report.lost = self.lost(&own, bad).await?;
            older = self.older(&own).await?;
            report.older = older.len() as u64;
        }
        let spool = self.spool.clone();
        // Only a leftover, which the next list overwrites.
        let _ = spawn_blocking(move || std::fs::remove_file(spool)).await;
        let made_here = older.into_iter().filter(|(_, last)| last.made_here).map(|(name, _)| name);
        Ok((report, made_here.collect()))
    }

    async fn spool(&self) -> Result<File, String> {
        let path = self.spool.clone();
        let open = move || File::options().create(true).read(true).write(true).truncate(true).open(path);
        spawn_blocking(open).await.map_err(words)?.map_err(words)
    }

    /// Fetches what is wanted of these lines, over all connections at once, and gives the connections back.
    async fn fetch(
        &self,
        idle: Vec<Peer>,
        addresses: &[SocketAddr],
        own: &Arc<OwnLog>,
        records: Vec<Record>,
    ) -> Result<(Vec<Peer>, Part), PeerError> {
        let share = records.len().div_ceil(idle.len().max(1)).max(1);
        let mut records = records.into_iter();
        let mut streams = JoinSet::new();
        let (mut free, mut all) = (Vec::new(), Part::default());
        for peer in idle {
            let records: Vec<Record> = records.by_ref().take(share).collect();
            if records.is_empty() {
                free.push(peer);
                continue;
            }
            let (server, own) = (Arc::clone(self.server), Arc::clone(own));
            let again = (addresses.to_vec(), self.wire.clone(), self.group);
            let purpose = self.purpose;
            streams.spawn(async move {
                let mut stream = Stream { server, peer, again, purpose, part: Part::default() };
                for record in &records {
                    if let Some(wanted) = own.wanted(record) {
                        stream.get(wanted, record.timestamp).await?;
                    }
                }
                Ok::<_, PeerError>((stream.peer, stream.part))
            });
        }
        while let Some(ended) = streams.join_next().await {
            let (peer, part) = ended.map_err(std::io::Error::other)??;
            all.fetched += part.fetched;
            all.bad.extend(part.bad);
            free.push(peer);
        }
        Ok((free, all))
    }

    /// Reads this storage's own log, which knows what went.
    async fn own_log(&self) -> Result<OwnLog, String> {
        let (server, path) = (Arc::clone(self.server), self.path);
        let read = move || {
            let mut own = OwnLog::new(path);
            each_record(&server, |record| own.note(&record))?;
            Ok::<_, std::io::Error>(own)
        };
        spawn_blocking(read).await.map_err(words)?.map_err(words)
    }

    /// Counts the files that did not come back: those of the own log, and the `bad` ones of peers.
    async fn lost(&self, own: &Arc<OwnLog>, bad: BTreeSet<FileName>) -> Result<u64, String> {
        let mut lost = Lost::default();
        for name in &bad {
            lost.look(self.server, name).await?;
        }
        let log = self.server.store.shared_binlog();
        let mut reader = spawn_blocking(move || LogReader::open(&log, LogPosition::default()))
            .await
            .map_err(words)?
            .map_err(words)?;
        loop {
            let log = self.server.store.shared_binlog();
            let (back, read) = spawn_blocking(move || {
                let mut lines = Vec::new();
                let read = reader.read(&log, &mut lines).map(|read| (read, lines));
                (reader, read)
            })
            .await
            .map_err(words)?;
            reader = back;
            let (read, lines) = read.map_err(words)?;
            for record in lines.into_iter().filter_map(|line| line.record.ok()) {
                let Some(name) = own.expected(&record) else { continue };
                lost.look(self.server, name).await?;
            }
            if read == Read::End {
                return Ok(lost.0.len() as u64);
            }
        }
    }

    /// The files that are here and lack the last change that was made of them.
    async fn older(&self, own: &OwnLog) -> Result<Vec<(FileName, LastChange)>, String> {
        let mut older = Vec::new();
        for (name, last) in own.changed() {
            let Some(here) = open_here(self.server, name).await.map_err(words)? else { continue };
            if last.is_missing_in(version(&here).await.map_err(words)?) {
                if older.len() < NAMED_MAX {
                    tracing::error!(%name, "the last change of a file was on a lost store path, and no peer that serves has it");
                }
                older.push((name.clone(), last));
            }
        }
        Ok(older)
    }
}

/// Reads the whole own log. Blocks.
fn each_record(server: &Server, mut visit: impl FnMut(Record)) -> std::io::Result<()> {
    let log = server.store.binlog();
    let mut reader = LogReader::open(log, LogPosition::default())?;
    loop {
        let mut lines = Vec::new();
        let read = reader.read(log, &mut lines)?;
        lines.into_iter().filter_map(|line| line.record.ok()).for_each(&mut visit);
        if read == Read::End {
            return Ok(());
        }
    }
}

/// Files that are not here and should be.
#[derive(Default)]
struct Lost(BTreeSet<FileName>);

impl Lost {
    async fn look(&mut self, server: &Server, name: &FileName) -> Result<(), String> {
        let missing = open_here(server, name).await.map_err(words)?.is_none();
        if missing && self.0.insert(name.clone()) && self.0.len() <= NAMED_MAX {
            tracing::error!(%name, "a file was on a lost store path, and no peer that serves has it whole");
        }
        Ok(())
    }
}

/// The file, if a good copy may be here: one that is set aside is not.
async fn open_here(server: &Server, name: &FileName) -> Result<Option<StoredFile>, StoreError> {
    match server.store.open_file(name).await {
        Ok(stored) => Ok(Some(stored)),
        Err(StoreError::NotFound | StoreError::NotRegular | StoreError::SetAside) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn version(stored: &StoredFile) -> Result<Version, StoreError> {
    Ok(Version { mtime: stored.mtime().await?, size: stored.len })
}

/// What came of a part of a list.
#[derive(Default)]
struct Part {
    fetched: u64,
    /// Files of which the peer's copy is damaged, or which it would not send.
    bad: Vec<FileName>,
}

/// One connection, and what is done over it.
struct Stream {
    server: Arc<Server>,
    peer: Peer,
    /// How to connect once more.
    again: (Vec<SocketAddr>, wire::Settings, GroupField),
    purpose: Purpose,
    part: Part,
}

impl Stream {
    /// Fetches a file unless it is here; one that is not what its name says is left to another peer.
    async fn get(&mut self, wanted: Wanted<'_>, time: i64) -> Result<(), PeerError> {
        let server = Arc::clone(&self.server);
        let (store, name) = (&server.store, wanted.here);
        // What was deleted since the own log was read is not in it as it was then.
        if server.store.comes_too_late(name) {
            return Ok(());
        }
        let here = open_here(&server, name).await?;
        let mut time = time;
        if self.purpose == Purpose::Restore && recovery::can_differ(name) {
            let here = match &here {
                Some(stored) => Some(version(stored).await?),
                None => None,
            };
            match self.peer.version(wanted.there).await {
                Ok(Some(there)) if recovery::is_better(here, there) => time = there.mtime,
                Ok(_) => return Ok(()),
                Err(PeerError::Refused(status)) => return self.refused(name, status).await,
                Err(error) => return Err(error),
            }
        } else if here.is_some() {
            return Ok(());
        }
        let content = match self.peer.download(store, wanted.there, name).await {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(()),
            Err(PeerError::Refused(status)) => return self.refused(name, status).await,
            Err(error) => return Err(error),
        };
        let which = if here.is_some() { WhichCopy::Updated } else { WhichCopy::Created };
        let time = u32::try_from(time).unwrap_or_default();
        match store.receive_copy(name.clone(), content, which, time).await {
            Ok(_) => self.part.fetched += 1,
            Err(StoreError::Corrupt { name: _, len, crc32 }) => {
                tracing::warn!(%name, len, crc32, "a peer's copy of a file is damaged, not taken");
                self.part.bad.push(name.clone());
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// A peer does not give a file: that one must not keep all others away.
    async fn refused(&mut self, name: &FileName, status: Status) -> Result<(), PeerError> {
        tracing::warn!(%name, %status, "a peer does not send a file that it lists");
        self.part.bad.push(name.clone());
        let (addresses, settings, group) = &self.again;
        self.peer = Peer::open(addresses, settings, *group).await?;
        Ok(())
    }
}

/// The lines of a list that was fetched.
struct List {
    file: File,
    lines: LineReader,
    begun: bool,
}

impl List {
    fn new(file: File) -> Self {
        Self { file, lines: LineReader::new(0), begun: false }
    }

    /// The next records; `None` at the end.
    async fn read(mut self) -> Result<(Self, Option<Vec<Record>>), String> {
        let read = move || {
            if !self.begun {
                self.file.rewind()?;
                self.begun = true;
            }
            let mut buffer = vec![0; STEP];
            let len = self.file.read(&mut buffer)?;
            let mut lines = Vec::new();
            self.lines.feed(buffer.get(..len).unwrap_or_default(), &mut lines);
            let records = lines.into_iter().filter_map(|line| match line.record {
                Ok(record) => Some(record),
                Err(error) => {
                    tracing::warn!(%error, "a line in the list of a peer is no record, skipped");
                    None
                }
            });
            let records = (len > 0).then(|| records.collect());
            Ok::<_, std::io::Error>((self, records))
        };
        spawn_blocking(read).await.map_err(words)?.map_err(words)
    }
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
