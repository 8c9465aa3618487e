//! Who listens on a port: for a message that helps, when ours is taken.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::process::Process;

/// Processes looked at before giving up.
const PROCESSES_MAX: usize = 100_000;

/// The state of a listening socket in the kernel's tables.
const LISTENING: &str = "0A";

/// The process that listens on this address (or on all addresses of its port), when we may see it.
///
/// Other users' processes show only to root.
pub fn listener(address: SocketAddr) -> Option<Process> {
    let tables = [("/proc/net/tcp", false), ("/proc/net/tcp6", true)];
    let inode = tables.iter().find_map(|(path, wide)| {
        let table = fs::read_to_string(path).ok()?;
        inode_of(&table, address, *wide)
    })?;
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?;
    let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.take(PROCESSES_MAX).find(|pid| has_open(*pid, &wanted)).and_then(Process::find)
}

fn has_open(pid: i32, target: &str) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == target))
}

/// Finds the listening socket in a table of the kernel. Lines hold `local address:port` in hexadecimal,
/// the address as the machine's words lie in memory; the 4th column is the state, the 10th the inode.
fn inode_of(table: &str, address: SocketAddr, wide: bool) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace();
        let (ip, port) = columns.nth(1)?.split_once(':')?;
        if u16::from_str_radix(port, 16).ok()? != address.port() || columns.nth(1)? != LISTENING {
            return None;
        }
        let any = ip.bytes().all(|digit| digit == b'0');
        // A socket on `::` takes the port of IPv4 as well.
        let same = if wide { any || address.is_ipv6() } else { any || address.ip() == narrow(ip)? };
        if !same {
            return None;
        }
        columns.nth(5)?.parse().ok()
    })
}

fn narrow(hex: &str) -> Option<IpAddr> {
    let word = u32::from_str_radix(hex, 16).ok()?;
    Some(Ipv4Addr::from(word.to_ne_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_process_that_listens_is_found() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let found = listener(address).unwrap();
        assert_eq!(found.pid(), std::process::id() as i32);
    }

    #[test]
    fn a_listener_on_all_addresses_is_found_too() {
        let socket = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let found = listener(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
        assert_eq!(found.pid(), std::process::id() as i32);
    }

    #[test]
    fn nobody_is_found_on_a_free_port_or_another_address() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(listener(SocketAddr::from(([127, 0, 0, 9], port))), None);
        drop(socket);
        assert_eq!(listener(SocketAddr::from(([127, 0, 0, 1], port))), None);
    }
}
