//! What comes of asking trackers that are mute, gone, or make no sense.

#![allow(clippy::unwrap_used)] // A test may stop at the first surprise.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Deadlines that a test can wait for.
fn reach() -> Reach {
    Reach { own: vec![LOOPBACK], connect: Duration::from_secs(20), answer: Duration::from_millis(100) }
}

/// Asks a tracker that takes one request and answers with these bytes, or with nothing.
async fn asked(answer: Option<&'static [u8]>, ask: TrackerAsk) -> TrackerAnswer {
    let listener = TcpListener::bind(SocketAddr::new(LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let other = tokio::spawn(async move {
        let (mut stream, from) = listener.accept().await.unwrap();
        let mut head = [0; HEADER_LEN];
        stream.read_exact(&mut head).await.unwrap();
        if let Some(answer) = answer {
            stream.write_all(answer).await.unwrap();
        }
        // Open until the asker gives up.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        from
    });
    let to = (ServerAddrs::one(LOOPBACK), port);
    let got = LeaderLink::default().ask(to, ask, Connections::default(), &reach()).await;
    assert_eq!(other.await.unwrap().ip(), LOOPBACK, "from the address it is bound to");
    got
}

#[tokio::test]
async fn an_answer_that_is_late_or_makes_no_sense_counts_as_silence() {
    let table: [(Option<&'static [u8]>, &str); 5] = [
        (None, "nothing comes"),
        (Some(&[0, 0, 0, 0, 0, 0, 0, 17, 100, 0, 1]), "the rest of the body does not come"),
        (Some(&[0, 0, 0, 0, 0, 0, 0, 0, 100, 0]), "a body of the wrong length"),
        (Some(&[0, 0, 1, 0, 0, 0, 0, 0, 100, 0]), "a body longer than any answer"),
        (Some(&[0, 0, 0, 0, 0, 0, 0, 17, 64, 0]), "not an answer"),
    ];
    for (answer, why) in table {
        assert_eq!(asked(answer, TrackerAsk::Status).await, TrackerAnswer::Silent, "{why}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_its_status() {
    let refusal: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 100, 2];
    assert_eq!(asked(Some(refusal), TrackerAsk::Status).await, TrackerAnswer::Refused(Status::ENOENT));
}

#[tokio::test]
async fn nothing_listens_is_known_only_where_every_address_says_so() {
    let listener = TcpListener::bind(SocketAddr::new(LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let to = (ServerAddrs::one(LOOPBACK), port);
    let ask = TrackerAsk::Status;
    let link = LeaderLink::default();
    assert_eq!(link.ask(to, ask, Connections::default(), &reach()).await, TrackerAnswer::NotRunning);
    // No route from a loopback address to a documentation address, or no answer: not a refusal.
    let both = ServerAddrs::two(LOOPBACK, "192.0.2.99".parse().unwrap());
    let patience = Reach { connect: Duration::from_millis(100), ..reach() };
    assert_eq!(link.ask((both, port), ask, Connections::default(), &patience).await, TrackerAnswer::Silent);
}
