//! `fdfs_volumn_stat`: the space of all groups in a line each. (The name is the original's.)

use std::io::{self, Write};

use fdfs_proto::tracker::storage_volume_stat::{Ask, Got, VolumeStat};

use super::session::Session;
use super::stat_options::StatOptions;
use super::{Call, EXIT_FAILED, Trouble, human};

const BY_DISK: u8 = 1;
const BY_TRUNK: u8 = 2;
const BY_SPACE: u8 = 4;

pub(super) fn run(call: &mut Call<'_>) -> Result<(), Trouble> {
    let options = StatOptions::parse(&call.args, b"ANFDdTt")?;
    let ask = ask(&options);
    let session = Session::open(call, &options.conf)?;
    match session.wait(session.client.storage_volume_stat(ask)) {
        Ok(got) if got.groups.is_empty() => Ok(()),
        Ok(got) => Ok(write(call.out, &got)?),
        Err(error) => {
            let _ = writeln!(call.err, "{error}");
            Err(Trouble::Said(EXIT_FAILED))
        }
    }
}

fn ask(options: &StatOptions) -> Ask {
    let mut ask = Ask::default();
    // -F means the same as -N.
    if let Some(space) = options.last_of_any(b"A", b"NF") {
        ask.filter_by |= BY_SPACE;
        ask.is_space_available = space;
    }
    if let Some(disk) = options.last_of(b'D', b'd') {
        ask.filter_by |= BY_DISK;
        ask.is_disk_available = disk;
    }
    if let Some(trunk) = options.last_of(b'T', b't') {
        ask.filter_by |= BY_TRUNK;
        ask.is_trunk_available = trunk;
    }
    ask
}

/// The figures of a line.
#[derive(Debug, Default)]
struct Space {
    total_mb: u64,
    free_mb: u64,
    reserved_mb: u64,
    avail_mb: u64,
    trunk_free_mb: u64,
    disk: bool,
    trunk: bool,
}

impl Space {
    fn add(&mut self, group: &VolumeStat) {
        self.total_mb = self.total_mb.saturating_add(group.total_mb);
        self.free_mb = self.free_mb.saturating_add(group.free_mb);
        self.reserved_mb = self.reserved_mb.saturating_add(group.reserved_mb);
        self.avail_mb = self.avail_mb.saturating_add(group.avail_mb);
        self.trunk_free_mb = self.trunk_free_mb.saturating_add(group.trunk_free_mb);
        self.disk |= group.is_disk_available;
        self.trunk |= group.is_trunk_available;
    }

    fn of(group: &VolumeStat) -> Self {
        let mut space = Self::default();
        space.add(group);
        space
    }
}

fn write(out: &mut dyn Write, got: &Got) -> io::Result<()> {
    writeln!(out)?;
    let mut sum = Space::default();
    for group in &got.groups {
        sum.add(group);
        write_line(out, group.group.as_str(), &Space::of(group), got.use_trunk_file)?;
    }
    let count = got.groups.len();
    if count <= 1 {
        return writeln!(out, "storage volumn / group count: {count}\n");
    }
    let rule = "=".repeat(32);
    writeln!(out, "{rule} VOLUMNS SUMMARY {rule}")?;
    // The sum has no name of its own; the blank behind the missing name stays.
    write_line(out, "", &sum, got.use_trunk_file)?;
    let available =
        got.groups.iter().filter(|group| group.is_disk_available || group.is_trunk_available).count();
    writeln!(out, "volumn / group counts {{total: {count}, available: {available}}}\n")
}

fn write_line(out: &mut dyn Write, name: &str, space: &Space, trunk: bool) -> io::Result<()> {
    write!(out, "{name} disk_available: {}", u8::from(space.disk))?;
    if trunk {
        write!(out, ", trunk_available: {}", u8::from(space.trunk))?;
    }
    let usable_mb = space.total_mb.saturating_sub(space.reserved_mb);
    write!(
        out,
        ", disk space {{total: {}, free: {}, reserved: {}, avail: {}, util: {}}}",
        human::megabytes(space.total_mb),
        human::megabytes(space.free_mb),
        human::megabytes(space.reserved_mb),
        human::megabytes(space.avail_mb),
        percent(usable_mb.saturating_sub(space.avail_mb), usable_mb)
    )?;
    if trunk {
        let available_mb = space.avail_mb.saturating_add(space.trunk_free_mb);
        write!(
            out,
            ", trunk free space: {}, total available {{space: {}, ratio: {}}}",
            human::megabytes(space.trunk_free_mb),
            human::megabytes(available_mb),
            percent(available_mb, usable_mb)
        )?;
    }
    writeln!(out, "\n")
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "0.00%".to_owned() } else { format!("{:.2}%", part as f64 / whole as f64 * 100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdfs_fileid::GroupName;

    fn group(name: &str, free_mb: u64) -> VolumeStat {
        VolumeStat {
            group: GroupName::parse(name.as_bytes()).unwrap(),
            total_mb: 252 * 1024,
            free_mb,
            reserved_mb: 1024,
            avail_mb: free_mb.saturating_sub(1024),
            trunk_free_mb: 512,
            is_disk_available: free_mb > 1024,
            is_trunk_available: false,
        }
    }

    fn text(got: &Got) -> String {
        let mut out = Vec::new();
        write(&mut out, got).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_group_is_a_line_and_a_count() {
        let got = Got { use_trunk_file: false, groups: vec![group("group1", 78 * 1024)] };
        assert_eq!(
            text(&got),
            "\ngroup1 disk_available: 1, disk space {total: 252 GB, free: 78 GB, reserved: 1.0 GB, \
             avail: 77 GB, util: 69.32%}\n\nstorage volumn / group count: 1\n\n"
        );
    }

    #[test]
    fn several_groups_have_a_sum() {
        let got = Got { use_trunk_file: true, groups: vec![group("group1", 78 * 1024), group("group2", 0)] };
        let line = "=".repeat(32);
        assert_eq!(
            text(&got),
            format!(
                "\ngroup1 disk_available: 1, trunk_available: 0, disk space {{total: 252 GB, free: 78 GB, \
                 reserved: 1.0 GB, avail: 77 GB, util: 69.32%}}, trunk free space: 512 MB, \
                 total available {{space: 78 GB, ratio: 30.88%}}\n\n\
                 group2 disk_available: 0, trunk_available: 0, disk space {{total: 252 GB, free: 0  B, \
                 reserved: 1.0 GB, avail: 0  B, util: 100.00%}}, trunk free space: 512 MB, \
                 total available {{space: 512 MB, ratio: 0.20%}}\n\n\
                 {line} VOLUMNS SUMMARY {line}\n \
                 disk_available: 1, trunk_available: 0, disk space {{total: 504 GB, free: 78 GB, \
                 reserved: 2.0 GB, avail: 77 GB, util: 84.66%}}, trunk free space: 1.0 GB, \
                 total available {{space: 78 GB, ratio: 15.54%}}\n\n\
                 volumn / group counts {{total: 2, available: 1}}\n\n"
            )
        );
    }
}
