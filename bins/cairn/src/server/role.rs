//! The roles: what differs between them as processes.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use daemon::log::Rotation;
use daemon::port;
use fdfs_conf::service::{LogLevel, RunBy};
use fdfs_conf::{DriveConf, GatewayConf, StorageConf, TrackerConf, Warning};
use status::Node;

use crate::conf::{self, BadConf};
use crate::drive_parts;

/// What a server process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Tracker,
    Storage,
    Gateway,
    Drive,
}

/// A role with its checked configuration.
#[derive(Debug)]
pub(crate) enum Loaded {
    Tracker(Box<TrackerConf>),
    Storage {
        conf: Box<StorageConf>,
        /// For serving files over HTTP as well.
        gateway: Option<Box<GatewayConf>>,
    },
    Gateway {
        conf: Box<GatewayConf>,
        base_path: PathBuf,
    },
    Drive(Box<DriveConf>),
}

/// A role at work.
pub(crate) enum Running {
    Tracker(tracker::Running),
    Storage(storage::Running, Option<gateway::Running>),
    Gateway(gateway::Running),
    Drive(drive::Running),
}

impl Role {
    /// The program's classic name.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Tracker => "fdfs_trackerd",
            Self::Storage => "fdfs_storaged",
            Self::Gateway => "cairn_gateway",
            Self::Drive => "cairn_drive",
        }
    }

    /// The role in a word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tracker => "tracker",
            Self::Storage => "storage",
            Self::Gateway => "gateway",
            Self::Drive => "drive",
        }
    }

    /// The log's name in `<base_path>/logs`.
    pub(crate) fn log_name(self) -> &'static str {
        match self {
            Self::Tracker => "trackerd.log",
            Self::Storage => "storaged.log",
            Self::Gateway => "gateway.log",
            Self::Drive => "drive.log",
        }
    }

    /// The base path of a configuration, whatever else is wrong with it: a server has to be stopped even when
    /// somebody spoilt its file.
    pub(crate) fn base_path(self, file: &Path) -> Result<PathBuf, BadConf> {
        conf::base_path(file)
    }

    /// Reads and checks the configuration; gives what is odd in it as well.
    pub(crate) fn load(self, file: &Path) -> Result<(Loaded, Vec<Warning>), BadConf> {
        Ok(match self {
            Self::Tracker => {
                let (conf, warnings) = conf::tracker(file)?;
                (Loaded::Tracker(Box::new(conf)), warnings)
            }
            Self::Storage => {
                let (conf, mut warnings) = conf::storage(file)?;
                let mut gateway = None;
                if let Some(file) = &conf.gateway_conf {
                    let (conf, more) = conf::gateway(file)?;
                    gateway = Some(Box::new(conf));
                    warnings.extend(more);
                }
                (Loaded::Storage { conf: Box::new(conf), gateway }, warnings)
            }
            Self::Gateway => {
                let base_path = conf::base_path(file)?;
                let (conf, warnings) = conf::gateway(file)?;
                (Loaded::Gateway { conf: Box::new(conf), base_path }, warnings)
            }
            Self::Drive => {
                let (conf, warnings) = conf::drive(file)?;
                (Loaded::Drive(Box::new(conf)), warnings)
            }
        })
    }
}

impl Loaded {
    pub(crate) fn role(&self) -> Role {
        match self {
            Self::Tracker(_) => Role::Tracker,
            Self::Storage { .. } => Role::Storage,
            Self::Gateway { .. } => Role::Gateway,
            Self::Drive(_) => Role::Drive,
        }
    }

    pub(crate) fn base_path(&self) -> &Path {
        match self {
            Self::Tracker(conf) => &conf.base_path,
            Self::Storage { conf, .. } => &conf.base_path,
            Self::Gateway { base_path, .. } => base_path,
            Self::Drive(conf) => &conf.base_path,
        }
    }

    /// Every folder the server writes to.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Tracker(conf) => vec![&conf.base_path],
            Self::Gateway { base_path, .. } => vec![base_path],
            Self::Drive(conf) => vec![&conf.base_path],
            Self::Storage { conf, .. } => {
                let stores = conf.store_paths.iter().map(|store| store.path.as_path());
                std::iter::once(conf.base_path.as_path()).chain(stores).collect()
            }
        }
    }

    pub(crate) fn run_by(&self) -> &RunBy {
        match self {
            Self::Tracker(conf) => &conf.run_by,
            Self::Storage { conf, .. } => &conf.run_by,
            Self::Gateway { .. } => &RunBy { group: None, user: None },
            Self::Drive(conf) => &conf.run_by,
        }
    }

    pub(crate) fn log_level(&self) -> LogLevel {
        match self {
            Self::Tracker(conf) => conf.log_level,
            Self::Storage { conf, .. } => conf.log_level,
            Self::Gateway { conf, .. } => conf.log_level,
            Self::Drive(conf) => conf.log_level,
        }
    }

    /// The log's path, and when it begins a new file.
    pub(crate) fn log_file(&self) -> (PathBuf, Rotation) {
        let usual = self.base_path().join("logs").join(self.role().log_name());
        match self {
            Self::Tracker(conf) => (usual, Rotation::from(&conf.log_file)),
            Self::Storage { conf, .. } => (usual, Rotation::from(&conf.log_file)),
            Self::Gateway { conf, .. } => (conf.log_filename.clone().unwrap_or(usual), Rotation::default()),
            Self::Drive(conf) => (usual, Rotation::from(&conf.log_file)),
        }
    }

    /// Where metrics and health are told: a storage's gateway has a word in it, too.
    pub(crate) fn status_listen(&self) -> Vec<SocketAddr> {
        let (own, more) = match self {
            Self::Tracker(conf) => (conf.status_listen, None),
            Self::Storage { conf, gateway } => {
                (conf.status_listen, gateway.as_ref().and_then(|gateway| gateway.status_listen))
            }
            Self::Gateway { conf, .. } => (conf.status_listen, None),
            Self::Drive(conf) => (conf.status_listen, None),
        };
        own.into_iter().chain(more.filter(|more| own != Some(*more))).collect()
    }

    /// Starts serving, on threads of its own.
    pub(crate) fn start(&self) -> anyhow::Result<Running> {
        Ok(match self {
            Self::Tracker(conf) => Running::Tracker(tracker::start(conf).map_err(|error| match error {
                tracker::StartError::Listen { address, error } => not_listening(address, &error),
                other => other.into(),
            })?),
            Self::Storage { conf, gateway } => {
                let storage = storage::start(conf).map_err(|error| match error {
                    storage::StartError::Listen { address, error } => not_listening(address, &error),
                    other => other.into(),
                })?;
                let own = gateway::Local {
                    owns: storage.owns(),
                    store: storage.store(),
                    suspect: storage.suspect(),
                };
                match gateway.as_ref().map(|conf| start_gateway(conf, Some(own))).transpose() {
                    Ok(gateway) => Running::Storage(storage, gateway),
                    Err(error) => {
                        storage.stop().context("stop the storage")?;
                        return Err(error);
                    }
                }
            }
            Self::Gateway { conf, .. } => Running::Gateway(start_gateway(conf, None)?),
            Self::Drive(conf) => Running::Drive(start_drive(conf)?),
        })
    }
}

fn start_gateway(conf: &GatewayConf, own: Option<gateway::Local>) -> anyhow::Result<gateway::Running> {
    gateway::start(conf, own).map_err(|error| match error {
        gateway::StartError::Listen { address, error } => not_listening(address, &error),
        other => other.into(),
    })
}

fn start_drive(conf: &DriveConf) -> anyhow::Result<drive::Running> {
    drive_parts::start(conf).map_err(|error| match error {
        drive::StartError::Listen { address, error } => not_listening(address, &error),
        other => other.into(),
    })
}

/// Name and number of the process that listens on an address, when we may see it.
pub(crate) fn holder(address: SocketAddr) -> Option<String> {
    let process = port::listener(address)?;
    let name = process.command_line().into_iter().next().unwrap_or_default();
    Some(format!("{name}, pid {}", process.pid()))
}

/// A taken port is worth more than the system's word for it.
pub(super) fn not_listening(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let taken_by = (error.kind() == io::ErrorKind::AddrInUse).then(|| holder(address)).flatten();
    match (taken_by, error.kind()) {
        (Some(holder), _) => anyhow::anyhow!(
            "cannot listen on {address}: it is taken by {holder}: stop that, or configure another port"
        ),
        (None, io::ErrorKind::AddrInUse) => anyhow::anyhow!(
            "cannot listen on {address}: {error}: stop who listens there, or configure another port"
        ),
        (None, io::ErrorKind::AddrNotAvailable) => {
            anyhow::anyhow!("cannot listen on {address}: {error}: configure an address that this machine has")
        }
        (None, _) => anyhow::anyhow!("cannot listen on {address}: {error}"),
    }
}

impl Running {
    /// Where it listens.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        match self {
            Self::Tracker(running) => running.addresses(),
            Self::Storage(running, _) => running.addresses(),
            Self::Gateway(running) => running.addresses(),
            Self::Drive(running) => running.addresses(),
        }
    }

    /// The servers that it is, for who asks how they are.
    pub(crate) fn nodes(&self) -> Vec<Arc<dyn Node>> {
        match self {
            Self::Tracker(running) => vec![running.node()],
            Self::Storage(storage, gateway) => {
                std::iter::once(storage.node()).chain(gateway.as_ref().map(gateway::Running::node)).collect()
            }
            Self::Gateway(running) => vec![running.node()],
            Self::Drive(running) => vec![running.node()],
        }
    }

    /// Whether this start has made a drive's first administrator.
    pub(crate) fn made_administrator(&self) -> bool {
        matches!(self, Self::Drive(running) if running.made_administrator())
    }

    /// Whether it has ended by itself, which it never should.
    pub(crate) fn has_ended(&self) -> bool {
        match self {
            Self::Tracker(running) => running.has_ended(),
            Self::Storage(storage, gateway) => {
                storage.has_ended() || gateway.as_ref().is_some_and(gateway::Running::has_ended)
            }
            Self::Gateway(running) => running.has_ended(),
            Self::Drive(running) => running.has_ended(),
        }
    }

    /// Ends it in order; blocks until it has ended.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Tracker(running) => running.stop()?,
            Self::Storage(storage, gateway) => {
                // It reads from the other's store.
                if let Some(gateway) = gateway {
                    gateway.stop();
                }
                storage.stop()?;
            }
            Self::Gateway(running) => running.stop(),
            Self::Drive(running) => running.stop(),
        }
        Ok(())
    }
}
