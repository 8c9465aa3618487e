//! `cairn up`: a tracker, a storage with HTTP and the cloud drive in one process, all data in one folder.
//!
//! Between tracker and storage there is only the wire protocol, as between machines: the small installation exercises
//! what a large one runs.

mod folder;

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use daemon::limits;
use daemon::log::{LogSetup, Rotation};
use daemon::memory;
use daemon::pid_file::{PidFile, PidFileError};
use daemon::service_manager::ServiceManager;
use daemon::signals::Signals;
use fdfs_client::{Client, ClientConfig, ServerAddr, Status};
use tokio::runtime::Runtime;
use tracing::level_filters::LevelFilter;

use crate::conf;
use crate::drive_parts::first_password_file;
use crate::messages::{Language, Say};
use crate::server::{self, Role, Running};

use folder::{Addresses, Folder};

/// What `up` is asked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Where all data goes
    #[arg(long, value_name = "DIR", default_value = "cairn-data")]
    data: PathBuf,
    /// The address to serve on, and to tell clients
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
    /// The tracker's port
    #[arg(long, value_name = "PORT", default_value_t = 22122)]
    tracker_port: u16,
    /// The storage's port
    #[arg(long, value_name = "PORT", default_value_t = 23000)]
    storage_port: u16,
    /// The port for HTTP
    #[arg(long, value_name = "PORT", default_value_t = 8888)]
    http_port: u16,
    /// The cloud drive's port
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    drive_port: u16,
    /// The port for metrics and health, on a loopback address
    #[arg(long, value_name = "PORT", default_value_t = 9122)]
    status_port: u16,
    /// Let everybody who reaches the cloud drive make an account
    #[arg(long)]
    open_registration: bool,
}

/// How long tracker and storage may take to find each other.
const READY_PATIENCE: Duration = Duration::from_secs(30);

/// How often the tracker is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// The file of the log in the data folder.
const LOG: &str = "logs/cairn.log";

/// Runs until Ctrl-C.
pub(crate) fn run(args: &Args, program: &str, language: Language) -> anyhow::Result<ExitCode> {
    if args.listen.is_unspecified() {
        bail!(Say::ListenNeedsAnAddress { suggestion: outward_address() }.in_language(language));
    }
    limits::set_file_modes();
    let folder = Folder::create(&args.data)?;
    let _pid_files = take_pid_files(&folder, language)?;
    let _log = open_log(&folder)?;
    limits::raise_open_files();
    memory::spare();
    let tracker_at = SocketAddr::new(args.listen, args.tracker_port);
    let storage_at = SocketAddr::new(args.listen, args.storage_port);
    check_port(tracker_at, "--tracker-port", language)?;
    check_port(storage_at, "--storage-port", language)?;
    let http_at = SocketAddr::new(args.listen, args.http_port);
    check_port(http_at, "--http-port", language)?;
    let drive_at = SocketAddr::new(args.listen, args.drive_port);
    check_port(drive_at, "--drive-port", language)?;
    let status_at = SocketAddr::new(loopback(args.listen), args.status_port);
    check_port(status_at, "--status-port", language)?;
    let at = Addresses { tracker: tracker_at, storage: storage_at, http: http_at, drive: drive_at };
    folder.write_confs(&at, args.open_registration)?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = runtime.block_on(async { Signals::install() }).context("catch signals")?;
    let told = server::listen_for_status(&[status_at])?;
    let manager = ServiceManager::of_environment().context("NOTIFY_SOCKET")?;
    let _traces = traces::init()?;
    let mut running = Vec::new();
    let started = start_all(&folder, &runtime, tracker_at, &mut running);
    let room = match started {
        Ok(room) => room,
        Err(error) => {
            stop(running)?;
            return Err(error.context(format!("see {}", folder.path().join(LOG).display())));
        }
    };
    let endpoint = match server::tell_status(told, &running) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            stop(running)?;
            return Err(error);
        }
    };
    tracing::info!(%tracker_at, %storage_at, %drive_at, data = %folder.path().display(), "up");
    let first = running.iter().any(Running::made_administrator);
    greet(args, &folder, program, (&at, status_at), (first, room), language)?;
    manager.ready(&format!("the drive is at http://{drive_at}"));
    let ended = runtime.block_on(server::until_stopped(signals, &running, &manager));
    writeln!(io::stdout(), "{}", Say::UpStopping.in_language(language))?;
    endpoint.stop();
    stop(running)?;
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// Where metrics are told, which everybody may ask who reaches them: on this machine only, whatever clients are served on.
fn loopback(listen: IpAddr) -> IpAddr {
    if listen.is_loopback() { listen } else { IpAddr::V4(Ipv4Addr::LOCALHOST) }
}

/// Starts one after the other; those that run are in `running`, whatever comes of it.
fn start_all(
    folder: &Folder,
    runtime: &Runtime,
    tracker_at: SocketAddr,
    running: &mut Vec<Running>,
) -> anyhow::Result<Room> {
    running.push(start(folder, Role::Tracker)?);
    running.push(start(folder, Role::Storage)?);
    let room = runtime.block_on(until_active(tracker_at))?;
    if room == Room::Full {
        tracing::warn!(data = %folder.path().display(), "the disk is full, uploads are refused");
    }
    running.push(start(folder, Role::Drive)?);
    Ok(room)
}

/// Nobody else may serve this folder: not another `up`, and not one of its halves as a process of its own.
fn take_pid_files(folder: &Folder, language: Language) -> anyhow::Result<[PidFile; 4]> {
    let take = |path: PathBuf, program: &str| {
        PidFile::take(&path, program).map_err(|error| match error {
            PidFileError::Running { pid, .. } => {
                anyhow::anyhow!(Say::AlreadyUp { data: folder.path(), pid }.in_language(language))
            }
            other => other.into(),
        })
    };
    let role = |role: Role| {
        let base_path = folder.base_path(role);
        server::prepare_folders(&base_path, None)?;
        take(server::pid_file(&base_path, role), role.program())
    };
    let whole = take(folder.path().join("cairn.pid"), "cairn")?;
    Ok([whole, role(Role::Tracker)?, role(Role::Storage)?, role(Role::Drive)?])
}

fn open_log(folder: &Folder) -> anyhow::Result<daemon::log::LogGuard> {
    let path = folder.path().join(LOG);
    let setup = LogSetup {
        file: Some((path.clone(), Rotation::default())),
        stderr: LevelFilter::WARN,
        level: LevelFilter::INFO,
    };
    daemon::log::init(setup).with_context(|| format!("open the log {}", path.display()))
}

/// A taken port is worth more than the system's word for it.
fn check_port(address: SocketAddr, option: &str, language: Language) -> anyhow::Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let holder = server::holder(address);
            bail!(Say::PortTaken { address, holder: holder.as_deref(), option }.in_language(language))
        }
        Err(error) => Err(error).with_context(|| format!("listen on {address}")),
    }
}

fn start(folder: &Folder, role: Role) -> anyhow::Result<Running> {
    let (loaded, warnings) = role.load(&folder.conf(role))?;
    for warning in warnings {
        tracing::warn!(%warning, "configuration");
    }
    loaded.start().with_context(|| format!("start the {}", role.word()))
}

/// Whether an upload finds a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// It does.
    Left,
    /// No more than what is reserved is free: what is there can be read, and deleted to make room.
    Full,
}

/// Waits until the storage serves: the tracker would send an upload to it, or knows that it is full.
async fn until_active(tracker: SocketAddr) -> anyhow::Result<Room> {
    let until = Instant::now() + READY_PATIENCE;
    let config = ClientConfig::new([ServerAddr::new(tracker.ip(), tracker.port())]);
    let tracker = Client::new(config).tracker(ServerAddr::new(tracker.ip(), tracker.port()));
    let mut space_known = false;
    loop {
        match tracker.query_store(None).await {
            Ok(_) => return Ok(Room::Left),
            // Before it has heard of any space, a tracker says the same of every storage.
            Err(error) if space_known && error.status() == Some(Status::ENOSPC) => return Ok(Room::Full),
            Err(error) if Instant::now() >= until => {
                return Err(error).context("the storage did not become active in time");
            }
            Err(_) => tokio::time::sleep(ASK_EVERY).await,
        }
        // Of a group a tracker keeps no size: it has the one that was reported since it started.
        let groups = tracker.list_groups().await;
        space_known = groups.is_ok_and(|groups| groups.iter().any(|group| group.total_mb > 0));
    }
}

/// The last first: the drive needs the storage, which says good-bye to the tracker. All are stopped; the first error.
fn stop(running: Vec<Running>) -> anyhow::Result<()> {
    let stopped: Vec<_> = running.into_iter().rev().map(|one| one.stop().context("stop")).collect();
    stopped.into_iter().collect()
}

fn greet(
    args: &Args,
    folder: &Folder,
    program: &str,
    (at, status): (&Addresses, SocketAddr),
    (first, room): (bool, Room),
    language: Language,
) -> anyhow::Result<()> {
    let client_conf = args.data.join(folder::CLIENT_CONF);
    let Addresses { tracker, storage, http, drive } = *at;
    let mut texts = vec![Say::UpReady {
        data: folder.path(),
        tracker,
        storage,
        group: folder::GROUP,
        http,
        drive,
        status,
    }];
    texts.extend((room == Room::Full).then_some(Say::UpFull { data: folder.path() }));
    let password = if first { first_password(folder)? } else { None };
    texts.extend(password.as_ref().map(|(password, file)| Say::UpSignIn { drive, password, file }));
    texts.extend([Say::UpTry { program, client_conf: &client_conf }, Say::UpStop]);
    let texts: Vec<String> = texts.iter().map(|text| text.in_language(language)).collect();
    let mut out = io::stdout().lock();
    writeln!(out, "{}", texts.join("\n\n"))?;
    Ok(out.flush()?)
}

/// The first administrator's password and its file, unless it was given: then it is in no file.
fn first_password(folder: &Folder) -> anyhow::Result<Option<(String, PathBuf)>> {
    let (conf, _) = conf::drive(&folder.conf(Role::Drive))?;
    let file = first_password_file(&conf);
    match fs::read_to_string(&file) {
        Ok(text) => Ok(Some((text.trim_end().to_owned(), file))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("read the first administrator's password"),
    }
}

/// The address this machine would use towards others; no packet is sent for it.
fn outward_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // An address for documentation, routed like any other.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
}
