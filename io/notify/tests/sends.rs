//! Messages sent to servers that answer this and that.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use doctor_core::Language;
use notify::{
    Channel, Email, EmailSettings, Encryption, Login, Secret, SendError, SettingsError, Webhook,
    WebhookSettings,
};
use watch_core::Message;
use watch_core::shape::{Refusal, Shape};

const TOKEN: &str = "nobody-may-see-this";
/// How long a server of a test waits for its client.
const PATIENCE: Duration = Duration::from_secs(30);

fn message(language: Language) -> Message {
    Message { name: "north".to_owned(), language, at: 7, batch: None }
}

/// A server of one connection.
fn server<T: Send + 'static>(
    serve: impl FnOnce(BufReader<TcpStream>) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        serve(BufReader::new(stream))
    });
    (address, served)
}

/// A server of HTTP with one answer; what it was asked: head and body.
fn web_server(status: &str, answer: &str) -> (SocketAddr, JoinHandle<(String, String)>) {
    let len = answer.len();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{answer}");
    server(move |mut stream| {
        let (mut head, mut len) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            stream.read_line(&mut head).unwrap();
            let line = head.lines().next_back().unwrap().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                len = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; len];
        stream.read_exact(&mut body).unwrap();
        stream.get_mut().write_all(answer.as_bytes()).unwrap();
        (head, String::from_utf8(body).unwrap())
    })
}

fn webhook(address: SocketAddr, shape: Shape, secret: Option<&str>) -> Channel {
    let url = Secret::new(format!("http://{address}/robot/send?access_token={TOKEN}"));
    let settings = WebhookSettings { url, shape, secret: secret.map(Secret::new) };
    Channel::Webhook(Webhook::new(settings).unwrap())
}

fn send(channel: &Channel, language: Language) -> Result<(), SendError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(channel.send(&message(language), 1_700_000_000_123))
}

#[test]
fn a_webhook_gets_json_and_its_signature_behind_its_token() {
    let (address, served) = web_server("200 OK", r#"{"errcode":0}"#);
    send(&webhook(address, Shape::DingTalk, Some("SECabc")), Language::English).unwrap();
    let (head, body) = served.join().unwrap();
    let line = head.lines().next().unwrap();
    let wanted = format!("POST /robot/send?access_token={TOKEN}&timestamp=1700000000123&sign=");
    assert!(line.starts_with(&wanted), "{line}");
    // Plus, slash and equals sign of Base64 are spelled out, or they would be something else.
    let sign = line.split("sign=").nth(1).unwrap().split(' ').next().unwrap();
    assert!(sign.ends_with("%3D") && !sign.contains(['+', '/', '=']), "{sign}");
    assert!(
        head.to_ascii_lowercase().contains("content-type: application/json; charset=utf-8\r\n"),
        "{head}"
    );
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["msgtype"], "text");
}

#[test]
fn answers_that_say_no_are_failures_and_redirects_are_not_followed() {
    let (address, served) = web_server("200 OK", r#"{"errcode":93000,"errmsg":"bad token"}"#);
    let error = send(&webhook(address, Shape::WeCom, None), Language::English).unwrap_err();
    assert_eq!(error.to_string(), "it answered 93000: bad token");
    served.join().unwrap();
    let (address, served) = web_server("302 Found\r\nLocation: http://127.0.0.1:1/", "");
    let error = send(&webhook(address, Shape::Json, None), Language::English).unwrap_err();
    assert!(matches!(error, SendError::Refused(Refusal::Status(302))), "{error}");
    served.join().unwrap();
}

#[test]
fn no_error_shows_a_token() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let channel = webhook(closed, Shape::Feishu, Some(TOKEN));
    let error = send(&channel, Language::English).unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    let (address, served) = server(drop);
    let cut = send(&webhook(address, Shape::Json, None), Language::English).unwrap_err();
    served.join().unwrap();
    for shown in
        [error.to_string(), format!("{error:?}"), format!("{channel:?}"), cut.to_string(), format!("{cut:?}")]
    {
        assert!(!shown.contains(TOKEN), "{shown}");
    }
    assert_eq!(channel.host(), "127.0.0.1");
}

#[test]
fn what_is_no_address_is_refused_without_being_shown() {
    for url in [TOKEN, "ftp://host/", "https://", ""] {
        let url = Secret::new(url);
        let error = Webhook::new(WebhookSettings { url, shape: Shape::Json, secret: None }).unwrap_err();
        assert!(matches!(error, SettingsError::Address), "{error}");
    }
    let settings = |from: &str| EmailSettings { from: from.to_owned(), ..settings(587) };
    assert!(Email::new(settings("Cairn <cairn@example.org>")).is_ok());
    assert!(matches!(Email::new(settings("cairn")), Err(SettingsError::Mailbox { .. })));
}

fn settings(port: u16) -> EmailSettings {
    EmailSettings {
        host: "127.0.0.1".to_owned(),
        port,
        encryption: Encryption::None,
        login: Some(Login { user: "me".to_owned(), password: Secret::new(TOKEN) }),
        from: "cairn@example.org".to_owned(),
        to: vec!["a@example.org".to_owned(), "B <b@example.org>".to_owned()],
    }
}

/// A mail server of one conversation: answers each command with the next of these, and gives back what it was told.
fn mail_server(answers: &'static [&'static str]) -> (SocketAddr, JoinHandle<Vec<String>>) {
    server(move |mut stream| {
        let mut told = Vec::new();
        stream.get_mut().write_all(b"220 here\r\n").unwrap();
        for answer in answers {
            let mut line = String::new();
            if stream.read_line(&mut line).unwrap() == 0 {
                break;
            }
            told.push(line.trim_end().to_owned());
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            if answer.starts_with("354") {
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    assert_ne!(stream.read_line(&mut mail).unwrap(), 0);
                }
                told.push(mail);
                stream.get_mut().write_all(b"250 taken\r\n").unwrap();
            }
        }
        told
    })
}

#[test]
fn a_mail_goes_to_everybody_with_its_words_in_utf_8() {
    let (address, served) = mail_server(&[
        "250-here\r\n250 AUTH PLAIN\r\n",
        "235 come in\r\n",
        "250 from\r\n",
        "250 to\r\n",
        "250 to\r\n",
        "354 go on\r\n",
        "221 bye\r\n",
    ]);
    send(&Channel::Email(Email::new(settings(address.port())).unwrap()), Language::Chinese).unwrap();
    let told = served.join().unwrap();
    assert!(told[0].starts_with("EHLO "), "{told:?}");
    let login = STANDARD.encode(format!("\0me\0{TOKEN}"));
    assert_eq!(told[1], format!("AUTH PLAIN {login}"));
    assert_eq!(
        told[2..6],
        ["MAIL FROM:<cairn@example.org>", "RCPT TO:<a@example.org>", "RCPT TO:<b@example.org>", "DATA"]
    );
    let mail = &told[6];
    for wanted in
        ["From: cairn@example.org\r\n", "Auto-Submitted: auto-generated\r\n", "Date: ", "Subject: =?utf-8?b?"]
    {
        assert!(mail.contains(wanted), "{wanted} in {mail}");
    }
    assert_eq!(told[7], "QUIT");
}

#[test]
fn what_a_mail_server_refuses_is_said_in_its_words() {
    let (address, served) =
        mail_server(&["250-here\r\n250 AUTH PLAIN\r\n", "535 wrong password\r\n", "221 bye\r\n"]);
    let error =
        send(&Channel::Email(Email::new(settings(address.port())).unwrap()), Language::English).unwrap_err();
    assert!(error.to_string().contains("wrong password"), "{error}");
    assert!(!format!("{error:?}").contains(TOKEN));
    served.join().unwrap();
    // Without TLS nothing is said to a server that was to speak it.
    let (address, served) = mail_server(&["250-here\r\n250 AUTH PLAIN\r\n", "221 bye\r\n"]);
    let strict = EmailSettings { encryption: Encryption::StartTls, ..settings(address.port()) };
    let error = send(&Channel::Email(Email::new(strict).unwrap()), Language::English).unwrap_err();
    assert!(matches!(error, SendError::Smtp(_)), "{error}");
    assert!(!served.join().unwrap().iter().any(|line| line.contains("AUTH")));
}
