//! Bugs that can be planted, to see that the invariants find them.
//!
//! Each sits in the simulated shell around a machine, at the place where such a bug would be made.

/// One planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Replication saves its place when it sends, not when the peer has acknowledged.
    CursorBeforeAck,
    /// A record that was under way when its connection broke counts as taken.
    SkipAfterReconnect,
    /// A change of a file is sent before the one before it was answered.
    OrderBroken,
    /// Bytes that are to be appended go to the end of the file, wherever it is.
    AppendedAnywhere,
    /// A client is answered before other members have its change.
    CopiesNotAwaited,
    /// A lost store path counts as rebuilt though a peer broke off, or files are missing that one who is away may have.
    RecoveryDoneEarly,
    /// What was deleted here is fetched again from a peer that does not know yet.
    RecoveryForgetsDeletions,
    /// Replication goes on behind a record that the peer refused.
    SkipOnError,
    /// Replication saves the furthest acknowledged place although something before it is still under way.
    GapInPrefix,
    /// Replication saves a place behind lines of the binlog that a power cut may still take back.
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
    /// An asker is told of a slot of a trunk file before the log says that it is not free.
    SlotToldBeforeLogged,
    /// A slot that nobody has reported on for long is free again, without a look at what is in it.
    ForgottenSlotIsFree,
    /// A deletion is carried out and pushed to nobody.
    DeleteNotLogged,
    /// What was deleted is taken again when its creation arrives late.
    LateCreateTaken,
    /// The source of a new member stops sending others' changes when the copy is over, and those begin at its end.
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
    pub const ALL: [Fault; 23] = [
        Fault::CursorBeforeAck,
        Fault::SkipAfterReconnect,
        Fault::OrderBroken,
        Fault::AppendedAnywhere,
        Fault::CopiesNotAwaited,
        Fault::RecoveryDoneEarly,
        Fault::RecoveryForgetsDeletions,
        Fault::SkipOnError,
        Fault::GapInPrefix,
        Fault::MarkBeyondSynced,
        Fault::AckBeforeSync,
        Fault::ReplicaAckBeforeSync,
        Fault::FullDiskAcknowledged,
        Fault::TornTailKept,
        Fault::RotServed,
        Fault::SlotToldBeforeLogged,
        Fault::ForgottenSlotIsFree,
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
