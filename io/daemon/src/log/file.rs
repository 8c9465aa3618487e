//! A log file that makes room for a new one each day, at a size, or on demand, and has old ones compressed and removed.
//!
//! Yesterday's file becomes `<name>.YYYYMMDD`, one rotated on demand or for its size
//! `<name>.YYYYMMDD_HHMMSS`, as with the original.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::civil::{Date, Time};
use jiff::{ToSpan, Zoned};

use super::compress::{Compressor, packed_name};

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 64 * 1024;

/// Old files looked at in one clean-up.
const OLD_FILES_MAX: usize = 10_000;

/// When a log file is put aside and when the old ones go (the `log_file_…` keys).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Hour and minute of the daily rotation.
    pub daily_at: Option<(u8, u8)>,
    /// Size that rotates, in bytes.
    pub at_bytes: Option<u64>,
    /// Days that old files are kept.
    pub keep_days: Option<u16>,
    /// Hour and minute at which they are removed.
    pub remove_at: (u8, u8),
    /// Days that old files stay as they are before they are compressed.
    pub compress_after_days: Option<u16>,
}

impl Default for Rotation {
    /// The original's defaults: midnight, no size, 15 days, 01:30, not compressed.
    fn default() -> Self {
        Self {
            daily_at: Some((0, 0)),
            at_bytes: None,
            keep_days: Some(15),
            remove_at: (1, 30),
            compress_after_days: None,
        }
    }
}

impl From<&fdfs_conf::service::LogFileConf> for Rotation {
    /// What the `log_file_…` keys ask for.
    fn from(conf: &fdfs_conf::service::LogFileConf) -> Self {
        let time = |at: fdfs_conf::service::TimeOfDay| (at.hour, at.minute);
        let days = |days: u32| u16::try_from(days).unwrap_or(u16::MAX);
        Self {
            daily_at: conf.rotate_everyday.then(|| time(conf.rotate_time)),
            at_bytes: (conf.rotate_on_size > 0).then_some(conf.rotate_on_size),
            keep_days: (conf.keep_days > 0).then(|| days(conf.keep_days)),
            remove_at: time(conf.delete_old_time),
            compress_after_days: conf.compress_old.then(|| days(conf.compress_days_before)),
        }
    }
}

/// The open file. Time is an argument: the caller has the clock.
pub(super) struct RotatingFile {
    path: PathBuf,
    rules: Rotation,
    file: BufWriter<File>,
    bytes: u64,
    rotate_next: Option<Zoned>,
    remove_next: Zoned,
    compressor: Compressor,
}

impl RotatingFile {
    pub(super) fn open(path: PathBuf, rules: Rotation, now: &Zoned) -> io::Result<Self> {
        let (file, bytes) = open_append(&path)?;
        let mut log = Self {
            rotate_next: rules.daily_at.map(|at| next(now, at)),
            remove_next: next(now, rules.remove_at),
            path,
            rules,
            file,
            bytes,
            compressor: Compressor::default(),
        };
        // What fell due while we were not running.
        log.remove_old(now);
        log.compress_old(now);
        Ok(log)
    }

    /// Does what the clock asks for. Call it before writing and now and then.
    pub(super) fn tick(&mut self, now: &Zoned) -> io::Result<()> {
        if self.remove_next <= *now {
            self.remove_old(now);
            self.remove_next = next(now, self.rules.remove_at);
        }
        if let (Some(at), Some(due)) = (self.rules.daily_at, &self.rotate_next)
            && due <= now
        {
            let finished_day = due.date().yesterday().unwrap_or(due.date());
            self.rotate_next = Some(next(now, at));
            let name = self.aside(&compact_date(finished_day));
            let name = if name.exists() || packed_name(&name).exists() {
                self.aside(&compact_time(now))
            } else {
                name
            };
            return self.put_aside(&name, now);
        }
        Ok(())
    }

    /// Begins a new file.
    pub(super) fn rotate(&mut self, now: &Zoned) -> io::Result<()> {
        let name = self.aside(&compact_time(now));
        self.put_aside(&name, now)
    }

    pub(super) fn write(&mut self, line: &[u8], now: &Zoned) -> io::Result<()> {
        if self.rules.at_bytes.is_some_and(|most| self.bytes > 0 && self.bytes + line.len() as u64 > most) {
            // One that fails is tried again with the next line; the old file goes on.
            let _ = self.rotate(now);
        }
        self.file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    fn put_aside(&mut self, name: &Path, now: &Zoned) -> io::Result<()> {
        self.file.flush()?;
        // Never over another log: two rotations in one second share the older file.
        if self.bytes > 0 && !name.exists() && !packed_name(name).exists() {
            match fs::rename(&self.path, name) {
                Ok(()) => {}
                // Somebody else moved it away (logrotate before it sends HUP).
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        (self.file, self.bytes) = open_append(&self.path)?;
        self.compress_old(now);
        Ok(())
    }

    fn aside(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(self.path.as_os_str());
        name.push(".");
        name.push(suffix);
        PathBuf::from(name)
    }

    /// Removes rotated files older than the days to keep. What cannot be removed stays: the log is not
    /// worth stopping for.
    fn remove_old(&mut self, now: &Zoned) {
        let Some(oldest) = self.rules.keep_days.and_then(|days| days_before(now, days)) else { return };
        for (path, date) in self.old_files() {
            if date < oldest {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Has those compressed that are as old as the rules want, on another thread: lines go on meanwhile.
    fn compress_old(&mut self, now: &Zoned) {
        let Some(last) = self.rules.compress_after_days.and_then(|days| days_before(now, days)) else {
            return;
        };
        let mut due: Vec<_> = self
            .old_files()
            .into_iter()
            .filter(|(path, date)| *date <= last && path.extension().is_none_or(|end| end != "gz"))
            .map(|(path, _)| path)
            .collect();
        due.sort();
        self.compressor.start(due);
    }

    /// Files that this one was put aside as, and the days in their names.
    fn old_files(&self) -> Vec<(PathBuf, Date)> {
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Vec::new();
        };
        let prefix = format!("{}.", name.to_string_lossy());
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let dated = |entry: fs::DirEntry| {
            let date = entry.file_name().to_str()?.strip_prefix(&prefix).and_then(date_of)?;
            Some((entry.path(), date))
        };
        entries.flatten().take(OLD_FILES_MAX).filter_map(dated).collect()
    }
}

fn open_append(path: &Path) -> io::Result<(BufWriter<File>, u64)> {
    let file = OpenOptions::new().append(true).create(true).mode(0o644).open(path)?;
    let bytes = file.metadata()?.len();
    Ok((BufWriter::with_capacity(BUFFER_BYTES, file), bytes))
}

/// The next moment, after `now`, at which the clock on the wall shows `hour:minute`.
fn next(now: &Zoned, (hour, minute): (u8, u8)) -> Zoned {
    let time = Time::new(hour.min(23) as i8, minute.min(59) as i8, 0, 0).unwrap_or_default();
    let at = |date: Date| date.to_datetime(time).to_zoned(now.time_zone().clone()).ok();
    let today = now.date();
    at(today)
        .filter(|moment| moment > now)
        .or_else(|| today.tomorrow().ok().and_then(at))
        .unwrap_or_else(|| now.clone())
}

fn days_before(now: &Zoned, days: u16) -> Option<Date> {
    now.date().checked_sub(i32::from(days).days()).ok()
}

fn compact_date(date: Date) -> String {
    format!("{:04}{:02}{:02}", date.year(), date.month(), date.day())
}

fn compact_time(time: &Zoned) -> String {
    format!("{}_{:02}{:02}{:02}", compact_date(time.date()), time.hour(), time.minute(), time.second())
}

/// The day in a rotated file's suffix: `20261122`, `20261122_123109`, either with `.gz`.
fn date_of(suffix: &str) -> Option<Date> {
    let suffix = suffix.strip_suffix(".gz").unwrap_or(suffix);
    let (day, rest) = suffix.split_at_checked(8)?;
    let time_fits = rest.is_empty()
        || rest
            .strip_prefix('_')
            .is_some_and(|time| time.len() == 6 && time.bytes().all(|b| b.is_ascii_digit()));
    if !time_fits || !day.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Date::new(day.get(..4)?.parse().ok()?, day.get(4..6)?.parse().ok()?, day.get(6..)?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn at(text: &str) -> Zoned {
        format!("{text}[UTC]").parse().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn at_midnight_the_file_takes_the_name_of_the_day_that_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("storaged.log");
        let mut log =
            RotatingFile::open(path.clone(), Rotation::default(), &at("2026-11-21T23:59:58")).unwrap();
        log.write(b"old day\n", &at("2026-11-21T23:59:59")).unwrap();
        log.tick(&at("2026-11-21T23:59:59")).unwrap();
        log.tick(&at("2026-11-22T00:00:00")).unwrap();
        log.write(b"new day\n", &at("2026-11-22T00:00:00")).unwrap();
        log.flush().unwrap();
        assert_eq!(names(folder.path()), ["storaged.log", "storaged.log.20261121"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new day\n");
        assert_eq!(fs::read_to_string(folder.path().join("storaged.log.20261121")).unwrap(), "old day\n");
        log.tick(&at("2026-11-22T23:59:59")).unwrap();
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn a_rotation_on_demand_is_named_by_the_second_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trackerd.log");
        let now = at("2026-11-22T12:31:09");
        let mut log = RotatingFile::open(path, Rotation::default(), &now).unwrap();
        log.write(b"one\n", &now).unwrap();
        log.rotate(&now).unwrap();
        log.write(b"two\n", &now).unwrap();
        log.rotate(&now).unwrap();
        log.write(b"three\n", &now).unwrap();
        log.flush().unwrap();
        assert_eq!(names(folder.path()), ["trackerd.log", "trackerd.log.20261122_123109"]);
        let all = ["trackerd.log.20261122_123109", "trackerd.log"]
            .map(|name| fs::read_to_string(folder.path().join(name)).unwrap())
            .concat();
        assert_eq!(all, "one\ntwo\nthree\n");
    }

    #[test]
    fn an_empty_file_is_not_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let now = at("2026-11-22T12:31:09");
        let mut log = RotatingFile::open(folder.path().join("a.log"), Rotation::default(), &now).unwrap();
        log.rotate(&now).unwrap();
        assert_eq!(names(folder.path()), ["a.log"]);
    }

    #[test]
    fn a_file_that_reached_its_size_is_put_aside_before_the_next_line() {
        let folder = tempfile::tempdir().unwrap();
        let rules = Rotation { at_bytes: Some(10), ..Rotation::default() };
        let now = at("2026-11-22T12:31:09");
        let mut log = RotatingFile::open(folder.path().join("a.log"), rules, &now).unwrap();
        log.write(b"12345678\n", &now).unwrap();
        log.write(b"next\n", &now).unwrap();
        log.flush().unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a.log")).unwrap(), "next\n");
        assert_eq!(names(folder.path()), ["a.log", "a.log.20261122_123109"]);
    }

    #[test]
    fn a_file_that_cannot_be_put_aside_takes_the_lines_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let rules = Rotation { at_bytes: Some(10), ..Rotation::default() };
        let now = at("2026-11-22T12:31:09");
        // No room in its name for that of a time.
        let path = folder.path().join("a".repeat(250));
        let mut log = RotatingFile::open(path.clone(), rules, &now).unwrap();
        for line in [b"12345678\n", b"and more\n", b"the last\n"] {
            log.write(line, &now).unwrap();
        }
        log.flush().unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "12345678\nand more\nthe last\n");
    }

    #[test]
    fn files_older_than_the_days_to_keep_go_and_strangers_stay() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "a.log.20261106",
            "a.log.20261107",
            "a.log.20261101_120000.gz",
            "a.log.backup",
            "b.log.20200101",
            "a.log.2020010",
        ] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let mut log =
            RotatingFile::open(folder.path().join("a.log"), Rotation::default(), &at("2026-11-22T01:00:00"))
                .unwrap();
        assert_eq!(
            names(folder.path()),
            ["a.log", "a.log.2020010", "a.log.20261107", "a.log.backup", "b.log.20200101"]
        );
        log.tick(&at("2026-11-23T01:29:59")).unwrap();
        log.tick(&at("2026-11-23T01:30:00")).unwrap();
        assert_eq!(names(folder.path()), ["a.log", "a.log.2020010", "a.log.backup", "b.log.20200101"]);
    }

    fn unpacked(path: &Path) -> String {
        let mut text = String::new();
        flate2::read::GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn old_files_are_compressed_after_their_days_and_nothing_of_them_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["a.log.20261119", "a.log.20261120_070000", "a.log.20261121", "a.log.backup", "b.log.20261101"]
        {
            fs::write(folder.path().join(name), format!("lines of {name}\n")).unwrap();
        }
        // What was under way when a process ended.
        fs::write(folder.path().join("a.log.20261119.gz.part"), "half").unwrap();
        let rules = Rotation { compress_after_days: Some(2), ..Rotation::default() };
        let mut log =
            RotatingFile::open(folder.path().join("a.log"), rules, &at("2026-11-22T12:00:00")).unwrap();
        log.compressor.wait();
        let mut expected = [
            "a.log",
            "a.log.20261119.gz",
            "a.log.20261120_070000.gz",
            "a.log.20261121",
            "a.log.backup",
            "b.log.20261101",
        ];
        assert_eq!(names(folder.path()), expected);
        for name in ["a.log.20261119", "a.log.20261120_070000"] {
            let packed = folder.path().join(format!("{name}.gz"));
            assert_eq!(unpacked(&packed), format!("lines of {name}\n"));
        }
        // The next day's rotation takes the next one.
        log.tick(&at("2026-11-23T00:00:00")).unwrap();
        log.compressor.wait();
        expected[3] = "a.log.20261121.gz";
        assert_eq!(names(folder.path()), expected);
    }

    #[test]
    fn with_no_days_to_wait_a_file_is_compressed_when_it_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let rules = Rotation { compress_after_days: Some(0), ..Rotation::default() };
        let now = at("2026-11-22T12:31:09");
        let mut log = RotatingFile::open(folder.path().join("a.log"), rules, &now).unwrap();
        log.write(b"one\n", &now).unwrap();
        log.rotate(&now).unwrap();
        log.compressor.wait();
        assert_eq!(names(folder.path()), ["a.log", "a.log.20261122_123109.gz"]);
        assert_eq!(unpacked(&folder.path().join("a.log.20261122_123109.gz")), "one\n");
        // A second one of the same second overwrites none.
        log.write(b"two\n", &now).unwrap();
        log.rotate(&now).unwrap();
        log.compressor.wait();
        log.flush().unwrap();
        assert_eq!(unpacked(&folder.path().join("a.log.20261122_123109.gz")), "one\n");
        assert_eq!(fs::read_to_string(folder.path().join("a.log")).unwrap(), "two\n");
    }

    #[test]
    fn a_file_moved_away_by_somebody_else_is_begun_anew_on_demand() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let now = at("2026-11-22T12:31:09");
        let mut log = RotatingFile::open(path.clone(), Rotation::default(), &now).unwrap();
        log.write(b"one\n", &now).unwrap();
        log.flush().unwrap();
        fs::rename(&path, folder.path().join("a.log.1")).unwrap();
        log.rotate(&now).unwrap();
        log.write(b"two\n", &now).unwrap();
        log.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }
}
