//! Becoming another user (`run_by_user`, `run_by_group`).
//!
//! Accounts are looked up in `/etc/passwd` and `/etc/group`; a number is taken as it is. Accounts that
//! exist only in a directory service have to be given by number.

use std::fs;
use std::io;
use std::path::Path;

use rustix::process::{Gid, Uid, getgid, getuid};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};

/// The user and groups a server runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

/// Why the user cannot be taken on.
#[derive(Debug, thiserror::Error)]
pub enum RunAsError {
    /// No such user.
    #[error("run_by_user: no user {0:?} in /etc/passwd")]
    UnknownUser(String),
    /// No such group.
    #[error("run_by_group: no group {0:?} in /etc/group")]
    UnknownGroup(String),
    /// An accounts file cannot be read.
    #[error("{file}: {source}")]
    Unreadable {
        /// Which.
        file: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The system refuses (only root may become somebody else).
    #[error("cannot {what} (start as root, or leave run_by_user and run_by_group empty): {source}")]
    Refused {
        /// What was refused.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Identity {
    /// The identity the two settings ask for; nothing when both are empty or already true.
    pub fn resolve(user: &str, group: &str) -> Result<Option<Self>, RunAsError> {
        if user.is_empty() && group.is_empty() {
            return Ok(None);
        }
        let passwd = read("/etc/passwd")?;
        let groups = read("/etc/group")?;
        let wanted = find(&passwd, &groups, user, group)?;
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        let wanted =
            Self { uid: wanted.uid.unwrap_or(uid), gid: wanted.gid.unwrap_or(gid), groups: wanted.groups };
        Ok((wanted.uid != uid || wanted.gid != gid).then_some(wanted))
    }

    /// Gives a file or folder to this identity.
    pub fn give(&self, path: &Path) -> Result<(), RunAsError> {
        rustix::fs::chown(path, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
            .map_err(|error| RunAsError::Refused { what: "change the owner", source: error.into() })
    }

    /// Becomes it, for good. Call it before the first thread is made: the kernel changes one thread at
    /// a time, and new threads inherit from the one that makes them.
    pub fn take_on(&self) -> Result<(), RunAsError> {
        let refused =
            |what| move |error: rustix::io::Errno| RunAsError::Refused { what, source: error.into() };
        let groups: Vec<Gid> = self.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        set_thread_groups(&groups).map_err(refused("change the groups"))?;
        set_thread_gid(Gid::from_raw(self.gid)).map_err(refused("change the group"))?;
        set_thread_uid(Uid::from_raw(self.uid)).map_err(refused("change the user"))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    uid: Option<u32>,
    gid: Option<u32>,
    groups: Vec<u32>,
}

fn read(file: &'static str) -> Result<String, RunAsError> {
    fs::read(file)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|source| RunAsError::Unreadable { file, source })
}

/// Looks the names up in the texts of the accounts files.
fn find(passwd: &str, groups: &str, user: &str, group: &str) -> Result<Wanted, RunAsError> {
    let mut wanted = Wanted { uid: None, gid: None, groups: Vec::new() };
    let mut user_name = user;
    if !user.is_empty() {
        let number = user.parse::<u32>().ok();
        let line = rows(passwd).find(|row| {
            row.first() == Some(&user)
                || (number.is_some() && row.get(2).and_then(|n| n.parse().ok()) == number)
        });
        match line {
            Some(row) => {
                user_name = row.first().copied().unwrap_or(user);
                wanted.uid = row.get(2).and_then(|uid| uid.parse().ok());
                wanted.gid = row.get(3).and_then(|gid| gid.parse().ok());
            }
            None => wanted.uid = number,
        }
        if wanted.uid.is_none() {
            return Err(RunAsError::UnknownUser(user.to_owned()));
        }
    }
    if !group.is_empty() {
        let named = rows(groups).find(|row| row.first() == Some(&group));
        wanted.gid =
            named.and_then(|row| row.get(2).and_then(|gid| gid.parse().ok())).or_else(|| group.parse().ok());
        if wanted.gid.is_none() {
            return Err(RunAsError::UnknownGroup(group.to_owned()));
        }
    }
    wanted.groups.extend(wanted.gid);
    if !user.is_empty() {
        let member = rows(groups)
            .filter(|row| row.get(3).is_some_and(|members| members.split(',').any(|name| name == user_name)))
            .filter_map(|row| row.get(2).and_then(|gid| gid.parse().ok()));
        for gid in member {
            if !wanted.groups.contains(&gid) {
                wanted.groups.push(gid);
            }
        }
    }
    Ok(wanted)
}

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(':').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n";
    const GROUP: &str = "root:x:0:\nwww-data:x:33:\nmedia:x:44:ann,www-data\nfdfs:x:990:\n";

    #[test]
    fn a_user_brings_its_own_group_and_those_it_is_a_member_of() {
        let wanted = find(PASSWD, GROUP, "www-data", "").unwrap();
        assert_eq!(wanted, Wanted { uid: Some(33), gid: Some(33), groups: vec![33, 44] });
    }

    #[test]
    fn a_named_group_takes_the_place_of_the_users_own() {
        let wanted = find(PASSWD, GROUP, "www-data", "fdfs").unwrap();
        assert_eq!(wanted, Wanted { uid: Some(33), gid: Some(990), groups: vec![990, 44] });
    }

    #[test]
    fn a_group_alone_leaves_the_user() {
        let wanted = find(PASSWD, GROUP, "", "fdfs").unwrap();
        assert_eq!(wanted, Wanted { uid: None, gid: Some(990), groups: vec![990] });
    }

    #[test]
    fn numbers_are_taken_as_they_are() {
        let wanted = find(PASSWD, GROUP, "12345", "54321").unwrap();
        assert_eq!(wanted, Wanted { uid: Some(12345), gid: Some(54321), groups: vec![54321] });
    }

    #[test]
    fn names_nobody_carries_are_refused() {
        assert!(matches!(find(PASSWD, GROUP, "nobody-here", ""), Err(RunAsError::UnknownUser(_))));
        assert!(matches!(find(PASSWD, GROUP, "root", "no-group"), Err(RunAsError::UnknownGroup(_))));
    }

    #[test]
    fn nothing_asked_is_nothing_done() {
        assert_eq!(Identity::resolve("", "").unwrap(), None);
    }
}
