//! The storage's decisions: naming, directories, space, the conversation with a tracker; no I/O.
