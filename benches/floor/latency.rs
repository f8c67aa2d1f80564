//! How long from the moment at which an event was to be sent until its output can be read.

use std::time::Duration;

use rdkafka::Offset;

use crate::{
    Contender,
    open_loop::{self, Collector},
    support::process::pause,
};

/// So long everything gets warm, and nothing counts.
const WARM_UP: Duration = Duration::from_secs(5);
const ACCOUNTS: u64 = 20_000;

/// The times in ms, sorted.
pub(crate) fn measure(
    address: &str,
    contender: Contender,
    a_second: u64,
    length: Duration,
) -> Vec<f64> {
    let deployment = contender.deployment(address, None);
    let running = contender.start(&deployment);
    pause(2000);
    let collector = Collector::start(&deployment.output, Offset::Beginning);
    pause(1000);
    open_loop::send(&deployment.input, a_second, WARM_UP + length, ACCOUNTS);
    pause(3000);
    let seen = collector.finish();
    drop(running);
    let begin_us = seen.iter().map(|one| one.due_us).min().unwrap_or(0);
    let warm = seen.iter().filter(|one| one.due_us - begin_us >= WARM_UP.as_micros() as u64);
    let times = open_loop::sorted(warm.map(|one| one.took_ms()));
    assert!(times.len() as u64 >= a_second * length.as_secs() * 99 / 100, "{}", times.len());
    times
}
