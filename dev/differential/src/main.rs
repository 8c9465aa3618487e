//! The same random commands to a cluster of ours and to one of the original, and every difference in the replies.
//!
//! `docs/compat.md` says what is the same and what differs; this program asks both. Streams of commands follow from one
//! seed: mostly right ones, each wrong one wrong in one way. Each goes over the bare wire to both clusters, the two
//! replies are compared field by field, and a difference is either one that [`expected`] has a reason for, or a fault.
//! Files have other names on either side; a file is known by both.
//!
//! Neither cluster can be one that is in use: commands delete, overwrite, and claim to be members. The original is built
//! and started by whoever runs this, with one tracker and one storage of `group1` on IPv4 addresses, without storage ids
//! and trunk files, `store_lookup = 0`, `reserved_storage_space = 1MB`, `subdir_count_per_path = 4`,
//! `heart_beat_interval = 5` and a `check_active_interval` of an hour, and new.

mod chance;
mod compare;
mod expected;
mod layout;
mod members_stream;
mod names;
mod peer_stream;
mod request;
mod run;
mod storage_stream;
mod tally;
mod tracker_stream;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use testkit::address::Loopback;
use testkit::cluster::{Cluster, Plan};

use crate::run::Field;
use crate::wire::Pair;

/// Members that are only said to be.
const MEMBERS: usize = 5;

#[derive(Parser)]
#[command(name = "differential", about = "The same random commands to ours and to the original")]
struct Arguments {
    /// The original's tracker
    #[arg(long)]
    original: SocketAddr,
    /// A tracker of ours; without it a cluster is started
    #[arg(long)]
    ours: Option<SocketAddr>,
    /// The program to start
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Where the started cluster keeps its data; removed at the end
    #[arg(long)]
    dir: Option<PathBuf>,
    /// What the random numbers follow from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Commands to each cluster
    #[arg(long, default_value_t = 100_000)]
    commands: u64,
    /// Streams side by side, each with its own files
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=64))]
    streams: u64,
    /// Shows every request, and its answers, in which these characters are; all to one kind of server with
    /// `tracker` or `storage`
    #[arg(long)]
    trace: Option<String>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let started = match arguments.ours {
        Some(_) => None,
        None => Some(start(&arguments)?),
    };
    let ours = match (arguments.ours, &started) {
        (Some(address), _) => address,
        (None, cluster) => cluster.as_ref().context("a cluster of ours")?.tracker(),
    };
    let field = Field::new(Pair::new(ours, arguments.original), arguments.trace.clone())?;
    let claims: Vec<Loopback> = (0..MEMBERS).map(|_| Loopback::claim()).collect::<Result<_>>()?;
    let members: Vec<Ipv4Addr> = claims.iter().map(Loopback::ip).collect();
    let begun = Instant::now();
    let end = field
        .run(arguments.seed, arguments.commands, arguments.streams, &members)
        .and_then(|()| field.finale());
    let mut out = std::io::stdout().lock();
    let open = field.tally.report(&mut out)?;
    end.with_context(|| format!("after {} commands", field.tally.total()))?;
    std::io::Write::write_fmt(&mut out, format_args!("seed {}, {:.0?}\n", arguments.seed, begun.elapsed()))?;
    Ok(if open == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// As the original has to be configured, and with this program for a member of the group.
fn start(arguments: &Arguments) -> Result<Cluster> {
    let mut plan = Plan::new()
        .tracker_key("store_lookup", 0)
        .tracker_key("check_active_interval", 3600)
        .storage_key("heart_beat_interval", 5)
        .storage_key("allow_peers", "127.0.0.1");
    if let Some(binary) = &arguments.binary {
        plan = plan.binary(binary);
    }
    if let Some(dir) = &arguments.dir {
        std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
        plan = plan.within(dir);
    }
    plan.start()
}
