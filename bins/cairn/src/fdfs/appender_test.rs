//! `fdfs_appender_test` and `fdfs_appender_test1`: an appender is uploaded, cut, grown and changed, with its figures
//! shown after each step. It stays behind.

use fdfs_client::{Error, UploadOptions};
use fdfs_fileid::FileId;

use super::session::{Session, To};
use super::trial::{Way, banner, ext, metadata, server_line, url, write_info};
use super::{Call, EXIT_FAILED, Trouble};

/// What the two programs do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Variant {
    /// Behind the names of the library's functions.
    suffix: &'static str,
    /// By what the size is divided when the file is cut; nothing cuts it to nothing.
    cut: Option<u64>,
}

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    steps(call, Variant { suffix: "", cut: Some(2) })
}

pub(super) fn run1(call: &mut Call<'_>) -> Result<(), Trouble> {
    steps(call, Variant { suffix: "1", cut: None })
}

fn steps(call: &mut Call<'_>, variant: Variant) -> Result<(), Trouble> {
    banner(call)?;
    let (conf, local) = (call.path(0)?, call.path(1)?);
    let way = Way::from_arg(call, 2);
    let session = Session::open(call, &conf)?;
    let target = match session.wait(session.client.query_store(None)) {
        Ok(target) => target,
        Err(error) => return Err(call.failed("tracker_query_storage", &error, To::Out)),
    };
    writeln!(call.out, "{}", server_line(target.group.as_str(), &target.storage))?;
    let storage = session.client.storage(target.storage.clone());
    let options = UploadOptions {
        ext: Some(ext(&local)),
        appender: true,
        metadata: metadata(),
        ..UploadOptions::default()
    };
    writeln!(call.out, "storage_upload_appender_by_{}{}", way.word(), variant.suffix)?;
    let uploaded =
        session.wait(async { storage.upload(way.content(&local).await?, Some(target.path), &options).await });
    let (id, size) = match uploaded {
        Ok(uploaded) => (uploaded.id, uploaded.size),
        Err(error) => return Err(call.failed("upload file", &error, To::Out)),
    };
    if variant.suffix.is_empty() {
        writeln!(call.out, "group_name={}, remote_filename={}", id.group, id.name)?;
    } else {
        // Misspelt by the original; scripts may look for it.
        writeln!(call.out, "fild_id={id}")?;
    }
    // The original shows the tracker's address in this example.
    let tracker = session.client.trackers().first().map(|tracker| tracker.address().clone());
    let url = url(&session, tracker.as_ref().unwrap_or(&target.storage), &id);
    let mut sizes_fit = true;
    write_info(call, &session, &id, true)?;
    writeln!(call.out, "file url: {url}")?;

    let cut = variant.cut.map_or(0, |divisor| size / divisor);
    done(call, "truncate file", session.wait(storage.truncate(&id, cut)))?;
    let shown = write_info(call, &session, &id, true)?;
    sizes_fit &= compare(call, shown, cut);
    writeln!(call.out, "file url: {url}")?;

    let step = Step { session: &session, id: &id, way, variant };
    let grown = cut + size;
    let appended = session.wait(async { storage.append(&id, way.content(&local).await?).await });
    sizes_fit &= step.finish(call, "append", appended, grown)?;
    let modified = session.wait(async { storage.modify(&id, grown, way.content(&local).await?).await });
    sizes_fit &= step.finish(call, "modify", modified, grown + size)?;
    if sizes_fit { Ok(()) } else { Err(Trouble::Said(EXIT_FAILED)) }
}

/// One of the last two steps.
struct Step<'a> {
    session: &'a Session,
    id: &'a FileId,
    way: Way,
    variant: Variant,
}

impl Step<'_> {
    fn finish(
        &self,
        call: &mut Call<'_>,
        verb: &str,
        result: Result<(), Error>,
        expected: u64,
    ) -> Result<bool, Trouble> {
        // The recorded program has no `1` behind the name when it goes by file.
        let suffix = if self.way == Way::File { "" } else { self.variant.suffix };
        writeln!(call.out, "storage_{verb}_by_{}{suffix}", self.way.word())?;
        done(call, &format!("{verb} file"), result)?;
        writeln!(call.out, "{verb} file successfully.")?;
        let size = write_info(call, self.session, self.id, false)?;
        Ok(compare(call, size, expected))
    }
}

fn done(call: &mut Call<'_>, what: &str, result: Result<(), Error>) -> Result<(), Trouble> {
    result.map_err(|error| call.failed(what, &error, To::Out))
}

fn compare(call: &mut Call<'_>, size: u64, expected: u64) -> bool {
    if size != expected {
        let _ = writeln!(call.err, "file size: {size} != {expected}!!!");
    }
    size == expected
}
