//! Traces of OpenTelemetry, as a collector gets them from a real process.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e::http::{Answer, Http, ask};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use prost::Message;
use testkit::address::{HTTP_PORT, Loopback};
use testkit::{binary, wait};

/// How long a span may take on its way on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const DRIVE_PORT: u16 = 8080;
/// The example of W3C Trace Context, and its two ids.
const PARENT: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT_SPAN: &str = "00f067aa0ba902b7";

/// A span with the role that it is of.
type Told = (String, Span);

/// Takes what is sent to it, as a collector does.
struct Collector {
    address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&told);
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut stream = BufReader::new(stream);
                let (mut len, mut line) = (0, String::new());
                while stream.read_line(&mut line).unwrap() > 2 {
                    if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        len = text.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut content = vec![0; len];
                stream.read_exact(&mut content).unwrap();
                let spans = ExportTraceServiceRequest::decode(content.as_slice()).unwrap();
                for resource in spans.resource_spans {
                    let service = resource
                        .resource
                        .unwrap()
                        .attributes
                        .into_iter()
                        .find(|one| one.key == "service.name");
                    let service = service.and_then(|one| one.value?.value);
                    assert_eq!(service, Some(Value::StringValue("cairn".to_owned())));
                    for scope in resource.scope_spans {
                        let role = scope.scope.unwrap().name;
                        into.lock().unwrap().extend(scope.spans.into_iter().map(|span| (role.clone(), span)));
                    }
                }
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                // Who sends may have ended.
                let _ = stream.get_mut().write_all(answer);
            }
        });
        Collector { address, told }
    }

    /// Waits for a span.
    fn span(&self, what: &str, is_it: impl Fn(&str, &Span) -> bool) -> Span {
        wait::until(what, PATIENCE, || {
            let told = self.told.lock().unwrap();
            told.iter().find(|(role, span)| is_it(role, span)).map(|(_, span)| span.clone())
        })
        .unwrap_or_else(|error| panic!("{error}: {:#?}", self.told.lock().unwrap()))
    }
}

/// `cairn up`, ended when dropped.
struct Up(Child);

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn result(span: &Span) -> Option<&str> {
    let attribute = span.attributes.iter().find(|one| one.key == "result")?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn nanos(span: &Span) -> u64 {
    span.end_time_unix_nano - span.start_time_unix_nano
}

fn send(drive: SocketAddr, method: &str, path: &str, lines: &[&str], body: &str) -> Answer {
    let more: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let mut http = Http::connect(drive).unwrap();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: drive\r\n{more}Content-Length: {}\r\n\r\n", body.len());
    http.send(format!("{head}{body}").as_bytes()).unwrap();
    http.receive(false).unwrap()
}

#[test]
fn requests_of_every_role_are_spans_and_what_is_called_within_one_is_its_part() {
    let collector = Collector::start();
    let loopback = Loopback::claim().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut up = Up(Command::new(binary::cairn().unwrap())
        .args(["up", "--listen", &loopback.ip().to_string(), "--data"])
        .arg(folder.path().join("data"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address))
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap());
    let mut said = BufReader::new(up.0.stdout.take().unwrap());
    let mut line = String::new();
    let password = loop {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended");
        if let Some((_, rest)) = line.split_once("with the password ") {
            break rest.trim().to_owned();
        }
    };
    let drive = loopback.port(DRIVE_PORT);
    let body = format!(r#"{{"user_name":"admin","password":"{password}","hand":"token"}}"#);
    let signed = send(drive, "POST", "/api/v1/session", &["Content-Type: application/json"], &body);
    let signed: serde_json::Value = serde_json::from_slice(&signed.content).unwrap();
    let bearer = format!("Authorization: Bearer {}", signed["token"].as_str().unwrap());
    let put = send(drive, "PUT", "/api/v1/nodes/root/files/a.txt", &[&bearer, PARENT], "some text");
    assert_eq!(put.status, 201, "{}", String::from_utf8_lossy(&put.content));

    // The upload continues the trace that its client began; where the bytes went is a part of it.
    let upload = collector.span("the upload", |role, span| role == "drive" && span.name == "putFile");
    assert_eq!((hex(&upload.trace_id).as_str(), hex(&upload.parent_span_id).as_str()), (TRACE, PARENT_SPAN));
    assert_eq!((upload.kind(), result(&upload)), (SpanKind::Server, Some("2xx")));
    let bytes =
        collector.span("its bytes", |role, span| role == "bytes" && span.parent_span_id == upload.span_id);
    assert_eq!(
        (hex(&bytes.trace_id).as_str(), bytes.kind(), result(&bytes)),
        (TRACE, SpanKind::Client, Some("done"))
    );
    assert!(nanos(&bytes) > 0 && nanos(&bytes) <= nanos(&upload), "{bytes:?} in {upload:?}");
    // What asks over FastDFS's protocol can't say which trace it is of.
    for (role, name) in [("storage", "upload_file"), ("tracker", "query_store_one")] {
        let done = |span: &Span| span.name == name && result(span) == Some("done");
        let span = collector.span(name, |of, span| of == role && done(span));
        assert_eq!((span.parent_span_id.len(), span.kind()), (0, SpanKind::Server));
    }
    let gateway = loopback.port(HTTP_PORT);
    assert_eq!(ask(gateway, "GET", "/group1/M00/00/00/nothing", &[PARENT]).unwrap().status, 400);
    let asked =
        collector.span("what the gateway was asked", |role, span| role == "gateway" && span.name == "get");
    assert_eq!((hex(&asked.trace_id).as_str(), result(&asked)), (TRACE, Some("4xx")));
    // A refusal is no failure.
    assert_eq!(asked.status.map_or(StatusCode::Unset, |status| status.code()), StatusCode::Unset);
    // An id that is none begins a trace; and the last spans are sent before the end.
    let listed =
        ask(drive, "GET", "/api/v1/nodes/root/children", &[&bearer, "traceparent: 00-x-y-01"]).unwrap();
    assert_eq!(listed.status, 200);
    let pid = rustix::process::Pid::from_child(&up.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    wait::until("its end", PATIENCE, || up.0.try_wait().unwrap()).unwrap();
    let list = collector.span("the list", |role, span| role == "drive" && span.name == "listChildren");
    assert!(list.parent_span_id.is_empty() && hex(&list.trace_id) != TRACE, "{list:?}");
}

#[test]
fn a_collector_that_is_away_is_said_in_the_log_and_holds_up_nothing() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let loopback = Loopback::claim().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _up = Up(Command::new(binary::cairn().unwrap())
        .args(["up", "--listen", &loopback.ip().to_string(), "--data"])
        .arg(&data)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{nobody}"))
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap());
    let drive = loopback.port(DRIVE_PORT);
    let log = || std::fs::read_to_string(data.join("logs/cairn.log")).unwrap_or_default();
    wait::until("it is said", PATIENCE, || log().contains("BatchSpanProcessor").then_some(()))
        .unwrap_or_else(|error| panic!("{error}: {}", log()));
    let answers = || ask(drive, "GET", "/healthz", &[]).is_ok_and(|answer| answer.status == 200);
    wait::until("it serves", PATIENCE, || answers().then_some(())).unwrap();
}
