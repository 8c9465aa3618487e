//! `docs/metrics.md`, made from the tables of the servers.

use std::fmt::Write as _;

use status::{EVERY_PROCESS, Ground, Kind, Metric, NODE_STATES};

const HEAD: &str = "\
# Metrics

<!-- Written by `cargo xtask gen` from the tables in `services/*/src/metrics.rs` and `io/status`; change it there. -->

`status_listen` in `tracker.conf`, `storage.conf`, `mod_fastdfs.conf` or `drive.conf` names an address where a server tells
how it is; `cairn up` and `cairn cluster` do so by themselves. [Monitoring](operations/monitoring.md) says how to use it.

| path | answers |
|---|---|
| `/metrics` | The metrics below, as OpenMetrics text. |
| `/healthz` | 200 when the process lives; 503 when a server in it has done nothing for 30 seconds: restart it. |
| `/readyz` | 200 when every server in the process can do its work; 503 with the reasons below, in words, as JSON. |

A process that is several servers (a storage with a gateway, `cairn up`) tells of all of them at one address. Histograms are
asked for as NAME`_bucket`, NAME`_sum` and NAME`_count`. Counters begin with the process.
";

/// Where each part of the page comes from.
struct Part {
    heading: &'static str,
    metrics: &'static [Metric],
    grounds: &'static [Ground],
}

const PARTS: [Part; 6] = [
    Part { heading: "Every process", metrics: EVERY_PROCESS, grounds: &[] },
    Part { heading: "Every server", metrics: NODE_STATES, grounds: &[] },
    Part { heading: "Tracker", metrics: tracker::METRICS, grounds: tracker::GROUNDS },
    Part { heading: "Storage", metrics: storage::METRICS, grounds: storage::GROUNDS },
    Part { heading: "Gateway", metrics: gateway::METRICS, grounds: gateway::GROUNDS },
    Part { heading: "Drive", metrics: drive::METRICS, grounds: drive::GROUNDS },
];

/// The page.
pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    // Writing to a text does not fail.
    for Part { heading, metrics, grounds } in PARTS {
        let _ = write!(page, "\n## {heading}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n");
        for metric in metrics {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let (name, kind, labels) = (name(metric), metric.kind.word(), labels.join(", "));
            let _ = writeln!(page, "| `{name}` | {kind} | {labels} | {} |", metric.doc);
        }
        if !grounds.is_empty() {
            let _ = write!(page, "\n| not ready because | when, and what to do |\n|---|---|\n");
        }
        for ground in grounds {
            let _ = writeln!(page, "| `{}` | {} |", ground.code, ground.doc);
        }
    }
    page
}

/// As it is asked for; of a histogram, without the endings of its parts.
fn name(metric: &Metric) -> String {
    match metric.kind {
        Kind::Histogram => metric.family(),
        _ => metric.series().concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_the_generated_one() {
        let committed =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md")).unwrap();
        assert!(committed == page(), "run: cargo xtask gen");
    }

    #[test]
    fn names_are_well_formed_and_each_is_declared_once() {
        let mut names: Vec<String> = Vec::new();
        for Part { metrics, grounds, .. } in PARTS {
            for metric in metrics {
                let well = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                assert!(metric.family().chars().all(well), "{}", metric.name);
                assert!(metric.labels.iter().all(|label| label.chars().all(well)), "{}", metric.name);
                assert!(!metric.family().ends_with("_total"), "{}: the ending comes by itself", metric.name);
                assert!(
                    metric.doc.ends_with('.') && !metric.doc.contains(['\n', '\\', '|']),
                    "{}",
                    metric.name
                );
                let ours = ["cairn_", "process_"].iter().any(|prefix| metric.name.starts_with(prefix));
                assert!(ours, "{}", metric.name);
                names.extend(metric.series());
            }
            for ground in grounds {
                assert!(ground.doc.ends_with('.') && !ground.doc.contains('|'), "{}", ground.code);
            }
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
