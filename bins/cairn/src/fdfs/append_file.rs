//! `fdfs_append_file`: adds a local file to the end of an appender.

use fdfs_client::Content;

use super::session::{Session, To};
use super::{Call, Trouble};

const WHAT: &str = "append file";

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    let conf = call.path(0)?;
    call.arg(1)?;
    let local = call.path(2)?;
    let session = Session::open(call, &conf)?;
    let id = call.file_id(1, WHAT, To::Out)?;
    let appended = session.wait(async { session.client.append(&id, Content::file(&local).await?).await });
    appended.map_err(|error| call.failed(WHAT, &error, To::Out))
}
