//! `cairn health ADDR`: asks a server how it is, for containers that have no other program to ask with.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use super::plain_http;

/// What is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its status_listen, or the address of a drive
    #[arg(value_name = "IP:PORT")]
    address: SocketAddr,
    /// Ask whether it serves (/readyz), not whether it lives (/healthz)
    #[arg(long)]
    ready: bool,
    /// Seconds that the answer may take
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
}

/// Longest answer: a line for each reason.
const ANSWER_LEN_MAX: u64 = 64 * 1024;

/// Prints what it says; the status is 0 when it is well, else 1.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let answer = plain_http::get(args.address, path, ANSWER_LEN_MAX, Duration::from_secs(args.timeout))
        .with_context(|| format!("ask http://{}{path}", args.address))?;
    io::stdout().write_all(answer.content.as_bytes())?;
    Ok(if answer.status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
