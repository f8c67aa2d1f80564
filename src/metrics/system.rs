//! What the system says of the process.

use std::{fs, path::Path};

use prometheus::{
    core::{Collector, Desc},
    process_collector::ProcessCollector,
    proto::MetricFamily,
};

/// Metrics of the process as the library counts them, but for some of its own ones.
pub struct Process {
    collector: ProcessCollector,
    without: &'static str,
}

impl Process {
    /// All of them but this one.
    pub fn without(name: &'static str) -> Process {
        Process { collector: ProcessCollector::for_self(), without: name }
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        let mut all = self.collector.desc();
        all.retain(|desc| desc.fq_name != self.without);
        all
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut all = self.collector.collect();
        all.retain(|family| family.name() != self.without);
        all
    }
}

/// Memory that the process may take, in bytes: the least limit of its control groups, or what the
/// machine has if that is less. `None` where nothing says so.
pub fn memory_limit() -> Option<u64> {
    let number = |path: String| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    // The limit of a group is one for all groups in it.
    let groups = groups.flat_map(|path| Path::new(path).ancestors()).filter_map(Path::to_str);
    let limits = groups.flat_map(|group| {
        // Version 2, then version 1. From inside of a container its own group is the root.
        let group = group.trim_end_matches('/');
        [
            format!("/sys/fs/cgroup{group}/memory.max"),
            format!("/sys/fs/cgroup/memory{group}/memory.limit_in_bytes"),
        ]
    });
    limits.filter_map(number).chain(machine_memory()).min()
}

/// What the machine has. A unit that is shut in sees no `/proc/meminfo`, and the nodes all the same.
fn machine_memory() -> Option<u64> {
    let whole = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    whole.or_else(memory_of_nodes)
}

fn memory_of_nodes() -> Option<u64> {
    let nodes = fs::read_dir("/sys/devices/system/node").ok()?.filter_map(Result::ok);
    let texts = nodes.filter_map(|node| fs::read_to_string(node.path().join("meminfo")).ok());
    texts.filter_map(|text| total(&text)).reduce(|sum, more| sum + more)
}

/// `MemTotal` in bytes, of the machine or of one of its nodes.
fn total(text: &str) -> Option<u64> {
    let (_, rest) = text.lines().find_map(|line| line.split_once("MemTotal:"))?;
    rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::{memory_limit, total};

    #[test]
    fn memory_is_told_by_the_machine_or_by_its_nodes() {
        assert_eq!(total("MemTotal:       24684084 kB\nMemFree: 1 kB\n"), Some(24_684_084 << 10));
        assert_eq!(total("\nNode 0 MemTotal:       512 kB\n"), Some(512 << 10));
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert!(memory_limit().is_some_and(|bytes| bytes > 1 << 20));
    }
}
