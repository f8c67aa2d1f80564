//! An ordinary life: started, fed, asked to end, started again; and the promises that are weaker on
//! request.

use super::{REST, plenty, seeded, size, turn};
use crate::support::{
    kafka::{
        feed::{Stream, produce, traffic},
        shared,
    },
    process::pause,
    service::{Deployment, Instance, shipped_ruleset},
};

#[test]
fn the_output_is_what_a_replay_of_the_log_gives() {
    let _turn = turn();
    let (seed, _) = seeded("the_output_is_what_a_replay_of_the_log_gives");
    let deployment = Deployment::new(&shared(), 4, &shipped_ruleset());
    let events = size(20_000, 500_000);
    produce(&deployment.input, traffic(seed, events));
    let mut instances = [deployment.start(0)];
    instances[0].wait_until_ready();
    deployment.wait_until_done(REST, &mut instances);
    assert_eq!(instances[0].get("/livez").map(|(status, _)| status), Some(200));
    assert!(instances[0].get("/metrics").is_some_and(|(_, text)| text.contains("holdfast_")));
    instances.into_iter().for_each(Instance::terminate);
    let report = deployment.must_be_exact();
    assert!(report.records >= events as usize && report.decisions > events as usize / 2);
    assert_eq!(report.instances.len(), 1, "{:?}", report.instances);
}

#[test]
fn an_instance_that_is_asked_to_end_under_load_ends_in_order() {
    let _turn = turn();
    let (seed, mut dice) = seeded("an_instance_that_is_asked_to_end_under_load");
    let deployment = Deployment::new(&shared(), 4, &shipped_ruleset());
    let stream = Stream::start(&deployment.input, 5000, traffic(seed, plenty()));
    for _ in 0..size(4, 30) {
        let instance = deployment.start(0);
        // Also while it is starting.
        pause(dice.between(50, 5000) as u64);
        instance.terminate();
    }
    stream.stop();
    let mut instances = [deployment.start(0)];
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
}

#[test]
fn one_that_starts_at_the_latest_decides_what_comes_from_then_on() {
    let _turn = turn();
    let (seed, _) = seeded("one_that_starts_at_the_latest");
    let mut deployment = Deployment::new(&shared(), 4, &shipped_ruleset()).with("start", "latest");
    produce(&deployment.input, traffic(seed, 3000));
    let mut instances = [deployment.start(0)];
    instances[0].wait_until_ready();
    deployment.began = (0..).zip(deployment.input.ends()).collect();
    produce(&deployment.input, traffic(seed + 1, 3000));
    deployment.wait_until_done(REST, &mut instances);
    // What has been begun goes on where it was, whatever `start` says.
    let [instance] = instances;
    instance.terminate();
    produce(&deployment.input, traffic(seed + 2, 3000));
    let mut instances = [deployment.start(0)];
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);
    let report = deployment.must_be_exact();
    assert!((6000..9000).contains(&report.records), "{}", report.records);
}

#[test]
fn at_least_once_repeats_and_never_loses() {
    let _turn = turn();
    let (seed, mut dice) = seeded("at_least_once_repeats_and_never_loses");
    let deployment =
        Deployment::new(&shared(), 4, &shipped_ruleset()).with("delivery", "at_least_once");
    let stream = Stream::start(&deployment.input, 4000, traffic(seed, plenty()));
    let mut instances = vec![deployment.start(0), deployment.start(1)];
    for _ in 0..size(4, 50) {
        pause(dice.between(500, 4000) as u64);
        let number = dice.below(2);
        instances.remove(number).kill();
        instances.insert(number, deployment.start(number));
    }
    stream.stop();
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);
    let mut findings = deployment.audit().report().findings;
    eprintln!("{} doubled", findings.doubled.len());
    findings.doubled.clear();
    assert!(findings.are_none(), "{findings}");
}
