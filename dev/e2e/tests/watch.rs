//! `cairn watch` on a real cluster: what it tells through webhooks and by mail, how often, and what a restart does to that.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use e2e::files::serving;
use serde_json::Value;
use testkit::cluster::{Cluster, Plan};
use testkit::process::Server;
use testkit::wait;

/// How long trackers may take to notice something on a busy machine, and messages to arrive.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long a server of the test waits for the rest of what it is told.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Part of the address of a webhook.
const TOKEN: &str = "nobody-may-see-this";
/// Looks after which whatever there was to tell has been told.
const LOOKS_ENOUGH: usize = 5;

/// What a server of the test was told.
#[derive(Clone, Default)]
struct Inbox {
    taken: Arc<Mutex<Vec<String>>>,
    refuses: Arc<AtomicBool>,
}

impl Inbox {
    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }

    fn put(&self, message: String) {
        self.taken.lock().unwrap().push(message);
    }

    fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::Relaxed);
    }

    fn refuses(&self) -> bool {
        self.refuses.load(Ordering::Relaxed)
    }
}

/// A server with a thread for each connection.
fn listen(inbox: &Inbox, serve: fn(BufReader<TcpStream>, &Inbox) -> std::io::Result<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let inbox = inbox.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let inbox = inbox.clone();
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(SILENCE_MAX))?;
                serve(BufReader::new(stream), &inbox)
            });
        }
    });
    address
}

/// One POST: its target and its body are what was told. Says in the body whether it has taken it, as chat services do.
fn http(mut stream: BufReader<TcpStream>, inbox: &Inbox) -> std::io::Result<()> {
    let (mut head, mut len) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Ok(());
        }
        let line = head.lines().next_back().unwrap_or_default().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            len = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body)?;
    let target = head.split(' ').nth(1).unwrap();
    let answer = if inbox.refuses() {
        r#"{"errcode":310000,"errmsg":"not now","code":19001,"msg":"not now"}"#
    } else {
        r#"{"errcode":0,"errmsg":"ok","code":0,"msg":"success"}"#
    };
    let text = String::from_utf8(body).unwrap();
    if !inbox.refuses() {
        inbox.put(format!("{target}\n{text}"));
    }
    let len = answer.len();
    write!(stream.get_mut(), "HTTP/1.1 200 OK\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{answer}")
}

/// One conversation of SMTP; the mail is what was told.
fn smtp(mut stream: BufReader<TcpStream>, inbox: &Inbox) -> std::io::Result<()> {
    stream.get_mut().write_all(b"220 here\r\n")?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let answer: &[u8] = match line.split([' ', ':', '\r']).next().unwrap_or_default() {
            "EHLO" | "MAIL" | "RCPT" => b"250 fine\r\n",
            "QUIT" => b"221 bye\r\n",
            "DATA" => {
                stream.get_mut().write_all(b"354 go on\r\n")?;
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut mail)? == 0 {
                        return Ok(());
                    }
                }
                inbox.put(mail);
                b"250 taken\r\n"
            }
            _ => b"502 what?\r\n",
        };
        stream.get_mut().write_all(answer)?;
    }
}

/// A watcher that can be started again.
struct Watcher {
    conf: PathBuf,
    log: PathBuf,
    server: Option<Server>,
}

impl Watcher {
    fn new(folder: &Path, keys: &str) -> Self {
        let (conf, log) = (folder.join("watch.conf"), folder.join("watch.log"));
        let base = folder.join("watch");
        let usual = "interval = 1\nlooks = 2\nname = north\nlog_level = debug\n";
        fs::write(&conf, format!("base_path = {}\n{usual}{keys}", base.display())).unwrap();
        Self { conf, log, server: None }
    }

    fn start(&mut self) {
        let arguments = [Path::new("watch"), &self.conf];
        let program = testkit::binary::cairn().unwrap();
        self.server = Some(Server::start("watch", program, arguments, &self.log).unwrap());
    }

    fn stop(&mut self) {
        let status = self.server.take().unwrap().terminate().unwrap();
        assert!(status.success(), "{status}: {}", self.printed());
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn looks(&self) -> usize {
        self.printed().lines().filter(|line| line.contains("looked")).count()
    }

    /// Waits until whatever there is to tell has been told.
    fn until_it_has_looked(&self) {
        let wanted = self.looks() + LOOKS_ENOUGH;
        let enough = || (self.looks() >= wanted).then_some(());
        wait::until("looks", PATIENCE, enough).unwrap_or_else(|error| panic!("{error}: {}", self.printed()));
    }

    fn test(&self, language: &str) -> Output {
        let mut cairn = Command::new(testkit::binary::cairn().unwrap());
        cairn.arg("watch").arg(&self.conf).arg("--test").env_remove("LC_MESSAGES").env("LC_ALL", language);
        cairn.output().unwrap()
    }
}

/// Every change that came in JSON of our own, as kind and subject.
fn changes(inbox: &Inbox) -> Vec<(String, String)> {
    let word = |change: &Value, key: &str| change[key].as_str().unwrap().to_owned();
    let of_message = |message: &String| {
        let body: Value = serde_json::from_str(message.split_once('\n').unwrap().1).unwrap();
        let changes = body["changes"].as_array().unwrap();
        changes.iter().map(|change| (word(change, "change"), word(change, "subject"))).collect::<Vec<_>>()
    };
    inbox.taken().iter().flat_map(of_message).collect()
}

fn count(inbox: &Inbox, kind: &str, subject: &str) -> usize {
    changes(inbox).iter().filter(|change| (change.0.as_str(), change.1.as_str()) == (kind, subject)).count()
}

/// How many lines of all that was told say this of a storage: chat services get the words within JSON, mails as they are.
fn lines(inbox: &Inbox, begin: &str, storage: &str) -> usize {
    let taken = inbox.taken().join("\n").replace("\\n", "\n").replace("=\r\n", "");
    let says = |line: &&str| {
        line.split_once(begin).is_some_and(|(_, rest)| rest.contains(&format!("] storage {storage} ")))
    };
    taken.lines().filter(says).count()
}

/// Asks doctor until there are no errors: trackers hear beats within seconds. A disk of the machine may well be short of
/// space, which is a warning.
fn until_healthy(cluster: &Cluster) {
    let healthy = || {
        let mut doctor = Command::new(testkit::binary::cairn().unwrap());
        let output = doctor.args(["doctor", "-c"]).arg(cluster.client_conf()).output().unwrap();
        matches!(output.status.code(), Some(0 | 1)).then_some(())
    };
    wait::until("nothing is wrong", PATIENCE, healthy).unwrap();
}

#[test]
fn a_storage_that_goes_and_comes_is_told_once_each_on_every_channel_through_a_restart() {
    let plan = Plan::new().groups(&[("group1", 2)]).storage_key("heart_beat_interval", 1);
    let mut cluster = plan.tracker_key("check_active_interval", 3).start().unwrap();
    serving(&cluster, &["group1"], 2);
    until_healthy(&cluster);

    let folder = tempfile::tempdir().unwrap();
    let [json, dingtalk, wecom, feishu, mails] = [(); 5].map(|()| Inbox::default());
    let [one, two, three, four] = [&json, &dingtalk, &wecom, &feishu].map(|inbox| listen(inbox, http));
    let mail_server = listen(&mails, smtp);
    fs::write(folder.path().join("secret"), "SECabc\n").unwrap();
    fs::write(folder.path().join("url"), format!("http://{three}/cgi-bin/webhook/send?key={TOKEN}\n"))
        .unwrap();
    let keys = format!(
        "tracker_server = {}\nseverity = error\n\
         [webhook1]\nurl = http://{one}/hook/{TOKEN}\n\
         [webhook2]\nkind = dingtalk\nurl = http://{two}/robot/send?access_token={TOKEN}\nsecret_file = secret\n\
         [webhook3]\nkind = wecom\nurl_file = url\n\
         [webhook4]\nkind = feishu\nurl = http://{four}/hook/{TOKEN}\nsecret_file = secret\n\
         [email]\nsmtp_server = 127.0.0.1\nsmtp_port = {}\nsmtp_encryption = none\n\
         from = cairn@example.org\nto = someone@example.org\n",
        cluster.tracker(),
        mail_server.port(),
    );
    let mut watcher = Watcher::new(folder.path(), &keys);
    watcher.start();
    watcher.until_it_has_looked();
    assert_eq!(changes(&json), [], "nothing is wrong: {}", watcher.printed());

    let away = format!("group1/{}", cluster.storages[1].address());
    let subject = format!("storage {away}");
    cluster.storages[1].kill().unwrap();
    let everybody = [&dingtalk, &wecom, &feishu, &mails];
    let all_told = |begin: &str| everybody.iter().all(|inbox| lines(inbox, begin, &away) > 0);
    let told = || (count(&json, "opened", &subject) > 0 && all_told("[error")).then_some(());
    wait::until("opened", PATIENCE, told).unwrap_or_else(|error| panic!("{error}: {}", watcher.printed()));
    watcher.until_it_has_looked();
    watcher.stop();
    let before = changes(&json);
    watcher.start();
    watcher.until_it_has_looked();
    assert_eq!(changes(&json), before, "a restart tells nothing again");

    let binary = cluster.binary().to_owned();
    cluster.storages[1].start(&binary).unwrap();
    let told = || (count(&json, "resolved", &subject) > 0 && all_told("[resolved")).then_some(());
    wait::until("resolved", PATIENCE, told).unwrap_or_else(|error| panic!("{error}: {}", watcher.printed()));
    watcher.until_it_has_looked();
    watcher.stop();

    let all = changes(&json);
    assert_eq!(count(&json, "opened", &subject), 1, "{all:?}");
    assert_eq!(count(&json, "resolved", &subject), 1, "{all:?}");
    for inbox in everybody {
        assert_eq!(lines(inbox, "[error", &away), 1, "{:?}", inbox.taken());
        assert_eq!(lines(inbox, "[resolved after ", &away), 1, "{:?}", inbox.taken());
    }
    assert!(
        dingtalk.taken().iter().all(|message| message.contains("&timestamp=") && message.contains("&sign="))
    );
    assert!(feishu.taken().iter().all(|message| message.contains("\"sign\":\"")));
    assert!(mails.taken().iter().all(|mail| mail.contains("To: someone@example.org\r\n")));
    let printed = watcher.printed();
    assert!(!printed.contains(TOKEN) && !printed.contains("SECabc"), "{printed}");
}

#[test]
fn a_channel_that_refuses_holds_up_no_other_and_gets_what_it_missed_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (refusing, willing) = (Inbox::default(), Inbox::default());
    refusing.refuse(true);
    let (one, two) = (listen(&refusing, http), listen(&willing, http));
    let keys = format!(
        "tracker_server = {nobody}\nlanguage = zh\n\
         [webhook1]\nkind = dingtalk\nurl = http://{one}/{TOKEN}\n[webhook2]\nurl = http://{two}/{TOKEN}\n"
    );
    let mut watcher = Watcher::new(folder.path(), &keys);
    watcher.start();
    let told = || (!willing.taken().is_empty() && watcher.printed().contains("not told")).then_some(());
    wait::until("told", PATIENCE, told).unwrap_or_else(|error| panic!("{error}: {}", watcher.printed()));
    assert_eq!(changes(&willing), [("opened".to_owned(), format!("tracker_silent {nobody}"))]);
    assert!(willing.taken()[0].contains("没有应答"), "{:?}", willing.taken());
    assert!(watcher.printed().contains("it answered 310000: not now"), "{}", watcher.printed());
    watcher.stop();

    refusing.refuse(false);
    watcher.start();
    wait::until("told after all", PATIENCE, || (!refusing.taken().is_empty()).then_some(())).unwrap();
    watcher.until_it_has_looked();
    watcher.stop();
    assert_eq!((refusing.taken().len(), willing.taken().len()), (1, 1));
    assert!(refusing.taken()[0].contains("没有应答"), "{:?}", refusing.taken());
}

#[test]
fn a_test_message_goes_to_every_channel_and_the_status_says_whether_all_took_it() {
    let folder = tempfile::tempdir().unwrap();
    let (chat, mails) = (Inbox::default(), Inbox::default());
    let (one, mail_server) = (listen(&chat, http), listen(&mails, smtp));
    let keys = format!(
        "tracker_server = 127.0.0.1:1\n[webhook1]\nkind = feishu\nurl = http://{one}/{TOKEN}\n\
         [email]\nsmtp_server = 127.0.0.1\nsmtp_port = {}\nsmtp_encryption = none\nfrom = a@example.org\nto = b@example.org\n",
        mail_server.port()
    );
    let watcher = Watcher::new(folder.path(), &keys);
    let output = watcher.test("C");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "email (127.0.0.1): sent\nwebhook1 (127.0.0.1): sent\n"
    );
    assert!(chat.taken()[0].contains("north: a test"), "{:?}", chat.taken());
    assert!(mails.taken()[0].contains("Subject: north: a test\r\n"), "{:?}", mails.taken());

    chat.refuse(true);
    let output = watcher.test("zh_CN.UTF-8");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("webhook1（127.0.0.1）：发送失败：it answered 19001: not now\n"), "{text}");
    assert_eq!(mails.taken().len(), 2);
    assert!(!folder.path().join("watch").exists(), "a test keeps nothing");

    let nobody = Watcher::new(folder.path(), "tracker_server = 127.0.0.1:1\n").test("C");
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8(nobody.stderr).unwrap().contains("there is nobody to tell"));
}
