//! Being the server: the order in which a process takes on its user, its pid file, its log and its work.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use daemon::detach::Detached;
use daemon::limits;
use daemon::log::{LogGuard, LogSetup, rotate_all};
use daemon::memory;
use daemon::pid_file::PidFile;
use daemon::run_as::Identity;
use daemon::service_manager::ServiceManager;
use daemon::signals::Signals;
use fdfs_conf::Warning;
use fdfs_conf::service::LogLevel;
use status::Endpoint;
use tracing::level_filters::LevelFilter;

use super::{EXIT_FAILED, Loaded, Order, Running, folders, told};

/// How often the servers are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Serves on this terminal until a signal.
pub(super) fn foreground(order: &Order, err: &mut dyn Write) -> io::Result<u8> {
    match serve(order, None) {
        Ok(()) => Ok(0),
        Err(error) => {
            writeln!(err, "{}: {error:#}", order.role.program())?;
            Ok(EXIT_FAILED)
        }
    }
}

/// Serves in the background until a signal; tells the launcher how the start went.
pub(super) fn detached(order: &Order) -> u8 {
    let launcher = match Detached::begin() {
        Ok(launcher) => launcher,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{}: cannot leave the terminal: {error}", order.role.program());
            return EXIT_FAILED;
        }
    };
    let mut launcher = Some(launcher);
    match serve(order, Some(&mut launcher)) {
        Ok(()) => 0,
        Err(error) => {
            // When the launcher is still waiting, this is what it waits for.
            if let Some(launcher) = launcher {
                launcher.failed(&format!("{error:#}"));
            }
            EXIT_FAILED
        }
    }
}

fn serve(order: &Order, launcher: Option<&mut Option<Detached>>) -> anyhow::Result<()> {
    let (loaded, warnings) = order.role.load(&order.conf)?;
    limits::set_file_modes();
    let run_by = loaded.run_by();
    let owner = Identity::resolve(
        run_by.user.as_deref().unwrap_or_default(),
        run_by.group.as_deref().unwrap_or_default(),
    )?;
    let base_path = loaded.base_path();
    folders::prepare(base_path, owner.as_ref())?;
    if let Some(owner) = &owner {
        owner.take_on()?;
    }
    if launcher.is_some() && loaded.paths().iter().all(|path| path.is_absolute()) {
        // Not to keep a file system busy that somebody wants to unmount.
        std::env::set_current_dir("/").context("leave the current folder")?;
    }
    // Held until the very end: whoever gets it next finds everything at rest.
    let _pid_file = PidFile::take(&folders::pid_file(base_path, order.role), order.role.program())?;
    let _log = open_log(&loaded, launcher.is_none())?;
    let result = run(&loaded, &order.conf, &warnings, launcher);
    if let Err(error) = &result {
        tracing::error!(error = format!("{error:#}"), "the server gives up");
    }
    result
}

fn run(
    loaded: &Loaded,
    conf: &Path,
    warnings: &[Warning],
    launcher: Option<&mut Option<Detached>>,
) -> anyhow::Result<()> {
    for warning in warnings {
        tracing::warn!(%warning, "configuration");
    }
    let open_files = limits::raise_open_files();
    memory::spare();
    // The signals have to be caught before the server says that it is ready.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = runtime.block_on(async { Signals::install() }).context("catch signals")?;
    let manager = ServiceManager::of_environment().context("NOTIFY_SOCKET")?;
    let _traces = traces::init()?;
    let (running, endpoint) = told::start(loaded)?;
    tracing::info!(
        program = loaded.role().program(),
        version = env!("CARGO_PKG_VERSION"),
        conf = %conf.display(),
        addresses = ?running.addresses(),
        open_files,
        "ready"
    );
    if let Some(launcher) = launcher.and_then(Option::take) {
        launcher.ready().context("tell the launcher")?;
    }
    manager.ready(&format!("{} serves on {:?}", loaded.role().program(), running.addresses()));
    let ended = runtime.block_on(until_stopped(signals, std::slice::from_ref(&running), &manager));
    stop(running, endpoint)?;
    ended
}

/// Waits for the wish to stop, or until a server has ended by itself: a process that serves no more must not
/// look as if it did. Begins new logs on the way when asked, and tells the watchdog of a service manager, if there is
/// one, as long as no server hangs.
///
/// # Errors
/// When a server has ended by itself. The process fails with it when the others are stopped, for a service manager to
/// start it again.
pub(crate) async fn until_stopped(
    signals: Signals,
    servers: &[Running],
    manager: &ServiceManager,
) -> anyhow::Result<()> {
    let one_ended = async {
        while !servers.iter().any(Running::has_ended) {
            if manager.watchdog().is_some() {
                feed(manager, servers);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let ended = tokio::select! {
        () = signals.stop_wished(rotate_all) => Ok(()),
        () = one_ended => {
            // At once: the others are stopped first.
            tracing::error!("a server has ended by itself");
            Err(anyhow!("a server had ended by itself"))
        }
    };
    manager.stopping();
    ended
}

fn feed(manager: &ServiceManager, servers: &[Running]) {
    for node in servers.iter().flat_map(Running::nodes) {
        if let Some(silent) = node.pulse().stalled() {
            tracing::error!(role = node.role(), ?silent, "a server hangs");
            return;
        }
    }
    manager.alive();
}

fn stop(running: Running, endpoint: Option<Endpoint>) -> anyhow::Result<()> {
    tracing::info!("stopping");
    // It has a hand on what is about to be closed.
    endpoint.into_iter().for_each(Endpoint::stop);
    running.stop().context("stop")
}

fn open_log(loaded: &Loaded, on_terminal: bool) -> anyhow::Result<LogGuard> {
    let (path, rotation) = loaded.log_file();
    let level = level(loaded.log_level());
    let stderr = if on_terminal { level } else { LevelFilter::OFF };
    let setup = LogSetup { file: Some((path.clone(), rotation)), stderr, level };
    daemon::log::init(setup).with_context(|| format!("open the log {}", path.display()))
}

/// We have five levels where the original has eight.
pub(crate) fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Emerg | LogLevel::Alert | LogLevel::Crit | LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Notice | LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}
