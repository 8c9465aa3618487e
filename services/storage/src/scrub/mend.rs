//! One file: what is wrong with it, who has a good copy, and what becomes of the bad one.

use std::net::SocketAddr;
use std::sync::Arc;

use fdfs_fileid::{FileName, Kind};
use fdfs_proto::{GroupField, StorageId, StorageStatus};
use storage_core::membership::ClusterView;
use store::{BadCopy, Mended, StoreError, Verdict};

use super::Figures;
use crate::recovery::peer::{Peer, PeerError};
use crate::relay;
use crate::replication;
use crate::server::{Server, unix_now};

/// How many members can be asked.
pub(super) fn serving(view: &ClusterView) -> usize {
    view.peers.values().filter(|peer| peer.status == StorageStatus::Active).count()
}

/// What came of looking at a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    /// It is as it should be, by now.
    Fine,
    /// No member has a good copy, or it could not be put in place.
    Hopeless,
}

/// Looks at a file, and mends it if it has to be. `time` is when it was made, Unix seconds, if the records have just
/// said that it should be here.
pub(super) async fn look(server: &Arc<Server>, name: &FileName, time: Option<i64>) -> Looked {
    let _turn = server.scrub.turn.lock().await;
    try_look(server, name, time).await.unwrap_or_else(|error| {
        tracing::error!(%name, %error, "a damaged file could not be looked at or mended");
        Looked::Hopeless
    })
}

async fn try_look(server: &Arc<Server>, name: &FileName, time: Option<i64>) -> Result<Looked, StoreError> {
    let figures = &server.scrub.figures;
    if name.stamp().is_none() {
        return Ok(Looked::Fine);
    }
    let bad = match server.store.verify(name).await? {
        Verdict::Whole => return Ok(Looked::Fine),
        Verdict::Bad(bad) => Some(bad),
        // Deleted, and the records that were looked at did not have it yet.
        Verdict::Missing if server.store.is_gone(name) => return Ok(Looked::Fine),
        // Nobody has said that it should be here.
        Verdict::Missing if time.is_none() && !server.store.is_set_aside(name) => return Ok(Looked::Fine),
        Verdict::Missing => None,
    };
    if bad.is_some() {
        Figures::add(&figures.bad, 1);
    } else if !server.store.is_set_aside(name) {
        Figures::add(&figures.missing, 1);
    }
    if let (Some(bad), Kind::Appender) = (&bad, name.kind()) {
        let why = &bad.why;
        tracing::error!(%name, %why, "an appender is damaged, and nobody knows which copy is the newest: it stays");
        return Ok(Looked::Hopeless);
    }
    match mend(server, name, bad.as_ref(), time).await? {
        Some((peer, Mended::Done)) => {
            Figures::add(&figures.mended, 1);
            let why = bad.map_or("it was missing".into(), |bad| bad.why);
            tracing::warn!(%name, %peer, %why, "a damaged file was replaced with the copy of another member");
            return Ok(Looked::Fine);
        }
        Some((_, Mended::Changed)) => return Ok(Looked::Fine),
        None => {}
    }
    match bad {
        Some(bad) => set_aside(server, name, &bad).await?,
        None => tracing::error!(%name, "a file is missing here, and no member that serves has a good copy"),
    }
    Ok(Looked::Hopeless)
}

async fn set_aside(server: &Server, name: &FileName, bad: &BadCopy) -> Result<(), StoreError> {
    let why = &bad.why;
    if server.store.set_aside(name, bad, unix_now()).await? == Mended::Done {
        Figures::add(&server.scrub.figures.set_aside, 1);
        tracing::error!(
            %name,
            %why,
            "a file is damaged and no member that serves has a good copy: it is in the quarantine, and not given out"
        );
    }
    Ok(())
}

/// Asks one member after the other for a good copy, the one that made the file first; `None` when nobody has one.
async fn mend(
    server: &Server,
    name: &FileName,
    bad: Option<&BadCopy>,
    time: Option<i64>,
) -> Result<Option<(StorageId, Mended)>, StoreError> {
    let stamp =
        name.stamp().filter(|_| matches!(name.kind(), Kind::Normal | Kind::Trunk)).map(|s| s.timestamp);
    let of_records = time.and_then(|time| u32::try_from(time).ok());
    let mtime = stamp.or(bad.and_then(|bad| bad.mtime)).or(of_records).unwrap_or_else(unix_now);
    let view = server.cluster.borrow().clone();
    let Some(me) = view.identity.clone() else { return Ok(None) };
    for (id, addresses) in sources(&view, name) {
        let content = match fetch(server, me.group.into(), me.id, &addresses, name).await {
            Ok(Some(content)) => content,
            Ok(None) => continue,
            Err(PeerError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::warn!(%name, peer = %id, %error, "a member could not be asked for a good copy");
                continue;
            }
        };
        match server.store.mend(name, bad, content, mtime).await {
            Ok(mended) => return Ok(Some((id, mended))),
            Err(StoreError::Corrupt { len, crc32, .. }) => {
                tracing::warn!(%name, peer = %id, len, crc32, "the copy of another member is damaged, too");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The members that serve and where they are reached, the one that made the file first.
fn sources(view: &ClusterView, name: &FileName) -> Vec<(StorageId, Vec<SocketAddr>)> {
    let origin = name.stamp().and_then(|stamp| relay::member(view, stamp.source));
    let active = view.peers.iter().filter(|(_, peer)| peer.status == StorageStatus::Active);
    let mut ids: Vec<StorageId> = active.map(|(id, _)| *id).collect();
    ids.sort_by_key(|id| Some(*id) != origin);
    ids.into_iter().map(|id| (id, replication::addresses(view, &id))).collect()
}

async fn fetch(
    server: &Server,
    group: GroupField,
    me: StorageId,
    addresses: &[SocketAddr],
    name: &FileName,
) -> Result<Option<store::Content>, PeerError> {
    let mut peer = Peer::open(addresses, &server.scrub.wire, group).await?;
    // Otherwise it would ask this storage for what it does not have itself.
    peer.introduce(me).await?;
    peer.download(&server.store, name, name).await
}
