//! Reads what rules ask for.

use std::collections::{BTreeMap, BTreeSet};

use drive_core::node::{NUMBER_MAX, Node, NodeKind, NodeName, family};
use drive_core::tree::{DEPTH_MAX, Moving, Neighbours, OnConflict, STEP_NODES_MAX, Target};
use drive_core::{AccountId, Missing, NodeId, Problem};

use super::{NODE, read_node};
use crate::database::Tx;
use crate::engine::{Value, marks, padded, values};
use crate::error::Fault;

/// Folders that are looked at at most to find out how deep one is that is moved.
const WALK_FOLDERS_MAX: usize = 100_000;

/// Finds the names of a folder that begin with a text and are like a pattern.
pub(crate) const FAMILY: &str = "SELECT name FROM nodes \
     WHERE parent_id = ? AND name >= ? AND name < ? AND name LIKE ? ESCAPE '!' LIMIT ?";

/// A node and the folders it is in.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) node: Node,
    /// The nearest first, the root last.
    pub(crate) ancestors: Vec<NodeId>,
}

impl Place {
    pub(crate) fn target(&self) -> Target<'_> {
        Target { folder: &self.node, ancestors: &self.ancestors }
    }

    pub(crate) const fn moving(&self, height: usize, nodes: u64) -> Moving<'_> {
        Moving { node: &self.node, ancestors: self.ancestors.as_slice(), height, nodes }
    }
}

/// What is below a node, without its contents.
#[derive(Debug, Clone, Default)]
pub(crate) struct Below {
    /// The folders, those nearer to the top first.
    pub(crate) folders: Vec<NodeId>,
    pub(crate) nodes: u64,
    pub(crate) height: usize,
}

impl Tx<'_> {
    /// A node of somebody, in the trash or not.
    pub(crate) async fn node(&mut self, owner: AccountId, node: NodeId) -> Result<Node, Fault> {
        let sql = format!("SELECT {NODE} FROM nodes n WHERE n.id = ? AND n.owner_id = ?");
        let found = self.get(sql, values![node, owner], read_node).await?;
        found.ok_or_else(|| Problem::NotFound(Missing::Node).into())
    }

    /// A node of somebody, and the folders it is in.
    pub(crate) async fn place(&mut self, owner: AccountId, node: NodeId) -> Result<Place, Fault> {
        let node = self.node(owner, node).await?;
        let ancestors = match node.parent {
            None => Vec::new(),
            Some(parent) => self.ancestors(parent).await?,
        };
        Ok(Place { node, ancestors })
    }

    /// A folder and those it is in, the nearest first, the root last.
    pub(crate) async fn ancestors(&mut self, folder: NodeId) -> Result<Vec<NodeId>, Fault> {
        let sql = way_up("SELECT up.id FROM up ORDER BY up.steps", 1);
        let found = self.list(sql, values![folder], |columns| columns.id()).await?;
        short_enough(&found)?;
        Ok(found)
    }

    /// The folders that each of these folders is in, the nearest first, the root last.
    pub(crate) async fn ways_up(
        &mut self,
        folders: &[NodeId],
    ) -> Result<BTreeMap<NodeId, Vec<NodeId>>, Fault> {
        let mut ways: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for part in padded(folders) {
            let read = "SELECT up.start_id, up.id FROM up WHERE up.steps > 0 ORDER BY up.start_id, up.steps";
            let values: Vec<Value<'_>> = part.iter().copied().map(Value::from).collect();
            let found = self.list(way_up(read, part.len()), &values, |columns| {
                Ok((columns.id::<NodeId>()?, columns.id()?))
            });
            for (start, id) in found.await? {
                ways.entry(start).or_default().push(id);
            }
        }
        ways.values().try_for_each(|way| short_enough(way))?;
        Ok(ways)
    }

    /// What has, or may have, the wanted name in a folder.
    pub(crate) async fn neighbours(
        &mut self,
        folder: NodeId,
        name: &NodeName,
        kind: NodeKind,
        on_conflict: OnConflict,
    ) -> Result<Neighbours, Fault> {
        let sql = "SELECT id, kind FROM nodes WHERE parent_id = ? AND name = ?";
        let same_name = self.get(sql, values![folder, name.as_str()], |columns| {
            Ok((columns.id()?, columns.made(NodeKind::from_db)?))
        });
        let same_name = same_name.await?;
        let family = match (&same_name, on_conflict) {
            (Some(_), OnConflict::KeepBoth) => self.family(folder, family(name, kind)).await?,
            _ => BTreeSet::new(),
        };
        Ok(Neighbours { same_name, family })
    }

    /// The names of a folder that begin so and have a number in brackets.
    async fn family(&mut self, folder: NodeId, beginning: &str) -> Result<BTreeSet<NodeName>, Fault> {
        let end = format!("{beginning}\u{10ffff}");
        let pattern = format!("{}%(%)%", escaped(beginning));
        let limit = 2 * NUMBER_MAX;
        let values = values![folder, beginning, end.as_str(), pattern.as_str(), limit];
        let found =
            self.list(FAMILY, values, |columns| columns.parsed(|text| NodeName::new(text).ok())).await?;
        if found.len() >= limit as usize {
            return Err(Problem::TooManyCopies.into());
        }
        Ok(found.into_iter().collect())
    }

    /// What is below a folder: up to [`STEP_NODES_MAX`] nodes, level by level, so that no more is read than is allowed.
    pub(crate) async fn below(&mut self, node: &Node) -> Result<Below, Fault> {
        let mut below = Below::default();
        let mut level = folders_of(node);
        while !level.is_empty() {
            let mut next = Vec::new();
            let mut found = 0;
            for part in padded(&level) {
                let room = STEP_NODES_MAX - below.nodes;
                let sql =
                    format!("SELECT id, kind FROM nodes WHERE parent_id IN ({}) LIMIT ?", marks(part.len()));
                let mut values: Vec<Value<'_>> = part.into_iter().map(Value::from).collect();
                values.push(Value::Int(room as i64 + 1));
                let nodes = self.list(sql, &values, |columns| {
                    Ok((columns.id::<NodeId>()?, columns.made(NodeKind::from_db)?))
                });
                let nodes = nodes.await?;
                below.nodes += nodes.len() as u64;
                found += nodes.len();
                if below.nodes >= STEP_NODES_MAX {
                    return Err(Problem::TooManyNodes.into());
                }
                next.extend(nodes.into_iter().filter(|node| node.1 == NodeKind::Folder).map(|node| node.0));
            }
            below.height += usize::from(found > 0);
            below.folders.extend(&next);
            level = next;
            too_deep(below.height)?;
        }
        Ok(below)
    }

    /// The nodes below a folder, those in folders behind them: up to [`STEP_NODES_MAX`], and how deep they go.
    pub(crate) async fn nodes_below(&mut self, node: &Node) -> Result<(Vec<Node>, usize), Fault> {
        let mut below: Vec<Node> = Vec::new();
        let mut height = 0;
        let mut level = folders_of(node);
        while !level.is_empty() {
            let first = below.len();
            for part in padded(&level) {
                let room = STEP_NODES_MAX as usize - below.len();
                let sql = format!(
                    "SELECT {NODE} FROM nodes n WHERE n.parent_id IN ({}) LIMIT ?",
                    marks(part.len())
                );
                let mut values: Vec<Value<'_>> = part.into_iter().map(Value::from).collect();
                values.push(Value::Int(room as i64 + 1));
                below.extend(self.list(sql, &values, read_node).await?);
                if below.len() >= STEP_NODES_MAX as usize {
                    return Err(Problem::TooManyNodes.into());
                }
            }
            let found = below.get(first..).unwrap_or(&[]);
            height += usize::from(!found.is_empty());
            level = found.iter().filter(|node| node.kind() == NodeKind::Folder).map(|node| node.id).collect();
            too_deep(height)?;
        }
        Ok((below, height))
    }

    /// How many nodes are below a node, one below another, at most. Reads folders only.
    pub(crate) async fn height(&mut self, node: &Node) -> Result<usize, Fault> {
        let mut level = folders_of(node);
        let (mut height, mut seen) = (0, 0);
        while !level.is_empty() {
            seen += level.len();
            if seen > WALK_FOLDERS_MAX {
                return Err(Problem::TooManyNodes.into());
            }
            let mut next = Vec::new();
            let mut children = false;
            for part in padded(&level) {
                let marks = marks(part.len());
                let values: Vec<Value<'_>> = part.into_iter().map(Value::from).collect();
                let sql = format!(
                    "SELECT COUNT(*) FROM nodes WHERE id IN ({marks}) AND (files > 0 OR folders > 0)"
                );
                children |= self.number(sql, &values).await? > 0;
                let sql = format!("SELECT id FROM nodes WHERE parent_id IN ({marks}) AND kind = 0");
                next.extend(self.list(sql, &values, |columns| columns.id::<NodeId>()).await?);
            }
            height += usize::from(children);
            level = next;
            too_deep(height)?;
        }
        Ok(height)
    }
}

/// A statement that reads the ways from so many folders, `start_id`, towards their roots: `up`, with the number of
/// `steps`.
pub(super) fn way_up(read: &str, folders: usize) -> String {
    format!(
        "WITH RECURSIVE up (start_id, id, parent_id, steps) AS (\
         SELECT id, id, parent_id, 0 FROM nodes WHERE id IN ({}) UNION ALL \
         SELECT up.start_id, n.id, n.parent_id, up.steps + 1 FROM nodes n JOIN up ON n.id = up.parent_id \
         WHERE up.steps <= {DEPTH_MAX}) {read}",
        marks(folders)
    )
}

fn short_enough(way: &[NodeId]) -> Result<(), Fault> {
    if way.len() > DEPTH_MAX + 1 {
        return Err(Problem::Contradiction("folders in a circle, or too deep").into());
    }
    Ok(())
}

fn folders_of(node: &Node) -> Vec<NodeId> {
    if node.kind() == NodeKind::Folder { vec![node.id] } else { Vec::new() }
}

/// Deeper than any rule allowed: the walk would not end.
fn too_deep(height: usize) -> Result<(), Fault> {
    if height > DEPTH_MAX {
        return Err(Problem::Contradiction("folders in a circle, or too deep").into());
    }
    Ok(())
}

/// A text for `LIKE … ESCAPE '!'`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '!' | '%' | '_') {
            escaped.push('!');
        }
        escaped.push(c);
    }
    escaped
}
