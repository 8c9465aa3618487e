//! Metrics and health of the servers of a process, where they are told.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use status::{BindError, Bound, Endpoint, Node};

use super::role::not_listening;
use super::{Loaded, Running};

/// Listens there; nobody is answered before the servers run, which [`Bound::serve`] is given.
pub(crate) fn listen(addresses: &[SocketAddr]) -> anyhow::Result<Bound> {
    Bound::to(addresses).map_err(|error| match error {
        BindError::Listen { address, error } => {
            not_listening(address, &error).context("metrics and health (status_listen)")
        }
        other => other.into(),
    })
}

/// Answers for these servers.
pub(crate) fn tell(bound: Bound, servers: &[Running]) -> anyhow::Result<Endpoint> {
    let nodes: Vec<Arc<dyn Node>> = servers.iter().flat_map(Running::nodes).collect();
    bound.serve(nodes).context("tell metrics and health")
}

/// Starts a server, and tells of it where its configuration says so.
pub(super) fn start(loaded: &Loaded) -> anyhow::Result<(Running, Option<Endpoint>)> {
    let addresses = loaded.status_listen();
    let bound = if addresses.is_empty() { None } else { Some(listen(&addresses)?) };
    let running = loaded.start()?;
    match bound.map(|bound| tell(bound, std::slice::from_ref(&running))).transpose() {
        Ok(told) => Ok((running, told)),
        Err(error) => {
            running.stop().context("stop")?;
            Err(error)
        }
    }
}
