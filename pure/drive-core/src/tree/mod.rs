//! The tree: plans for making, moving, copying and deleting nodes.
//!
//! A rule takes what a repository has loaded in its transaction and gives a plan or a refusal; the repository does
//! what the plan says in the same transaction. What is loaded is stated by each rule's arguments: nothing here walks
//! a tree.

mod conflict;
mod copy;
mod create;
mod place;
mod relocate;
#[cfg(test)]
mod tests;
mod trash;

pub use conflict::{Neighbours, OnConflict, Settled, settle};
pub use copy::{CopyPlan, NewNode, NewParent, copy};
pub use create::{CreatePlan, create};
pub use place::{DEPTH_MAX, Moving, STEP_NODES_MAX, Target};
pub use relocate::{RelocatePlan, relocate};
pub use trash::{
    PURGE_NODES_MAX, PurgePlan, RestorePlan, RestoreTo, TRASH_RETENTION, TrashEntry, TrashPlan, is_due,
    purge, restore, restore_to, trash,
};
