//! How much memory there is for jobs.

use std::path::Path;

/// Of what is available, jobs may be expected to use so much, in percent.
const SHARE: u64 = 80;
/// Where the kernel says nothing.
const UNKNOWN: u64 = 4 << 30;

/// Bytes of memory that jobs together may be expected to use: four fifths of
/// what the machine has available now, or of what this control group may have.
#[must_use]
pub fn memory_for_jobs() -> u64 {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let available = read(Path::new("/proc/meminfo")).and_then(|text| available(&text));
    let limit = read(Path::new("/proc/self/cgroup"))
        .and_then(|text| group_path(&text).map(ToOwned::to_owned))
        .and_then(|path| {
            let directory = Path::new("/sys/fs/cgroup").join(path);
            // A limit of a group above counts as well.
            directory
                .ancestors()
                .take_while(|above| above.starts_with("/sys/fs/cgroup"))
                .filter_map(|above| read(&above.join("memory.max"))?.trim().parse::<u64>().ok())
                .min()
        });
    available.into_iter().chain(limit).min().unwrap_or(UNKNOWN) / 100 * SHARE
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Of version 2, whose line begins with `0::`.
fn group_path(text: &str) -> Option<&str> {
    let line = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    (!line.split('/').any(|part| part == "..")).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        assert_eq!(
            available("MemTotal: 9 kB\nMemAvailable:    1024 kB\n"),
            Some(1 << 20)
        );
        assert_eq!(available("MemTotal: 9 kB\n"), None);
        assert_eq!(
            group_path("1:cpu:/x\n0::/user.slice/a\n"),
            Some("user.slice/a")
        );
        assert_eq!(group_path("0::/../../x\n"), None);
        assert!(memory_for_jobs() > 0);
    }
}
