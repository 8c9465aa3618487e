//! The log of requests, `logs/storage_access.log`, in the original's columns (storage internals: logs).

use std::time::{Duration, Instant, SystemTime};

use daemon::log::LogSink;
use fdfs_fileid::FileName;
use fdfs_proto::{HEADER_LEN, Header, StorageCommand};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use net::Conn;

use crate::connection::Done;
use crate::server::Server;

/// Where lines go, and the unit of their times.
pub(crate) struct AccessLog {
    pub(crate) sink: LogSink,
    pub(crate) microseconds: bool,
}

/// What is noted of one request while it is served.
pub(crate) struct Access(Option<Box<Noted>>);

struct Noted {
    action: &'static str,
    began: (SystemTime, Instant),
    file: String,
}

/// The word for a command; `None` for those that are never logged.
fn action(command: StorageCommand) -> Option<&'static str> {
    use StorageCommand as C;
    Some(match command {
        C::UploadFile | C::UploadAppender | C::UploadSlave => "upload",
        C::DownloadFile => "download",
        C::DeleteFile => "delete",
        C::GetMetadata => "get_metadata",
        C::SetMetadata => "set_metadata",
        C::Modify => "modify",
        C::Append => "append",
        C::Truncate => "truncate",
        C::QueryFileInfo => "status",
        C::RegenerateName => "rename",
        _ => return None,
    })
}

impl Access {
    /// A request has come.
    pub(crate) fn begin(server: &Server, command: StorageCommand) -> Self {
        let wanted = server.access_log.as_ref().and_then(|_| action(command));
        Self(wanted.map(|action| {
            Box::new(Noted { action, began: (SystemTime::now(), Instant::now()), file: "-".into() })
        }))
    }

    /// It is about this file.
    pub(crate) fn name(&mut self, name: &FileName) {
        if let Some(noted) = &mut self.0 {
            noted.file = name.to_string();
        }
    }

    /// It gave a file another name.
    pub(crate) fn renamed(&mut self, old: &FileName, new: &FileName) {
        if let Some(noted) = &mut self.0 {
            noted.file = format!("{old}=>{new}");
        }
    }

    /// It is done.
    pub(crate) fn end(self, server: &Server, conn: &Conn, header: Header, done: &Done) {
        if let (Some(noted), Some(log)) = (self.0, &server.access_log) {
            let answer = done.sent.max(done.answer.len() as u64).max(HEADER_LEN as u64);
            let line = line(&noted, log.microseconds, conn, header, done, answer, noted.began.1.elapsed());
            log.sink.line(line.as_bytes());
        }
    }
}

fn line(
    noted: &Noted,
    microseconds: bool,
    conn: &Conn,
    header: Header,
    done: &Done,
    answer: u64,
    took: Duration,
) -> String {
    let began = Timestamp::try_from(noted.began.0).unwrap_or_default().to_zoned(TimeZone::system());
    let (fraction, took) = if microseconds {
        (i64::from(began.subsec_nanosecond()) / 1_000, took.as_micros())
    } else {
        (i64::from(began.subsec_nanosecond()) / 1_000_000, took.as_millis())
    };
    format!(
        "[{}.{fraction:03}] {} {} {} {} {took} {} {answer}",
        began.strftime("%Y-%m-%d %H:%M:%S"),
        conn.peer_ip(),
        noted.action,
        noted.file,
        done.status.0,
        header.body_len.saturating_add(HEADER_LEN as u64),
    )
}
