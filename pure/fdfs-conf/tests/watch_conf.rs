//! watch.conf, from text to a checked configuration.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

mod support;

use std::path::PathBuf;
use std::time::Duration;

use fdfs_conf::WatchConf;
use fdfs_conf::watch::{LeastSeverity, MessageLanguage, SmtpEncryption, WebhookKind};
use support::{clean, files, warnings};

const LEAST: &str = "base_path = /var/watch\ntracker_server = 10.0.0.1\n";

fn load(text: &str) -> WatchConf {
    clean(WatchConf::load("/etc/watch.conf", &mut files(&[("/etc/watch.conf", text)])))
}

/// What is the matter with the least file and these lines.
fn fault(lines: &str) -> String {
    let text = format!("{LEAST}{lines}");
    WatchConf::load("w.conf", &mut files(&[("w.conf", &text)])).unwrap_err().to_string()
}

#[test]
fn the_least_file_looks_every_minute_and_tells_nobody() {
    let conf = load(LEAST);
    assert_eq!((conf.interval, conf.looks), (Duration::from_secs(60), 3));
    assert_eq!(conf.repeat_interval, Some(Duration::from_secs(6 * 3600)));
    assert_eq!((conf.severity, conf.language), (LeastSeverity::Warning, MessageLanguage::English));
    assert_eq!((conf.webhooks, conf.email), (vec![], None));
    assert_eq!(conf.tracker_servers.unwrap().as_slice().len(), 1);
}

#[test]
fn channels_are_sections_and_files_are_beside_the_configuration() {
    let conf = load(
        "base_path = /x\ncheck_conf = storage.conf\nname = north\nlanguage = zh\nseverity = error\nrepeat_interval = 0\n\
         [webhook1]\nkind = dingtalk\nurl_file = url\nsecret_file = /run/secret\n\
         [webhook3]\nurl = https://example.org/token\n\
         [email]\nsmtp_server = mail.example.org\nsmtp_encryption = tls\nfrom = a@example.org\nto = b@example.org\nto = c@example.org\n",
    );
    assert_eq!((conf.tracker_servers, conf.repeat_interval), (None, None));
    assert_eq!(conf.confs, [PathBuf::from("/etc/storage.conf")]);
    let [first, third] = conf.webhooks.as_slice() else { panic!("{:?}", conf.webhooks) };
    assert_eq!((first.number, first.kind), (1, WebhookKind::DingTalk));
    assert_eq!(first.url_file, Some("/etc/url".into()));
    assert_eq!(first.secret_file, Some("/run/secret".into()));
    assert_eq!((third.number, third.kind), (3, WebhookKind::Json));
    assert!(!format!("{third:?}").contains("token"), "{third:?}");
    let email = conf.email.unwrap();
    assert_eq!((email.port, email.encryption), (465, SmtpEncryption::Tls));
    assert_eq!(email.to, ["b@example.org", "c@example.org"]);
}

#[test]
fn what_cannot_be_is_said_with_its_line() {
    for (lines, wanted) in [
        ("looks = 0\n", "w.conf:3: looks: must be between 1 and 100, got 0"),
        ("language = fr\n", "w.conf:3: language: must be en or zh, got \"fr\""),
        ("severity = bad\n", "w.conf:3: severity: must be note, warning or error, got \"bad\""),
        (
            "[webhook1]\nkind = slack\n",
            "w.conf:4: kind: must be json, dingtalk, wecom or feishu, got \"slack\"",
        ),
        ("[email]\nsmtp_server = h\nfrom = a@b\n", "w.conf:4: to: is needed when there is an smtp_server"),
        ("[email]\nsmtp_server = h\nto = a@b\n", "w.conf:4: from: is needed when there is an smtp_server"),
    ] {
        assert_eq!(fault(lines), wanted);
    }
    let none = WatchConf::load("w.conf", &mut files(&[("w.conf", "base_path = /x\n")])).unwrap_err();
    assert_eq!(none.to_string(), "w.conf: tracker_server: is missing, and there is no default");
}

#[test]
fn what_does_nothing_is_warned_of() {
    let text = format!("{LEAST}[webhook1]\nkind = wecom\nsecret_file = x\n[webhook17]\nurl = https://x\n");
    let told = warnings(WatchConf::load("w.conf", &mut files(&[("w.conf", &text)])));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("w.conf:5: secret_file: "), "{told:?}");
    assert!(told[1].starts_with("w.conf:7: [webhook17]: "), "{told:?}");
}
