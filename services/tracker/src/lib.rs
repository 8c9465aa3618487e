//! The tracker server.
