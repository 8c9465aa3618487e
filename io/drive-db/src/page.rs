//! Pages of lists.

use drive_core::Problem;
use drive_core::page::{Cursor, SortKey};

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; none when this is the last.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// The page of a list that was asked for one row more than it may have.
    pub(crate) fn cut(mut rows: Vec<T>, limit: u32, cursor: impl Fn(&T) -> Cursor) -> Self {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(cursor);
        Self { rows, next }
    }
}

/// Sort key and id of a cursor of a list that is sorted by a number.
pub(crate) fn number_cursor(cursor: Option<&Cursor>) -> Result<Option<(i64, i64)>, Problem> {
    match cursor {
        None => Ok(None),
        Some(Cursor { kind: None, key: SortKey::Number(number), id }) => Ok(Some((*number, *id))),
        Some(_) => Err(Problem::CursorInvalid),
    }
}

/// Sort key and id of a cursor of a list that is sorted by a text.
pub(crate) fn text_cursor(cursor: Option<&Cursor>) -> Result<Option<(&str, i64)>, Problem> {
    match cursor {
        None => Ok(None),
        Some(Cursor { kind: None, key: SortKey::Text(text), id }) => Ok(Some((text, *id))),
        Some(_) => Err(Problem::CursorInvalid),
    }
}

/// A cursor of a list that is sorted by a number.
pub(crate) const fn by_number(number: i64, id: i64) -> Cursor {
    Cursor { kind: None, key: SortKey::Number(number), id }
}

/// A cursor of a list that is sorted by a text.
pub(crate) fn by_text(text: &str, id: i64) -> Cursor {
    Cursor { kind: None, key: SortKey::Text(text.to_owned()), id }
}
