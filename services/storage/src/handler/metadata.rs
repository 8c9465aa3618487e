//! SET_METADATA and GET_METADATA.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fdfs_format::metadata::{META_LEN_MAX, Metadata};
use fdfs_proto::storage::metadata::{AskGet, AskSet, GotGet, MetaFlag};
use fdfs_proto::{Status, frame};
use storage_core::stats::Counter;

use crate::access_log::Access;
use crate::answer;
use crate::connection::{Done, count, malformed};
use crate::server::Server;

/// SET_METADATA.
pub(crate) async fn set(server: &Server, body: &[u8], access: &mut Access) -> Done {
    let ask = match AskSet::decode(body) {
        Ok(ask) => ask,
        Err(error) => return malformed(error, 0),
    };
    let name = match server.name_in(&ask.group, ask.name) {
        Ok(name) => name,
        Err(status) => return Done::status(status),
    };
    access.name(&name);
    let merge = match ask.flag {
        MetaFlag::Overwrite => false,
        MetaFlag::Merge => true,
        MetaFlag::Unknown(_) => return Done::status(Status::EINVAL),
    };
    let newer = Metadata::parse(ask.meta);
    let too_long = Arc::new(AtomicBool::new(false));
    let is_too_long = Arc::clone(&too_long);
    let update = move |old: Option<&[u8]>| {
        let kept = if merge { old.unwrap_or_default() } else { &[] };
        let mut metadata = Metadata::parse(kept);
        metadata.merge(newer);
        let encoded = metadata.encode();
        is_too_long.store(encoded.len() > META_LEN_MAX, Ordering::Release);
        let result = if encoded.len() > META_LEN_MAX { old.map(<[u8]>::to_vec) } else { Some(encoded) };
        result.filter(|bytes| !bytes.is_empty())
    };
    let now = server.now();
    let done = match server.store.set_metadata(name, now, Box::new(update)).await {
        Ok(()) if too_long.load(Ordering::Acquire) => Done::status(Status::ENOSPC),
        Ok(()) => {
            server.changed(now);
            Done::status(Status::OK)
        }
        Err(error) => Done::status(answer::status(&error)),
    };
    count(server, Counter::SetMetaCount, &done);
    done
}

/// GET_METADATA. A file without metadata is answered like a missing file, as the original does.
pub(crate) async fn get(server: &Server, body: &[u8], access: &mut Access) -> Done {
    let ask = match AskGet::decode(body) {
        Ok(ask) => ask,
        Err(error) => return malformed(error, 0),
    };
    let name = match server.name_in(&ask.group, ask.name) {
        Ok(name) => name,
        Err(status) => return Done::status(status),
    };
    access.name(&name);
    let done = match server.store.metadata(&name).await {
        Ok(Some(meta)) => {
            let mut answer = Vec::with_capacity(meta.len() + fdfs_proto::HEADER_LEN);
            frame::reply(&mut answer, |out| GotGet { meta: &meta }.encode(out));
            Done::answer(answer)
        }
        Ok(None) => Done::status(Status::ENOENT),
        Err(error) => Done::status(answer::status(&error)),
    };
    count(server, Counter::GetMetaCount, &done);
    done
}
