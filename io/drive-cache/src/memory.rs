//! The cache of one process.

use std::time::Duration;

use bytes::Bytes;
use drive_core::ports::{
    BOARD_ENTRIES_MAX, Board, CACHE_VALUE_BYTES_MAX, Cache, CacheError, CacheKey, Later, Order,
    PurposeOfRate, RateSubject,
};
use drive_core::ranking::RankEntry;
use drive_core::rate::{Admission, Rate};
use drive_core::{ShareId, UnixMillis};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::board::Scores;
use crate::shelf::Shelf;
use crate::ttl::millis;

/// Room of one kind of thing at least: so that the largest value fits.
pub const SHELF_BYTES_MIN: usize = 2 * CACHE_VALUE_BYTES_MAX;

/// How much is kept. A board is beside this: up to [`BOARD_ENTRIES_MAX`] entries, about 10 MB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryCacheConfig {
    /// Bytes for tokens, as many for attempts, and as many for rates; [`SHELF_BYTES_MIN`] at least.
    pub shelf_bytes: usize,
}

/// The cache of one process: with several processes of the drive, limits would count for each of them.
pub struct MemoryCache {
    tokens: Mutex<Shelf<Bytes>>,
    attempts: Mutex<Shelf<Bytes>>,
    rates: Mutex<Shelf<UnixMillis>>,
    downloads: Mutex<Option<Scores>>,
}

impl MemoryCache {
    /// An empty one.
    pub fn new(config: MemoryCacheConfig) -> Self {
        let bytes = config.shelf_bytes.max(SHELF_BYTES_MIN);
        Self {
            tokens: Mutex::new(Shelf::new(bytes)),
            attempts: Mutex::new(Shelf::new(bytes)),
            rates: Mutex::new(Shelf::new(bytes)),
            downloads: Mutex::new(None),
        }
    }

    fn shelf(&self, key: &CacheKey) -> &Mutex<Shelf<Bytes>> {
        match key {
            CacheKey::Token(_) | CacheKey::Challenge(_) | CacheKey::Probe => &self.tokens,
            CacheKey::Attempts(_) => &self.attempts,
        }
    }

    fn board(&self, board: Board) -> &Mutex<Option<Scores>> {
        match board {
            Board::Downloads => &self.downloads,
        }
    }

    fn swap_now(&self, key: &CacheKey, expected: Option<Option<&[u8]>>, new: Bytes, ttl: Duration) -> bool {
        let now = Instant::now();
        let text = key.to_text();
        let mut shelf = self.shelf(key).lock();
        if let Some(expected) = expected
            && shelf.get(&text, now).map(AsRef::as_ref) != expected
        {
            return false;
        }
        let bytes = new.len();
        shelf.put(&text, new, bytes, end_after(now, ttl), now);
        true
    }

    fn take_now(
        &self,
        subject: &RateSubject,
        purpose: PurposeOfRate,
        rate: &Rate,
        now: UnixMillis,
    ) -> Admission {
        let text = subject.to_text(purpose);
        let instant = Instant::now();
        let mut rates = self.rates.lock();
        let (state, admission) = rate.admit(rates.get(&text, instant).copied(), now);
        if admission == Admission::Admitted
            && let Some(until) = state
        {
            rates.put(&text, until, 0, end_after(instant, until.since(now)), instant);
        }
        admission
    }

    /// The board, unless its time is over.
    fn with_board<T>(&self, board: Board, change: impl FnOnce(&mut Scores) -> T) -> Option<T> {
        self.board(board).lock().as_mut().filter(|scores| scores.end > Instant::now()).map(change)
    }
}

impl Cache for MemoryCache {
    fn get<'a>(&'a self, key: &'a CacheKey) -> Later<'a, Result<Option<Bytes>, CacheError>> {
        let text = key.to_text();
        ready(Ok(self.shelf(key).lock().get(&text, Instant::now()).cloned()))
    }

    fn put<'a>(
        &'a self,
        key: &'a CacheKey,
        value: Bytes,
        ttl: Duration,
    ) -> Later<'a, Result<(), CacheError>> {
        Box::pin(async move {
            check_value(&value)?;
            self.swap_now(key, None, value, ttl);
            Ok(())
        })
    }

    fn remove<'a>(&'a self, keys: &'a [CacheKey]) -> Later<'a, Result<(), CacheError>> {
        Box::pin(async move {
            for key in keys {
                self.shelf(key).lock().remove(&key.to_text());
            }
            Ok(())
        })
    }

    fn swap<'a>(
        &'a self,
        key: &'a CacheKey,
        expected: Option<&'a [u8]>,
        new: Bytes,
        ttl: Duration,
    ) -> Later<'a, Result<bool, CacheError>> {
        Box::pin(async move {
            check_value(&new)?;
            Ok(self.swap_now(key, Some(expected), new, ttl))
        })
    }

    fn take<'a>(
        &'a self,
        subject: &'a RateSubject,
        purpose: PurposeOfRate,
        rate: &'a Rate,
        now: UnixMillis,
    ) -> Later<'a, Result<Admission, CacheError>> {
        Box::pin(async move { Ok(self.take_now(subject, purpose, rate, now)) })
    }

    fn board_add<'a>(&'a self, board: Board, more: &'a [RankEntry]) -> Later<'a, Result<(), CacheError>> {
        Box::pin(async move {
            self.with_board(board, |scores| scores.add(more));
            Ok(())
        })
    }

    fn board_remove<'a>(&'a self, board: Board, shares: &'a [ShareId]) -> Later<'a, Result<(), CacheError>> {
        Box::pin(async move {
            self.with_board(board, |scores| scores.remove(shares));
            Ok(())
        })
    }

    fn board_replace<'a>(
        &'a self,
        board: Board,
        entries: &'a [RankEntry],
        ttl: Duration,
    ) -> Later<'a, Result<(), CacheError>> {
        Box::pin(async move {
            check_board(entries)?;
            // Made before the lock is taken, and the old one dropped after: readers wait for a pointer only.
            let scores = Scores::new(entries, end_after(Instant::now(), ttl));
            let _old = self.board(board).lock().replace(scores);
            Ok(())
        })
    }

    fn board_page<'a>(
        &'a self,
        board: Board,
        order: Order,
        from: usize,
        count: usize,
    ) -> Later<'a, Result<Option<Vec<RankEntry>>, CacheError>> {
        Box::pin(async move { Ok(self.with_board(board, |scores| scores.page(order, from, count))) })
    }

    fn check(&self) -> Later<'_, Result<(), CacheError>> {
        ready(Ok(()))
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> Later<'a, T> {
    Box::pin(std::future::ready(value))
}

/// In whole milliseconds, as everywhere.
fn end_after(now: Instant, ttl: Duration) -> Instant {
    now + Duration::from_millis(millis(ttl).unwrap_or(0))
}

pub(crate) fn check_value(value: &[u8]) -> Result<(), CacheError> {
    if value.len() <= CACHE_VALUE_BYTES_MAX {
        Ok(())
    } else {
        Err(CacheError(format!("a value of {} bytes is more than {CACHE_VALUE_BYTES_MAX}", value.len())))
    }
}

pub(crate) fn check_board(entries: &[RankEntry]) -> Result<(), CacheError> {
    if entries.len() <= BOARD_ENTRIES_MAX {
        Ok(())
    } else {
        Err(CacheError(format!("a board of {} entries is more than {BOARD_ENTRIES_MAX}", entries.len())))
    }
}
