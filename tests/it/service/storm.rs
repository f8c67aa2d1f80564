//! Instances come and go in order, faster than partitions settle.

use super::{REST, alone, plenty, seeded, size};
use crate::support::{
    kafka::{
        broker::Broker,
        feed::{Stream, traffic},
    },
    process::pause,
    service::{Deployment, Instance, shipped_ruleset},
};

#[test]
fn instances_come_and_go_under_load() {
    let _turn = alone();
    let (seed, mut dice) = seeded("instances_come_and_go_under_load");
    let wanted = size(5, 50);
    let broker = Broker::start();
    let deployment = Deployment::new(&broker.address(), 6, &shipped_ruleset());
    let stream = Stream::start(&deployment.input, 2000, traffic(seed, plenty()));
    let mut instances = vec![(0, deployment.start(0))];
    let mut changes = 0;
    while broker.rebalances(&deployment.group) < wanted {
        assert!(!stream.is_over(), "{changes} changes, and too few rebalances under load");
        pause(dice.between(50, 2000) as u64);
        let leaves = instances.len() > 1 && (instances.len() > 3 || dice.percent(50));
        if leaves {
            let (_, leaving) = instances.swap_remove(dice.below(instances.len()));
            leaving.terminate();
        } else {
            let here = |number: &usize| instances.iter().all(|(taken, _)| taken != number);
            let number = (0..).find(here).expect("numbers do not end");
            instances.push((number, deployment.start(number)));
        }
        changes += 1;
    }
    let (sent, rebalances) = (stream.stop(), broker.rebalances(&deployment.group));
    let mut instances: Vec<Instance> = instances.into_iter().map(|(_, one)| one).collect();
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);
    let report = deployment.must_be_exact();
    assert!(report.records >= sent as usize);
    eprintln!("seed {seed}: {changes} changes, {rebalances} rebalances, {sent} events");
}
