//! Links: terms, codes, the one gate, and what passing it counts.

mod code;
mod gate;
mod grant;
mod record;

pub use code::{CODE_CHARS_MAX, CODE_CHARS_MIN, GENERATED_CODE_CHARS, ShareCode, WantedCode};
pub use gate::{Behind, Counted, PICTURE_SEEN, Pass, Seen, Shown, Wish, admit, count_download};
pub use grant::{GRANT_LIFETIME, Grant, MARK_BYTES, VisitorMark};
pub use record::{
    Expiry, SHARE_DOWNLOADS_MAX, SHARE_LIFETIME, SHARE_TOKEN_BYTES, SHARES_MAX, Share, ShareKind,
    SharePolicy, ShareToken, check_downloads_limit, may_share,
};
