//! Reading: one node, paths, lists, search, what is to be downloaded.

use drive_core::content::Content;
use drive_core::node::{Node, NodeKind, NodeName, SearchKey};
use drive_core::page::{Cursor, Direction, NodeOrder, SearchQuery, SortKey};
use drive_core::quota::Quota;
use drive_core::{AccountId, Missing, NodeId, Problem};

use super::load::way_up;
use super::{NODE, read_node};
use crate::accounts::read_quota;
use crate::contents::{CONTENT, read_content};
use crate::database::{Database, Tx};
use crate::engine::{Columns, Sql, Value, values};
use crate::error::Fault;
use crate::page::{Page, by_number, by_text, number_cursor, text_cursor};

/// A file and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// The node.
    pub node: Node,
    /// What it refers to.
    pub content: Content,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundNode {
    /// The node.
    pub node: Node,
    /// The name of the folder it is in; none if that is the root.
    pub folder: Option<NodeName>,
}

/// The column; there is an index that begins with folder and kind, and goes on with it.
const fn sorted_by(order: NodeOrder) -> &'static str {
    match order {
        NodeOrder::Name => "name_key",
        NodeOrder::Size => "size",
        NodeOrder::Modified => "modified_at",
        NodeOrder::Downloads => "downloads",
    }
}

fn sort_key(node: &Node, order: NodeOrder) -> SortKey {
    match order {
        NodeOrder::Name => SortKey::Text(SearchKey::of(node.name.as_str()).as_str().to_owned()),
        NodeOrder::Size => SortKey::Number(node.content.map_or(0, |content| content.size.to_db())),
        NodeOrder::Modified => SortKey::Number(node.modified_at.0),
        NodeOrder::Downloads => SortKey::Number(i64::try_from(node.downloads).unwrap_or(i64::MAX)),
    }
}

/// One kind of nodes of a folder, behind a place of the list: a range of one index.
pub(crate) fn kind_of_list(order: NodeOrder, direction: Direction, behind: bool) -> String {
    let column = sorted_by(order);
    let (compare, sort) = match direction {
        Direction::Up => (">", "ASC"),
        Direction::Down => ("<", "DESC"),
    };
    let behind = if behind {
        // The first condition alone is a range; the second leaves out what was there before.
        format!(" AND n.{column} {compare}= ? AND (n.{column} {compare} ? OR n.id {compare} ?)")
    } else {
        String::new()
    };
    format!(
        "SELECT {NODE} FROM nodes n WHERE n.parent_id = ? AND n.kind = ?{behind} \
         ORDER BY n.{column} {sort}, n.id {sort} LIMIT ?"
    )
}

/// Both kinds, from the beginning, in one statement.
pub(crate) fn first_page(order: NodeOrder, direction: Direction) -> String {
    let one = kind_of_list(order, direction, false);
    format!("SELECT * FROM ({one}) AS a UNION ALL SELECT * FROM ({one}) AS b")
}

impl Tx<'_> {
    async fn nodes_of_folder(
        &mut self,
        folder: NodeId,
        order: NodeOrder,
        direction: Direction,
        after: Option<&Cursor>,
        limit: i64,
    ) -> Result<Vec<Node>, Fault> {
        let first = NodeKind::Folder.to_db();
        let Some(cursor) = after else {
            let sql = first_page(order, direction);
            let values = values![folder, first, limit, folder, NodeKind::File.to_db(), limit];
            let nodes = self.list(sql, &values, read_node).await?;
            // A union promises no order.
            let (mut folders, mut files): (Vec<Node>, Vec<Node>) =
                nodes.into_iter().partition(|node| node.kind() == NodeKind::Folder);
            for nodes in [&mut folders, &mut files] {
                nodes.sort_by_cached_key(|node| (sort_key(node, order), node.id));
                if direction == Direction::Down {
                    nodes.reverse();
                }
            }
            folders.append(&mut files);
            return Ok(folders);
        };
        let kind = cursor.kind.ok_or(Problem::CursorInvalid)?;
        let key = match (&cursor.key, order) {
            (SortKey::Text(text), NodeOrder::Name) => Value::Text(text),
            (SortKey::Number(number), NodeOrder::Size | NodeOrder::Modified | NodeOrder::Downloads) => {
                Value::Int(*number)
            }
            _ => return Err(Problem::CursorInvalid.into()),
        };
        let sql: Sql = kind_of_list(order, direction, true).into();
        let values = [folder.into(), kind.to_db().into(), key, key, Value::Int(cursor.id), Value::Int(limit)];
        let mut nodes = self.list(sql, &values, read_node).await?;
        if kind == NodeKind::Folder && (nodes.len() as i64) < limit {
            let rest = limit - nodes.len() as i64;
            let values = values![folder, NodeKind::File.to_db(), rest];
            nodes.extend(self.list(kind_of_list(order, direction, false), &values, read_node).await?);
        }
        Ok(nodes)
    }

    /// A folder of somebody that is not in the trash.
    pub(crate) async fn live_folder(&mut self, owner: AccountId, folder: NodeId) -> Result<Node, Fault> {
        let node = self.node(owner, folder).await?;
        if node.trash.is_some() {
            return Err(Problem::NotFound(Missing::Node).into());
        }
        if node.kind() != NodeKind::Folder {
            return Err(Problem::NotAFolder.into());
        }
        Ok(node)
    }
}

impl Database {
    /// A node of somebody that is not in the trash.
    pub async fn node(&self, owner: AccountId, node: NodeId) -> Result<Node, Problem> {
        let node = self.read("node", |tx| Box::pin(tx.node(owner, node))).await?;
        if node.trash.is_some() { Err(Problem::NotFound(Missing::Node)) } else { Ok(node) }
    }

    /// A node that is not in the trash, and how much its owner has.
    pub async fn node_and_usage(&self, owner: AccountId, node: NodeId) -> Result<(Node, Quota), Problem> {
        let found = self.read("node and usage", |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT a.quota, a.used, a.reserved, a.nodes, {NODE} FROM accounts a \
                     JOIN nodes n ON n.owner_id = a.id WHERE a.id = ? AND n.id = ? AND n.trash_id IS NULL"
                );
                tx.get(sql, values![owner, node], |columns| {
                    let quota = read_quota(columns)?;
                    Ok((read_node(columns)?, quota))
                })
                .await
            })
        });
        found.await?.ok_or(Problem::NotFound(Missing::Node))
    }

    /// A node that is not in the trash and the folders it is in, from the root on; the node is the last.
    pub async fn path(&self, owner: AccountId, node: NodeId) -> Result<Vec<Node>, Problem> {
        self.read("path", |tx| {
            Box::pin(async move {
                if tx.node(owner, node).await?.trash.is_some() {
                    return Err(Problem::NotFound(Missing::Node).into());
                }
                let read =
                    format!("SELECT {NODE} FROM up JOIN nodes n ON n.id = up.id ORDER BY up.steps DESC");
                let sql = way_up(&read, 1);
                tx.list(sql, values![node], read_node).await
            })
        })
        .await
    }

    /// What is in a folder, folders first, behind a cursor of the same list.
    pub async fn list_folder(
        &self,
        owner: AccountId,
        folder: NodeId,
        order: NodeOrder,
        direction: Direction,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<Node>, Problem> {
        let rows = self.read("list folder", |tx| {
            Box::pin(async move {
                let nodes = tx.nodes_of_folder(folder, order, direction, after, i64::from(limit) + 1).await?;
                // What is in a folder has its owner, and is in the trash with it: only of an empty one nothing is
                // known yet.
                match nodes.first() {
                    Some(node) if node.owner == owner && node.trash.is_none() => {}
                    Some(_) => return Err(Problem::NotFound(Missing::Node).into()),
                    None => drop(tx.live_folder(owner, folder).await?),
                }
                Ok(nodes)
            })
        });
        Ok(Page::cut(rows.await?, limit, |node| Cursor {
            kind: Some(node.kind()),
            key: sort_key(node, order),
            id: node.id.get(),
        }))
    }

    /// The node of a name in a folder, if there is one.
    pub async fn child(
        &self,
        owner: AccountId,
        folder: NodeId,
        name: &NodeName,
    ) -> Result<Option<Node>, Problem> {
        self.read("child", |tx| {
            Box::pin(async move {
                let sql = format!(
                    "SELECT {NODE} FROM nodes n WHERE n.parent_id = ? AND n.name = ? AND n.owner_id = ? \
                     AND n.trash_id IS NULL"
                );
                tx.get(sql, values![folder, name.as_str(), owner], read_node).await
            })
        })
        .await
    }

    /// What somebody has that a query finds, by name, behind a cursor.
    pub async fn search(
        &self,
        owner: AccountId,
        query: &SearchQuery,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<FoundNode>, Problem> {
        let after = text_cursor(after)?;
        let patterns: Vec<String> = query.like_patterns().collect();
        let rows = self.read_long("search", |tx| {
            Box::pin(async {
                let (key, id) = after.unwrap_or(("", 0));
                let sql = search_text(patterns.len());
                let mut values = values![owner, key, key, id].to_vec();
                values.extend(patterns.iter().map(Value::from));
                values.push(Value::Int(i64::from(limit) + 1));
                tx.list(sql, &values, read_found).await
            })
        });
        Ok(Page::cut(rows.await?, limit, |found| {
            by_text(SearchKey::of(found.node.name.as_str()).as_str(), found.node.id.get())
        }))
    }

    /// The files of somebody that are not in the trash, the last changed first, behind a cursor.
    pub async fn recent(
        &self,
        owner: AccountId,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<FoundNode>, Problem> {
        let after = number_cursor(after)?;
        let rows = self.read("recent files", |tx| {
            Box::pin(async move {
                let mut values = values![owner, NodeKind::File.to_db()].to_vec();
                if let Some((at, id)) = after {
                    values.extend([at, at, id].map(Value::Int));
                }
                values.push(Value::Int(i64::from(limit) + 1));
                tx.list(recent_text(after.is_some()), &values, read_found).await
            })
        });
        Ok(Page::cut(rows.await?, limit, |found| by_number(found.node.modified_at.0, found.node.id.get())))
    }

    /// A file of somebody and its content: what a download needs.
    pub async fn file(&self, owner: AccountId, node: NodeId) -> Result<FileRow, Problem> {
        let found = self.read("file", |tx| Box::pin(tx.file(node)));
        match found.await? {
            Some(file) if file.node.owner == owner && file.node.trash.is_none() => Ok(file),
            // A folder, or nothing.
            _ => match self.node(owner, node).await? {
                node if node.kind() == NodeKind::Folder => Err(Problem::NotAFile),
                _ => Err(Problem::NotFound(Missing::Node)),
            },
        }
    }

    /// All that is below a folder, what is in folders behind them: up to [`drive_core::tree::STEP_NODES_MAX`] nodes.
    pub async fn below(&self, owner: AccountId, folder: NodeId) -> Result<Vec<Node>, Problem> {
        self.read_long("below", |tx| {
            Box::pin(async move {
                let folder = tx.live_folder(owner, folder).await?;
                Ok(tx.nodes_below(&folder).await?.0)
            })
        })
        .await
    }
}

/// A node with the name of the folder it is in, which those who read do not know of the root folder.
const FOUND: &str = "CASE WHEN p.parent_id IS NULL THEN NULL ELSE p.name END \
                     FROM nodes n JOIN nodes p ON p.id = n.parent_id";

fn read_found(columns: &mut Columns<'_>) -> Result<FoundNode, Fault> {
    let node = read_node(columns)?;
    Ok(FoundNode { node, folder: columns.opt_parsed(|text| NodeName::new(text).ok())? })
}

/// The statement of the files of one owner, the last changed first: the order of an index that has all that is compared.
pub(crate) fn recent_text(behind: bool) -> String {
    let behind = match behind {
        // The first condition alone is a range; the second leaves out what was there before.
        true => " AND n.modified_at <= ? AND (n.modified_at < ? OR n.id < ?)",
        false => "",
    };
    format!(
        "SELECT {NODE}, {FOUND} WHERE n.owner_id = ? AND n.trash_id IS NULL AND n.kind = ?{behind} \
         ORDER BY n.modified_at DESC, n.id DESC LIMIT ?"
    )
}

/// The statement of a search with so many terms: the names of one owner, in the order of an index that has all that
/// is compared.
pub(crate) fn search_text(terms: usize) -> String {
    format!(
        "SELECT {NODE}, {FOUND} \
         WHERE n.owner_id = ? AND n.trash_id IS NULL AND n.name_key >= ? AND (n.name_key > ? OR n.id > ?){} \
         ORDER BY n.name_key, n.id LIMIT ?",
        " AND n.name_key LIKE ? ESCAPE '!'".repeat(terms)
    )
}

impl Tx<'_> {
    pub(crate) async fn file(&mut self, node: NodeId) -> Result<Option<FileRow>, Fault> {
        let sql = format!(
            "SELECT {NODE}, {CONTENT} FROM nodes n JOIN contents c ON c.id = n.content_id WHERE n.id = ?"
        );
        self.get(sql, values![node], |columns| {
            Ok(FileRow { node: read_node(columns)?, content: read_content(columns)? })
        })
        .await
    }
}
