//! `fdfs_regenerate_filename`: turns an appender into a normal file with a new id.

use super::session::{Session, To};
use super::{Call, Trouble};

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    let conf = call.path(0)?;
    let what = format!("regenerate file {}", call.text(1)?);
    let session = Session::open(call, &conf)?;
    let id = call.file_id(1, &what, To::Err)?;
    match session.wait(session.client.regenerate(&id)) {
        Ok(id) => Ok(writeln!(call.out, "{id}")?),
        Err(error) => Err(call.failed(&what, &error, To::Err)),
    }
}
