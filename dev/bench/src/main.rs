//! Closed-loop load generator for any FastDFS-protocol cluster.
//!
//! `store` loads one storage server with uploads, downloads and deletes, and compares servers by alternating
//! between them round by round. It will never know what is inside the server it loads.

#[cfg(test)]
mod fake_storage;
mod load;
mod machine;
mod region;
mod report;
mod store;
mod tally;
mod wire;

use clap::Parser;

#[derive(Parser)]
#[command(name = "bench", about = "Load generator for any FastDFS-protocol cluster")]
enum Command {
    /// Uploads, downloads and deletes against one storage server, with as many connections as asked for
    Store(store::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Store(arguments) => store::run(&arguments),
    }
}
