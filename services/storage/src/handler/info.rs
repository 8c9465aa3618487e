//! QUERY_FILE_INFO.

use std::net::IpAddr;

use fdfs_fileid::{FileName, Kind};
use fdfs_proto::storage::file_info::{Ask, Got};
use fdfs_proto::{IpText, Status, frame};
use store::StoreError;

use crate::access_log::Access;
use crate::answer;
use crate::connection::{Done, malformed};
use crate::server::Server;

pub(crate) async fn query(
    server: &Server,
    peer: IpAddr,
    flags: u8,
    body: &[u8],
    access: &mut Access,
) -> Done {
    let ask = match Ask::decode(flags, body) {
        Ok(ask) => ask,
        Err(error) => return malformed(error, 0),
    };
    let name = match server.name_in(&ask.group, ask.name) {
        Ok(name) => name,
        Err(status) => return Done::status(status),
    };
    access.name(&name);
    match info(server, &name, peer, ask.flags.no_crc).await {
        Ok(got) => {
            let width = server.width();
            let mut answer = Vec::with_capacity(96);
            frame::reply(&mut answer, |out| got.encode(width, out));
            Done::answer(answer)
        }
        Err(error) => Done::status(match error {
            StoreError::NotRegular => Status::ENOENT,
            other => answer::status(&other),
        }),
    }
}

async fn info(server: &Server, name: &FileName, peer: IpAddr, no_crc: bool) -> Result<Got, StoreError> {
    let stored = server.store.open_file(name).await?;
    let stamp = name.stamp();
    let crc32 = match (name.kind(), &stamp) {
        (Kind::Normal | Kind::Trunk, Some(stamp)) => stamp.crc32,
        _ if no_crc => 0,
        _ => stored.crc32().await?,
    };
    let mtime = stored.mtime().await?;
    let source = stamp.and_then(|stamp| server.address_of(stamp.source, peer));
    Ok(Got { size: stored.len, mtime, crc32, source: source.unwrap_or(IpText::EMPTY) })
}
