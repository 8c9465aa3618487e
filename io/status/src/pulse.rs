//! Whether a thread gets around to its tasks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use net::Stop;
use tokio::time::sleep;

/// How often a pulse beats.
const BEAT_EACH: Duration = Duration::from_secs(1);

/// A pulse that is silent for so long is none: something holds up the thread that everything else of the server needs.
const SILENT_MAX: Duration = Duration::from_secs(30);

/// Beats as long as the runtime that keeps it gets around to its tasks.
#[derive(Debug)]
pub struct Pulse {
    began: Instant,
    /// Milliseconds after `began`.
    last: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { began: Instant::now(), last: AtomicU64::new(0) }
    }
}

impl Pulse {
    /// Keeps it until `stop`.
    pub async fn keep(&self, mut stop: Stop) {
        loop {
            let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last.store(now, Ordering::Relaxed);
            tokio::select! {
                () = sleep(BEAT_EACH) => {}
                () = stop.wait() => return,
            }
        }
    }

    /// For how long it has been silent, if that is too long.
    pub fn stalled(&self) -> Option<Duration> {
        self.stalled_after(self.began.elapsed())
    }

    fn stalled_after(&self, since_began: Duration) -> Option<Duration> {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        Some(since_began.saturating_sub(last)).filter(|silent| *silent > SILENT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_that_is_silent_for_too_long_is_none() {
        let pulse = Pulse::default();
        assert_eq!(pulse.stalled_after(Duration::from_secs(30)), None);
        assert_eq!(pulse.stalled_after(Duration::from_secs(31)), Some(Duration::from_secs(31)));
        pulse.last.store(5_000, Ordering::Relaxed);
        assert_eq!(pulse.stalled_after(Duration::from_secs(35)), None);
    }
}
