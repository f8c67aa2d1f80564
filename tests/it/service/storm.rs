//! Instances come and go in order, faster than partitions settle.

use super::{REST, seeded, size, turn};
use crate::support::{
    kafka::{
        feed::{Stream, traffic},
        shared,
    },
    process::pause,
    service::{Deployment, Instance, shipped_ruleset},
};

#[test]
fn instances_come_and_go_under_load() {
    let _turn = turn();
    let (seed, mut dice) = seeded("instances_come_and_go_under_load");
    let (changes, events, a_second) = size((8, 30_000, 3000), (50, 500_000, 4000));
    let deployment = Deployment::new(&shared(), 6, &shipped_ruleset());
    let stream = Stream::start(&deployment.input, a_second, traffic(seed, events));
    let mut instances = vec![(0, deployment.start(0))];
    let mut done = 0;
    while done < changes || !stream.is_over() {
        pause(dice.between(50, 3000) as u64);
        let leaves = instances.len() > 1 && (instances.len() > 3 || dice.percent(50));
        if leaves {
            let (_, leaving) = instances.swap_remove(dice.below(instances.len()));
            leaving.terminate();
        } else {
            let here = |number: &usize| instances.iter().all(|(taken, _)| taken != number);
            let number = (0..).find(here).expect("numbers do not end");
            instances.push((number, deployment.start(number)));
        }
        done += 1;
    }
    stream.wait();
    let mut instances: Vec<Instance> = instances.into_iter().map(|(_, one)| one).collect();
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
    eprintln!("{done} changes");
}
