//! An S3 server whose answers are lost or late, which no real one can be told to be.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod suite;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use drive_blobs::{S3Settings, on_s3};
use drive_core::ports::{BlobError, BlobStore, PIECE_BYTES_MAX};
use suite::{Pieces, append, bytes, count, expect, put, seal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const MIB: usize = 1024 * 1024;
/// Patient, because tests share few cores.
const DEADLINE: Duration = Duration::from_secs(20);
/// Of tests that wait for it to be over. What is to be answered within it waits for a core as well.
const SHORT_DEADLINE: Duration = Duration::from_secs(4);
/// What a deadline may be missed by: the machine has more to do.
const SLACK: Duration = Duration::from_secs(3);

/// What becomes of the requests that make an object: `PutObject` and `CompleteMultipartUpload`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Makes {
    /// It is made and answered.
    Well,
    /// It is made, and a proxy answers that it knows of nothing.
    Unanswered,
    /// It is not made, and a proxy answers so.
    Nothing,
    /// It is made when somebody has removed what was not there yet, and is not answered.
    Late,
}

/// Objects and multipart uploads by the paths of the objects.
struct Stub {
    address: String,
    makes: Makes,
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    uploads: Mutex<BTreeMap<String, BTreeMap<usize, Vec<u8>>>>,
    removed: watch::Sender<BTreeSet<String>>,
    made: watch::Sender<usize>,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
}

impl Answer {
    fn of(status: &'static str, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, headers: "ETag: \"tag\"\r\n".to_owned(), body: body.into() }
    }

    fn error(status: &'static str, code: &str) -> Answer {
        Answer::of(status, format!("<Error><Code>{code}</Code></Error>"))
    }
}

impl Stub {
    async fn start(makes: Makes) -> Arc<Stub> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub = Arc::new(Stub {
            address: listener.local_addr().unwrap().to_string(),
            makes,
            objects: Mutex::default(),
            uploads: Mutex::default(),
            removed: watch::Sender::default(),
            made: watch::Sender::default(),
        });
        let serving = Arc::clone(&stub);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let stub = Arc::clone(&serving);
                tokio::spawn(async move { stub.serve(connection).await });
            }
        });
        stub
    }

    fn store(&self, deadline: Duration) -> Arc<dyn BlobStore> {
        on_s3(&S3Settings {
            endpoint: format!("http://{}", self.address),
            region: "us-east-1".to_owned(),
            bucket: "blobs".to_owned(),
            prefix: "drive".to_owned(),
            access_key_id: "test".to_owned(),
            secret_access_key: "test".to_owned(),
            virtual_host_style: false,
            deadline,
        })
        .unwrap()
    }

    fn lengths(&self) -> Vec<usize> {
        self.objects.lock().unwrap().values().map(Vec::len).collect()
    }

    fn is_empty_at_last(&self) {
        let look = || self.lengths().is_empty().then_some(());
        testkit::wait::until("no object", testkit::wait::READY, look).unwrap();
    }

    async fn serve(&self, mut connection: TcpStream) {
        // Whoever goes away in the middle has asked for nothing.
        let Some(request) = read(&mut connection).await else { return };
        let head = request.method == "HEAD";
        let Some(Answer { status, headers, body }) = self.answer(request).await else {
            // Until the other end goes.
            let _ = connection.read_u8().await;
            return;
        };
        let length = body.len();
        let text =
            format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
        let _ = connection.write_all(text.as_bytes()).await;
        if !head {
            let _ = connection.write_all(&body).await;
        }
    }

    async fn answer(&self, request: Request) -> Option<Answer> {
        let Request { method, path, query, headers, body } = request;
        let query: BTreeMap<_, _> =
            query.split('&').map(|item| item.split_once('=').unwrap_or((item, ""))).collect();
        Some(match method.as_str() {
            "POST" if query.contains_key("uploads") => {
                self.uploads.lock().unwrap().insert(path, BTreeMap::new());
                Answer::of(
                    "200 OK",
                    "<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>",
                )
            }
            "POST" if query.contains_key("uploadId") => {
                let Some(parts) = self.uploads.lock().unwrap().remove(&path) else {
                    return Some(Answer::error("404 Not Found", "NoSuchUpload"));
                };
                let whole = parts.into_values().flatten().collect();
                let text = "<CompleteMultipartUploadResult><ETag>tag</ETag></CompleteMultipartUploadResult>";
                return self.make(path, whole, text).await;
            }
            "POST" => {
                let text = String::from_utf8(body).unwrap();
                for item in text.split("<Key>").skip(1) {
                    let (key, _) = item.split_once("</Key>").unwrap();
                    self.remove(&format!("/blobs/{key}"));
                }
                Answer::of("200 OK", "<DeleteResult></DeleteResult>")
            }
            "PUT" if query.contains_key("partNumber") => {
                let number = query["partNumber"].parse().unwrap();
                self.uploads.lock().unwrap().get_mut(&path).unwrap().insert(number, body);
                Answer::of("200 OK", "")
            }
            "PUT" => match headers.get("x-amz-copy-source") {
                None => return self.make(path, body, "").await,
                Some(source) => {
                    let source = format!("/{}", source.trim_start_matches('/'));
                    let mut objects = self.objects.lock().unwrap();
                    let Some(copied) = objects.get(&source).cloned() else {
                        return Some(Answer::error("404 Not Found", "NoSuchKey"));
                    };
                    objects.insert(path, copied);
                    Answer::of("200 OK", "<CopyObjectResult><ETag>tag</ETag></CopyObjectResult>")
                }
            },
            "DELETE" if query.contains_key("uploadId") => {
                self.uploads.lock().unwrap().remove(&path);
                Answer::of("204 No Content", "")
            }
            "DELETE" => {
                self.remove(&path);
                Answer::of("204 No Content", "")
            }
            _ => {
                let objects = self.objects.lock().unwrap();
                let Some(object) = objects.get(&path) else {
                    return Some(Answer::error("404 Not Found", "NoSuchKey"));
                };
                let Some(range) = headers.get("range").and_then(|range| range.strip_prefix("bytes=")) else {
                    return Some(Answer::of("200 OK", object.clone()));
                };
                let (from, to) = range.split_once('-').unwrap();
                let from: usize = from.parse().unwrap();
                let to = to.parse().map_or(object.len(), |last: usize| object.len().min(last + 1));
                let mut answer = Answer::of("206 Partial Content", &object[from..to]);
                let range = format!("Content-Range: bytes {from}-{}/{}\r\n", to - 1, object.len());
                answer.headers.push_str(&range);
                answer
            }
        })
    }

    async fn make(&self, path: String, whole: Vec<u8>, answer: &str) -> Option<Answer> {
        if self.makes == Makes::Late {
            self.removed.subscribe().wait_for(|removed| removed.contains(&path)).await.unwrap();
        }
        if self.makes != Makes::Nothing {
            self.objects.lock().unwrap().insert(path, whole);
            self.made.send_modify(|made| *made += 1);
        }
        match self.makes {
            Makes::Well => Some(Answer::of("200 OK", answer)),
            Makes::Unanswered | Makes::Nothing => Some(Answer::of("504 Gateway Timeout", "")),
            Makes::Late => None,
        }
    }

    fn remove(&self, path: &str) {
        self.objects.lock().unwrap().remove(path);
        self.removed.send_modify(|removed| {
            removed.insert(path.to_owned());
        });
    }
}

async fn read(connection: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    Some(Request { method, path: path.to_owned(), query: query.to_owned(), headers, body })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_there_is_stored_whatever_was_answered() {
    let stub = Stub::start(Makes::Unanswered).await;
    let store = stub.store(DEADLINE);
    // One request, and a multipart upload.
    for length in [100, 9 * MIB] {
        let content = bytes(1, length);
        let key = put(&*store, &content).await;
        assert_eq!(stub.lengths(), [length]);
        expect(&*store, &key, &content).await;
        store.delete(&key).await.unwrap();
    }
    let partial = append(&*store, None, b"a piece").await;
    assert_eq!(stub.lengths(), [7]);
    store.discard(&partial).await.unwrap();
    assert_eq!(stub.lengths(), [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_the_store_forgot_is_no_missing_blob() {
    let stub = Stub::start(Makes::Nothing).await;
    let store = stub.store(DEADLINE);
    let content = bytes(2, 9 * MIB);
    let outcome = store.put(count(content.len()), &mut Pieces::of(&content)).await;
    assert!(matches!(outcome, Err(BlobError::Unavailable(_))), "{outcome:?}");
    assert_eq!(stub.lengths(), [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_comes_after_its_deadline_is_removed() {
    let comes_late = async |appended| {
        let stub = Stub::start(Makes::Late).await;
        let store = stub.store(SHORT_DEADLINE);
        let begun = Instant::now();
        let outcome = match appended {
            false => store.put(count(100), &mut Pieces::of(&bytes(3, 100))).await.map(drop),
            true => store.append(None, bytes(3, 100).into()).await.map(drop),
        };
        assert!(matches!(outcome, Err(BlobError::Unavailable(_))), "{outcome:?}");
        assert!(begun.elapsed() < SHORT_DEADLINE + SLACK, "{:?}", begun.elapsed());
        let mut all = stub.made.subscribe();
        let late = tokio::time::timeout(testkit::wait::READY, all.wait_for(|all| *all == 1)).await;
        late.unwrap().unwrap();
        stub
    };
    // Together, because both wait for the deadline.
    let (put, appended) = tokio::join!(comes_late(false), comes_late(true));
    put.is_empty_at_last();
    appended.is_empty_at_last();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sealed_under_a_key_that_nobody_kept_is_discarded_whole() {
    let stub = Stub::start(Makes::Well).await;
    let store = stub.store(DEADLINE);
    // So many that they have an index, and one that is short.
    let content = bytes(4, 9 * PIECE_BYTES_MAX + 5);
    for sealed in [false, true] {
        let mut partial = None;
        for piece in content.chunks(PIECE_BYTES_MAX) {
            partial = Some(append(&*store, partial.as_ref(), piece).await);
        }
        let partial = partial.unwrap();
        assert_eq!(stub.lengths().len(), 11);
        if sealed {
            seal(&*store, &partial).await;
        } else {
            // As a seal leaves it that gets no further than the last object.
            let text = partial.state.split('|').next().unwrap();
            let last = text.rsplit(',').next().unwrap().split('@').next().unwrap();
            let mut objects = stub.objects.lock().unwrap();
            let object = objects.remove(&format!("/blobs/drive/{last}")).unwrap();
            objects.insert(format!("/blobs/drive/{last}s"), object);
        }
        store.discard(&partial).await.unwrap();
        assert_eq!(stub.lengths(), [0; 0]);
        store.discard(&partial).await.unwrap();
    }
}
