//! How many links everybody sees: the total beside each page of them that old clients ask for.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use drive_core::Problem;
use drive_db::ListedCount;

use crate::app::Drive;

/// So many are counted for every page. To count them reads them all, so of more than that what was counted is
/// good for [`KNOWN_FOR`].
const COUNTED_EACH_TIME: u64 = 1_000;
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// What this process counted last, and when; none of few.
#[derive(Default)]
pub(crate) struct Listed {
    last: Mutex<Option<(Instant, ListedCount)>>,
}

impl Listed {
    /// What is known. The first who comes when that is not good any more is told nothing, and counts; others have
    /// the old number until it is done.
    fn known(&self, now: Instant) -> Option<ListedCount> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (counted, count) = last.as_mut()?;
        if now.saturating_duration_since(*counted) < KNOWN_FOR {
            return Some(*count);
        }
        *counted = now;
        None
    }

    fn keep(&self, count: ListedCount, now: Instant) {
        let many = count.all() > COUNTED_EACH_TIME;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = many.then_some((now, count));
    }
}

impl Drive {
    /// How many links everybody sees: of more than [`COUNTED_EACH_TIME`], a moment ago.
    pub(crate) async fn listed_count(&self) -> Result<ListedCount, Problem> {
        if let Some(count) = self.listed.known(Instant::now()) {
            return Ok(count);
        }
        let count = self.database.count_listed(self.now()).await?;
        self.listed.keep(count, Instant::now());
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_counted_each_time() {
        let listed = Listed::default();
        let begun = Instant::now();
        assert_eq!(listed.known(begun), None);
        listed.keep(ListedCount { files: COUNTED_EACH_TIME, folders: 0 }, begun);
        assert_eq!(listed.known(begun), None);
    }

    #[test]
    fn many_are_counted_by_one_who_asks_once_a_second() {
        let listed = Listed::default();
        let begun = Instant::now();
        let many = ListedCount { files: COUNTED_EACH_TIME, folders: 1 };
        listed.keep(many, begun);
        assert_eq!(listed.known(begun + KNOWN_FOR / 2), Some(many));
        let later = begun + KNOWN_FOR;
        assert_eq!(listed.known(later), None);
        assert_eq!(listed.known(later), Some(many), "another who asks meanwhile");
        let more = ListedCount { files: COUNTED_EACH_TIME, folders: 2 };
        listed.keep(more, later);
        assert_eq!(listed.known(later), Some(more));
        listed.keep(ListedCount::default(), later);
        assert_eq!(listed.known(later), None, "few again");
    }
}
