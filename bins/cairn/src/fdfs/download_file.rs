//! `fdfs_download_file`: fetches a file or a part of it.

use std::path::PathBuf;

use fdfs_client::DownloadOptions;

use super::session::{Session, To};
use super::{Call, EXIT_FAILED, Trouble};

const WHAT: &str = "download file";

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    let conf = call.path(0)?;
    call.arg(1)?;
    let session = Session::open(call, &conf)?;
    let id = match call.file_id(1, WHAT, To::Out) {
        Err(Trouble::Said(_)) => return Err(Trouble::Said(EXIT_FAILED)),
        other => other?,
    };
    let local = if call.args.len() > 2 { call.path(2)? } else { PathBuf::from(id.name.base()) };
    let options = part(call)?;
    match session.wait(session.client.download_to_file(&id, &options, &local)) {
        Ok(_) => Ok(()),
        Err(error) => Err(call.failed_1(WHAT, &error, To::Out)),
    }
}

/// Offset and length, which come together or not at all; a length of 0 reaches to the end.
fn part(call: &mut Call<'_>) -> Result<DownloadOptions, Trouble> {
    let mut options = DownloadOptions::default();
    if call.args.len() > 4 {
        options.offset = number(call, 3)?;
        let length = number(call, 4)?;
        options.length = (length > 0).then_some(length);
    }
    Ok(options)
}

fn number(call: &mut Call<'_>, at: usize) -> Result<u64, Trouble> {
    let text = call.text(at)?;
    text.parse().map_err(|_| {
        let _ = writeln!(call.err, "{text}: must be a number of bytes");
        Trouble::Said(EXIT_FAILED)
    })
}
