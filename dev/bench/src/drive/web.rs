//! HTTP/1.1, as little of it as a closed loop needs: one thread, one epoll, connections that are kept, each with exactly
//! one request in flight.
//!
//! It shares the cores with what it measures, so it must cost little: requests are bytes that somebody prepared, and of
//! an answer only its status, its length and what a check asks for are looked at.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::machine::own_cpu_time;
use crate::tally::{Figures, Tally};

/// The longest that nothing moves on any connection.
const STALL: Duration = Duration::from_secs(30);
/// A cell with more failures than this is given up.
const FAILURES_MAX: u64 = 1000;
/// Bytes of an answer at most.
const ANSWER_MAX: usize = 16 << 20;
/// One read takes at most this much.
const SCRATCH_LEN: usize = 64 * 1024;
/// Events taken from one wait.
const EVENTS: usize = 64;
/// Bytes of an unexpected answer that are shown.
const SHOWN_MAX: usize = 300;

/// What came back.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// Status line and fields.
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
}

/// Writes the next request of a connection. False: it has none any more.
pub(crate) type Next<'p> = Box<dyn FnMut(usize, &mut Vec<u8>) -> bool + 'p>;

/// Is this what the request on this connection should come to?
pub(crate) type Check<'p> = Box<dyn FnMut(usize, &Answer<'_>) -> bool + 'p>;

/// What all connections do.
pub(crate) struct Job<'p> {
    /// As many connections as this at most.
    pub(crate) connections: usize,
    pub(crate) next: Next<'p>,
    pub(crate) check: Check<'p>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) figures: Figures,
    /// Answers that were not what they should be, and how many of each; broken connections among them.
    pub(crate) failures: BTreeMap<String, u64>,
}

/// A request with the fields that all of them have.
pub(crate) fn request(method: &str, path: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + body.len());
    write_request(&mut out, method, path, fields, body);
    out
}

/// As [`request`], into a buffer. `fields` are whole lines.
pub(crate) fn write_request(out: &mut Vec<u8>, method: &str, path: &str, fields: &str, body: &[u8]) {
    let length = body.len();
    for part in [method, " ", path, " HTTP/1.1\r\nHost: drive.test\r\n", fields] {
        out.extend_from_slice(part.as_bytes());
    }
    if length > 0 || method != "GET" {
        out.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

/// Carries a job out for so long. What is in flight at the end is waited for.
///
/// # Errors
/// When a connection can't be made, nothing moves, or more than 1,000 answers are failures.
pub(crate) fn run(server: SocketAddr, mut job: Job<'_>, time: Duration) -> Result<Measured> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context("create an epoll")?;
    let mut connections = Vec::new();
    for index in 0..job.connections {
        connections.push(Connection::open(server, &epoll, index)?);
    }
    let mut tally = Tally::with_capacity(1 << 16);
    let mut failures = BTreeMap::<String, u64>::new();
    let mut failed = 0;
    let mut scratch = vec![0; SCRATCH_LEN];
    let mut in_flight = 0;
    let cpu_before = own_cpu_time();
    let start = Instant::now();
    for (index, connection) in connections.iter_mut().enumerate() {
        connection.out.clear();
        if (job.next)(index, &mut connection.out) {
            connection.begin(Instant::now());
            in_flight += 1;
            connection.send()?;
        }
    }
    let mut events = Vec::with_capacity(EVENTS);
    let stall = Timespec::try_from(STALL).context("time limit")?;
    while in_flight > 0 {
        events.clear();
        match epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), Some(&stall)) {
            Ok(0) => bail!("{in_flight} requests in flight and nothing moved for {STALL:?}"),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for connections"),
        }
        for event in &events {
            let index = event.data.u64() as usize;
            let connection = &mut connections[index];
            if !connection.busy {
                continue;
            }
            let (failure, close) = match connection.proceed(&mut scratch) {
                Progress::Waiting => continue,
                Progress::Broken(why) => (Some(why.to_owned()), true),
                Progress::Answered { head, body } => {
                    let now = Instant::now();
                    let input = &connection.input;
                    let answer = Answer {
                        status: status(input),
                        head: &input[..head],
                        body: &input[head..head + body],
                    };
                    let close = field(answer.head, b"connection").is_some_and(|value| value == b"close");
                    if (job.check)(index, &answer) {
                        tally.done(now - connection.since, body as u64);
                        (None, close)
                    } else {
                        let shown = &answer.body[..body.min(SHOWN_MAX)];
                        let shown = String::from_utf8_lossy(shown);
                        (Some(format!("{} {shown}", answer.status)), close)
                    }
                }
            };
            if let Some(failure) = failure {
                *failures.entry(failure).or_default() += 1;
                failed += 1;
                ensure!(failed <= FAILURES_MAX, "more than {FAILURES_MAX} failures: {failures:?}");
            }
            connection.busy = false;
            in_flight -= 1;
            if close {
                connections[index] = Connection::open(server, &epoll, index)?;
            }
            let connection = &mut connections[index];
            connection.out.clear();
            let now = Instant::now();
            if now - start < time && (job.next)(index, &mut connection.out) {
                connection.begin(now);
                in_flight += 1;
                connection.send()?;
            }
        }
    }
    tally.elapsed = start.elapsed();
    tally.client_cpu = own_cpu_time().saturating_sub(cpu_before);
    tally.broken = failed;
    Ok(Measured { figures: tally.figures(), failures })
}

/// Sends each of these once, and returns the bodies of the answers in the order of the requests.
///
/// # Errors
/// As [`run`], and when an answer has another status.
pub(crate) fn each(
    server: SocketAddr,
    requests: Vec<Vec<u8>>,
    connections: usize,
    status: u16,
) -> Result<Vec<Vec<u8>>> {
    let count = requests.len();
    let connections = connections.min(count);
    let mut bodies = vec![Vec::new(); count];
    let under_way = std::cell::RefCell::new(vec![0; connections]);
    let mut rest = requests.into_iter().enumerate();
    let job = Job {
        connections,
        next: Box::new(|connection, out| {
            let Some((number, request)) = rest.next() else { return false };
            under_way.borrow_mut()[connection] = number;
            *out = request;
            true
        }),
        check: Box::new(|connection, answer| {
            bodies[under_way.borrow()[connection]] = answer.body.to_vec();
            answer.status == status
        }),
    };
    let measured = run(server, job, Duration::MAX)?;
    ensure!(measured.failures.is_empty(), "{:?} where {status} was due", measured.failures);
    Ok(bodies)
}

/// Connections that have got one answer each and now rest.
pub(crate) fn idle(server: SocketAddr, request: &[u8], count: usize) -> Result<Vec<TcpStream>> {
    let mut open = Vec::with_capacity(count);
    let mut answer = vec![0; SCRATCH_LEN];
    for _ in 0..count {
        let mut stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(STALL))?;
        stream.write_all(request)?;
        let len = stream.read(&mut answer)?;
        ensure!(answer[..len].starts_with(b"HTTP/1.1 200"), "an idle connection got no answer");
        open.push(stream);
    }
    Ok(open)
}

/// All of them are still open.
pub(crate) fn still_open(idle: &[TcpStream]) -> Result<()> {
    let mut rest = vec![0; SCRATCH_LEN];
    for stream in idle {
        stream.set_nonblocking(true)?;
        loop {
            match (&*stream).read(&mut rest) {
                Ok(0) => bail!("an idle connection was closed"),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    sent: usize,
    input: Vec<u8>,
    /// Bytes of the head and of the body, once they are known.
    head: Option<(usize, Length)>,
    since: Instant,
    busy: bool,
    without_body: bool,
}

#[derive(Clone, Copy)]
enum Length {
    Known(usize),
    Chunked,
}

enum Progress {
    Waiting,
    Answered { head: usize, body: usize },
    Broken(&'static str),
}

impl Connection {
    fn open(server: SocketAddr, epoll: &rustix::fd::OwnedFd, index: usize) -> Result<Connection> {
        let stream =
            TcpStream::connect_timeout(&server, STALL).with_context(|| format!("connect to {server}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        // An edge: what has come is read to its end each time.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(epoll, &stream, epoll::EventData::new_u64(index as u64), flags)?;
        Ok(Connection {
            stream,
            out: Vec::new(),
            sent: 0,
            input: Vec::new(),
            head: None,
            since: Instant::now(),
            busy: false,
            without_body: false,
        })
    }

    fn begin(&mut self, now: Instant) {
        self.since = now;
        self.sent = 0;
        self.input.clear();
        self.head = None;
        self.busy = true;
        self.without_body = self.out.starts_with(b"HEAD ");
    }

    fn send(&mut self) -> Result<bool> {
        while self.sent < self.out.len() {
            match send(&self.stream, &self.out[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::AGAIN) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    fn proceed(&mut self, scratch: &mut [u8]) -> Progress {
        if !matches!(self.send(), Ok(true)) {
            return Progress::Broken("a connection broke while a request was sent");
        }
        loop {
            let got = match recv(&self.stream, &mut *scratch, RecvFlags::empty()) {
                Ok((0, _)) => return Progress::Broken("a connection ended before its answer"),
                Ok((count, _)) => count,
                Err(Errno::AGAIN) => return Progress::Waiting,
                Err(Errno::INTR) => continue,
                Err(_) => return Progress::Broken("a connection broke before its answer"),
            };
            self.input.extend_from_slice(&scratch[..got]);
            if self.input.len() > ANSWER_MAX {
                return Progress::Broken("an answer without end");
            }
            if let Some(answered) = self.whole() {
                return answered;
            }
            if got < scratch.len() {
                return Progress::Waiting;
            }
        }
    }

    /// The answer, if it is there as a whole.
    fn whole(&mut self) -> Option<Progress> {
        let (head, length) = match self.head {
            Some(known) => known,
            None => {
                let head = self.input.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
                let text = &self.input[..head];
                let length = match (status(text), field(text, b"content-length")) {
                    (204 | 304, _) => Length::Known(0),
                    _ if self.without_body => Length::Known(0),
                    (_, Some(digits)) => {
                        let digits = std::str::from_utf8(digits).ok();
                        match digits.and_then(|digits| digits.parse().ok()) {
                            Some(length) => Length::Known(length),
                            None => return Some(Progress::Broken("a length that is none")),
                        }
                    }
                    (_, None) => Length::Chunked,
                };
                self.head = Some((head, length));
                (head, length)
            }
        };
        let got = self.input.len() - head;
        match length {
            Length::Known(length) if got >= length => Some(Progress::Answered { head, body: length }),
            Length::Chunked if self.input[head..].ends_with(b"0\r\n\r\n") => {
                Some(Progress::Answered { head, body: got })
            }
            _ => None,
        }
    }
}

/// The number in a status line; 0 of what is none.
fn status(head: &[u8]) -> u16 {
    head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0)
}

/// A field's value; `name` in small letters.
pub(crate) fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let value = line.get(name.len()..)?.strip_prefix(b":")?;
        line[..name.len()].eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server of one thread that gives each request the next of these answers.
    fn server(answers: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut answers = answers.iter();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                while stream.read(&mut request).unwrap_or(0) > 0 {
                    let Some(answer) = answers.next() else { return };
                    stream.write_all(answer.as_bytes()).unwrap();
                    if answer.contains("close") {
                        break;
                    }
                }
            }
        });
        address
    }

    fn ask(answers: &'static [&'static str], count: usize) -> Measured {
        let mut left = count;
        let job = Job {
            connections: 1,
            next: Box::new(|_, out| {
                out.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
                left = left.wrapping_sub(1);
                left != usize::MAX
            }),
            check: Box::new(|_, answer| answer.status == 200 && answer.body.starts_with(b"abc")),
        };
        run(server(answers), job, Duration::from_secs(600)).unwrap()
    }

    #[test]
    fn answers_are_whole_by_length_or_by_their_last_chunk() {
        let answers = &[
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nabc\r\n0\r\n\r\n",
        ];
        let measured = ask(answers, 2);
        assert_eq!((measured.figures.operations, measured.failures.len()), (2, 0));
    }

    #[test]
    fn what_is_not_as_it_should_be_is_counted_apart() {
        let answers = &[
            "HTTP/1.1 503 No\r\ncontent-length: 4\r\n\r\nbusy",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nxyz",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
        ];
        let measured = ask(answers, 3);
        assert_eq!(measured.figures.operations, 1);
        let failures: Vec<_> = measured.failures.into_iter().collect();
        assert_eq!(failures, [("200 xyz".to_owned(), 1), ("503 busy".to_owned(), 1)]);
    }

    #[test]
    fn who_says_that_a_connection_ends_has_not_failed() {
        let answers = &[
            "HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 3\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
        ];
        let measured = ask(answers, 2);
        assert_eq!((measured.figures.operations, measured.failures.len()), (2, 0));
    }

    #[test]
    fn requests_of_a_list_get_their_own_answers() {
        let answers = &[
            "HTTP/1.1 201 OK\r\ncontent-length: 1\r\n\r\na",
            "HTTP/1.1 201 OK\r\ncontent-length: 1\r\n\r\nb",
        ];
        let requests = vec![request("GET", "/a", "", b""), request("GET", "/b", "", b"")];
        assert_eq!(each(server(answers), requests, 1, 201).unwrap(), [b"a", b"b"]);
    }
}
