//! What happens when the wanted name is taken.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::NodeId;
use crate::node::{NodeKind, NodeName, keep_both};
use crate::problem::Problem;

/// What to do when a folder has a node of the wanted name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// Nothing is done.
    #[default]
    Fail,
    /// The new one is called `name (2)`.
    KeepBoth,
    /// The old one goes to the trash, from where it can be restored: nothing is lost by a name. Files take the place
    /// of files, folders of folders; what is in two folders is never mixed.
    Replace,
}

impl OnConflict {
    /// As the database holds it.
    pub const fn to_db(self) -> i16 {
        match self {
            Self::Fail => 0,
            Self::KeepBoth => 1,
            Self::Replace => 2,
        }
    }

    /// From the database.
    pub const fn from_db(number: i16) -> Option<Self> {
        match number {
            0 => Some(Self::Fail),
            1 => Some(Self::KeepBoth),
            2 => Some(Self::Replace),
            _ => None,
        }
    }
}

/// What has the wanted name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Neighbours {
    /// The node of that name.
    pub same_name: Option<(NodeId, NodeKind)>,
    /// Names that begin with the wanted name's [`crate::node::family`]; only needed to keep both.
    pub family: BTreeSet<NodeName>,
}

/// How the conflict is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The name to use.
    pub name: NodeName,
    /// What goes to the trash first.
    pub replaced: Option<NodeId>,
}

/// Settles under which name a node comes into a folder.
pub fn settle(
    wanted: &NodeName,
    kind: NodeKind,
    neighbours: &Neighbours,
    on_conflict: OnConflict,
) -> Result<Settled, Problem> {
    let Some((there, there_kind)) = neighbours.same_name else {
        return Ok(Settled { name: wanted.clone(), replaced: None });
    };
    match on_conflict {
        OnConflict::Fail => Err(Problem::NameTaken),
        OnConflict::Replace if there_kind != kind => Err(Problem::KindDiffers),
        OnConflict::Replace => Ok(Settled { name: wanted.clone(), replaced: Some(there) }),
        OnConflict::KeepBoth => {
            let mut taken = neighbours.family.clone();
            taken.insert(wanted.clone());
            Ok(Settled { name: keep_both(wanted, kind, &taken)?, replaced: None })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_is_settled_as_asked() {
        use NodeKind::{File, Folder};
        let name = |text: &str| NodeName::new(text).unwrap();
        let id = NodeId::new(7).unwrap();
        let ok = |text, replaced| Ok(Settled { name: name(text), replaced });
        for (same_name, kind, on_conflict, expected) in [
            (None, File, OnConflict::Fail, ok("a.txt", None)),
            (None, File, OnConflict::KeepBoth, ok("a.txt", None)),
            (None, File, OnConflict::Replace, ok("a.txt", None)),
            (Some(File), File, OnConflict::Fail, Err(Problem::NameTaken)),
            (Some(File), File, OnConflict::KeepBoth, ok("a (3).txt", None)),
            (Some(Folder), File, OnConflict::KeepBoth, ok("a (3).txt", None)),
            (Some(File), Folder, OnConflict::KeepBoth, ok("a.txt (2)", None)),
            (Some(File), File, OnConflict::Replace, ok("a.txt", Some(id))),
            (Some(Folder), Folder, OnConflict::Replace, ok("a.txt", Some(id))),
            (Some(Folder), File, OnConflict::Replace, Err(Problem::KindDiffers)),
            (Some(File), Folder, OnConflict::Replace, Err(Problem::KindDiffers)),
        ] {
            let neighbours = Neighbours {
                same_name: same_name.map(|kind| (id, kind)),
                family: [name("a (2).txt")].into(),
            };
            assert_eq!(settle(&name("a.txt"), kind, &neighbours, on_conflict), expected);
        }
    }
}
