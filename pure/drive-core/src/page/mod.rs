//! Lists in pages.
//!
//! A page goes on behind the last row of the one before, by the row's sort key and id ([`Cursor`]), so it costs the
//! same wherever it is, and what comes and goes meanwhile neither repeats nor hides other rows. The old dialect
//! counts rows instead ([`RowsPage`]).

mod cursor;
mod search;

pub use cursor::{CURSOR_CHARS_MAX, Cursor, Direction, List, NodeOrder, ShareOrder, SortKey};
pub use search::{SEARCH_CHARS_MAX, SEARCH_TERMS_MAX, SearchQuery};

use crate::problem::Problem;

/// Rows of a page when nothing is said.
pub const PAGE_ROWS: u32 = 100;
/// Rows of a page at most; asking for more gives so many.
pub const PAGE_ROWS_MAX: u32 = 1_000;

/// How many rows a page has.
pub fn page_rows(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        None => Ok(PAGE_ROWS),
        Some(0) => Err(Problem::FieldInvalid("limit")),
        Some(rows) => Ok(rows.min(PAGE_ROWS_MAX)),
    }
}

/// The furthest row that the old dialect can begin at: rows before it are read and thrown away.
pub const ROWS_START_MAX: u32 = 100_000;

/// A page of the old dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsPage {
    /// Rows to leave out.
    pub start: u32,
    /// Rows at most.
    pub count: u32,
}

impl RowsPage {
    /// What `start` and `count` ask for (W-29).
    pub fn new(start: i64, count: i64) -> Result<Self, Problem> {
        let start = u32::try_from(start).ok().filter(|start| *start <= ROWS_START_MAX);
        let count = u64::try_from(count).map_err(|_| Problem::FieldInvalid("count"))?;
        Ok(Self {
            start: start.ok_or(Problem::FieldInvalid("start"))?,
            count: count.min(u64::from(PAGE_ROWS_MAX)) as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_at_least_one_row_and_not_too_many() {
        for (asked, rows) in [
            (None, Ok(100)),
            (Some(1), Ok(1)),
            (Some(1000), Ok(1000)),
            (Some(u32::MAX), Ok(1000)),
            (Some(0), Err(Problem::FieldInvalid("limit"))),
        ] {
            assert_eq!(page_rows(asked), rows);
        }
    }

    #[test]
    fn pages_of_the_old_dialect_are_bounded() {
        let page = |start, count| Ok(RowsPage { start, count });
        for (start, count, expected) in [
            (0, 10, page(0, 10)),
            (0, 0, page(0, 0)),
            (100_000, i64::MAX, page(100_000, 1000)),
            (100_001, 10, Err(Problem::FieldInvalid("start"))),
            (-1, 10, Err(Problem::FieldInvalid("start"))),
            (0, -1, Err(Problem::FieldInvalid("count"))),
            (i64::MIN, i64::MIN, Err(Problem::FieldInvalid("count"))),
        ] {
            assert_eq!(RowsPage::new(start, count), expected, "{start} {count}");
        }
    }
}
