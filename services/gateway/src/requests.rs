//! Connections on which nothing is asked, where a library does the framing.
//!
//! Its own timers begin only once it knows which HTTP is spoken, and for HTTP/2 not even then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::time::Instant;

/// What is asked on a connection.
#[derive(Debug)]
pub struct Requests {
    began: Instant,
    /// Those that are being answered.
    under_way: AtomicUsize,
    /// When the last of them ended, milliseconds after `began`.
    rests_since: AtomicU64,
}

impl Default for Requests {
    fn default() -> Self {
        Self::new()
    }
}

impl Requests {
    /// None yet, on a connection that begins now.
    pub fn new() -> Self {
        Self { began: Instant::now(), under_way: AtomicUsize::new(0), rests_since: AtomicU64::new(0) }
    }

    /// One more is being answered, until what this returns is dropped.
    pub fn begin(this: &Arc<Self>) -> UnderWay {
        this.under_way.fetch_add(1, SeqCst);
        UnderWay(Arc::clone(this))
    }

    /// Whether none is being answered.
    pub fn rest(&self) -> bool {
        self.under_way.load(SeqCst) == 0
    }

    /// When the connection will have rested for so long, if nothing is asked until then.
    pub fn rested_out(&self, patience: Duration) -> Instant {
        let since = match self.rest() {
            true => self.began + Duration::from_millis(self.rests_since.load(SeqCst)),
            false => Instant::now(),
        };
        since + patience
    }
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub struct UnderWay(Arc<Requests>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.rests_since.store(now, SeqCst);
        self.0.under_way.fetch_sub(1, SeqCst);
    }
}
