//! Any reply of a storage with status 0.

use super::{file_info, metadata, named, trunk};
use crate::field::Reader;
use crate::{AddrWidth, DecodeError, Empty, StorageCommand, Why};

macro_rules! replies {
    ($($kind:ident $variant:ident($got:ty),)+) => {
        /// A decoded reply, one variant per command that has one.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Reply<'a> {
            $(#[doc = concat!("What answers [`StorageCommand::", stringify!($variant), "`].")] $variant($got),)+
        }

        impl<'a> Reply<'a> {
            /// Reads the body of a reply with status 0 to this command.
            ///
            /// # Errors
            /// Those of the command's own `decode`; [`Why::Length`] for QUIT, which has no reply.
            pub fn decode(command: StorageCommand, body: &'a [u8]) -> Result<Reply<'a>, DecodeError> {
                match command {
                    $(StorageCommand::$variant => replies!(@decode $kind body $got).map(Reply::$variant),)+
                    StorageCommand::Quit => Err(Reader::new("quit reply", body).fail(Why::Length)),
                }
            }

            /// Which command it answers.
            pub const fn command(&self) -> StorageCommand {
                match self {
                    $(Reply::$variant(_) => StorageCommand::$variant,)+
                }
            }

            /// Appends the body, its addresses in this width.
            pub fn encode(&self, width: AddrWidth, out: &mut Vec<u8>) {
                match self {
                    $(Reply::$variant(got) => replies!(@encode $kind got width out),)+
                }
            }
        }
    };
    (@decode plain $body:ident $got:ty) => { <$got>::decode($body) };
    (@decode wide $body:ident $got:ty) => { <$got>::decode($body) };
    (@encode plain $got:ident $width:ident $out:ident) => { $got.encode($out) };
    (@encode wide $got:ident $width:ident $out:ident) => { $got.encode($width, $out) };
    (@decode ignored $body:ident $got:ty) => { Ok(Empty::ignoring($body)) };
    (@encode ignored $got:ident $width:ident $out:ident) => { $got.encode($out) };
    (@decode content $body:ident $got:ty) => { Ok($body) };
    (@encode content $got:ident $width:ident $out:ident) => { $out.extend_from_slice($got) };
}

replies! {
    plain ReportServerId(Empty),
    plain UploadFile(named::Got<'a>),
    plain DeleteFile(Empty),
    plain SetMetadata(Empty),
    content DownloadFile(&'a [u8]),
    plain GetMetadata(metadata::GotGet<'a>),
    plain SyncCreate(Empty),
    plain SyncDelete(Empty),
    plain SyncUpdate(Empty),
    plain SyncCreateLink(Empty),
    plain CreateLink(named::Got<'a>),
    plain UploadSlave(named::Got<'a>),
    wide QueryFileInfo(file_info::Got),
    plain UploadAppender(named::Got<'a>),
    ignored Append(Empty),
    plain SyncAppend(Empty),
    content FetchOnePathBinlog(&'a [u8]),
    plain TrunkAlloc(trunk::Slot),
    plain TrunkConfirm(Empty),
    plain TrunkFree(Empty),
    plain TrunkSyncBinlog(Empty),
    plain TrunkBinlogSize(trunk::BinlogSize),
    plain TrunkDeleteMarks(Empty),
    plain TrunkTruncateBinlog(Empty),
    ignored Modify(Empty),
    plain SyncModify(Empty),
    ignored Truncate(Empty),
    plain SyncTruncate(Empty),
    plain RegenerateName(named::Got<'a>),
    ignored SyncRename(Empty),
    plain ActiveTest(Empty),
}
