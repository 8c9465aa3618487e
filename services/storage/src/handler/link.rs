//! CREATE_LINK: one more name for content that is there.
//!
//! The original makes a symbolic link that breaks when its source is deleted. Here the new name gets its own
//! copy, which is what clients of this command rely on and peers can be told of as an ordinary new file.

use fdfs_fileid::{ExtName, FileName, Kind, SlavePrefix, StorePathIndex, slave_name};
use fdfs_proto::Status;
use fdfs_proto::storage::create_link::Ask;
use storage_core::naming::NewFile;
use storage_core::stats::Counter;
use store::{NewName, StoreError, StoredFile};

use super::named;
use super::upload::store_new;
use crate::answer;
use crate::connection::{Done, count, malformed};
use crate::content::Taken;
use crate::server::Server;

/// What is copied at a time.
const COPY_STEP: usize = 256 * 1024;

pub(crate) async fn create(server: &Server, body: &[u8]) -> Done {
    let ask = match Ask::decode(body) {
        Ok(ask) => ask,
        Err(error) => return malformed(error, 0),
    };
    let done = match link(server, &ask).await {
        Ok(done) => done,
        Err(status) => Done::status(status),
    };
    count(server, Counter::CreateLinkCount, &done);
    done
}

async fn link(server: &Server, ask: &Ask<'_>) -> Result<Done, Status> {
    let failed = |error: StoreError| answer::status(&error);
    let source = server.name_in(&ask.group, ask.source)?;
    let ext = ExtName::parse(ask.ext.as_bytes()).map_err(|_| Status::EINVAL)?;
    let known = server.known().ok_or(Status::EAGAIN)?;
    let stored = server.store.open_file(&source).await.map_err(failed)?;
    let size = stored.len;
    let slave = if ask.master.is_empty() { None } else { Some(slave_of(server, ask, &ext).await?) };
    let wanted = slave.as_ref().map(FileName::path_index);
    let path = server.choose_path(wanted, size, &known).await?;
    let taken = copy_of(server, &stored, path).await.map_err(failed)?;
    let name = match slave {
        Some(name) => {
            let now = server.now();
            let made = server.store.create(path, NewName::Fixed(name), taken.into(), now).await;
            made.inspect(|_| server.changed(now))
        }
        None => {
            let appender = source.kind() == Kind::Appender;
            let file = if appender { NewFile::Appender } else { NewFile::Normal { size } };
            store_new(server, known.source, path, file, &ext, taken).await
        }
    };
    Ok(named(known.group, &name.map_err(failed)?))
}

async fn slave_of(server: &Server, ask: &Ask<'_>, ext: &ExtName) -> Result<FileName, Status> {
    let master = server.name(ask.master)?;
    let prefix = SlavePrefix::parse(ask.prefix.as_bytes()).map_err(|_| Status::EINVAL)?;
    server.store.open_file(&master).await.map_err(|error| answer::status(&error))?;
    let name = slave_name(&master, &prefix, ext).map_err(|_| Status::EINVAL)?;
    name.check_client().map_err(|_| Status::EINVAL)?;
    Ok(name)
}

/// The content of a file once more, staged on `path` in steps.
pub(super) async fn copy_of(
    server: &Server,
    stored: &StoredFile,
    path: StorePathIndex,
) -> Result<Taken, StoreError> {
    let mut staged = server.store.stage(path, stored.len).await?;
    while staged.len() < stored.len {
        let left = usize::try_from(stored.len - staged.len()).unwrap_or(usize::MAX);
        let chunk = stored.read(staged.len(), left.min(COPY_STEP)).await?;
        staged.write(chunk).await?;
    }
    Ok(Taken::Staged(staged))
}
