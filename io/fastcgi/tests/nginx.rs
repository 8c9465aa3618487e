//! Behind a real nginx with the configuration that is shipped, and called by `cgi-fcgi`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod front;
mod service;
mod web;

use std::time::Duration;

use front::{Front, curl, event, printed, shipped, single};
use testkit::nginx::Nginx;
use testkit::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use web::{Web, get};

fn url(nginx: &Nginx, target: &str) -> String {
    format!("http://{}{target}", nginx.address())
}

/// The head without the lines that nginx adds, which it may do differently elsewhere; and the content.
fn parts(answer: &str) -> (Vec<&str>, &str) {
    let (head, content) = answer.split_once("\r\n\r\n").unwrap();
    let added = ["Server:", "Date:", "Connection:", "Transfer-Encoding:"];
    (head.split("\r\n").filter(|line| !added.iter().any(|name| line.starts_with(name))).collect(), content)
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_arrive_and_answers_come_back_as_they_are() {
    let front = Front::usual();
    let nginx = Nginx::start(&single(&front.address.to_string())).unwrap();
    let target = url(&nginx, "/show?名=值&a=%20b");
    let fields =
        ["-H", "X-Name: 你好", "-H", "Cookie: a=1", "-H", "Proxy: http://evil/", "-H", "User-Agent: me"];
    let answer = printed(&[&fields[..], &["-H", "Host: drive", "--data", "内容", &target]].concat()).await;
    let (head, content) = parts(&answer);
    assert_eq!(head, ["HTTP/1.1 200 OK", "Content-Length: 221", "x-name: 文件"]);
    let wanted = "POST /show?%E5%90%8D=%E5%80%BC&a=%20b\nClient { ip: Some(127.0.0.1), https: false }\n\
        host: drive\naccept: */*\nx-name: 你好\ncookie: a=1\nuser-agent: me\n\
        content-type: application/x-www-form-urlencoded\ncontent-length: 6\n内容";
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(content), sorted(wanted));

    type Row<'a> = (&'a [&'a str], &'a str, &'a [&'a str], &'a str);
    let rows: [Row<'_>; 5] = [
        (&[], "/teapot", &["HTTP/1.1 418 I'm a teapot", "Content-Length: 15"], "short and stout"),
        (&["--head"], "/teapot", &["HTTP/1.1 418 I'm a teapot", "Content-Length: 15"], ""),
        (&[], "/文件?不在", &["HTTP/1.1 404 Not Found", "Content-Length: 12"], "nothing here"),
        (&[], "/nothing", &["HTTP/1.1 204 No Content"], ""),
        (&["--data", "abc"], "/echo", &["HTTP/1.1 200 OK", "Content-Length: 3"], "abc"),
    ];
    for (arguments, target, head, content) in rows {
        let answer = printed(&[arguments, &[&url(&nginx, target)]].concat()).await;
        assert_eq!(parts(&answer), (head.to_vec(), content), "{target}");
    }
    assert_eq!(nginx.output(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_and_closed_as_the_web_server_says() {
    let front = Front::usual();
    let kept = single(&front.address.to_string());
    let ended = kept
        .replace("fastcgi_keep_conn on;", "")
        .replace("    keepalive 64;\n    keepalive_timeout 60s;\n", "");
    let nginx = Nginx::start(&kept).unwrap();
    let processors = std::thread::available_parallelism().unwrap().get();
    for _ in 0..30 {
        printed(&[&url(&nginx, "/x"), "--data", "abc"]).await;
    }
    // One for each worker of nginx.
    assert!((1..=processors).contains(&front.accepted()), "{}", front.accepted());
    assert_eq!(front.counters.current() as usize, front.accepted());
    drop(nginx);
    wait::until("closed by nginx", wait::STOP, || (front.counters.current() == 0).then_some(())).unwrap();
    let before = front.accepted();
    let nginx = Nginx::start(&ended).unwrap();
    for _ in 0..5 {
        printed(&[&url(&nginx, "/x")]).await;
    }
    assert_eq!(front.accepted(), before + 5);
    wait::until("closed by us", wait::STOP, || (front.counters.current() == 0).then_some(())).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_ends_the_work_for_it() {
    let mut front = Front::usual();
    let nginx = Nginx::start(&single(&front.address.to_string())).unwrap();
    let mut client = TcpStream::connect(nginx.address()).await.unwrap();
    client.write_all(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert_eq!(event(&mut front.events).await, Some("asked"));
    drop(client);
    assert_eq!(event(&mut front.events).await, Some("dropped"));
    // In the middle of an answer.
    let mut client = TcpStream::connect(nginx.address()).await.unwrap();
    client.write_all(b"GET /pieces?100000000000 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    client.read_exact(&mut [0; 100_000]).await.unwrap();
    drop(client);
    assert_eq!(event(&mut front.events).await, Some("dropped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_seen_while_it_comes() {
    let mut front = Front::usual();
    let nginx = Nginx::start(&single(&front.address.to_string())).unwrap();
    for head in ["Content-Length: 8\r\n\r\nsome", "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"] {
        let chunked = head.starts_with('T');
        let mut client = TcpStream::connect(nginx.address()).await.unwrap();
        let head = format!("POST /wait-between HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{head}");
        client.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(event(&mut front.events).await, Some("asked"));
        front.service.go();
        client.write_all(if chunked { b"4\r\nmore\r\n0\r\n\r\n" } else { b"more" }).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(parts(&answer), (vec!["HTTP/1.1 200 OK", "Content-Length: 1"], "8"), "{chunked}");
    }
    // A client that goes away in the middle of it.
    let mut client = TcpStream::connect(nginx.address()).await.unwrap();
    client.write_all(b"POST /hang HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nsome").await.unwrap();
    assert_eq!(event(&mut front.events).await, Some("asked"));
    drop(client);
    assert_eq!(event(&mut front.events).await, Some("dropped"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_an_upload_that_nobody_reads_arrives() {
    let front = Front::usual();
    let nginx = Nginx::start(&single(&front.address.to_string())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large");
    std::fs::write(&file, vec![b'x'; 20_000_000]).unwrap();
    for _ in 0..5 {
        let answer = printed(&["-H", "Expect:", "-T", file.to_str().unwrap(), &url(&nginx, "/x")]).await;
        assert_eq!(parts(&answer), (vec!["HTTP/1.1 404 Not Found", "Content-Length: 12"], "nothing here"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_seen_by_the_client() {
    let front = Front::usual();
    let nginx = Nginx::start(&single(&front.address.to_string())).unwrap();
    let output = curl(&[&url(&nginx, "/breaks-later?1000000")]).await;
    // "Transferred a partial file".
    assert_eq!(output.status.code(), Some(18), "{}", output.stdout.len());
    let answer = printed(&[&url(&nginx, "/broken")]).await;
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_configuration_is_in_the_log_of_nginx() {
    let front = Front::usual();
    let conf =
        single(&front.address.to_string()).replace("fastcgi_param REQUEST_METHOD  $request_method;", "");
    let nginx = Nginx::start(&conf).unwrap();
    let answer = printed(&[&url(&nginx, "/x")]).await;
    assert!(answer.starts_with("HTTP/1.1 500 Internal Server Error\r\n"), "{answer}");
    let said = "FastCGI sent in stderr: \"the web server sets no REQUEST_METHOD\"";
    assert!(nginx.output().contains(said), "{}", nginx.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_socket_serves_as_a_port_does() {
    let folder = tempfile::tempdir().unwrap();
    let door = folder.path().join("door");
    let front = Front::start(Some(&door), 100, Duration::from_secs(60));
    let nginx = Nginx::start(&single(&format!("unix:{}", door.display()))).unwrap();
    for _ in 0..3 {
        let answer = printed(&["--data", "abc", &url(&nginx, "/count")]).await;
        assert_eq!(parts(&answer), (vec!["HTTP/1.1 200 OK", "Content-Length: 5"], "3 294"));
    }
    assert_eq!(front.accepted(), 0);
    assert!(front.counters.current() > 0);
    front.stop.stop();
    front.server.await.unwrap();
    assert_eq!(front.counters.current(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_processes_may_go() {
    let (first, second) = (Front::usual(), Front::usual());
    let nginx = Nginx::start(&shipped(&first.address.to_string(), &second.address.to_string())).unwrap();
    let ask = async || printed(&[&url(&nginx, "/teapot")]).await;
    for _ in 0..6 {
        assert!(ask().await.starts_with("HTTP/1.1 418"));
    }
    assert!(first.accepted() > 0 && second.accepted() > 0);
    first.stop.stop();
    first.server.await.unwrap();
    for _ in 0..20 {
        assert!(ask().await.starts_with("HTTP/1.1 418"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_closed_at_once() {
    let mut front = Front::start(None, 1, Duration::from_secs(60));
    let mut first = Web(TcpStream::connect(front.address).await.unwrap());
    first.send(get(1, true, "/hang")).await;
    assert_eq!(event(&mut front.events).await, Some("asked"));
    let nginx = Nginx::start(&single(&front.address.to_string())).unwrap();
    let answer = printed(&[&url(&nginx, "/x")]).await;
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{answer}");
    drop(first);
    assert_eq!(event(&mut front.events).await, Some("dropped"));
    wait::until("room", wait::STOP, || (front.counters.current() == 0).then_some(())).unwrap();
    assert!(printed(&[&url(&nginx, "/x")]).await.starts_with("HTTP/1.1 404 Not Found\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_server_that_takes_nothing_is_given_up() {
    let mut front = Front::start(None, 100, Duration::from_millis(300));
    let mut web = Web(TcpStream::connect(front.address).await.unwrap());
    web.send(get(1, true, "/pieces?100000000000")).await;
    assert_eq!(event(&mut front.events).await, Some("dropped"));
    assert!(front.service.made() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_client_is_served_as_well() {
    let front = Front::usual();
    let mut command = Command::new("cgi-fcgi");
    command.args(["-bind", "-connect", &front.address.to_string()]).env_clear();
    for (name, value) in [
        ("REQUEST_METHOD", "POST"),
        ("SCRIPT_NAME", "/show"),
        ("PATH_INFO", ""),
        ("QUERY_STRING", "a=b"),
        ("CONTENT_LENGTH", "5"),
        ("HTTPS", "on"),
        ("REMOTE_ADDR", "2001:db8::7"),
    ] {
        command.env(name, value);
    }
    let mut child =
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hello").await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let wanted = "Status: 200 OK\r\nx-name: 文件\r\ncontent-length: 84\r\n\r\nPOST /show?a=b\n\
        Client { ip: Some(2001:db8::7), https: true }\ncontent-length: 5\nhello";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), wanted);
    assert!(output.status.success());
}
