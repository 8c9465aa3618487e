//! `cairn watch CONF`: looks again and again at what `cairn doctor` looks at, and tells people what changes.
//!
//! `watch-core` says what is news and in which words, `notify` sends it; [`channels`] makes the ways to people as the
//! configuration says, [`kept`] has what outlives a restart, and [`work`] is the loop.

mod channels;
mod kept;
mod work;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use daemon::log::LogSetup;
use doctor_core::Severity;
use fdfs_conf::WatchConf;
use fdfs_conf::watch::{LeastSeverity, MessageLanguage};
use notify::SendError;
use tokio::task::JoinSet;
use watch_core::Message;

use self::channels::Named;
use crate::conf;
use crate::messages::{Language, Say};
use crate::server;

/// What is asked for.
///
/// It stays on this terminal and logs to standard error until it is told to stop by TERM or Ctrl-C.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Its configuration, a watch.conf
    conf: PathBuf,
    /// Send a test message to every channel, and end: the status is 0 when all have taken it, else 1
    #[arg(long)]
    test: bool,
}

/// Threads of the work: a look may hold one up, and messages go on meanwhile.
const THREADS: usize = 2;

/// Ends by a signal, or when the test is done.
pub(crate) fn run(args: &Args, language: Language) -> anyhow::Result<ExitCode> {
    let (conf, warnings) = conf::watch(&args.conf)?;
    let channels = channels::of(&conf)?;
    ensure!(
        !channels.is_empty(),
        "{}: there is nobody to tell: it needs a [webhook1] or an smtp_server in [email]",
        args.conf.display()
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    if args.test {
        return runtime.block_on(test(&conf, channels, language));
    }
    let level = server::level(conf.log_level);
    let _log = daemon::log::init(LogSetup { file: None, stderr: level, level }).context("open the log")?;
    for warning in &warnings {
        tracing::warn!(%warning, "configuration");
    }
    runtime.block_on(work::watch(&conf, channels))?;
    Ok(ExitCode::SUCCESS)
}

/// Sends a test to everybody, at the same time.
async fn test(conf: &WatchConf, channels: Vec<Named>, language: Language) -> anyhow::Result<ExitCode> {
    let (at, now_ms) = now();
    let message = Message { name: conf.name.clone(), language: language_of(conf), at, batch: None };
    let mut sends = JoinSet::new();
    for channel in channels {
        let message = message.clone();
        sends.spawn(async move {
            let result = channel.channel.send(&message, now_ms).await;
            (channel, result)
        });
    }
    let mut tested: Vec<(Named, Result<(), SendError>)> = Vec::new();
    while let Some(sent) = sends.join_next().await {
        tested.push(sent.context("send a message")?);
    }
    tested.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    let mut out = io::stdout();
    for (channel, result) in &tested {
        let failure = result.as_ref().err().map(ToString::to_string);
        let host = channel.channel.host();
        let say = Say::WatchTested { channel: &channel.name, host, failure: failure.as_deref() };
        writeln!(out, "{}", say.in_language(language))?;
    }
    let all = tested.iter().all(|(_, result)| result.is_ok());
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What messages are written in.
fn language_of(conf: &WatchConf) -> Language {
    match conf.language {
        MessageLanguage::English => Language::English,
        MessageLanguage::Chinese => Language::Chinese,
    }
}

fn severity_of(conf: &WatchConf) -> Severity {
    match conf.severity {
        LeastSeverity::Note => Severity::Note,
        LeastSeverity::Warning => Severity::Warning,
        LeastSeverity::Error => Severity::Error,
    }
}

/// Unix time in seconds, and in milliseconds.
fn now() -> (i64, u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    (seconds, u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
