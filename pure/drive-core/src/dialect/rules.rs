//! Rules that only the old dialect needs.
//!
//! Its world is the account's root folder: the files in it, by MD5 and name. What lies in folders is for API v1. In
//! one folder a name is there once, so a second file of the same name gets a number and is found under that.

use crate::content::Md5Digest;
use crate::ids::NodeId;
use crate::node::{FileContent, NodeName};
use crate::problem::{Missing, Problem};
use crate::share::Share;
use crate::time::UnixMillis;

/// A file that the caller owns, as far as `md5` needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFile {
    /// Its name, if it is in the root folder; none if it lies elsewhere or in the trash.
    pub name_in_root: Option<NodeName>,
    /// Its content.
    pub content: FileContent,
    /// The content's alias.
    pub md5: Md5Digest,
}

/// `md5`: the content to make a new file of, without bytes. Only among the user's own (W-06): a digest is no proof.
/// `own` are those of his files that have this MD5; when two contents do, the client is asked to send the bytes.
pub fn instant(own: &[OwnFile], md5: Md5Digest, name: &NodeName) -> Result<FileContent, Problem> {
    let same = || own.iter().filter(|file| file.md5 == md5);
    if same().any(|file| file.name_in_root.as_ref() == Some(name)) {
        return Err(Problem::AlreadyOwned);
    }
    let content = same().map(|file| file.content).next().ok_or(Problem::ContentUnknown)?;
    if same().all(|file| file.content == content) { Ok(content) } else { Err(Problem::ContentUnknown) }
}

/// The file that `md5` and `filename` name: the one of this name in the root folder, if it has this MD5 (W-05, W-24).
/// Of somebody else's, and of none, the answer is the same.
pub fn named_file(in_root: Option<(NodeId, Md5Digest)>, md5: Md5Digest) -> Result<NodeId, Problem> {
    match in_root {
        Some((node, its)) if its == md5 => Ok(node),
        _ => Err(Problem::NotFound(Missing::Node)),
    }
}

/// `dealsharefile?cmd=save`: does the user have this content under this name already? `in_root` is what has the name
/// in the root folder. Another content under the name is no hindrance: both are kept.
pub fn may_save(in_root: Option<(NodeId, Md5Digest)>, md5: Md5Digest) -> Result<(), Problem> {
    if in_root.is_some_and(|(_, its)| its == md5) { Err(Problem::AlreadyOwned) } else { Ok(()) }
}

/// `dealfile?cmd=share`: the user's own link to the file, if there is one, stands in the way of another in the public
/// list. Links of others to equal content under equal names do not, unlike with the course's servers.
pub fn may_list(own_links: &[Share], now: UnixMillis) -> Result<(), Problem> {
    if own_links.iter().any(|link| link.is_listed(now)) { Err(Problem::AlreadyShared) } else { Ok(()) }
}

/// Which picture links get an extraction code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PictureCodes {
    /// Those whose request has a `key`, even an empty one. The old web page can't ask a visitor for a code; a link's
    /// 128 random bits protect it.
    #[default]
    Asked,
    /// All of them.
    Always,
}

/// Does a picture link get a code?
pub const fn picture_has_code(codes: PictureCodes, request_has_key: bool) -> bool {
    request_has_key || matches!(codes, PictureCodes::Always)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountId, ContentId, ShareId};
    use crate::size::ByteCount;

    fn name(text: &str) -> NodeName {
        NodeName::new(text).unwrap()
    }

    fn content(number: i64) -> FileContent {
        FileContent { id: ContentId::new(number).unwrap(), size: ByteCount::ZERO }
    }

    fn file(text: Option<&str>, number: i64, md5: u8) -> OwnFile {
        OwnFile { name_in_root: text.map(name), content: content(number), md5: Md5Digest([md5; 16]) }
    }

    #[test]
    fn instant_upload_is_within_ones_own_files() {
        let content = |number| Ok(content(number));
        for (what, own, expected) in [
            ("nothing", vec![], Err(Problem::ContentUnknown)),
            ("another content", vec![file(Some("a"), 1, 8)], Err(Problem::ContentUnknown)),
            ("under another name", vec![file(Some("a"), 1, 7)], content(1)),
            ("in a folder", vec![file(None, 1, 7)], content(1)),
            ("twice", vec![file(Some("a"), 1, 7), file(None, 1, 7)], content(1)),
            (
                "under this name",
                vec![file(Some("a"), 1, 7), file(Some("b"), 1, 7)],
                Err(Problem::AlreadyOwned),
            ),
            ("two contents", vec![file(Some("a"), 1, 7), file(None, 2, 7)], Err(Problem::ContentUnknown)),
            (
                "three, two of them equal",
                vec![file(Some("a"), 1, 7), file(None, 2, 7), file(None, 1, 7)],
                Err(Problem::ContentUnknown),
            ),
        ] {
            assert_eq!(instant(&own, Md5Digest([7; 16]), &name("b")), expected, "{what}");
        }
    }

    #[test]
    fn a_file_is_named_by_name_and_md5_together() {
        let node = NodeId::new(4).unwrap();
        let missing = Err(Problem::NotFound(Missing::Node));
        for (in_root, expected) in [
            (Some((node, Md5Digest([7; 16]))), Ok(node)),
            (Some((node, Md5Digest([8; 16]))), missing.clone()),
            (None, missing),
        ] {
            assert_eq!(named_file(in_root, Md5Digest([7; 16])), expected);
        }
    }

    #[test]
    fn what_is_owned_under_this_name_is_not_saved_again() {
        let node = NodeId::new(4).unwrap();
        for (in_root, expected) in [
            (Some((node, Md5Digest([7; 16]))), Err(Problem::AlreadyOwned)),
            (Some((node, Md5Digest([8; 16]))), Ok(())),
            (None, Ok(())),
        ] {
            assert_eq!(may_save(in_root, Md5Digest([7; 16])), expected);
        }
    }

    fn link(id: i64, owner: i64, listed: bool) -> Share {
        use crate::share::{ShareCode, ShareKind, ShareToken};
        Share {
            id: ShareId::new(id).unwrap(),
            kind: ShareKind::Link,
            owner: AccountId::new(owner).unwrap(),
            node: NodeId::new(1).unwrap(),
            token: ShareToken::new([0; 16]),
            code: ShareCode::None,
            version: 1,
            expires_at: None,
            downloads_left: None,
            listed,
            revoked: false,
            views: 0,
            downloads: 0,
            created_at: UnixMillis(0),
        }
    }

    #[test]
    fn a_file_is_in_the_public_list_once() {
        let now = UnixMillis(5);
        assert_eq!(may_list(&[], now), Ok(()));
        assert_eq!(may_list(&[link(1, 1, false)], now), Ok(()));
        assert_eq!(may_list(&[link(1, 1, false), link(2, 1, true)], now), Err(Problem::AlreadyShared));
    }

    #[test]
    fn picture_links_have_codes_when_asked_for_or_always() {
        for (codes, key, expected) in [
            (PictureCodes::Asked, false, false),
            (PictureCodes::Asked, true, true),
            (PictureCodes::Always, false, true),
            (PictureCodes::Always, true, true),
        ] {
            assert_eq!(picture_has_code(codes, key), expected);
        }
    }
}
