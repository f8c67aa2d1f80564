//! Which events were due amid a snapshot, and what came of them.

use std::ops::Range;

use crate::open_loop::{Seen, quantile, sorted};

/// From when to when snapshots were made, in epoch microseconds, as the service's log says; of those
/// that ended later than this.
pub(crate) fn snapshots(log: &str, from_us: u64) -> Vec<Range<u64>> {
    let kept = log.lines().filter(|line| line.contains("a snapshot is kept"));
    let span = |line: &str| {
        let time: jiff::Timestamp = line.split_whitespace().next()?.parse().ok()?;
        let (_, rest) = line.split_once(" ms=")?;
        let ms: u64 = rest.split_whitespace().next()?.parse().ok()?;
        let end = u64::try_from(time.as_microsecond()).ok()?;
        Some(end - ms * 1000..end)
    };
    kept.filter_map(span).filter(|span| span.end > from_us).collect()
}

/// The times of the events that were due amid one of them, beside those of the others.
pub(crate) fn print(seen: &[Seen], snapshots: &[Range<u64>]) {
    let amid = |one: &&Seen| snapshots.iter().any(|span| span.contains(&one.due_us));
    let lengths: Vec<String> = snapshots
        .iter()
        .map(|span| format!("{:.1}", (span.end - span.start) as f64 / 1e6))
        .collect();
    println!("\n{} snapshots, of {} s; ms from due to visible", lengths.len(), lengths.join(", "));
    let (within, without): (Vec<&Seen>, Vec<&Seen>) = seen.iter().partition(amid);
    for (name, times) in [("amid a snapshot", within), ("otherwise", without)] {
        let times = sorted(times.iter().map(|one| one.took_ms()));
        if times.is_empty() {
            println!("{name}: no events");
            continue;
        }
        let [p50, p99, p999, max] = [0.5, 0.99, 0.999, 1.0].map(|share| quantile(&times, share));
        println!(
            "{name}: p50 {p50:.1}  p99 {p99:.1}  p99.9 {p999:.1}  max {max:.1}  ({} outputs)",
            times.len()
        );
    }
}
