//! What is said to a tracker, one module per body.

pub mod beat;
pub mod change_list;
pub mod disk_usage;
mod group_ask;
pub mod join;
pub mod list_groups;
pub mod list_storages;
pub mod my_ip;
pub mod parameters;
pub mod query_fetch;
pub mod query_store;
mod server;
pub mod storage_ids;
pub mod storage_lookup;
pub mod sync_report;
pub mod sync_source;

pub use group_ask::GroupAsk;
pub use server::Server;
