//! How far a round has come, on the base path, so that a start goes on there: `data/.scrub`.

use std::path::Path;
use std::time::Duration;

use store::fsck::Mark;
use tokio::task::spawn_blocking;

const FILE: &str = ".scrub";

/// The last round that was begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Unix seconds; 0 before the first.
    pub(super) began: u32,
    /// What is behind it; `None` when it has ended.
    pub(super) mark: Option<Mark>,
}

impl Place {
    pub(super) fn begin(now: u32) -> Self {
        Self { began: now, mark: None }
    }

    /// How long until a round is due.
    pub(super) fn due_in(&self, interval: Duration, now: u32) -> Duration {
        if self.mark.is_some() {
            return Duration::ZERO;
        }
        // A clock that was set back must not put it off for longer than that.
        let passed =
            now.checked_sub(self.began).map_or(Duration::ZERO, |passed| Duration::from_secs(passed.into()));
        interval.saturating_sub(passed)
    }

    pub(super) async fn read(data: &Path) -> Self {
        let path = data.join(FILE);
        let text = spawn_blocking(move || std::fs::read_to_string(path)).await;
        // What can't be read is a round that was never begun: it costs only reading.
        text.ok().and_then(Result::ok).map(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// Saves it; what is not saved is done once more.
    pub(super) async fn save(&self, data: &Path) {
        let (path, text) = (data.join(FILE), self.text());
        let saved = spawn_blocking(move || daemon::state_file::replace(&path, text.as_bytes())).await;
        if let Ok(Err(error)) = saved {
            tracing::warn!(%error, "cannot save how far the scrub is, a start would begin the round anew");
        }
    }

    fn parse(text: &str) -> Self {
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let began = value("began").and_then(|value| value.parse().ok()).unwrap_or_default();
        Self { began, mark: value("place").and_then(|value| value.parse().ok()) }
    }

    fn text(&self) -> String {
        let place = self.mark.map(|mark| format!("place={mark}\n")).unwrap_or_default();
        format!("began={}\n{place}", self.began)
    }
}

#[cfg(test)]
mod tests {
    use super::Place;
    use std::time::Duration;

    const WEEK: Duration = Duration::from_secs(604_800);

    #[test]
    fn a_place_is_read_as_it_was_saved_and_anything_else_as_none() {
        let place = Place { began: 1_700_000_000, mark: Some("1 0 4711".parse().unwrap()) };
        assert_eq!(place.text(), "began=1700000000\nplace=1 0 4711\n");
        assert_eq!(Place::parse(&place.text()), place);
        assert_eq!(Place::parse(&Place::begin(7).text()), Place::begin(7));
        assert_eq!(Place::parse("began=7\nplace=1 0\n"), Place::begin(7));
        assert_eq!(Place::parse("\0\0"), Place::default());
    }

    #[test]
    fn a_round_is_due_an_interval_after_the_last_one_began_and_one_that_was_stopped_at_once() {
        let ended = Place::begin(1_700_000_000);
        assert_eq!(ended.due_in(WEEK, 1_700_000_100), WEEK - Duration::from_secs(100));
        assert_eq!(ended.due_in(WEEK, 1_800_000_000), Duration::ZERO);
        assert_eq!(ended.due_in(WEEK, 1_600_000_000), WEEK);
        let stopped = Place { mark: Some("0 0 1".parse().unwrap()), ..ended };
        assert_eq!(stopped.due_in(WEEK, 1_700_000_100), Duration::ZERO);
        assert_eq!(Place::default().due_in(WEEK, 1_700_000_000), Duration::ZERO);
    }
}
