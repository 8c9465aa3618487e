//! Asking all members, once, for what a new member was not sent (storage internals: holes, D8).
//!
//! A member of ours sends a new one what another's copy may have missed. An original does not: what was on its way to the
//! member that fills the new one when that had reached the end of its log is sent by nobody. So the new member itself
//! compares what all others list with what it has, when it has become active. It serves meanwhile.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fdfs_fileid::StorePathIndex;
use fdfs_proto::StorageStatus;
use net::Stop;
use tokio::time::sleep;

use super::rebuild::{Purpose, Rebuild};
use super::{Recovery, cluster};

/// The sign, below `data/`, that this storage is a new member and has not compared yet.
const SIGN_FILE: &str = ".cairn-compare";

/// Pause before another attempt: nobody waits for it.
const AGAIN: Duration = Duration::from_secs(30);

/// The sign of a new member.
fn sign(data: &Path) -> PathBuf {
    data.join(SIGN_FILE)
}

/// Notes that this storage is a new member. Blocks.
///
/// # Errors
/// What the file system says.
pub(crate) fn will_compare(data: &Path) -> std::io::Result<()> {
    let sign = sign(data);
    if sign.exists() {
        return Ok(());
    }
    daemon::state_file::replace(&sign, b"a new member asks the others for what it was not sent\n")
}

impl Recovery {
    /// Compares as soon as this storage is active, if it has not yet. Returns when that is done, or `stop` comes.
    pub(crate) async fn compare(&self, mut stop: Stop) {
        if !sign(&self.data).exists() {
            return;
        }
        let mut cluster = self.server.cluster.clone();
        let work = async {
            loop {
                let active = cluster.wait_for(|view| view.my_status == Some(StorageStatus::Active));
                if active.await.is_err() {
                    return;
                }
                match self.compare_now().await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::info!(error, "a new member cannot compare with the others yet, trying again")
                    }
                }
                sleep(AGAIN).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = stop.wait() => {}
        }
    }

    async fn compare_now(&self) -> Result<(), String> {
        if let Some(found) = cluster::find(&self.trackers, &self.wire, &self.me, &self.data).await? {
            for path in (0..=u8::MAX).map(StorePathIndex).take(self.server.store.path_count()) {
                let compare = Rebuild {
                    server: &self.server,
                    wire: &self.wire,
                    streams: self.streams.max(1),
                    path,
                    group: found.group,
                    spool: sign(&self.data).with_extension("list"),
                    purpose: Purpose::Complete,
                };
                let (report, _) = compare.run(&found.sources).await?;
                tracing::info!(
                    path = path.0,
                    ?report,
                    "a new member has what the others list of a store path"
                );
            }
        }
        std::fs::remove_file(sign(&self.data)).map_err(|error| error.to_string())
    }
}
