//! The operations of the old dialect: nine paths, some with a `cmd`.

/// One operation (cloud-disk-api, §1.1 to §1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `/api/reg`: a new account.
    Register,
    /// `/api/login`
    Login,
    /// `/api/md5`: instant upload.
    Md5,
    /// `/api/upload`
    Upload,
    /// `/api/myfiles?cmd=count`
    MyFilesCount,
    /// `/api/myfiles?cmd=normal`: by name.
    MyFiles,
    /// `/api/myfiles?cmd=pvasc`
    MyFilesLeastDownloaded,
    /// `/api/myfiles?cmd=pvdesc`
    MyFilesMostDownloaded,
    /// `/api/dealfile?cmd=share`
    Share,
    /// `/api/dealfile?cmd=del`
    Delete,
    /// `/api/dealfile?cmd=pv`
    CountDownload,
    /// `/api/sharefiles?cmd=count`
    SharedCount,
    /// `/api/sharefiles?cmd=normal`
    Shared,
    /// `/api/sharefiles?cmd=pvdesc`: the ranking.
    RankingMost,
    /// `/api/sharefiles?cmd=pvasc`: announced by the course and implemented by nobody; here it is.
    RankingLeast,
    /// `/api/dealsharefile?cmd=cancel`
    SharedCancel,
    /// `/api/dealsharefile?cmd=save`
    SharedSave,
    /// `/api/dealsharefile?cmd=pv`
    SharedCountDownload,
    /// `/api/sharepic?cmd=share`
    PictureShare,
    /// `/api/sharepic?cmd=browse`
    PictureBrowse,
    /// `/api/sharepic?cmd=normal`
    Pictures,
    /// `/api/sharepic?cmd=cancel`
    PictureCancel,
}

/// What a request's target asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// This.
    Operation(Operation),
    /// A path of the dialect without a `cmd` that it knows: code 1.
    UnknownCommand,
    /// Not of this dialect.
    Elsewhere,
}

/// The operation of a path and query, both without the mark between them. Documents and clients write `cmd` behind
/// `?` and also behind `&` without any `?`. Paths are compared as a whole, a `cmd` as a parameter: what merely begins
/// or contains the same is something else.
pub fn target(path: &str, query: Option<&str>) -> Target {
    let (path, tail) = path.split_once('&').map_or((path, None), |(path, tail)| (path, Some(tail)));
    let mut parameters = query.into_iter().chain(tail).flat_map(|text| text.split('&'));
    let cmd = parameters.find_map(|parameter| parameter.strip_prefix("cmd=")).unwrap_or("");
    use Operation as Op;
    let found = match (path, cmd) {
        ("/api/reg", _) => Op::Register,
        ("/api/login", _) => Op::Login,
        ("/api/md5", _) => Op::Md5,
        ("/api/upload", _) => Op::Upload,
        ("/api/myfiles", "count") => Op::MyFilesCount,
        ("/api/myfiles", "normal") => Op::MyFiles,
        ("/api/myfiles", "pvasc") => Op::MyFilesLeastDownloaded,
        ("/api/myfiles", "pvdesc") => Op::MyFilesMostDownloaded,
        ("/api/dealfile", "share") => Op::Share,
        ("/api/dealfile", "del") => Op::Delete,
        ("/api/dealfile", "pv") => Op::CountDownload,
        ("/api/sharefiles", "count") => Op::SharedCount,
        ("/api/sharefiles", "normal") => Op::Shared,
        ("/api/sharefiles", "pvdesc") => Op::RankingMost,
        ("/api/sharefiles", "pvasc") => Op::RankingLeast,
        ("/api/dealsharefile", "cancel") => Op::SharedCancel,
        ("/api/dealsharefile", "save") => Op::SharedSave,
        ("/api/dealsharefile", "pv") => Op::SharedCountDownload,
        ("/api/sharepic", "share") => Op::PictureShare,
        ("/api/sharepic", "browse") => Op::PictureBrowse,
        ("/api/sharepic", "normal") => Op::Pictures,
        ("/api/sharepic", "cancel") => Op::PictureCancel,
        (
            "/api/myfiles" | "/api/dealfile" | "/api/sharefiles" | "/api/dealsharefile" | "/api/sharepic",
            _,
        ) => {
            return Target::UnknownCommand;
        }
        _ => return Target::Elsewhere,
    };
    Target::Operation(found)
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Register,
        Self::Login,
        Self::Md5,
        Self::Upload,
        Self::MyFilesCount,
        Self::MyFiles,
        Self::MyFilesLeastDownloaded,
        Self::MyFilesMostDownloaded,
        Self::Share,
        Self::Delete,
        Self::CountDownload,
        Self::SharedCount,
        Self::Shared,
        Self::RankingMost,
        Self::RankingLeast,
        Self::SharedCancel,
        Self::SharedSave,
        Self::SharedCountDownload,
        Self::PictureShare,
        Self::PictureBrowse,
        Self::Pictures,
        Self::PictureCancel,
    ];

    /// May everybody ask for it? All others need a token (W-04), from the body, a form field, the query,
    /// `Authorization`, or the cookie that the old web page sets; [`super::check_user`] says whose it must be.
    pub const fn is_public(self) -> bool {
        matches!(
            self,
            Self::Register
                | Self::Login
                | Self::SharedCount
                | Self::Shared
                | Self::RankingMost
                | Self::RankingLeast
                | Self::PictureBrowse
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_its_target() {
        let texts = [
            ("/api/reg", None),
            ("/api/login", None),
            ("/api/md5", None),
            ("/api/upload", None),
            ("/api/myfiles", Some("cmd=count")),
            ("/api/myfiles", Some("cmd=normal")),
            ("/api/myfiles", Some("cmd=pvasc")),
            ("/api/myfiles", Some("cmd=pvdesc")),
            ("/api/dealfile", Some("cmd=share")),
            ("/api/dealfile", Some("cmd=del")),
            ("/api/dealfile", Some("cmd=pv")),
            ("/api/sharefiles", Some("cmd=count")),
            ("/api/sharefiles", Some("cmd=normal")),
            ("/api/sharefiles", Some("cmd=pvdesc")),
            ("/api/sharefiles", Some("cmd=pvasc")),
            ("/api/dealsharefile", Some("cmd=cancel")),
            ("/api/dealsharefile", Some("cmd=save")),
            ("/api/dealsharefile", Some("cmd=pv")),
            ("/api/sharepic", Some("cmd=share")),
            ("/api/sharepic", Some("cmd=browse")),
            ("/api/sharepic", Some("cmd=normal")),
            ("/api/sharepic", Some("cmd=cancel")),
        ];
        for ((path, query), operation) in texts.into_iter().zip(Operation::ALL) {
            assert_eq!(target(path, query), Target::Operation(operation), "{path} {query:?}");
            if let Some(query) = query {
                let joined = format!("{path}&{query}");
                assert_eq!(target(&joined, None), Target::Operation(operation), "{joined}");
            }
        }
    }

    #[test]
    fn what_only_begins_alike_is_something_else() {
        for (path, query, expected) in [
            ("/api/myfiles", None, Target::UnknownCommand),
            ("/api/myfiles", Some("cmd="), Target::UnknownCommand),
            ("/api/myfiles", Some("cmd=normalx"), Target::UnknownCommand),
            ("/api/myfiles", Some("xcmd=normal"), Target::UnknownCommand),
            ("/api/myfiles", Some("a=1&cmd=normal"), Target::Operation(Operation::MyFiles)),
            ("/api/dealfile", Some("cmd=cancel"), Target::UnknownCommand),
            ("/api/myfilesm", Some("cmd=normal"), Target::Elsewhere),
            ("/api/regXYZ", None, Target::Elsewhere),
            ("/api/reg/", None, Target::Elsewhere),
            ("/api/v1/files", None, Target::Elsewhere),
        ] {
            assert_eq!(target(path, query), expected, "{path} {query:?}");
        }
    }
}
