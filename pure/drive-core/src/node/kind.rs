//! Folders, files, and the columns of a node that rules read.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::name::NodeName;
use crate::ids::{AccountId, ContentId, NodeId, TrashId};
use crate::size::ByteCount;
use crate::time::UnixMillis;

/// Folder or file. In the database as 0 and 1, so that folders come first in every list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// Has nodes.
    Folder,
    /// Has content.
    File,
}

impl NodeKind {
    /// As the database holds it.
    pub const fn to_db(self) -> i16 {
        match self {
            Self::Folder => 0,
            Self::File => 1,
        }
    }

    /// From the database.
    pub const fn from_db(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::Folder),
            1 => Some(Self::File),
            _ => None,
        }
    }
}

/// The content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileContent {
    /// The stored content.
    pub id: ContentId,
    /// Its size: beside the node, so that a list needs no join for it.
    pub size: ByteCount,
}

/// A node as a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id. Stays the same when the node is renamed or moved.
    pub id: NodeId,
    /// Whose it is.
    pub owner: AccountId,
    /// The folder it is in. None for a root folder, and for what was deleted by name (not for what lies below that).
    pub parent: Option<NodeId>,
    /// Its name. In a folder no two nodes have the same; a unique index on parent and name says so, too.
    pub name: NodeName,
    /// The content; none for a folder.
    pub content: Option<FileContent>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When its name, place or content last changed.
    pub modified_at: UnixMillis,
    /// How often its owner downloaded it; the old dialect's `pv`.
    pub downloads: u64,
    /// The entry of the trash that it belongs to: on what was deleted and on everything below, so that lists and
    /// searches need no walk to leave it out.
    pub trash: Option<TrashId>,
}

impl Node {
    /// Folder or file.
    pub const fn kind(&self) -> NodeKind {
        if self.content.is_some() { NodeKind::File } else { NodeKind::Folder }
    }

    /// The root folder of its owner?
    pub const fn is_root(&self) -> bool {
        self.parent.is_none() && self.trash.is_none()
    }
}
