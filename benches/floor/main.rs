//! The service against its floor: a plain loop with the same client settings that consumes, copies
//! and produces in transactions, on the same broker in the same run. What lies between the two is
//! Holdfast's own.
//!
//! First throughput over a topic that was loaded before: events over the time between the first and
//! the last output, by the broker's clock. Then an open loop at a steady rate: from the moment at
//! which an event was to be sent until a consumer of what is committed has the output, whatever
//! waits in between. Both run as processes of their own. Holdfast decides under a small ruleset, which
//! shows what lies around the deciding, and under the one that it is shipped with.
//!
//!     cargo bench --bench floor [-- [--alone] [EVENTS [SECONDS [A_SECOND]]]]
//!
//! `--alone` measures the floor and nothing else.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "a bench needs a clock")]

mod latency;
#[allow(dead_code, reason = "another bench uses all of it")]
mod open_loop;
mod plain;
#[path = "../../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use all of it")]
mod support;
mod throughput;

use std::{process::Command, time::Duration};

use support::{
    kafka::{broker::Broker, topics::Topic},
    process::{Leashed, setting},
    service::{Deployment, Instance, shipped_ruleset},
};

pub(crate) const PARTITIONS: i32 = 4;
const ROUNDS: usize = 3;

/// Who copies or decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Floor,
    /// Holdfast with twelve windows and two rules: what lies around the ruleset.
    Job,
    /// Holdfast with the ruleset that it is shipped with.
    Shipped,
}

impl Contender {
    fn ruleset(self) -> String {
        match self {
            Contender::Floor | Contender::Shipped => shipped_ruleset(),
            // Exact on several partitions.
            Contender::Job => {
                let text = include_str!("../job.toml");
                let job =
                    text.replace("key = [\"card_id\"]", "key = [\"account_id\", \"card_id\"]");
                assert_ne!(job, text);
                format!("{job}\n[output]\nemit = \"all\"\n")
            }
        }
    }
}

/// One of them at work, until it is dropped.
pub(crate) enum Running {
    Floor(#[expect(dead_code, reason = "it is held")] Leashed),
    Holdfast(#[expect(dead_code, reason = "it is held")] Instance),
}

impl Contender {
    /// Topics for it, with the times at which the broker took the outputs.
    pub(crate) fn deployment(self, address: &str, input: Option<&Topic>) -> Deployment {
        let mut deployment = Deployment::new(address, PARTITIONS, &self.ruleset())
            .with("commit_interval", "10ms")
            // As it comes: the tests take them every second.
            .with_state("snapshot_interval", "1m")
            .with_property("session.timeout.ms", "30000")
            .with_property("transaction.timeout.ms", "10000");
        let settings = [("message.timestamp.type", "LogAppendTime"), ("retention.ms", "-1")];
        deployment.output = Topic::create_with(address, "timed", PARTITIONS, &settings);
        if let Some(input) = input {
            deployment.input = input.clone();
        }
        deployment
    }

    /// Lets it work on these topics.
    pub(crate) fn start(self, deployment: &Deployment) -> Running {
        match self {
            Contender::Floor => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                let Deployment { input, output, group, .. } = deployment;
                command.args(["--copy", &input.address, &input.name, &output.name, group]);
                Running::Floor(Leashed::start(&mut command, None))
            }
            Contender::Job | Contender::Shipped => {
                let mut instance = deployment.start(0);
                instance.wait_until_ready();
                Running::Holdfast(instance)
            }
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [copy, address, input, output, group] = &arguments[..]
        && copy == "--copy"
    {
        return plain::copy(address, input, output, group);
    }
    let numbers: Vec<u64> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    let number = |at: usize, otherwise| numbers.get(at).copied().unwrap_or(otherwise);
    let (events, seconds, a_second) = (number(0, 500_000), number(1, 30), number(2, 5000));
    let all = [Contender::Floor, Contender::Job, Contender::Shipped];
    let alone = arguments.iter().any(|argument| argument == "--alone");
    let contenders = &all[..if alone { 1 } else { all.len() }];
    let broker = setting("HOLDFAST_TEST_KAFKA").is_none().then(Broker::start);
    let address = broker.as_ref().map_or_else(support::kafka::shared, Broker::address);

    println!("{events} events in {PARTITIONS} partitions, {ROUNDS} rounds in turn, medians");
    let rates = throughput::measure(&address, contenders, events, ROUNDS);
    for (contender, rate) in contenders.iter().zip(&rates) {
        println!("{contender:?}: {rate:.0} events/s, {:.2} of the floor", rate / rates[0]);
    }
    println!("\nopen loop, {a_second} events/s for {seconds} s, ms from intended to visible");
    let mut floor_p99 = None;
    for contender in contenders {
        let times = latency::measure(&address, *contender, a_second, Duration::from_secs(seconds));
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| open_loop::quantile(&times, share));
        let ratio = p99 / *floor_p99.get_or_insert(p99);
        println!(
            "{contender:?}: p50 {p50:.1}  p99 {p99:.1}  p99.9 {p999:.1}  ({} outputs), p99 {ratio:.2} \
             of the floor",
            times.len()
        );
    }
}
