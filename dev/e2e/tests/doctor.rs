//! `cairn doctor` on real clusters: what it finds, what it says, and with which status it ends.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::files::serving;
use serde_json::Value;
use testkit::cluster::{Cluster, Plan};
use testkit::wait;

/// How long trackers may take to notice something on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Status and output of one run.
fn doctor(arguments: &[&Path], options: &[&str], language: &str) -> (i32, String) {
    let output = Command::new(testkit::binary::cairn().unwrap())
        .arg("doctor")
        .args(arguments)
        .args(options)
        .env_remove("LC_MESSAGES")
        .env("LC_ALL", language)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn asked(confs: &[&Path]) -> (i32, Value) {
    let (status, text) = doctor(confs, &["--json"], "C");
    (status, serde_json::from_str(&text).unwrap())
}

/// The fields of the first finding with this code.
fn finding<'a>(told: &'a Value, code: &str) -> Option<&'a Value> {
    let found = told["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == code)?;
    assert!(!found["todo"].as_str().unwrap().is_empty());
    Some(&found["fields"])
}

/// Asks until the trackers have noticed it; the status as well.
fn until_found(confs: &[&Path], code: &str) -> (i32, Value) {
    let found = || {
        let (status, told) = asked(confs);
        finding(&told, code).is_some().then_some((status, told))
    };
    wait::until(code, PATIENCE, found).unwrap()
}

fn two_of_each() -> Cluster {
    let plan = Plan::new().trackers(2).groups(&[("group1", 2)]).storage_key("heart_beat_interval", 1);
    let cluster = plan.tracker_key("check_active_interval", 3).start().unwrap();
    serving(&cluster, &["group1"], 2);
    cluster
}

/// Every file of a cluster.
fn confs(cluster: &Cluster) -> Vec<&Path> {
    let servers = cluster.trackers.iter().chain(&cluster.storages).map(|node| node.conf.as_path());
    std::iter::once(cluster.client_conf()).chain(servers).collect()
}

/// What is worse than a note. A disk of this machine may well be nearly full, which is nothing of the cluster's.
fn wrong(told: &Value) -> Vec<&Value> {
    let findings = told["findings"].as_array().unwrap().iter();
    findings.filter(|finding| finding["severity"] != "note" && finding["code"] != "space_low").collect()
}

/// Asks until nothing is worse than a note: trackers elect and hear beats within seconds.
fn until_healthy(cluster: &Cluster) {
    let mut last = Value::Null;
    let healthy = wait::until("nothing is wrong", PATIENCE, || {
        (_, last) = asked(&confs(cluster));
        wrong(&last).is_empty().then_some(())
    });
    assert!(healthy.is_ok(), "{last}");
    let low = last["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "space_low");
    let low = low.count();
    let (status, text) = doctor(&confs(cluster), &[], "C");
    assert_eq!(status, i32::from(low > 0), "{text}");
    assert!(text.contains(&format!("errors: 0, warnings: {low}")), "{text}");
    assert!(
        text.contains("configurations read: 5, trackers that answer: 2, storages that answer: 2"),
        "{text}"
    );
}

#[test]
fn a_healthy_cluster_has_no_warnings_and_what_is_stopped_is_named() {
    let mut cluster = two_of_each();
    until_healthy(&cluster);
    let (_, told) = asked(&confs(&cluster));
    assert_eq!(wrong(&told), Vec::<&Value>::new());
    assert_eq!(told["trackers_answered"], 2);

    let stopped = cluster.storages[1].address().to_string();
    cluster.storages[1].stop().unwrap();
    let (status, told) = until_found(&confs(&cluster), "storage_offline");
    assert_eq!((status, &told["worst"]), (2, &Value::from("error")));
    let offline = finding(&told, "storage_offline").unwrap();
    assert!(offline["storage"].as_str().unwrap().contains(&stopped), "{offline}");
    assert_eq!(offline["answers"], false);
    assert_eq!(finding(&told, "group_one_live").unwrap()["group"], "group1");
    let port = finding(&told, "port_nobody").unwrap();
    assert_eq!(port["file"], cluster.storages[1].conf.display().to_string());
    let (status, text) = doctor(&confs(&cluster), &[], "zh_CN.UTF-8");
    assert_eq!(status, 2);
    assert!(text.contains("错误 [storage_offline] storage group1/"), "{text}");
    assert!(text.contains("已离线\n  → 请启动它"), "{text}");

    let stopped = cluster.trackers[0].address().to_string();
    cluster.trackers[0].stop().unwrap();
    let (status, told) = until_found(&[cluster.client_conf()], "tracker_silent");
    assert_eq!(status, 2);
    assert_eq!(finding(&told, "tracker_silent").unwrap()["tracker"], stopped);
    assert_eq!(told["trackers_answered"], 1);
}

#[test]
fn a_mistake_in_a_configuration_is_told_with_its_line_in_the_language_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my.conf");
    let base = folder.path().display();
    fs::write(&file, format!("base_path = {base}\nstore_lookup = 0\nport = many\n")).unwrap();
    let (status, text) = doctor(&[&file], &[], "C");
    assert_eq!(status, 2);
    assert!(text.starts_with(&format!("error [conf_bad] {}:3: port: ", file.display())), "{text}");
    let (status, text) = doctor(&[&file], &[], "zh_CN.UTF-8");
    assert_eq!(status, 2);
    assert!(
        text.starts_with(&format!("错误 [conf_bad] 配置无法使用：{}:3: port: ", file.display())),
        "{text}"
    );
    let (_, told) = asked(&[&file]);
    assert_eq!(finding(&told, "conf_bad").unwrap()["line"], 3);

    let missing = folder.path().join("nowhere.conf");
    assert!(finding(&asked(&[&missing]).1, "conf_bad").is_some());
}

#[test]
fn what_somebody_has_to_mend_is_not_waited_for_and_what_may_pass_is() {
    let folder = tempfile::tempdir().unwrap();
    let conf = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        file
    };
    let bad = conf("bad.conf", "port = no\n");
    let (status, text) = doctor(&[&bad], &["--wait", "3600"], "C");
    assert_eq!(status, 2, "{text}");
    // Nobody serves at the address; somebody may in a moment.
    let away = conf("client.conf", "base_path = /tmp\ntracker_server = 127.0.0.1:9\n");
    let begun = Instant::now();
    let (status, text) = doctor(&[&away], &["--wait", "2"], "C");
    assert_eq!(status, 2, "{text}");
    assert!(begun.elapsed() >= Duration::from_millis(1_400), "two seconds but for the last pause");
}

#[test]
fn what_is_odd_or_in_the_way_on_this_machine_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // It takes connections and closes them: no server of ours.
    let address = silent.local_addr().unwrap();
    std::thread::spawn(move || silent.incoming().for_each(drop));
    let file = folder.path().join("tracker.conf");
    let base = folder.path().join("base");
    let text = format!(
        "bind_addr = 127.0.0.1\nport = {}\nbase_path = {}\nprot = 1\n",
        address.port(),
        base.display()
    );
    fs::write(&file, text).unwrap();
    let (status, told) = asked(&[&file]);
    assert_eq!(status, 2);
    let odd = finding(&told, "conf_odd").unwrap();
    assert_eq!((odd["line"].as_u64(), odd["key"].as_str()), (Some(4), Some("prot")));
    assert_eq!(finding(&told, "path_missing").unwrap()["path"], base.display().to_string());
    assert_eq!(finding(&told, "port_stranger").unwrap()["address"], address.to_string());
    assert!(finding(&told, "tracker_silent").is_some());
}
