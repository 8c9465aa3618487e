//! Which cluster a command talks to.

use std::path::{Path, PathBuf};

use fdfs_client::{Client, ClientConfig};

use crate::conf;

/// Where a client.conf is looked for when none is named: beside a running `up`, then where FastDFS has it.
const USUAL_CONFS: [&str; 2] = ["cairn-data/client.conf", "/etc/fdfs/client.conf"];

/// The option every client command has.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClusterArgs {
    /// The client.conf of the cluster [default: cairn-data/client.conf if it is there, else /etc/fdfs/client.conf]
    #[arg(short = 'c', long = "conf", value_name = "CONF")]
    conf: Option<PathBuf>,
}

impl ClusterArgs {
    /// A client for it.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let path = self.path();
        if self.conf.is_none() && !path.exists() {
            let [near, far] = USUAL_CONFS;
            anyhow::bail!("neither {near} nor {far} is there: name the client.conf of the cluster with -c");
        }
        let conf = conf::client(&path)?;
        Ok(Client::new(ClientConfig::from_conf(conf)))
    }

    /// The configuration that counts: the named one, or the usual one.
    pub(crate) fn path(&self) -> PathBuf {
        self.conf.clone().unwrap_or_else(usual_conf)
    }

    /// The configuration that was named, for commands shown to people.
    pub(crate) fn named(&self) -> Option<&Path> {
        self.conf.as_deref()
    }
}

fn usual_conf() -> PathBuf {
    let [near, far] = USUAL_CONFS.map(PathBuf::from);
    if near.exists() { near } else { far }
}
