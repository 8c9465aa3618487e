//! Any request a storage understands.

use super::{
    FileAsk, append, create_link, download, fetch_binlog, file_info, metadata, modify, regenerate,
    report_server_id, sync_copy, sync_delete, sync_pair, sync_truncate, sync_write, truncate, trunk, upload,
    upload_slave,
};
use crate::{DecodeError, Empty, Header, StorageCommand};

macro_rules! requests {
    ($($kind:ident $variant:ident($ask:ty),)+) => {
        /// A decoded request, one variant per row of the registry. Of streamed commands it is the head.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Request<'a> {
            $(#[doc = concat!("The body of [`StorageCommand::", stringify!($variant), "`].")] $variant($ask),)+
        }

        impl<'a> Request<'a> {
            /// Reads a request from its header and the first bytes of its body, as many as
            /// [`crate::Body::bytes_to_decode`] asks for; more do no harm.
            ///
            /// # Errors
            /// Those of the command's own `decode`; a storage answers them "invalid argument" and closes the
            /// connection.
            pub fn decode(
                command: StorageCommand,
                header: &Header,
                body: &'a [u8],
            ) -> Result<Request<'a>, DecodeError> {
                match command {
                    $(StorageCommand::$variant => {
                        requests!(@decode $kind header body $ask).map(Request::$variant)
                    })+
                }
            }

            /// Which command it is.
            pub const fn command(&self) -> StorageCommand {
                match self {
                    $(Request::$variant(_) => StorageCommand::$variant,)+
                }
            }

            /// How many bytes of content follow the head.
            pub fn content_len(&self) -> u64 {
                match self {
                    $(Request::$variant(ask) => requests!(@content $kind ask),)+
                }
            }

            /// The status byte of the request; 0 for a command that does not use it. TRUNK_ALLOC_CONFIRM does,
            /// but its status is the caller's to give.
            pub fn status(&self) -> u8 {
                match self {
                    $(Request::$variant(ask) => requests!(@status $kind ask),)+
                }
            }

            /// Appends the body, or the head that the content follows.
            pub fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(Request::$variant(ask) => ask.encode(out),)+
                }
            }
        }
    };
    (@decode whole $header:ident $body:ident $ask:ty) => { <$ask>::decode($body) };
    (@decode flagged $header:ident $body:ident $ask:ty) => { <$ask>::decode($header.status, $body) };
    (@decode streamed $header:ident $body:ident $ask:ty) => { <$ask>::decode($header.body_len, $body) };
    (@decode copied $header:ident $body:ident $ask:ty) => {
        <$ask>::decode($header.status, $header.body_len, $body)
    };
    (@content whole $ask:ident) => {{ let _ = $ask; 0 }};
    (@content flagged $ask:ident) => {{ let _ = $ask; 0 }};
    (@content streamed $ask:ident) => { $ask.size };
    (@content copied $ask:ident) => { $ask.content_len() };
    (@status whole $ask:ident) => {{ let _ = $ask; 0 }};
    (@status flagged $ask:ident) => { $ask.flags.status() };
    (@status streamed $ask:ident) => {{ let _ = $ask; 0 }};
    (@status copied $ask:ident) => { $ask.status() };
}

requests! {
    whole ReportServerId(report_server_id::Ask),
    streamed UploadFile(upload::Ask),
    whole DeleteFile(FileAsk<'a>),
    whole SetMetadata(metadata::AskSet<'a>),
    whole DownloadFile(download::Ask<'a>),
    whole GetMetadata(FileAsk<'a>),
    copied SyncCreate(sync_copy::Ask<'a>),
    whole SyncDelete(sync_delete::Ask<'a>),
    copied SyncUpdate(sync_copy::Ask<'a>),
    whole SyncCreateLink(sync_pair::Ask<'a>),
    whole CreateLink(create_link::Ask<'a>),
    streamed UploadSlave(upload_slave::Ask<'a>),
    flagged QueryFileInfo(file_info::Ask<'a>),
    streamed UploadAppender(upload::Ask),
    streamed Append(append::Ask<'a>),
    streamed SyncAppend(sync_write::Ask<'a>),
    whole FetchOnePathBinlog(fetch_binlog::Ask),
    whole TrunkAlloc(trunk::AskAlloc),
    whole TrunkConfirm(trunk::AskSlot),
    whole TrunkFree(trunk::AskSlot),
    whole TrunkSyncBinlog(trunk::AskBinlog<'a>),
    whole TrunkBinlogSize(Empty),
    whole TrunkDeleteMarks(Empty),
    whole TrunkTruncateBinlog(Empty),
    streamed Modify(modify::Ask<'a>),
    streamed SyncModify(sync_write::Ask<'a>),
    whole Truncate(truncate::Ask<'a>),
    whole SyncTruncate(sync_truncate::Ask<'a>),
    whole RegenerateName(regenerate::Ask<'a>),
    whole SyncRename(sync_pair::Ask<'a>),
    whole Quit(Empty),
    whole ActiveTest(Empty),
}
