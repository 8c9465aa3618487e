//! The template for Zabbix, in a real Zabbix that watches real servers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use e2e::files::serving;
use serde_json::{Value, json};
use testkit::binary::workspace;
use testkit::cluster::Plan;
use testkit::drive::Drive;
use testkit::wait;
use testkit::zabbix::Zabbix;

/// How long Zabbix may take to notice something: it looks for new items when it has discovered them, some each second.
const PATIENCE: Duration = Duration::from_secs(120);
const TEMPLATE: &str = "Cairn by HTTP";

/// A host for a server, with the template.
fn watch(zabbix: &Zabbix, template: &str, group: &str, name: &str, status: SocketAddr) {
    let macros = [
        ("{$CAIRN.STATUS}", status.to_string().as_str()),
        ("{$CAIRN.INTERVAL}", "1s"),
        ("{$CAIRN.AWAY}", "5s"),
    ]
    .map(|(name, value)| json!({"macro": name, "value": value}));
    let host = json!({
        "host": name,
        "groups": [{"groupid": group}],
        "templates": [{"templateid": template}],
        "macros": macros,
    });
    zabbix.ask("host.create", &host).unwrap();
}

/// The items of a host by their keys: what they were last; nothing for those without a value yet.
fn items(zabbix: &Zabbix, host: &str) -> BTreeMap<String, Option<String>> {
    let wanted = json!({"host": host, "output": ["key_", "lastvalue", "lastclock", "state", "error"]});
    let items = zabbix.ask("item.get", &wanted).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told = |item: &Value| {
        assert_eq!(item["state"], "0", "{host} {}: {}\n{}", item["key_"], item["error"], zabbix.output());
        (text(&item["key_"]), (item["lastclock"] != "0").then(|| text(&item["lastvalue"])))
    };
    items.as_array().unwrap().iter().map(told).collect()
}

/// What is wrong, but that the disk of this machine may well be nearly full.
fn problems(zabbix: &Zabbix) -> Vec<String> {
    let problems = zabbix.ask("problem.get", &json!({"source": 0})).unwrap();
    let name = |problem: &Value| problem["name"].as_str().unwrap().to_owned();
    let names = problems.as_array().unwrap().iter().map(name);
    names.filter(|name| !name.ends_with(" is nearly full")).collect()
}

#[test]
fn zabbix_takes_the_template_gets_its_values_and_sees_a_storage_go_and_come_back() {
    let plan = Plan::new().groups(&[("group1", 2)]).storage_key("heart_beat_interval", 1).status();
    let mut cluster = plan.tracker_key("check_active_interval", 2).start().unwrap();
    serving(&cluster, &["group1"], 2);
    let folder = tempfile::tempdir().unwrap();
    let conf = format!("tracker_server = {}\n", cluster.tracker());
    let drive = Drive::start(folder.path(), "drive", &conf).unwrap();

    let mut zabbix = Zabbix::start().unwrap();
    let source = fs::read_to_string(workspace().join("deploy/zabbix/cairn.yaml")).unwrap();
    let make = json!({"createMissing": true, "updateExisting": true});
    let mut rules: serde_json::Map<String, Value> = ["templates", "items", "discoveryRules", "triggers"]
        .map(|what| (what.to_owned(), make.clone()))
        .into_iter()
        .collect();
    rules.insert("groups".to_owned(), json!({"createMissing": true}));
    let import = json!({"format": "yaml", "rules": rules, "source": source});
    assert_eq!(zabbix.ask("configuration.import", &import).unwrap(), true);
    let template = zabbix.ask("template.get", &json!({"filter": {"host": TEMPLATE}})).unwrap();
    let template = template[0]["templateid"].as_str().unwrap();
    let group = zabbix.ask("hostgroup.create", &json!({"name": "Cairn"})).unwrap();
    let group = group["groupids"][0].as_str().unwrap();
    let places = [
        ("tracker", cluster.trackers[0].status()),
        ("storage", cluster.storages[0].status()),
        ("drive", drive.status()),
    ];
    for (name, status) in places {
        watch(&zabbix, template, group, name, status);
    }
    zabbix.watch().unwrap();

    let gone = cluster.storages[1].address().ip();
    let expected = |host: &str| match host {
        "tracker" => vec![
            ("cairn.ready".to_owned(), "1"),
            ("cairn.tracker.leads".to_owned(), "1"),
            ("cairn.group.writable[group1]".to_owned(), "2"),
            (format!("cairn.cluster.storage.active[group1,{gone}]"), "1"),
        ],
        "storage" => vec![
            ("cairn.ready".to_owned(), "1"),
            ("cairn.storage.trackers.joined".to_owned(), "1"),
            (format!("cairn.peer.lag[{gone}]"), "0"),
            ("cairn.path.writable[M00]".to_owned(), "1"),
            ("cairn.storage.requests.failed".to_owned(), "0"),
        ],
        _ => vec![
            ("cairn.ready".to_owned(), "1"),
            ("cairn.drive.part[database]".to_owned(), "1"),
            ("cairn.queue.setaside[records]".to_owned(), "0"),
            ("cairn.drive.requests.failed".to_owned(), "0"),
        ],
    };
    for (host, _) in places {
        wait::until(&format!("the values of {host}"), PATIENCE, || {
            let told = items(&zabbix, host);
            let has = |(key, value): &(String, &str)| told.get(key) == Some(&Some((*value).to_owned()));
            expected(host).iter().all(has).then_some(())
        })
        .unwrap_or_else(|error| panic!("{error}\n{:#?}\n{}", items(&zabbix, host), zabbix.output()));
    }
    let words = items(&zabbix, "storage")["cairn.readyz"].clone().unwrap();
    assert!(words.starts_with("{\"ready\":true"), "{words}");
    // Nothing is wrong, and what is told about no role of a server is not taken for a problem.
    assert_eq!(problems(&zabbix), Vec::<String>::new());

    cluster.storages[1].kill().unwrap();
    let problem = format!("Storage {gone} of group1 does not serve");
    wait::until(&problem, PATIENCE, || problems(&zabbix).contains(&problem).then_some(()))
        .unwrap_or_else(|error| panic!("{error}\n{:?}\n{}", problems(&zabbix), zabbix.output()));
    cluster.restart_storage(1).unwrap();
    wait::until("the problem is over", PATIENCE, || (!problems(&zabbix).contains(&problem)).then_some(()))
        .unwrap();
}
