//! A large state: what its snapshots do to the decisions meanwhile, and how long it takes until a
//! service that was killed decides again.
//!
//! One event for each of so many accounts makes the state. Then an open loop at a steady rate, while
//! each partition's snapshot is taken a few times; the times of events that were due amid a round of
//! snapshots stand beside those of the stretches right before and after it, and what the scoring loop
//! itself spent on them beside both. The rate is one that two cores serve, with a broker and the bench
//! on them, without a queue. Then it is killed a minute after its last snapshots, and started again
//! under the same load: from there on until it says that it is ready, and until a consumer of what is
//! committed has its first output in each partition.
//!
//!     cargo bench --bench recovery [-- ACCOUNTS [A_SECOND [ROUNDS [INTERVAL_S]]]]

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "a bench needs a clock")]

mod amid;
#[path = "../floor/open_loop.rs"]
mod open_loop;
#[path = "../../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use all of it")]
mod support;

use std::{collections::BTreeMap, time::Duration};

use open_loop::{Collector, event, now_us, send};
use rdkafka::Offset;
use support::{
    kafka::{broker::Broker, feed::Feed, topics::Topic},
    process::{pause, within},
    scrape::Scrape,
    service::{Deployment, Instance, shipped_ruleset},
};

const PARTITIONS: i32 = 4;
/// Seconds from snapshot to snapshot: longer than a round of them takes on a busy machine, so that there
/// is something beside it.
const INTERVAL_S: u64 = 120;
/// So old are the snapshots of an instance that is killed.
const AGE: Duration = Duration::from_secs(60);
/// So long the largest state may take to be loaded.
const PATIENCE: Duration = Duration::from_secs(1200);
/// So long it goes on under load once it has been started again.
const AFTER: Duration = Duration::from_secs(60);

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|text| text.parse().ok()).collect();
    let number = |nth: usize, usual: u64| numbers.get(nth).copied().unwrap_or(usual);
    let (accounts, a_second, rounds) = (number(0, 2_000_000), number(1, 2000), number(2, 2));
    let interval = Duration::from_secs(number(3, INTERVAL_S));
    let broker = Broker::start();
    let mut deployment = Deployment::new(&broker.address(), PARTITIONS, &shipped_ruleset())
        .with("commit_interval", "10ms")
        .with_property("session.timeout.ms", "30000")
        .with_property("transaction.timeout.ms", "10000")
        .with_state("snapshot_interval", &format!("{}s", interval.as_secs()));
    // As many as the input: what stands in one comes from the partition of that number.
    deployment.output = Topic::create(&broker.address(), "decisions", PARTITIONS);
    let instance = loaded(&deployment, accounts);
    amid_snapshots(
        &deployment,
        &instance,
        a_second,
        accounts,
        rounds as u32 * interval + interval / 2,
    );
    instance.terminate();

    // No snapshot but those of its end, until it is killed.
    let deployment = deployment.with_state("snapshot_interval", "1h");
    killed_and_started(&deployment, a_second, accounts);
}

/// An instance that knows so many accounts, and has kept that.
fn loaded(deployment: &Deployment, accounts: u64) -> Instance {
    let feed = Feed::new(&deployment.input);
    (0..accounts).for_each(|number| feed.send(&event(number, now_us(), accounts)));
    feed.finish();
    let mut instances = [deployment.start(0)];
    deployment.wait_until_done(PATIENCE, &mut instances);
    let [instance] = instances;
    // Snapshots are taken where something goes on.
    let kept = within(PATIENCE, || {
        send(&deployment.input, 100, Duration::from_secs(1), accounts);
        let count = shown(&instance).sum("holdfast_snapshots_total", &[]);
        (count >= f64::from(PARTITIONS)).then_some(())
    });
    assert!(kept.is_some(), "no snapshots are kept:\n{}", instance.said());
    let shown = shown(&instance);
    let sum = |name| shown.sum(name, &[]);
    println!(
        "{accounts} accounts: {:.1} M keys, {:.2} GB kept, {:.2} GB resident, snapshots of {:.2} GB",
        sum("holdfast_keys") / 1e6,
        sum("holdfast_kept_bytes") / 1e9,
        sum("process_resident_memory_bytes") / 1e9,
        sum("holdfast_snapshot_bytes") / 1e9,
    );
    instance
}

fn shown(instance: &Instance) -> Scrape {
    let page = within(Duration::from_secs(10), || instance.get("/metrics"));
    Scrape::read(&page.unwrap().1)
}

/// Under load for so long.
fn amid_snapshots(
    deployment: &Deployment,
    instance: &Instance,
    a_second: u64,
    accounts: u64,
    length: Duration,
) {
    let collector = Collector::start(&deployment.output, Offset::End);
    pause(2000);
    let (from_us, before) = (now_us(), shown(instance));
    send(&deployment.input, a_second, length, accounts);
    pause(3000);
    let seen = collector.finish();
    amid::print(&seen, &amid::rounds(&instance.whole_log(), from_us));
    pauses(&before, &shown(instance));
}

/// What the scoring loop spent on taking these snapshots.
fn pauses(before: &Scrape, after: &Scrape) {
    const PAUSE: &str = "holdfast_snapshot_pause_seconds";
    let more =
        |name: &str, labels: &[(&str, &str)]| after.sum(name, labels) - before.sum(name, labels);
    let count = more(&format!("{PAUSE}_count"), &[]);
    let mean_us = more(&format!("{PAUSE}_sum"), &[]) / count * 1e6;
    let buckets = after.samples.iter().filter(|sample| sample.name == format!("{PAUSE}_bucket"));
    let all = buckets
        .filter_map(|bucket| bucket.labels.get("le"))
        .find(|bound| more(&format!("{PAUSE}_bucket"), &[("le", bound)]) >= count);
    let most = all.map_or("?", |bound| bound);
    println!("the loop's own pauses: {count} of {mean_us:.0} us, none above {most} s");
}

/// Killed with snapshots that are a minute old.
fn killed_and_started(deployment: &Deployment, a_second: u64, accounts: u64) {
    let mut instance = deployment.start(0);
    instance.wait_until_ready();
    let collector = Collector::start(&deployment.output, Offset::End);
    pause(2000);
    let input = deployment.input.clone();
    let load = std::thread::spawn(move || send(&input, a_second, AGE + AFTER, accounts));
    pause(AGE.as_millis() as u64);
    instance.kill();
    let start_us = now_us();
    let mut instance = deployment.start(0);
    instance.wait_until_ready();
    let ready_us = now_us();
    // What a machine that does other things as well says more with than with the time.
    let processor = shown(&instance).sum("process_cpu_seconds_total", &[]);
    load.join().unwrap();
    deployment.wait_until_done(PATIENCE, &mut [instance]);
    let seconds = |at_us: u64| (at_us - start_us) as f64 / 1e6;
    let mut first: BTreeMap<i32, u64> = BTreeMap::new();
    for one in collector.finish().iter().filter(|one| one.seen_us > start_us) {
        first.entry(one.partition).or_insert(one.seen_us);
    }
    let first: Vec<String> = first.values().map(|at| format!("{:.1}", seconds(*at))).collect();
    println!(
        "killed, with snapshots that are {} s old: ready after {:.1} s and {processor:.0} s of a \
         processor, first outputs by partition after {} s",
        AGE.as_secs(),
        seconds(ready_us),
        first.join(", ")
    );
}
