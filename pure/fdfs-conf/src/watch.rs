//! watch.conf: what `cairn watch` looks at, and whom it tells. A file of our own, in the grammar of the others, so that one
//! registry declares all keys.
//!
//! Addresses of webhooks hold tokens, so they may be in files of their own, as secrets and passwords are.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::addr::TrackerServers;
use crate::error::{ConfError, Oddity, Reason, Warning};
use crate::files::{OTHERS_OF_WATCH, WATCH_CONF};
use crate::gateway::needed;
use crate::ini::{Ini, Loader, ThisHost, beside};
use crate::registry::Fit::Strict;
use crate::registry::{
    Key, Many, Maybe, One, Reader, SectionSpec, check_names, conf_keys, number, seconds, text,
};
use crate::service::{LogLevel, filled, folder, path_of};
use crate::storage::tracker_servers;
use crate::value::FromConf;

/// Webhooks at most, numbered from 1.
pub const WEBHOOKS_MAX: u32 = 16;
/// Configurations looked at, at most.
const CONFS_MAX: usize = 16;
/// People a mail goes to, at most.
const READERS_MAX: usize = 100;

/// A checked watch.conf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchConf {
    /// Folder for what is known and has to be told yet.
    pub base_path: PathBuf,
    /// The trackers of the cluster; `None` = those that `confs` name.
    pub tracker_servers: Option<TrackerServers>,
    /// Configurations of this machine to look at.
    pub confs: Vec<PathBuf>,
    /// From the beginning of one look to that of the next.
    pub interval: Duration,
    /// What the cluster is called in messages.
    pub name: String,
    /// What messages are written in.
    pub language: MessageLanguage,
    /// The least that is told.
    pub severity: LeastSeverity,
    /// Looks in a row that have to agree.
    pub looks: u32,
    /// When an error that remains is told again; `None` = never.
    pub repeat_interval: Option<Duration>,
    /// Least severe message logged.
    pub log_level: LogLevel,
    /// Where messages are posted.
    pub webhooks: Vec<WebhookConf>,
    /// To whom mails go.
    pub email: Option<EmailConf>,
}

/// A `[webhook#]`.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookConf {
    /// Of its section.
    pub number: u32,
    /// Whose it is.
    pub kind: WebhookKind,
    /// Its address, which holds a token.
    pub url: Option<String>,
    /// The file with its address.
    pub url_file: Option<PathBuf>,
    /// The file with what messages are signed with.
    pub secret_file: Option<PathBuf>,
}

impl fmt::Debug for WebhookConf {
    /// Leaves the address out: configurations get logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConf")
            .field("number", &self.number)
            .field("kind", &self.kind)
            .field("url", &self.url.as_ref().map(|_| "…"))
            .field("url_file", &self.url_file)
            .field("secret_file", &self.secret_file)
            .finish()
    }
}

/// `[email]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailConf {
    /// Name or address of the server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the way to it is protected.
    pub encryption: SmtpEncryption,
    /// Who we are to it.
    pub user: Option<String>,
    /// The file with the password.
    pub password_file: Option<PathBuf>,
    /// Who writes.
    pub from: String,
    /// Who reads.
    pub to: Vec<String>,
}

conf_keys! {
    /// watch.conf outside its sections, as typed.
    struct RawWatch, table WATCH_KEYS;

    "What is looked at" {
        tracker_server: Many<String> = text("host[:port]").absent("those that a check_conf names").sample("127.0.0.1:22122")
            .doc("A tracker of the cluster, repeatable up to 16 times.");
        check_conf: Many<String> = text("file").absent("none")
            .doc("A configuration on this machine that is looked at with what it names, as cairn doctor does: client.conf, tracker.conf, storage.conf, mod_fastdfs.conf or drive.conf; repeatable up to 16 times.");
        interval: One<Duration> = seconds(1, Strict).default("60")
            .doc("From the beginning of one look to that of the next.");
    }
    "What is told" {
        name: One<String> = text("text").default("cairn")
            .doc("What the cluster is called in messages. A robot of DingTalk that asks for a word in each message finds it here.");
        language: One<MessageLanguage> = text("en or zh").default("en")
            .doc("What messages are written in: English or Chinese.");
        severity: One<LeastSeverity> = text("note, warning or error").default("warning")
            .doc("The least that is told.");
        looks: One<u32> = number(1, 100, Strict).default("3")
            .doc("So many looks in a row have to agree before a finding is told, or that it is gone: what comes and goes is not told.");
        repeat_interval: One<Duration> = seconds(0, Strict).default("21600")
            .doc("An error that remains is told again after this time; 0 = never.");
    }
    "Process" {
        base_path: One<String> = text("folder").absent("required").sample("/var/lib/cairn/watch")
            .doc("Folder for what was told and what has to be told yet, so that a restart tells nothing twice.");
        log_level: One<LogLevel> = text("emerg, alert, crit, error, warn, notice, info or debug").default("info")
            .doc("Least severe message to log; the log goes to standard error.");
    }
}

conf_keys! {
    /// `[webhook#]`, as typed.
    struct RawWebhook, table WEBHOOK_KEYS;

    "Webhook" {
        kind: One<WebhookKind> = text("json, dingtalk, wecom or feishu").default("json")
            .doc("Whose it is: JSON for a program of your own, or a robot of DingTalk, WeCom or Feishu.");
        url: Maybe<String> = text("https://…").absent("url_file, or CAIRN_WATCH_WEBHOOK1_URL with the number of the section")
            .doc("Its address. Whoever knows the address of a robot can write to its group: keep it in a file of its own, or let nobody else read this one.");
        url_file: Maybe<String> = text("file").absent("url")
            .doc("The file with its address.");
        secret_file: Maybe<String> = text("file").absent("CAIRN_WATCH_WEBHOOK1_SECRET with the number of the section, or not signed")
            .doc("DingTalk and Feishu: the file with the secret that messages are signed with.");
    }
}

conf_keys! {
    /// `[email]`, as typed.
    struct RawEmail, table EMAIL_KEYS;

    "E-mail" {
        smtp_server: Maybe<String> = text("host").absent("no mails")
            .doc("The mail server.");
        smtp_port: Maybe<u16> = number(1, 65535, Strict).absent("587 with starttls, 465 with tls, 25 with none")
            .doc("Its port.");
        smtp_encryption: One<SmtpEncryption> = text("starttls, tls or none").default("starttls")
            .doc("How the way to it is protected: TLS after a greeting, which has to come about; TLS from the first byte; or not at all.");
        smtp_user: Maybe<String> = text("name").absent("nobody signs in")
            .doc("The user who sends.");
        smtp_password_file: Maybe<String> = text("file").absent("CAIRN_WATCH_SMTP_PASSWORD")
            .doc("The password of that user.");
        from: Maybe<String> = text("an address: name@host, with a name in front or not").absent("required with smtp_server")
            .doc("Who writes.");
        to: Many<String> = text("an address: name@host, with a name in front or not").absent("required with smtp_server")
            .doc("Who reads, repeatable up to 100 times.");
    }
}

/// `[webhook1]`, `[webhook2]`, …
pub(crate) const WEBHOOK_SECTION: SectionSpec = SectionSpec {
    name: "webhook#",
    doc: "Where messages are posted, one section each from [webhook1] to [webhook16].",
    keys: &[WEBHOOK_KEYS],
};

/// `[email]`
pub(crate) const EMAIL_SECTION: SectionSpec =
    SectionSpec { name: "email", doc: "To whom mails go.", keys: &[EMAIL_KEYS] };

/// `language`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum MessageLanguage {
    English,
    Chinese,
}

/// `severity`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum LeastSeverity {
    Note,
    Warning,
    Error,
}

/// `kind` of a webhook
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum WebhookKind {
    Json,
    DingTalk,
    WeCom,
    Feishu,
}

/// `smtp_encryption`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum SmtpEncryption {
    StartTls,
    Tls,
    None,
}

/// Words that stand for values.
macro_rules! words {
    ($( $type:ident $allowed:literal { $( $word:literal => $value:ident ),+ } )*) => { $(
        impl FromConf for $type {
            fn from_conf(_: &Key, text: &str, _: &mut Vec<Oddity>) -> Result<Self, Reason> {
                match text {
                    $( $word => Ok(Self::$value), )+
                    _ => Err(Reason::NotAChoice { allowed: $allowed, got: text.to_owned() }),
                }
            }
        }
    )* };
}

words! {
    MessageLanguage "en or zh" { "en" => English, "zh" => Chinese }
    LeastSeverity "note, warning or error" { "note" => Note, "warning" => Warning, "error" => Error }
    WebhookKind "json, dingtalk, wecom or feishu" {
        "json" => Json, "dingtalk" => DingTalk, "wecom" => WeCom, "feishu" => Feishu
    }
    SmtpEncryption "starttls, tls or none" { "starttls" => StartTls, "tls" => Tls, "none" => None }
}

impl WatchConf {
    /// Reads and checks the watch.conf at `path`, with everything it includes.
    pub fn load(path: &str, loader: &mut Loader<'_>) -> Result<(WatchConf, Vec<Warning>), ConfError> {
        WatchConf::load_on(path, loader, None)
    }

    /// As [`WatchConf::load`], for files whose directives ask about the machine.
    pub fn load_on(
        path: &str,
        loader: &mut Loader<'_>,
        host: Option<&ThisHost>,
    ) -> Result<(WatchConf, Vec<Warning>), ConfError> {
        let ini = Ini::load(path, loader, host)?;
        let mut reader = Reader::new(&ini);
        check_names(&mut reader, &WATCH_CONF, OTHERS_OF_WATCH);
        let raw = RawWatch::read(&mut reader)?;
        if let Some(one_more) = raw.check_conf.get(CONFS_MAX) {
            return Err(one_more.fault(&ini, Reason::TooMany { limit: CONFS_MAX }));
        }
        let confs = raw.check_conf.iter().filter(|given| !given.value.is_empty());
        let confs: Vec<PathBuf> = confs.map(|given| beside(ini.file(), &given.value).into()).collect();
        let trackers = match (raw.tracker_server.is_empty(), confs.is_empty()) {
            (true, false) => None,
            _ => Some(tracker_servers(&mut reader, &raw.tracker_server)?),
        };
        let repeat = raw.repeat_interval.value;
        let conf = WatchConf {
            base_path: folder(&reader, &raw.base_path)?,
            tracker_servers: trackers,
            confs,
            interval: raw.interval.value,
            name: raw.name.value,
            language: raw.language.value,
            severity: raw.severity.value,
            looks: raw.looks.value,
            repeat_interval: (!repeat.is_zero()).then_some(repeat),
            log_level: raw.log_level.value,
            webhooks: webhooks(&mut reader)?,
            email: email(&mut reader)?,
        };
        Ok((conf, reader.into_warnings()))
    }
}

fn webhooks(reader: &mut Reader<'_>) -> Result<Vec<WebhookConf>, ConfError> {
    let ini = reader.ini;
    let mut webhooks = Vec::new();
    for number in 1..=WEBHOOKS_MAX {
        let section = format!("webhook{number}");
        if !ini.items().iter().any(|item| *item.section == *section) {
            continue;
        }
        let raw = reader.in_section(&section, false, RawWebhook::read)?;
        let signs = matches!(raw.kind.value, WebhookKind::DingTalk | WebhookKind::Feishu);
        if let Some(secret) = raw.secret_file.as_ref().filter(|_| !signs) {
            reader.warn_given(secret, Oddity::NoEffect { why: "only DingTalk and Feishu want a signature" });
        }
        webhooks.push(WebhookConf {
            number,
            kind: raw.kind.value,
            url_file: path_of(ini, raw.url_file.as_ref()),
            secret_file: path_of(ini, raw.secret_file.as_ref()),
            url: filled(raw.url),
        });
    }
    let beyond = |item: &&crate::ini::Item| {
        let number = item.section.strip_prefix("webhook").and_then(|number| number.parse::<u32>().ok());
        number.is_some_and(|number| !(1..=WEBHOOKS_MAX).contains(&number))
    };
    if let Some(item) = ini.items().iter().find(beyond) {
        let why = "sections are counted from [webhook1] to [webhook16]";
        reader.warn_at(&format!("[{}]", item.section), Some(&item.place), Oddity::NoEffect { why });
    }
    Ok(webhooks)
}

fn email(reader: &mut Reader<'_>) -> Result<Option<EmailConf>, ConfError> {
    let raw = reader.in_section(EMAIL_SECTION.name, false, RawEmail::read)?;
    let ini = reader.ini;
    let Some(server) = raw.smtp_server.as_ref().filter(|given| !given.value.is_empty()) else {
        return Ok(None);
    };
    let missing = |key| needed(ini, Some(server), key, "there is an smtp_server");
    let to: Vec<String> =
        raw.to.iter().map(|given| given.value.clone()).filter(|to| !to.is_empty()).collect();
    if to.is_empty() {
        return Err(missing("to"));
    }
    if let Some(one_more) = raw.to.get(READERS_MAX) {
        return Err(one_more.fault(ini, Reason::TooMany { limit: READERS_MAX }));
    }
    let encryption = raw.smtp_encryption.value;
    let usual = match encryption {
        SmtpEncryption::StartTls => 587,
        SmtpEncryption::Tls => 465,
        SmtpEncryption::None => 25,
    };
    Ok(Some(EmailConf {
        server: server.value.clone(),
        port: raw.smtp_port.map_or(usual, |given| given.value),
        encryption,
        user: filled(raw.smtp_user),
        password_file: path_of(ini, raw.smtp_password_file.as_ref()),
        from: filled(raw.from).ok_or_else(|| missing("from"))?,
        to,
    }))
}
