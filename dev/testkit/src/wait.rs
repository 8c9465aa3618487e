//! Waiting for something to become true, with a deadline.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a started server may take until it answers; generous, because tests share few cores.
pub const READY: Duration = Duration::from_secs(30);
/// How long an orderly stop may take.
pub const STOP: Duration = Duration::from_secs(30);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks every 10 ms until `look` gives a value.
///
/// # Errors
/// Names `what` when `limit` has passed.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = look() {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("{what}: not within {limit:?}");
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_with_the_value_or_with_what_was_waited_for() {
        let mut looks = 0;
        let value = until("third look", READY, || {
            looks += 1;
            (looks == 3).then_some("there")
        });
        assert_eq!(value.unwrap(), "there");
        let missed = until("a door to open", Duration::ZERO, || None::<()>).unwrap_err();
        assert_eq!(missed.to_string(), "a door to open: not within 0ns");
    }
}
