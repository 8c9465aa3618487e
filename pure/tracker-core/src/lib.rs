//! The tracker's decisions: groups, members, placement, routing; no I/O.
//!
//! [`Cluster`] is a synchronous machine: [`Cluster::step`] takes one [`Event`] and the time, and appends the
//! [`Action`]s that are its effects. [`Cluster::deadline`] says when it wants to be woken. Questions that change
//! nothing, and those of clients, which change no more than whose [`Turn`] it is, are answered from a [`View`],
//! which is immutable but for the turns, cheap to take, and needs nobody's leave.
//!
//! **Never knows**: sockets, files, clocks, bytes of messages.
//!
//! **Invariants**
//! - Every collection is bounded ([`limits`]); what would exceed a bound is refused and changes nothing.
//! - A storage is given to clients only while it is ACTIVE here and its mode allows it.
//! - Whether a storage is gone is told by its own connections: only when the last one closed, or when it has been
//!   silent for too long.
//! - Every status change goes through the table in [`status`] or one of the two merge rules beside it, and
//!   counts as a change that the group's other storages are told of.
//!
//! **Begin reading** at [`status`] (the life of a storage), then `cluster.rs` (the machine), [`placement`] and
//! [`routing`] (who stores and who serves), [`leader`] (who leads).
//!
//! Source of the rules: wire protocol, "Tracker commands a client uses", "Tracker commands a storage server
//! uses", "Storage state machine and server selection".

mod action;
mod address;
mod changelog;
mod cluster;
mod config;
mod event;
mod group;
mod ids;
pub mod leader;
pub mod limits;
mod member;
pub mod placement;
mod refusal;
pub mod routing;
mod snapshot;
pub mod status;
mod time;
mod turn;
mod view;

pub use action::{Action, Note, Reply, Section, StorageAsk, TrackerAsk};
pub use address::ServerAddrs;
pub use cluster::{Cluster, Saved, StateWanted};
pub use config::{ClusterConfig, Naming, PlacementConfig, TrunkLoading};
pub use event::{Caller, ConnId, Event, Request, Ticket, TrackerAnswer};
pub use group::{Group, GroupPort};
pub use ids::{Identity, id_of_addr};
pub use member::{Member, PathSpace, SyncSource};
pub use refusal::Refusal;
pub use snapshot::{LoadError, Tables};
pub use time::{Mono, Now};
pub use turn::Turn;
pub use view::View;
