//! Is a server there, and would it serve? Asked over the wire, as any client would.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);
const ACTIVE_TEST: u8 = 111;
const QUERY_STORE_ONE: u8 = 101;
const QUERY_STORE_WITH_GROUP_ONE: u8 = 104;
const GROUP_NAME_LEN: usize = 16;

/// True when the server answers ACTIVE_TEST with status 0 (wire protocol: connection lifecycle).
#[must_use]
pub fn answers(server: SocketAddr) -> bool {
    ask(server, ACTIVE_TEST, &[]).is_some_and(|(status, _)| status == 0)
}

/// True when the tracker has a storage to upload to (wire protocol: QUERY_STORE).
#[must_use]
pub fn offers_storage(tracker: SocketAddr) -> bool {
    ask(tracker, QUERY_STORE_ONE, &[]).is_some_and(|(status, body)| status == 0 && body > 0)
}

/// The same for a storage of one group.
#[must_use]
pub fn offers_storage_of(tracker: SocketAddr, group: &str) -> bool {
    let mut body = group.as_bytes().to_vec();
    body.resize(GROUP_NAME_LEN, 0);
    ask(tracker, QUERY_STORE_WITH_GROUP_ONE, &body).is_some_and(|(status, body)| status == 0 && body > 0)
}

/// Sends a request; status and body length of the answer.
fn ask(server: SocketAddr, command: u8, body: &[u8]) -> Option<(u8, u64)> {
    let mut stream = TcpStream::connect_timeout(&server, TIMEOUT).ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(TIMEOUT)).ok()?;
    let mut request = (body.len() as u64).to_be_bytes().to_vec();
    request.extend([command, 0]);
    request.extend(body);
    stream.write_all(&request).ok()?;
    let mut header = [0; 10];
    stream.read_exact(&mut header).ok()?;
    let mut len = [0; 8];
    len.copy_from_slice(&header[..8]);
    Some((header[9], u64::from_be_bytes(len)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn server_that_answers(reply: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 10]).unwrap();
            stream.write_all(reply).unwrap();
        });
        address
    }

    #[test]
    fn a_server_that_answers_with_status_zero_is_there() {
        assert!(answers(server_that_answers(b"\0\0\0\0\0\0\0\0\x64\0")));
    }

    #[test]
    fn a_server_that_refuses_or_closes_is_not_there() {
        assert!(!answers(server_that_answers(b"\0\0\0\0\0\0\0\0\x64\x16")));
        assert!(!answers(server_that_answers(b"")));
    }

    #[test]
    fn a_tracker_is_asked_for_a_group_by_its_name() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = std::thread::spawn(move || offers_storage_of(address, "group2"));
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 26];
        stream.read_exact(&mut request).unwrap();
        assert_eq!(&request, b"\0\0\0\0\0\0\0\x10\x68\0group2\0\0\0\0\0\0\0\0\0\0");
        stream.write_all(b"\0\0\0\0\0\0\0\x28\x64\0").unwrap();
        assert!(asked.join().unwrap());
    }

    #[test]
    fn a_tracker_without_a_storage_offers_none() {
        assert!(!offers_storage(server_that_answers(b"\0\0\0\0\0\0\0\0\x64\x02")));
    }
}
