//! `fdfs_upload_appender`: stores a local file as one that can grow, prints its id.

use fdfs_client::{Side, UploadOptions};

use super::session::{Session, To};
use super::{Call, Trouble};

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    let (conf, local) = (call.path(0)?, call.path(1)?);
    let session = Session::open(call, &conf)?;
    let options = UploadOptions { appender: true, ..UploadOptions::default() };
    match session.wait(session.client.upload_file(&local, &options)) {
        Ok(uploaded) => Ok(writeln!(call.out, "{}", uploaded.id)?),
        Err(error) if error.side() == Side::Tracker => {
            Err(call.failed("tracker_query_storage", &error, To::Err))
        }
        Err(error) => Err(call.failed("upload file", &error, To::Err)),
    }
}
