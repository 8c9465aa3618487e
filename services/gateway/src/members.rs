//! The addresses of the storages, as trackers name them: who may say that a request was passed on already.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use fdfs_client::Client;
use net::Stop;
use tokio::time::sleep;

use crate::run::Gateway;

/// How often the trackers are asked.
const EACH: Duration = Duration::from_secs(10);

/// How often while they name nobody: at a start all may begin at once.
const FIRST_EACH: Duration = Duration::from_secs(1);

/// The addresses known now.
#[derive(Debug, Default)]
pub(crate) struct Members(ArcSwap<BTreeSet<IpAddr>>);

impl Members {
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        self.0.load().contains(&ip)
    }
}

/// Keeps them up to date until `stop`.
pub(crate) async fn follow(gateway: Arc<Gateway>, mut stop: Stop) {
    let Some(cluster) = &gateway.cluster else { return };
    let keep = async {
        loop {
            match ask(cluster).await {
                Ok(ips) => gateway.members.0.store(Arc::new(ips)),
                Err(error) => tracing::debug!(%error, "the trackers do not say who the storages are"),
            }
            let nobody = gateway.members.0.load().is_empty();
            sleep(if nobody { FIRST_EACH } else { EACH }).await;
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
