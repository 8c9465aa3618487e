//! A server, as it is asked what there is to know of it.

use crate::metric::Metric;
use crate::pulse::Pulse;
use crate::samples::Samples;

/// Why a server may be unable to do its work: one row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ground {
    /// For machines; never changed.
    pub code: &'static str,
    /// One line: when this is said, and what to do.
    pub doc: &'static str,
}

/// Why a server can't do its work now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The row of its table.
    pub ground: &'static Ground,
    /// In words, with what is special now.
    pub words: String,
}

impl Reason {
    /// This one, in these words.
    pub fn new(ground: &'static Ground, words: impl Into<String>) -> Self {
        Self { ground, words: words.into() }
    }
}

/// A server. Asked on a thread where nobody else waits, now and then: it may take a lock, but waits for no network and no
/// disk that could hang.
pub trait Node: Send + Sync + 'static {
    /// `tracker`, `storage`, `gateway` or `drive`; each at most once in a process.
    fn role(&self) -> &'static str;

    /// All that [`Node::sample`] may tell.
    fn metrics(&self) -> &'static [Metric];

    /// All that [`Node::unready`] may say.
    fn grounds(&self) -> &'static [Ground];

    /// Tells what the metrics are now.
    fn sample(&self, out: &mut Samples);

    /// Why it can't do its work; nothing when it can.
    fn unready(&self) -> Vec<Reason>;

    /// Whether its own thread gets around to anything.
    fn pulse(&self) -> &Pulse;
}
