//! Which store path a new file goes to, and whether there is room for it.
//!
//! Source: storage internals "Upload" and wire protocol "Which path". All figures are what a disk report
//! says: mebibytes, rounded down.

use fdfs_fileid::StorePathIndex;
use fdfs_proto::Status;
use fdfs_proto::tracker::parameters::ReservedSpace;
use thiserror::Error;

/// The path byte of an upload that leaves the choice to the storage.
pub const ANY_PATH: u8 = 0xFF;

/// One mebibyte, the unit of disk reports.
pub const MIB: u64 = 1 << 20;

/// One whole in [`Reserve::Percent`].
const WHOLE: u128 = 10_000;

/// What is known about one store path when a file looks for a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathUsage {
    /// Size of the file system, MiB.
    pub total_mb: u64,
    /// Free for an ordinary user, MiB. 0 = not known yet, nothing fits.
    pub free_mb: u64,
    /// Bytes promised to uploads that are under way and not in `free_mb` yet.
    pub promised_bytes: u64,
    /// `store_pathN_readonly`: never chosen for uploads.
    pub read_only: bool,
}

/// `reserved_storage_space`: what uploads must leave free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    /// So many MiB over all store paths together; each path keeps its equal share.
    Megabytes(u64),
    /// A share of every file system, in hundredths of a percent (2000 = 20 %).
    Percent(u32),
}

impl Default for Reserve {
    /// What a storage assumes until a tracker tells it: 1024 MiB.
    fn default() -> Self {
        Self::Megabytes(1024)
    }
}

impl From<ReservedSpace> for Reserve {
    fn from(told: ReservedSpace) -> Self {
        match told {
            ReservedSpace::Mib(mib) => Self::Megabytes(mib),
            ReservedSpace::HundredthsOfPercent(hundredths) => Self::Percent(hundredths.into()),
        }
    }
}

impl Reserve {
    /// Whether `free_mb` of `total_mb` on one of `path_count` paths is more than what must stay free.
    pub fn leaves_room(self, total_mb: u64, free_mb: u64, path_count: usize) -> bool {
        match self {
            Self::Megabytes(reserved_mb) => free_mb > reserved_mb / (path_count.max(1) as u64),
            Self::Percent(hundredths) => {
                u128::from(free_mb) * WHOLE > u128::from(total_mb) * u128::from(hundredths)
            }
        }
    }
}

/// How a storage picks among its paths (`store_path` of the tracker).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathMode {
    /// 0: one after the other.
    #[default]
    RoundRobin,
    /// 2: the one with the most free space.
    MostFree,
}

impl PathMode {
    /// The mode with this number; what is not known counts as round robin, as in the original.
    pub(crate) fn from_code(code: u32) -> Self {
        if code == 2 { Self::MostFree } else { Self::RoundRobin }
    }
}

/// Why no path could be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The request names a path that this storage does not have.
    #[error("the store path index is out of range")]
    NoSuchPath,
    /// No path that may be used has room for the file.
    #[error("no store path has room for the file")]
    NoSpace,
}

impl Refused {
    /// The status a client gets.
    pub fn status(self) -> Status {
        match self {
            Self::NoSuchPath => Status::EINVAL,
            Self::NoSpace => Status::ENOSPC,
        }
    }
}

/// Everything the choice depends on besides the request.
#[derive(Clone, Copy, Debug)]
pub struct Paths<'a> {
    /// All store paths, in the order of their index.
    pub usage: &'a [PathUsage],
    /// What must stay free.
    pub reserve: Reserve,
    /// How to pick.
    pub mode: PathMode,
}

impl Paths<'_> {
    /// Chooses the path for an upload of `size` bytes that asks for path `wanted` ([`ANY_PATH`]: no wish).
    ///
    /// A wish is followed, except that a read-only path is answered by a choice of our own. `turn` is any
    /// counter that grows by one per call; round robin starts its search there.
    pub fn choose(&self, wanted: u8, size: u64, turn: u32) -> Result<StorePathIndex, Refused> {
        if wanted == ANY_PATH {
            return self.choose_freely(size, turn);
        }
        match self.usage.get(usize::from(wanted)) {
            None => Err(Refused::NoSuchPath),
            Some(path) if path.read_only => self.choose_freely(size, turn),
            Some(path) if self.fits(path, size) => Ok(StorePathIndex(wanted)),
            Some(_) => Err(Refused::NoSpace),
        }
    }

    /// Whether `size` more bytes leave the reserve of `path` untouched.
    pub fn fits(&self, path: &PathUsage, size: u64) -> bool {
        let taken_mb = path.promised_bytes.saturating_add(size) / MIB;
        let free_mb = path.free_mb.saturating_sub(taken_mb);
        self.reserve.leaves_room(path.total_mb, free_mb, self.usage.len())
    }

    fn choose_freely(&self, size: u64, turn: u32) -> Result<StorePathIndex, Refused> {
        // 0xFF is not an index that a request can name, so only the first 255 paths take part.
        let count = self.usage.len().min(usize::from(ANY_PATH));
        if count == 0 {
            return Err(Refused::NoSpace);
        }
        let usable = |index: &usize| {
            self.usage.get(*index).is_some_and(|path| !path.read_only && self.fits(path, size))
        };
        let chosen = match self.mode {
            PathMode::RoundRobin => {
                let start = turn as usize % count;
                (start..count).chain(0..start).find(usable)
            }
            // `max_by_key` would take the last of equals; the first one is the more predictable answer.
            PathMode::MostFree => (0..count).rev().filter(usable).max_by_key(|&index| {
                self.usage
                    .get(index)
                    .map_or(0, |path| path.free_mb.saturating_mul(MIB).saturating_sub(path.promised_bytes))
            }),
        };
        chosen.map(|index| StorePathIndex(index as u8)).ok_or(Refused::NoSpace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdfs_proto::tracker::parameters::Parameters;

    fn path(total_mb: u64, free_mb: u64) -> PathUsage {
        PathUsage { total_mb, free_mb, ..PathUsage::default() }
    }

    fn read_only(total_mb: u64, free_mb: u64) -> PathUsage {
        PathUsage { read_only: true, ..path(total_mb, free_mb) }
    }

    fn paths(usage: &[PathUsage], reserve: Reserve, mode: PathMode) -> Paths<'_> {
        Paths { usage, reserve, mode }
    }

    #[test]
    fn the_wished_path_is_taken_when_it_has_room() {
        let usage = [path(1000, 500), path(1000, 900)];
        let paths = paths(&usage, Reserve::Megabytes(100), PathMode::MostFree);
        assert_eq!(paths.choose(0, 1, 0), Ok(StorePathIndex(0)));
    }

    #[test]
    fn a_wished_path_without_room_is_refused_and_not_replaced() {
        let usage = [path(1000, 50), path(1000, 900)];
        let paths = paths(&usage, Reserve::Megabytes(100), PathMode::RoundRobin);
        assert_eq!(paths.choose(0, 1, 0), Err(Refused::NoSpace));
    }

    #[test]
    fn a_read_only_path_is_answered_by_another_one() {
        let usage = [read_only(1000, 900), path(1000, 500)];
        let paths = paths(&usage, Reserve::Megabytes(100), PathMode::RoundRobin);
        assert_eq!(paths.choose(0, 1, 0), Ok(StorePathIndex(1)));
        assert_eq!(paths.choose(ANY_PATH, 1, 0), Ok(StorePathIndex(1)));
    }

    #[test]
    fn a_path_out_of_range_is_invalid() {
        assert_eq!(Refused::NoSuchPath.status(), Status::EINVAL);
        let usage = [path(1000, 900)];
        let paths = paths(&usage, Reserve::Megabytes(0), PathMode::RoundRobin);
        assert_eq!(paths.choose(1, 1, 0), Err(Refused::NoSuchPath));
        assert_eq!(paths.choose(0xFE, 1, 0), Err(Refused::NoSuchPath));
    }

    #[test]
    fn round_robin_takes_the_paths_in_turn_and_skips_full_ones() {
        let usage = [path(1000, 500), path(1000, 10), path(1000, 500)];
        let paths = paths(&usage, Reserve::Megabytes(60), PathMode::RoundRobin);
        let chosen: Vec<_> = (0..4).map(|turn| paths.choose(ANY_PATH, 1, turn).unwrap().0).collect();
        assert_eq!(chosen, [0, 2, 2, 0]);
    }

    #[test]
    fn the_turn_may_wrap_around() {
        let usage = [path(1000, 500), path(1000, 500)];
        let paths = paths(&usage, Reserve::Megabytes(0), PathMode::RoundRobin);
        assert_eq!(paths.choose(ANY_PATH, 1, u32::MAX), Ok(StorePathIndex(1)));
    }

    #[test]
    fn most_free_takes_the_path_with_the_most_room_and_the_first_of_equals() {
        let usage = [path(1000, 500), path(2000, 800), path(900, 800), read_only(9000, 9000)];
        let paths = paths(&usage, Reserve::Megabytes(0), PathMode::MostFree);
        assert_eq!(paths.choose(ANY_PATH, 1, 7), Ok(StorePathIndex(1)));
    }

    #[test]
    fn most_free_counts_what_is_already_promised() {
        let busy = PathUsage { promised_bytes: 400 * MIB, ..path(1000, 800) };
        let usage = [path(1000, 500), busy];
        let paths = paths(&usage, Reserve::Megabytes(0), PathMode::MostFree);
        assert_eq!(paths.choose(ANY_PATH, 1, 0), Ok(StorePathIndex(0)));
    }

    #[test]
    fn nothing_fits_when_every_path_is_full_read_only_or_absent() {
        let usage = [path(1000, 100), read_only(1000, 900)];
        for mode in [PathMode::RoundRobin, PathMode::MostFree] {
            let full = paths(&usage, Reserve::Megabytes(200), mode);
            assert_eq!(full.choose(ANY_PATH, 1, 0), Err(Refused::NoSpace));
            assert_eq!(paths(&[], Reserve::Megabytes(0), mode).choose(ANY_PATH, 1, 0), Err(Refused::NoSpace));
        }
    }

    #[test]
    fn nothing_fits_before_the_first_disk_report() {
        assert_eq!(Refused::NoSpace.status(), Status::ENOSPC);
        let usage = [PathUsage::default()];
        for reserve in [Reserve::Megabytes(0), Reserve::Percent(2000)] {
            let paths = paths(&usage, reserve, PathMode::RoundRobin);
            assert_eq!(paths.choose(0, 0, 0), Err(Refused::NoSpace));
        }
    }

    #[test]
    fn the_reserve_in_megabytes_is_shared_by_the_paths() {
        let usage = [path(1000, 101), path(1000, 100)];
        let paths = paths(&usage, Reserve::Megabytes(200), PathMode::RoundRobin);
        assert!(paths.fits(&usage[0], 0));
        assert!(!paths.fits(&usage[1], 0));
    }

    #[test]
    fn the_size_of_the_file_counts_against_the_free_space() {
        let usage = [path(1000, 200)];
        let paths = paths(&usage, Reserve::Megabytes(100), PathMode::RoundRobin);
        assert_eq!(paths.choose(0, 100 * MIB - 1, 0), Ok(StorePathIndex(0)));
        assert_eq!(paths.choose(0, 100 * MIB, 0), Err(Refused::NoSpace));
        assert_eq!(paths.choose(0, i64::MAX as u64, 0), Err(Refused::NoSpace));
        assert_eq!(paths.choose(0, u64::MAX, 0), Err(Refused::NoSpace));
    }

    #[test]
    fn the_reserve_in_percent_is_a_share_of_each_file_system() {
        let usage = [path(1000, 201), path(1000, 200)];
        let paths = paths(&usage, Reserve::Percent(2000), PathMode::RoundRobin);
        assert_eq!(paths.choose(0, 0, 0), Ok(StorePathIndex(0)));
        assert_eq!(paths.choose(1, 0, 0), Err(Refused::NoSpace));
        assert_eq!(paths.choose(0, MIB, 0), Err(Refused::NoSpace));
    }

    #[test]
    fn the_parameters_of_the_cluster_name_the_reserve_and_the_mode() {
        let told = |text: &str| Parameters::decode(text.as_bytes()).unwrap();
        let percent = told("store_path=2\nreserved_storage_space=20.05%\n");
        assert_eq!(Reserve::from(percent.reserved_storage_space), Reserve::Percent(2005));
        assert_eq!(PathMode::from_code(percent.store_path), PathMode::MostFree);
        let fixed = told("store_path=0\nreserved_storage_space=2G\n");
        assert_eq!(Reserve::from(fixed.reserved_storage_space), Reserve::Megabytes(2048));
        assert_eq!(PathMode::from_code(fixed.store_path), PathMode::RoundRobin);
    }
}
