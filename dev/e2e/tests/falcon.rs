//! `cairn falcon`: what an agent of Open-Falcon is told of real servers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testkit::cluster::Plan;
use testkit::process::Server;
use testkit::{binary, wait};

/// How long a push may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Takes the next push, as the agent does: what was pushed.
fn taken(agent: &TcpListener) -> Vec<Value> {
    let (mut stream, _) = wait::until("a push", PATIENCE, || agent.accept().ok()).unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, content)) = text.split_once("\r\n\r\n") {
            assert!(head.starts_with("POST /v1/push HTTP/1.1\r\n"), "{head}");
            let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
            if content.len() == len.parse::<usize>().unwrap() {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsuccess").unwrap();
                return serde_json::from_str(content).unwrap();
            }
        }
        let len = stream.read(&mut chunk).unwrap();
        assert_ne!(len, 0, "half a push: {text}");
        request.extend_from_slice(&chunk[..len]);
    }
}

fn value(items: &[Value], metric: &str, tags: &str) -> Option<f64> {
    let is_it = |item: &&Value| item["metric"] == metric && item["tags"] == tags;
    items.iter().find(is_it).and_then(|item| item["value"].as_f64())
}

#[test]
fn servers_are_told_of_to_a_plugin_and_by_pushes_and_one_that_is_gone_is_down() {
    let mut cluster = Plan::new().status().start().unwrap();
    let (tracker, storage) = (cluster.trackers[0].status(), cluster.storages[0].status());
    let servers = [tracker.to_string(), storage.to_string()];
    let program = binary::cairn().unwrap();
    let printed =
        Command::new(program).args(["falcon", "--endpoint", "here"]).args(&servers).output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let items: Vec<Value> = serde_json::from_slice(&printed.stdout).unwrap();
    for item in &items {
        assert_eq!((&item["endpoint"], &item["step"]), (&Value::from("here"), &Value::from(60)));
    }
    assert_eq!(value(&items, "cairn_tracker_leads", &format!("server={tracker}")), Some(1.0));
    let path = format!("path=M00,server={storage}");
    assert_eq!(value(&items, "cairn_storage_path_takes_uploads", &path), Some(1.0));

    let agent = TcpListener::bind("127.0.0.1:0").unwrap();
    agent.set_nonblocking(true).unwrap();
    let url = format!("http://{}/v1/push", agent.local_addr().unwrap());
    let words = ["falcon", "--step", "1", "--push", url.as_str()]
        .into_iter()
        .chain(servers.iter().map(String::as_str));
    let log = cluster.folder().join("falcon.log");
    let mut pusher = Server::start("falcon", Path::new(&program), words, &log).unwrap();
    let up = |items: &[Value], server| value(items, "cairn_up", &format!("server={server}"));
    let items = taken(&agent);
    assert_eq!((up(&items, tracker), up(&items, storage)), (Some(1.0), Some(1.0)));
    cluster.storages[0].kill().unwrap();
    wait::until("it is told to be down", PATIENCE, || {
        (up(&taken(&agent), storage) == Some(0.0)).then_some(())
    })
    .unwrap();
    // An agent that goes away is said, and not ended for.
    drop(agent);
    wait::until("it is said", PATIENCE, || {
        pusher.output().contains("it is tried again in 1 s").then_some(())
    })
    .unwrap();
    assert!(pusher.is_running());
}
