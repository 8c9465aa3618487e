//! Somebody at the page: a real browser that signs in, uploads a file and downloads it, about once a minute.
//!
//! What they do is in `web/e2e/soak.ts`; each visit is a browser of its own.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};
use testkit::binary::workspace;

use crate::people::PASSWORD;
use crate::tally::Tally;

/// From one visit to the next.
const EVERY: Duration = Duration::from_secs(60);
/// The longest visit; the script ends by itself before.
const VISIT: Duration = Duration::from_secs(150);
/// Whose first words are why a visit failed.
const REASON: &str = "Error: ";

/// Lines of a file.
const LINES: usize = 2000;

pub(crate) struct Browser {
    pub(crate) url: String,
    pub(crate) user: String,
    pub(crate) tally: Arc<Tally>,
    pub(crate) folder: PathBuf,
}

/// What the script makes of a name: the file's text.
pub(crate) fn text_of(name: &str) -> String {
    (0..LINES).map(|number| format!("{name} {number}\n")).collect()
}

impl Browser {
    /// Visits until the end: names of the files that the page said it has, and downloaded.
    pub(crate) async fn work(self) -> Vec<String> {
        let (mut names, mut number) = (Vec::new(), 0_u32);
        let mut pace = tokio::time::interval(EVERY);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.tally.is_over() {
            number += 1;
            // The newest stands first in the list, which shows so many rows at once.
            let name = format!("page-{:04}.txt", 9999 - number);
            if self.tally.count("a visit of the page", self.visit(&name)).await.is_ok() {
                names.push(name);
            }
            let until_next = async {
                pace.tick().await;
                pace.tick().await;
            };
            let over = async {
                while !self.tally.is_over() {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            };
            tokio::select! {
                () = until_next => {}
                () = over => {}
            }
        }
        names
    }

    async fn visit(&self, name: &str) -> Result<(), String> {
        let log = self.folder.join(format!("{name}.log"));
        let failed = |error: anyhow::Error| format!("{error:#}");
        let output = std::fs::File::create(&log).context("a log").map_err(failed)?;
        let errors = output.try_clone().context("a log").map_err(failed)?;
        let mut child = tokio::process::Command::new("node_modules/.bin/playwright")
            .arg("test")
            .current_dir(workspace().join("web"))
            .env("SOAK_URL", &self.url)
            .env("SOAK_USER", &self.user)
            .env("SOAK_PASSWORD", PASSWORD)
            .env("SOAK_NAME", name)
            .env("SOAK_LINES", LINES.to_string())
            .env("SOAK_OUTPUT", self.folder.join("browser"))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            // So that the browser goes with it.
            .process_group(0)
            .spawn()
            .context("run Playwright: `cargo xtask soak` installs it")
            .map_err(failed)?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        match tokio::time::timeout(VISIT, child.wait()).await {
            Ok(Ok(status)) if status.success() => {
                let _ = std::fs::remove_file(&log);
                Ok(())
            }
            Ok(_) => {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                Err(reason(&said))
            }
            Err(_) => {
                if let Some(group) = group {
                    let _ = kill_process_group(group, Signal::KILL);
                }
                let _ = child.wait().await;
                Err("it did not end".to_owned())
            }
        }
    }
}

/// Why a visit failed, from what Playwright said.
fn reason(said: &str) -> String {
    let line = said.lines().find_map(|line| line.trim().split_once(REASON).map(|(_, words)| words));
    // Colours of a terminal begin with an escape; after a parenthesis come values.
    let words = line.unwrap_or("no reason").split(['\u{1b}', '(']).next().unwrap_or_default();
    words.trim().chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_visit_has_a_short_reason() {
        let said =
            "  1) soak.ts:30 a visit\n\n    Error: page.goto: net::ERR_CONNECTION_REFUSED (at somewhere)\n";
        assert_eq!(reason(said), "page.goto: net::ERR_CONNECTION_REFUSED");
        assert_eq!(reason(""), "no reason");
    }

    #[test]
    fn each_name_has_a_text_of_its_own() {
        assert!(text_of("a").starts_with("a 0\na 1\n"));
        assert_eq!(text_of("a").lines().count(), LINES);
    }
}
