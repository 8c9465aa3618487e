//! Content passes through: memory does not grow with it. The only test of its process, whose memory is measured.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod front;
mod service;

use front::{Front, curl, single};
use testkit::nginx::Nginx;

const LEN: u64 = 50_000_000;

/// What a transfer may add to the most that was ever held, bytes.
const GROWTH_MAX: u64 = 6 << 20;

/// The most memory this process has held, bytes.
fn most_held() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_megabytes_pass_through_in_a_few() {
    let front = Front::usual();
    let nginx = Nginx::start(&single(&front.address.to_string())).unwrap();
    let url = |target: &str| format!("http://{}{target}", nginx.address());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (down, up, back) = (path("down"), path("up"), path("back"));
    // Everything has been used once.
    for (target, upload) in [("/pieces?1000000", false), ("/count", true)] {
        let from = if upload { vec!["-T", &down] } else { vec![] };
        assert!(
            curl(&[&from[..], &["-o", if upload { &back } else { &down }, &url(target)]].concat())
                .await
                .status
                .success()
        );
    }
    assert_eq!(std::fs::metadata(&back).unwrap().len(), "1000000 30222336".len() as u64);
    let before = most_held();
    let output = curl(&["-o", &up, &url(&format!("/pieces?{LEN}"))]).await;
    assert!(output.status.success());
    assert_eq!(std::fs::metadata(&up).unwrap().len(), LEN);
    let counted = curl(&["-T", &up, &url("/count")]).await;
    // By pieces of 16 KiB, each byte the number of its piece modulo 256.
    let sum: u64 =
        (0..LEN / 16384).map(|piece| 16384 * (piece % 256)).sum::<u64>() + LEN % 16384 * (LEN / 16384 % 256);
    assert_eq!(String::from_utf8(counted.stdout).unwrap(), format!("{LEN} {sum}"));
    let grown = most_held() - before;
    assert!(grown < GROWTH_MAX, "{grown}");
    assert_eq!(nginx.output(), "");
}
