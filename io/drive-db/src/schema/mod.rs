//! The schema: tables as data, one description for both engines, and the steps that lead to it.
//!
//! Every column that is compared is compared byte by byte. On servers texts are therefore `VARBINARY`: their
//! binary collations for text take `a` and `a ` for the same, and SQLite does not.
//!
//! Ids come from [`crate::ids`], not from the engine. Whether a `NULL` may stand in a column is said by
//! [`Column::null`].

mod migrate;
mod render;
mod tables;

pub(crate) use migrate::{check_version, migrate};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Ids, instants, sizes, counts.
    Int,
    /// Kinds, states, yes or no.
    Small,
    /// UTF-8 of so many bytes at most.
    Text(u16),
    /// Exactly so many bytes.
    Digest(u16),
    /// Up to so many bytes.
    Bytes(u16),
    /// Up to 64 KiB.
    Blob,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    null: bool,
    /// What rows have that are there before the column is.
    default: Option<i64>,
}

/// A table.
#[derive(Debug, Clone, Copy)]
struct Table {
    name: &'static str,
    columns: &'static [Column],
    primary: &'static str,
    /// Name, columns.
    unique: &'static [(&'static str, &'static str)],
    indexes: &'static [(&'static str, &'static str)],
    /// Column, table.
    references: &'static [(&'static str, &'static str)],
    /// Conditions of every row: a second line of defence behind the rules.
    checks: &'static [&'static str],
}

/// A column that came later than its table. Rows that were there have nothing in it.
#[derive(Debug, Clone, Copy)]
struct Added {
    table: &'static str,
    column: Column,
}

/// An index that came later than its table.
#[derive(Debug, Clone, Copy)]
struct Index {
    table: &'static str,
    name: &'static str,
    columns: &'static str,
}

/// One step of the schema: one statement on servers, where each commits by itself, so each can be done again.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A table with its indexes.
    Create(&'static Table),
    /// Statements that are the same for both and can be done again.
    Run(&'static str),
    /// An index of a table that was there before.
    Index(&'static Index),
    /// On SQLite an index has from now on only the rows that have something in a column; servers know no such index.
    Sparse(&'static Index, &'static str),
    /// A column of a table that was there before.
    Add(&'static Added),
    /// What accounts are found by, of those that were there before.
    FoundBy,
    /// A statement about rows of a table whose ids are behind the first value and up to the second, part by part: servers lock
    /// what a statement changes until it is done. Can be done again.
    Parts(&'static str, &'static str),
}

/// A table as it is after all steps.
#[derive(Debug)]
pub(crate) struct CopiedTable {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<Column>,
    /// Which columns are its primary key.
    pub(crate) keys: Vec<usize>,
}

/// All tables, those that others refer to first.
pub(crate) fn copied_tables() -> Vec<CopiedTable> {
    let made = |step: &Step| match step {
        Step::Create(table) => Some(*table),
        _ => None,
    };
    let with_added = |table: &Table| {
        let added = tables::STEPS.iter().filter_map(|step| match step {
            Step::Add(added) if added.table == table.name => Some(added.column),
            _ => None,
        });
        let columns: Vec<Column> = table.columns.iter().copied().chain(added).collect();
        let key = |name: &str| columns.iter().position(|column| column.name == name);
        let keys = table.primary.split(", ").filter_map(key).collect();
        CopiedTable { name: table.name, columns, keys }
    };
    tables::STEPS.iter().filter_map(made).map(with_added).collect()
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, null: false, default: None }
}

const fn nullable(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, null: true, default: None }
}
