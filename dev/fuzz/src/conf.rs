//! Configuration files.

use fdfs_conf::{
    ClientConf, GatewayConf, Ini, LoadError, StorageConf, StorageIds, ThisHost, TrackerConf, text_of,
};

/// What a configuration cannot do without, so that the fuzzer gets behind the question for it.
const REQUIRED: &str =
    "base_path = /data\nstore_path0 = /data\ngroup_name = group1\ntracker_server = 10.0.0.1:22122\n";

/// The grammar below all configurations: directives, loops, files that include each other.
pub fn ini(bytes: &[u8]) {
    let text = text_of(bytes.to_vec());
    // Only the outer file holds the input, so that one include shows something.
    let mut files = |path: &str| match path {
        "/etc/fdfs/a.conf" => Ok(text.clone()),
        "/etc/fdfs/b.conf" => Ok(format!("[b]\n{}\n", text.get(..text.len() / 2).unwrap_or_default())),
        _ => Err(LoadError::NotFound),
    };
    let host = ThisHost { addresses: vec![[10, 0, 0, 1].into(), [1, 2, 3, 4].into()], name: "here".into() };
    let Ok(ini) = Ini::load("/etc/fdfs/a.conf", &mut files, Some(&host)) else { return };
    for item in ini.items() {
        assert!(ini.get(&item.section, &item.key).is_some());
    }
}

/// One text as every kind of configuration. Slow, because each unknown key is compared with all known ones.
pub fn conf(bytes: &[u8]) {
    let text = REQUIRED.to_owned() + &text_of(bytes.to_vec());
    let mut files = |path: &str| match path {
        "/etc/fdfs/a.conf" => Ok(text.clone()),
        _ => Err(LoadError::NotFound),
    };
    let path = "/etc/fdfs/a.conf";
    let _ = TrackerConf::load(path, &mut files).map(drop);
    let _ = StorageConf::load(path, &mut files).map(drop);
    let _ = ClientConf::load(path, &mut files).map(drop);
    let _ = GatewayConf::load(path, &mut files).map(drop);
}

/// A table of storage ids, as a file or as pages from a tracker: written again it is the same table.
pub fn storage_ids(bytes: &[u8]) {
    let text = text_of(bytes.to_vec());
    let Ok(ids) = StorageIds::parse("storage_ids.conf", &text) else { return };
    let again = StorageIds::parse("storage_ids.conf", &ids.to_text());
    assert_eq!(again.map(|ids| ids.to_text()), Ok(ids.to_text()));
}
