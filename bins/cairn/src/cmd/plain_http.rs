//! A question over HTTP to a server nearby: one request, one answer, one connection, no TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// An answer, as far as it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub content: String,
}

/// Asks for a page of at most so many bytes.
pub(super) fn get(address: SocketAddr, path: &str, most: u64, patience: Duration) -> anyhow::Result<Answer> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    exchange(address, head.as_bytes(), most, patience)
}

/// Sends JSON; of the answer no more than so many bytes are read.
pub(super) fn post_json(
    address: SocketAddr,
    path: &str,
    json: &str,
    most: u64,
    patience: Duration,
) -> anyhow::Result<Answer> {
    let len = json.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\
         Connection: close\r\n\r\n{json}"
    );
    exchange(address, request.as_bytes(), most, patience)
}

fn exchange(address: SocketAddr, request: &[u8], most: u64, patience: Duration) -> anyhow::Result<Answer> {
    let until = Instant::now() + patience;
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "no whole answer in time");
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 => break,
            len => answer.extend_from_slice(&chunk[..len]),
        }
        ensure!(answer.len() as u64 <= most, "the answer is longer than {most} bytes");
    }
    parse(&String::from_utf8_lossy(&answer))
}

fn parse(answer: &str) -> anyhow::Result<Answer> {
    let Some((head, content)) = answer.split_once("\r\n\r\n") else { bail!("no whole answer") };
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    let status = status
        .and_then(|status| status.parse().ok())
        .context("what answers there speaks no HTTP: is this the port of a status_listen?")?;
    Ok(Answer { status, content: content.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Takes one request of this length, and answers.
    fn server_that_says(request_len: usize, answer: String) -> (SocketAddr, std::thread::JoinHandle<String>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // All of it: what is closed with bytes that nobody read is broken for the other side.
            let mut request = vec![0; request_len];
            stream.read_exact(&mut request).unwrap();
            // Who is told too much hangs up.
            let _ = stream.write_all(answer.as_bytes());
            String::from_utf8(request).unwrap()
        });
        (address, asked)
    }

    fn got(answer: &str, most: u64) -> anyhow::Result<Answer> {
        let len = "GET /x HTTP/1.1\r\nHost: 127.0.0.1:12345\r\nConnection: close\r\n\r\n".len();
        let (address, asked) = server_that_says(len, answer.to_owned());
        let got = get(address, "/x", most, PATIENCE);
        assert!(asked.join().unwrap().starts_with("GET /x HTTP/1.1\r\nHost: 127.0.0.1:"));
        got
    }

    #[test]
    fn a_page_is_its_status_and_its_content() {
        let answer = got("HTTP/1.1 503 Service Unavailable\r\nX: y\r\n\r\nno tracker\n", 100).unwrap();
        assert_eq!(answer, Answer { status: 503, content: "no tracker\n".to_owned() });
    }

    #[test]
    fn what_is_no_answer_half_of_one_or_too_long_is_an_error() {
        for wrong in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0\r\n\r\n"] {
            assert!(got(wrong, 100).is_err(), "{wrong}");
        }
        let long = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100));
        assert!(got(&long, 100).unwrap_err().to_string().contains("longer than 100 bytes"));
    }

    #[test]
    fn json_goes_with_its_length() {
        let expected = "Content-Type: application/json\r\nContent-Length: 3\r\nConnection: close\r\n\r\n[1]";
        let before = "POST /v1/push HTTP/1.1\r\nHost: 127.0.0.1:12345\r\n".len();
        let (address, asked) =
            server_that_says(before + expected.len(), "HTTP/1.1 200 OK\r\n\r\nsuccess".to_owned());
        let answer = post_json(address, "/v1/push", "[1]", 100, PATIENCE).unwrap();
        assert_eq!((answer.status, answer.content.as_str()), (200, "success"));
        assert!(asked.join().unwrap().ends_with(expected));
    }

    #[test]
    fn a_server_that_says_nothing_is_waited_for_no_longer_than_asked() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        assert!(get(address, "/healthz", 100, Duration::from_millis(20)).is_err());
    }
}
