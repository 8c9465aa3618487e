//! Files in memory, and the loaders' answers as text.
#![allow(dead_code, reason = "each test file uses what it needs")]

use fdfs_conf::{ClientConf, ConfError, Ini, LoadError, StorageConf, ThisHost, TrackerConf, Warning};

/// A loader over pairs of path and text.
pub(crate) fn files<'a>(
    files: &'a [(&'a str, &'a str)],
) -> impl FnMut(&str) -> Result<String, LoadError> + 'a {
    move |path| {
        let found = files.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).to_owned()).ok_or(LoadError::NotFound)
    }
}

/// Loads a tracker.conf that needs `lines` on top of what is required.
pub(crate) fn tracker(lines: &str) -> Result<(TrackerConf, Vec<Warning>), ConfError> {
    let text = format!("base_path=/fastdfs\n{lines}");
    TrackerConf::load("tracker.conf", &mut files(&[("tracker.conf", &text)]))
}

/// Loads a storage.conf that needs `lines` on top of what is required.
pub(crate) fn storage(lines: &str) -> Result<(StorageConf, Vec<Warning>), ConfError> {
    let text = format!("base_path=/fastdfs\ntracker_server=10.0.0.1\n{lines}");
    StorageConf::load("storage.conf", &mut files(&[("storage.conf", &text)]))
}

/// Loads a client.conf that needs `lines` on top of what is required.
pub(crate) fn client(lines: &str) -> Result<(ClientConf, Vec<Warning>), ConfError> {
    let text = format!("tracker_server=10.0.0.1\n{lines}");
    ClientConf::load("client.conf", &mut files(&[("client.conf", &text)]))
}

/// The message of a failed load.
pub(crate) fn refused<T>(loaded: Result<T, ConfError>) -> String {
    match loaded {
        Ok(_) => "loaded".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// The warnings of a load that must work.
pub(crate) fn warnings<T>(loaded: Result<(T, Vec<Warning>), ConfError>) -> Vec<String> {
    loaded.map(|(_, warnings)| warnings.iter().map(Warning::to_string).collect()).unwrap()
}

/// The configuration of a load that must work, without warnings.
pub(crate) fn clean<T>(loaded: Result<(T, Vec<Warning>), ConfError>) -> T {
    let (conf, warnings) = loaded.unwrap();
    assert_eq!(warnings, []);
    conf
}

/// `section.key=value` of each line of an INI text.
pub(crate) fn items(ini: &Ini) -> Vec<String> {
    ini.items().iter().map(|item| format!("{}.{}={}", item.section, item.key, item.value)).collect()
}

/// A host with two private addresses and a public one.
pub(crate) fn host() -> ThisHost {
    ThisHost {
        addresses: ["10.0.11.89", "192.168.1.7", "203.0.113.5"].map(|ip| ip.parse().unwrap()).to_vec(),
        name: "node7".to_owned(),
    }
}

/// The files in `tests/data` under `/etc/fdfs`: every key of the shipped files, in odd spellings.
pub(crate) fn field_files() -> impl FnMut(&str) -> Result<String, LoadError> {
    files(&[
        ("/etc/fdfs/tracker.conf", include_str!("../data/tracker.conf")),
        ("/etc/fdfs/storage.conf", include_str!("../data/storage.conf")),
        ("/etc/fdfs/fdht_servers.conf", include_str!("../data/fdht_servers.conf")),
        ("/etc/fdfs/client.conf", include_str!("../data/client.conf")),
        ("/etc/fdfs/mod_fastdfs.conf", include_str!("../data/mod_fastdfs.conf")),
        ("/etc/fdfs/http.conf", include_str!("../data/http.conf")),
        ("/etc/fdfs/storage_ids.conf", include_str!("../data/storage_ids.conf")),
    ])
}
