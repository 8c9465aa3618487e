//! `fdfs_test` and `fdfs_test1`: one operation, step by step, with everything shown. They differ in how a file is
//! named: group and name, or the whole id.

use std::path::PathBuf;

use fdfs_client::{DownloadOptions, MetaFlag, Metadata, ServerAddr, Storage, UploadOptions};
use fdfs_fileid::{FileId, FileName, GroupName, SlavePrefix, slave_name};

use super::session::{Session, To};
use super::trial::{Way, banner, ext, metadata, server_line, url, write_info};
use super::{Call, EXIT_FAILED, Trouble};

const EINVAL: u8 = 22;

/// The group whose servers `fdfs_test1` lists.
const LISTED_GROUP: &[u8] = b"group1";

/// How a file is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// Two arguments.
    GroupAndName,
    /// One.
    WholeId,
}

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    operate(call, Naming::GroupAndName)
}

pub(super) fn run1(call: &mut Call<'_>) -> Result<(), Trouble> {
    operate(call, Naming::WholeId)
}

fn operate(call: &mut Call<'_>, naming: Naming) -> Result<(), Trouble> {
    banner(call)?;
    let conf = call.path(0)?;
    let operation = call.text(1)?;
    let session = Session::open(call, &conf)?;
    let files_from = 2;
    let rest_from = match naming {
        Naming::GroupAndName => 4,
        Naming::WholeId => 3,
    };
    if operation == "upload" {
        return upload(call, &session, naming);
    }
    if !["download", "getmeta", "setmeta", "delete", "query_servers"].contains(&operation.as_str()) {
        writeln!(call.out, "invalid operation: {operation}")?;
        return Err(Trouble::Said(EINVAL));
    }
    if call.args.len() < rest_from {
        return Err(Trouble::Usage(EINVAL));
    }
    let id = named(call, naming, files_from)?;
    if operation == "query_servers" {
        return query_servers(call, &session, naming, &id);
    }
    let storage = storage_of(call, &session, naming, &operation, &id)?;
    match operation.as_str() {
        "download" => download(call, &session, &id, rest_from),
        "getmeta" => get_metadata(call, &session, &storage, &id),
        "setmeta" => set_metadata(call, &session, &storage, &id, rest_from),
        _ => delete(call, &session, &storage, &id),
    }?;
    signs_of_life(call, &session, &storage)
}

/// The file on the command line.
fn named(call: &mut Call<'_>, naming: Naming, at: usize) -> Result<FileId, Trouble> {
    const WHAT: &str = "file id";
    if naming == Naming::WholeId {
        return call.file_id(at, WHAT, To::Out);
    }
    let (group, name) = (call.text(at)?, call.text(at + 1)?);
    let id = GroupName::parse(group.as_bytes())
        .and_then(|group| FileName::parse(name.as_bytes()).map(|name| FileId { group, name }));
    id.map_err(|error| {
        let _ = writeln!(call.err, "{group}/{name}: {error}");
        Trouble::Said(EINVAL)
    })
}

/// How a file is named in the tool's failures.
fn name_in_failures(naming: Naming, id: &FileId) -> String {
    match naming {
        Naming::GroupAndName => format!("group_name={}, filename={}", id.group, id.name),
        Naming::WholeId => format!("file_id={id}"),
    }
}

/// `<what> fail, group_name=…, filename=…, error no: N, error info: TEXT`
fn query_failed(
    call: &mut Call<'_>,
    what: &str,
    naming: Naming,
    id: &FileId,
    error: &fdfs_client::Error,
) -> Result<Trouble, Trouble> {
    let number = error.errno();
    let (name, text) = (name_in_failures(naming, id), super::errno_text(number));
    writeln!(call.out, "{what} fail, {name}, error no: {number}, error info: {text}")?;
    let _ = writeln!(call.err, "{error}");
    Ok(Trouble::Said(number))
}

fn upload(call: &mut Call<'_>, session: &Session, naming: Naming) -> Result<(), Trouble> {
    if call.args.len() < 3 {
        return Err(Trouble::Usage(EINVAL));
    }
    let local = call.path(2)?;
    let way = Way::from_arg(call, 3);
    list_targets(call, session, naming)?;
    let target = match session.wait(session.client.query_store(None)) {
        Ok(target) => target,
        Err(error) => return Err(call.failed("tracker_query_storage", &error, To::Out)),
    };
    writeln!(call.out, "{}", server_line(target.group.as_str(), &target.storage))?;
    let storage = session.client.storage(target.storage.clone());
    let options = UploadOptions { ext: Some(ext(&local)), metadata: metadata(), ..UploadOptions::default() };
    writeln!(call.out, "storage_upload_by_{}", way.word())?;
    let uploaded =
        session.wait(async { storage.upload(way.content(&local).await?, Some(target.path), &options).await });
    let master = match uploaded {
        Ok(uploaded) => uploaded.id,
        Err(error) => return Err(call.failed("upload file", &error, To::Out)),
    };
    show(call, session, naming, &target.storage, &master)?;

    let prefix = slave_prefix(naming, way);
    writeln!(call.out, "storage_upload_slave_by_{}", way.word())?;
    let uploaded = session.wait(async {
        session.client.upload_slave(&master, &prefix, way.content(&local).await?, &options).await
    });
    let slave = match uploaded {
        Ok(uploaded) => uploaded.id,
        Err(error) => return Err(call.failed("upload slave file", &error, To::Out)),
    };
    show(call, session, naming, &target.storage, &slave)?;
    let expected = slave_name(&master.name, &prefix, &ext(&local));
    if expected.as_ref().is_ok_and(|expected| *expected != slave.name) {
        writeln!(call.out, "the slave's name is not the one that follows from its master's: {}", slave.name)?;
    }
    signs_of_life(call, session, &storage)
}

/// Every storage an upload may go to.
fn list_targets(call: &mut Call<'_>, session: &Session, naming: Naming) -> Result<(), Trouble> {
    let (word, group) = match naming {
        Naming::GroupAndName => ("without", None),
        Naming::WholeId => ("with", GroupName::parse(LISTED_GROUP).ok()),
    };
    let Ok(targets) = session.wait(session.client.query_store_all(group)) else { return Ok(()) };
    writeln!(call.out, "tracker_query_storage_store_list_{word}_group: ")?;
    for (index, storage) in targets.storages.iter().enumerate() {
        writeln!(call.out, "\tserver {}. {}", index + 1, server_line(targets.group.as_str(), storage))?;
    }
    Ok(writeln!(call.out)?)
}

fn slave_prefix(naming: Naming, way: Way) -> SlavePrefix {
    let text: &[u8] = match (way, naming) {
        (Way::File, _) => b"_big",
        (Way::Buffer, _) => b"1024x1024",
        (Way::Callback, Naming::GroupAndName) => b"-small",
        (Way::Callback, Naming::WholeId) => b"_small",
    };
    // Constants of the right form: the test below parses each.
    SlavePrefix::parse(text).unwrap_or_else(|_| unreachable!("a constant prefix"))
}

fn show(
    call: &mut Call<'_>,
    session: &Session,
    naming: Naming,
    storage: &ServerAddr,
    id: &FileId,
) -> Result<(), Trouble> {
    if naming == Naming::GroupAndName {
        writeln!(call.out, "group_name={}, remote_filename={}", id.group, id.name)?;
    }
    write_info(call, session, id, true)?;
    Ok(writeln!(call.out, "example file url: {}", url(session, storage, id))?)
}

fn query_servers(call: &mut Call<'_>, session: &Session, naming: Naming, id: &FileId) -> Result<(), Trouble> {
    let what = match naming {
        Naming::GroupAndName => "tracker_query_storage_list",
        Naming::WholeId => "tracker_query_storage_list1",
    };
    match session.wait(session.client.query_fetch_all(id)) {
        Ok(servers) => {
            writeln!(call.out, "server list ({}):", servers.len())?;
            for server in servers {
                writeln!(call.out, "\t{server}")?;
            }
            Ok(writeln!(call.out)?)
        }
        Err(error) => Err(query_failed(call, what, naming, id, &error)?),
    }
}

/// The storage the operation is done on.
fn storage_of(
    call: &mut Call<'_>,
    session: &Session,
    naming: Naming,
    operation: &str,
    id: &FileId,
) -> Result<Storage, Trouble> {
    let changes = operation == "setmeta" || operation == "delete";
    let found = if changes {
        session.wait(session.client.query_update(id))
    } else {
        session.wait(session.client.query_fetch(id))
    };
    match found {
        Ok(address) => {
            writeln!(call.out, "storage={address}")?;
            Ok(session.client.storage(address))
        }
        Err(error) => Err(query_failed(call, "tracker_query_storage_fetch", naming, id, &error)?),
    }
}

fn download(call: &mut Call<'_>, session: &Session, id: &FileId, at: usize) -> Result<(), Trouble> {
    let local = if call.args.len() > at { call.path(at)? } else { PathBuf::from(id.name.base()) };
    let options = DownloadOptions::default();
    match session.wait(session.client.download_to_file(id, &options, &local)) {
        Ok(downloaded) => Ok(writeln!(
            call.out,
            "download file success, file size={}, file save to {}",
            downloaded.size,
            local.display()
        )?),
        Err(error) => Err(call.failed_1("download file", &error, To::Out)),
    }
}

fn get_metadata(
    call: &mut Call<'_>,
    session: &Session,
    storage: &Storage,
    id: &FileId,
) -> Result<(), Trouble> {
    match session.wait(storage.metadata(id)) {
        Ok(metadata) => {
            writeln!(call.out, "get meta data success, meta count={}", metadata.len())?;
            for (name, value) in metadata.iter() {
                call.out.write_all(name)?;
                call.out.write_all(b"=")?;
                call.out.write_all(value)?;
                call.out.write_all(b"\n")?;
            }
            Ok(())
        }
        Err(error) => Err(call.failed_1("getmeta", &error, To::Out)),
    }
}

fn set_metadata(
    call: &mut Call<'_>,
    session: &Session,
    storage: &Storage,
    id: &FileId,
    at: usize,
) -> Result<(), Trouble> {
    const WHAT: &str = "setmeta";
    if call.args.len() < at + 2 {
        return Err(Trouble::Usage(EINVAL));
    }
    let flag = match call.text(at)?.as_bytes().first() {
        Some(b'O') => MetaFlag::Overwrite,
        Some(b'M') => MetaFlag::Merge,
        _ => {
            call.say_failed(WHAT, EINVAL, To::Out)?;
            return Err(Trouble::Said(EXIT_FAILED));
        }
    };
    let metadata = pairs(&call.text(at + 1)?);
    match session.wait(storage.set_metadata(id, &metadata, flag)) {
        Ok(()) => Ok(writeln!(call.out, "set meta data success")?),
        Err(error) => Err(call.failed_1(WHAT, &error, To::Out)),
    }
}

/// `name1=value1,name2=value2`; what has no `=` has no value and is left out, as the original does.
fn pairs(text: &str) -> Metadata {
    text.split(',').filter_map(|pair| pair.split_once('=')).collect()
}

fn delete(call: &mut Call<'_>, session: &Session, storage: &Storage, id: &FileId) -> Result<(), Trouble> {
    match session.wait(storage.delete(id)) {
        Ok(()) => Ok(writeln!(call.out, "delete file success")?),
        Err(error) => Err(call.failed_1("delete file", &error, To::Out)),
    }
}

/// The last step: both servers still answer. Silent when they do.
fn signs_of_life(call: &mut Call<'_>, session: &Session, storage: &Storage) -> Result<(), Trouble> {
    let mut failed = None;
    for tracker in session.client.trackers().iter().take(1) {
        if let Err(error) = session.wait(tracker.active_test()) {
            let (address, number) = (tracker.address(), error.errno());
            writeln!(call.out, "active_test to tracker server {address} fail, errno: {number}")?;
            failed = Some(number);
        }
    }
    if let Err(error) = session.wait(storage.active_test()) {
        let (address, number) = (storage.address(), error.errno());
        writeln!(call.out, "active_test to storage server {address} fail, errno: {number}")?;
        failed = Some(number);
    }
    failed.map_or(Ok(()), |number| Err(Trouble::Said(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_one() {
        for way in [Way::File, Way::Buffer, Way::Callback] {
            slave_prefix(Naming::GroupAndName, way);
            slave_prefix(Naming::WholeId, way);
        }
        assert_eq!(slave_prefix(Naming::GroupAndName, Way::Callback).as_str(), "-small");
        assert_eq!(slave_prefix(Naming::WholeId, Way::Callback).as_str(), "_small");
    }

    #[test]
    fn metadata_is_given_as_pairs_and_what_is_no_pair_is_left_out() {
        let metadata = pairs("a=1,b=x=y,c,d=");
        let shown: Vec<_> = metadata.iter().collect();
        assert_eq!(shown, [(&b"a"[..], &b"1"[..]), (b"b", b"x=y"), (b"d", b"")]);
    }
}
