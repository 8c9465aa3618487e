//! Async FastDFS client.
//!
//! Begin with [`Client`]: it asks a tracker where to go and turns to other servers when one fails. [`Tracker`] and
//! [`Storage`] are single servers, for tools that address one.
//!
//! What it promises
//! - Every wait has a deadline ([`ClientConfig`]); memory per call is bounded, whatever a peer announces.
//! - Questions and reads are repeated, on other servers too. What changes something is repeated only when it cannot
//!   have been carried out; otherwise [`Error::outcome_unknown`] says that nobody knows.
//! - Connections are kept and used again. One that failed, or whose call was dropped half way, is closed: the two
//!   sides may no longer agree where the next message begins.
//! - Whole downloads of normal files are compared with the size and CRC-32 in their id, parts with its size, and uploads
//!   with the id they got.
//!
//! It will never know: how servers store files, manifests and folders (crate `transfer`), command lines.

mod call;
mod client;
mod cluster;
mod config;
mod connection;
mod content;
mod download;
mod error;
mod info;
mod metadata;
mod pieces;
mod pool;
mod receive;
mod send;
mod storage;
mod tracker;
mod trackers;
mod verify;

pub use call::{StoreTarget, StoreTargets};
pub use client::Client;
pub use config::ClientConfig;
pub use content::Content;
pub use download::DownloadOptions;
pub use error::{Error, Kind, Result, Side};
pub use info::{FileInfo, InfoFlags};
pub use metadata::{MetaFlag, Metadata};
pub use pieces::Pieces;
pub use storage::{Downloaded, Storage, UploadOptions, Uploaded};
pub use tracker::Tracker;
pub use verify::named_size;

// The words of the API that come from other crates.
pub use fdfs_conf::ServerAddr;
pub use fdfs_fileid::{ExtName, FileId, FileName, GroupName, SlavePrefix, StorePathIndex};
pub use fdfs_proto::tracker::list_groups::GroupStat;
pub use fdfs_proto::tracker::list_storages::StorageStat;
pub use fdfs_proto::tracker::parameters::Parameters;
pub use fdfs_proto::tracker::storage_cluster_stat::{Ask as StorageFilter, Got as StorageClusterStat};
pub use fdfs_proto::tracker::storage_volume_stat::{Ask as VolumeFilter, Got as StorageVolumeStat};
pub use fdfs_proto::tracker::tracker_cluster_stat::{Ask as TrackerFilter, TrackerStat};
pub use fdfs_proto::{Status, StorageId, StorageStatus};
