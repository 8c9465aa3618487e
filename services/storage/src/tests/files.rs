//! What clients do with files, as the recorded original answers it.

use std::os::unix::fs::FileExt;

use fdfs_fileid::{
    ExtName, FileName, Kind, SizeWord, Source, Stamp, StorePathIndex, TrunkPart, build_trunk_name,
};
use fdfs_format::SlotHeader;
use fdfs_proto::{Status, StorageCommand as C};

use super::client::{Client, TestStorage, group, number};

fn append(client: &mut Client, name: &FileName, content: &[u8]) -> Status {
    let name = name.as_str().as_bytes();
    client.ask(C::Append, &[&number(name.len()), &number(content.len()), name, content]).status
}

fn modify(client: &mut Client, name: &FileName, offset: usize, content: &[u8]) -> Status {
    let name = name.as_str().as_bytes();
    let body: [&[u8]; 5] = [&number(name.len()), &number(offset), &number(content.len()), name, content];
    client.ask(C::Modify, &body).status
}

fn truncate(client: &mut Client, name: &FileName, size: usize) -> Status {
    let name = name.as_str().as_bytes();
    client.ask(C::Truncate, &[&number(name.len()), &number(size), name]).status
}

fn set_metadata(client: &mut Client, name: &FileName, flag: u8, meta: &[u8]) -> Status {
    let name = name.as_str().as_bytes();
    let body: [&[u8]; 6] = [&number(name.len()), &number(meta.len()), &[flag], &group("group1"), name, meta];
    client.ask(C::SetMetadata, &body).status
}

fn slave(
    client: &mut Client,
    master: &FileName,
    prefix: &str,
    ext: &str,
    content: &[u8],
) -> super::client::Reply {
    let (mut prefix_field, mut ext_field) = ([0; 16], [0; 6]);
    prefix_field[..prefix.len()].copy_from_slice(prefix.as_bytes());
    ext_field[..ext.len()].copy_from_slice(ext.as_bytes());
    let master = master.as_str().as_bytes();
    let body: [&[u8]; 6] =
        [&number(master.len()), &number(content.len()), &prefix_field, &ext_field, master, content];
    client.ask(C::UploadSlave, &body)
}

/// Size, mtime, crc as the wire has them, and the address.
fn info(client: &mut Client, name: &FileName, flags: u8) -> (u64, i64, i64, String) {
    client.send(C::QueryFileInfo, flags, &[&group("group1"), name.as_str().as_bytes()]);
    let body = client.receive().body;
    assert_eq!(body.len(), 40);
    let word = |at: usize| i64::from_be_bytes(body[at..at + 8].try_into().unwrap());
    let address = String::from_utf8(body[24..].to_vec()).unwrap();
    (word(0) as u64, word(8), word(16), address.trim_end_matches('\0').to_owned())
}

#[test]
fn an_uploaded_file_is_named_after_what_it_is_and_comes_back_whole_and_in_parts() {
    let storage = TestStorage::start("pack_max_size = 0");
    let mut client = storage.connect();
    let reply = client.upload(b"hello fastdfs\n", "txt");
    assert_eq!(reply.body[..16], group("group1"));
    let name = reply.name();
    let stamp = name.stamp().unwrap();
    assert_eq!((name.as_str().len(), name.kind(), name.extension()), (44, Kind::Normal, "txt"));
    assert_eq!((stamp.size.size(), stamp.crc32), (Some(14), 0x0e10_ba5d));
    assert_eq!(stamp.source, Source::Ip([127, 0, 0, 1].into()));
    assert_eq!(std::fs::read(storage.on_disk(&name)).unwrap(), b"hello fastdfs\n");
    assert_eq!(client.download(&name, 0, 0).body, b"hello fastdfs\n");
    assert_eq!(client.download(&name, 6, 4).body, b"fast");
    assert_eq!(client.download(&name, 6, 1000).body, b"fastdfs\n");
    let (size, mtime, crc, address) = info(&mut client, &name, 0);
    assert_eq!((size, mtime, crc), (14, i64::from(stamp.timestamp), 0x0e10_ba5d));
    assert_eq!(address, "127.0.0.1");
}

#[test]
fn the_crc_of_file_info_is_sign_extended() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    // CRC-32 of "123456789" is cbf43926, negative as a 32-bit number.
    let name = client.upload(b"123456789", "").name();
    assert_eq!(info(&mut client, &name, 0).2, 0xffff_ffff_cbf4_3926_u64 as i64);
}

#[test]
fn files_of_every_size_come_back_equal() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    for size in [0, 1, 4096, 65_535, 65_536, 65_537, 262_144, 3_000_001] {
        let content: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        let name = client.upload(&content, "bin").name();
        assert_eq!(name.stamp().unwrap().crc32, crc32fast::hash(&content));
        let reply = client.download(&name, 0, 0);
        assert_eq!(reply.status, Status::OK);
        assert!(reply.body == content, "size {size}");
        if size > 100 {
            assert!(client.download(&name, 50, 0).body == content[50..], "size {size}");
        }
    }
    assert_eq!(storage.temps(), 0);
}

#[test]
fn a_download_beyond_the_end_is_refused_and_closes_the_connection_and_a_missing_file_does_not() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let name = client.upload(b"hello", "").name();
    client.of_file(C::DeleteFile, &name);
    assert_eq!(client.download(&name, 0, 0).status, Status::ENOENT);
    assert_eq!(client.of_file(C::DeleteFile, &name).status, Status::ENOENT);
    assert!(client.is_open());
    let name = client.upload(b"hello", "").name();
    assert_eq!(client.download(&name, 5, 0).status, Status::EINVAL);
    assert!(!client.is_open());
}

#[test]
fn the_path_byte_chooses_the_store_path_and_ff_leaves_it_to_the_storage() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let paths: Vec<u8> = [1, 1, 0, 0xff, 0xff, 0xff]
        .map(|path| client.upload_as(C::UploadFile, path, b"x", "").name().path_index().0)
        .to_vec();
    assert_eq!(paths[..3], [1, 1, 0]);
    assert!(paths[3..].contains(&0) && paths[3..].contains(&1));
    assert_eq!(client.upload_as(C::UploadFile, 2, b"x", "").status, Status::EINVAL);
}

#[test]
fn a_read_only_store_path_takes_no_uploads() {
    let storage = TestStorage::start("store_path1_readonly=true");
    let mut client = storage.connect();
    assert_eq!(client.upload_as(C::UploadFile, 1, b"x", "").name().path_index().0, 0);
}

#[test]
fn an_appender_grows_is_changed_shrinks_and_becomes_an_ordinary_file() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let name = client.upload_as(C::UploadAppender, 0, b"0123456789", "log").name();
    assert_eq!((name.kind(), name.stamp().unwrap().size.size()), (Kind::Appender, None));
    assert_eq!(append(&mut client, &name, b"abc"), Status::OK);
    assert_eq!(append(&mut client, &name, b""), Status::OK);
    assert_eq!(modify(&mut client, &name, 11, b"XYZ"), Status::OK);
    assert_eq!(client.download(&name, 0, 0).body, b"0123456789aXYZ");
    assert_eq!(truncate(&mut client, &name, 12), Status::OK);
    assert_eq!(truncate(&mut client, &name, 12), Status::OK);
    assert_eq!(truncate(&mut client, &name, 14), Status::OK);
    assert_eq!(client.download(&name, 0, 0).body, b"0123456789aX\0\0");
    assert_eq!(info(&mut client, &name, 0).2 as u32, crc32fast::hash(b"0123456789aX\0\0"));
    assert_eq!(info(&mut client, &name, 1).2, 0);
    assert_eq!(set_metadata(&mut client, &name, b'O', b"a\x021"), Status::OK);

    let reply = client.ask(C::RegenerateName, &[name.as_str().as_bytes()]);
    let new = reply.name();
    assert_eq!((new.kind(), new.dirs(), new.ext_part()), (Kind::Normal, name.dirs(), name.ext_part()));
    let stamp = new.stamp().unwrap();
    assert_eq!((stamp.size.size(), stamp.crc32), (Some(14), crc32fast::hash(b"0123456789aX\0\0")));
    assert_eq!(client.download(&name, 0, 0).status, Status::ENOENT);
    assert_eq!(client.download(&new, 0, 0).body, b"0123456789aX\0\0");
    assert_eq!(client.of_file(C::GetMetadata, &new).body, b"a\x021");
    assert_eq!(append(&mut client, &new, b"x"), Status::EINVAL);
    assert!(!client.is_open());
}

#[test]
fn an_append_larger_than_memory_allows_is_staged_and_arrives_whole() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let name = client.upload_as(C::UploadAppender, 0, b"head", "").name();
    let content: Vec<u8> = (0..2_000_000).map(|i| (i % 253) as u8).collect();
    assert_eq!(append(&mut client, &name, &content), Status::OK);
    assert_eq!(modify(&mut client, &name, 2, &content), Status::OK);
    let body = client.download(&name, 0, 0).body;
    assert_eq!(body.len(), 2_000_004);
    assert!(
        body[..2] == *b"he" && body[2..2_000_002] == content && body[2_000_002..] == content[1_999_998..]
    );
}

#[test]
fn a_modify_beyond_the_end_is_refused() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let name = client.upload_as(C::UploadAppender, 0, b"0123", "").name();
    assert_eq!(modify(&mut client, &name, 5, b"x"), Status::EINVAL);
    let mut client = storage.connect();
    assert_eq!(client.download(&name, 0, 0).body, b"0123");
}

#[test]
fn a_slave_is_named_after_its_master_once() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let master = client.upload(b"hello", "jpg").name();
    let name = slave(&mut client, &master, "_150x150", "png", b"small").name();
    let stem = master.as_str().strip_suffix(".jpg").unwrap();
    assert_eq!(name.as_str(), format!("{stem}_150x150.png"));
    assert_eq!(client.download(&name, 0, 0).body, b"small");
    assert_eq!(info(&mut client, &name, 0).2 as u32, crc32fast::hash(b"small"));
    assert_eq!(slave(&mut client, &master, "_150x150", "png", b"other").status, Status::EEXIST);
    assert!(client.is_open());
    client.of_file(C::DeleteFile, &master);
    assert_eq!(slave(&mut client, &master, "_2", "png", b"other").status, Status::ENOENT);
    assert_eq!(client.download(&name, 0, 0).body, b"small");
}

#[test]
fn metadata_is_sorted_merged_overwritten_and_deleted() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let name = client.upload(b"hello", "jpg").name();
    assert_eq!(client.of_file(C::GetMetadata, &name).status, Status::ENOENT);
    assert_eq!(set_metadata(&mut client, &name, b'O', b"width\x02160\x01height\x0280"), Status::OK);
    assert_eq!(client.of_file(C::GetMetadata, &name).body, b"height\x0280\x01width\x02160");
    assert_eq!(set_metadata(&mut client, &name, b'M', b"width\x02200\x01a\x02b"), Status::OK);
    assert_eq!(client.of_file(C::GetMetadata, &name).body, b"a\x02b\x01height\x0280\x01width\x02200");
    assert_eq!(set_metadata(&mut client, &name, b'M', b""), Status::OK);
    assert_eq!(set_metadata(&mut client, &name, b'O', b""), Status::OK);
    assert_eq!(client.of_file(C::GetMetadata, &name).status, Status::ENOENT);
    client.of_file(C::DeleteFile, &name);
    assert_eq!(set_metadata(&mut client, &name, b'O', b"a\x02b"), Status::ENOENT);
}

#[test]
fn a_created_link_is_a_copy_that_survives_its_source() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let source = client.upload(b"hello", "txt").name();
    let source_bytes = source.as_str().as_bytes();
    let body: [&[u8]; 7] = [
        &number(0),
        &number(source_bytes.len()),
        &number(0),
        &group("group1"),
        &[0; 16],
        b"txt\0\0\0",
        source_bytes,
    ];
    let link = client.ask(C::CreateLink, &body).name();
    assert_ne!(link, source);
    client.of_file(C::DeleteFile, &source);
    assert_eq!(client.download(&link, 0, 0).body, b"hello");
}

#[test]
fn files_statistics_and_the_binlog_survive_a_restart() {
    let mut storage = TestStorage::start("");
    let name = storage.connect().upload(b"hello", "txt").name();
    storage.running.take().unwrap().stop().unwrap();
    let binlog = std::fs::read_to_string(storage.dir.path().join("base/data/sync/binlog.000")).unwrap();
    assert_eq!(binlog, format!("{} C {name}\n", name.stamp().unwrap().timestamp));
    let stats = std::fs::read_to_string(storage.dir.path().join("base/data/storage_stat.dat")).unwrap();
    assert!(stats.contains("success_upload_count=1\n"), "{stats}");
    assert!(stats.contains("dist_write_file_count=1\n"), "{stats}");
    storage.start_again();
    assert_eq!(storage.connect().download(&name, 0, 0).body, b"hello");
}

#[test]
fn directories_rotate_and_the_rotation_goes_on_after_a_restart() {
    let mut storage = TestStorage::start("file_distribute_rotate_count=2");
    let mut client = storage.connect();
    let mut dirs: Vec<_> = (0..3).map(|_| client.upload(b"x", "").name().dirs()).collect();
    drop(client);
    storage.running.take().unwrap().stop().unwrap();
    storage.start_again();
    let mut client = storage.connect();
    dirs.extend((0..3).map(|_| client.upload(b"x", "").name().dirs()));
    assert_eq!(dirs, [(0, 0), (0, 0), (0, 1), (0, 1), (1, 0), (1, 0)]);
}

#[test]
fn the_access_log_has_the_original_columns() {
    let mut storage = TestStorage::start("[access-log]\nenabled=true\n");
    let mut client = storage.connect();
    let name = client.upload(b"hello", "txt").name();
    client.download(&name, 0, 0);
    client.of_file(C::GetMetadata, &name);
    drop(client);
    storage.running.take().unwrap().stop().unwrap();
    let log = std::fs::read_to_string(storage.dir.path().join("base/logs/storage_access.log")).unwrap();
    let lines: Vec<Vec<&str>> = log.lines().map(|line| line.split(' ').collect()).collect();
    let columns =
        |line: &[&str]| (line[2].to_owned(), line[3].to_owned(), line[4].to_owned(), line[5].to_owned());
    let expected = |action: &str, status: &str| {
        ("127.0.0.1".to_owned(), action.to_owned(), name.to_string(), status.to_owned())
    };
    assert_eq!(columns(&lines[0]), expected("upload", "0"));
    assert_eq!(lines[0][7..], ["30", "70"]);
    assert_eq!(columns(&lines[1]), expected("download", "0"));
    assert_eq!(lines[1][7..], ["86", "15"]);
    assert_eq!(columns(&lines[2]), expected("get_metadata", "2"));
}

/// Puts a file into the trunk file 1 as the original does, behind the storage's back.
fn into_slot(storage: &TestStorage, offset: u32, content: &[u8], crc32: u32) -> FileName {
    let size = SizeWord::trunk(content.len() as u32, 1);
    let stamp = Stamp { source: Source::Id(100_001), timestamp: 1_751_328_000, size, crc32 };
    let part = TrunkPart { file_id: 1, offset, alloc_size: content.len() as u32 + 56 };
    let ext = ExtName::from_field(b"bin\0\0\0").unwrap();
    let name = build_trunk_name(StorePathIndex(0), (0, 0), &stamp, &part, &ext, 1);
    let path = storage.dir.path().join("p0/data/00/00/000001");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::options().create(true).write(true).truncate(false).open(path).unwrap();
    let bytes = [&SlotHeader::of(&name).unwrap().encode()[..], content].concat();
    file.write_all_at(&bytes, offset.into()).unwrap();
    file.set_len(4 << 20).unwrap();
    name
}

#[test]
fn files_in_slots_of_trunk_files_are_served_as_others_are() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    // The second is sent in pieces.
    let large: Vec<u8> = (0..1_500_000_u32).map(|n| (n % 251) as u8).collect();
    let small = into_slot(&storage, 0, b"hello fastdfs\n", 0x0e10_ba5d);
    let large_name = into_slot(&storage, 4096, &large, crc32fast::hash(&large));
    for (name, content) in [(&small, &b"hello fastdfs\n"[..]), (&large_name, &large[..])] {
        assert!(client.download(name, 0, 0).body == content, "{name}");
        assert_eq!(client.download(name, 3, 5).body, &content[3..8]);
    }
    let (size, mtime, crc, _) = info(&mut client, &small, 0);
    assert_eq!((size, mtime, crc), (14, 1_751_328_000, 0x0e10_ba5d));
    assert_eq!(set_metadata(&mut client, &small, b'O', b"width\x02160"), Status::OK);
    assert_eq!(client.of_file(C::GetMetadata, &small).body, b"width\x02160");
    assert_eq!(slave(&mut client, &small, "_s", "txt", b"slave").status, Status::OK);
    assert_eq!(client.of_file(C::DeleteFile, &small).status, Status::OK);
    for command in [C::DeleteFile, C::GetMetadata] {
        assert_eq!(client.of_file(command, &small).status, Status::ENOENT);
    }
    assert_eq!(client.download(&small, 0, 0).status, Status::ENOENT);
    assert!(client.download(&large_name, 0, 0).body == large);
}

#[test]
fn a_name_without_its_store_path_is_that_of_a_file_on_the_first_one() {
    let storage = TestStorage::start("");
    let mut client = storage.connect();
    let file = client.upload_as(C::UploadFile, 0, b"content", "txt").name();
    let short = FileName::parse(file.true_name().as_bytes()).unwrap();
    assert_eq!(client.download(&short, 0, 0).body, b"content");
    let made = slave(&mut client, &short, "_small", "txt", b"slave").name();
    assert!(made.as_str().starts_with("M00/"), "{made}");
    assert_eq!(set_metadata(&mut client, &short, b'O', b"k\x02v"), Status::OK);
    assert_eq!(client.of_file(C::GetMetadata, &file).body, b"k\x02v");
    assert_eq!(client.of_file(C::DeleteFile, &short).status, Status::OK);
    assert_eq!(client.download(&file, 0, 0).status, Status::ENOENT);
    // Other members know a file by one name.
    storage.running.as_ref().unwrap().server().store.binlog().flush().unwrap();
    let log = std::fs::read_to_string(storage.dir.path().join("base/data/sync/binlog.000")).unwrap();
    let names = log.lines().flat_map(|line| line.split(' ').skip(2)).filter(|column| column.contains('/'));
    assert!({ names }.all(|name| name.starts_with("M00/")), "{log}");
    assert_eq!(log.lines().count(), 5, "{log}");
}
