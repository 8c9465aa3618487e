//! Bugs that can be planted, to see that the invariants find them.
//!
//! Each sits in the simulated shell around a machine, at the place where such a bug would be made.

/// One planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Replication saves its place when it sends, not when the peer has acknowledged.
    CursorBeforeAck,
    /// Replication goes on behind a record that the peer refused.
    SkipOnError,
    /// Replication saves the furthest acknowledged place although something before it is still under way.
    GapInPrefix,
    /// Replication reads and passes lines of the binlog that a power cut may still take back.
    MarkBeyondSynced,
    /// A client is answered before its change is on disk.
    AckBeforeSync,
    /// A peer is answered before its change is on disk.
    ReplicaAckBeforeSync,
    /// A storage that has no room says that it stored the file.
    FullDiskAcknowledged,
    /// What a power cut left half written is kept as a file, and files are not compared with their names.
    TornTailKept,
    /// A damaged copy is given out.
    RotServed,
    /// A deletion is carried out and pushed to nobody.
    DeleteNotLogged,
    /// What was deleted is taken again when its creation arrives late.
    LateCreateTaken,
    /// The source of a new member stops sending others' changes when the copy is over.
    CopyMissesWindow,
    /// A tracker believes that a member is complete when an old message says so.
    StaleStatusAccepted,
    /// A tracker leads without asking the others, and stays when it is told of the second one.
    TwoLeaders,
    /// Names hold no random bits, and nobody looks whether one is taken.
    NameReused,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 15] = [
        Fault::CursorBeforeAck,
        Fault::SkipOnError,
        Fault::GapInPrefix,
        Fault::MarkBeyondSynced,
        Fault::AckBeforeSync,
        Fault::ReplicaAckBeforeSync,
        Fault::FullDiskAcknowledged,
        Fault::TornTailKept,
        Fault::RotServed,
        Fault::DeleteNotLogged,
        Fault::LateCreateTaken,
        Fault::CopyMissesWindow,
        Fault::StaleStatusAccepted,
        Fault::TwoLeaders,
        Fault::NameReused,
    ];

    /// The fault with this name, written as in the code.
    pub fn named(name: &str) -> Option<Fault> {
        Self::ALL.into_iter().find(|fault| format!("{fault:?}") == name)
    }
}
