//! The last things that happened, for whoever has to understand a failure.

use std::collections::VecDeque;

/// Events that are kept.
const KEPT: usize = 120;

#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) lines: VecDeque<String>,
    /// Keeps everything; set by `--trace`.
    pub(crate) all: bool,
}

impl Trace {
    pub(crate) fn note(&mut self, now: u64, who: &str, text: impl FnOnce() -> String) {
        if !self.all && self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{:>9.3} s  {who:<10} {}", now as f64 / 1000.0, text()));
    }
}
