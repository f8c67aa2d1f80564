//! An output that takes nothing for a while: what waits is bounded, and nothing of it is lost.
//!
//! Of three brokers one is gone. The input goes on with two, and the output topic wants three.

use std::time::Duration;

use super::{REST, alone, seeded, size};
use crate::support::{
    kafka::{
        cluster::Cluster,
        feed::{produce, traffic},
        topics::Topic,
    },
    process::{pause, within},
    scrape::Scrape,
    service::{Deployment, Instance, shipped_ruleset},
};

/// The outputs that are on their way, those that are decided meanwhile, and the batch that fills them.
const WAITING_MAX: f64 = 48.0 * 1024.0 * 1024.0;
/// What the client library has read ahead, and what the allocator keeps, may come on top.
const GROWTH_MAX: f64 = 192.0 * 1024.0 * 1024.0;

/// What it says of itself.
fn shown(instance: &Instance) -> Option<Scrape> {
    let (_, text) = instance.get("/metrics")?;
    Some(Scrape::read(&text))
}

fn decided(shown: &Scrape) -> f64 {
    shown.sum("holdfast_events_total", &[])
}

/// The bytes that wait to be taken.
fn waiting(shown: &Scrape) -> f64 {
    let queue = |name| shown.sum("holdfast_queue_bytes", &[("queue", name)]);
    queue("decided") + queue("delivering")
}

fn resident(shown: &Scrape) -> f64 {
    shown.sum("process_resident_memory_bytes", &[])
}

/// Waits until it decides nothing more; what it shows then.
fn stands_still(instance: &Instance) -> Scrape {
    let still = within(Duration::from_secs(120), || {
        let before = decided(&shown(instance)?);
        pause(3000);
        shown(instance).filter(|now| before > 0.0 && decided(now) == before)
    });
    still.unwrap_or_else(|| panic!("it goes on deciding:\n{}", instance.said()))
}

#[test]
fn with_an_output_that_takes_nothing_it_reads_no_further() {
    let _turn = alone();
    let (seed, _) = seeded("with_an_output_that_takes_nothing_it_reads_no_further");
    let mut cluster = Cluster::start();
    let addresses = cluster.addresses();
    let mut deployment = Deployment::new(&addresses, 4, &shipped_ruleset());
    let all_of_them = [("retention.ms", "-1"), ("min.insync.replicas", "3")];
    deployment.output = Topic::create_with(&addresses, "decisions", 4, &all_of_them);
    let events = size(200_000, 1_000_000);
    produce(&deployment.input, traffic(seed, events));
    cluster.broker(2).kill();
    let mut instances = [deployment.start(0)];
    // Right after a broker has died, it may take minutes until the group hands out shares.
    let begun = within(REST, || shown(&instances[0]).filter(|now| decided(now) > 0.0));
    assert!(begun.is_some(), "it decides nothing:\n{}", instances[0].said());
    let full = stands_still(&instances[0]);
    let (at, memory) = (decided(&full), resident(&full));
    assert!(at < events as f64 / 2.0, "{at} of {events} are decided, with nowhere to go");
    let mut most = memory;
    for _ in 0..size(15, 120) {
        pause(1000);
        let Some(now) = shown(&instances[0]) else { continue };
        assert_eq!(decided(&now), at);
        assert!(waiting(&now) < WAITING_MAX, "{} bytes wait", waiting(&now));
        most = most.max(resident(&now));
    }
    assert!(most < memory + GROWTH_MAX, "from {memory} bytes to {most}");
    let (status, page) = instances[0].get("/readyz").expect("a page");
    assert!(status == 503 && page.contains("\"delivery\""), "{page}");
    // Nothing is fetched any more, and the lag is told all the same.
    let lag = || shown(&instances[0]).map(|now| now.sum("holdfast_lag_records", &[]));
    let right = within(REST, || lag().filter(|lag| *lag == events as f64 - at));
    assert!(right.is_some(), "{:?} records behind, of {events} with {at} decided", lag());
    eprintln!(
        "{at} decided, {} bytes wait, {memory} bytes resident, {most} at most",
        waiting(&full)
    );

    cluster.broker(2).start_again();
    deployment.wait_until_done(REST, &mut instances);
    instances[0].wait_until_ready();
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
}
