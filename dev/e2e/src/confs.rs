//! Configuration files that are shipped, read as the servers read them. One that is odd is a failed test.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};

use fdfs_conf::ini::text_of;
use fdfs_conf::{
    ClientConf, ConfError, DriveConf, GatewayConf, LoadError, StorageConf, TrackerConf, Warning, WatchConf,
};
use serde_json::Value;
use testkit::python;

fn read(path: &str) -> Result<String, LoadError> {
    fs::read(path).map(text_of).map_err(|error| LoadError::Unreadable(error.to_string()))
}

fn without_a_word<T>(loaded: Result<(T, Vec<Warning>), ConfError>) -> T {
    let (conf, warnings) = loaded.unwrap_or_else(|error| panic!("{error}"));
    assert!(warnings.is_empty(), "{warnings:?}");
    conf
}

/// A `tracker.conf`.
pub fn tracker(path: &Path) -> TrackerConf {
    without_a_word(TrackerConf::load(path.to_str().unwrap(), &mut read))
}

/// A `storage.conf`, with that of its gateway.
pub fn storage(path: &Path) -> (StorageConf, Option<GatewayConf>) {
    let conf = without_a_word(StorageConf::load(path.to_str().unwrap(), &mut read));
    let http = conf.gateway_conf.as_deref().map(gateway);
    (conf, http)
}

/// A `mod_fastdfs.conf`.
pub fn gateway(path: &Path) -> GatewayConf {
    without_a_word(GatewayConf::load(path.to_str().unwrap(), &mut read))
}

/// A `drive.conf`.
pub fn drive(path: &Path) -> DriveConf {
    without_a_word(DriveConf::load(path.to_str().unwrap(), &mut read))
}

/// A `client.conf`.
pub fn client(path: &Path) -> ClientConf {
    without_a_word(ClientConf::load(path.to_str().unwrap(), &mut read))
}

/// A `watch.conf`.
pub fn watch(path: &Path) -> WatchConf {
    without_a_word(WatchConf::load(path.to_str().unwrap(), &mut read))
}

/// The documents of a YAML file.
pub fn yaml(path: &Path) -> Vec<Value> {
    let script = testkit::binary::workspace().join("dev/e2e/python/yaml_to_json.py");
    let printed = python::run(&script, &[path.to_str().unwrap()], Path::new("/")).unwrap();
    serde_json::from_str(&printed).unwrap()
}

/// A folder of the project.
pub fn project(folder: &str) -> PathBuf {
    testkit::binary::workspace().join(folder)
}
