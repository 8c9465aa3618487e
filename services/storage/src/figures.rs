//! What a storage can tell about itself in numbers: the one list for whoever shows them.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::copies;
use crate::server::Server;

/// One number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: u64,
}

/// All of them. Names that end in `_total` count since the start.
pub(crate) fn all(server: &Server) -> Vec<Figure> {
    let get = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
    let (copies, scrub) = (copies::state(server), &server.scrub.figures);
    let quarantine = *scrub.quarantine.lock();
    let figure = |name, value| Figure { name, value };
    vec![
        figure("copies_wanted", copies.wanted),
        figure("copies_possible", copies.possible),
        figure("copies_degraded", copies.degraded.into()),
        figure("changes_with_fewer_copies_total", get(&server.copies.with_fewer)),
        figure("changes_refused_for_copies_total", get(&server.copies.refused)),
        figure("scrub_running", get(&scrub.running)),
        figure("scrub_rounds_total", get(&scrub.rounds)),
        figure("scrub_ended", get(&scrub.ended)),
        figure("scrub_files_total", get(&scrub.files)),
        figure("scrub_bytes_total", get(&scrub.bytes)),
        figure("scrub_bad_total", get(&scrub.bad)),
        figure("scrub_missing_total", get(&scrub.missing)),
        figure("scrub_mended_total", get(&scrub.mended)),
        figure("scrub_set_aside_total", get(&scrub.set_aside)),
        figure("scrub_hopeless", get(&scrub.hopeless)),
        figure("quarantine_copies", quarantine.copies),
        figure("quarantine_bytes", quarantine.bytes),
        figure("quarantine_lost", quarantine.lost),
    ]
}

/// As text, a line each: name, space, value.
pub(crate) fn text(server: &Server) -> String {
    all(server).iter().map(|figure| format!("{} {}\n", figure.name, figure.value)).collect()
}
