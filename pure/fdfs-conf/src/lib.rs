//! Configuration: the FastDFS INI grammar, the key registry, typed and checked configurations.

pub mod addr;
pub mod allow_hosts;
pub mod client;
pub mod error;
pub mod service;
pub mod storage;
pub mod storage_ids;
pub mod tracker;

pub use addr::{Host, IpClass, ServerAddr, TrackerServers};
pub use allow_hosts::AllowHosts;
pub use client::ClientConf;
pub use error::{ConfError, LoadError, Oddity, Reason, Warning};
pub use storage::StorageConf;
pub use storage_ids::{RwMode, StorageEntry, StorageIds};
pub use tracker::TrackerConf;
