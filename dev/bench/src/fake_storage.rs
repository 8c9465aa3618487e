//! A storage for the tests of the generator: a thread per connection, files in memory, refusals on demand.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

const ENOENT: u8 = 2;

/// What all connections share.
#[derive(Default)]
pub(crate) struct Files {
    /// Content length by group and name, as the requests carry them.
    pub(crate) kept: BTreeMap<Vec<u8>, u64>,
    pub(crate) made: u64,
    /// Every so-manieth upload is refused with status 28; never when zero.
    pub(crate) refuse_every: u64,
}

/// Serves until the test ends.
pub(crate) fn start(refuse_every: u64) -> (SocketAddr, Arc<Mutex<Files>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let files = Arc::new(Mutex::new(Files { refuse_every, ..Files::default() }));
    let shared = files.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let files = shared.clone();
            std::thread::spawn(move || serve(stream.unwrap(), &files));
        }
    });
    (address, files)
}

fn serve(mut stream: TcpStream, files: &Mutex<Files>) {
    let mut header = [0; 10];
    while stream.read_exact(&mut header).is_ok() {
        let mut body = vec![0; u64::from_be_bytes(header[..8].try_into().unwrap()) as usize];
        stream.read_exact(&mut body).unwrap();
        let (status, reply) = answer(header[8], &body, &mut files.lock().unwrap());
        let mut bytes = (reply.len() as u64).to_be_bytes().to_vec();
        bytes.extend_from_slice(&[100, status]);
        bytes.extend_from_slice(&reply);
        // The generator may have gone away: that is its right.
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn answer(command: u8, body: &[u8], files: &mut Files) -> (u8, Vec<u8>) {
    match command {
        11 => {
            files.made += 1;
            if files.refuse_every > 0 && files.made.is_multiple_of(files.refuse_every) {
                return (28, Vec::new());
            }
            let mut name = b"group1\0\0\0\0\0\0\0\0\0\0".to_vec();
            name.extend_from_slice(format!("M00/00/00/{:034}", files.made).as_bytes());
            files.kept.insert(name.clone(), body.len() as u64 - 15);
            (0, name)
        }
        12 => files.kept.remove(body).map_or((ENOENT, Vec::new()), |_| (0, Vec::new())),
        14 => files.kept.get(&body[16..]).map_or((ENOENT, Vec::new()), |len| (0, vec![7; *len as usize])),
        _ => (0, Vec::new()),
    }
}
