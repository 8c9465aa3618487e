//! Configuration: the FastDFS INI grammar, the key registry, typed and checked configurations.
//!
//! What it will never know: how a file is read (a closure gives the text of a path), what a host name resolves to (names stay
//! names until somebody hands in addresses), whether a folder exists.
//!
//! Invariants: FastDFS's own files load unchanged; every key is declared in one row, from which its parser, the reference page
//! and the default file come; an error names file, line, key and reason; no text makes the parser panic, run a command or work
//! longer than its limits allow.
//!
//! Where to begin reading: [`registry`] for what a key is, [`storage`] for a file of keys and its checks, [`ini`] for the
//! grammar below them.
//!
//! ```
//! use fdfs_conf::{ClientConf, LoadError};
//!
//! let mut files = |path: &str| match path {
//!     "/etc/fdfs/client.conf" => Ok("tracker_server = 10.0.0.1:22122\nconect_timeout = 3\n".to_owned()),
//!     _ => Err(LoadError::NotFound),
//! };
//! let (conf, warnings) = ClientConf::load("/etc/fdfs/client.conf", &mut files).unwrap();
//! assert_eq!(conf.tracker_servers.as_slice()[0].port(), 22122);
//! assert_eq!(
//!     warnings[0].to_string(),
//!     "/etc/fdfs/client.conf:2: conect_timeout: unknown key, ignored; did you mean connect_timeout?"
//! );
//! ```

pub mod addr;
pub mod allow_hosts;
pub mod client;
pub mod drive;
pub mod error;
pub mod files;
pub mod gateway;
pub mod generate;
pub mod ini;
pub mod registry;
pub mod service;
pub mod storage;
pub mod storage_ids;
mod suggest;
pub mod tracker;
mod value;
pub mod watch;

pub use addr::{Host, IpClass, ServerAddr, TrackerServers};
pub use allow_hosts::AllowHosts;
pub use client::ClientConf;
pub use drive::DriveConf;
pub use error::{ConfError, LoadError, Oddity, Reason, Warning};
pub use gateway::GatewayConf;
pub use ini::{Ini, Loader, ThisHost, text_of};
pub use storage::StorageConf;
pub use storage_ids::{StorageEntry, StorageIds};
pub use tracker::TrackerConf;
pub use watch::WatchConf;
