//! What `fdfs_test` and `fdfs_appender_test` have in common: the ways to hand over content, and the block of
//! lines about a file.

use std::net::IpAddr;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fdfs_client::{Content, Error, InfoFlags, Metadata, ServerAddr};
use fdfs_fileid::{ExtName, FileId, token};
use jiff::tz::TimeZone;

use super::file_info::look_up;
use super::session::{Session, To};
use super::{Call, Trouble, human};

/// How the program hands the local file to the library. On the wire all three are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    File,
    Buffer,
    Callback,
}

impl Way {
    /// The word on the command line; anything else means by file.
    pub(super) fn from_arg(call: &Call<'_>, at: usize) -> Self {
        match call.text(at).as_deref() {
            Ok("BUFF") => Self::Buffer,
            Ok("CALLBACK") => Self::Callback,
            _ => Self::File,
        }
    }

    /// The end of the name of the library's function, as the program prints it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::File => "filename",
            Self::Buffer => "filebuff",
            Self::Callback => "callback",
        }
    }

    /// The local file's content.
    pub(super) async fn content(self, local: &Path) -> Result<Content<'static>, Error> {
        Content::file(local).await
    }
}

/// The metadata the program gives every file.
pub(super) fn metadata() -> Metadata {
    [("ext_name", "jpg"), ("width", "160"), ("height", "80"), ("file_size", "115120")].into_iter().collect()
}

/// The extension of a local file, with the two-dot rule.
pub(super) fn ext(local: &Path) -> ExtName {
    ExtName::from_path(&local.to_string_lossy())
}

/// First lines of the output.
pub(super) fn banner(call: &mut Call<'_>) -> Result<(), Trouble> {
    let version = env!("CARGO_PKG_VERSION");
    Ok(writeln!(call.out, "This is FastDFS client test program v6.16.1 (Cairn {version})\n")?)
}

/// `group_name=…, ip_addr=…, port=…`
pub(super) fn server_line(group: &str, server: &ServerAddr) -> String {
    format!("group_name={group}, ip_addr={}, port={}", host(server), server.port())
}

/// The address without its port, and without the brackets of IPv6.
pub(super) fn host(server: &ServerAddr) -> String {
    server.ips().next().map(|ip: IpAddr| ip.to_string()).unwrap_or_default()
}

/// Example address for a browser, with a token when the configuration has the secret.
pub(super) fn url(session: &Session, server: &ServerAddr, id: &FileId) -> String {
    let host = match server.ips().next() {
        Some(IpAddr::V6(ip)) => format!("[{ip}]"),
        _ => host(server),
    };
    let mut url = format!("http://{host}/{id}");
    let anti_steal = &session.conf.anti_steal;
    if let Some(secret) = anti_steal.secret_key.as_deref().filter(|_| anti_steal.check_token) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let ts = i64::try_from(now).unwrap_or(i64::MAX);
        // Web servers compute the token from the name without the group. The original's program takes the
        // whole id, and its tokens open nothing.
        let token = token::make(id.name.as_str(), secret, ts);
        url.push_str(&format!("?token={token}&ts={ts}"));
    }
    url
}

/// Source, time, size, and, where wanted, checksum of a file; gives the size.
pub(super) fn write_info(
    call: &mut Call<'_>,
    session: &Session,
    id: &FileId,
    with_crc: bool,
) -> Result<u64, Trouble> {
    let info = match session.wait(look_up(session, id, InfoFlags::default())) {
        Ok(info) => info,
        Err(error) => return Err(call.failed("query file info", &error, To::Out)),
    };
    let source = info.source_ip.map(|ip| ip.to_string()).unwrap_or_default();
    writeln!(call.out, "source ip address: {source}")?;
    writeln!(call.out, "file timestamp={}", human::time(info.unix_s, &TimeZone::system()))?;
    writeln!(call.out, "file size={}", info.size)?;
    if with_crc {
        writeln!(call.out, "file crc32={}", info.crc32)?;
    }
    Ok(info.size)
}
