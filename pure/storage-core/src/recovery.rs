//! Getting the files of a lost store path back: which peers are asked, and which of their files are wanted.
//!
//! What peers list is joined (storage internals: holes, D9), as each may have what another lacks. Against that stands this
//! storage's own log, which was not lost: what was deleted or renamed here and is on its way to a peer must not come back
//! under its old name, and what was here and nobody has is lost, and said to be.

use std::collections::BTreeMap;

use fdfs_fileid::{FileName, Kind, StorePathIndex};
use fdfs_format::binlog::{Change, Origin, Record};
use fdfs_proto::{StorageId, StorageStatus};

/// The file of a store path that a record tells to be there, under the name it has since.
pub fn listed(record: &Record, path: StorePathIndex) -> Option<&FileName> {
    let made = matches!(
        record.change,
        Change::Create { .. } | Change::Update { .. } | Change::Link { .. } | Change::Rename { .. }
    );
    let name = record.change.name();
    (made && name.path_index() == path).then_some(name)
}

/// A file to get from a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// What the peer calls it.
    pub there: &'a FileName,
    /// What it is called here.
    pub here: &'a FileName,
}

/// Why a name is not in use any more.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gone {
    /// Unix second.
    at: i64,
    /// The new name, after a rename.
    to: Option<FileName>,
}

/// The last change of a file that can change, as the log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastChange {
    /// Unix second.
    at: i64,
    /// Its size since, bytes, if the log tells.
    size: Option<u64>,
    /// A client of this storage made it: the others are told by nobody else.
    pub made_here: bool,
}

impl LastChange {
    /// Whether the copy that is here now lacks it.
    pub fn is_missing_in(&self, here: Version) -> bool {
        here.mtime < self.at || here.mtime == self.at && self.size.is_some_and(|size| size != here.size)
    }
}

/// What this storage's own log says about a store path. Holds the names that went, and of those that stayed only the files
/// that were changed.
#[derive(Debug, Clone)]
pub struct OwnLog {
    path: StorePathIndex,
    gone: BTreeMap<FileName, Gone>,
    changed: BTreeMap<FileName, LastChange>,
}

impl OwnLog {
    /// Of an empty log.
    pub fn new(path: StorePathIndex) -> Self {
        Self { path, gone: BTreeMap::new(), changed: BTreeMap::new() }
    }

    /// Takes note of the next record of the log.
    pub fn note(&mut self, record: &Record) {
        let at = record.timestamp;
        let name = record.change.name();
        if name.path_index() != self.path {
            return;
        }
        self.note_change(record);
        match &record.change {
            Change::Delete { name } => {
                self.gone.insert(name.clone(), Gone { at, to: None });
            }
            Change::Rename { name, old } => {
                self.changed.remove(old);
                self.gone.insert(old.clone(), Gone { at, to: Some(name.clone()) });
                self.gone.remove(name);
            }
            Change::Create { .. } | Change::Update { .. } | Change::Link { .. } => {
                self.gone.remove(name);
            }
            Change::Append { .. } | Change::Modify { .. } | Change::Truncate { .. } => {}
        }
    }

    fn note_change(&mut self, record: &Record) {
        let name = record.change.name();
        let before = self.changed.get(name).and_then(|last| last.size);
        let size = match record.change {
            Change::Append { offset, len, .. } => Some(offset + len),
            Change::Modify { offset, len, .. } => before.map(|size| size.max(offset + len)),
            Change::Truncate { new_size, .. } => Some(new_size),
            // The file as it was then.
            Change::Update { .. } if can_differ(name) => None,
            _ => {
                self.changed.remove(name);
                return;
            }
        };
        let made_here = record.origin == Origin::Client;
        self.changed.insert(name.clone(), LastChange { at: record.timestamp, size, made_here });
    }

    /// The files that were changed, and how they were last.
    pub fn changed(&self) -> impl Iterator<Item = (&FileName, LastChange)> {
        self.changed.iter().map(|(name, last)| (name, *last))
    }

    /// What is wanted of a record in the list of a peer.
    pub fn wanted<'a>(&'a self, record: &'a Record) -> Option<Wanted<'a>> {
        let there = listed(record, self.path)?;
        match self.gone.get(there) {
            None => Some(Wanted { there, here: there }),
            // Made once more at the peer since it went here.
            Some(gone) if gone.at < record.timestamp => Some(Wanted { there, here: there }),
            Some(Gone { to: None, .. }) => None,
            // The peer has not heard of the new name yet.
            Some(Gone { to: Some(here), .. }) => {
                (!self.gone.contains_key(here)).then_some(Wanted { there, here })
            }
        }
    }

    /// The file that ought to be here because of this record of the own log, all of which was noted before.
    pub fn expected<'a>(&self, record: &'a Record) -> Option<&'a FileName> {
        listed(record, self.path).filter(|name| !self.gone.contains_key(*name))
    }
}

/// A storage of the group, as a tracker lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub id: StorageId,
    /// Its status.
    pub status: StorageStatus,
    /// Whether files may be read from it.
    pub readable: bool,
}

/// Whom to ask for the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sources {
    /// This storage is not listed: it is new to the cluster, or whoever made the list has lost its memory.
    Unknown,
    /// Nobody has any: there is nothing to get back.
    Nobody,
    /// Those who have them do not serve now.
    Wait,
    /// All of these.
    These(Vec<StorageId>),
}

/// Whether the copies of a file may differ, as it changes and not all peers have the last change: each of them is to be asked
/// for its version. Metadata can differ, too, but members are not told of its version.
pub fn can_differ(name: &FileName) -> bool {
    name.kind() == Kind::Appender && !name.is_metadata()
}

/// A copy of a file that can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// When it was changed last, Unix second of the storage where that was.
    pub mtime: i64,
    /// Its size, bytes.
    pub size: u64,
}

/// Whether a peer's copy is to be fetched though this one is here: it was changed later, or in the same second and has
/// grown.
pub fn is_better(here: Option<Version>, there: Version) -> bool {
    here.is_none_or(|here| (there.mtime, there.size) > (here.mtime, here.size))
}

/// Whether somebody who has files does not serve now. What those who do could not give may be there: as long as a file is
/// missing, nothing is complete. One that is rebuilt itself has nothing that the others lack, and may wait for this one.
pub fn holders_away(me: Option<&StorageId>, members: &[Member]) -> bool {
    holders(me, members).any(|member| matches!(member.status, StorageStatus::Offline | StorageStatus::Online))
}

/// Whether a member gives files out. One that is being filled does: who fills it may be this storage, which has no others
/// to ask, and must not wait for it to be complete.
fn gives(status: StorageStatus) -> bool {
    matches!(status, StorageStatus::Active | StorageStatus::WaitSync | StorageStatus::Syncing)
}

/// The other members that have files, now or when they are back.
fn holders<'a>(me: Option<&StorageId>, members: &'a [Member]) -> impl Iterator<Item = &'a Member> {
    use StorageStatus as S;
    let gone = |status| matches!(status, S::Deleted | S::IpChanged | S::Init | S::None);
    let me = me.copied();
    members.iter().filter(move |member| Some(member.id) != me && member.readable && !gone(member.status))
}

/// Chooses the peers to ask (storage internals: single-disk recovery). `me` is this storage's id in the list.
pub fn sources(me: Option<&StorageId>, members: &[Member]) -> Sources {
    use StorageStatus as S;
    let Some(own) = members.iter().find(|member| Some(&member.id) == me) else { return Sources::Unknown };
    // A storage that is new to the cluster is filled as a whole.
    if matches!(own.status, S::Init | S::Deleted | S::IpChanged) {
        return Sources::Nobody;
    }
    let holders: Vec<_> = holders(me, members).collect();
    let serving: Vec<_> =
        holders.iter().filter(|member| gives(member.status)).map(|member| member.id).collect();
    match (holders.is_empty(), serving.is_empty()) {
        (true, _) => Sources::Nobody,
        (false, true) => Sources::Wait,
        (false, false) => Sources::These(serving),
    }
}

#[cfg(test)]
mod tests;
