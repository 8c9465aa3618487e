//! The files for Prometheus, Grafana and Zabbix that are shipped: valid, and about metrics that there are.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use status::Metric;
use testkit::binary::workspace;

/// Labels that Prometheus adds.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

fn deploy(path: &str) -> PathBuf {
    workspace().join("deploy").join(path)
}

#[track_caller]
fn promtool(words: &[&str], file: &Path) {
    let output = Command::new("promtool").args(words).arg(file).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {words:?} {}:\n{said}", file.display());
}

/// Every series there is, with its labels.
fn series() -> BTreeMap<String, Vec<&'static str>> {
    let tables: [&[Metric]; 6] = [
        status::EVERY_PROCESS,
        status::NODE_STATES,
        tracker::METRICS,
        storage::METRICS,
        gateway::METRICS,
        drive::METRICS,
    ];
    let mut series = BTreeMap::new();
    for metric in tables.into_iter().flatten() {
        for name in metric.series() {
            let mut labels = metric.labels.to_vec();
            labels.extend(OF_PROMETHEUS);
            labels.extend(name.ends_with("_bucket").then_some("le"));
            series.insert(name, labels);
        }
    }
    series
}

/// The names in an expression that could be ours, each with the labels in the braces behind it.
fn names_in(expr: &str) -> Vec<(&str, Vec<&str>)> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = expr;
    while let Some(at) = rest.find(of_name) {
        let word = &rest[at..];
        let end = word.find(|c| !of_name(c)).unwrap_or(word.len());
        let (name, behind) = word.split_at(end);
        rest = behind;
        if ["cairn_", "process_"].iter().any(|prefix| name.starts_with(prefix)) {
            let inside = behind.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let matchers = inside.map_or("", |(inside, _)| inside).split("\",");
            let labels =
                matchers.filter_map(|matcher| matcher.split_once(['=', '!'])).map(|(label, _)| label.trim());
            found.push((name, labels.collect()));
        }
    }
    found
}

/// Fails for a name or a label that there is not.
#[track_caller]
fn assert_known(expr: &str) {
    let known = series();
    for (name, labels) in names_in(expr) {
        let of = known.get(name).unwrap_or_else(|| panic!("{name} is no metric: {expr}"));
        for label in labels {
            assert!(of.contains(&label), "{name} has no label {label}: {expr}");
        }
    }
}

/// The expressions of the alerts, by their names.
fn alerts() -> Vec<(String, String)> {
    let text = fs::read_to_string(deploy("prometheus/alerts.yml")).unwrap();
    let mut alerts = Vec::new();
    let mut name = None;
    for line in text.lines() {
        if let Some(alert) = line.trim().strip_prefix("- alert: ") {
            name = Some(alert.to_owned());
        }
        if let Some(expr) = line.trim().strip_prefix("expr: ") {
            let expr = expr.trim_matches('\'').replace("''", "'");
            alerts.push((name.take().unwrap(), expr));
        }
    }
    assert_eq!(alerts.len(), text.matches("- alert: ").count());
    alerts
}

/// The expressions of the dashboard.
fn panels() -> Vec<(String, String)> {
    let text = fs::read_to_string(deploy("grafana/cairn.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut found = Vec::new();
    let mut ids = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        ids.push(panel["id"].as_u64().unwrap());
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expr = target["expr"].as_str().unwrap();
            let expr = expr.replace("$__rate_interval", "5m").replace("$instance", ".*");
            assert!(!expr.contains('$'), "{expr}");
            found.push((title.to_owned(), expr));
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "panels with one id");
    assert!(found.len() > 30, "{found:?}");
    found
}

#[test]
fn prometheus_takes_its_files_and_each_alert_fires_when_it_should_and_only_then() {
    promtool(&["check", "config"], &deploy("prometheus/prometheus.yml"));
    promtool(&["check", "rules"], &deploy("prometheus/alerts.yml"));
    promtool(&["test", "rules"], &deploy("prometheus/alerts_test.yml"));
    let tested = fs::read_to_string(deploy("prometheus/alerts_test.yml")).unwrap();
    for (alert, expr) in alerts() {
        assert_known(&expr);
        assert!(tested.contains(&format!("alertname: {alert} }}")), "nobody sees that {alert} is quiet");
        assert!(tested.contains(&format!("alertname=\"{alert}\"")), "nobody sees that {alert} fires");
    }
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let panels = panels();
    panels.iter().for_each(|(_, expr)| assert_known(expr));
    let rule = |(number, (_, expr)): (usize, &(String, String))| json!({"record": format!("panel:{number}"), "expr": expr});
    let rules: Vec<Value> = panels.iter().enumerate().map(rule).collect();
    // What is JSON is YAML.
    let file = folder.path().join("panels.yml");
    fs::write(&file, json!({"groups": [{"name": "panels", "rules": rules}]}).to_string()).unwrap();
    promtool(&["check", "rules"], &file);
}

#[test]
fn the_template_for_zabbix_asks_for_what_there_is_and_for_all_that_alerts_ask_for() {
    let text = fs::read_to_string(deploy("zabbix/cairn.yaml")).unwrap();
    text.lines().for_each(assert_known);
    // Prometheus knows itself who is away.
    for (alert, expr) in alerts().iter().filter(|(alert, _)| alert != "CairnDown") {
        for (name, _) in names_in(expr) {
            assert!(text.contains(name), "{alert} asks for {name}, the template does not");
        }
    }
}

#[test]
fn a_metric_or_a_label_that_there_is_not_is_found() {
    assert_eq!(
        names_in(r#"sum(rate(cairn_a_total{x="1", y=~"2,3"}[5m])) / process_b > up{job="cairn"}"#),
        [("cairn_a_total", vec!["x", "y"]), ("process_b", vec![])]
    );
    assert_known(r#"rate(cairn_storage_request_seconds_bucket{command="upload_file", le="1.0"}[5m])"#);
    for expr in ["cairn_nothing > 0", r#"cairn_ready{command="x"}"#, "cairn_storage_requests"] {
        assert!(std::panic::catch_unwind(|| assert_known(expr)).is_err(), "{expr}");
    }
}
