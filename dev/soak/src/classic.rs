//! Users of FastDFS: the client library through both groups, and the same files over HTTP through the entry.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fdfs_client::{
    Client, DownloadOptions, Error, ExtName, FileId, GroupName, MetaFlag, Metadata, SlavePrefix, Status,
    UploadOptions,
};
use reqwest::StatusCode;
use reqwest::header::RANGE;
use sha2::{Digest, Sha256};

use crate::content::{Content, Dice};
use crate::tally::Tally;

/// Files that one of them has at the same time; the oldest go first.
const FILES_MAX: usize = 150;
/// Deleted files that are looked for in the end.
const GONE_MAX: usize = 500;
/// An appender grows to this.
const APPENDER_MAX: usize = 256 * 1024;
const GROUPS: [&str; 2] = ["group1", "group2"];

/// What a file has to have.
#[derive(Debug)]
pub(crate) enum Want {
    /// It never changes.
    Fixed(Content),
    /// It is changed in place: what it has now, what it has instead if the change that was never answered was done, and what it
    /// had before.
    Changing { now: Vec<u8>, perhaps: Option<Vec<u8>>, before: HashSet<[u8; 32]> },
}

/// How what was read compares with what was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Same,
    /// As it was before its last changes.
    Stale,
    Another,
}

impl Want {
    fn changing(bytes: Vec<u8>) -> Want {
        Want::Changing { now: bytes, perhaps: None, before: HashSet::new() }
    }

    pub(crate) fn compare(&self, bytes: &[u8]) -> Comparison {
        match self {
            Want::Fixed(content) if content.bytes() == bytes => Comparison::Same,
            Want::Fixed(_) => Comparison::Another,
            Want::Changing { now, perhaps, .. } if now == bytes || perhaps.as_deref() == Some(bytes) => {
                Comparison::Same
            }
            Want::Changing { before, .. } if before.contains(&digest(bytes)) => Comparison::Stale,
            Want::Changing { .. } => Comparison::Another,
        }
    }

    /// How what was read differs, for whoever looks for the reason.
    pub(crate) fn difference(&self, bytes: &[u8]) -> String {
        let from = |other: &[u8]| {
            let same = other.iter().zip(bytes).take_while(|(one, other)| one == other).count();
            format!("{} bytes, the same up to {same}", other.len())
        };
        match self {
            Want::Fixed(content) => format!("{} bytes, not {}", bytes.len(), from(&content.bytes())),
            Want::Changing { now, perhaps, before } => {
                let perhaps = perhaps.as_deref().map_or("none".to_owned(), from);
                let (now, changes) = (from(now), before.len());
                format!(
                    "{} bytes, not {now}; with the change without answer: {perhaps}; {changes} changes",
                    bytes.len()
                )
            }
        }
    }

    /// It was changed, or perhaps so: from then on nobody changes it.
    fn change(&mut self, to: Vec<u8>, certain: bool) {
        let Want::Changing { now, perhaps, before } = self else { return };
        if certain {
            before.insert(digest(now));
            *now = to;
        } else {
            *perhaps = Some(to);
        }
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A file that was acknowledged.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) id: FileId,
    pub(crate) want: Want,
    /// Its metadata; all that it may be, when a change was not answered.
    pub(crate) metadata: Vec<BTreeMap<String, String>>,
    /// A deletion was not answered: it may be gone.
    pub(crate) perhaps_gone: bool,
}

/// Everything that one of them was told.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    pub(crate) kept: Vec<Kept>,
    /// Deletions that were acknowledged.
    pub(crate) gone: Vec<FileId>,
}

pub(crate) struct User {
    pub(crate) client: Client,
    pub(crate) http: reqwest::Client,
    /// `http://` and the address.
    pub(crate) entry: String,
    pub(crate) tally: Arc<Tally>,
    pub(crate) dice: Dice,
    /// Requests are this far from each other.
    pub(crate) pause: Duration,
    pub(crate) shelf: Shelf,
}

/// For the table of reasons: without addresses.
fn short(error: &Error) -> String {
    format!("{:?} at a {:?}", error.kind(), error.side()).to_lowercase()
}

/// Nothing came of it, for certain: it was not sent, or refused at once. Not so when no answer came, or when a storage says
/// that it could not make the change certain.
fn nothing_done(error: &Error) -> bool {
    let at_once = [Status::ENOENT, Status::EINVAL, Status::EEXIST, Status::ENOSPC];
    !error.outcome_unknown() && error.status().is_none_or(|status| at_once.contains(&status))
}

impl User {
    /// Works until the end: what they were told.
    pub(crate) async fn work(mut self) -> Shelf {
        let mut pace = tokio::time::interval(self.pause);
        // After one that took long there is no rush.
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.tally.is_over() {
            pace.tick().await;
            match self.dice.below(100) {
                0..22 => self.upload().await,
                22..46 => self.download().await,
                46..70 => self.download_over_http().await,
                70..80 => self.change().await,
                80..84 => self.upload_slave().await,
                84..92 => self.set_metadata().await,
                _ => self.delete().await,
            }
            if self.shelf.kept.len() > FILES_MAX {
                self.delete().await;
            }
        }
        self.shelf
    }

    /// Mostly small, now and then some megabytes.
    fn new_content(&mut self) -> Content {
        let (least, most) = if self.dice.below(100) == 0 { (1 << 20, 3 << 20) } else { (1, 48 * 1024) };
        Content { seed: self.dice.next(), len: self.dice.size(least, most) }
    }

    async fn upload(&mut self) {
        let content = self.new_content();
        let appender = self.dice.below(5) == 0;
        let Some(group) = self.dice.one(&GROUPS).and_then(|group| GroupName::parse(group.as_bytes()).ok())
        else {
            return;
        };
        let content = if appender { Content { len: content.len.min(32 * 1024), ..content } } else { content };
        let bytes = content.bytes();
        let ext = ExtName::parse(b"bin").ok();
        let options = UploadOptions { group: Some(group), ext, appender, ..UploadOptions::default() };
        let request = async {
            self.client.upload(bytes.as_slice().into(), &options).await.map_err(|error| short(&error))
        };
        if let Ok(done) = self.tally.count("upload (client)", request).await {
            let want = if appender { Want::changing(bytes) } else { Want::Fixed(content) };
            self.keep(done.id, want);
        }
    }

    fn keep(&mut self, id: FileId, want: Want) {
        self.shelf.kept.push(Kept { id, want, metadata: vec![BTreeMap::new()], perhaps_gone: false });
    }

    fn some(&mut self, wanted: impl Fn(&Kept) -> bool) -> Option<usize> {
        let fitting: Vec<usize> = (0..self.shelf.kept.len())
            .filter(|at| self.shelf.kept.get(*at).is_some_and(|kept| !kept.perhaps_gone && wanted(kept)))
            .collect();
        self.dice.one(&fitting).copied()
    }

    async fn download(&mut self) {
        let Some(kept) = self.some(|_| true).and_then(|at| self.shelf.kept.get(at)) else { return };
        let options = DownloadOptions::default();
        let request = async { self.client.download(&kept.id, &options).await.map_err(|error| short(&error)) };
        if let Ok(bytes) = self.tally.count("download (client)", request).await {
            self.compare(kept, &bytes, "the client");
        }
    }

    fn compare(&self, kept: &Kept, bytes: &[u8], by: &str) {
        match kept.want.compare(bytes) {
            Comparison::Same => {}
            Comparison::Stale => self.tally.stale(),
            Comparison::Another => {
                self.tally.wrong(format!("{} came back as something else to {by}", kept.id))
            }
        }
    }

    /// Whole, or a part. What changes in place is left to clients: a copy at the entry may be older.
    async fn download_over_http(&mut self) {
        let fixed = |kept: &Kept| matches!(kept.want, Want::Fixed(_));
        let Some(at) = self.some(fixed) else { return };
        let part = self.dice.below(2) == 0;
        let (one, other) = (self.dice.next(), self.dice.next());
        let Some(kept) = self.shelf.kept.get(at) else { return };
        let Want::Fixed(content) = kept.want else { return };
        let whole = content.bytes();
        let range = if part { range(whole.len(), one, other) } else { 0..whole.len() };
        let mut request = self.http.get(format!("{}/{}", self.entry, kept.id));
        if part {
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        let answer = async {
            let answer = request.send().await.map_err(|_| "no answer".to_owned())?;
            let status = answer.status();
            let due = if part { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
            if status != due {
                return Err(format!("status {}", status.as_u16()));
            }
            answer.bytes().await.map_err(|_| "half an answer".to_owned())
        };
        let kind = if part { "range over HTTP by id" } else { "download over HTTP by id" };
        if let Ok(bytes) = self.tally.count(kind, answer).await
            && whole.get(range) != Some(&bytes[..])
        {
            self.tally.wrong(format!("{} came back as something else over HTTP", kept.id));
        }
    }

    /// Adds to an appender, or overwrites a part of it.
    async fn change(&mut self) {
        let able = |kept: &Kept| matches!(&kept.want, Want::Changing { now, perhaps: None, .. } if now.len() < APPENDER_MAX);
        let Some(at) = self.some(able) else { return };
        let part = Content { seed: self.dice.next(), len: self.dice.size(1, 8 * 1024) }.bytes();
        let (append, place) = (self.dice.below(3) > 0, self.dice.next());
        let Some(Kept { id, want: want @ Want::Changing { .. }, .. }) = self.shelf.kept.get_mut(at) else {
            return;
        };
        let Want::Changing { now, .. } = &*want else { return };
        let mut to = now.clone();
        let offset = if append { to.len() } else { range(to.len(), place, 0).start };
        to.resize(to.len().max(offset + part.len()), 0);
        if let Some(changed) = to.get_mut(offset..offset + part.len()) {
            changed.copy_from_slice(&part);
        }
        let (client, part) = (&self.client, part.as_slice());
        let mut certain = true;
        let outcome = self.tally.count(if append { "append" } else { "modify" }, async {
            let done = if append {
                client.append(id, part.into()).await
            } else {
                client.modify(id, offset as u64, part.into()).await
            };
            done.map_err(|error| {
                certain = nothing_done(&error);
                short(&error)
            })
        });
        match outcome.await {
            Ok(()) => want.change(to, true),
            Err(_) if !certain => want.change(to, false),
            Err(_) => {}
        }
    }

    async fn upload_slave(&mut self) {
        let fixed = |kept: &Kept| matches!(kept.want, Want::Fixed(_)) && kept.metadata.len() == 1;
        let Some(at) = self.some(fixed) else { return };
        let content = Content { seed: self.dice.next(), len: self.dice.size(1, 16 * 1024) };
        let prefix = format!("_s{:06x}", self.dice.next() & 0xff_ffff);
        let Some(kept) = self.shelf.kept.get(at) else { return };
        let Ok(prefix) = SlavePrefix::parse(prefix.as_bytes()) else { return };
        let bytes = content.bytes();
        let options = UploadOptions { ext: ExtName::parse(b"bin").ok(), ..UploadOptions::default() };
        let request = async {
            let done = self.client.upload_slave(&kept.id, &prefix, bytes.as_slice().into(), &options).await;
            done.map_err(|error| short(&error))
        };
        if let Ok(done) = self.tally.count("upload of a slave", request).await {
            self.keep(done.id, Want::Fixed(content));
        }
    }

    /// Writes metadata, or reads what was written.
    async fn set_metadata(&mut self) {
        let Some(at) = self.some(|kept| kept.metadata.len() == 1) else { return };
        let value = self.dice.next().to_string();
        let write = self.dice.below(2) == 0;
        let Some(kept) = self.shelf.kept.get_mut(at) else { return };
        if !write {
            let request = async { self.client.metadata(&kept.id).await.map_err(|error| short(&error)) };
            // A file without has none to be found.
            if kept.metadata.iter().any(BTreeMap::is_empty) {
                return;
            }
            if let Ok(read) = self.tally.count("read metadata", request).await
                && !kept.metadata.contains(&as_texts(&read))
            {
                self.tally.stale();
            }
            return;
        }
        let mut metadata = Metadata::new();
        metadata.insert("width", value.clone());
        let mut certain = true;
        let outcome = self.tally.count("write metadata", async {
            let done = self.client.set_metadata(&kept.id, &metadata, MetaFlag::Overwrite).await;
            done.map_err(|error| {
                certain = nothing_done(&error);
                short(&error)
            })
        });
        let new = BTreeMap::from([("width".to_owned(), value)]);
        match outcome.await {
            Ok(()) => kept.metadata = vec![new],
            Err(_) if !certain => kept.metadata.push(new),
            Err(_) => {}
        }
    }

    /// The oldest of those of which it is known that they are there.
    async fn delete(&mut self) {
        let Some(at) = self.shelf.kept.iter().position(|kept| !kept.perhaps_gone) else { return };
        let Some(kept) = self.shelf.kept.get(at) else { return };
        let mut certain = true;
        let outcome = self.tally.count("delete (client)", async {
            self.client.delete(&kept.id).await.map_err(|error| {
                certain = nothing_done(&error);
                short(&error)
            })
        });
        match outcome.await {
            Ok(()) => {
                let kept = self.shelf.kept.remove(at);
                if self.shelf.gone.len() < GONE_MAX {
                    self.shelf.gone.push(kept.id);
                } else {
                    let place = self.dice.below(GONE_MAX);
                    if let Some(one) = self.shelf.gone.get_mut(place) {
                        *one = kept.id;
                    }
                }
            }
            Err(_) if !certain => {
                if let Some(kept) = self.shelf.kept.get_mut(at) {
                    kept.perhaps_gone = true;
                }
            }
            Err(_) => {}
        }
    }
}

pub(crate) fn as_texts(metadata: &Metadata) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    metadata.iter().map(|(name, value)| (text(name), text(value))).collect()
}

/// A part of so many bytes that has at least one.
pub(crate) fn range(len: usize, one: u64, other: u64) -> std::ops::Range<usize> {
    let within = |number: u64, end: usize| usize::try_from(number >> 33).unwrap_or(0) % end.max(1);
    let start = within(one, len);
    start..start + 1 + within(other, len - start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_in_place_may_be_seen_as_it_was_and_as_a_change_without_answer_makes_it() {
        let mut want = Want::changing(b"a".to_vec());
        assert_eq!(want.compare(b"a"), Comparison::Same);
        want.change(b"ab".to_vec(), true);
        assert_eq!(want.compare(b"a"), Comparison::Stale);
        assert_eq!(want.compare(b"ab"), Comparison::Same);
        want.change(b"abc".to_vec(), false);
        assert_eq!(want.compare(b"ab"), Comparison::Same);
        assert_eq!(want.compare(b"abc"), Comparison::Same);
        assert_eq!(want.compare(b"abd"), Comparison::Another);
    }

    #[test]
    fn a_file_that_never_changes_is_itself_or_another() {
        let content = Content { seed: 5, len: 10 };
        let want = Want::Fixed(content);
        assert_eq!(want.compare(&content.bytes()), Comparison::Same);
        assert_eq!(want.compare(b""), Comparison::Another);
    }

    #[test]
    fn a_part_lies_within_and_is_not_empty() {
        let mut dice = Dice::new(1);
        for len in 1..200 {
            let part = range(len, dice.next(), dice.next());
            assert!(part.start < part.end && part.end <= len, "{part:?} of {len}");
        }
    }
}
