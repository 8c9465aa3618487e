//! Asking a transfer to end early, in order.

use tokio::sync::watch;

/// Ends transfers early: what is under way is broken off, what is done is recorded. Clones are one and the same.
#[derive(Debug, Clone)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// Not asked yet.
    pub fn new() -> Stop {
        Stop(watch::Sender::new(false))
    }

    /// Asks all transfers that have a clone of this to end.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Does `work`, or breaks it off when it is asked to end: then there is nothing.
    pub async fn unless_requested<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.requested() => None,
            done = work => Some(done),
        }
    }

    /// Returns when it is asked.
    pub(crate) async fn requested(&self) {
        // The sender lives in `self`, so the channel cannot close.
        let _ = self.0.subscribe().wait_for(|requested| *requested).await;
    }
}

impl Default for Stop {
    fn default() -> Stop {
        Stop::new()
    }
}
