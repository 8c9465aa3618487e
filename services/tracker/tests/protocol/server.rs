//! A tracker with a folder and a port of its own.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use fdfs_conf::{LoadError, TrackerConf};
use tempfile::TempDir;
use tracker::{ElectionTimes, Running, StartError, start, start_with};

use crate::peer::Peer;

pub(crate) struct Server {
    running: Option<Running>,
    pub(crate) address: SocketAddr,
    folder: TempDir,
    conf: TrackerConf,
    times: ElectionTimes,
}

/// A configuration from text, listening on a port of the system's choice. `files` are what it refers to.
pub(crate) fn conf(base_path: &Path, bind: &str, text: &str, files: &[(&str, &str)]) -> TrackerConf {
    let main = format!("base_path = {}\nbind_addr = {bind}\n{text}", base_path.display());
    let mut texts: BTreeMap<&str, &str> = files.iter().copied().collect();
    texts.insert("tracker.conf", &main);
    let mut read = |path: &str| texts.get(path).map(|text| (*text).to_owned()).ok_or(LoadError::NotFound);
    let (mut conf, _) = TrackerConf::load("tracker.conf", &mut read).unwrap();
    conf.listen.inner_port = 0;
    conf.listen.outer_port = 0;
    conf
}

impl Server {
    pub(crate) fn new(text: &str) -> Self {
        Self::with(text, &[])
    }

    pub(crate) fn with(text: &str, files: &[(&str, &str)]) -> Self {
        Self::at("127.0.0.2", text, files)
    }

    pub(crate) fn at(bind: &str, text: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let conf = conf(folder.path(), bind, text, files);
        Self::in_folder(folder, conf).unwrap()
    }

    pub(crate) fn in_folder(folder: TempDir, conf: TrackerConf) -> Result<Self, StartError> {
        let running = start(&conf)?;
        let address = running.addresses()[0];
        Ok(Self { running: Some(running), address, folder, conf, times: ElectionTimes::default() })
    }

    /// One that takes other times for an election.
    pub(crate) fn elects(folder: TempDir, conf: TrackerConf, times: ElectionTimes) -> Self {
        let running = start_with(&conf, times).unwrap();
        let address = running.addresses()[0];
        Self { running: Some(running), address, folder, conf, times }
    }

    /// The codes of the reasons for which it is not ready.
    pub(crate) fn unready(&self) -> Vec<&'static str> {
        let node = self.running.as_ref().unwrap().node();
        node.unready().into_iter().map(|reason| reason.ground.code).collect()
    }

    /// Stops it for a while.
    pub(crate) fn halt(&mut self) {
        self.running.take().unwrap().stop().unwrap();
    }

    /// Starts it again where it was.
    pub(crate) fn go_on(&mut self) {
        self.conf.listen.inner_port = self.address.port();
        self.conf.listen.outer_port = self.address.port();
        self.running = Some(start_with(&self.conf, self.times).unwrap());
    }

    /// Stops it and starts it again on what it saved, on another port.
    pub(crate) fn restart(&mut self) {
        self.running.take().unwrap().stop().unwrap();
        let running = start(&self.conf).unwrap();
        self.address = running.addresses()[0];
        self.running = Some(running);
    }

    pub(crate) fn stop(mut self) -> TempDir {
        self.running.take().unwrap().stop().unwrap();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// A connection from an address of this machine.
    pub(crate) fn peer(&self, from: &str) -> Peer {
        Peer::connect(from.parse::<IpAddr>().unwrap(), self.address)
    }

    pub(crate) fn client(&self) -> Peer {
        self.peer("127.0.0.1")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = running.stop();
        }
    }
}
