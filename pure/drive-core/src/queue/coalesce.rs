//! What a batch of entries comes to.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Counter, Entry, EntryKey, Event};

/// What one transaction does, in this order: counters, then records one after the other, then the keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Work {
    /// What is added to counters: one update each, in an order that is the same for all appliers. A counter of
    /// something that is gone changes nothing.
    pub counts: BTreeMap<Counter, u64>,
    /// What is done one by one, in the order of the batch: each is refused by itself, and the others go on.
    pub records: Vec<Entry>,
    /// Keys of all that is done, to be kept with it; those of counts have no outcome.
    pub keys: Vec<EntryKey>,
}

/// Adds up what is new in a batch. `applied` are those of its keys that were done before; an entry that is twice in
/// the batch is done once.
pub fn coalesce(batch: Vec<Entry>, applied: &BTreeSet<EntryKey>) -> Work {
    let mut work = Work::default();
    let mut seen = BTreeSet::new();
    for entry in batch {
        if applied.contains(&entry.key) || !seen.insert(entry.key) {
            continue;
        }
        work.keys.push(entry.key);
        match entry.event {
            Event::Count(counter) => *work.counts.entry(counter).or_default() += 1,
            Event::Register(_) | Event::RecordUpload(_) => work.records.push(entry),
        }
    }
    work
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{ContentIdentity, Md5Digest, Sha256Digest};
    use crate::ids::{AccountId, NodeId, ShareId};
    use crate::node::NodeName;
    use crate::ports::BlobKey;
    use crate::queue::UploadRecord;
    use crate::size::ByteCount;
    use crate::time::UnixMillis;
    use crate::tree::OnConflict;

    fn entry(key: u8, event: Event) -> Entry {
        Entry { key: EntryKey([key; 16]), at: UnixMillis(0), event }
    }

    fn views(share: i64) -> Counter {
        Counter::ShareViews(ShareId::new(share).unwrap())
    }

    fn upload(name: &str) -> Event {
        Event::RecordUpload(UploadRecord {
            owner: AccountId::new(1).unwrap(),
            parent: NodeId::new(1).unwrap(),
            name: NodeName::new(name).unwrap(),
            on_conflict: OnConflict::KeepBoth,
            reserved: true,
            identity: ContentIdentity { sha256: Sha256Digest([0; 32]), size: ByteCount::ZERO },
            md5: Md5Digest([0; 16]),
            blob: BlobKey::new("k").unwrap(),
        })
    }

    #[test]
    fn counts_are_added_up_and_records_keep_their_order() {
        let downloads = Counter::ShareDownloads(ShareId::new(1).unwrap());
        let batch = vec![
            entry(1, Event::Count(views(1))),
            entry(2, upload("b")),
            entry(3, Event::Count(views(1))),
            entry(4, Event::Count(views(2))),
            entry(5, Event::Count(downloads)),
            entry(6, upload("a")),
        ];
        let work = coalesce(batch, &BTreeSet::new());
        assert_eq!(work.counts, [(views(1), 2), (views(2), 1), (downloads, 1)].into());
        assert_eq!(work.records, [entry(2, upload("b")), entry(6, upload("a"))]);
        assert_eq!(work.keys, [1, 2, 3, 4, 5, 6].map(|key| EntryKey([key; 16])));
    }

    #[test]
    fn what_comes_again_is_done_once() {
        let batch = vec![
            entry(1, Event::Count(views(1))),
            entry(2, Event::Count(views(1))),
            entry(2, Event::Count(views(1))),
            entry(3, upload("a")),
            entry(4, upload("b")),
            entry(4, upload("b")),
        ];
        let applied = [EntryKey([1; 16]), EntryKey([3; 16])].into();
        let work = coalesce(batch.clone(), &applied);
        assert_eq!(work.counts, [(views(1), 1)].into());
        assert_eq!(work.records, [entry(4, upload("b"))]);
        assert_eq!(work.keys, [EntryKey([2; 16]), EntryKey([4; 16])]);
        let all = [1, 2, 3, 4].map(|key| EntryKey([key; 16])).into();
        assert_eq!(coalesce(batch, &all), Work::default());
    }
}
