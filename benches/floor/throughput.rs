//! How many events a second, from a topic that was loaded before.

use std::time::Duration;

use crate::{
    Contender, PARTITIONS,
    support::{
        kafka::{
            feed::{produce, traffic},
            read,
            topics::Topic,
        },
        process::{pause, within},
    },
};

const LONGEST: Duration = Duration::from_secs(600);

/// The median of the rounds of each.
pub(crate) fn measure(
    address: &str,
    contenders: &[Contender],
    events: u64,
    rounds: usize,
) -> Vec<f64> {
    let input = Topic::create(address, "loaded", PARTITIONS);
    produce(&input, traffic(1, events));
    let mut rates = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for (contender, rates) in contenders.iter().zip(&mut rates) {
            rates.push(events as f64 / round(address, *contender, &input));
        }
    }
    rates.into_iter().map(median).collect()
}

/// Seconds between the first output and the last.
fn round(address: &str, contender: Contender, input: &Topic) -> f64 {
    let deployment = contender.deployment(address, Some(input));
    let running = contender.start(&deployment);
    let done = within(LONGEST, || {
        pause(250);
        input.is_done(&deployment.group).filter(|done| *done)
    });
    assert!(done.is_some(), "{contender:?} does not come to the end");
    drop(running);
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    read::each(&deployment.output, |record| {
        let time_ms = record.timestamp_ms.expect("the broker's time");
        (first, last) = (first.min(time_ms), last.max(time_ms));
    });
    (last - first).max(1) as f64 / 1000.0
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}
