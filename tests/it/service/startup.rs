//! What is looked at before anything is decided, case by case, and a start that is called off.

use std::net::TcpListener;

use super::{REST, seeded, turn};
use crate::support::{
    kafka::{
        feed::{produce, traffic},
        shared,
        topics::{Topic, unique},
    },
    process::{pause, within},
    service::{Deployment, Instance, shipped_ruleset},
};

/// A change to what is deployed.
type With = fn(Deployment) -> Deployment;

fn with_input(mut deployment: Deployment, settings: &[(&str, &str)]) -> Deployment {
    let mut all = vec![("retention.ms", "-1")];
    all.extend_from_slice(settings);
    deployment.input = Topic::create_with(&shared(), "events", 4, &all);
    deployment
}

fn without(topic: &Topic) -> Topic {
    Topic { name: unique("nobody-made-it"), ..topic.clone() }
}

fn compacted() -> Topic {
    Topic::create_with(&shared(), "compacted", 1, &[("cleanup.policy", "compact")])
}

#[test]
fn what_would_go_wrong_later_is_said_at_the_start() {
    let _turn = turn();
    let refused: [(With, &[&str]); 7] = [
        (
            |mut deployment| {
                deployment.input = without(&deployment.input);
                deployment.dead_letters = without(&deployment.dead_letters);
                deployment
            },
            &["nobody-made-it", "does not exist", "create_topics"],
        ),
        (|d| with_input(d, &[("cleanup.policy", "compact")]), &["is compacted", "cleanup.policy"]),
        (
            |mut deployment| {
                deployment.output = compacted();
                deployment
            },
            &["is compacted", "cleanup.policy"],
        ),
        (
            |mut deployment| {
                deployment.dead_letters = compacted();
                deployment
            },
            &["is compacted", "cleanup.policy"],
        ),
        (
            |d| d.with_property("transaction.timeout.ms", "3600000"),
            &["transaction.timeout.ms is 3600000", "transaction.max.timeout.ms"],
        ),
        (
            |d| d.with_property("session.timeout.ms", "3600000"),
            &["session.timeout.ms is 3600000", "group.max.session.timeout.ms"],
        ),
        (
            |d| d.with_property("session.timeout.ms", "500"),
            &["session.timeout.ms is 500", "group.min.session.timeout.ms"],
        ),
    ];
    for (with, words) in refused {
        let deployment = with(Deployment::new(&shared(), 4, &shipped_ruleset()));
        let mut instance = deployment.start(0);
        let (code, said) = (instance.wait_for_end(), instance.whole_log());
        assert_eq!(code, 69, "{said}");
        for word in words {
            assert!(said.contains(word), "not a word of {word}:\n{said}");
        }
    }
    let warned: [(With, &str); 4] = [
        (|d| with_input(d, &[("retention.ms", "86400000")]), "keeps records for 86400000 ms"),
        (|d| with_input(d, &[("retention.bytes", "1000000000")]), "has retention.bytes"),
        (
            |d| with_input(d, &[("message.timestamp.type", "LogAppendTime")]),
            "when they are appended",
        ),
        (
            |d| d.with_property("transaction.timeout.ms", "9000"),
            "is longer than session.timeout.ms",
        ),
    ];
    for (with, word) in warned {
        let deployment = with(Deployment::new(&shared(), 4, &shipped_ruleset()));
        let mut instance = deployment.start(0);
        instance.wait_until_ready();
        let said = instance.whole_log();
        assert!(said.contains(word), "not a word of {word}:\n{said}");
        instance.terminate();
    }
}

#[test]
fn the_reason_for_its_end_is_a_line_of_the_log_in_its_form() {
    let _turn = turn();
    let environment = vec![("HOLDFAST__SERVICE__LOG", "json".to_owned())];
    let mut deployment =
        Deployment::new(&shared(), 1, &shipped_ruleset()).in_environment(environment);
    deployment.input = without(&deployment.input);
    let mut instance = deployment.start(0);
    let (code, said) = (instance.wait_for_end(), instance.whole_log());
    assert_eq!(code, 69, "{said}");
    let lines: Result<Vec<serde_json::Value>, _> = said.lines().map(serde_json::from_str).collect();
    let lines = lines.unwrap_or_else(|error| panic!("{error}:\n{said}"));
    let reason = lines.last().and_then(|line| line["reason"].as_str()).unwrap_or_default();
    assert!(reason.contains("does not exist"), "{said}");
}

#[test]
fn topics_that_are_missing_are_made_on_demand() {
    let _turn = turn();
    let (seed, _) = seeded("topics_that_are_missing_are_made_on_demand");
    let mut deployment =
        Deployment::new(&shared(), 4, &shipped_ruleset()).with_written("create_topics", "true");
    deployment.output = without(&deployment.output);
    deployment.output.partitions = 4;
    deployment.dead_letters = without(&deployment.dead_letters);
    deployment.dead_letters.partitions = 4;
    produce(&deployment.input, traffic(seed, 2000));
    let mut instances = [deployment.start(0)];
    instances[0].wait_until_ready();
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
}

#[test]
fn partitions_that_came_later_are_told() {
    let _turn = turn();
    let mut deployment = Deployment::new(&shared(), 2, &shipped_ruleset());
    let mut instance = deployment.start(0);
    instance.wait_until_ready();
    let begun =
        || deployment.input.committed(&deployment.group)?.iter().all(Option::is_some).then_some(());
    assert!(within(REST, begun).is_some(), "idle partitions are committed as well");
    instance.terminate();
    deployment.input.grow(4);
    deployment.input.partitions = 4;
    let mut instance = deployment.start(0);
    instance.wait_until_ready();
    let said = instance.whole_log();
    assert!(said.contains("has 4 partitions") && said.contains("has decided 2 of them"), "{said}");
    instance.terminate();
}

#[test]
fn a_start_that_waits_for_brokers_is_called_off_by_a_signal() {
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let _turn = turn();
    let deployment = Deployment::new(&shared(), 1, &shipped_ruleset()).reached_at(&address);
    let instance = deployment.start(0);
    let starting = || instance.whole_log().contains("starting").then_some(());
    assert!(within(REST, starting).is_some(), "{}", instance.said());
    pause(300);
    let log = instance.log_file();
    instance.terminate();
    let said = std::fs::read_to_string(log).unwrap();
    // It did not wait for the answer to what it had asked.
    assert!(said.contains("ended") && !said.contains("do not answer"), "{said}");
}
