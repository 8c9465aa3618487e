//! `/api/myfiles`, `/api/dealfile`: the files in one's root folder.

use axum::response::Response;
use drive_core::access::Action;
use drive_core::dialect::{Code, FileRow, Operation, Page, Total, kind_of};
use drive_core::page::Direction;
use drive_core::queue::Counter;
use drive_core::share::{ShareKind, ShareToken, WantedCode};
use drive_db::{NewShare, RootFile, RootOrder};

use super::call::Call;
use super::reply::{done, own_url, reply};
use crate::app::Drive;
use crate::records::new_key;
use crate::refusal::Answer;
use crate::who::Signed;

/// How many there are.
pub(super) async fn count(call: &Call) -> Answer<Response> {
    let signed = call.signed(Action::Read).await?;
    let total = call.drive.database.count_root_files(signed.account()).await?;
    Ok(reply(&Total { code: Code::Done.number(), total })?)
}

/// A page of them.
pub(super) async fn list(call: &Call, operation: Operation) -> Answer<Response> {
    let (drive, signed) = (&call.drive, call.signed(Action::Read).await?);
    let order = match operation {
        Operation::MyFilesLeastDownloaded => RootOrder::Downloads(Direction::Up),
        Operation::MyFilesMostDownloaded => RootOrder::Downloads(Direction::Down),
        _ => RootOrder::Name,
    };
    let (page, root) = (call.fields.page()?, signed.verdict.root);
    let files = drive.database.root_files(root, order, page, drive.now()).await?;
    let total = drive.database.count_root_files(signed.account()).await?;
    let rows = files.into_iter().map(|file| row(drive, &signed, file)).collect();
    Ok(reply(&Page::new(rows, total))?)
}

fn row(drive: &Drive, signed: &Signed, file: RootFile) -> FileRow {
    let RootFile { node, md5, listed } = file;
    FileRow {
        user: signed.verdict.user_name.as_str().to_owned(),
        md5: md5.to_string(),
        create_time: drive.old_time(node.created_at),
        share_status: listed.into(),
        pv: node.downloads,
        url: own_url(node.id),
        size: node.content.map_or(0, |content| content.size.get()),
        kind: kind_of(&node.name),
        file_name: node.name.into(),
    }
}

/// Shows one to everybody.
pub(super) async fn share(call: &Call) -> Answer<Response> {
    let (drive, signed) = (&call.drive, call.signed(Action::Share).await?);
    let (md5, name) = (call.fields.md5()?, call.fields.file_name()?);
    let owner = signed.account();
    let now = drive.now();
    let new = NewShare {
        owner,
        node: drive.database.named_file(owner, &md5, &name).await?,
        kind: ShareKind::Link,
        token: ShareToken::new(rand::random()),
        code: WantedCode::None,
        expires_at: drive.latest_end(now),
        downloads_left: None,
        listed: true,
    };
    drive.database.list_file(&new, &drive.secret, &signed.cause(now)).await?;
    Ok(done())
}

/// Deletes one, to the trash.
pub(super) async fn delete(call: &Call) -> Answer<Response> {
    let (drive, signed) = (&call.drive, call.signed(Action::Write).await?);
    let (md5, name) = (call.fields.md5()?, call.fields.file_name()?);
    let node = drive.database.named_file(signed.account(), &md5, &name).await?;
    drive.database.trash(signed.account(), node, &signed.cause(drive.now())).await?;
    Ok(done())
}

/// Counts a download of one.
pub(super) async fn count_download(call: &Call) -> Answer<Response> {
    let (drive, signed) = (&call.drive, call.signed(Action::Write).await?);
    let (md5, name) = (call.fields.md5()?, call.fields.file_name()?);
    let node = drive.database.named_file(signed.account(), &md5, &name).await?;
    drive.count(new_key(), Counter::NodeDownloads(node)).await;
    Ok(done())
}
