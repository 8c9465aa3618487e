//! A tracker, a storage or a gateway as a process: in the background or not, with pid file, user and log.

mod folders;
mod role;
mod serve;
mod told;

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use daemon::control::{self, Action, StopError, Stopped};
use daemon::detach::{Launched, launch};

pub(crate) use folders::{pid_file, prepare as prepare_folders};
pub(crate) use role::{Loaded, Role, Running, holder};
pub(crate) use serve::{level, until_stopped};
pub(crate) use told::{listen as listen_for_status, tell as tell_status};

/// The argument by which the launcher tells its child that it is the server.
pub(crate) const DETACHED: &str = "--detached";

/// How long a start in the background is waited for. A store with much to check may take longer; the launcher
/// then says that it still starts.
const START_PATIENCE: Duration = Duration::from_secs(60);

const EXIT_FAILED: u8 = 1;
/// The status of asking or stopping a server that does not run.
pub(crate) const NOT_RUNNING: u8 = ENOENT;
const ENOENT: u8 = 2;
const EEXIST: u8 = 17;

/// What is asked of a server on the command line.
#[derive(Debug)]
pub(crate) struct Order {
    pub role: Role,
    pub conf: PathBuf,
    pub action: Action,
    pub mode: Mode,
}

/// How it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Start a background process and say how that went.
    Background,
    /// Be the server, on this terminal.
    Foreground,
    /// Be the server that a launcher started.
    Detached,
}

/// Does it; the exit status.
pub(crate) fn perform(order: &Order, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    // The launcher asked already; what is wrong now is said through its pipe.
    if order.mode == Mode::Detached {
        return Ok(serve::detached(order));
    }
    let base_path = match order.role.base_path(&order.conf) {
        Ok(base_path) => base_path,
        Err(error) => {
            writeln!(err, "{error}")?;
            return Ok(error.errno());
        }
    };
    let pid_file = folders::pid_file(&base_path, order.role);
    match order.action {
        Action::Status => status(&pid_file, order.role, out, err),
        Action::Stop => stop(&pid_file, order.role, err),
        Action::Start => start(order, &pid_file, err),
        Action::Restart => {
            let code = stop(&pid_file, order.role, err)?;
            if code != 0 && code != ENOENT { Ok(code) } else { start(order, &pid_file, err) }
        }
    }
}

fn status(pid_file: &Path, role: Role, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    match control::status(pid_file, role.program()) {
        Ok(Some(pid)) => {
            writeln!(out, "Running, pid: {pid}")?;
            Ok(0)
        }
        Ok(None) => {
            writeln!(out, "NOT running")?;
            Ok(ENOENT)
        }
        Err(error) => {
            writeln!(err, "{}: {error}", pid_file.display())?;
            Ok(EXIT_FAILED)
        }
    }
}

fn stop(pid_file: &Path, role: Role, err: &mut dyn Write) -> io::Result<u8> {
    match control::stop(pid_file, role.program()) {
        Ok(Stopped::Orderly { pid }) => {
            writeln!(err, "{}, pid {pid}: stopped", role.program())?;
            Ok(0)
        }
        Ok(Stopped::Killed { pid }) => {
            writeln!(err, "{}, pid {pid}: did not stop in time and was killed", role.program())?;
            Ok(0)
        }
        Err(error @ StopError::NotRunning(_)) => {
            writeln!(err, "{}: {error}", role.program())?;
            Ok(ENOENT)
        }
        Err(error) => {
            writeln!(err, "{}: {error}", role.program())?;
            Ok(EXIT_FAILED)
        }
    }
}

fn start(order: &Order, pid_file: &Path, err: &mut dyn Write) -> io::Result<u8> {
    let program = order.role.program();
    if let Ok(Some(pid)) = control::status(pid_file, program) {
        writeln!(err, "process {program} already running, pid: {pid}")?;
        return Ok(EEXIST);
    }
    if order.mode == Mode::Foreground {
        return serve::foreground(order, err);
    }
    match launch(child(order)?, START_PATIENCE) {
        Ok(Launched::Ready { pid }) => {
            writeln!(err, "{program}, pid {pid}: started")?;
            Ok(0)
        }
        Ok(Launched::StillStarting { pid }) => {
            writeln!(err, "{program}, pid {pid}: still starting, see its log")?;
            Ok(0)
        }
        Ok(Launched::Failed(reason)) => {
            writeln!(err, "{program}: not started: {reason}")?;
            Ok(EXIT_FAILED)
        }
        Ok(Launched::Died(status)) => {
            writeln!(err, "{program}: ended while starting, {status}; see its log")?;
            Ok(EXIT_FAILED)
        }
        Err(error) => {
            writeln!(err, "{program}: cannot be started: {error}")?;
            Ok(EXIT_FAILED)
        }
    }
}

/// The command that runs this binary again as the server, under the name operators look for.
fn child(order: &Order) -> io::Result<Command> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(order.role.program());
    // It has no classic name that the binary would be called by.
    if matches!(order.role, Role::Gateway | Role::Drive) {
        command.arg(order.role.word());
    }
    command.arg(DETACHED).arg(std::path::absolute(&order.conf)?);
    Ok(command)
}
