//! A client from a client.conf.

use fdfs_client::{Client, ClientConfig};
use std::time::Duration;

#[test]
fn trackers_and_deadlines_come_from_the_file() {
    let text = "base_path = /var/fdfs\nconnect_timeout = 3\nnetwork_timeout = 7\ntracker_server = 10.0.0.2:22122\n\
                tracker_server = 10.0.0.1\nuse_connection_pool = true\nconnection_pool_max_idle_time = 60\n";
    let mut loader = |_: &str| Ok(text.to_owned());
    let (conf, _warnings) = fdfs_conf::ClientConf::load("client.conf", &mut loader).unwrap();
    let client = Client::new(ClientConfig::from_conf(conf));
    let config = client.config();
    assert_eq!(config.connect_timeout, Duration::from_secs(3));
    assert_eq!(config.network_timeout, Duration::from_secs(7));
    assert_eq!(config.max_idle_time, Duration::from_secs(60));
    let trackers: Vec<_> = config.trackers.iter().map(ToString::to_string).collect();
    assert_eq!(trackers, ["10.0.0.1:22122", "10.0.0.2:22122"]);
}
