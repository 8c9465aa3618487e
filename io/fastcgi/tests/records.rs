//! Conversations with one connection: what web servers do, and what they should not. Time is virtual.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod service;
mod web;

use std::time::Duration;

use fastcgi::{Broken, Limits, OUT_MAX, PIECES_MAX, READ_LEN, serve_stream};
use fcgi_proto::kind;
use net::StopSource;
use service::Service;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use web::{Answer, Web, begin, get, head, params, record};

/// What is on its way between the two, each way.
const PIPE_LEN: usize = 1000;

struct Case {
    web: Web<DuplexStream>,
    service: Service,
    events: UnboundedReceiver<&'static str>,
    stop: StopSource,
    server: JoinHandle<Result<(), Broken>>,
}

fn start() -> Case {
    let (near, far) = tokio::io::duplex(PIPE_LEN);
    let ((service, events), (stop, stopping)) = (Service::new(), StopSource::new());
    let answering = service.clone();
    let limits = Limits {
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(100),
        content_timeout: Duration::from_secs(50),
        max_connections: 12,
        ..Limits::default()
    };
    let server = tokio::spawn(async move {
        let handler = |request| answering.clone().answer(request);
        serve_stream(far, stopping, &limits, &handler).await
    });
    Case { web: Web(near), service, events, stop, server }
}

fn complete(text: &str) -> Answer {
    Answer { text: text.to_owned(), log: String::new(), status: 0 }
}

const NOT_FOUND: &str = "Status: 404 Not Found\r\ncontent-length: 12\r\n\r\nnothing here";
const WAITED: &str = "Status: 200 OK\r\ncontent-length: 6\r\n\r\nwaited";

#[tokio::test(start_paused = true)]
async fn a_connection_stays_as_long_as_the_web_server_wants_it() {
    let mut case = start();
    for _ in 0..3 {
        assert_eq!(case.web.ask(true, "/x").await, NOT_FOUND);
    }
    assert_eq!(case.web.ask(false, "/x").await, NOT_FOUND);
    assert_eq!(case.web.record().await, None);
    case.server.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_small_answer_is_one_write() {
    let mut case = start();
    case.web.send(get(1, true, "/x")).await;
    let mut bytes = vec![0; PIPE_LEN];
    let len = case.web.0.read(&mut bytes).await.unwrap();
    // Head, content, the end of both, 8 bytes each in front, and the end of the request.
    assert_eq!(len, NOT_FOUND.len() + 8 + 8 + 8 + 16);
}

#[tokio::test(start_paused = true)]
async fn content_goes_to_the_service_and_what_it_says_comes_back() {
    let case = start();
    let long = "长".repeat(100_000);
    let (mut read, mut write) = tokio::io::split(case.web.0);
    let request = head(1, false, "POST", "/echo");
    let sent = long.clone();
    let sending = tokio::spawn(async move {
        write.write_all(&request).await.unwrap();
        for part in sent.as_bytes().chunks(50_000) {
            write.write_all(&record(kind::STDIN, 1, part)).await.unwrap();
        }
        write.write_all(&record(kind::STDIN, 1, &[])).await.unwrap();
        write
    });
    let mut bytes = Vec::new();
    read.read_to_end(&mut bytes).await.unwrap();
    sending.await.unwrap();
    let mut back = Web(std::io::Cursor::new(bytes));
    assert_eq!(back.answer(1).await, complete(&format!("Status: 200 OK\r\n\r\n{long}")));
}

#[tokio::test(start_paused = true)]
async fn a_request_beside_another_is_refused_and_the_other_goes_on() {
    let mut case = start();
    case.web.send([head(1, true, "GET", "/wait"), begin(2, true)].concat()).await;
    assert_eq!(case.web.answer(2).await, Answer { status: 1, ..complete("") });
    // All about it is skipped.
    case.web.send(params(2, &[("A", "b")])).await;
    case.web.send([record(kind::STDIN, 2, b"x"), record(kind::STDIN, 1, &[])].concat()).await;
    case.service.go();
    assert_eq!(case.web.answer(1).await, complete(WAITED));
    assert_eq!(case.web.ask(true, "/x").await, NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn another_role_is_refused() {
    let authorizer = |keep| record(kind::BEGIN_REQUEST, 5, &[0, 2, keep, 0, 0, 0, 0, 0]);
    let mut case = start();
    case.web.send([authorizer(1), params(5, &[("A", "b")])].concat()).await;
    assert_eq!(case.web.answer(5).await, Answer { status: 3, ..complete("") });
    assert_eq!(case.web.ask(true, "/x").await, NOT_FOUND);
    case.web.send(authorizer(0)).await;
    assert_eq!(case.web.answer(5).await.status, 3);
    assert_eq!(case.web.record().await, None);
}

#[tokio::test(start_paused = true)]
async fn questions_are_answered_at_rest_and_meanwhile() {
    let mut case = start();
    let question = record(kind::GET_VALUES, 0, b"\x0e\0FCGI_MAX_CONNS\x0f\0FCGI_MPXS_CONNS");
    let values = b"\x0e\x02FCGI_MAX_CONNS12\x0f\x01FCGI_MPXS_CONNS0".to_vec();
    case.web.send([question.clone(), record(99, 0, b"?")].concat()).await;
    let unknown = Some((kind::UNKNOWN_TYPE, 0, vec![99, 0, 0, 0, 0, 0, 0, 0]));
    assert_eq!(case.web.record().await, Some((kind::GET_VALUES_RESULT, 0, values.clone())));
    assert_eq!(case.web.record().await, unknown);
    case.web.send([get(1, true, "/wait"), question, record(99, 0, &[])].concat()).await;
    assert_eq!(case.web.record().await, Some((kind::GET_VALUES_RESULT, 0, values)));
    assert_eq!(case.web.record().await, unknown);
    case.service.go();
    assert_eq!(case.web.answer(1).await, complete(WAITED));
}

#[tokio::test(start_paused = true)]
async fn an_abort_ends_the_work_and_the_connection_goes_on() {
    let mut case = start();
    case.web.send(get(1, true, "/hang")).await;
    assert_eq!(case.events.recv().await, Some("asked"));
    case.web.send(record(kind::ABORT_REQUEST, 1, &[])).await;
    assert_eq!(case.events.recv().await, Some("dropped"));
    assert_eq!(case.web.answer(1).await, complete(""));
    // In the middle of an answer of which no more is taken, and before the content has come.
    case.web.send(head(1, true, "GET", "/pieces?1000000000")).await;
    assert_eq!(case.web.record().await.map(|(kind, ..)| kind), Some(kind::STDOUT));
    case.web.send(record(kind::ABORT_REQUEST, 1, &[])).await;
    assert_eq!(case.events.recv().await, Some("dropped"));
    while case.web.record().await.unwrap().0 != kind::END_REQUEST {}
    // Before all variables have come.
    case.web.send([begin(1, true), record(kind::ABORT_REQUEST, 1, &[])].concat()).await;
    assert_eq!(case.web.answer(1).await, complete(""));
    assert_eq!(case.web.ask(true, "/x").await, NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_web_server_that_goes_away_ends_the_work() {
    for target in ["/hang", "/pieces?1000000000"] {
        let mut case = start();
        case.web.send(get(1, true, target)).await;
        match target {
            "/hang" => assert_eq!(case.events.recv().await, Some("asked")),
            _ => assert_eq!(case.web.record().await.map(|(kind, ..)| kind), Some(kind::STDOUT)),
        }
        drop(case.web);
        assert_eq!(case.events.recv().await, Some("dropped"), "{target}");
        assert!(matches!(case.server.await.unwrap(), Err(Broken::Gone | Broken::Io(_))), "{target}");
    }
    // With its content half there.
    let mut case = start();
    case.web.send([head(1, true, "POST", "/hang"), record(kind::STDIN, 1, b"some")].concat()).await;
    assert_eq!(case.events.recv().await, Some("asked"));
    drop(case.web);
    assert_eq!(case.events.recv().await, Some("dropped"));
}

#[tokio::test(start_paused = true)]
async fn what_a_service_does_not_take_is_not_read() {
    let mut case = start();
    case.web.send(head(1, true, "POST", "/wait-between")).await;
    let content = vec![b'x'; 60_000];
    let mut taken = 0;
    let full = async {
        for _ in 0..100 {
            case.web.send(record(kind::STDIN, 1, &content)).await;
            taken += content.len();
        }
    };
    // It is full long before: nothing moves any more.
    assert!(timeout(Duration::from_secs(1), full).await.is_err());
    let most = (PIECES_MAX + 4) * READ_LEN + content.len() + PIPE_LEN;
    assert!(taken <= most, "{taken}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_takes_content_late_gets_all_of_it() {
    let mut case = start();
    let mut request = head(1, true, "POST", "/wait-between");
    for _ in 0..10 {
        request.extend(record(kind::STDIN, 1, &[b'x'; 30_000]));
    }
    request.extend(record(kind::STDIN, 1, &[]));
    let (read, mut write) = tokio::io::split(case.web.0);
    let sending = tokio::spawn(async move {
        write.write_all(&request).await.unwrap();
        write
    });
    assert_eq!(case.events.recv().await, Some("asked"));
    // Longer than content may be waited for: here the service is waited for.
    tokio::time::sleep(Duration::from_secs(500)).await;
    case.service.go();
    let mut web = Web(read.unsplit(sending.await.unwrap()));
    assert_eq!(web.answer(1).await, complete("Status: 200 OK\r\ncontent-length: 6\r\n\r\n300000"));
}

#[tokio::test(start_paused = true)]
async fn what_a_web_server_does_not_take_is_not_made() {
    let mut case = start();
    case.web.send(get(1, true, "/pieces?1000000000")).await;
    assert_eq!(case.web.record().await.map(|(kind, ..)| kind), Some(kind::STDOUT));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let made = case.service.made();
    assert!(made > 0 && made <= (2 * OUT_MAX + PIPE_LEN + (16 << 10)) as u64, "{made}");
}

#[tokio::test(start_paused = true)]
async fn replies_that_are_not_taken_are_not_made_without_end() {
    let mut case = start();
    case.web.send(get(1, true, "/hang")).await;
    let question = record(99, 0, &[]);
    let mut asked = 0;
    let full = async {
        for _ in 0..100_000 {
            case.web.send(&question).await;
            asked += question.len();
        }
    };
    assert!(timeout(Duration::from_secs(1), full).await.is_err());
    // A reply has twice the length of the question.
    assert!(asked <= (3 * OUT_MAX + PIPE_LEN) / 2 + READ_LEN + 2 * PIPE_LEN, "{asked}");
}

#[tokio::test(start_paused = true)]
async fn every_wait_has_an_end() {
    type Row = (&'static str, Vec<u8>, u64, &'static str);
    let some_content = [head(1, true, "POST", "/count"), record(kind::STDIN, 1, b"x")].concat();
    let half = begin(1, true)[..9].to_vec();
    let rows: [Row; 4] = [
        ("nothing comes", vec![], 10, ""),
        ("half a record comes", half, 10, ""),
        ("half a request comes", [begin(1, true), record(kind::PARAMS, 1, b"\x01")].concat(), 10, ""),
        (
            "content does not go on; then nothing",
            some_content,
            150,
            "Status: 408 Request Timeout\r\ncontent-length: 19\r\n\r\nno content for 50 s",
        ),
    ];
    for (what, bytes, seconds, wanted) in rows {
        let (mut case, began) = (start(), Instant::now());
        case.web.send(bytes).await;
        if !wanted.is_empty() {
            assert_eq!(case.web.answer(1).await, complete(wanted), "{what}");
        }
        assert_eq!(case.web.record().await, None, "{what}");
        assert_eq!(began.elapsed().as_secs(), seconds, "{what}");
    }
    let (mut case, began) = (start(), Instant::now());
    assert_eq!(case.web.ask(true, "/x").await, NOT_FOUND);
    assert_eq!(case.web.record().await, None);
    assert_eq!(began.elapsed().as_secs(), 100);
    case.server.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_none_are_answered_by_the_connection() {
    let mut case = start();
    let bad = params(1, &[("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/"), ("HTTP_X", "a\r\nb")]);
    case.web.send([begin(1, true), bad, record(kind::STDIN, 1, &[])].concat()).await;
    let plain = "Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\r\n";
    let reason = "a header field with characters that must not be in it\n";
    assert_eq!(case.web.answer(1).await, complete(&format!("Status: 400 Bad Request\r\n{plain}{reason}")));
    // A mistake in the web server's configuration is for its log, too.
    case.web.send([begin(1, true), params(1, &[]), record(kind::STDIN, 1, &[])].concat()).await;
    let answer = case.web.answer(1).await;
    assert!(answer.text.starts_with("Status: 500 Internal Server Error\r\n"), "{answer:?}");
    assert_eq!(answer.log, "the web server sets no REQUEST_METHOD\n");
    assert_eq!(case.web.ask(true, "/x").await, NOT_FOUND);
    // After this one there is no other.
    let many: Vec<(String, &str)> = (0..257).map(|n| (format!("HTTP_A{n}"), "b")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    case.web.send([begin(1, true), params(1, &many)].concat()).await;
    let answer = case.web.answer(1).await.text;
    assert!(answer.starts_with("Status: 431 Request Header Fields Too Large\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nmore than 256 variables\n"), "{answer}");
    assert_eq!(case.web.record().await, None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_not_taken_for_a_whole_one() {
    let announced = "Status: 200 OK\r\ncontent-length: 9\r\n\r\n\0\0\0\0\0";
    for (target, text) in
        [("/broken", "Status: 200 OK\r\n\r\nsome"), ("/less?5", announced), ("/less?10", announced)]
    {
        let mut case = start();
        case.web.send(get(1, true, target)).await;
        let mut seen = Vec::new();
        while let Some((kind, id, content)) = case.web.record().await {
            assert_eq!((kind, id), (kind::STDOUT, 1), "{target}");
            assert!(!content.is_empty(), "{target}");
            seen.extend(content);
        }
        // What was on its way may be lost.
        assert!(text.as_bytes().starts_with(&seen), "{target}");
        assert!(matches!(case.server.await.unwrap(), Err(Broken::Answer(_))), "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn content_of_another_length_than_announced_is_an_error() {
    for (sent, wanted) in [("ab", "400 Bad"), ("abc", "200 OK"), ("abcd", "400 Bad"), ("", "400 Bad")] {
        let mut case = start();
        let pairs = [("REQUEST_METHOD", "POST"), ("REQUEST_URI", "/count"), ("CONTENT_LENGTH", "3")];
        let mut request = [begin(1, false), params(1, &pairs)].concat();
        if !sent.is_empty() {
            request.extend(record(kind::STDIN, 1, sent.as_bytes()));
        }
        case.web.send([request, record(kind::STDIN, 1, &[])].concat()).await;
        let answer = case.web.answer(1).await.text;
        assert!(answer.starts_with(&format!("Status: {wanted}")), "{sent}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_come_before_the_content_is_read() {
    let mut case = start();
    case.web.send([head(1, true, "POST", "/x"), record(kind::STDIN, 1, b"some")].concat()).await;
    assert_eq!(case.web.answer(1).await.text, NOT_FOUND);
    case.web.send([record(kind::STDIN, 1, b"more"), record(kind::STDIN, 1, &[])].concat()).await;
    assert_eq!(case.web.ask(true, "/x").await, NOT_FOUND);
    // Where the connection is not wanted any more, what comes is read so that nothing is reset.
    case.web.send([head(1, false, "POST", "/x"), record(kind::STDIN, 1, b"some")].concat()).await;
    assert_eq!(case.web.answer(1).await.text, NOT_FOUND);
    assert_eq!(case.web.record().await, None);
    case.web.send(record(kind::STDIN, 1, &[b'x'; 50_000])).await;
    drop(case.web);
    case.server.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn answers_without_content_have_none() {
    let mut case = start();
    assert_eq!(case.web.ask(true, "/nothing").await, "Status: 204 No Content\r\n\r\n");
    case.web.send([head(1, true, "HEAD", "/teapot"), record(kind::STDIN, 1, &[])].concat()).await;
    assert_eq!(case.web.answer(1).await.text, "Status: 418 I'm a teapot\r\ncontent-length: 15\r\n\r\n");
    let answer = case.web.ask(true, "/interim").await;
    assert!(answer.starts_with("Status: 500 Internal Server Error\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn stopping_closes_what_rests_and_lets_what_has_begun_end() {
    let mut case = start();
    assert_eq!(case.web.ask(true, "/x").await, NOT_FOUND);
    case.stop.stop();
    assert_eq!(case.web.record().await, None);

    // What comes of its content afterwards is no reason for a reset.
    let mut case = start();
    case.web.send([head(1, true, "POST", "/wait"), record(kind::STDIN, 1, b"some")].concat()).await;
    assert_eq!(case.events.recv().await, Some("asked"));
    case.stop.stop();
    case.service.go();
    assert_eq!(case.web.answer(1).await.text, WAITED);
    assert_eq!(case.web.record().await, None);
    case.web.send(record(kind::STDIN, 1, &[b'x'; 50_000])).await;
    drop(case.web);
    case.server.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_fastcgi_is_closed() {
    let mut case = start();
    case.web.send("GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(case.web.record().await, None);
    assert!(matches!(case.server.await.unwrap(), Err(Broken::Decode(_))));
}
