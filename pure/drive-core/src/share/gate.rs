//! The gate: may this visitor get at what a link leads to?
//!
//! Every route asks [`admit`], and nothing else decides: the page, the bytes, parts of them, pictures, zip, saving to
//! one's own drive, both dialects. What the answers tell, in this order: a link that is over says so to whoever has
//! its URL; whether its code is right is told before anything about what it leads to; and that its downloads are used
//! up is told only to those who know the code.

use std::time::Duration;

use super::code::ShareCode;
use super::grant::{Grant, VisitorMark};
use super::record::Share;
use crate::account::AccountState;
use crate::problem::Problem;
use crate::seal::DriveSecret;
use crate::time::UnixMillis;

/// What a link leads to, and what is asked for in it, as the database has it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    /// Of the link's owner.
    pub owner: AccountState,
    /// The link's node is live: not deleted, not in the trash.
    pub node_there: bool,
    /// What is asked for is the link's node, or is live and below it.
    pub inside: bool,
}

/// What a visitor shows.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// Nothing.
    Nothing,
    /// A code. Its attempt was counted ([`crate::account::Track`]) before this is asked.
    Code(&'a str),
    /// What was given for the right code.
    Grant(&'a str),
}

/// What a visitor wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The page of the link: names and sizes; a thumbnail or preview; a picture link's picture. Not counted against
    /// its limit.
    Look,
    /// The bytes of a file.
    Download(Seen),
    /// Copy it to one's own drive: the same as a download.
    Save(Seen),
}

/// Was a download by this visitor counted already?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No.
    No,
    /// In this hour.
    ThisHour,
    /// In the hour before, and not in this one.
    HourBefore,
}

/// The visitor passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// The right code was shown: give this grant, so that it need not be shown again.
    pub grant: Option<Grant>,
    /// Count a download at the first byte that goes out ([`count_download`]).
    pub count: bool,
}

/// May the visitor have it?
pub fn admit(
    share: &Share,
    behind: &Behind,
    shown: Shown<'_>,
    visitor: &VisitorMark,
    wish: Wish,
    secret: &DriveSecret,
    now: UnixMillis,
) -> Result<Pass, Problem> {
    if share.revoked {
        return Err(Problem::ShareRevoked);
    }
    if share.expires_at.is_some_and(|end| now >= end) {
        return Err(Problem::ShareExpired);
    }
    // Which of the two it is, is the owner's business.
    if behind.owner == AccountState::Frozen || !behind.node_there {
        return Err(Problem::ShareUnavailable);
    }
    let grant = check_code(share, shown, visitor, secret, now)?;
    if !behind.inside {
        return Err(Problem::ShareUnavailable);
    }
    let count = match wish {
        Wish::Look => false,
        Wish::Download(Seen::ThisHour) | Wish::Save(Seen::ThisHour) => false,
        Wish::Download(seen) | Wish::Save(seen) => match (share.downloads_left, seen) {
            // A download that began before the hour turned goes on.
            (Some(0), Seen::HourBefore) => false,
            (Some(0), _) => return Err(Problem::ShareUsedUp),
            _ => true,
        },
    };
    Ok(Pass { grant, count })
}

fn check_code(
    share: &Share,
    shown: Shown<'_>,
    visitor: &VisitorMark,
    secret: &DriveSecret,
    now: UnixMillis,
) -> Result<Option<Grant>, Problem> {
    if share.code == ShareCode::None {
        return Ok(None);
    }
    match shown {
        Shown::Nothing | Shown::Code("") => Err(Problem::CodeNeeded),
        Shown::Code(code) if share.code.matches(secret, share.id, share.version, code) => {
            Ok(Some(Grant::new(share, visitor, now)))
        }
        Shown::Code(_) => Err(Problem::CodeWrong),
        Shown::Grant(text) => match Grant::open(text, secret) {
            Some(grant) if grant.is_for(share, visitor, now) => Ok(None),
            // Ended, of an earlier code, of another link or visitor: the code is asked for again.
            _ => Err(Problem::CodeNeeded),
        },
    }
}

/// How long a picture that a visitor has seen is shown to them without another view being counted: pages show it again and
/// again. Opening its link is a view each time, and showing it there is none besides.
pub const PICTURE_SEEN: Duration = Duration::from_secs(3600);

/// What the first byte of a download changes, in one statement or transaction: a row for this visitor and hour, if it
/// was not there, and then the link's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// `downloads_left` from now on: one less, on the condition that it was not 0.
    pub downloads_left: Option<u32>,
    /// `downloads` from now on.
    pub downloads: u64,
}

/// Counts a download of a link. `already` is whether the row for this visitor and hour was there, so that another
/// request of the same visitor counted meanwhile; none is returned then. For a link without a limit the count may go
/// through the durable queue, whose entry's key is the visitor and hour ([`crate::queue::EntryKey`]).
pub fn count_download(share: &Share, already: bool) -> Result<Option<Counted>, Problem> {
    if already {
        return Ok(None);
    }
    let downloads_left = match share.downloads_left {
        Some(left) => Some(left.checked_sub(1).ok_or(Problem::ShareUsedUp)?),
        None => None,
    };
    Ok(Some(Counted { downloads_left, downloads: share.downloads.saturating_add(1) }))
}

#[cfg(test)]
mod tests;
