//! Closed-loop load generator for any FastDFS-protocol cluster.
//!
//! `store` loads one storage server with uploads, downloads and deletes, and compares servers by alternating
//! between them round by round. `scale` fills one with millions of files and compares it with an empty one. `replication`
//! loads one of two members and watches how far the other is behind. `http` has `wrk` ask a gateway and nginx in turn.
//! `drive` measures every interface of the drive, `memory` what a small machine needs. It will never know what is inside the server it loads.

mod document;
mod drive;
#[cfg(test)]
mod fake_storage;
mod http;
mod lines;
mod load;
mod machine;
mod memory;
mod region;
mod replication;
mod report;
mod scale;
mod store;
mod tally;
mod wire;

use clap::Parser;

#[derive(Parser)]
#[command(name = "bench", about = "Load generator for any FastDFS-protocol cluster")]
enum Command {
    /// Uploads, downloads and deletes against one storage server, with as many connections as asked for
    Store(store::Arguments),
    /// A store with millions of small files: how fast it starts, what memory a file takes, whether it got slower
    Scale(scale::Arguments),
    /// Files over HTTP, beside nginx with the same bytes as static files; needs nginx and wrk
    Http(http::Arguments),
    /// Every interface of the drive, itself and behind nginx, on two set-ups; and the project's goals
    Drive(drive::Arguments),
    /// Two members of a group: how far one is behind under load, and how fast a new one is filled
    Replication(replication::Arguments),
    /// The memory that the whole installation, and a storage alone, take on a small machine
    Memory(memory::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Store(arguments) => store::run(&arguments),
        Command::Scale(arguments) => scale::run(&arguments),
        Command::Http(arguments) => http::run(&arguments),
        Command::Drive(arguments) => drive::run(&arguments),
        Command::Replication(arguments) => replication::run(&arguments),
        Command::Memory(arguments) => memory::run(&arguments),
    }
}
