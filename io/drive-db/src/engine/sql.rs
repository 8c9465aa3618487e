//! Texts of statements. Never made of values: of constant parts and marks for values only.

use std::borrow::Cow;

/// The text of a statement.
pub(crate) type Sql = Cow<'static, str>;

/// Values of one statement at most: SQLite takes 32,766, servers 65,535.
pub(crate) const BIND_VALUES_MAX: usize = 32_766;

/// Elements of one list at most. A power of two, see [`padded`].
const LIST_MAX: usize = 512;

/// Splits a list for statements with `IN`, or for rows to be inserted.
///
/// Parts are powers of two long, so that there are few different texts, each prepared once for each connection.
pub(crate) fn parts<T>(mut list: &[T]) -> Vec<&[T]> {
    let mut parts = Vec::new();
    while !list.is_empty() {
        let length = 1 << list.len().min(LIST_MAX).ilog2();
        let (part, rest) = list.split_at(length);
        parts.push(part);
        list = rest;
    }
    parts
}

/// Splits a list for statements with `IN` only, where the last element may stand there several times: fewer
/// statements than with [`parts`].
pub(crate) fn padded<T: Copy>(list: &[T]) -> Vec<Vec<T>> {
    let pad = |part: &[T]| {
        let mut part = part.to_vec();
        if let Some(last) = part.last().copied() {
            part.resize(part.len().next_power_of_two(), last);
        }
        part
    };
    list.chunks(LIST_MAX).map(pad).collect()
}

/// `?, ?, ?`
pub(crate) fn marks(count: usize) -> String {
    let mut text = "?, ".repeat(count);
    text.truncate(text.len().saturating_sub(2));
    text
}

/// `(?, ?), (?, ?)`: so many rows of so many columns.
pub(crate) fn rows_of(columns: usize, rows: usize) -> String {
    let row = format!("({}), ", marks(columns));
    let mut text = row.repeat(rows);
    text.truncate(text.len().saturating_sub(2));
    text
}

/// `CASE id WHEN ? THEN ? WHEN ? THEN ? END`: a value for each of so many ids.
pub(crate) fn whens(count: usize) -> String {
    format!("CASE id{} END", " WHEN ? THEN ?".repeat(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_into_powers_of_two() {
        let list: Vec<i32> = (0..1_300).collect();
        let lengths: Vec<usize> = parts(&list).iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [512, 512, 256, 16, 4]);
        assert_eq!(parts(&list).concat(), list);
        assert!(parts::<i32>(&[]).is_empty());
    }

    #[test]
    fn padded_lists_repeat_their_last_element() {
        assert_eq!(padded(&[1, 2, 3]), [vec![1, 2, 3, 3]]);
        assert_eq!(padded(&[1]), [vec![1]]);
        assert!(padded::<i32>(&[]).is_empty());
        let long: Vec<i32> = (0..600).collect();
        let lengths: Vec<usize> = padded(&long).iter().map(Vec::len).collect();
        assert_eq!(lengths, [512, 128]);
    }

    #[test]
    fn marks_stand_for_values() {
        assert_eq!(marks(3), "?, ?, ?");
        assert_eq!(marks(0), "");
        assert_eq!(rows_of(2, 2), "(?, ?), (?, ?)");
        assert_eq!(whens(2), "CASE id WHEN ? THEN ? WHEN ? THEN ? END");
    }
}
