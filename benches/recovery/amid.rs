//! Which events were due amid snapshots, which right before and after, and what came of them.

use std::ops::Range;

use crate::open_loop::{Seen, quantile, sorted};

/// What follows another snapshot within so long is of one round with it: one partition after the other.
const ROUND_US: u64 = 2_000_000;

/// From when to when rounds of snapshots were made, in epoch microseconds, as the service's log says;
/// of those that began later than this.
pub(crate) fn rounds(log: &str, from_us: u64) -> Vec<Range<u64>> {
    let kept = log.lines().filter(|line| line.contains("a snapshot is kept"));
    let span = |line: &str| {
        let time: jiff::Timestamp = line.split_whitespace().next()?.parse().ok()?;
        let (_, rest) = line.split_once(" ms=")?;
        let ms: u64 = rest.split_whitespace().next()?.parse().ok()?;
        let end = u64::try_from(time.as_microsecond()).ok()?;
        Some(end - ms * 1000..end)
    };
    let mut rounds: Vec<Range<u64>> = Vec::new();
    for span in kept.filter_map(span).filter(|span| span.start > from_us) {
        match rounds.last_mut() {
            Some(round) if span.start < round.end + ROUND_US => round.end = span.end,
            _ => rounds.push(span),
        }
    }
    rounds
}

/// The times of the events that were due amid each round, beside those of stretches of the same length
/// right before and right after it: what else a machine does changes little between them.
pub(crate) fn print(seen: &[Seen], rounds: &[Range<u64>]) {
    println!("\n{} rounds of snapshots; ms from due to visible", rounds.len());
    let (mut all_amid, mut all_beside) = (Vec::new(), Vec::new());
    for Range { start, end } in rounds.iter().cloned() {
        let length = end - start;
        let due = |span: Range<u64>| seen.iter().filter(move |one| span.contains(&one.due_us));
        let amid: Vec<f64> = due(start..end).map(Seen::took_ms).collect();
        let beside = due(start - length..start).chain(due(end..end + length));
        let beside: Vec<f64> = beside.map(Seen::took_ms).collect();
        line(&format!("{:.1} s", length as f64 / 1e6), &amid, &beside);
        all_amid.extend(amid);
        all_beside.extend(beside);
    }
    line("together", &all_amid, &all_beside);
}

/// What is not above so much of both, and the difference.
fn line(name: &str, amid: &[f64], beside: &[f64]) {
    let (amid, beside) = (sorted(amid.iter().copied()), sorted(beside.iter().copied()));
    if amid.is_empty() || beside.is_empty() {
        return println!("{name}: too few outputs");
    }
    let shares = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
    let compared: Vec<String> = shares
        .iter()
        .map(|(share_name, share)| {
            let (amid, beside) = (quantile(&amid, *share), quantile(&beside, *share));
            format!("{share_name} {amid:.1} / {beside:.1} ({:+.1})", amid - beside)
        })
        .collect();
    println!(
        "{name}: amid / beside  {}  ({} / {} outputs)",
        compared.join("  "),
        amid.len(),
        beside.len()
    );
}
