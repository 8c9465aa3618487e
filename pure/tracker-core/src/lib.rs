//! The tracker's decisions: groups, members, placement, routing; no I/O.
