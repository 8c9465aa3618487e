//! The public Python clients, unmodified: what each call of them gives with the original, it gives with us.
//!
//! Every call was run against FastDFS 6.16.1 and what came back written down (`python/*.expected`). Much of it is the
//! clients' own fault: neither can set metadata or store a slave, both expect the list records of an old version. That
//! is part of the comparison: whoever works around such a fault finds it unchanged.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::PathBuf;

use testkit::cluster::{Cluster, Plan};
use testkit::python;

fn python_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}

/// Runs all calls of a script and compares, line by line, with what they gave with the original.
fn same_as_with_the_original(cluster: &Cluster, script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let tracker = cluster.tracker().ip().to_string();
    let storage = cluster.storages[0].address().ip().to_string();
    let printed =
        python::run(&python_file(&format!("{script}.py")), &[&tracker, &storage], folder.path()).unwrap();
    let expected = std::fs::read_to_string(python_file(&format!("{script}.expected"))).unwrap();
    let (printed, expected): (Vec<&str>, Vec<&str>) = (printed.lines().collect(), expected.lines().collect());
    assert!(expected.len() > 40);
    let different: Vec<_> = printed.iter().zip(&expected).filter(|(ours, theirs)| ours != theirs).collect();
    assert!(different.is_empty(), "ours, theirs: {different:#?}");
    assert_eq!(printed.len(), expected.len());
    cluster.check_logs(&[]).unwrap();
}

#[test]
fn py3fdfs_finds_narrow_addresses_and_everything_else_as_with_the_original() {
    let cluster = Cluster::start().unwrap();
    same_as_with_the_original(&cluster, "py3fdfs");
}

#[test]
fn fastdfs_client_finds_wide_addresses_and_everything_else_as_with_the_original() {
    let cluster = Plan::new().tracker_key("response_ip_addr_size", "IPv6").start().unwrap();
    same_as_with_the_original(&cluster, "fastdfs_client_calls");
}
