//! The commands of `cairn` and their arguments.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cmd;
use crate::messages::{Language, Say};

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
    /// Link the classic tools' names (fdfs_upload_file, …) to this binary
    InstallTools {
        /// The folder for the links
        dir: PathBuf,
    },
    /// Print docs/commands.md
    #[command(hide = true)]
    Reference,
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
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "cairn: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    let language = Language::of_environment();
    match command {
        Command::InstallTools { dir } => {
            let count = cmd::install_tools::install(&dir, language)?;
            say(&Say::ToolsInstalled { count, folder: &dir }, language)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Reference => {
            io::stdout().write_all(cmd::reference::page().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn say(what: &Say<'_>, language: Language) -> io::Result<()> {
    writeln!(io::stdout(), "{}", what.in_language(language))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_contradict_nothing() {
        Cli::command().debug_assert();
    }
}
