//! File ids.

use std::path::{Component, Path};

use fdfs_fileid::{ExtName, FileId, FileName, GroupName, SlavePrefix, Stamp, slave_name};

/// A file id as a client sends it. An accepted name stays inside its store path, whatever is derived from it.
pub fn file_id(bytes: &[u8]) {
    let _ = GroupName::from_field(bytes);
    let prefix = bytes.first_chunk().and_then(|field| SlavePrefix::from_field(field).ok());
    let ext = bytes.last_chunk().and_then(|field| ExtName::from_field(field).ok());
    if let Ok(text) = std::str::from_utf8(bytes) {
        let ext = ExtName::from_path(text);
        assert_eq!(ExtName::from_field(&ext.to_field()), Ok(ext));
    }
    let name = match FileId::parse(bytes) {
        Ok(id) => {
            assert_eq!(FileId::parse(id.to_string().as_bytes()).as_ref(), Ok(&id));
            id.name
        }
        Err(_) => match FileName::parse(bytes) {
            Ok(name) => name,
            Err(_) => return,
        },
    };
    stays_inside(&name);
    let _ = (name.kind(), name.extension(), name.ext_part(), name.trunk_part(), name.check_client());
    if name.as_str().len() < 126 {
        stays_inside(&name.metadata_name());
    }
    let stamp = name.stamp();
    if let Some(stamp) = stamp {
        assert_eq!(Stamp::decode(&stamp.encode()), stamp);
    }
    let zero = Stamp::decode(&[0; 20]);
    if let Ok(new) = name.regenerated(&stamp.unwrap_or(zero)) {
        stays_inside(&new);
    }
    if let Some(prefix) = prefix
        && let Ok(slave) = slave_name(&name, &prefix, &ext.unwrap_or(ExtName::NONE))
    {
        stays_inside(&slave);
        assert_eq!(slave.dirs(), name.dirs());
        assert_eq!(slave.path_index(), name.path_index());
    }
}

fn stays_inside(name: &FileName) {
    assert_eq!(FileName::parse(name.as_str().as_bytes()).as_ref(), Ok(name));
    let path = Path::new(name.true_name());
    assert_eq!(path.components().count(), 3);
    assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
    let (high, low) = name.dirs();
    assert_eq!(name.true_name(), format!("{high:02X}/{low:02X}/{}", name.base()));
}
