//! The few messages the load generator speaks, as prebuilt bytes.
//!
//! It does not use the product's own codec on purpose: a generator that shares code with the server
//! under load would share its mistakes, and would slow down or speed up together with it. Layouts are those
//! of the wire protocol reference: header, QUERY_STORE_ONE, UPLOAD_FILE, DOWNLOAD_FILE, DELETE_FILE, ACTIVE_TEST.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// Bytes of the header before every body: length (8, big endian), command, status.
pub(crate) const HEADER_LEN: usize = 10;
/// Bytes of a group name field.
pub(crate) const GROUP_LEN: usize = 16;
/// Longest file name the protocol allows.
pub(crate) const NAME_LEN_MAX: usize = 127;
/// Longest reply body that is kept: group and name of an upload.
pub(crate) const REPLY_LEN_MAX: usize = GROUP_LEN + NAME_LEN_MAX;
/// Longest request without content: a download.
pub(crate) const HEAD_LEN_MAX: usize = HEADER_LEN + 16 + REPLY_LEN_MAX;

/// How long a connect or one exchange outside the measured loop may take.
pub(crate) const SETUP_TIMEOUT: Duration = Duration::from_secs(10);

const DELETE_FILE: u8 = 12;
const DOWNLOAD_FILE: u8 = 14;
const UPLOAD_FILE: u8 = 11;
const QUERY_STORE_ONE: u8 = 101;
const ACTIVE_TEST: u8 = 111;

/// A storage server as the tracker named it, and the path it wants uploads on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Storage {
    pub(crate) address: SocketAddr,
    pub(crate) path_index: u8,
}

/// Group and name of one stored file, as the upload reply held them: both are sent back verbatim.
#[derive(Clone, Copy)]
pub(crate) struct FileRef {
    bytes: [u8; REPLY_LEN_MAX],
    len: u8,
}

impl FileRef {
    /// `body` is the body of an upload reply: 16 bytes of group, then the name.
    pub(crate) fn from_upload_reply(body: &[u8]) -> Option<FileRef> {
        if body.len() <= GROUP_LEN || body.len() > REPLY_LEN_MAX {
            return None;
        }
        let mut bytes = [0; REPLY_LEN_MAX];
        bytes[..body.len()].copy_from_slice(body);
        Some(FileRef { bytes, len: body.len() as u8 })
    }

    fn group_and_name(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// A request without content, built in place so that the loop never allocates.
pub(crate) struct Head {
    bytes: [u8; HEAD_LEN_MAX],
    len: usize,
}

impl Head {
    pub(crate) fn empty() -> Head {
        Head { bytes: [0; HEAD_LEN_MAX], len: 0 }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// DOWNLOAD_FILE of the whole file: offset 8, byte count 8 (zero means to the end), group 16, name.
    pub(crate) fn set_download(&mut self, file: &FileRef) {
        self.set(DOWNLOAD_FILE, &[0; 16], file);
    }

    /// DELETE_FILE: group 16, name.
    pub(crate) fn set_delete(&mut self, file: &FileRef) {
        self.set(DELETE_FILE, &[], file);
    }

    fn set(&mut self, command: u8, fixed: &[u8], file: &FileRef) {
        let tail = file.group_and_name();
        let body_len = fixed.len() + tail.len();
        self.bytes[..HEADER_LEN].copy_from_slice(&header(body_len as u64, command));
        self.bytes[HEADER_LEN..HEADER_LEN + fixed.len()].copy_from_slice(fixed);
        self.bytes[HEADER_LEN + fixed.len()..HEADER_LEN + body_len].copy_from_slice(tail);
        self.len = HEADER_LEN + body_len;
    }
}

/// A whole UPLOAD_FILE request: header, path index 1, size 8, extension 6, content.
pub(crate) fn upload_request(path_index: u8, content: &[u8]) -> Vec<u8> {
    let mut out = upload_head(path_index, content.len() as u64);
    out.extend_from_slice(content);
    out
}

/// The same, as far as the content.
pub(crate) fn upload_head(path_index: u8, size: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_LEN + 15);
    out.extend_from_slice(&header(15 + size, UPLOAD_FILE));
    out.push(path_index);
    out.extend_from_slice(&size.to_be_bytes());
    out.extend_from_slice(b"bin\0\0\0");
    out
}

fn header(body_len: u64, command: u8) -> [u8; HEADER_LEN] {
    let mut out = [0; HEADER_LEN];
    out[..8].copy_from_slice(&body_len.to_be_bytes());
    out[8] = command;
    out
}

/// Body length and status of a reply header.
pub(crate) fn reply_header(bytes: &[u8; HEADER_LEN]) -> (u64, u8) {
    let mut len = [0; 8];
    len.copy_from_slice(&bytes[..8]);
    (u64::from_be_bytes(len), bytes[9])
}

/// Asks the tracker where to upload. One exchange; the tracker is not in the loop afterwards.
pub(crate) fn query_store(tracker: SocketAddr) -> Result<Storage> {
    let mut stream = connect(tracker)?;
    stream.write_all(&header(0, QUERY_STORE_ONE))?;
    let body = read_reply(&mut stream).with_context(|| format!("ask tracker {tracker} for a storage"))?;
    // The address text is one byte shorter than its width of 16 or 46.
    let address_len = match body.len() {
        40 => 15,
        70 => 45,
        other => bail!("tracker {tracker} answered {other} bytes where 40 or 70 were due"),
    };
    let (address, rest) = body[GROUP_LEN..].split_at(address_len);
    let text: Vec<u8> = address.iter().copied().take_while(|byte| *byte != 0).collect();
    let ip: IpAddr = String::from_utf8(text)?.parse().context("address of the storage")?;
    let mut port = [0; 8];
    port.copy_from_slice(&rest[..8]);
    let port = u16::try_from(u64::from_be_bytes(port)).context("port of the storage")?;
    Ok(Storage { address: SocketAddr::new(ip, port), path_index: rest[8] })
}

/// Connects and proves the connection with one ACTIVE_TEST, so that accepting it is not measured.
pub(crate) fn connect_ready(storage: SocketAddr) -> Result<TcpStream> {
    let mut stream = connect(storage)?;
    stream.write_all(&header(0, ACTIVE_TEST))?;
    read_reply(&mut stream).with_context(|| format!("active test of storage {storage}"))?;
    Ok(stream)
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, SETUP_TIMEOUT)
        .with_context(|| format!("connect to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SETUP_TIMEOUT))?;
    stream.set_write_timeout(Some(SETUP_TIMEOUT))?;
    Ok(stream)
}

/// The body of a short reply that says that all went well.
pub(crate) fn read_reply(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut head = [0; HEADER_LEN];
    stream.read_exact(&mut head)?;
    let (len, status) = reply_header(&head);
    ensure!(status == 0, "status {status}");
    ensure!(len <= REPLY_LEN_MAX as u64, "a reply of {len} bytes");
    let mut body = vec![0; len as usize];
    stream.read_exact(&mut body)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> FileRef {
        FileRef::from_upload_reply(b"group1\0\0\0\0\0\0\0\0\0\0M00/00/00/name.bin").unwrap()
    }

    #[test]
    fn an_upload_request_carries_path_size_extension_and_content() {
        let request = upload_request(2, b"abc");
        assert_eq!(request, b"\0\0\0\0\0\0\0\x12\x0b\0\x02\0\0\0\0\0\0\0\x03bin\0\0\0abc");
    }

    #[test]
    fn a_download_request_asks_for_the_whole_file() {
        let mut head = Head::empty();
        head.set_download(&file());
        let (fixed, name) = head.bytes().split_at(HEADER_LEN + 16);
        assert_eq!(fixed, b"\0\0\0\0\0\0\0\x32\x0e\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(name, b"group1\0\0\0\0\0\0\0\0\0\0M00/00/00/name.bin");
    }

    #[test]
    fn a_delete_request_replaces_a_longer_one_whole() {
        let mut head = Head::empty();
        head.set_download(&file());
        head.set_delete(&file());
        assert_eq!(head.bytes().len(), HEADER_LEN + GROUP_LEN + "M00/00/00/name.bin".len());
        assert_eq!(&head.bytes()[..HEADER_LEN], b"\0\0\0\0\0\0\0\x22\x0c\0");
    }

    #[test]
    fn an_upload_reply_without_a_name_is_refused() {
        assert!(FileRef::from_upload_reply(b"group1\0\0\0\0\0\0\0\0\0\0").is_none());
        assert!(FileRef::from_upload_reply(&[b'x'; REPLY_LEN_MAX + 1]).is_none());
    }
}
