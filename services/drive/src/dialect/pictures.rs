//! `/api/sharepic`: links that show a picture.

use axum::response::Response;
use drive_core::access::Action;
use drive_core::dialect::{Code, Page, PictureRow, PictureSeen, PictureShared, picture_has_code};
use drive_core::share::{ShareKind, ShareToken, WantedCode};
use drive_core::{Missing, Problem};
use drive_db::{NewShare, PictureLink};
use http::header::SET_COOKIE;

use super::call::Call;
use super::reply::{done, link_url, reply};
use crate::app::Drive;
use crate::gate::Wanted;
use crate::refusal::Answer;
use crate::who::Signed;

/// Makes a link to a picture.
pub(super) async fn share(call: &Call) -> Answer<Response> {
    let (drive, signed) = (&call.drive, call.signed(Action::Share).await?);
    let (md5, name) = (call.fields.md5()?, call.fields.file_name()?);
    let (owner, now) = (signed.account(), drive.now());
    let asked = call.fields.extraction_code()?;
    let code = match asked {
        Some(text) => WantedCode::Chosen(text.to_owned()),
        None if picture_has_code(drive.settings.picture_codes, call.fields.has_key()) => {
            WantedCode::Generated
        }
        None => WantedCode::None,
    };
    let new = NewShare {
        owner,
        node: drive.database.named_file(owner, &md5, &name).await?,
        kind: ShareKind::Picture,
        token: ShareToken::new(rand::random()),
        code,
        expires_at: drive.latest_end(now),
        downloads_left: None,
        listed: false,
    };
    let made = drive.database.make_share(&new, &drive.secret, &signed.cause(now)).await?;
    let key = made.code.show(&drive.secret, made.id, made.version).or_else(|| asked.map(str::to_owned));
    Ok(reply(&PictureShared { code: Code::Done.number(), urlmd5: made.token.as_str().to_owned(), key })?)
}

/// Shows a picture, to whoever has its link and code. The right code comes back as a cookie with which its URL can be
/// fetched.
pub(super) async fn browse(call: &Call) -> Answer<Response> {
    call.visitor().await?;
    let (drive, guest) = (&call.drive, call.guest().await?);
    let link = call.fields.picture()?;
    let text = link.as_str();
    if drive.behind(text, None).await?.share.kind != ShareKind::Picture {
        return Err(Problem::NotFound(Missing::Share).into());
    }
    let admitted = match call.fields.extraction_code()? {
        Some(code) => drive.try_code(&guest, text, code).await?,
        None => drive.enter(&guest, text, None, Wanted::Look).await?,
    };
    let view = admitted.view;
    drive.count_opened(&view.share, &admitted.mark).await;
    let seen = PictureSeen {
        code: Code::Done.number(),
        url: link_url(&link, view.top.id),
        user: view.owner_name.as_str().to_owned(),
        time: drive.old_time(view.share.created_at),
        pv: view.share.views.saturating_add(1),
    };
    let mut response = reply(&seen)?;
    if let Some(grant) = admitted.pass.grant {
        let line = guest.grant_cookie(&link, &grant.to_text(&drive.secret))?;
        response.headers_mut().insert(SET_COOKIE, line);
    }
    Ok(response)
}

/// A page of one's own, the newest first.
pub(super) async fn list(call: &Call) -> Answer<Response> {
    let (drive, signed) = (&call.drive, call.signed(Action::Share).await?);
    let (links, total) = drive.database.pictures(signed.account(), call.fields.page()?).await?;
    let rows = links.into_iter().map(|link| row(drive, &signed, link)).collect();
    Ok(reply(&Page::new(rows, total))?)
}

fn row(drive: &Drive, signed: &Signed, link: PictureLink) -> PictureRow {
    let PictureLink { row, md5 } = link;
    PictureRow {
        user: signed.verdict.user_name.as_str().to_owned(),
        filemd5: md5.to_string(),
        urlmd5: row.share.token.as_str().to_owned(),
        pv: row.share.views,
        create_time: drive.old_time(row.share.created_at),
        size: row.node.content.map_or(0, |content| content.size.get()),
        file_name: row.node.name.into(),
    }
}

/// Takes a link of one's own back.
pub(super) async fn cancel(call: &Call) -> Answer<Response> {
    let (drive, signed) = (&call.drive, call.signed(Action::Share).await?);
    let link = call.fields.picture()?;
    drive.database.revoke_by_token(signed.account(), &link, &signed.cause(drive.now())).await?;
    Ok(done())
}
