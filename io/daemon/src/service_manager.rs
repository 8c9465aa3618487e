//! systemd, told when we serve, that we still do, and that we are stopping.
//!
//! A datagram to the socket in `NOTIFY_SOCKET` for each, as `sd_notify(3)` has it. Without the variable nobody asked,
//! and nothing is sent. With `WATCHDOG_USEC` it wants to hear from us at least that often, or restarts us.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager that started this process, if one did.
#[derive(Debug, Default)]
pub struct ServiceManager {
    line: Option<Line>,
}

#[derive(Debug)]
struct Line {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names.
    ///
    /// # Errors
    /// When it names one in a way that cannot be, or no socket can be made.
    pub fn of_environment() -> io::Result<Self> {
        let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(Self::default());
        };
        let own = std::process::id().to_string();
        let for_us = env::var("WATCHDOG_PID").map_or(true, |pid| pid == own);
        let watchdog = env::var("WATCHDOG_USEC").ok().filter(|_| for_us);
        Self::at(&name, watchdog.as_deref())
    }

    /// The one behind a socket: a path, or `@` and a name that is in no file system.
    fn at(name: &OsStr, watchdog_usec: Option<&str>) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor @NAME")),
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that takes nothing must not hold us up.
        socket.set_nonblocking(true)?;
        let watchdog = watchdog_usec.and_then(|usec| usec.parse().ok()).map(Duration::from_micros);
        Ok(Self { line: Some(Line { socket, address, watchdog }) })
    }

    /// How long it waits for [`ServiceManager::alive`] before it restarts us; nothing when it does not.
    pub fn watchdog(&self) -> Option<Duration> {
        self.line.as_ref()?.watchdog
    }

    /// Says that we serve. `status` is one line for people.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", status.replace('\n', " ")));
    }

    /// Says that we still serve.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// Says that we are stopping.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping");
    }

    fn tell(&self, state: &str) {
        let Some(Line { socket, address, .. }) = &self.line else { return };
        if let Err(error) = socket.send_to_addr(state.as_bytes(), address) {
            tracing::warn!(%error, ?address, "cannot tell the service manager how we are");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(manager: &UnixDatagram) -> String {
        manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut datagram = [0; 256];
        let len = manager.recv(&mut datagram).unwrap();
        String::from_utf8(datagram[..len].to_vec()).unwrap()
    }

    #[test]
    fn a_manager_at_a_path_hears_of_the_start_the_work_and_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let told = ServiceManager::at(path.as_os_str(), Some("30000000")).unwrap();
        assert_eq!(told.watchdog(), Some(Duration::from_secs(30)));
        told.ready("serves\non 127.0.0.1:22122");
        told.alive();
        told.stopping();
        assert_eq!(heard(&manager), "READY=1\nSTATUS=serves on 127.0.0.1:22122");
        assert_eq!(heard(&manager), "WATCHDOG=1");
        assert_eq!(heard(&manager), "STOPPING=1\nSTATUS=stopping");
    }

    #[test]
    fn a_manager_may_be_in_no_file_system() {
        let name = format!("cairn-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let told = ServiceManager::at(OsStr::new(&format!("@{name}")), None).unwrap();
        assert_eq!(told.watchdog(), None);
        told.alive();
        assert_eq!(heard(&manager), "WATCHDOG=1");
    }

    #[test]
    fn a_manager_that_is_gone_or_was_never_there_stops_nobody() {
        let folder = tempfile::tempdir().unwrap();
        ServiceManager::at(folder.path().join("nobody").as_os_str(), None).unwrap().alive();
        ServiceManager::default().ready("serves");
        assert!(ServiceManager::at(OsStr::new("notify"), None).is_err());
    }
}
