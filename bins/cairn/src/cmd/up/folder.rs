//! The data folder of `up`, and the configurations in it.
//!
//! ```text
//! client.conf                     for tools and clients
//! conf/tracker.conf storage.conf storage_ids.conf mod_fastdfs.conf drive.conf
//! tracker/ storage/ drive/        the base paths
//! logs/cairn.log  cairn.pid
//! ```
//!
//! The configurations are ordinary ones, written at every start from the command line: whoever outgrows
//! `up` copies them and runs one process per role.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::server::Role;

/// The clients' configuration.
pub(super) const CLIENT_CONF: &str = "client.conf";

/// The configuration of HTTP, beside the storage's.
const GATEWAY_CONF: &str = "mod_fastdfs.conf";

/// The group everything goes to.
pub(super) const GROUP: &str = "group1";

/// The storage's id: file ids hold it instead of an address, so that the address may change.
const STORAGE_ID: u32 = 100_001;

const HEAD: &str =
    "# Written by `cairn up` at every start: changes are lost. Copy the file to keep your own.\n";

/// Where the servers listen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) tracker: SocketAddr,
    pub(super) storage: SocketAddr,
    /// Files over HTTP.
    pub(super) http: SocketAddr,
    pub(super) drive: SocketAddr,
}

/// The folder, by its absolute path.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder and those in it that everything needs.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        for folder in [path.to_owned(), path.join("conf"), path.join("logs")] {
            fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        }
        let path = path.canonicalize().with_context(|| format!("open {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn base_path(&self, role: Role) -> PathBuf {
        self.0.join(role.word())
    }

    pub(super) fn conf(&self, role: Role) -> PathBuf {
        self.0.join("conf").join(format!("{}.conf", role.word()))
    }

    /// Writes the six configurations.
    pub(super) fn write_confs(&self, at: &Addresses, open_registration: bool) -> anyhow::Result<()> {
        let Addresses { tracker, storage, http, drive } = *at;
        let conf = self.0.join("conf");
        let tracker_base = self.base_path(Role::Tracker);
        let storage_base = self.base_path(Role::Storage);
        write(
            &self.conf(Role::Tracker),
            &format!(
                "{HEAD}\
                 bind_addr = {}\n\
                 port = {}\n\
                 base_path = {}\n\
                 reserved_storage_space = 1%\n\
                 use_storage_id = true\n\
                 storage_ids_filename = storage_ids.conf\n\
                 id_type_in_filename = id\n",
                tracker.ip(),
                tracker.port(),
                tracker_base.display()
            ),
        )?;
        write(
            &self.conf(Role::Storage),
            &format!(
                "{HEAD}\
                 group_name = {GROUP}\n\
                 bind_addr = {}\n\
                 port = {}\n\
                 base_path = {}\n\
                 store_path_count = 1\n\
                 store_path0 = {}\n\
                 tracker_server = {tracker}\n\
                 gateway_conf = {GATEWAY_CONF}\n",
                storage.ip(),
                storage.port(),
                storage_base.display(),
                storage_base.display(),
            ),
        )?;
        write(
            &conf.join(GATEWAY_CONF),
            &format!(
                "{HEAD}\
                 bind_addr = {}\n\
                 port = {}\n\
                 tracker_server = {tracker}\n\
                 url_have_group_name = true\n",
                http.ip(),
                http.port(),
            ),
        )?;
        write(
            &self.conf(Role::Drive),
            &format!(
                "{HEAD}\
                 bind_addr = {}\n\
                 port = {}\n\
                 base_path = {}\n\
                 tracker_server = {tracker}\n\
                 group_name = {GROUP}\n\
                 registration = {}\n",
                drive.ip(),
                drive.port(),
                self.base_path(Role::Drive).display(),
                if open_registration { "open" } else { "closed" },
            ),
        )?;
        write(
            &conf.join("storage_ids.conf"),
            &format!("{HEAD}{STORAGE_ID} {GROUP} {}\n", id_address(storage)),
        )?;
        write(
            &self.0.join(CLIENT_CONF),
            &format!(
                "{HEAD}\
                 base_path = {}\n\
                 tracker_server = {tracker}\n\
                 use_storage_id = true\n\
                 storage_ids_filename = conf/storage_ids.conf\n",
                self.0.display()
            ),
        )
    }
}

/// An address as `storage_ids.conf` has it.
fn id_address(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => format!("{ip}:{}", address.port()),
        IpAddr::V6(ip) => format!("[{ip}]:{}", address.port()),
    }
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf;

    #[test]
    fn the_written_configurations_load_without_a_word() {
        for (tracker, storage) in [
            ("127.0.0.1:22122", "127.0.0.1:23000"),
            ("[::1]:22122", "[::1]:23000"),
            ("10.0.0.5:1", "10.0.0.5:2"),
        ] {
            let data = tempfile::tempdir().unwrap();
            let folder = Folder::create(data.path()).unwrap();
            let (tracker, storage): (SocketAddr, SocketAddr) =
                (tracker.parse().unwrap(), storage.parse().unwrap());
            let at = |port| SocketAddr::new(storage.ip(), port);
            let (http, drive) = (at(8888), at(8080));
            folder.write_confs(&Addresses { tracker, storage, http, drive }, true).unwrap();
            let (tracker_conf, warnings) = conf::tracker(&folder.conf(Role::Tracker)).unwrap();
            assert_eq!(warnings, []);
            let ids = tracker_conf.identity.storage_ids.unwrap();
            assert_eq!(ids.by_addr(storage.ip(), storage.port()).map(|entry| entry.id), Some(STORAGE_ID));
            let (storage_conf, warnings) = conf::storage(&folder.conf(Role::Storage)).unwrap();
            assert_eq!(warnings, []);
            assert_eq!(storage_conf.store_paths.len(), 1);
            let (gateway_conf, warnings) = conf::gateway(&storage_conf.gateway_conf.unwrap()).unwrap();
            assert_eq!(warnings, []);
            assert_eq!((gateway_conf.listen.bind, gateway_conf.listen.port), (vec![http.ip()], 8888));
            let (drive_conf, warnings) = conf::drive(&folder.conf(Role::Drive)).unwrap();
            assert_eq!(warnings, []);
            assert_eq!((drive_conf.listen.bind, drive_conf.listen.port), (vec![drive.ip()], 8080));
            assert!(drive_conf.accounts.open);
            assert!(storage_conf.base_path.starts_with(folder.path()));
            let client = conf::client(&folder.path().join(CLIENT_CONF)).unwrap();
            assert_eq!(client.tracker_servers.as_slice().len(), 1);
            assert!(client.storage_ids.is_some());
        }
    }
}
