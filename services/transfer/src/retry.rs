//! How long to wait before a file is tried again.

use fdfs_client::{Error, Kind};
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Files that fail one after the other before a transfer gives up: the cluster is away, and the rest would fail too.
pub(crate) const GIVE_UP_AFTER: u32 = 32;

/// Whether a failure may pass by itself. A damaged copy does not: the client has tried every storage that has one.
pub(crate) fn may_pass(error: &Error) -> bool {
    error.transient() && !matches!(error.kind(), Kind::Corrupt { .. })
}

/// Counts attempts at one file.
pub(crate) struct Attempts {
    left: u32,
    pause: Duration,
}

impl Attempts {
    /// So many, at least one.
    pub(crate) fn new(attempts: u32) -> Attempts {
        Attempts { left: attempts.max(1), pause: FIRST_PAUSE }
    }

    /// Waits before the next attempt; false when there is none left.
    pub(crate) async fn again(&mut self) -> bool {
        self.left -= 1;
        if self.left == 0 {
            return false;
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}
