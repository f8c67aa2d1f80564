//! What the system grants the process.

use std::fs;

/// Memory that the process may take, in bytes: the least limit of its control groups, else what the
/// machine has. `None` where nothing says so.
pub fn memory_limit() -> Option<u64> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().flat_map(|line| {
        let path = line.splitn(3, ':').nth(2).unwrap_or("");
        // Version 2, as seen from outside and from inside of a container; then version 1.
        [
            format!("/sys/fs/cgroup{path}/memory.max"),
            "/sys/fs/cgroup/memory.max".to_owned(),
            format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"),
            "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned(),
        ]
    });
    let limits = limits.filter_map(|path| number(&path));
    limits.chain(machine_memory()).min()
}

fn machine_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
