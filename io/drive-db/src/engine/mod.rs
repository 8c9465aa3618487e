//! The two engines as one: a connection that runs statements, the values they are given, the rows that come.
//!
//! Both take `?` for values, and every statement of this crate is one text for both. What differs is in three places:
//! `FOR UPDATE`, which SQLite does not know and does not need ([`Connection`]); how transactions begin; and the types
//! of columns ([`crate::schema`]).
//!
//! SQLite has two kinds of connections: those that work on the thread of whoever asks ([`direct`]), to read by an index,
//! and one to write ([`group`]); and those with threads of their own, to read long.

mod connection;
mod connections;
mod direct;
mod group;
mod pool;
mod row;
mod sql;
mod value;

pub(crate) use connection::Connection;
pub(crate) use connections::{Connections, Held};
pub(crate) use direct::DirectOptions;
pub(crate) use group::Grouped;
pub(crate) use pool::Pool;
pub(crate) use row::{Columns, Row};
pub(crate) use sql::{BIND_VALUES_MAX, Sql, marks, padded, parts, rows_of, whens};
pub(crate) use value::{Value, values};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, in this process.
    Sqlite,
    /// MySQL or MariaDB.
    MySql,
}
