//! `cairn cluster`: a cluster of processes on this machine, one loopback address and one folder for each.
//!
//! Storages of a group share one port number and differ by address, so a cluster on one machine needs addresses, not
//! ports; unless storages are known by numbers (`--storage-ids`): then they share an address and differ by port. Each server is an ordinary background process with an ordinary configuration: whatever is true of it is
//! true of one on a machine of its own.

mod description;
mod folder;
mod start;
mod view;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{bail, ensure};
use clap::Subcommand;
use daemon::control::Action;

use crate::messages::{Language, Say};
use crate::server::{self, Mode, Order, Role};
use folder::{Member, Place};

/// What is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start it, or what of it does not run; the first start makes it
    Start(start::Args),
    /// Show its servers; the exit status is 0 when all are up and active
    Status {
        #[command(flatten)]
        at: At,
    },
    /// Stop it, or some of its servers
    Stop {
        #[command(flatten)]
        at: At,
        /// Only these servers, as status shows them
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Stop it and delete its folder, with every file in it
    Remove {
        #[command(flatten)]
        at: At,
        /// Yes, delete it
        #[arg(long)]
        yes: bool,
    },
}

/// Which cluster.
#[derive(Debug, clap::Args)]
struct At {
    /// Its folder
    #[arg(long, value_name = "DIR", default_value = "cairn-cluster")]
    dir: PathBuf,
}

impl At {
    /// The servers that are there.
    fn places(&self, program: &str, language: Language) -> anyhow::Result<Vec<Place>> {
        let places = folder::places(&self.dir)?;
        if places.is_empty() {
            bail!(Say::ClusterMissing { folder: &self.dir, program }.in_language(language));
        }
        Ok(places)
    }
}

pub(crate) fn run(args: &Args, program: &str, language: Language) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Start(args) => start::run(args, program, language),
        Command::Status { at } => status(at, program, language),
        Command::Stop { at, names } => stop(&folder::chosen(&at.places(program, language)?, names)?),
        Command::Remove { at, yes } => remove(at, *yes, program, language),
    }
}

fn load(places: &[Place]) -> anyhow::Result<Vec<Member>> {
    places.iter().map(Place::load).collect()
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn status(at: &At, program: &str, language: Language) -> anyhow::Result<ExitCode> {
    let members = load(&at.places(program, language)?)?;
    let seen = runtime()?.block_on(view::look(&members))?;
    io::stdout().write_all(view::table(&seen).as_bytes())?;
    let well = seen.iter().all(view::Seen::is_well);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Storages first: they say good-bye to the trackers. What does not run is no failure.
fn stop(places: &[Place]) -> anyhow::Result<ExitCode> {
    let (storages, trackers): (Vec<_>, Vec<_>) = places.iter().partition(|place| place.role == Role::Storage);
    let mut all_stopped = true;
    for place in storages.into_iter().chain(trackers) {
        let code = perform(place, Action::Stop)?;
        all_stopped &= code == 0 || code == server::NOT_RUNNING;
    }
    Ok(if all_stopped { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Stops everything; a folder that was not made by `start` is left alone, and so is one with a server that does not stop.
fn remove(at: &At, yes: bool, program: &str, language: Language) -> anyhow::Result<ExitCode> {
    let places = at.places(program, language)?;
    let folder = &at.dir;
    ensure!(folder::is_made(folder), Say::ClusterIsNotOurs { folder }.in_language(language));
    ensure!(yes, Say::ClusterRemoveNeedsYes { folder, servers: places.len(), program }.in_language(language));
    let stopped = stop(&places)?;
    if stopped != ExitCode::SUCCESS {
        return Ok(stopped);
    }
    folder::remove(folder)?;
    writeln!(io::stdout(), "{}", Say::ClusterRemoved { folder }.in_language(language))?;
    Ok(ExitCode::SUCCESS)
}

/// Does it and tells, with the server's name before it; the exit status.
fn perform(place: &Place, action: Action) -> anyhow::Result<u8> {
    let order = Order { role: place.role, conf: place.conf.clone(), action, mode: Mode::Background };
    let mut told = Vec::new();
    let code = server::perform(&order, &mut io::sink(), &mut told)?;
    let told = String::from_utf8_lossy(&told);
    writeln!(io::stdout(), "{}: {}", place.name, told.trim_end())?;
    Ok(code)
}
