//! `cairn health ADDR`: asks a server how it is, for containers that have no other program to ask with.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

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

/// Most of an answer that is read: a line for each reason.
const ANSWER_LEN_MAX: u64 = 64 * 1024;

/// Prints what it says last; the status is 0 when it is well, else 1.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let until = Instant::now() + Duration::from_secs(args.wait);
    let (well, reasons) = loop {
        let told = look(args);
        let well = told.as_ref().is_ok_and(|(well, _)| *well);
        // A wait ends in time, even where the answers do not.
        if well || Instant::now() + WAIT_PAUSE >= until {
            break told?;
        }
        std::thread::sleep(WAIT_PAUSE);
    };
    io::stdout().write_all(reasons.as_bytes())?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether it is well now, and what it says.
fn look(args: &Args) -> anyhow::Result<(bool, String)> {
    let path = if args.ready { "/readyz" } else { "/healthz" };
    let answer = ask(args.address, path, Duration::from_secs(args.timeout))
        .with_context(|| format!("ask http://{}{path}", args.address))?;
    let (well, reasons) = judge(&answer)?;
    Ok((well, reasons.to_owned()))
}

/// The whole answer to a GET, as far as it is read.
pub(super) fn ask(address: SocketAddr, path: &str, patience: Duration) -> anyhow::Result<String> {
    let until = Instant::now() + patience;
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_write_timeout(Some(patience))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while (answer.len() as u64) < ANSWER_LEN_MAX {
        let left = until.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "no whole answer in time");
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 => break,
            len => answer.extend_from_slice(&chunk[..len]),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Whether an answer is a good one, and what it says.
fn judge(answer: &str) -> anyhow::Result<(bool, &str)> {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { bail!("no whole answer") };
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split(' ').next()).context("no HTTP")?;
    Ok((status == "200", body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_that_says(answer: &'static str) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            // All of it: what is closed with bytes that nobody read is broken for the other side.
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            assert!(request.starts_with(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    fn asked(answer: &'static str) -> anyhow::Result<(bool, String)> {
        let answer = ask(server_that_says(answer), "/healthz", Duration::from_secs(20))?;
        judge(&answer).map(|(well, reasons)| (well, reasons.to_owned()))
    }

    #[test]
    fn a_server_is_well_when_it_says_200_and_its_reasons_are_passed_on() {
        assert_eq!(asked("HTTP/1.1 200 OK\r\n\r\nok\n").unwrap(), (true, "ok\n".to_owned()));
        let ill = asked("HTTP/1.1 503 Service Unavailable\r\nX: y\r\n\r\nno tracker\n").unwrap();
        assert_eq!(ill, (false, "no tracker\n".to_owned()));
    }

    #[test]
    fn what_is_no_answer_of_http_or_half_of_one_is_an_error() {
        assert!(asked("").is_err());
        assert!(asked("HTTP/1.1 200 OK\r\n").is_err());
        assert!(asked("SSH-2.0\r\n\r\n").is_err());
    }

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
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
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

    #[test]
    fn a_server_that_says_nothing_is_waited_for_no_longer_than_asked() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        assert!(ask(address, "/healthz", Duration::from_millis(20)).is_err());
    }
}
