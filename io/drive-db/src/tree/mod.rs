//! The tree: nodes are made, listed, found, moved, copied, deleted, restored, removed for good.
//!
//! Every step that changes a tree locks its account's row first, so those of one account come one after the other, and
//! what was read in the step stays true to its end. `load` reads what rules ask for, `write` does what plans say.

mod change;
mod list;
mod load;
mod trash;
mod write;

use drive_core::node::{FileContent, Node, NodeKind, NodeName};
use drive_core::{ContentId, Problem};

pub use list::{FileRow, FoundNode};
#[cfg(test)]
pub(crate) use list::{first_page, kind_of_list, recent_text, search_text};
#[cfg(test)]
pub(crate) use load::FAMILY;
pub(crate) use load::Place;
#[cfg(test)]
pub(crate) use trash::in_trash_text;
pub use trash::{PurgeProgress, TrashRow};
pub(crate) use write::{NewChild, NewRow, insert_text};

use crate::engine::Columns;
use crate::error::Fault;

/// The columns of a node, as `n`.
pub(crate) const NODE: &str = "n.id, n.owner_id, n.parent_id, n.kind, n.name, n.content_id, n.size, n.created_at, \
     n.modified_at, n.downloads, n.trash_id";

pub(crate) fn read_node(columns: &mut Columns<'_>) -> Result<Node, Fault> {
    let (id, owner, parent) = (columns.id()?, columns.id()?, columns.opt_id()?);
    let kind = columns.made(NodeKind::from_db)?;
    let name = columns.parsed(|text| NodeName::new(text).ok())?;
    let content = columns.opt_id::<ContentId>()?;
    let size = columns.size()?;
    let content = content.map(|id| FileContent { id, size });
    if (kind == NodeKind::File) != content.is_some() {
        return Err(Problem::Contradiction("a file without content, or a folder with one").into());
    }
    Ok(Node {
        id,
        owner,
        parent,
        name,
        content,
        created_at: columns.at()?,
        modified_at: columns.at()?,
        downloads: columns.count()?,
        trash: columns.opt_id()?,
    })
}
