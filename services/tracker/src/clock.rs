//! The two clocks of a step.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tracker_core::{Mono, Now};

/// Reads the clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        let mono = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
        Now { mono: Mono(mono), wall }
    }
}
