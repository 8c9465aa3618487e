//! The cluster is looked at, so that it can be told how it was.

use std::sync::{Arc, PoisonError};

use drive_core::cluster::SAMPLE_EVERY;
use net::Stop;

use super::pause;
use crate::app::Drive;

pub(super) async fn run(drive: Arc<Drive>, mut stop: Stop) {
    loop {
        drive.sample_cluster().await;
        if pause(&mut stop, SAMPLE_EVERY).await {
            return;
        }
    }
}

impl Drive {
    /// Looks at the cluster now, and remembers it.
    pub async fn sample_cluster(&self) {
        let Some(cluster) = &self.cluster else { return };
        let seen = cluster.look().await;
        let now = self.now();
        self.past.lock().unwrap_or_else(PoisonError::into_inner).take(&seen, now);
    }
}
