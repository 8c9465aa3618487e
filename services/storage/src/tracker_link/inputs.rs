//! What the server reports to the trackers about itself.

use std::collections::BTreeMap;

use fdfs_proto::tracker::disk_usage::PathSpace;
use fdfs_proto::{StatBlock, StorageId};
use storage_core::stats::Connections;
use storage_core::tracker_link::{LinkInputs, TrunkFigures};

use crate::server::Server;

impl LinkInputs for Server {
    fn stat_block(&self) -> StatBlock {
        // Memory is held for exactly those connections that are open.
        let current = self.connections.current();
        self.stats.block(Connections { allocated: current, current, max: self.connections.max() })
    }

    fn disk_usage(&self) -> Vec<PathSpace> {
        let usage = self.path_usage();
        usage.iter().map(|path| PathSpace { total_mb: path.total_mb, free_mb: path.free_mb }).collect()
    }

    fn synced_from(&self) -> BTreeMap<StorageId, u32> {
        self.synced.report()
    }

    fn trunk(&self) -> Option<TrunkFigures> {
        self.trunk.figures()
    }
}
