//! drive.conf, from text to a checked configuration.
#![allow(clippy::unwrap_used, reason = "what a test sets up must work")]

mod support;

use std::path::PathBuf;
use std::time::Duration;

use fdfs_conf::DriveConf;
use fdfs_conf::drive::{BytesConf, DatabaseConf, QueueConf, ThumbnailsConf};
use support::{clean, files};

const LEAST: &str = "base_path = /var/drive\ntracker_server = 10.0.0.1\n";

fn load(text: &str) -> DriveConf {
    clean(DriveConf::load("/etc/drive.conf", &mut files(&[("/etc/drive.conf", text)])))
}

/// What is the matter with the least file and these lines.
fn fault(lines: &str) -> String {
    let text = format!("{LEAST}{lines}");
    DriveConf::load("d.conf", &mut files(&[("d.conf", &text)])).unwrap_err().to_string()
}

#[test]
fn the_least_file_is_a_drive_of_one_process_on_a_cluster() {
    let conf = load(LEAST);
    assert_eq!(conf.database, DatabaseConf::Sqlite(PathBuf::from("/var/drive/data/drive.db")));
    assert_eq!(conf.queue, QueueConf::Embedded { lane_size: 256 << 20 });
    assert_eq!((conf.cache, conf.cache_memory), (None, 64 << 20));
    assert_eq!(conf.secret_file, PathBuf::from("/var/drive/data/secret"));
    assert_eq!((conf.listen.port, conf.listen.fastcgi), (8080, None));
    let thumbnails = ThumbnailsConf { cache_path: "/var/drive/data/thumbnails".into(), cache_max: 1 << 30 };
    assert_eq!(conf.thumbnails, thumbnails);
    assert!(!conf.accounts.open);
    assert_eq!(conf.accounts.password_memory_kib, 19 * 1024);
    assert_eq!(conf.accounts.trash_kept, Duration::from_secs(30 * 24 * 3600));
    let BytesConf::Cluster { trackers, group: None, .. } = conf.bytes else { panic!("{:?}", conf.bytes) };
    assert_eq!(trackers.as_slice().len(), 1);
}

#[test]
fn each_part_may_be_on_servers() {
    let conf = load(
        "base_path = /x\nfastcgi_port = 9000\ntrusted_proxies = 10.0.0.1, ::1\nquota = 10G\nrequest_rate = 0\n\
         thumbnail_cache_path = small\nthumbnail_cache_max = 5M\n\
         [database]\nurl = mysql://drive@a:3306/drive\nurl = mysql://drive@b:3306/drive\npassword_file = pw\n\
         [cache]\nredis_server = a:26379\nredis_server = b:26379\nredis_sentinel = mymaster\n\
         [queue]\nkind = redis\nredis_server = c\nredis_prefix = q\nreplicas = 1\n\
         [s3]\nendpoint = http://127.0.0.1:9000\nbucket = files\naccess_key_id = me\n",
    );
    assert_eq!(conf.listen.fastcgi, Some("127.0.0.1:9000".parse().unwrap()));
    assert_eq!(
        conf.trusted_proxies,
        ["10.0.0.1".parse::<std::net::IpAddr>().unwrap(), "::1".parse().unwrap()]
    );
    let thumbnails = ThumbnailsConf { cache_path: "/etc/small".into(), cache_max: 5 << 20 };
    assert_eq!(conf.thumbnails, thumbnails);
    assert_eq!((conf.accounts.quota, conf.accounts.request_rate), (Some(10 << 30), None));
    let DatabaseConf::MySql { urls, password_file, connections: 32 } = conf.database else { panic!() };
    assert_eq!((urls.len(), password_file), (2, Some(PathBuf::from("/etc/pw"))));
    let cache = conf.cache.unwrap();
    assert_eq!(
        (cache.servers.len(), cache.sentinel.as_deref(), &*cache.prefix),
        (2, Some("mymaster"), "cairn")
    );
    let QueueConf::Redis { redis, replicas: 1, assume_durable: false, .. } = conf.queue else { panic!() };
    assert_eq!((redis.servers, redis.prefix), (vec!["c".to_owned()], "q".to_owned()));
    let BytesConf::S3(s3) = conf.bytes else { panic!() };
    assert_eq!((&*s3.bucket, &*s3.region, s3.secret_access_key_file), ("files", "us-east-1", None));
    let nats = load(&format!("{LEAST}[queue]\nkind = nats\nnats_server = n:4222\nreplicas = 3\n"));
    assert!(matches!(nats.queue, QueueConf::Nats { replicas: 3, .. }));
}

#[test]
fn what_contradicts_itself_stops_the_start_and_says_where() {
    for (lines, expected) in [
        ("registration = maybe\n", "d.conf:3: registration: must be open or closed, got \"maybe\""),
        ("fastcgi_port = 8080\n", "d.conf:3: fastcgi_port: must be another port when port is the same"),
        ("trusted_proxies = here\n", "d.conf:3: trusted_proxies: must be an IP address, got \"here\""),
        ("password_memory = 1M\n", "d.conf:3: password_memory: must be between 19MB and 1GB, got \"1M\""),
        ("[database]\nurl = postgres://x\n", "d.conf:4: url: must be mysql://…, got \"postgres://x\""),
        ("[queue]\nkind = redis\n", "d.conf:4: redis_server: is needed when [queue] kind is redis"),
        ("[queue]\nkind = nats\n", "d.conf:4: nats_server: is needed when [queue] kind is nats"),
        (
            "[cache]\nredis_server = a\nredis_server = b\n",
            "d.conf:5: redis_server: must be the only one when there are no Sentinels and no Cluster",
        ),
        (
            "[cache]\nredis_server = a\nredis_cluster = true\nredis_database = 1\n",
            "d.conf:5: redis_cluster: must be false when there are Sentinels, or a redis_database",
        ),
        ("[s3]\nendpoint = http://x\n", "d.conf:4: bucket: is needed when there is an [s3] endpoint"),
    ] {
        assert_eq!(fault(lines), expected);
    }
}
