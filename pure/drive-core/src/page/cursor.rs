//! Where the next page begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::node::{NodeKind, SEARCH_KEY_BYTES_MAX};
use crate::problem::Problem;

/// Characters of a cursor at most.
pub const CURSOR_CHARS_MAX: usize = 1024;

/// What the nodes of a folder are sorted by. Folders come before files in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeOrder {
    /// [`crate::node::SearchKey`] of the name.
    #[default]
    Name,
    /// Bytes.
    Size,
    /// When it last changed.
    Modified,
    /// How often its owner downloaded it.
    Downloads,
}

/// What one's own links are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShareOrder {
    /// When it was made.
    #[default]
    Created,
    /// How often it was seen.
    Views,
    /// How often it was downloaded.
    Downloads,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub enum Direction {
    /// The smallest first.
    #[default]
    #[serde(rename = "asc")]
    Up,
    /// The greatest first.
    #[serde(rename = "desc")]
    Down,
}

/// A list that has pages. Equal sort keys are ordered by id, in the same direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// The nodes of a folder.
    Nodes(NodeOrder, Direction),
    /// What a search found, by name.
    Search,
    /// The trash, the last deleted first.
    Trash,
    /// One's own links.
    Shares(ShareOrder, Direction),
    /// What everybody shares with everybody, the newest first.
    Listed,
    /// Accounts, by user name.
    Accounts,
    /// The audit log, the newest first.
    Audit,
    /// One's own files, the last changed first.
    Recent,
}

/// What a row is sorted by. All rows of a list have the same kind of key; texts are compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// A time, size or count.
    Number(i64),
    /// A search key.
    Text(String),
}

/// Behind which row a page begins. Its text is opaque: callers pass it back as it is. It is not signed, since whoever
/// makes one up only begins elsewhere in a list that is theirs; it is bound to its list and order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Folder or file, in lists that have folders first.
    pub kind: Option<NodeKind>,
    /// The row's sort key.
    pub key: SortKey,
    /// The row's id.
    pub id: i64,
}

/// The first byte of every cursor. Another one after a change of what follows.
const VERSION: u8 = 1;

impl List {
    /// One byte for each list and order; part of cursors that are out there for a while.
    const fn tag(self) -> u8 {
        const fn down(direction: Direction) -> u8 {
            match direction {
                Direction::Up => 0,
                Direction::Down => 1,
            }
        }
        match self {
            Self::Nodes(order, direction) => {
                let order = match order {
                    NodeOrder::Name => 0,
                    NodeOrder::Size => 2,
                    NodeOrder::Modified => 4,
                    NodeOrder::Downloads => 6,
                };
                order + down(direction)
            }
            Self::Shares(order, direction) => {
                let order = match order {
                    ShareOrder::Created => 32,
                    ShareOrder::Views => 34,
                    ShareOrder::Downloads => 36,
                };
                order + down(direction)
            }
            Self::Search => 64,
            Self::Trash => 65,
            Self::Listed => 66,
            Self::Accounts => 67,
            Self::Audit => 68,
            Self::Recent => 69,
        }
    }

    const fn has_folders(self) -> bool {
        matches!(self, Self::Nodes(..))
    }

    const fn by_text(self) -> bool {
        matches!(self, Self::Nodes(NodeOrder::Name, _) | Self::Search | Self::Accounts)
    }
}

impl Cursor {
    /// Its text for a list.
    pub fn to_text(&self, list: List) -> String {
        let kind = self.kind.map_or(u8::MAX, |kind| kind.to_db() as u8);
        let mut bytes = vec![VERSION, list.tag(), kind];
        bytes.extend(self.id.to_be_bytes());
        match &self.key {
            SortKey::Number(number) => bytes.extend(number.to_be_bytes()),
            SortKey::Text(text) => bytes.extend(text.as_bytes()),
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor of this list that a text is.
    pub fn parse(text: &str, list: List) -> Result<Self, Problem> {
        Self::read(text, list).ok_or(Problem::CursorInvalid)
    }

    fn read(text: &str, list: List) -> Option<Self> {
        if text.len() > CURSOR_CHARS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (&[version, tag, kind], rest) = bytes.split_first_chunk()?;
        let (id, key) = rest.split_first_chunk()?;
        if version != VERSION || tag != list.tag() {
            return None;
        }
        let kind = match kind {
            u8::MAX => None,
            kind => Some(NodeKind::from_db(kind.into())?),
        };
        let id = i64::from_be_bytes(*id);
        if kind.is_some() != list.has_folders() || id <= 0 {
            return None;
        }
        let key = if list.by_text() {
            let text = std::str::from_utf8(key).ok().filter(|text| text.len() <= SEARCH_KEY_BYTES_MAX)?;
            SortKey::Text(text.to_owned())
        } else {
            SortKey::Number(i64::from_be_bytes(key.try_into().ok()?))
        };
        Some(Self { kind, key, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> Vec<List> {
        let directions = [Direction::Up, Direction::Down];
        let nodes = [NodeOrder::Name, NodeOrder::Size, NodeOrder::Modified, NodeOrder::Downloads];
        let shares = [ShareOrder::Created, ShareOrder::Views, ShareOrder::Downloads];
        let mut lists =
            vec![List::Search, List::Trash, List::Listed, List::Accounts, List::Audit, List::Recent];
        for direction in directions {
            lists.extend(nodes.map(|order| List::Nodes(order, direction)));
            lists.extend(shares.map(|order| List::Shares(order, direction)));
        }
        lists
    }

    fn cursor(list: List) -> Cursor {
        let key = match list {
            List::Search | List::Accounts | List::Nodes(NodeOrder::Name, _) => {
                SortKey::Text("文档.txt".to_owned())
            }
            _ => SortKey::Number(-5),
        };
        let kind = matches!(list, List::Nodes(..)).then_some(NodeKind::File);
        Cursor { kind, key, id: 77 }
    }

    #[test]
    fn a_cursor_goes_on_in_its_own_list_only() {
        for list in lists() {
            let text = cursor(list).to_text(list);
            for other in lists() {
                let expected = if other == list { Ok(cursor(list)) } else { Err(Problem::CursorInvalid) };
                assert_eq!(Cursor::parse(&text, other), expected, "{list:?} {other:?}");
            }
        }
    }

    #[test]
    fn cursors_that_are_out_there_go_on_working() {
        let list = List::Nodes(NodeOrder::Name, Direction::Up);
        let given = Cursor { kind: Some(NodeKind::Folder), key: SortKey::Text("a".to_owned()), id: 1 };
        assert_eq!(given.to_text(list), "AQAAAAAAAAAAAAFh");
        assert_eq!(Cursor::parse("AQAAAAAAAAAAAAFh", list), Ok(given));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let list = List::Trash;
        let right = cursor(list).to_text(list);
        let long = "A".repeat(CURSOR_CHARS_MAX + 4);
        for text in
            ["", "A", "AAAA", "!", &right[1..], &right[..right.len() - 1], &format!("{right}AAAA"), &long]
        {
            assert_eq!(Cursor::parse(text, list), Err(Problem::CursorInvalid), "{text}");
        }
        let no_id = Cursor { id: 0, ..cursor(list) }.to_text(list);
        assert_eq!(Cursor::parse(&no_id, list), Err(Problem::CursorInvalid));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_refused_or_a_cursor(text in "[A-Za-z0-9_-]{0,60}") {
            for list in lists() {
                if let Ok(cursor) = Cursor::parse(&text, list) {
                    proptest::prop_assert_eq!(cursor.to_text(list), text.as_str());
                }
            }
        }
    }
}
