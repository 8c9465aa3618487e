//! `fdfs_monitor`: groups and storages as a tracker sees them, and three things an administrator changes.

mod layout;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use fdfs_client::{Error, ServerAddr, Tracker};
use fdfs_fileid::GroupName;
use fdfs_proto::StorageId;
use jiff::tz::TimeZone;

use super::session::{Session, To};
use super::{Call, EXIT_FAILED, Trouble};

const DEFAULT_CONF: &str = "/etc/fdfs/client.conf";
const TRACKER_PORT: u16 = 22122;
const EINVAL: u8 = 22;
/// The status for a tracker that `client.conf` does not list.
const EXIT_NOT_LISTED: u8 = 2;

/// The command line, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    conf: PathBuf,
    tracker: Option<String>,
    operation: String,
    rest: Vec<String>,
}

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    let wanted = parse(&call.args)?;
    let session = Session::open(call, &wanted.conf)?;
    let trackers = session.conf.tracker_servers.as_slice();
    let index = match &wanted.tracker {
        Some(text) => listed(call, trackers, text)?,
        None => somewhere(trackers.len()),
    };
    writeln!(call.out, "tracker server count={}, current server index={index}", trackers.len())?;
    let Some(address) = trackers.get(index) else { return Err(Trouble::Said(EXIT_NOT_LISTED)) };
    let tracker = session.client.tracker(address.clone());
    if let Err(error) = session.wait(tracker.active_test()) {
        let _ = writeln!(call.err, "{error}");
        return Err(Trouble::Said(error.errno()));
    }
    writeln!(call.out, "\ntracker server is {address}\n")?;
    let mut rest = wanted.rest.iter().map(String::as_str);
    let group = rest.next();
    let id = rest.next();
    match (wanted.operation.as_str(), group) {
        ("list", group) => list(call, &session, &tracker, group),
        ("delete", Some(group)) => delete(call, &session, group, id),
        ("set_trunk_server", Some(group)) => set_trunk_server(call, &session, group, id.unwrap_or_default()),
        ("delete" | "set_trunk_server", None) => Err(Trouble::Usage(1)),
        (other, _) => {
            writeln!(call.out, "Invalid command {other}\n")?;
            Err(Trouble::Usage(EXIT_FAILED))
        }
    }
}

fn parse(args: &[OsString]) -> Result<Wanted, Trouble> {
    if args.len() == 1 && args.first().is_some_and(|arg| arg == "-h") {
        return Err(Trouble::Usage(0));
    }
    let mut args = args.iter();
    let conf = args.next().map_or_else(|| PathBuf::from(DEFAULT_CONF), PathBuf::from);
    let mut args = args.map(|arg| arg.to_string_lossy().into_owned()).peekable();
    let tracker = match args.peek().and_then(|arg| arg.strip_prefix("-h")).map(ToOwned::to_owned) {
        None => None,
        Some(attached) => {
            args.next();
            if attached.is_empty() { Some(args.next().ok_or(Trouble::Usage(1))?) } else { Some(attached) }
        }
    };
    let operation = args.next().unwrap_or_else(|| "list".to_owned());
    Ok(Wanted { conf, tracker, operation, rest: args.collect() })
}

/// The place of a tracker in the list of `client.conf`.
fn listed(call: &mut Call<'_>, trackers: &[ServerAddr], text: &str) -> Result<usize, Trouble> {
    let address = ServerAddr::parse(text, TRACKER_PORT);
    let found = address.ok().and_then(|wanted| {
        trackers.iter().position(|tracker| {
            tracker.port() == wanted.port()
                && wanted.hosts().any(|host| tracker.hosts().any(|one| one == host))
        })
    });
    match found {
        Some(index) => Ok(index),
        None => {
            writeln!(call.out, "tracker server: {text} not exists!")?;
            Err(Trouble::Said(EXIT_NOT_LISTED))
        }
    }
}

/// Any of `count`: the time will do to spread the load of watchers.
fn somewhere(count: usize) -> usize {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
    usize::try_from(nanos / 1000).unwrap_or(0).checked_rem(count).unwrap_or(0)
}

fn list(
    call: &mut Call<'_>,
    session: &Session,
    tracker: &Tracker,
    only: Option<&str>,
) -> Result<(), Trouble> {
    let zone = TimeZone::system();
    let groups = match session.wait(tracker.list_groups()) {
        Ok(groups) => groups,
        Err(error) => return Err(told(call, &error)),
    };
    if only.is_none() {
        writeln!(call.out, "group count: {}", groups.len())?;
    }
    for (index, group) in groups.iter().enumerate() {
        match only {
            Some(name) if group.group.as_str() != name => continue,
            Some(_) => {}
            None => writeln!(call.out, "\nGroup {}:", index + 1)?,
        }
        match session.wait(tracker.list_storages(group.group, None)) {
            Ok(storages) => layout::write_group(call.out, group, &storages, &zone)?,
            Err(error) => return Err(told(call, &error)),
        }
    }
    if let Some(name) = only
        && !groups.iter().any(|group| group.group.as_str() == name)
    {
        let _ = writeln!(call.err, "no group {name}");
        return Err(Trouble::Said(EXIT_FAILED));
    }
    Ok(())
}

fn delete(call: &mut Call<'_>, session: &Session, group: &str, id: Option<&str>) -> Result<(), Trouble> {
    let name = group_name(call, group)?;
    let (what, done) = match id {
        None => (format!("delete group: {group}"), session.wait(session.client.delete_group(name))),
        Some(id) => {
            let what = format!("delete storage server {group}::{id}");
            let id = storage_id(call, id)?;
            (what, session.wait(session.client.delete_storage(name, id)))
        }
    };
    match done {
        Ok(()) => Ok(writeln!(call.out, "{what} success")?),
        Err(error) => Err(call.failed_1(&what, &error, To::Out)),
    }
}

fn set_trunk_server(call: &mut Call<'_>, session: &Session, group: &str, id: &str) -> Result<(), Trouble> {
    let name = group_name(call, group)?;
    let what = format!("set trunk server {group}::{id}");
    let id = if id.is_empty() { None } else { Some(storage_id(call, id)?) };
    match session.wait(session.client.set_trunk_server(name, id)) {
        Ok(id) => Ok(writeln!(call.out, "{what} success, new trunk server: {id}")?),
        Err(error) => Err(call.failed_1(&what, &error, To::Out)),
    }
}

fn group_name(call: &mut Call<'_>, text: &str) -> Result<GroupName, Trouble> {
    GroupName::parse(text.as_bytes()).map_err(|error| {
        let _ = writeln!(call.err, "group {text}: {error}");
        Trouble::Said(EINVAL)
    })
}

fn storage_id(call: &mut Call<'_>, text: &str) -> Result<StorageId, Trouble> {
    StorageId::new(text.as_bytes()).ok_or_else(|| {
        let _ = writeln!(call.err, "storage id {text}: must have 1 to 15 characters");
        Trouble::Said(EINVAL)
    })
}

fn told(call: &mut Call<'_>, error: &Error) -> Trouble {
    let _ = writeln!(call.err, "{error}");
    Trouble::Said(EXIT_FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Wanted, Trouble> {
        parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    fn wanted(tracker: Option<&str>, operation: &str, rest: &[&str]) -> Wanted {
        Wanted {
            conf: PathBuf::from("c"),
            tracker: tracker.map(ToOwned::to_owned),
            operation: operation.to_owned(),
            rest: rest.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn without_arguments_the_usual_configuration_is_listed() {
        let wanted = parsed(&[]).unwrap();
        assert_eq!(wanted.conf, PathBuf::from("/etc/fdfs/client.conf"));
        assert_eq!((wanted.operation.as_str(), wanted.tracker), ("list", None));
    }

    #[test]
    fn the_tracker_is_attached_or_follows() {
        assert_eq!(parsed(&["c", "-h", "t:1"]).unwrap(), wanted(Some("t:1"), "list", &[]));
        assert_eq!(parsed(&["c", "-ht:1", "list", "g"]).unwrap(), wanted(Some("t:1"), "list", &["g"]));
        assert!(matches!(parsed(&["c", "-h"]), Err(Trouble::Usage(1))));
        assert!(matches!(parsed(&["-h"]), Err(Trouble::Usage(0))));
    }

    #[test]
    fn the_operation_has_its_arguments_behind_it() {
        assert_eq!(parsed(&["c", "delete", "g", "id"]).unwrap(), wanted(None, "delete", &["g", "id"]));
    }
}
