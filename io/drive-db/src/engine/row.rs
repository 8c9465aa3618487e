//! Rows, read column by column in the order of the statement.

use drive_core::{ByteCount, UnixMillis};
use sqlx::Row as _;
use sqlx::mysql::MySqlRow;
use sqlx::sqlite::SqliteRow;

use super::direct::Cell;
use crate::error::Fault;

/// A row of either engine.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Direct(Vec<Cell>),
    MySql(MySqlRow),
}

impl Row {
    /// Its columns, from the first.
    pub(crate) fn columns(&self) -> Columns<'_> {
        Columns { row: self, next: 0 }
    }

    /// The number in its only column.
    pub(crate) fn number(&self) -> Result<i64, Fault> {
        self.columns().int()
    }
}

/// Reads the columns of a row, one after the other.
pub(crate) struct Columns<'r> {
    row: &'r Row,
    next: usize,
}

/// What was read is not what was ever written.
fn contradiction(what: &str) -> Fault {
    Fault::Broken(format!("a row holds what is no {what}"))
}

impl Columns<'_> {
    fn turn(&mut self) -> usize {
        let at = self.next;
        self.next += 1;
        at
    }

    pub(crate) fn opt_int(&mut self) -> Result<Option<i64>, Fault> {
        let at = self.turn();
        Ok(match self.row {
            Row::Sqlite(row) => row.try_get(at)?,
            Row::Direct(cells) => match cells.get(at) {
                Some(Cell::Null) => None,
                Some(Cell::Int(number)) => Some(*number),
                _ => return Err(contradiction("number")),
            },
            Row::MySql(row) => row.try_get(at)?,
        })
    }

    pub(crate) fn opt_text(&mut self) -> Result<Option<String>, Fault> {
        let at = self.turn();
        match self.row {
            Row::Sqlite(row) => Ok(row.try_get(at)?),
            Row::Direct(cells) => match cells.get(at) {
                Some(Cell::Null) => Ok(None),
                Some(Cell::Text(text)) => Ok(Some(text.clone())),
                _ => Err(contradiction("text")),
            },
            // Texts are binary columns there (see `schema`).
            Row::MySql(row) => match row.try_get::<Option<Vec<u8>>, _>(at)? {
                None => Ok(None),
                Some(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| contradiction("text")),
            },
        }
    }

    pub(crate) fn opt_bytes(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let at = self.turn();
        Ok(match self.row {
            Row::Sqlite(row) => row.try_get(at)?,
            Row::Direct(cells) => match cells.get(at) {
                Some(Cell::Null) => None,
                Some(Cell::Bytes(bytes)) => Some(bytes.clone()),
                _ => return Err(contradiction("bytes")),
            },
            Row::MySql(row) => row.try_get(at)?,
        })
    }

    pub(crate) fn int(&mut self) -> Result<i64, Fault> {
        self.opt_int()?.ok_or_else(|| contradiction("number"))
    }

    pub(crate) fn text(&mut self) -> Result<String, Fault> {
        self.opt_text()?.ok_or_else(|| contradiction("text"))
    }

    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, Fault> {
        self.opt_bytes()?.ok_or_else(|| contradiction("bytes"))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.bytes()?.try_into().map_err(|_| contradiction("digest"))
    }

    pub(crate) fn opt_array<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Fault> {
        let bytes = self.opt_bytes()?;
        bytes.map(|bytes| bytes.try_into().map_err(|_| contradiction("digest"))).transpose()
    }

    /// Anything that is made of a number: an id, a kind.
    pub(crate) fn made<N: TryFrom<i64>, T>(&mut self, make: impl Fn(N) -> Option<T>) -> Result<T, Fault> {
        let number = N::try_from(self.int()?).ok();
        number.and_then(make).ok_or_else(|| contradiction(std::any::type_name::<T>()))
    }

    pub(crate) fn id<T: TryFrom<i64>>(&mut self) -> Result<T, Fault> {
        T::try_from(self.int()?).map_err(|_| contradiction("id"))
    }

    pub(crate) fn opt_id<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, Fault> {
        self.opt_int()?.map(|number| T::try_from(number).map_err(|_| contradiction("id"))).transpose()
    }

    /// Anything that is made of a text: a name, a key.
    pub(crate) fn parsed<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<T, Fault> {
        parse(&self.text()?).ok_or_else(|| contradiction(std::any::type_name::<T>()))
    }

    pub(crate) fn opt_parsed<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Fault> {
        let text = self.opt_text()?;
        text.map(|text| parse(&text).ok_or_else(|| contradiction(std::any::type_name::<T>()))).transpose()
    }

    pub(crate) fn size(&mut self) -> Result<ByteCount, Fault> {
        self.made(ByteCount::from_db)
    }

    pub(crate) fn opt_size(&mut self) -> Result<Option<ByteCount>, Fault> {
        let number = self.opt_int()?;
        number.map(|number| ByteCount::from_db(number).ok_or_else(|| contradiction("size"))).transpose()
    }

    pub(crate) fn count(&mut self) -> Result<u64, Fault> {
        u64::try_from(self.int()?).map_err(|_| contradiction("count"))
    }

    pub(crate) fn small(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.int()?).map_err(|_| contradiction("count"))
    }

    pub(crate) fn yes(&mut self) -> Result<bool, Fault> {
        Ok(self.int()? != 0)
    }

    pub(crate) fn at(&mut self) -> Result<UnixMillis, Fault> {
        self.int().map(UnixMillis)
    }

    pub(crate) fn opt_at(&mut self) -> Result<Option<UnixMillis>, Fault> {
        Ok(self.opt_int()?.map(UnixMillis))
    }
}
