//! `fdfs_trackerd` and `fdfs_storaged`: the servers under their classic names.

use std::path::PathBuf;

use daemon::control::Action;

use super::{Call, Trouble};
use crate::server::{self, DETACHED, Mode, Order, Role};

const EINVAL: u8 = 22;

pub(super) fn tracker(call: &mut Call<'_>) -> Result<(), Trouble> {
    run(call, Role::Tracker)
}

pub(super) fn storage(call: &mut Call<'_>) -> Result<(), Trouble> {
    run(call, Role::Storage)
}

fn run(call: &mut Call<'_>, role: Role) -> Result<(), Trouble> {
    let order = parse(call, role)?;
    match server::perform(&order, call.out, call.err)? {
        0 => Ok(()),
        code => Err(Trouble::Said(code)),
    }
}

/// Options stand anywhere; then the configuration and what to do.
fn parse(call: &mut Call<'_>, role: Role) -> Result<Order, Trouble> {
    let mut mode = Mode::Background;
    let mut words = Vec::new();
    for arg in std::mem::take(&mut call.args) {
        match arg.to_str() {
            Some("-N" | "--no-daemon") => mode = Mode::Foreground,
            Some(DETACHED) => mode = Mode::Detached,
            Some("-h" | "--help") => return Err(Trouble::Usage(0)),
            Some("-V" | "--version") => {
                let version = env!("CARGO_PKG_VERSION");
                writeln!(call.out, "\n{} V6.16.1 (Cairn {version})\n", role.program())?;
                return Err(Trouble::Said(0));
            }
            Some(option) if option.starts_with('-') => {
                let _ = writeln!(call.err, "unrecognized option: {option}");
                return Err(Trouble::Usage(1));
            }
            _ => words.push(arg),
        }
    }
    let mut words = words.into_iter();
    let conf = words.next().map(PathBuf::from).ok_or(Trouble::Usage(1))?;
    let action = words.next();
    if words.next().is_some() {
        let _ = writeln!(call.err, "too many arguments");
        return Err(Trouble::Usage(1));
    }
    let action = match action {
        None => Action::Start,
        Some(word) => word.to_string_lossy().parse().map_err(|error| {
            let _ = writeln!(call.err, "{error}");
            Trouble::Usage(EINVAL)
        })?,
    };
    Ok(Order { role, conf, action, mode })
}
