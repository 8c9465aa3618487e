//! The cairn binary: every role and every tool.

fn main() {}
