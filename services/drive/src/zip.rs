//! Archives on their way out: one piece at a time, nothing on disk.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use crc32fast::Hasher;
use drive_core::node::NodeName;
use drive_core::ports::{ByteSource, RateSubject};
use drive_core::zip::{Entry, end, length};
use drive_core::{ByteCount, Problem};
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::app::Drive;
use crate::give::{CONTENT_POLICY, Outgoing, blob_problem, disposition, streamed};
use crate::places::Held;
use crate::refusal::Answer;

/// Archives that are sent at the same time: each has the names of its files in memory.
pub const ZIPS_AT_ONCE: usize = 32;
/// Of one account, or of visitors from one address.
pub const ZIPS_OF_ONE: usize = 8;

/// Bytes that are gathered before they are sent: what stands around small files, and they.
const GATHERED_BYTES: usize = 64 * 1024;

/// Answers a GET or HEAD of an archive, or a POST that asks for one.
pub(crate) async fn give_zip(
    drive: &Arc<Drive>,
    whose: RateSubject,
    entries: Vec<Entry>,
    name: &NodeName,
    method: &Method,
) -> Answer<Response> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(CONTENT_DISPOSITION, disposition(name, false)?);
    headers.insert(CONTENT_LENGTH, length(&entries).into());
    // A page of the drive may have it come into a frame that nobody sees.
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_POLICY));
    if *method == Method::HEAD {
        return Ok((StatusCode::OK, headers).into_response());
    }
    let place = drive.zips.take(whose)?;
    let sending = Sending {
        drive: Arc::clone(drive),
        lines: Vec::with_capacity(entries.len()),
        entries,
        at: 0,
        directory_at: None,
        directory: 0,
        written: 0,
        reading: None,
        gathered: Vec::new(),
        rest: None,
        ended: false,
        _place: place,
    };
    Ok((StatusCode::OK, headers, streamed(sending).await?).into_response())
}

/// A file that is being read.
struct Reading {
    source: Box<dyn ByteSource>,
    crc32: Hasher,
    left: u64,
}

/// What is known of an entry once it was sent.
struct Line {
    crc32: u32,
    offset: u64,
}

struct Sending {
    drive: Arc<Drive>,
    entries: Vec<Entry>,
    /// Of the entries that were sent.
    lines: Vec<Line>,
    /// The entry that is sent next.
    at: usize,
    /// Where the directory begins, when it has begun, and lines of it that were sent.
    directory_at: Option<u64>,
    directory: usize,
    /// Bytes so far, those that were gathered among them.
    written: u64,
    reading: Option<Reading>,
    gathered: Vec<u8>,
    /// A long piece, which goes as it is behind what was gathered.
    rest: Option<Bytes>,
    ended: bool,
    _place: Held,
}

impl Outgoing for Sending {
    const WHAT: &str = "an archive";

    /// After an error there are no more: what was sent is no archive.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        while self.gathered.len() < GATHERED_BYTES && self.rest.is_none() && !self.ended {
            self.step().await?;
        }
        if self.gathered.is_empty() {
            return Ok(self.rest.take());
        }
        Ok(Some(Bytes::from(std::mem::take(&mut self.gathered))))
    }
}

impl Sending {
    async fn step(&mut self) -> Result<(), Problem> {
        if self.reading.is_some() {
            return self.read().await;
        }
        if let Some(entry) = self.entries.get(self.at) {
            let (head, file) = (entry.head(), entry.content().zip(entry.size()));
            let offset = self.written;
            self.lines.push(Line { crc32: 0, offset });
            self.push(&head);
            match file {
                Some((content, size)) => {
                    let gone = Problem::Contradiction("a content is not there");
                    let content = self.drive.database.content(content).await?.ok_or(gone)?;
                    let source = self.drive.blobs.read(&content.blob, ByteCount::ZERO, size).await;
                    let source = source.map_err(|error| blob_problem(&error))?;
                    self.reading = Some(Reading { source, crc32: Hasher::new(), left: size.get() });
                }
                None => self.at += 1,
            }
            return Ok(());
        }
        let first = *self.directory_at.get_or_insert(self.written);
        match self.entries.get(self.directory).zip(self.lines.get(self.directory)) {
            Some((entry, line)) => {
                let line = entry.directory(line.crc32, line.offset);
                self.directory += 1;
                self.push(&line);
            }
            None => {
                let end = end(self.entries.len() as u64, first, self.written.saturating_sub(first));
                self.push(&end);
                self.ended = true;
            }
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Problem> {
        let Some(reading) = &mut self.reading else { return Ok(()) };
        match reading.source.next().await.map_err(|error| blob_problem(&error))? {
            Some(bytes) => {
                let left = reading.left.checked_sub(bytes.len() as u64);
                reading.left = left.ok_or(Problem::Contradiction("a blob has more than its bytes"))?;
                reading.crc32.update(&bytes);
                if bytes.len() < GATHERED_BYTES {
                    self.push(&bytes);
                } else {
                    self.written += bytes.len() as u64;
                    self.rest = Some(bytes);
                }
            }
            None if reading.left > 0 => return Err(Problem::Contradiction("a blob has less than its bytes")),
            None => {
                let crc32 = self.reading.take().map_or(0, |reading| reading.crc32.finalize());
                if let (Some(line), Some(entry)) = (self.lines.last_mut(), self.entries.get(self.at)) {
                    line.crc32 = crc32;
                    let descriptor = entry.descriptor(crc32);
                    self.push(&descriptor);
                }
                self.at += 1;
            }
        }
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        self.gathered.extend_from_slice(bytes);
    }
}
