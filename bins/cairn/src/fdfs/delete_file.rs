//! `fdfs_delete_file`: removes a file and its metadata.

use super::session::{Session, To};
use super::{Call, Trouble};

const WHAT: &str = "delete file";

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    let conf = call.path(0)?;
    call.arg(1)?;
    let session = Session::open(call, &conf)?;
    let id = call.file_id(1, WHAT, To::Out)?;
    session.wait(session.client.delete(&id)).map_err(|error| call.failed(WHAT, &error, To::Out))
}
