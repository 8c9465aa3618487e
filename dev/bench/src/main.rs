//! Closed-loop load generator for any FastDFS-protocol cluster.

fn main() {}
