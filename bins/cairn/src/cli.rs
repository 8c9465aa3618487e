//! The commands of `cairn` and their arguments.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use daemon::control::Action;

use crate::cluster;
use crate::cmd;
use crate::messages::{Language, Say, language_of_environment};
use crate::server::{self, Mode, Order, Role};

/// A FastDFS that cannot lose your files, in one binary.
///
/// The classic tools are here as well, as `cairn fdfs_upload_file …` or under their own names after
/// `cairn install-tools DIR`.
#[derive(Debug, Parser)]
#[command(name = "cairn", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a tracker, a storage and the cloud drive in one process, all data in one folder
    Up(cmd::up::Args),
    /// Run a tracker with a tracker.conf
    Tracker(ServerArgs),
    /// Run a storage with a storage.conf
    Storage(ServerArgs),
    /// Serve the files of all groups over HTTP, with a mod_fastdfs.conf
    Gateway(ServerArgs),
    /// Serve the cloud drive, with a drive.conf
    Drive(ServerArgs),
    /// Run a cluster of processes on this machine, each on a loopback address of its own
    Cluster(cluster::Args),
    /// Store a file or a whole folder
    Put(cmd::put::Args),
    /// Fetch a file or a whole folder, and verify it
    Get(cmd::get::Args),
    /// List what is in a manifest
    Ls(cmd::ls::Args),
    /// Delete a file, or everything in a manifest
    Rm(cmd::rm::Args),
    /// Show what is known of a file
    Stat(cmd::stat::Args),
    /// Show groups and storages
    Monitor(cmd::monitor::Args),
    /// Say what is wrong with configurations, servers and the cluster, and what to do about it
    Doctor(cmd::doctor::Args),
    /// Look every minute at what doctor looks at, and tell people what changes
    Watch(cmd::watch::Args),
    /// Ask a server whether it is well, for the checks of containers
    Health(cmd::health::Args),
    /// Tell Open-Falcon the numbers of servers: print them as a plugin of its agent does, or push them
    Falcon(cmd::falcon::Args),
    /// Check a store against its ids and its records
    Fsck(cmd::fsck::Args),
    /// Put all that a drive knows into a folder, while it runs
    Backup(cmd::backup::BackupArgs),
    /// Bring a drive back from such a folder, into a database of either engine
    Restore(cmd::backup::RestoreArgs),
    /// Hand a store back to FastDFS: every packed file becomes a file of its own
    Unpack(cmd::unpack::Args),
    /// Link the classic tools' names (fdfs_upload_file, …) to this binary
    InstallTools {
        /// The folder for the links
        dir: PathBuf,
    },
    /// Print a generated document: docs/commands.md, docs/metrics.md, docs/openapi.json
    #[command(hide = true)]
    Reference {
        #[arg(value_enum, default_value = "commands")]
        document: Document,
    },
}

/// A document that is made from what the binary knows.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Document {
    Commands,
    Metrics,
    Openapi,
}

/// How a server is run.
#[derive(Debug, clap::Args)]
struct ServerArgs {
    /// Its configuration
    conf: PathBuf,
    /// What to do: start (the default), stop, restart or status
    #[arg(default_value = "start")]
    action: Action,
    /// Stay on this terminal
    #[arg(short = 'N', long)]
    no_daemon: bool,
    /// Be what a start in the background has started
    #[arg(long, hide = true)]
    detached: bool,
}

impl ServerArgs {
    fn order(self, role: Role) -> Order {
        let mode = match (self.detached, self.no_daemon) {
            (true, _) => Mode::Detached,
            (false, true) => Mode::Foreground,
            (false, false) => Mode::Background,
        };
        Order { role, conf: self.conf, action: self.action, mode }
    }
}

/// The command line, for the page of reference.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Runs `cairn` with these arguments.
pub(crate) fn start(program: &OsStr, args: Vec<OsString>) -> ExitCode {
    let words = std::iter::once(program.to_owned()).chain(args);
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        // Help and version come this way too, with their own status.
        Err(error) => {
            return match error.print() {
                Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1)),
                Err(error) => crate::output::failed(&error),
            };
        }
    };
    match run(cli.command, &program.to_string_lossy()) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "cairn: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, program: &str) -> anyhow::Result<ExitCode> {
    let language = language_of_environment();
    match command {
        Command::Up(args) => cmd::up::run(&args, program, language),
        Command::Tracker(args) => serve(&args.order(Role::Tracker)),
        Command::Storage(args) => serve(&args.order(Role::Storage)),
        Command::Gateway(args) => serve(&args.order(Role::Gateway)),
        Command::Drive(args) => serve(&args.order(Role::Drive)),
        Command::Cluster(args) => cluster::run(&args, program, language),
        Command::Put(args) => cmd::put::run(&args, program, language),
        Command::Get(args) => cmd::get::run(&args, language),
        Command::Ls(args) => cmd::ls::run(&args),
        Command::Rm(args) => cmd::rm::run(&args, language),
        Command::Stat(args) => cmd::stat::run(&args),
        Command::Monitor(args) => cmd::monitor::run(&args, language),
        Command::Doctor(args) => Ok(cmd::doctor::run(&args, language)),
        Command::Watch(args) => cmd::watch::run(&args, language),
        Command::Health(args) => cmd::health::run(&args),
        Command::Falcon(args) => cmd::falcon::run(&args),
        Command::Fsck(args) => Ok(cmd::fsck::run(&args, language)),
        Command::Backup(args) => cmd::backup::backup(&args, language),
        Command::Restore(args) => cmd::backup::restore(&args, language),
        Command::Unpack(args) => cmd::unpack::run(&args, language),
        Command::InstallTools { dir } => {
            let count = cmd::install_tools::install(&dir, language)?;
            say(&Say::ToolsInstalled { count, folder: &dir }, language)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Reference { document } => {
            let text = match document {
                Document::Commands => cmd::reference::page(&self::command()),
                Document::Metrics => cmd::metrics_page::page(),
                Document::Openapi => drive::openapi_json()?,
            };
            io::stdout().write_all(text.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn serve(order: &Order) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::from(server::perform(order, &mut io::stdout(), &mut io::stderr())?))
}

fn say(what: &Say<'_>, language: Language) -> io::Result<()> {
    writeln!(io::stdout(), "{}", what.in_language(language))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_contradict_nothing() {
        Cli::command().debug_assert();
    }
}
