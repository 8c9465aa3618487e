//! What is answered to whom.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde::Serialize;

use crate::node::Node;
use crate::process;
use crate::samples::Samples;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// What is at `/`.
const PATHS: &str = "/metrics  numbers, as OpenMetrics text\n/healthz  does the process live?\n/readyz   can it do its work, and if not, why?\n";

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) media: &'static str,
    pub(crate) content: String,
}

impl Answer {
    fn new(status: u16, media: &'static str, content: String) -> Self {
        Self { status, media, content }
    }

    /// A few words.
    pub(crate) fn words(status: u16, words: &str) -> Self {
        Self::new(status, TEXT, format!("{words}\n"))
    }

    fn json(status: u16, value: &impl Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => Self::new(status, JSON, text + "\n"),
            Err(error) => Self::words(500, &error.to_string()),
        }
    }
}

/// The nodes of a process, and all that is told of them.
pub(crate) struct Pages {
    nodes: Nodes,
    registry: Registry,
}

type Nodes = Arc<[Arc<dyn Node>]>;

/// What one node tells in numbers.
struct OfNode(Arc<dyn Node>);

/// What the process tells in numbers, and whether its nodes are ready: one family each, whoever they are about.
struct OfProcess(Nodes);

impl fmt::Debug for OfNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.role())
    }
}

impl fmt::Debug for OfProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("process")
    }
}

impl Collector for OfNode {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut samples = Samples::default();
        self.0.sample(&mut samples);
        samples.encode(self.0.metrics(), &mut encoder)
    }
}

impl Collector for OfProcess {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut samples = Samples::default();
        process::sample(&mut samples);
        samples.encode(process::EVERY_PROCESS, &mut encoder)?;
        let mut samples = Samples::default();
        self.0.iter().for_each(|node| process::sample_node(&**node, &mut samples));
        samples.encode(process::NODE_STATES, &mut encoder)
    }
}

#[derive(Serialize)]
struct Health<'a> {
    healthy: bool,
    /// Roles whose thread does nothing any more.
    stalled: Vec<&'a str>,
}

#[derive(Serialize)]
struct Readiness<'a> {
    ready: bool,
    roles: Vec<RoleReadiness<'a>>,
}

#[derive(Serialize)]
struct RoleReadiness<'a> {
    role: &'a str,
    ready: bool,
    reasons: Vec<Said<'a>>,
}

#[derive(Serialize)]
struct Said<'a> {
    code: &'a str,
    words: String,
}

impl Pages {
    pub(crate) fn new(nodes: Vec<Arc<dyn Node>>) -> Self {
        let nodes: Nodes = nodes.into();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(OfProcess(Arc::clone(&nodes))));
        for node in nodes.iter() {
            registry.register_collector(Box::new(OfNode(Arc::clone(node))));
        }
        Self { nodes, registry }
    }

    /// The answer to GET of a path.
    pub(crate) fn answer(&self, path: &str) -> Answer {
        match path {
            "/metrics" => self.metrics(),
            "/healthz" => self.health(),
            "/readyz" => self.readiness(),
            "/" => Answer::new(200, TEXT, PATHS.to_owned()),
            _ => Answer::words(404, "there is nothing at this path"),
        }
    }

    fn metrics(&self) -> Answer {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => Answer::new(200, OPEN_METRICS, text),
            Err(_) => Answer::words(500, "a metric has a value that it can't have"),
        }
    }

    fn health(&self) -> Answer {
        let stalled: Vec<&str> = self
            .nodes
            .iter()
            .filter(|node| node.pulse().stalled().is_some())
            .map(|node| node.role())
            .collect();
        let healthy = stalled.is_empty();
        Answer::json(if healthy { 200 } else { 503 }, &Health { healthy, stalled })
    }

    fn readiness(&self) -> Answer {
        let of = |node: &Arc<dyn Node>| {
            let reasons = node.unready().into_iter();
            let reasons: Vec<_> =
                reasons.map(|reason| Said { code: reason.ground.code, words: reason.words }).collect();
            (node.role(), reasons)
        };
        let said: Vec<_> = self.nodes.iter().map(of).collect();
        let roles: Vec<_> = said
            .into_iter()
            .map(|(role, reasons)| RoleReadiness { role, ready: reasons.is_empty(), reasons })
            .collect();
        let ready = roles.iter().all(|role| role.ready);
        Answer::json(if ready { 200 } else { 503 }, &Readiness { ready, roles })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Ground, HttpClass, Metric, Pulse, Reason, Requests};

    crate::metrics! {
        table MILL;
        TURNS = Metric::counter("mill_turns").doc("Turns of the wheel.");
        WATER = Metric::gauge("mill_water").bytes().labels(&["side"]).doc("Water on either side.");
        REQUESTS = Metric::counter("mill_requests").labels(&["of", "status"]).doc("Sacks brought.");
        LATENCIES = Metric::latency("mill_request").labels(&["of"]).doc("How long people wait.");
        NEVER = Metric::gauge("mill_fires").labels(&["floor"]).doc("Floors that burn.");
    }

    const DRY: Ground = Ground { code: "dry", doc: "There is no water." };

    #[derive(Default)]
    struct Mill {
        dry: bool,
        pulse: Pulse,
        requests: Option<Requests<{ HttpClass::COUNT }>>,
    }

    impl Node for Mill {
        fn role(&self) -> &'static str {
            "mill"
        }
        fn metrics(&self) -> &'static [Metric] {
            MILL
        }
        fn grounds(&self) -> &'static [Ground] {
            &[DRY]
        }
        fn sample(&self, out: &mut Samples) {
            out.int(&TURNS, &[], 7);
            out.real(&WATER, &["left \"old\"\n\\side"], 1.5);
            out.int(&WATER, &["right"], 2);
            if let Some(requests) = &self.requests {
                requests.sample(out, (&REQUESTS, &LATENCIES), [(0, "rye"), (1, "wheat")], HttpClass::WORDS);
            }
        }
        fn unready(&self) -> Vec<Reason> {
            self.dry.then(|| Reason::new(&DRY, "no water for 3 days")).into_iter().collect()
        }
        fn pulse(&self) -> &Pulse {
            &self.pulse
        }
    }

    fn pages(mill: Mill) -> Pages {
        Pages::new(vec![Arc::new(mill)])
    }

    /// The lines of the node itself.
    fn told(pages: &Pages) -> String {
        let text = pages.answer("/metrics").content;
        assert!(text.ends_with("# EOF\n"));
        let of_mill = |line: &&str| line.contains("mill_");
        text.lines().filter(of_mill).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn what_a_node_tells_is_open_metrics_text() {
        assert_eq!(
            told(&pages(Mill::default())),
            r#"# HELP mill_turns Turns of the wheel.
# TYPE mill_turns counter
mill_turns_total 7
# HELP mill_water_bytes Water on either side.
# TYPE mill_water_bytes gauge
# UNIT mill_water_bytes bytes
mill_water_bytes{side="left \"old\"\n\\side"} 1.5
mill_water_bytes{side="right"} 2
# HELP mill_requests Sacks brought.
# TYPE mill_requests counter
# HELP mill_request_seconds How long people wait.
# TYPE mill_request_seconds histogram
# UNIT mill_request_seconds seconds
# HELP mill_fires Floors that burn.
# TYPE mill_fires gauge
"#
        );
    }

    #[test]
    fn requests_are_told_by_kind_and_end_and_histograms_only_of_those_that_came() {
        let requests = Requests::new(2);
        requests.count(0, HttpClass::of(204) as usize, Duration::from_micros(300));
        requests.count(0, HttpClass::of(503) as usize, Duration::from_secs(60));
        requests.count(2, HttpClass::Done as usize, Duration::ZERO);
        let text = told(&pages(Mill { requests: Some(requests), ..Mill::default() }));
        for line in [
            r#"mill_requests_total{of="rye",status="2xx"} 1"#,
            r#"mill_requests_total{of="rye",status="4xx"} 0"#,
            r#"mill_requests_total{of="rye",status="5xx"} 1"#,
            r#"mill_requests_total{of="wheat",status="gone"} 0"#,
            r#"mill_request_seconds_bucket{le="0.00025",of="rye"} 0"#,
            r#"mill_request_seconds_bucket{le="0.0005",of="rye"} 1"#,
            r#"mill_request_seconds_bucket{le="30.0",of="rye"} 1"#,
            r#"mill_request_seconds_bucket{le="+Inf",of="rye"} 2"#,
            r#"mill_request_seconds_count{of="rye"} 2"#,
            r#"mill_request_seconds_sum{of="rye"} 60.0003"#,
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains(r#"mill_request_seconds_count{of="wheat"}"#), "{text}");
    }

    #[test]
    fn a_node_that_is_not_ready_says_why_to_people_and_to_prometheus() {
        let well = pages(Mill::default());
        let answer = well.answer("/readyz");
        assert_eq!(
            (answer.status, answer.content.as_str()),
            (200, "{\"ready\":true,\"roles\":[{\"role\":\"mill\",\"ready\":true,\"reasons\":[]}]}\n")
        );
        let dry = pages(Mill { dry: true, ..Mill::default() });
        let answer = dry.answer("/readyz");
        let reason = r#"{"code":"dry","words":"no water for 3 days"}"#;
        let expected = format!(
            "{{\"ready\":false,\"roles\":[{{\"role\":\"mill\",\"ready\":false,\"reasons\":[{reason}]}}]}}\n"
        );
        assert_eq!((answer.status, answer.content), (503, expected));
        for (pages, ready) in [(&well, 1), (&dry, 0)] {
            let text = pages.answer("/metrics").content;
            let unready = 1 - ready;
            assert!(text.contains(&format!("cairn_ready{{role=\"mill\"}} {ready}\n")), "{text}");
            let reason = format!("cairn_unready{{role=\"mill\",reason=\"dry\"}} {unready}\n");
            assert!(text.contains(&reason), "{text}");
        }
    }

    #[test]
    fn every_process_tells_of_itself() {
        let text = pages(Mill::default()).answer("/metrics").content;
        for metric in process::EVERY_PROCESS.iter().chain(process::NODE_STATES) {
            let series = metric.series();
            let is_told = |line: &str| series.iter().any(|name| line.starts_with(name.as_str()));
            assert!(text.lines().any(is_told), "{} is not in\n{text}", metric.name);
        }
    }

    #[test]
    fn a_path_that_is_none_is_not_found() {
        let pages = pages(Mill::default());
        assert_eq!(pages.answer("/metric").status, 404);
        assert_eq!(pages.answer("/healthz").content, "{\"healthy\":true,\"stalled\":[]}\n");
        assert!(pages.answer("/").content.contains("/readyz"));
    }
}
