//! Instances that were given no time for a while, and do not know it.

use super::{REST, plenty, seeded, size, turn};
use crate::support::{
    kafka::{
        feed::{Stream, traffic},
        shared,
    },
    names::{ids, must_name_nobody},
    process::{pause, within},
    service::{Deployment, Instance, shipped_ruleset},
};

#[test]
fn a_zombie_commits_nothing_of_what_the_other_has_taken_over() {
    let _turn = turn();
    let (seed, mut dice) = seeded("a_zombie_commits_nothing_of_what_the_other_has_taken_over");
    let deployment = Deployment::new(&shared(), 4, &shipped_ruleset()).with_one_folder();
    let mut instances = [deployment.start(0), deployment.start(1)];
    instances.iter_mut().for_each(Instance::wait_until_ready);
    let rounds = size(2, 10);
    let stream = Stream::start(&deployment.input, 2000, traffic(seed, plenty()));
    for _ in 0..rounds {
        pause(dice.between(500, 2500) as u64);
        let zombie = dice.below(2);
        instances[zombie].freeze();
        // Past the session's six seconds: the other one goes on with all of it.
        let committed = || deployment.input.committed(&deployment.group);
        pause(8000);
        let before = committed();
        let gone_on = |now: &Vec<Option<i64>>| {
            before.iter().flatten().zip(now).all(|(before, now)| now > before)
        };
        let taken_over = within(REST, || committed().filter(gone_on));
        assert!(taken_over.is_some(), "nobody takes over: {before:?}, {:?}", committed());
        instances[zombie].thaw();
        // It finds out, and says so.
        let fenced = || {
            let ended = instances[zombie].ended().map(|_| ());
            ended.or_else(|| instances[zombie].is_held_by("fenced").then_some(()))
        };
        let fenced = within(REST, fenced);
        assert!(fenced.is_some(), "it is ready all the time:\n{}", instances[zombie].said());
        // It ends and says why, or finds its way back into the group.
        let back = within(REST, || {
            let ended = instances[zombie].ended().map(Some);
            ended.or_else(|| instances[zombie].is_ready().then_some(None))
        });
        match back {
            Some(None) => {}
            Some(Some(code)) => {
                assert_ne!(code, 0, "a zombie does not end as if all were well");
                assert!(!instances[zombie].said().is_empty());
                instances[zombie] = deployment.start(zombie);
                instances[zombie].wait_until_ready();
            }
            None => panic!("the zombie neither ends nor goes on:\n{}", instances[zombie].said()),
        }
    }
    stream.stop();
    deployment.wait_until_done(REST, &mut instances);
    let ids = ids(traffic(seed, plenty()));
    instances.iter().for_each(|one| must_name_nobody("the log", &one.whole_log(), &ids));
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
}

#[test]
fn a_transaction_that_takes_too_long_is_done_again() {
    let _turn = turn();
    let (seed, mut dice) = seeded("a_transaction_that_takes_too_long_is_done_again");
    let deployment = Deployment::new(&shared(), 2, &shipped_ruleset())
        .with_property("session.timeout.ms", "30000")
        .with_property("transaction.timeout.ms", "2000");
    let mut instances = [deployment.start(0)];
    instances[0].wait_until_ready();
    let stream = Stream::start(&deployment.input, 3000, traffic(seed, plenty()));
    for _ in 0..size(2, 10) {
        pause(dice.between(500, 2000) as u64);
        // Somewhere in a transaction, which the broker ends meanwhile; the group still counts on it.
        instances[0].freeze();
        pause(6000);
        instances[0].thaw();
        pause(2000);
        if instances[0].ended().is_some_and(|code| code != 0) {
            instances[0] = deployment.start(0);
        }
    }
    stream.stop();
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
}

#[test]
fn two_processes_under_one_name_do_not_decide_both() {
    let _turn = turn();
    let (seed, _) = seeded("two_processes_under_one_name_do_not_decide_both");
    let deployment =
        Deployment::new(&shared(), 2, &shipped_ruleset()).with("instance", "the-only-one");
    let mut instances = vec![deployment.start(0)];
    instances[0].wait_until_ready();
    let stream = Stream::start(&deployment.input, 1000, traffic(seed, plenty()));
    pause(1000);
    instances.push(deployment.start(1));
    // The group and the transactions know one of that name: the other one says so and ends.
    let ended = || instances.iter_mut().position(|one| one.ended().is_some());
    let at = within(REST, ended).expect("one of them ends");
    let mut ended = instances.remove(at);
    assert_ne!(ended.wait_for_end(), 0);
    assert!(ended.said().contains("the-only-one"), "{}", ended.said());
    pause(2000);
    stream.stop();
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
}

#[test]
fn two_processes_under_one_name_are_told_where_nothing_comes() {
    let _turn = turn();
    let deployment =
        Deployment::new(&shared(), 2, &shipped_ruleset()).with("instance", "the-only-one");
    let mut instances = vec![deployment.start(0)];
    instances[0].wait_until_ready();
    instances.push(deployment.start(1));
    // They take the place in the group from each other, but not for ever.
    let ended = || instances.iter_mut().position(|one| one.ended().is_some());
    let at = within(REST, ended).expect("one of them ends");
    let mut ended = instances.remove(at);
    assert_eq!(ended.wait_for_end(), 69);
    assert!(ended.said().contains("the-only-one"), "{}", ended.said());
    instances[0].wait_until_ready();
    instances.into_iter().for_each(Instance::terminate);
}
