//! `fdfs_upload_file`: stores a local file, prints its id.

use fdfs_client::{Side, UploadOptions};
use fdfs_fileid::StorePathIndex;

use super::session::{Session, To};
use super::{Call, Trouble};

const STORAGE_PORT: u16 = 23000;
const EINVAL: u8 = 22;

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    let (conf, local) = (call.path(0)?, call.path(1)?);
    let session = Session::open(call, &conf)?;
    if std::fs::metadata(&local).is_ok_and(|metadata| !metadata.is_file()) {
        // Before it is opened: a named pipe would wait for somebody who writes to it.
        call.say_failed("upload file", EINVAL, To::Err)?;
        let _ = writeln!(call.err, "{}: only regular files have content", local.display());
        return Err(Trouble::Said(EINVAL));
    }
    let options = UploadOptions::default();
    let uploaded = if call.args.len() > 2 {
        let storage = call.address(2, "storage server", STORAGE_PORT)?;
        let path = store_path(call)?;
        let storage = session.client.storage(storage);
        session.wait(storage.upload_file(&local, path, &options))
    } else {
        session.wait(session.client.upload_file(&local, &options))
    };
    match uploaded {
        Ok(uploaded) => Ok(writeln!(call.out, "{}", uploaded.id)?),
        Err(error) if error.side() == Side::Tracker => {
            Err(call.failed("tracker_query_storage", &error, To::Err))
        }
        Err(error) => Err(call.failed("upload file", &error, To::Err)),
    }
}

/// The store path of the fourth argument; none or a negative one leaves the choice to the storage.
fn store_path(call: &mut Call<'_>) -> Result<Option<StorePathIndex>, Trouble> {
    if call.args.len() < 4 {
        return Ok(None);
    }
    let text = call.text(3)?;
    match text.parse::<i64>() {
        Ok(index) if index < 0 => Ok(None),
        Ok(index) if index <= 255 => Ok(u8::try_from(index).ok().map(StorePathIndex)),
        _ => {
            let _ = writeln!(call.err, "store path index {text}: must be a number up to 255");
            Err(Trouble::Said(EINVAL))
        }
    }
}
