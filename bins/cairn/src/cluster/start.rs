//! `cairn cluster start`.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use daemon::control::Action;

use super::description::{Apart, CLIENT_CONF, Description, Server, Shape};
use super::folder::{self, Member};
use super::view::{self, Seen, Standing};
use super::{At, load, perform, runtime};
use crate::messages::{Language, Say};
use crate::server::{self, Role};

/// The first address when none is named. FastDFS refuses 127.0.0.1 for a tracker of a storage.
const FIRST_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// How long the servers may take to find each other: leaders are elected in seconds, and a storage that was away has
/// to be told so.
const READY_PATIENCE: Duration = Duration::from_secs(60);

/// How often they are looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    at: At,
    /// Trackers x groups x storages in each group, for the first start [default: 2x2x2]
    #[arg(long)]
    shape: Option<Shape>,
    /// The first server's address, the others follow it, for the first start [default: 127.0.0.11]
    #[arg(long, value_name = "IP")]
    first_ip: Option<Ipv4Addr>,
    /// Put all storages on one address, with a port and a storage id each, for the first start
    #[arg(long)]
    storage_ids: bool,
    /// Only these servers, as status shows them
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub(super) fn run(args: &Args, program: &str, language: Language) -> anyhow::Result<ExitCode> {
    let dir = &args.at.dir;
    if folder::places(dir)?.is_empty() {
        make(args, language)?;
    }
    let places = args.at.places(program, language)?;
    let members = load(&places)?;
    check_same(args, &members, language)?;
    let chosen = folder::chosen(&places, &args.names)?;
    let mut missing = Vec::new();
    for member in members.iter().filter(|member| chosen.contains(&member.place)) {
        if member.pid()?.is_none() {
            check_free(&member.server, language)?;
            missing.push(member);
        }
    }
    let mut all_started = true;
    for member in missing {
        all_started &= perform(&member.place, Action::Start)? == 0;
    }
    if !all_started {
        return Ok(ExitCode::FAILURE);
    }
    runtime()?.block_on(until_ready(&members, language))?;
    let client_conf = dir.join(CLIENT_CONF);
    let ready = Say::ClusterReady { folder: dir, client_conf: &client_conf, program };
    writeln!(io::stdout(), "\n{}", ready.in_language(language))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the cluster, unless one of its addresses is taken: then other addresses can be named.
fn make(args: &Args, language: Language) -> anyhow::Result<()> {
    let shape = args.shape.unwrap_or_default();
    let first = args.first_ip.unwrap_or(FIRST_IP);
    let apart = if args.storage_ids { Apart::Port } else { Apart::Address };
    let description = Description::new(shape, first, apart)
        .with_context(|| format!("--first-ip {first}: no {shape} loopback addresses from there on"))?;
    for server in description.servers() {
        check_free(server, language)?;
    }
    folder::write(&args.at.dir, &description)
}

/// An option that says something else than the files is a misunderstanding.
fn check_same(args: &Args, members: &[Member], language: Language) -> anyhow::Result<()> {
    let other_shape = args.shape.is_some_and(|shape| folder::shape(members) != Some(shape));
    let first = members.first().map(|member| member.server.address.ip());
    let other_ip = args.first_ip.is_some_and(|ip| first != Some(ip.into()));
    let other_kind = args.storage_ids && !folder::has_ids(&args.at.dir);
    ensure!(
        !other_shape && !other_ip && !other_kind,
        Say::ClusterIsMade { folder: &args.at.dir }.in_language(language)
    );
    Ok(())
}

fn check_free(server: &Server, language: Language) -> anyhow::Result<()> {
    let Server { name, address, status, .. } = server;
    for address in std::iter::once(*address).chain(*status) {
        match TcpListener::bind(address) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let holder = server::holder(address);
                let taken = Say::ClusterAddressTaken { name, address, holder: holder.as_deref() };
                bail!(taken.in_language(language))
            }
            Err(error) => return Err(error).with_context(|| format!("{name}: listen on {address}")),
        }
    }
    Ok(())
}

/// Waits until the servers that run have found each other; says how far that is.
async fn until_ready(members: &[Member], language: Language) -> anyhow::Result<()> {
    let until = Instant::now() + READY_PATIENCE;
    let mut running = Vec::new();
    for member in members {
        if member.pid()?.is_some() {
            running.push(member.server.name.as_str());
        }
    }
    let mut said = String::new();
    loop {
        let seen = view::look(members).await?;
        let ours: Vec<&Seen<'_>> =
            seen.iter().filter(|one| running.contains(&one.member.server.name.as_str())).collect();
        if let Some(ended) = ours.iter().find(|one| one.pid.is_none()) {
            let Server { name, .. } = &ended.member.server;
            bail!(Say::ClusterServerEnded { name, log: &ended.member.log() }.in_language(language));
        }
        let waits = unready(&ours);
        let Some(first) = waits.first() else { return Ok(()) };
        ensure!(
            ours.iter().any(|one| one.member.server.role == Role::Tracker),
            Say::ClusterHasNoTracker.in_language(language)
        );
        let states: Vec<String> =
            waits.iter().map(|one| format!("{} {}", one.member.server.name, one.standing)).collect();
        if Instant::now() >= until {
            let (seconds, log) = (READY_PATIENCE.as_secs(), &first.member.log());
            bail!(Say::ClusterNotReady { seconds, states: &states, log }.in_language(language));
        }
        let progress = Say::ClusterWaits { states: &states }.in_language(language);
        if progress != said {
            writeln!(io::stdout(), "{progress}")?;
            said = progress;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Those that are waited for. Trackers learn of each other from storages: alone they need no leader.
fn unready<'a>(ours: &[&'a Seen<'a>]) -> Vec<&'a Seen<'a>> {
    let alone = ours.iter().all(|one| one.member.server.role == Role::Tracker);
    let ready = |one: &Seen<'_>| one.is_well() || (alone && one.standing == Standing::Leaderless);
    ours.iter().copied().filter(|one| !ready(one)).collect()
}
