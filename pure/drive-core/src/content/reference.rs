//! How often a content is used, and when it goes.
//!
//! A content's row counts the nodes that refer to it, those in the trash too. The count changes by deltas
//! (`references = references + ?`) in the transaction that makes or removes the nodes, never by writing back what was
//! read (W-20).
//!
//! A content without references stays for [`COLLECT_GRACE`]: deleting and uploading again is common. Then one
//! transaction removes its row, on the condition that the count is still 0, and writes its blob down as dropped.
//! Whoever links the content meanwhile either holds the row, and it stays, or finds none, and uploads: there is no
//! moment in which the row is there and the blob is not (W-21). Dropped blobs are deleted after [`DROP_GRACE`], when
//! nobody can still be reading them, and forgotten after that; deleting twice is no error. The same list takes the
//! blobs of uploads whose content was there already.

use std::time::Duration;

use super::identity::{ContentIdentity, Md5Digest};
use crate::ids::ContentId;
use crate::node::FileContent;
use crate::ports::BlobKey;
use crate::problem::Problem;
use crate::time::UnixMillis;

/// How long a content without references is kept.
pub const COLLECT_GRACE: Duration = Duration::from_secs(3600);

/// How long a dropped blob is kept: longer than a download may take that began just before.
pub const DROP_GRACE: Duration = Duration::from_secs(3600);

/// A content as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its id.
    pub id: ContentId,
    /// What makes it the same as others.
    pub identity: ContentIdentity,
    /// Its alias. Not unique.
    pub md5: Md5Digest,
    /// Where its bytes are.
    pub blob: BlobKey,
    /// Nodes that refer to it.
    pub references: u64,
    /// Since when there is none.
    pub unused_since: Option<UnixMillis>,
}

impl Content {
    /// As a file has it.
    pub const fn file(&self) -> FileContent {
        FileContent { id: self.id, size: self.identity.size }
    }
}

/// How many references come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceDelta {
    /// Of which content.
    pub content: ContentId,
    /// More, or less if negative; never 0.
    pub change: i64,
}

/// What a change makes of a content's count: the count, and since when it is 0.
pub fn count_references(
    references: u64,
    unused_since: Option<UnixMillis>,
    change: i64,
    now: UnixMillis,
) -> Result<(u64, Option<UnixMillis>), Problem> {
    match references.checked_add_signed(change).filter(|after| i64::try_from(*after).is_ok()) {
        Some(0) => Ok((0, Some(unused_since.unwrap_or(now)))),
        Some(after) => Ok((after, None)),
        None => Err(Problem::Contradiction("references below none or beyond number")),
    }
}

/// Adds up references to contents, so that each row is changed once, in the order of ids: transactions that change
/// the same rows take them in the same order and do not lock each other out.
pub fn add_up(changes: impl IntoIterator<Item = (ContentId, i64)>) -> Vec<ReferenceDelta> {
    let mut sums = std::collections::BTreeMap::<ContentId, i64>::new();
    for (content, change) in changes {
        let sum = sums.entry(content).or_default();
        *sum = sum.saturating_add(change);
    }
    let deltas = sums.into_iter().map(|(content, change)| ReferenceDelta { content, change });
    deltas.filter(|delta| delta.change != 0).collect()
}

/// May the row go, and its blob be dropped? The row is then removed on the condition that this still holds.
pub fn may_collect(references: u64, unused_since: Option<UnixMillis>, now: UnixMillis) -> bool {
    references == 0 && unused_since.is_some_and(|since| now.since(since) >= COLLECT_GRACE)
}

/// When a blob that is dropped now is deleted.
pub fn delete_blob_at(now: UnixMillis) -> UnixMillis {
    now.plus(DROP_GRACE)
}

/// What becomes of bytes that were stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// They are new: a content is inserted, with one reference.
    New,
    /// They are there: one reference more to that content, and the blob that was just written is dropped.
    There {
        /// The content.
        content: ContentId,
        /// The blob that is not needed; none when it is the content's own, because the same bytes are recorded again.
        drop: Option<BlobKey>,
    },
}

/// What becomes of `blob`, just written, when `existing` is the content of the same identity. The transaction that
/// finds none and inserts may meet another that did the same; the unique index lets one through, and the other begins
/// anew.
pub fn store(existing: Option<&Content>, blob: &BlobKey) -> Stored {
    match existing {
        None => Stored::New,
        Some(content) => {
            let drop = (content.blob != *blob).then(|| blob.clone());
            Stored::There { content: content.id, drop }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn counts_change_by_deltas_and_note_when_they_reach_none() {
        let broken = Err(Problem::Contradiction("references below none or beyond number"));
        for (references, unused_since, change, expected) in [
            (0, None, 1, Ok((1, None))),
            (1, None, -1, Ok((0, Some(50)))),
            (3, None, -3, Ok((0, Some(50)))),
            (0, Some(10), 1, Ok((1, None))),
            (0, Some(10), 0, Ok((0, Some(10)))),
            (2, None, -3, broken.clone()),
            (i64::MAX as u64, None, 1, broken),
        ] {
            let counted = count_references(references, unused_since.map(UnixMillis), change, UnixMillis(50));
            let expected = expected.map(|(count, since)| (count, since.map(UnixMillis)));
            assert_eq!(counted, expected, "{references} {change}");
        }
    }

    #[test]
    fn each_content_is_changed_once_and_in_the_order_of_ids() {
        let id = |number| ContentId::new(number).unwrap();
        let deltas = add_up([(id(9), 1), (id(2), -1), (id(9), 1), (id(5), 1), (id(5), -1)]);
        let expected =
            [(2, -1), (9, 2)].map(|(content, change)| ReferenceDelta { content: id(content), change });
        assert_eq!(deltas, expected);
    }

    #[test]
    fn only_what_has_been_unused_for_the_grace_is_collected() {
        for (references, unused_since, now, expected) in [
            (0, Some(0), HOUR, true),
            (0, Some(0), HOUR - 1, false),
            (1, Some(0), HOUR, false),
            (0, None, HOUR, false),
            (0, Some(2 * HOUR), HOUR, false),
        ] {
            let collected = may_collect(references, unused_since.map(UnixMillis), UnixMillis(now));
            assert_eq!(collected, expected, "{references} {unused_since:?} {now}");
        }
        assert_eq!(delete_blob_at(UnixMillis(5)), UnixMillis(HOUR + 5));
    }

    #[test]
    fn bytes_that_are_there_are_not_kept_twice() {
        let blob = |text| BlobKey::new(text).unwrap();
        let size = crate::size::ByteCount::new(3).unwrap();
        let identity = ContentIdentity { sha256: super::super::Sha256Digest([1; 32]), size };
        let existing = Content {
            id: ContentId::new(4).unwrap(),
            identity,
            md5: Md5Digest([2; 16]),
            blob: blob("old"),
            references: 0,
            unused_since: Some(UnixMillis(1)),
        };
        assert_eq!(store(None, &blob("new")), Stored::New);
        assert_eq!(
            store(Some(&existing), &blob("new")),
            Stored::There { content: existing.id, drop: Some(blob("new")) }
        );
        // The same bytes under the same key: recorded twice, and still in use.
        let again = store(Some(&existing), &blob("old"));
        assert_eq!(again, Stored::There { content: existing.id, drop: None });
    }
}
