//! Killed at any moment, under load: nothing lost, nothing doubled, nothing different.

use std::{fs, path::PathBuf, time::Duration};

use holdfast::pipeline::snapshot;

use super::{REST, alone, plenty, seeded, size, snapshots::snapshots};
use crate::support::{
    kafka::{
        broker::Broker,
        feed::{Stream, traffic},
        shared,
    },
    names::{ids, must_name_nobody},
    process::{pause, within},
    service::{Deployment, Instance, shipped_ruleset},
};

const POINTS: [&str; 5] =
    ["before_offsets", "before_commit", "after_commit", "amid_snapshot", "amid_restore"];

#[test]
fn three_instances_are_killed_at_random_moments() {
    let _turn = alone();
    let (seed, mut dice) = seeded("three_instances_are_killed_at_random_moments");
    let (kills, events, a_second) = size((6, 60_000, 4_000), (200, 5_000_000, 6_000));
    let broker = Broker::start();
    let deployment = Deployment::new(&broker.address(), 8, &shipped_ruleset());
    let mut instances: Vec<Instance> = (0..3).map(|number| deployment.start(number)).collect();
    let stream = Stream::start(&deployment.input, a_second, traffic(seed, events));
    let (mut killed, mut under_load) = (0, 0);
    while killed < kills || !stream.is_over() {
        // Often again before it has its partitions back.
        pause(dice.between(100, 4000) as u64);
        let number = dice.below(3);
        instances.remove(number).kill();
        if dice.percent(25) {
            // Gone for longer than a session: the others have its partitions.
            pause(8000);
        }
        instances.insert(number, deployment.start(number));
        killed += 1;
        under_load += usize::from(!stream.is_over());
    }
    let rebalances = broker.rebalances(&deployment.group);
    let sent = stream.wait();
    deployment.wait_until_done(REST, &mut instances);
    let ids = ids(traffic(seed, events));
    instances.iter().for_each(|one| must_name_nobody("the log", &one.whole_log(), &ids));
    instances.into_iter().for_each(Instance::terminate);
    let report = deployment.must_be_exact();
    assert!(report.records >= sent as usize);
    eprintln!(
        "seed {seed}: {killed} kills, {under_load} of them while events came, {rebalances} \
         rebalances, {sent} events"
    );
}

#[test]
fn an_instance_dies_at_each_point_of_its_work() {
    let _turn = alone();
    let (seed, mut dice) = seeded("an_instance_dies_at_each_point_of_its_work");
    let deployment = Deployment::new(&shared(), 4, &shipped_ruleset());
    let events = traffic(seed, plenty());
    let stream = Stream::start(&deployment.input, 2000, events);
    let mut other = deployment.start(1);
    other.wait_until_ready();
    for point in POINTS {
        for _ in 0..size(1, 12) {
            // Points that come with every transaction come often.
            let last = if point.starts_with("amid") { 2 } else { 60 };
            let nth = dice.between(1, last) as usize;
            let mut doomed = deployment.start_to_crash(0, point, nth);
            let ended = within(Duration::from_secs(60), || doomed.ended());
            assert!(ended.is_some_and(|code| code != 0), "{point}:{nth} ends with {ended:?}");
            if point == "amid_snapshot" {
                let whole = |path: &PathBuf| snapshot::check(&fs::read(path).unwrap()).is_ok();
                let kept = snapshots(&deployment.state_folder(0));
                assert!(!kept.iter().all(whole), "half of one is there");
            }
            let mut again = deployment.start(0);
            again.wait_until_ready();
            if dice.percent(50) { again.kill() } else { again.terminate() }
        }
    }
    stream.stop();
    let mut instances = [other, deployment.start(0)];
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
}

#[test]
fn what_one_leaves_the_other_decides_within_seconds() {
    let _turn = alone();
    let (seed, _) = seeded("what_one_leaves_the_other_decides_within_seconds");
    let deployment = Deployment::new(&shared(), 4, &shipped_ruleset()).with_one_folder();
    let mut instances = [deployment.start(0), deployment.start(1)];
    instances.iter_mut().for_each(Instance::wait_until_ready);
    let stream = Stream::start(&deployment.input, 2000, traffic(seed, size(20_000, 100_000)));
    pause(3000);
    let [killed, survivor] = instances;
    killed.kill();
    stream.wait();
    let mut rest = [survivor];
    // The session's six seconds, and what the take-over takes.
    deployment.wait_until_done(Duration::from_secs(20), &mut rest);
    rest.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
}
