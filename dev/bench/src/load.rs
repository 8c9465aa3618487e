//! One thread, one epoll, many connections: each keeps exactly one request in flight (a closed loop).
//!
//! The generator shares two cores with the server it measures, so it must cost little: requests are prebuilt,
//! nothing is allocated per operation, downloaded content is thrown away inside the kernel where it can be.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::tally::Tally;
use crate::wire::{self, FileRef, HEADER_LEN, Head, REPLY_LEN_MAX};

/// The longest a phase waits without a single byte moving on any connection.
const STALL: Duration = Duration::from_secs(20);
/// A phase that meets more refusals or broken connections than this is given up.
const ERRORS_MAX: u64 = 1000;
/// One read takes at most this much.
const SCRATCH_LEN: usize = 256 * 1024;
/// Events taken from one wait.
const EVENTS: usize = 64;

/// What all connections of a phase do.
pub(crate) enum Job<'a> {
    /// Sends the same request again and again; every reply names a new file.
    Upload { request: &'a [u8], made: &'a mut Vec<FileRef> },
    /// Fetches the files in the given order, from the start again when through. `size` bytes are due from each.
    Download { files: &'a [FileRef], size: u64 },
    /// Deletes each file once.
    Delete { files: &'a [FileRef] },
}

/// When a phase stops starting operations; those in flight are finished and counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Until {
    pub(crate) operations: usize,
    pub(crate) time: Duration,
}

/// Runs one phase and says what it measured.
///
/// # Errors
/// When a connection cannot be made, nothing moves for 20 s, or more than 1,000 operations fail.
pub(crate) fn run(storage: SocketAddr, connections: usize, job: Job<'_>, until: Until) -> Result<Tally> {
    let mut phase = Phase::new(storage, connections, job, until)?;
    phase.run()
}

struct Phase<'a> {
    storage: SocketAddr,
    epoll: rustix::fd::OwnedFd,
    connections: Vec<Connection>,
    job: Job<'a>,
    until: Until,
    started: usize,
    in_flight: usize,
    tally: Tally,
    scratch: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    head: Head,
    sent: usize,
    since: Instant,
    /// Header of the reply, as far as it arrived.
    header: [u8; HEADER_LEN],
    header_len: usize,
    /// Start of the reply's body, as much as anyone wants to know of it.
    reply: [u8; REPLY_LEN_MAX],
    body_len: u64,
    body_got: u64,
    busy: bool,
}

/// How far one connection got with what it was given to do.
enum Progress {
    Waiting,
    Answered { status: u8 },
    Broken,
}

impl<'a> Phase<'a> {
    fn new(storage: SocketAddr, connections: usize, job: Job<'a>, until: Until) -> Result<Phase<'a>> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context("create an epoll")?;
        let connections = (0..connections)
            .map(|index| Connection::open(storage, &epoll, index))
            .collect::<Result<Vec<_>>>()?;
        let expected = until.operations.min(1 << 20);
        Ok(Phase {
            storage,
            epoll,
            connections,
            job,
            until,
            started: 0,
            in_flight: 0,
            tally: Tally::with_capacity(expected),
            scratch: vec![0; SCRATCH_LEN],
        })
    }

    fn run(&mut self) -> Result<Tally> {
        let cpu_before = crate::machine::own_cpu_time();
        let start = Instant::now();
        for index in 0..self.connections.len() {
            self.start_next(index, start)?;
        }
        let mut events = Vec::with_capacity(EVENTS);
        let stall = Timespec::try_from(STALL).context("time limit")?;
        while self.in_flight > 0 {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&stall)) {
                Ok(0) => bail!("{} operations in flight and nothing moved for {STALL:?}", self.in_flight),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("wait for connections"),
            }
            for event in &events {
                self.advance(event.data.u64() as usize, start)?;
            }
        }
        let mut tally = std::mem::take(&mut self.tally);
        tally.elapsed = start.elapsed();
        tally.client_cpu = crate::machine::own_cpu_time().saturating_sub(cpu_before);
        Ok(tally)
    }

    /// Moves one connection on as far as it goes without waiting. A finished operation is followed by the next
    /// one, whose answer raises a new event.
    fn advance(&mut self, index: usize, start: Instant) -> Result<()> {
        let connection = &mut self.connections[index];
        if !connection.busy {
            return Ok(());
        }
        match connection.proceed(&self.job, &mut self.scratch) {
            Progress::Waiting => Ok(()),
            Progress::Answered { status: 0 } => {
                self.finish(index, Instant::now())?;
                self.start_next(index, start)
            }
            Progress::Answered { status } => {
                self.tally.refused(status);
                self.start_over(index, start)
            }
            Progress::Broken => {
                self.tally.broken += 1;
                self.start_over(index, start)
            }
        }
    }

    /// Books a successful operation.
    fn finish(&mut self, index: usize, now: Instant) -> Result<()> {
        let connection = &mut self.connections[index];
        connection.busy = false;
        self.in_flight -= 1;
        let bytes = match &mut self.job {
            Job::Upload { request, made } => {
                let body = usize::try_from(connection.body_len).unwrap_or(usize::MAX);
                let reply = connection.reply.get(..body).unwrap_or_default();
                let Some(file) = FileRef::from_upload_reply(reply) else {
                    bail!("an upload was answered with {} bytes, which name no file", connection.body_len);
                };
                made.push(file);
                request.len() as u64
            }
            Job::Download { size, .. } => {
                if connection.body_len != *size {
                    bail!("a file of {size} bytes was answered with {}", connection.body_len);
                }
                *size
            }
            Job::Delete { .. } => 0,
        };
        self.tally.done(now - connection.since, bytes);
        Ok(())
    }

    /// After a refusal the stream may be out of step, so the connection is replaced whatever the status.
    fn start_over(&mut self, index: usize, start: Instant) -> Result<()> {
        if self.tally.errors() > ERRORS_MAX {
            bail!("more than {ERRORS_MAX} operations failed: {}", self.tally.errors_in_words());
        }
        self.in_flight -= 1;
        self.connections[index] = Connection::open(self.storage, &self.epoll, index)?;
        self.start_next(index, start)
    }

    /// Starts the next operation on an idle connection, if the phase still wants one.
    fn start_next(&mut self, index: usize, start: Instant) -> Result<()> {
        let now = Instant::now();
        if self.started >= self.until.operations || now.duration_since(start) >= self.until.time {
            return Ok(());
        }
        let connection = &mut self.connections[index];
        match &self.job {
            Job::Upload { .. } => {}
            Job::Download { files, .. } => connection.head.set_download(&files[self.started % files.len()]),
            Job::Delete { files } => connection.head.set_delete(&files[self.started]),
        }
        connection.begin(now);
        self.started += 1;
        self.in_flight += 1;
        // The request goes out at once; what does not fit the socket buffer follows when epoll says so.
        match connection.send(&self.job) {
            Progress::Broken => {
                self.tally.broken += 1;
                self.start_over(index, start)
            }
            Progress::Waiting | Progress::Answered { .. } => Ok(()),
        }
    }
}

impl Connection {
    fn open(storage: SocketAddr, epoll: &rustix::fd::OwnedFd, index: usize) -> Result<Connection> {
        let stream = wire::connect_ready(storage)?;
        stream.set_nonblocking(true)?;
        // Edge triggered for both directions: registered once, never touched again.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(epoll, &stream, epoll::EventData::new_u64(index as u64), flags)
            .context("watch a connection")?;
        Ok(Connection {
            stream,
            head: Head::empty(),
            sent: 0,
            since: Instant::now(),
            header: [0; HEADER_LEN],
            header_len: 0,
            reply: [0; REPLY_LEN_MAX],
            body_len: 0,
            body_got: 0,
            busy: false,
        })
    }

    fn begin(&mut self, now: Instant) {
        self.since = now;
        self.sent = 0;
        self.header_len = 0;
        self.body_len = 0;
        self.body_got = 0;
        self.busy = true;
    }

    fn proceed(&mut self, job: &Job<'_>, scratch: &mut [u8]) -> Progress {
        match self.send(job) {
            Progress::Waiting => self.receive(scratch),
            other => other,
        }
    }

    /// Sends what is left of the request. A refusal may arrive before all is sent, so the caller reads anyway.
    fn send(&mut self, job: &Job<'_>) -> Progress {
        let request = match job {
            Job::Upload { request, .. } => request,
            Job::Download { .. } | Job::Delete { .. } => self.head.bytes(),
        };
        while self.sent < request.len() {
            match send(&self.stream, &request[self.sent..], SendFlags::NOSIGNAL) {
                Ok(count) => self.sent += count,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(_) => return Progress::Broken,
            }
        }
        Progress::Waiting
    }

    fn receive(&mut self, scratch: &mut [u8]) -> Progress {
        loop {
            let rest = self.body_len - self.body_got;
            // Content nobody looks at is dropped by the kernel instead of being copied out.
            let skip = self.header_len == HEADER_LEN && self.body_got >= REPLY_LEN_MAX as u64;
            let (flags, want) = if skip {
                (RecvFlags::TRUNC, usize::try_from(rest).unwrap_or(usize::MAX).min(scratch.len()))
            } else {
                (RecvFlags::empty(), scratch.len())
            };
            let got = match recv(&self.stream, &mut scratch[..want], flags) {
                Ok((0, _)) => return Progress::Broken,
                Ok((count, _)) => count,
                Err(Errno::AGAIN) => return Progress::Waiting,
                Err(Errno::INTR) => continue,
                Err(_) => return Progress::Broken,
            };
            if skip {
                self.body_got += got as u64;
            } else {
                self.take(&scratch[..got]);
            }
            if self.header_len == HEADER_LEN {
                let (_, status) = wire::reply_header(&self.header);
                if status != 0 || self.body_got >= self.body_len {
                    return Progress::Answered { status };
                }
            }
            if got < want {
                // A short read emptied the socket; the next byte raises a new event.
                return Progress::Waiting;
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let of_header = bytes.len().min(HEADER_LEN - self.header_len);
        let (header, body) = bytes.split_at(of_header);
        self.header[self.header_len..self.header_len + of_header].copy_from_slice(header);
        self.header_len += of_header;
        if self.header_len == HEADER_LEN && of_header > 0 {
            self.body_len = wire::reply_header(&self.header).0;
        }
        let at = usize::try_from(self.body_got).unwrap_or(usize::MAX).min(REPLY_LEN_MAX);
        let keep = body.len().min(REPLY_LEN_MAX - at);
        self.reply[at..at + keep].copy_from_slice(&body[..keep]);
        self.body_got += body.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_storage;

    const LONG: Duration = Duration::from_secs(600);

    fn upload(storage: SocketAddr, size: usize, operations: usize) -> (Tally, Vec<FileRef>) {
        let request = wire::upload_request(0, &vec![7; size]);
        let mut made = Vec::new();
        let job = Job::Upload { request: &request, made: &mut made };
        let tally = run(storage, 4, job, Until { operations, time: LONG }).unwrap();
        (tally, made)
    }

    #[test]
    fn every_file_is_uploaded_downloaded_and_deleted_exactly_once() {
        let (storage, files) = fake_storage::start(0);
        let (tally, made) = upload(storage, 1000, 50);
        assert_eq!((tally.figures().operations, made.len(), files.lock().unwrap().kept.len()), (50, 50, 50));

        let job = Job::Download { files: &made, size: 1000 };
        let figures = run(storage, 4, job, Until { operations: 50, time: LONG }).unwrap().figures();
        assert_eq!((figures.operations, figures.errors), (50, 0));

        let job = Job::Delete { files: &made };
        let figures = run(storage, 4, job, Until { operations: 50, time: LONG }).unwrap().figures();
        assert_eq!((figures.operations, figures.errors), (50, 0));
        assert!(files.lock().unwrap().kept.is_empty());
    }

    #[test]
    fn content_longer_than_one_read_and_one_socket_buffer_arrives_whole() {
        let (storage, files) = fake_storage::start(0);
        let size = 9 << 20;
        let (_, made) = upload(storage, size, 8);
        assert!(files.lock().unwrap().kept.values().all(|len| *len == size as u64));
        let job = Job::Download { files: &made, size: size as u64 };
        let figures = run(storage, 4, job, Until { operations: 8, time: LONG }).unwrap().figures();
        assert_eq!((figures.operations, figures.errors), (8, 0));
    }

    #[test]
    fn refusals_are_counted_and_the_load_goes_on() {
        let (storage, files) = fake_storage::start(10);
        let (tally, made) = upload(storage, 100, 100);
        assert_eq!(tally.errors_in_words(), "0 connections broken, 10 times status 28");
        assert_eq!((made.len(), files.lock().unwrap().kept.len()), (90, 90));
    }

    #[test]
    fn a_file_of_another_length_than_uploaded_ends_the_measurement() {
        let (storage, _) = fake_storage::start(0);
        let (_, made) = upload(storage, 100, 1);
        let job = Job::Download { files: &made, size: 101 };
        let error = run(storage, 1, job, Until { operations: 1, time: LONG }).unwrap_err();
        assert_eq!(error.to_string(), "a file of 101 bytes was answered with 100");
    }

    #[test]
    fn a_server_that_refuses_everything_ends_the_measurement() {
        let (storage, _) = fake_storage::start(1);
        let request = wire::upload_request(0, b"x");
        let mut made = Vec::new();
        let job = Job::Upload { request: &request, made: &mut made };
        let error = run(storage, 1, job, Until { operations: usize::MAX, time: LONG }).unwrap_err();
        assert!(error.to_string().starts_with("more than 1000 operations failed"), "{error}");
    }
}
