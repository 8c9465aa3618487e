//! Fills `corpus/` from the recordings of the original: one file per message, under the target that reads it.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::{fs, io};

use fcgi_proto::{encode, kind, push_pair};
use fdfs_proto::{StorageCommand, TrackerCommand};
use serde_json::Value;

fn main() -> io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recordings = here.join("../../fixtures/fastdfs-6.16.1");
    for recording in fs::read_dir(recordings)? {
        let recording = recording?.path();
        messages(&recording.join("wire.jsonl"), &here.join("corpus"))?;
        for name in ["storage_ids.conf", "h.txt"] {
            if let Ok(text) = fs::read(recording.join(name)) {
                put(&here.join("corpus/storage_ids"), &text)?;
                put(&here.join("corpus/conf"), &text)?;
            }
        }
    }
    for text in [
        &b"#include b.conf\n[s]\nk = v\n"[..],
        b"#@if LOCAL_IP in [10.0.0.1, 10.0.0.2]\na = 1\n#@else\na = 2\n#@endif\n",
        b"#@for i from 1 to 3 step 1\nk{$i} = {$i}\n#@endfor\n",
        b"#@set port = 23000\nport = %{port}\nname = %{LOCAL_HOST}\n",
        b"#@function REPLACE_VARS\nk = %{a}\n",
    ] {
        put(&here.join("corpus/ini"), text)?;
    }
    put(&here.join("corpus/fastcgi"), &fastcgi())?;
    Ok(())
}

/// A request, a question, and a second request that is aborted, to be read in pieces of 64 bytes.
fn fastcgi() -> Vec<u8> {
    let mut pairs = Vec::new();
    for (name, value) in
        [("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/a?b"), ("HTTP_HOST", "c"), ("CONTENT_LENGTH", "2")]
    {
        push_pair(name.as_bytes(), value.as_bytes(), &mut pairs);
    }
    let mut out = vec![63];
    for (kind, id, content) in [
        (kind::BEGIN_REQUEST, 1, &[0, 1, 1, 0, 0, 0, 0, 0][..]),
        (kind::PARAMS, 1, &pairs),
        (kind::PARAMS, 1, &[]),
        (kind::STDIN, 1, b"hi"),
        (kind::STDIN, 1, &[]),
        (kind::GET_VALUES, 0, b"\x0e\0FCGI_MAX_CONNS"),
        (kind::BEGIN_REQUEST, 2, &[0, 1, 0, 0, 0, 0, 0, 0]),
        (kind::ABORT_REQUEST, 1, &[]),
    ] {
        encode::record(kind, id, content, &mut out);
    }
    out
}

fn messages(wire: &Path, corpus: &Path) -> io::Result<()> {
    let mut waiting: BTreeMap<u64, VecDeque<u8>> = BTreeMap::new();
    for line in fs::read_to_string(wire)?.lines() {
        let message: Value = serde_json::from_str(line)?;
        let text = |key: &str| message[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| message[key].as_u64().unwrap_or_default();
        let body = unhex(&(text("body") + &text("body_head")));
        let more = u16::try_from(number("len") - body.len() as u64).unwrap_or(u16::MAX).to_be_bytes();
        let waiting = waiting.entry(number("stream")).or_default();
        let is_request = message["kind"] == "request";
        let code = if is_request { Some(number("cmd") as u8) } else { waiting.pop_front() };
        let Some(code) = code else { continue };
        if is_request && code != StorageCommand::Quit.code() {
            waiting.push_back(code);
        }
        let server = text("server");
        let index = match server.as_str() {
            "tracker" => TrackerCommand::ALL.iter().position(|command| command.code() == code),
            _ => StorageCommand::ALL.iter().position(|command| command.code() == code),
        };
        let Some(index) = index else { continue };
        let mut input = vec![index as u8, number("status") as u8, more[0], more[1]];
        input.extend_from_slice(&body);
        let kind = if is_request { "request" } else { "reply" };
        put(&corpus.join(format!("{server}_{kind}")), &input)?;
        // File ids, metadata and state files come out of messages too.
        for part in body.split(|byte| *byte == 0).filter(|part| part.len() > 9) {
            if part.starts_with(b"M00/") {
                put(&corpus.join("file_id"), part)?;
                put(&corpus.join("file_id"), &[b"group1/", part].concat())?;
                put(&corpus.join("binlog"), &[b"1795350772 C ", part, b"\n"].concat())?;
            } else if part.contains(&2) {
                put(&corpus.join("metadata"), part)?;
            } else if part.contains(&b'=') {
                put(&corpus.join("conf"), part)?;
                put(&corpus.join("ini"), part)?;
                put(&corpus.join("state_files"), part)?;
            }
        }
    }
    Ok(())
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or_default() as u8;
    text.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// Equal inputs have the same name, so that a corpus holds each once.
fn put(folder: &Path, input: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let path = folder.join(format!("seed-{hash:016x}"));
    fs::write(&path, input)?;
    Ok(path)
}
