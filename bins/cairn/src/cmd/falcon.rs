//! `cairn falcon ADDR…`: the numbers of servers for Open-Falcon, printed as a plugin of its agent prints them, or pushed to it.
//!
//! The numbers are those of /metrics. Open-Falcon has gauges and counters, whose rate it computes: of a histogram it gets
//! sum and count; what is told in labels alone (`…_info`) is left out.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use url::Url;

use super::plain_http;

/// What is told, and to whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The status_listen of each server
    #[arg(value_name = "IP:PORT", required = true)]
    servers: Vec<SocketAddr>,
    /// Push to an agent (http://127.0.0.1:1988/v1/push) each step until this is ended, instead of printing once
    #[arg(long, value_name = "URL", value_parser = agent_at)]
    push: Option<Agent>,
    /// Seconds from one push to the next
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    step: u64,
    /// Name of this machine in Open-Falcon [default: its host name]
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
}

/// Longest page of metrics, bytes.
const PAGE_LEN_MAX: u64 = 16 * 1024 * 1024;
/// What an agent says to a push is a word.
const REPLY_LEN_MAX: u64 = 64 * 1024;
/// Longest wait for a server or an agent.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where an agent takes what is pushed.
#[derive(Debug, Clone)]
struct Agent {
    address: SocketAddr,
    path: String,
}

fn agent_at(text: &str) -> anyhow::Result<Agent> {
    let url = Url::parse(text)?;
    ensure!(url.scheme() == "http", "an agent speaks http, so its address begins with http://");
    let addresses = url.socket_addrs(|| None)?;
    let address = *addresses.first().with_context(|| format!("{url}: no such host"))?;
    Ok(Agent { address, path: url.path().to_owned() })
}

/// One number as Open-Falcon takes it.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    endpoint: &'a str,
    metric: String,
    timestamp: u64,
    step: u64,
    value: f64,
    counter_type: &'static str,
    tags: String,
}

/// Prints once, or pushes until it is ended.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let endpoint = args.endpoint.clone().unwrap_or_else(host_name);
    let ask = |server: &SocketAddr| {
        let page = plain_http::get(*server, "/metrics", PAGE_LEN_MAX, PATIENCE);
        (*server, page.and_then(|page| numbers_of(&page)))
    };
    let mut next = Instant::now();
    loop {
        let told: Vec<_> = args.servers.iter().map(ask).collect();
        for (server, numbers) in &told {
            if let Err(error) = numbers {
                writeln!(io::stderr(), "cairn: {server}: {error:#}")?;
            }
        }
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let items: Vec<_> = told
            .iter()
            .flat_map(|(server, numbers)| items(&endpoint, *server, timestamp, args.step, numbers))
            .collect();
        let json = serde_json::to_string(&items)?;
        let Some(agent) = &args.push else {
            writeln!(io::stdout(), "{json}")?;
            return Ok(ExitCode::SUCCESS);
        };
        // An agent that is away is not worth ending for: the next step has newer numbers.
        if let Err(error) = push(agent, &json) {
            writeln!(
                io::stderr(),
                "cairn: {}: {error:#}; it is tried again in {} s",
                agent.address,
                args.step
            )?;
        }
        next = (next + Duration::from_secs(args.step)).max(Instant::now());
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn push(agent: &Agent, json: &str) -> anyhow::Result<()> {
    let answer = plain_http::post_json(agent.address, &agent.path, json, REPLY_LEN_MAX, PATIENCE)?;
    ensure!(answer.status == 200, "the agent answered {}: {}", answer.status, answer.content.trim());
    Ok(())
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// A sample of a page.
#[derive(Debug, Clone, PartialEq)]
struct Number {
    name: String,
    counts: bool,
    labels: Vec<(String, String)>,
    value: f64,
}

fn numbers_of(page: &plain_http::Answer) -> anyhow::Result<Vec<Number>> {
    ensure!(page.status == 200, "answered {}", page.status);
    ensure!(page.content.ends_with("# EOF\n"), "this is no page of metrics, or half of one");
    numbers(&page.content)
}

/// Reads OpenMetrics text as our servers write it.
fn numbers(text: &str) -> anyhow::Result<Vec<Number>> {
    let mut kinds = BTreeMap::new();
    let mut numbers = Vec::new();
    for line in text.lines() {
        if let Some(told) = line.strip_prefix("# TYPE ") {
            let (family, kind) = told.split_once(' ').with_context(|| line.to_owned())?;
            kinds.insert(family, kind);
        } else if !line.starts_with('#') {
            let number = sample(line, &kinds).with_context(|| line.to_owned())?;
            numbers.extend(number);
        }
    }
    Ok(numbers)
}

/// One line; nothing for what Open-Falcon has no use for.
fn sample(line: &str, kinds: &BTreeMap<&str, &str>) -> anyhow::Result<Option<Number>> {
    let end = line.find(['{', ' ']).context("no value")?;
    let (name, rest) = line.split_at(end);
    let kind = |ending: &str| name.strip_suffix(ending).and_then(|family| kinds.get(family)).copied();
    let counts = match () {
        () if kinds.get(name) == Some(&"gauge") => false,
        () if kind("_total") == Some("counter") => true,
        () if kind("_sum") == Some("histogram") || kind("_count") == Some("histogram") => true,
        () if kind("_bucket") == Some("histogram") || kind("_info") == Some("info") => return Ok(None),
        () => bail!("of no type"),
    };
    let (labels, value) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => (Vec::new(), rest),
    };
    let value: f64 = value.trim().parse().context("no number")?;
    // JSON has no infinity.
    Ok(value.is_finite().then(|| Number { name: name.to_owned(), counts, labels, value }))
}

/// What is between the braces, and what is behind them.
fn labels(mut inside: &str) -> anyhow::Result<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        let (name, rest) = inside.split_once("=\"").context("no label")?;
        let (mut value, mut chars) = (String::new(), rest.char_indices());
        let end = loop {
            match chars.next().context("a label does not end")? {
                (at, '"') => break at,
                (_, '\\') => match chars.next().context("a label does not end")?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.push((name.to_owned(), value));
        let rest = &rest[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => inside = more,
            None => return Ok((labels, rest.strip_prefix('}').context("no end of labels")?)),
        }
    }
}

/// All of one server; and whether it answered, `cairn_up`, which is all there is of one that did not.
fn items<'a>(
    endpoint: &'a str,
    server: SocketAddr,
    timestamp: u64,
    step: u64,
    numbers: &anyhow::Result<Vec<Number>>,
) -> Vec<Item<'a>> {
    let up = Number {
        name: "cairn_up".to_owned(),
        counts: false,
        labels: Vec::new(),
        value: f64::from(u8::from(numbers.is_ok())),
    };
    let told = numbers.as_ref().map(Vec::as_slice).unwrap_or_default();
    let item = |number: &Number| Item {
        endpoint,
        metric: number.name.clone(),
        timestamp,
        step,
        value: number.value,
        counter_type: if number.counts { "COUNTER" } else { "GAUGE" },
        tags: tags(server, &number.labels),
    };
    std::iter::once(&up).chain(told).map(item).collect()
}

/// `name=value` of each label, and the server, in the order of their names. What would end a tag becomes `_`.
fn tags(server: SocketAddr, labels: &[(String, String)]) -> String {
    let server = ("server".to_owned(), server.to_string());
    let mut tags: Vec<_> = labels
        .iter()
        .chain([&server])
        .map(|(name, value)| format!("{name}={}", value.replace([',', '=', ' ', '\n', '\t'], "_")))
        .collect();
    tags.sort();
    tags.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"# HELP cairn_build The version.
# TYPE cairn_build info
cairn_build_info{version="0.1.0"} 1
# TYPE process_cpu_seconds counter
# UNIT process_cpu_seconds seconds
process_cpu_seconds_total 1.5
# TYPE cairn_storage_path_free_bytes gauge
cairn_storage_path_free_bytes{path="a, \"b\"=\\c"} 7
# TYPE cairn_tracker_request_seconds histogram
cairn_tracker_request_seconds_bucket{le="+Inf",command="active_test"} 3
cairn_tracker_request_seconds_sum{command="active_test"} 0.25
cairn_tracker_request_seconds_count{command="active_test"} 3
# EOF
"#;

    fn server() -> SocketAddr {
        "127.0.0.1:9122".parse().unwrap()
    }

    fn page(status: u16, content: &str) -> plain_http::Answer {
        plain_http::Answer { status, content: content.to_owned() }
    }

    #[test]
    fn gauges_and_counters_are_told_with_their_labels_as_tags_and_histograms_as_sum_and_count() {
        let numbers = numbers_of(&page(200, PAGE));
        let told: Vec<_> = items("host", server(), 1_795_854_278, 60, &numbers)
            .into_iter()
            .map(|item| (item.metric, item.value, item.counter_type, item.tags))
            .collect();
        let row = |metric: &str, value, kind, tags: &str| (metric.to_owned(), value, kind, tags.to_owned());
        assert_eq!(
            told,
            [
                row("cairn_up", 1.0, "GAUGE", "server=127.0.0.1:9122"),
                row("process_cpu_seconds_total", 1.5, "COUNTER", "server=127.0.0.1:9122"),
                row("cairn_storage_path_free_bytes", 7.0, "GAUGE", r#"path=a__"b"_\c,server=127.0.0.1:9122"#),
                row(
                    "cairn_tracker_request_seconds_sum",
                    0.25,
                    "COUNTER",
                    "command=active_test,server=127.0.0.1:9122"
                ),
                row(
                    "cairn_tracker_request_seconds_count",
                    3.0,
                    "COUNTER",
                    "command=active_test,server=127.0.0.1:9122"
                ),
            ]
        );
    }

    #[test]
    fn an_item_has_the_names_that_open_falcon_gives_them() {
        let down = numbers_of(&page(503, ""));
        let items = items("host", server(), 1_795_854_278, 60, &down);
        assert_eq!(
            serde_json::to_string(&items).unwrap(),
            r#"[{"endpoint":"host","metric":"cairn_up","timestamp":1795854278,"step":60,"value":0.0,"counterType":"GAUGE","tags":"server=127.0.0.1:9122"}]"#
        );
    }

    #[test]
    fn what_is_no_page_of_metrics_is_an_error() {
        let half = PAGE.strip_suffix("# EOF\n").unwrap();
        let untyped = "cairn_x 1\n# EOF\n";
        let open = "# TYPE a gauge\na{b=\"c} 1\n# EOF\n";
        for wrong in [half, "", "<html>\n# EOF\n", untyped, open, "# TYPE a gauge\na x\n# EOF\n"] {
            assert!(numbers_of(&page(200, wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_agent_is_an_address_of_http() {
        let agent = agent_at("http://127.0.0.1:1988/v1/push").unwrap();
        assert_eq!((agent.address.to_string().as_str(), agent.path.as_str()), ("127.0.0.1:1988", "/v1/push"));
        for wrong in ["https://127.0.0.1:1988/v1/push", "127.0.0.1:1988", "x"] {
            assert!(agent_at(wrong).is_err(), "{wrong}");
        }
    }
}
