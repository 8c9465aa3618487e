//! A seeded simulator: a whole cluster on virtual time, a network that breaks, disks that lose and rot.
//!
//! `cargo xtask sim --seed N` plays one world, `--seeds A..B` many. The seed decides everything: how many trackers,
//! groups and storages there are, what clients do, which messages are late, what crashes when. A seed that fails prints
//! the promise that was broken, the line that plays it again, and the last things that happened.
//!
//! What is real and what is not:
//!
//! | real machines and codecs | simulated |
//! |---|---|
//! | `tracker_core::Cluster`: joining, statuses, placement, elections | the shells: connections, state files, clocks |
//! | `storage_core`: `Membership`, `TrackerLink`, naming | the store: a log, files and the binlog (`storage/store.rs`) |
//! | `storage_core::replication`: sender, exchange, life, receiving, copies | reading the binlog, connections, marks |
//! | `storage_core::recovery`: whom to ask, what is wanted | asking and fetching (`storage/recovery.rs`) |
//! | `storage_core::trunk`: the allocator and its log, in a small world of its own (`trunk.rs`) | |
//! | `fdfs_proto`: every message is its real bytes | |
//! | `fdfs_format`: lines of the binlog, marks | |
//!
//! **What the cluster promises** stands in `invariants/`, one file for each promise. **What can be wrong** stands in
//! [`Fault`]: bugs that can be planted (`--fault NAME`), each of which a test wants found.
//!
//! **Not simulated yet**: slaves, metadata and links, several store paths, questions passed on to another member,
//! changes of one file at two members, changed addresses, clusters with trunk files.
//!
//! **Begin reading** at `scenario.rs` (what a seed does), then `world.rs` (time and network), then `tracker.rs`.

mod chance;
mod client;
mod disk;
mod fault;
mod history;
mod invariants;
mod scenario;
mod storage;
mod trace;
mod tracker;
mod trunk;
mod wire;
mod world;

pub use fault::Fault;

/// How a seed went.
#[derive(Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The planted bug.
    pub fault: Option<Fault>,
    /// The invariant that broke, and how.
    pub failure: Option<String>,
    /// Acknowledged uploads: a world in which nothing happens proves nothing.
    pub uploads: u64,
    /// Acknowledged changes of appenders.
    pub changes: u64,
    /// Acknowledged deletions.
    pub deletions: u64,
    /// Store paths that were lost and rebuilt.
    pub rebuilt: u64,
    /// Storages that were taken out of their groups.
    pub retired: u64,
    /// Files that were written into slots of trunk files.
    pub slots: u64,
    /// The last things that happened, or all.
    pub trace: Vec<String>,
}

impl Outcome {
    /// For people: what broke, how to see it again, and what came before.
    pub fn report(&self) -> String {
        let fault = self.fault.map(|fault| format!(" --fault {fault:?}")).unwrap_or_default();
        let failure = self.failure.as_deref().unwrap_or("all invariants hold");
        let trace = self.trace.join("\n");
        format!(
            "{trace}\n\nseed {}: {failure}\nreplay: cargo xtask sim --seed {}{fault}",
            self.seed, self.seed
        )
    }
}

/// Plays one seed; `trace` keeps everything that happens, not only the last.
pub fn play(seed: u64, fault: Option<Fault>, trace: bool) -> Outcome {
    scenario::play(seed, fault, trace)
}
