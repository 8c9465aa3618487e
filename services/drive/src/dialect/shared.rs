//! `/api/sharefiles`, `/api/dealsharefile`: what people show to everybody.

use axum::response::Response;
use drive_core::Problem;
use drive_core::access::Action;
use drive_core::dialect::{Code, FileRow, Operation, Page, RankRow, Total, kind_of, may_save};
use drive_core::ports::Order;
use drive_core::share::{Shown, VisitorMark, Wish, admit};
use drive_core::tree::OnConflict;
use drive_db::{ListedShare, SaveShared};

use super::call::Call;
use super::reply::{done, link_url, reply};
use crate::app::Drive;
use crate::gate::Wanted;
use crate::refusal::Answer;

/// How many files there are.
pub(super) async fn count(call: &Call) -> Answer<Response> {
    call.visitor().await?;
    let total = call.drive.listed_count().await?.files;
    Ok(reply(&Total { code: Code::Done.number(), total })?)
}

/// A page of them, the newest first.
pub(super) async fn list(call: &Call) -> Answer<Response> {
    call.visitor().await?;
    let drive = &call.drive;
    let files = drive.database.shared_files(call.fields.page()?, drive.now()).await?;
    let total = drive.listed_count().await?.files;
    let rows = files.into_iter().map(|listed| row(drive, listed)).collect();
    Ok(reply(&Page::new(rows, total))?)
}

fn row(drive: &Drive, listed: ListedShare) -> FileRow {
    let ListedShare { share, owner_name, node, md5 } = listed;
    FileRow {
        user: owner_name.as_str().to_owned(),
        md5: md5.map(|md5| md5.to_string()).unwrap_or_default(),
        create_time: drive.old_time(share.created_at),
        share_status: true.into(),
        pv: share.downloads,
        url: link_url(&share.token, node.id),
        size: node.content.map_or(0, |content| content.size.get()),
        kind: kind_of(&node.name),
        file_name: node.name.into(),
    }
}

/// A page of the ranking. Folders, which only API v1 shows to everybody, are in it and have no MD5.
pub(super) async fn ranking(call: &Call, operation: Operation) -> Answer<Response> {
    call.visitor().await?;
    let (drive, page, now) = (&call.drive, call.fields.page()?, call.drive.now());
    let order = if operation == Operation::RankingLeast { Order::Lowest } else { Order::Highest };
    let ranking = drive.ranked(order, page.start as usize, page.count as usize).await?;
    let links: Vec<_> = ranking.iter().map(|entry| entry.share).collect();
    let total = drive.listed_count().await?.all();
    let rows = drive.database.listed_shares(&links, now).await?;
    let rows = rows.into_iter().map(|listed| RankRow {
        filename: listed.node.name.into(),
        pv: listed.share.downloads,
        md5: listed.md5.map(|md5| md5.to_string()).unwrap_or_default(),
        user: listed.owner_name.as_str().to_owned(),
        share: listed.share.token.as_str().to_owned(),
    });
    Ok(reply(&Page::new(rows.collect(), total))?)
}

/// Shows one's own file to everybody no longer.
pub(super) async fn cancel(call: &Call) -> Answer<Response> {
    let (drive, signed) = (&call.drive, call.signed(Action::Share).await?);
    let (md5, name) = (call.fields.md5()?, call.fields.file_name()?);
    let (owner, now) = (signed.account(), drive.now());
    let link = drive.database.listed_link(&md5, &name, Some(owner), now).await?;
    drive.database.revoke_share(Some(owner), link.id, &signed.cause(now)).await?;
    Ok(done())
}

/// Saves a file that somebody shows to everybody among one's own.
pub(super) async fn save(call: &Call) -> Answer<Response> {
    let (drive, signed) = (&call.drive, call.signed(|_| Action::SaveShared).await?);
    let (md5, name) = (call.fields.md5()?, call.fields.file_name()?);
    let (saver, now) = (signed.account(), drive.now());
    may_save(drive.database.root_file(saver, &name).await?, md5)?;
    let link = drive.database.listed_link(&md5, &name, None, now).await?;
    let visitor = VisitorMark::of_account(&drive.secret, link.id, saver);
    let save = |on_conflict| SaveShared {
        saver,
        token: link.token.clone(),
        node: None,
        folder: signed.verdict.root,
        name: None,
        on_conflict,
        visitor,
    };
    let gate = |share: &_, behind: &_, seen| {
        admit(share, behind, Shown::Nothing, &visitor, Wish::Save(seen), &drive.secret, now)
    };
    let cause = signed.cause(now);
    match drive.database.save_shared(&save(OnConflict::Fail), &gate, &cause).await {
        Err(Problem::NameTaken) => {
            // By another file; or by this one, which somebody saves twice at once.
            may_save(drive.database.root_file(saver, &name).await?, md5)?;
            drive.database.save_shared(&save(OnConflict::KeepBoth), &gate, &cause).await?;
        }
        saved => {
            saved?;
        }
    }
    Ok(done())
}

/// Counts a download of one: once for each visitor and hour, so that this and fetching the bytes are one.
pub(super) async fn count_download(call: &Call) -> Answer<Response> {
    let drive = &call.drive;
    call.signed(Action::Read).await?;
    let (md5, name) = (call.fields.md5()?, call.fields.file_name()?);
    let link = drive.database.listed_link(&md5, &name, None, drive.now()).await?;
    let guest = call.guest().await?;
    let admitted = drive.enter(&guest, link.token.as_str(), None, Wanted::Download).await?;
    if admitted.pass.count {
        drive.count_shared(&link, &admitted.mark).await?;
    }
    Ok(done())
}
