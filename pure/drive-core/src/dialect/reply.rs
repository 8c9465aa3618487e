//! What old clients get.
//!
//! Written as a whole, with its length: never cut (W-31). Fields with two spellings in the course's documents have
//! both.

use serde::Serialize;

use super::code::Code;

/// A code and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Plain {
    /// [`Code::number`]
    pub code: u8,
}

impl From<Code> for Plain {
    fn from(code: Code) -> Self {
        Self { code: code.number() }
    }
}

/// Of `login`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedIn {
    /// 0
    pub code: u8,
    /// What is sent back with every request.
    pub token: String,
}

/// Of the `count` commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Total {
    /// 0
    pub code: u8,
    /// Files in all.
    pub total: u64,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<Row> {
    /// 0
    pub code: u8,
    /// Rows here.
    pub count: usize,
    /// Rows in all.
    pub total: u64,
    /// The rows; the field is left out when there are none, as old pages expect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Row>,
}

impl<Row> Page<Row> {
    /// A page of these.
    pub fn new(files: Vec<Row>, total: u64) -> Self {
        Self { code: Code::Done.number(), count: files.len(), total, files }
    }
}

/// A file of the user, or one that somebody shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileRow {
    /// Whose.
    pub user: String,
    /// Its alias.
    pub md5: String,
    /// [`super::time_text`]
    pub create_time: String,
    /// Its name.
    pub file_name: String,
    /// 1 when it is shared. Also as `shared_status`.
    #[serde(flatten)]
    pub share_status: ShareStatus,
    /// Downloads.
    pub pv: u64,
    /// Where its bytes are: a path of the drive, which asks for a session or a link; never one of the storage (W-08).
    pub url: String,
    /// Bytes.
    pub size: u64,
    /// Its extension, or the text `null`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Whether a file is shared, in both spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ShareStatus {
    share_status: u8,
    shared_status: u8,
}

impl From<bool> for ShareStatus {
    fn from(shared: bool) -> Self {
        Self { share_status: shared.into(), shared_status: shared.into() }
    }
}

/// A place in the ranking. The course's rows have `filename` and `pv` only, from which nothing can be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RankRow {
    /// The file's name.
    pub filename: String,
    /// Downloads.
    pub pv: u64,
    /// Its alias.
    pub md5: String,
    /// Who shares it.
    pub user: String,
    /// The link's token.
    pub share: String,
}

/// Of `sharepic?cmd=share`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PictureShared {
    /// 0
    pub code: u8,
    /// The link's token.
    pub urlmd5: String,
    /// Its extraction code, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Of `sharepic?cmd=browse`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PictureSeen {
    /// 0
    pub code: u8,
    /// Where the picture is.
    pub url: String,
    /// Who shares it.
    pub user: String,
    /// [`super::time_text`]
    pub time: String,
    /// How often it was seen, this time included.
    pub pv: u64,
}

/// One of the user's picture links.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PictureRow {
    /// Whose.
    pub user: String,
    /// The picture's alias.
    pub filemd5: String,
    /// Its name.
    pub file_name: String,
    /// The link's token.
    pub urlmd5: String,
    /// How often it was seen.
    pub pv: u64,
    /// [`super::time_text`]
    pub create_time: String,
    /// Bytes.
    pub size: u64,
}

/// What `type` says of a file: its extension, or the text `null` as in the course's tables.
pub fn kind_of(name: &crate::node::NodeName) -> String {
    name.extension().map_or_else(|| "null".to_owned(), str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::NodeName;

    #[test]
    fn replies_are_the_course_s() {
        let file = FileRow {
            user: "lilei".to_owned(),
            md5: "e10adc3949ba59abbe56e057f20f883e".to_owned(),
            create_time: "2024-02-29 08:00:00".to_owned(),
            file_name: "图\".png".to_owned(),
            share_status: true.into(),
            pv: 3,
            url: "/d/1".to_owned(),
            size: 9,
            kind: "png".to_owned(),
        };
        let none: Page<FileRow> = Page::new(Vec::new(), 0);
        let shared = |key: Option<&str>| PictureShared {
            code: 0,
            urlmd5: "00".to_owned(),
            key: key.map(str::to_owned),
        };
        for (reply, expected) in [
            (json(&Plain::from(Code::BadToken)), "{\"code\":4}"),
            (json(&SignedIn { code: 0, token: "t".to_owned() }), "{\"code\":0,\"token\":\"t\"}"),
            (json(&Total { code: 0, total: 7 }), "{\"code\":0,\"total\":7}"),
            (json(&none), "{\"code\":0,\"count\":0,\"total\":0}"),
            (
                json(&Page::new(vec![file], 12)),
                concat!(
                    "{\"code\":0,\"count\":1,\"total\":12,\"files\":[{\"user\":\"lilei\",",
                    "\"md5\":\"e10adc3949ba59abbe56e057f20f883e\",\"create_time\":\"2024-02-29 08:00:00\",",
                    "\"file_name\":\"图\\\".png\",\"share_status\":1,\"shared_status\":1,\"pv\":3,\"url\":\"/d/1\",",
                    "\"size\":9,\"type\":\"png\"}]}",
                ),
            ),
            (json(&shared(None)), "{\"code\":0,\"urlmd5\":\"00\"}"),
            (json(&shared(Some("ab12"))), "{\"code\":0,\"urlmd5\":\"00\",\"key\":\"ab12\"}"),
        ] {
            assert_eq!(reply, expected);
        }
    }

    fn json(reply: &impl Serialize) -> String {
        serde_json::to_string(reply).unwrap()
    }

    #[test]
    fn the_type_of_a_file_is_its_extension() {
        for (name, kind) in [("a.PNG", "png"), ("报告.文档", "文档"), ("README", "null"), (".bashrc", "null")]
        {
            assert_eq!(kind_of(&NodeName::new(name).unwrap()), kind);
        }
    }
}
