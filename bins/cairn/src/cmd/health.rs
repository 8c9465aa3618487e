//! `cairn health ADDR`: asks a server how it is, for containers that have no other program to ask with.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::anyhow;

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
    /// Ask again for up to so many seconds until it is well
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=3600))]
    wait: u64,
}

/// Pause between two questions to a server that is not well yet.
const WAIT_PAUSE: Duration = Duration::from_millis(200);

/// Longest answer: a line for each reason.
const ANSWER_LEN_MAX: u64 = 64 * 1024;

/// Prints what it says last; the status is 0 when it is well, else 1.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let until = Instant::now() + Duration::from_secs(args.wait);
    let answer = loop {
        let answer = plain_http::get(args.address, path, ANSWER_LEN_MAX, Duration::from_secs(args.timeout));
        let well = answer.as_ref().is_ok_and(|answer| answer.status == 200);
        // A wait ends in time, even where the answers do not.
        if well || Instant::now() + WAIT_PAUSE >= until {
            break answer.map_err(|error| {
                let address = args.address;
                anyhow!(
                    "http://{address}{path}: {error:#}: see that it runs, and that this is its status_listen"
                )
            })?;
        }
        std::thread::sleep(WAIT_PAUSE);
    };
    io::stdout().write_all(answer.content.as_bytes())?;
    Ok(if answer.status == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn args(address: SocketAddr, wait: u64) -> Args {
        Args { address, ready: false, timeout: 5, wait }
    }

    #[test]
    fn with_wait_a_server_that_is_not_there_yet_is_asked_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // The first connection ends without an answer.
        std::thread::spawn(move || {
            drop(listener.accept().unwrap());
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            // All of it: what is closed with bytes that nobody read is broken for the other side.
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nok\n").unwrap();
        });
        assert_eq!(run(&args(address, 60)).unwrap(), ExitCode::SUCCESS);
    }

    #[test]
    fn without_wait_it_is_asked_once() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        drop(silent);
        assert!(run(&args(address, 0)).is_err());
    }
}
