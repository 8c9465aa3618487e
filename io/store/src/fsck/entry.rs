//! Judging one file of a folder `data/HH/HH`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use fdfs_fileid::{EXT_PART_LEN, FileName, Kind};
use fdfs_format::metadata::{META_LEN_MAX, META_NAME_LEN_MAX, META_VALUE_LEN_MAX};
use fdfs_format::{SLOT_HEADER_LEN, SlotHeader};
use rustix::fs::Stat;

use super::container::{self, Seen};
use super::finding::{Finding, MetadataFault, Place};
use super::scan::Scan;
use super::{Home, names, own};
use crate::plain::{HALF_PREFIX, Plain, is_link, is_regular};

/// Characters of the stamp at the beginning of a generated name.
const STAMP_TEXT_LEN: usize = 27;

/// Length of a generated name without its folders.
const BASE_LEN: usize = STAMP_TEXT_LEN + EXT_PART_LEN;

/// Ending of the files that FastDFS writes while it fills a disk from a peer.
const RECOVERY_TEMP: &str = ".recovery.tmp";

/// What a file is, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Normal,
    Appender,
    Slave,
    Link,
    Metadata,
    Container { slots: u64 },
    Other,
}

impl Class {
    /// Of a regular file whose name is an id.
    pub(super) fn of(name: &FileName) -> Self {
        match name.kind() {
            Kind::Normal | Kind::Trunk => Self::Normal,
            Kind::Appender => Self::Appender,
            Kind::Slave => Self::Slave,
        }
    }
}

/// Something that the records should know.
#[derive(Debug)]
pub(super) struct Recordable {
    pub(super) key: u64,
    /// Where in the trunk file it is, if it is in one.
    pub(super) slot: Option<u32>,
    /// Last change, unix seconds.
    pub(super) changed: i64,
}

/// What has been seen of a file.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) class: Class,
    /// Its size.
    pub(super) bytes: u64,
    /// When anything about it was changed, since the epoch.
    pub(super) changed: Duration,
    pub(super) findings: Vec<Finding>,
    /// Another file has to do with what was found, so its age says nothing.
    pub(super) in_motion: bool,
    /// Its name, unless that is none.
    pub(super) name: Option<FileName>,
    pub(super) recordable: Vec<Recordable>,
}

impl Looked {
    /// Where one of its recordable parts is.
    pub(super) fn place(&self, slot: Option<u32>) -> Option<Place> {
        let name = self.name.clone()?;
        Some(match slot {
            Some(offset) => Place::Slot { container: name, offset },
            None => Place::File(name),
        })
    }

    fn new(class: Class) -> Self {
        Self {
            class,
            bytes: 0,
            changed: Duration::ZERO,
            findings: Vec::new(),
            in_motion: false,
            name: None,
            recordable: Vec::new(),
        }
    }

    fn found(finding: Finding) -> Self {
        Self { findings: vec![finding], ..Self::new(Class::Other) }
    }
}

impl Home {
    pub(super) fn plain(&self) -> Plain<'_> {
        // Nothing is written, so no temporary file is made.
        Plain { data: self.data_fd.as_fd(), temp_dir: Path::new(""), follows: true }
    }
}

impl Scan<'_> {
    /// Looks at what stands under a name; none when nothing does any more.
    pub(super) fn look(
        &self,
        home: &Home,
        (high, low): (u8, u8),
        file_name: &OsStr,
        buffer: &mut Vec<u8>,
    ) -> Option<Looked> {
        let folder = format!("{high:02X}/{low:02X}");
        if file_name.as_encoded_bytes().starts_with(HALF_PREFIX.as_bytes()) {
            // A change is under way, or the next start removes it.
            return None;
        }
        let path = home.data.join(&folder).join(file_name);
        let name = file_name.to_str().and_then(|text| {
            let name = FileName::parse(format!("{}/{folder}/{text}", home.index).as_bytes()).ok()?;
            Some((name, format!("{folder}/{text}")))
        });
        let Some((name, true_name)) = name else { return Some(Looked::found(Finding::NotAnId { path })) };
        let stat = match home.plain().stat(&true_name) {
            Ok(stat) => stat?,
            Err(error) => {
                return Some(Looked::found(Finding::Unreadable { path, error: error.kind() }));
            }
        };
        let file = Subject { home, name, path, stat };
        let mut looked = match self.look_at(&file, buffer) {
            Ok(looked) => looked,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                let path = file.path.clone();
                Looked::found(Finding::Unreadable { path, error: error.kind() })
            }
        };
        looked.bytes = file.len();
        looked.changed = file.changed();
        looked.name = Some(file.name);
        Some(looked)
    }

    fn look_at(&self, file: &Subject<'_>, buffer: &mut Vec<u8>) -> io::Result<Looked> {
        if !is_regular(&file.stat) && !is_link(&file.stat) {
            return Ok(Looked::found(Finding::NotAFile { path: file.path.clone() }));
        }
        if file.name.as_str().ends_with(RECOVERY_TEMP) {
            let leftover = own::foreign_temp(file.path.clone(), &fs::symlink_metadata(&file.path)?);
            return Ok(Looked { findings: leftover.into_iter().collect(), ..Looked::new(Class::Other) });
        }
        if file.name.is_trunk_container()
            && let Ok(id) = file.name.base().parse()
            && is_regular(&file.stat)
        {
            return self.look_at_container(file, id);
        }
        if let Some(master) = file.name.metadata_master().filter(is_id) {
            return self.look_at_metadata(file, &master);
        }
        if !is_id(&file.name) {
            return Ok(Looked::found(Finding::NotAnId { path: file.path.clone() }));
        }
        let mut looked = if is_link(&file.stat) {
            self.look_at_link(file, buffer)?
        } else {
            let findings = self.check_content(&file.name, file.home, &file.name, file.len(), buffer)?;
            Looked { findings, ..Looked::new(Class::of(&file.name)) }
        };
        looked.recordable = vec![file.recordable()];
        Ok(looked)
    }

    /// Compares the file `at`, `len` bytes long, with what `name` says about it.
    fn check_content(
        &self,
        name: &FileName,
        home: &Home,
        at: &FileName,
        len: u64,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Vec<Finding>> {
        let promised = match name.kind() {
            Kind::Normal | Kind::Trunk => {
                name.stamp().and_then(|stamp| Some((stamp.size.size()?, stamp.crc32)))
            }
            Kind::Appender | Kind::Slave => None,
        };
        if let Some((expected, _)) = promised
            && expected != len
        {
            return Ok(vec![Finding::WrongSize { name: name.clone(), expected, found: len }]);
        }
        if !self.content {
            return Ok(Vec::new());
        }
        // A link in its place since: it will be another file.
        let file = home.plain().open(at.true_name())?.ok_or(io::ErrorKind::NotFound)?;
        let found = self.crc32(&file, buffer)?;
        Ok(match promised {
            Some((_, expected)) if expected != found => {
                vec![Finding::WrongCrc { place: Place::File(name.clone()), expected, found }]
            }
            _ => Vec::new(),
        })
    }

    /// Reads a file to its end.
    fn crc32(&self, file: &File, buffer: &mut Vec<u8>) -> io::Result<u32> {
        const STEP: usize = 256 * 1024;
        buffer.resize(STEP, 0);
        let mut crc = crc32fast::Hasher::new();
        let mut at = 0;
        loop {
            let n = match file.read_at(buffer, at) {
                Ok(0) => return Ok(crc.finalize()),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            crc.update(buffer.get(..n).unwrap_or_default());
            at += n as u64;
            self.bytes.fetch_add(n as u64, Ordering::Relaxed);
            self.pace(n as u64)?;
        }
    }

    fn look_at_link(&self, link: &Subject<'_>, buffer: &mut Vec<u8>) -> io::Result<Looked> {
        let mut looked = Looked::new(Class::Link);
        let target = link.home.plain().link_target(link.name.true_name())?;
        let found = self.homes.iter().find_map(|home| {
            let rest = target.strip_prefix(&home.data).ok()?.to_str()?;
            Some((home, FileName::parse(format!("{}/{rest}", home.index).as_bytes()).ok()?))
        });
        let Some((home, name)) = found else {
            looked.findings = vec![Finding::ForeignLink { name: link.name.clone(), target }];
            return Ok(looked);
        };
        match home.plain().stat(name.true_name())?.filter(is_regular) {
            Some(stat) => {
                let len = stat.st_size.unsigned_abs();
                looked.findings = self.check_content(&link.name, home, &name, len, buffer)?;
            }
            None => {
                looked.findings = vec![Finding::BrokenLink { name: link.name.clone(), target: name }];
                looked.in_motion = true;
            }
        }
        Ok(looked)
    }

    fn look_at_metadata(&self, metadata: &Subject<'_>, master: &FileName) -> io::Result<Looked> {
        let mut looked = Looked::new(Class::Metadata);
        looked.recordable = vec![metadata.recordable()];
        let name = metadata.name.clone();
        if !self.exists(master) {
            looked.in_motion = true;
            let is_pending = self.own.pending.contains(&names::key(master));
            looked.findings.extend((!is_pending).then_some(Finding::StrandedMetadata { name }));
            return Ok(looked);
        }
        let fault = if metadata.len() > META_LEN_MAX as u64 {
            Some(MetadataFault::TooLong { len: metadata.len() })
        } else {
            let file = metadata.home.plain().open(metadata.name.true_name())?;
            let mut bytes = Vec::new();
            file.ok_or(io::ErrorKind::NotFound)?.take(META_LEN_MAX as u64).read_to_end(&mut bytes)?;
            self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            metadata_fault(&bytes)
        };
        looked.findings.extend(fault.map(|fault| Finding::BadMetadata { name, fault }));
        Ok(looked)
    }

    fn look_at_container(&self, container: &Subject<'_>, id: u32) -> io::Result<Looked> {
        let Some(file) = container.home.plain().open(container.name.true_name())? else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let name = &container.name;
        let mut looked = Looked::new(Class::Other);
        let mut slots = 0;
        let mut count_read = |n| {
            self.bytes.fetch_add(n, Ordering::Relaxed);
            self.pace(n)
        };
        container::walk(&file, self.content, &mut count_read, &mut |seen| {
            let (offset, header) = match seen {
                Seen::Slot { offset, header } => (offset, header),
                Seen::WrongCrc { offset, header, found } => {
                    let place = Place::Slot { container: name.clone(), offset };
                    looked.findings.push(Finding::WrongCrc { place, expected: header.crc32, found });
                    // Only the records can tell its name.
                    self.damage.add_slot(names::found_slot_key(name, id, offset, &header));
                    slots += 1;
                    return;
                }
                Seen::Bad { offset, fault } => {
                    looked.findings.push(Finding::BadSlot { container: name.clone(), offset, fault });
                    return;
                }
            };
            slots += 1;
            looked.recordable.push(Recordable {
                key: names::found_slot_key(name, id, offset, &header),
                slot: Some(offset),
                changed: header.mtime.into(),
            });
        })?;
        Ok(Looked { class: Class::Container { slots }, ..looked })
    }

    /// Whether there is a file of this name, be it in a pack or in a slot.
    pub(super) fn exists(&self, name: &FileName) -> bool {
        let Some(home) = self.homes.get(usize::from(name.path_index().0)) else { return false };
        if home.packed.contains(name) {
            return true;
        }
        // What can't be looked at has been reported as unreadable.
        let is_plain = home.plain().stat(name.true_name()).map_or(true, |stat| stat.is_some());
        is_plain || is_in_slot(home, name).unwrap_or_default()
    }
}

/// Whether the slot that a name speaks of holds its file.
fn is_in_slot(home: &Home, name: &FileName) -> io::Result<bool> {
    let Some(part) = name.trunk_part() else { return Ok(false) };
    let (high, low) = name.dirs();
    let container = format!("{high:02X}/{low:02X}/{}", part.container());
    let Some(file) = home.plain().open(&container)? else { return Ok(false) };
    let mut bytes = [0; SLOT_HEADER_LEN];
    file.read_exact_at(&mut bytes, part.offset.into())?;
    Ok(SlotHeader::decode(&bytes).is_ok_and(|header| header.is_of(name)))
}

/// A file under its name.
struct Subject<'a> {
    home: &'a Home,
    name: FileName,
    path: PathBuf,
    stat: Stat,
}

impl Subject<'_> {
    fn len(&self) -> u64 {
        self.stat.st_size.unsigned_abs()
    }

    fn changed(&self) -> Duration {
        let seconds = u64::try_from(self.stat.st_ctime).unwrap_or_default();
        Duration::new(seconds, u32::try_from(self.stat.st_ctime_nsec).unwrap_or_default())
    }

    fn recordable(&self) -> Recordable {
        Recordable { key: names::key(&self.name), slot: None, changed: self.stat.st_ctime }
    }
}

/// Whether a name is one that FastDFS or Cairn makes.
pub(crate) fn is_id(name: &FileName) -> bool {
    name.stamp().is_some()
        && match name.kind() {
            Kind::Normal => name.base().len() == BASE_LEN,
            Kind::Appender => name.base().len() >= BASE_LEN,
            Kind::Slave | Kind::Trunk => true,
        }
}

/// What is wrong with the bytes of a metadata file. Order and names that come twice are left to their reader.
///
/// Clients may set values with zero bytes in them. What a crash has lost is zeros by the block, or from the beginning of a
/// block to the end: more of them in a row than a value can have, or nothing else at all. Fewer, where the last block holds
/// no more than that, are not told from a value: it would be worse to take away what somebody has set.
pub(crate) fn metadata_fault(bytes: &[u8]) -> Option<MetadataFault> {
    if bytes.is_empty() {
        return Some(MetadataFault::Empty);
    }
    let longest = bytes.split(|&byte| byte != 0).map(<[u8]>::len).max().unwrap_or_default();
    if longest == bytes.len() || longest > META_VALUE_LEN_MAX {
        return Some(MetadataFault::Zeros);
    }
    bytes.split(|&byte| byte == 0x01).find_map(|record| {
        let Some(end) = record.iter().position(|&byte| byte == 0x02) else {
            return Some(MetadataFault::Record);
        };
        if end > META_NAME_LEN_MAX {
            Some(MetadataFault::Name)
        } else if record.len() - end - 1 > META_VALUE_LEN_MAX {
            Some(MetadataFault::Value)
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{MetadataFault, is_id, metadata_fault};

    #[test]
    fn metadata_is_judged_by_its_records() {
        assert_eq!(metadata_fault(b"width\x02160\x01name\x02"), None);
        assert_eq!(metadata_fault(b""), Some(MetadataFault::Empty));
        assert_eq!(metadata_fault(b"width\x02160\0\x01\0\x02\0\0"), None);
        let zeros = |len: usize| [b"width\x02".to_vec(), vec![0; len], b"\x01a\x02b".to_vec()].concat();
        assert_eq!(metadata_fault(&zeros(256)), None);
        assert_eq!(metadata_fault(&zeros(257)), Some(MetadataFault::Zeros));
        assert_eq!(metadata_fault(&[0; 3]), Some(MetadataFault::Zeros));
        assert_eq!(metadata_fault(b"width\x02160\x01"), Some(MetadataFault::Record));
        assert_eq!(metadata_fault(b"width"), Some(MetadataFault::Record));
        let long = |name: usize, value: usize| [vec![b'n'; name], vec![2], vec![b'v'; value]].concat();
        assert_eq!(metadata_fault(&long(64, 256)), None);
        assert_eq!(metadata_fault(&long(65, 256)), Some(MetadataFault::Name));
        assert_eq!(metadata_fault(&long(64, 257)), Some(MetadataFault::Value));
    }

    #[test]
    fn only_names_with_a_stamp_and_enough_behind_it_are_ids() {
        let is = |name: &str| is_id(&format!("M00/00/00/{name}").parse().unwrap());
        assert!(is("fwAAA2sC4I2AFFXMAAALuMjbWWk580.bin"));
        assert!(is("fwAAA2sC4I2ATh4MAAALuMjbWWk774_big.bin"));
        assert!(is("fwAAA2sC4I2Ece1QAAAAAA4Qul0466.txt"));
        assert!(is("o4YBAGsC4PSIDKmBAAALuF1GbL0AAAAAQAEuAAAAAwA949.bin"));
        assert!(!is("fwAAA2sC4I2AFFXMAAALuMjbWWk.bin"));
        assert!(!is("holiday.jpg"));
        assert!(!is("fwAAA2sC4I2AFFXMAAALuMjbWW!580.bin"));
    }
}
