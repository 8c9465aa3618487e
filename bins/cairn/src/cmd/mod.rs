//! The commands of `cairn`, one file each.

pub(crate) mod backup;
mod bar;
mod cluster;
pub(crate) mod doctor;
pub(crate) mod falcon;
pub(crate) mod fsck;
pub(crate) mod get;
pub(crate) mod health;
pub(crate) mod install_tools;
pub(crate) mod ls;
pub(crate) mod metrics_page;
pub(crate) mod monitor;
mod plain_http;
pub(crate) mod put;
pub(crate) mod reference;
pub(crate) mod rm;
pub(crate) mod stat;
mod store_owner;
pub(crate) mod table;
mod transfer_view;
pub(crate) mod unpack;
pub(crate) mod up;
pub(crate) mod watch;
