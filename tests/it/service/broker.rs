//! A broker that goes away, comes back, or says nothing for a while.

use std::time::Duration;

use super::{REST, alone, plenty, seeded, size, turn};
use crate::support::{
    kafka::{
        broker::Broker,
        cluster::Cluster,
        feed::{Stream, traffic},
    },
    process::{pause, within},
    service::{Deployment, Instance, shipped_ruleset},
};

/// An own broker, two instances that are ready, and traffic on its way.
fn under_load(seed: u64) -> (Broker, Deployment, [Instance; 2], Stream) {
    let broker = Broker::start();
    let deployment = Deployment::new(&broker.address(), 4, &shipped_ruleset());
    let mut instances = [deployment.start(0), deployment.start(1)];
    instances.iter_mut().for_each(Instance::wait_until_ready);
    let stream = Stream::start(&deployment.input, 2000, traffic(seed, plenty()));
    pause(2000);
    (broker, deployment, instances, stream)
}

/// The rest is decided by the same two, and all is right.
fn settled(deployment: &Deployment, mut instances: [Instance; 2], stream: Stream) {
    pause(1000);
    stream.stop();
    deployment.wait_until_done(REST, &mut instances);
    instances.iter_mut().for_each(Instance::wait_until_ready);
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
}

/// Ends the broker again and again, this way, under load. An only broker that ends leaves the last
/// transactions unmarked, more often than not (Apache Kafka 4.3.1: "likely deleted already").
fn comes_back(test: &str, end: fn(&mut Broker)) {
    let _turn = turn();
    let (seed, mut dice) = seeded(test);
    let (mut broker, deployment, instances, stream) = under_load(seed);
    for _ in 0..size(2, 10) {
        end(&mut broker);
        let unready = || instances.iter().all(|one| !one.is_ready()).then_some(());
        let said = within(Duration::from_secs(45), unready);
        assert!(said.is_some(), "without a broker an instance is not ready");
        pause(dice.between(0, 3000) as u64);
        broker.start_again();
        pause(dice.between(2000, 5000) as u64);
    }
    settled(&deployment, instances, stream);
}

#[test]
fn a_broker_that_restarts_is_waited_for() {
    comes_back("a_broker_that_restarts_is_waited_for", Broker::stop);
}

#[test]
fn a_broker_that_is_killed_is_waited_for() {
    comes_back("a_broker_that_is_killed_is_waited_for", Broker::kill);
}

#[test]
fn a_broker_that_says_nothing_is_waited_for() {
    let _turn = turn();
    let (seed, mut dice) = seeded("a_broker_that_says_nothing_is_waited_for");
    let (broker, deployment, instances, stream) = under_load(seed);
    for seconds in size(&[5][..], &[5, 15, 30]) {
        broker.freeze();
        pause(seconds * 1000);
        broker.thaw();
        pause(dice.between(2000, 6000) as u64);
    }
    settled(&deployment, instances, stream);
}

/// What two of three brokers have taken survives any one of them.
#[test]
fn one_of_three_brokers_may_die_at_any_moment() {
    let _turn = alone();
    let (seed, mut dice) = seeded("one_of_three_brokers_may_die_at_any_moment");
    let mut cluster = Cluster::start();
    let deployment = Deployment::new(&cluster.addresses(), 4, &shipped_ruleset());
    let mut instances = [deployment.start(0), deployment.start(1)];
    instances.iter_mut().for_each(Instance::wait_until_ready);
    let stream = Stream::start(&deployment.input, 2000, traffic(seed, plenty()));
    let deaths = size(2, 15);
    for _ in 0..deaths {
        pause(dice.between(1000, 4000) as u64);
        let at = dice.below(cluster.size());
        let broker = cluster.broker(at);
        broker.kill();
        // Shorter and longer than it takes the others to notice.
        pause(dice.between(0, 12_000) as u64);
        broker.start_again();
        // In step with the others again, before the next one goes.
        pause(4000);
    }
    let sent = stream.stop();
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);
    let report = deployment.must_be_exact();
    assert!(report.records >= sent as usize);
    eprintln!("seed {seed}: {deaths} brokers killed, {sent} events");
}
