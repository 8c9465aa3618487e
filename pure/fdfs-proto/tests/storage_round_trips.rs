//! What is written to or by a storage is read back the same, for every command.

mod common;

use common::{count, fixed, group, group_field, id, ip_text, path, server, width};
use fdfs_proto::storage::{
    FileAsk, Reply, Request, append, create_link, download, fetch_binlog, file_info, metadata, modify, named,
    regenerate, report_server_id, sync_copy, sync_delete, sync_pair, sync_truncate, sync_write, truncate,
    trunk, upload, upload_slave,
};
use fdfs_proto::{AddrWidth, Body, Header, RawName};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn request_survives(ask: &Request<'_>) {
    let command = ask.command();
    let mut out = Vec::new();
    ask.encode(&mut out);
    let header = Header {
        body_len: out.len() as u64 + ask.content_len(),
        command: command.code(),
        status: ask.status(),
    };
    let head_len = out.len() as u64;
    // Content behind the head is none of the decoder's business.
    out.extend(std::iter::repeat_n(0x5a, ask.content_len().min(20) as usize));
    assert_eq!(Request::decode(command, &header, &out).as_ref(), Ok(ask));
    match command.body() {
        Body::Whole { len_max } => assert!(head_len <= len_max, "{command}: {head_len} > {len_max}"),
        Body::Streamed { head_len_max } => assert!(head_len <= head_len_max, "{command}: {head_len}"),
    }
    // One byte of content more or less than announced is refused.
    for body_len in [header.body_len + 1, header.body_len.saturating_sub(1)] {
        if matches!(command.body(), Body::Streamed { .. }) && body_len != header.body_len {
            assert!(Request::decode(command, &Header { body_len, ..header }, &out).is_err(), "{command}");
        }
    }
}

fn reply_survives(got: &Reply<'_>, width: AddrWidth) {
    let mut out = Vec::new();
    got.encode(width, &mut out);
    assert_eq!(Reply::decode(got.command(), &out).as_ref(), Ok(got));
}

/// A size that leaves room for the head within the largest body.
fn size() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_u64, 0..=(i64::MAX as u64) - 1000]
}

fn name(min: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), min..=127)
}

fn slot() -> impl Strategy<Value = trunk::Slot> {
    any::<([u8; 3], [u32; 3])>().prop_map(|([path, dir_high, dir_low], [file_id, offset, size])| {
        trunk::Slot { path, dir_high, dir_low, file_id, offset, size }
    })
}

proptest! {
    #[test]
    fn uploads_survive(
        path in option::of((0..=254_u8).prop_map(fdfs_fileid::StorePathIndex)),
        size in size(),
        ext in fixed(),
        prefix in fixed(),
        master in name(11),
    ) {
        let ask = upload::Ask { path, size, ext };
        request_survives(&Request::UploadFile(ask));
        request_survives(&Request::UploadAppender(ask));
        let slave = upload_slave::Ask { size, prefix, ext, master: RawName::new(&master) };
        request_survives(&Request::UploadSlave(slave));
        let mut head = Vec::new();
        slave.encode(&mut head);
        prop_assert_eq!(head.len(), slave.head_len());
    }

    #[test]
    fn replies_that_name_a_file_survive(group in group(), name in name(1)) {
        let got = named::Got { group, name: RawName::new(&name) };
        reply_survives(&Reply::UploadFile(got), AddrWidth::V4);
        reply_survives(&Reply::UploadAppender(got), AddrWidth::V4);
        reply_survives(&Reply::UploadSlave(got), AddrWidth::V4);
        reply_survives(&Reply::CreateLink(got), AddrWidth::V4);
        reply_survives(&Reply::RegenerateName(got), AddrWidth::V4);
    }

    #[test]
    fn changes_of_an_appender_survive(name in name(44), offset in count(), size in size()) {
        let name = RawName::new(&name);
        let append = append::Ask { size, name };
        request_survives(&Request::Append(append));
        let modify = modify::Ask { offset, size, name };
        request_survives(&Request::Modify(modify));
        request_survives(&Request::Truncate(truncate::Ask { size, name }));
        request_survives(&Request::RegenerateName(regenerate::Ask { name }));
        let (mut a, mut m) = (Vec::new(), Vec::new());
        append.encode(&mut a);
        modify.encode(&mut m);
        prop_assert_eq!((a.len(), m.len()), (append.head_len(), modify.head_len()));
    }

    #[test]
    fn questions_about_a_file_survive(
        group in group_field(),
        name in name(37),
        offset in count(),
        len in count(),
        no_crc in any::<bool>(),
        silent in any::<bool>(),
    ) {
        let name = RawName::new(&name);
        request_survives(&Request::DeleteFile(FileAsk { group, name }));
        request_survives(&Request::GetMetadata(FileAsk { group, name }));
        request_survives(&Request::DownloadFile(download::Ask { offset, len, group, name }));
        let flags = file_info::Flags { no_crc, silent };
        request_survives(&Request::QueryFileInfo(file_info::Ask { flags, group, name }));
    }

    #[test]
    fn file_information_survives_in_both_widths(
        size in count(),
        mtime in any::<i64>(),
        crc32 in any::<u32>(),
        (width, server) in width().prop_flat_map(|width| (Just(width), server(width))),
    ) {
        let got = file_info::Got { size, mtime, crc32, source: server.ip };
        reply_survives(&Reply::QueryFileInfo(got), width);
    }

    #[test]
    fn metadata_survives(
        flag in any::<u8>().prop_map(metadata::MetaFlag::from_u8),
        group in group_field(),
        name in name(1),
        meta in vec(any::<u8>(), 0..600),
    ) {
        let ask = metadata::AskSet { flag, group, name: RawName::new(&name), meta: &meta };
        request_survives(&Request::SetMetadata(ask));
        reply_survives(&Reply::GetMetadata(metadata::GotGet { meta: &meta }), AddrWidth::V4);
        reply_survives(&Reply::DownloadFile(&meta), AddrWidth::V4);
    }

    #[test]
    fn links_survive(
        group in group_field(),
        prefix in fixed(),
        ext in fixed(),
        master in vec(any::<u8>(), 0..=100),
        source in vec(any::<u8>(), 1..=100),
        signature in vec(any::<u8>(), 0..=56),
    ) {
        let ask = create_link::Ask {
            group,
            prefix,
            ext,
            master: RawName::new(&master),
            source: RawName::new(&source),
            signature: &signature,
        };
        request_survives(&Request::CreateLink(ask));
    }

    #[test]
    fn replication_survives(
        timestamp in any::<u32>(),
        group in group_field(),
        name in name(1),
        source in name(1),
        sizes in [count(), count()],
        size in size(),
        has_content in any::<bool>(),
    ) {
        let name = RawName::new(&name);
        let source = RawName::new(&source);
        let copy = sync_copy::Ask { size, has_content, timestamp, group, name };
        request_survives(&Request::SyncUpdate(copy));
        request_survives(&Request::SyncCreate(copy));
        let write = sync_write::Ask { start: sizes[0], size, timestamp, group, name };
        request_survives(&Request::SyncAppend(write));
        request_survives(&Request::SyncModify(write));
        request_survives(&Request::SyncDelete(sync_delete::Ask { timestamp, group, name }));
        let [old_size, new_size] = sizes;
        let cut = sync_truncate::Ask { old_size, new_size, timestamp, group, name };
        request_survives(&Request::SyncTruncate(cut));
        let pair = sync_pair::Ask { timestamp, group, dest: name, source };
        request_survives(&Request::SyncCreateLink(pair));
        request_survives(&Request::SyncRename(pair));
        let (mut c, mut w) = (Vec::new(), Vec::new());
        copy.encode(&mut c);
        write.encode(&mut w);
        prop_assert_eq!((c.len(), w.len()), (copy.head_len(), write.head_len()));
    }

    #[test]
    fn trunk_messages_survive(
        group in group_field(),
        slot in slot(),
        (size, path) in any::<(u32, u8)>(),
        log_len in count(),
        lines in vec("[0-9]{10} [AD] 0 0 0 1 0 4096\n", 1..10),
    ) {
        request_survives(&Request::TrunkAlloc(trunk::AskAlloc { group, size, path }));
        request_survives(&Request::TrunkConfirm(trunk::AskSlot { group, slot }));
        request_survives(&Request::TrunkFree(trunk::AskSlot { group, slot }));
        reply_survives(&Reply::TrunkAlloc(slot), AddrWidth::V4);
        reply_survives(&Reply::TrunkBinlogSize(trunk::BinlogSize { size: log_len }), AddrWidth::V4);
        let lines = lines.concat();
        request_survives(&Request::TrunkSyncBinlog(trunk::AskBinlog { lines: lines.as_bytes() }));
    }

    #[test]
    fn messages_between_members_survive(group in group_field(), path in path(), id in id(), ip in ip_text()) {
        request_survives(&Request::ReportServerId(report_server_id::Ask { id }));
        request_survives(&Request::FetchOnePathBinlog(fetch_binlog::Ask { group, path }));
        let got = file_info::Got { size: 0, mtime: 0, crc32: 0, source: ip };
        reply_survives(&Reply::QueryFileInfo(got), AddrWidth::V6);
    }

    #[test]
    fn the_trailer_of_a_binlog_tells_whether_all_arrived(text_len in 0..1_u64 << 50, lost in 1..8_u64) {
        let trailer = fetch_binlog::trailer(text_len);
        prop_assert_eq!(fetch_binlog::check_trailer(text_len + 8, trailer), Ok(text_len));
        prop_assert!(fetch_binlog::check_trailer((text_len + 8).saturating_sub(lost), trailer).is_err());
    }
}
