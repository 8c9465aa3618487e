//! The addresses of the storages, as trackers name them: who may say that a request was passed on already.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use fdfs_client::Client;
use net::Stop;
use parking_lot::Mutex;
use tokio::time::sleep;

use crate::run::Gateway;

/// How often the trackers are asked.
const EACH: Duration = Duration::from_secs(10);

/// How often while none answers, or they name nobody: at a start all may begin at once.
const FIRST_EACH: Duration = Duration::from_secs(1);

/// The addresses known now.
#[derive(Debug, Default)]
pub(crate) struct Members {
    ips: ArcSwap<BTreeSet<IpAddr>>,
    asked: Mutex<Asked>,
}

/// What came of asking the trackers.
#[derive(Debug, Default)]
struct Asked {
    /// When one answered last.
    answered: Option<Instant>,
    /// Why none did, the last time.
    error: Option<String>,
}

impl Members {
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        self.ips.load().contains(&ip)
    }

    /// Since when no tracker has answered.
    pub(crate) fn silent_for(&self) -> Option<Duration> {
        self.asked.lock().answered.map(|answered| answered.elapsed())
    }

    /// Why the trackers are not to be reckoned with; nothing when one answered the last question.
    pub(crate) fn trouble(&self) -> Option<String> {
        let asked = self.asked.lock();
        match (&asked.error, asked.answered) {
            (Some(error), _) => Some(error.clone()),
            (None, Some(_)) => None,
            (None, None) => Some("no tracker has answered yet".to_owned()),
        }
    }

    /// Takes in what came of asking.
    fn take(&self, told: fdfs_client::Result<BTreeSet<IpAddr>>) {
        let mut asked = self.asked.lock();
        match told {
            Ok(ips) => {
                self.ips.store(Arc::new(ips));
                *asked = Asked { answered: Some(Instant::now()), error: None };
            }
            Err(error) => {
                tracing::debug!(%error, "the trackers do not say who the storages are");
                asked.error = Some(error.to_string());
            }
        }
    }
}

/// Keeps them up to date until `stop`.
pub(crate) async fn follow(gateway: Arc<Gateway>, mut stop: Stop) {
    let Some(cluster) = &gateway.cluster else { return };
    let keep = async {
        loop {
            let told = ask(cluster).await;
            gateway.members.take(told);
            let nobody = gateway.members.ips.load().is_empty();
            let soon = nobody || gateway.members.trouble().is_some();
            sleep(if soon { FIRST_EACH } else { EACH }).await;
        }
    };
    tokio::select! {
        () = keep => {}
        () = stop.wait() => {}
    }
}

async fn ask(cluster: &Client) -> fdfs_client::Result<BTreeSet<IpAddr>> {
    let mut ips = BTreeSet::new();
    for group in cluster.list_groups().await? {
        let storages = cluster.list_storages(group.group, None).await?;
        ips.extend(storages.iter().filter_map(|storage| storage.ip.ip()));
    }
    Ok(ips)
}
