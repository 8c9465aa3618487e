//! How much memory there is for this process.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::thread::disable_transparent_huge_pages;

/// A process that may have less than this is without huge pages, bytes.
const SCARCE: u64 = 1 << 30;

/// Where memory is scarce, has the kernel give it in small pages: the allocator asks for huge ones, of 2 MiB each, which make
/// large processes faster and small ones twice as large. Returns what there is.
pub fn spare() -> Option<u64> {
    let memory = for_this_process();
    if memory.is_some_and(|bytes| bytes < SCARCE)
        && let Err(error) = disable_transparent_huge_pages(true)
    {
        tracing::warn!(%error, "memory comes in huge pages though there is little of it");
    }
    memory
}

/// The memory of the machine, or what the groups of processes (cgroups) that this one is in may have, if that is less; bytes.
/// Nothing when the kernel does not say.
pub fn for_this_process() -> Option<u64> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    least(&read)
}

fn least(read: &dyn Fn(&Path) -> Option<String>) -> Option<u64> {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let bounds = groups.lines().filter_map(group).flat_map(|(root, path, file)| {
        // Each group is within those above it. In a container the own path may not be there, and the root is its group.
        let above: Vec<PathBuf> =
            Path::new(path.trim_start_matches('/')).ancestors().map(Path::to_owned).collect();
        above.into_iter().map(move |group| Path::new(root).join(group).join(file))
    });
    let bounds = bounds.filter_map(|file| read(&file)?.trim().parse().ok());
    bounds.chain(machine).min()
}

/// `MemTotal` of `/proc/meminfo`.
fn total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Of a line of `/proc/self/cgroup` (cgroups(7)), when it is about memory: where such groups are, which of them it is, and
/// the file of a group with its bound. A bound that is none is `max`, or more than any machine has.
fn group(line: &str) -> Option<(&'static str, &str, &'static str)> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    if controllers.is_empty() {
        return Some(("/sys/fs/cgroup", path, "memory.max"));
    }
    let of_memory = controllers.split(',').any(|name| name == "memory");
    of_memory.then_some(("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least_of(files: &[(&str, &str)]) -> Option<u64> {
        least(&|path: &Path| {
            files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
        })
    }

    const MACHINE: (&str, &str) = ("/proc/meminfo", "MemTotal:         245760 kB\nMemFree:  1 kB\n");

    #[test]
    fn without_groups_it_is_the_machine_s_memory() {
        assert_eq!(least_of(&[MACHINE]), Some(240 << 20));
        assert_eq!(least_of(&[MACHINE, ("/proc/self/cgroup", "0::/\n")]), Some(240 << 20));
        assert_eq!(least_of(&[]), None);
    }

    #[test]
    fn the_least_bound_of_all_groups_above_counts() {
        let files = [
            MACHINE,
            ("/proc/self/cgroup", "0::/system.slice/cairn.service\n"),
            ("/sys/fs/cgroup/system.slice/cairn.service/memory.max", "max\n"),
            ("/sys/fs/cgroup/system.slice/memory.max", "67108864\n"),
        ];
        assert_eq!(least_of(&files), Some(64 << 20));
    }

    #[test]
    fn groups_of_the_first_version_are_those_of_their_own_controller() {
        let files = [
            MACHINE,
            ("/proc/self/cgroup", "3:cpu,cpuacct:/a\n2:memory:/docker/b\n1:name=systemd:/c\n"),
            // Within the container the group is the root.
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "134217728\n"),
            ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1\n"),
        ];
        assert_eq!(least_of(&files), Some(128 << 20));
        let unbounded =
            [files[0], files[1], ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")];
        assert_eq!(least_of(&unbounded), Some(240 << 20));
    }
}
