//! `fdfs_file_info`: what is known of a file, from its id when that says it, from a storage otherwise.

use std::net::IpAddr;

use fdfs_client::{Error, InfoFlags};
use fdfs_conf::StorageIds;
use fdfs_fileid::{FileId, Kind, Source, Stamp};
use jiff::tz::TimeZone;

use super::session::{Session, To};
use super::{Call, EXIT_FAILED, Trouble, human, options};

const WHAT: &str = "query file info";

/// What the tools show of a file.
pub(super) struct Shown {
    pub from_server: bool,
    pub kind: &'static str,
    pub source_id: u32,
    pub source_ip: Option<IpAddr>,
    pub unix_s: i64,
    pub size: u64,
    pub crc32: u32,
}

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    let options = options::parse(&call.args, b"ns", b"").map_err(|_| Trouble::Usage(1))?;
    let given = |letter| options.given.iter().any(|(one, _)| *one == letter);
    let flags = InfoFlags { no_crc: given(b'n'), silent: given(b's') };
    call.args = options.rest;
    let conf = call.path(0)?;
    call.arg(1)?;
    let session = Session::open(call, &conf)?;
    let id = match call.file_id(1, WHAT, To::Err) {
        Err(Trouble::Said(_)) => return Err(Trouble::Said(EXIT_FAILED)),
        other => other?,
    };
    let shown = match session.wait(look_up(&session, &id, flags)) {
        Ok(shown) => shown,
        Err(error) => return Err(call.failed_1(WHAT, &error, To::Err)),
    };
    let text = page(&shown, flags.no_crc, &TimeZone::system());
    Ok(call.out.write_all(text.as_bytes())?)
}

/// Finds out about a file; asks a storage only for what the id does not say.
pub(super) async fn look_up(session: &Session, id: &FileId, flags: InfoFlags) -> Result<Shown, Error> {
    let stamp = id.name.stamp();
    let kind = match id.name.kind() {
        Kind::Appender => "appender",
        Kind::Slave => "slave",
        Kind::Normal | Kind::Trunk => "normal",
    };
    if kind == "normal"
        && let Some(stamp) = &stamp
        && let Some(source_ip) = source_ip(session, stamp).await?
        && let Some(size) = stamp.size.size()
    {
        return Ok(Shown {
            from_server: false,
            kind,
            source_id: source_id(stamp),
            source_ip: Some(source_ip),
            unix_s: i64::from(stamp.timestamp),
            size,
            crc32: stamp.crc32,
        });
    }
    let info = session.client.file_info(id, flags).await?;
    Ok(Shown {
        from_server: true,
        kind,
        source_id: stamp.as_ref().map_or(0, source_id),
        source_ip: info.source,
        unix_s: info.mtime,
        size: info.size,
        crc32: info.crc32,
    })
}

fn source_id(stamp: &Stamp) -> u32 {
    match stamp.source {
        Source::Id(id) => id,
        Source::Ip(_) => 0,
    }
}

/// The address behind a stamp's source: itself, or what the table of ids says, when we have one.
async fn source_ip(session: &Session, stamp: &Stamp) -> Result<Option<IpAddr>, Error> {
    let id = match stamp.source {
        Source::Ip(ip) => return Ok(Some(ip.into())),
        Source::Id(id) => id,
    };
    let fetched;
    let ids = match &session.conf.storage_ids {
        Some(ids) => Some(ids),
        None if session.conf.load_fdfs_parameters_from_tracker => {
            fetched = ids_of_trackers(session).await?;
            fetched.as_ref()
        }
        None => None,
    };
    Ok(ids.and_then(|ids| ids.by_id(id)).and_then(|entry| entry.addr.ips().next()))
}

/// The table of ids from the first tracker that gives it.
async fn ids_of_trackers(session: &Session) -> Result<Option<StorageIds>, Error> {
    let mut last = Ok(None);
    for tracker in session.client.trackers() {
        match tracker.storage_ids().await {
            Ok(text) => {
                let text = String::from_utf8_lossy(&text);
                return Ok(StorageIds::parse("the tracker's storage ids", &text).ok());
            }
            Err(error) => last = Err(error),
        }
    }
    last
}

fn page(shown: &Shown, no_crc: bool, zone: &TimeZone) -> String {
    let crc = if no_crc && shown.crc32 == 0 {
        String::new()
    } else {
        // The original prints the checksum as a signed number.
        format!("file crc32: {} (0x{:08x})\n", shown.crc32 as i32, shown.crc32)
    };
    format!(
        "GET FROM SERVER: {}\n\nfile type: {}\nsource storage id: {}\nsource ip address: {}\n\
         file create timestamp: {}\nfile size: {}\n{crc}\n",
        shown.from_server,
        shown.kind,
        shown.source_id,
        shown.source_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        human::time(shown.unix_s, zone),
        shown.size,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Shown {
        Shown {
            from_server: true,
            kind: "appender",
            source_id: 100_003,
            source_ip: Some("127.0.0.15".parse().unwrap()),
            unix_s: 1_795_350_773,
            size: 3014,
            crc32: 0xfa0a_0bc0,
        }
    }

    #[test]
    fn the_page_is_the_one_of_the_recorded_tool() {
        let expected = "GET FROM SERVER: true\n\nfile type: appender\nsource storage id: 100003\n\
            source ip address: 127.0.0.15\nfile create timestamp: 2026-11-22 12:32:53\nfile size: 3014\n\
            file crc32: -100004928 (0xfa0a0bc0)\n\n";
        assert_eq!(page(&shown(), false, &TimeZone::UTC), expected);
        let transcript = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../fixtures/fastdfs-6.16.1/trunk-2-trackers-4-storages/tools-transcript.txt"
        ));
        assert!(transcript.contains(expected));
    }

    #[test]
    fn a_checksum_nobody_asked_for_is_left_out() {
        let page = page(&Shown { crc32: 0, ..shown() }, true, &TimeZone::UTC);
        assert!(page.ends_with("file size: 3014\n\n"), "{page}");
    }
}
