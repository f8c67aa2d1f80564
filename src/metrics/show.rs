//! What the scoring loop has counted, shown: all of it, not what has been added since.

use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::{
    cases::{ANSWERS, case::Status},
    decision::{Action, Answer, Reason, State},
    engine::{Tally, ruleset::Rule},
    event::{SOURCES, VERDICTS},
    io::kafka::figures::Figures,
    pipeline::{
        statistics::{Statistics, TRIGGERS},
        timing::{Stage, Timings},
    },
    window::store::GroupSize,
};

/// How a partition that is decided here stands.
#[derive(Debug, Clone)]
pub struct PartitionFigures {
    /// Its number.
    pub number: i32,
    /// Records that are not decided yet, where that is known.
    pub lag: Option<i64>,
    /// How old the oldest of them can be, in seconds, where that is known.
    pub lag_seconds: Option<f64>,
    /// Its clock, in epoch ms.
    pub clock_ms: Option<i64>,
    /// Of its last snapshot: when it was kept or the partition restored (epoch ms), how many records
    /// were decided since, and its bytes if it was kept here.
    pub snapshot: Option<(i64, i64, Option<usize>)>,
}

/// The mode of a rule.
pub(super) fn mode(rule: &Rule) -> &'static str {
    if rule.shadow { "shadow" } else { "live" }
}

fn one(label: &str) -> [String; 1] {
    [label.to_owned()]
}

impl Metrics {
    /// What became of the events.
    pub fn show_decided(&self, statistics: &Statistics, tally: &Tally, ruleset: &Ruleset) {
        let fates = Fate::ALL.map(|of| (one(of.name()), statistics.of_fate(of) as f64));
        self.of(&EVENTS).show(fates);
        let reasons = Reason::ALL.map(|of| (one(of.name()), statistics.of_reason(of) as f64));
        self.of(&DEAD_LETTERS).show(reasons);
        let actions = Action::ALL.map(|of| (one(of.name()), statistics.of_action(of) as f64));
        let answers = Answer::ALL.map(|of| (one(of.name()), statistics.of_answer(of) as f64));
        self.of(&DECISIONS).show(actions.into_iter().chain(answers));
        self.of(&FOLLOW_UPS).show(Answer::ALL.into_iter().flat_map(|answer| {
            let counts = statistics.of_answer_by(answer).into_iter().zip(TRIGGERS);
            counts.map(move |(count, trigger)| {
                ([answer.name(), trigger].map(str::to_owned), count as f64)
            })
        }));
        let changes = Status::ALL.map(|of| (one(of.name()), statistics.of_case_change(of) as f64));
        self.of(&CASE_CHANGES).show(changes);
        self.of(&SCORE).show_histograms([(vec![], statistics.scores())]);
        self.show_tally(tally, ruleset);
    }

    fn show_tally(&self, tally: &Tally, ruleset: &Ruleset) {
        let of = |counts: &[u64], at: usize| counts.get(at).copied().unwrap_or(0) as f64;
        let rules = || ruleset.rules.iter().enumerate();
        self.of(&RULE_HITS).show(rules().map(|(at, rule)| {
            ([rule.id.clone(), mode(rule).to_owned()], of(&tally.rule_hits, at))
        }));
        self.of(&RULE_ERRORS).show(rules().map(|(at, r)| (one(&r.id), of(&tally.rule_errors, at))));
        let shadow = rules().filter(|(_, rule)| rule.shadow);
        self.of(&SHADOW_STRICTER).show(shadow.map(|(at, r)| (one(&r.id), of(&tally.stricter, at))));
        self.of(&RULE_ANSWERS).show(rules().flat_map(|(at, rule)| {
            let counts = tally.rule_answers.get(at).copied().unwrap_or_default();
            ANSWERS
                .into_iter()
                .zip(counts)
                .map(|(verdict, count)| ([rule.id.clone(), verdict.to_owned()], count as f64))
        }));
        let counters = ruleset.counters.iter().enumerate();
        self.of(&UNUSABLE_VALUES)
            .show(counters.map(|(at, c)| (one(&c.name), of(&tally.unusable_values, at))));
        let owners = self.owners.iter().enumerate();
        self.of(&EVICTED).show(owners.map(|(at, owner)| (one(owner), of(&tally.evicted, at))));
        self.of(&LIMITED).set(tally.limited as f64);
        self.of(&TRUNCATED_LINKS).set(tally.truncated_links as f64);
        let states = State::ALL.map(|of| (one(of.name()), tally.states[of as usize] as f64));
        self.of(&DECISION_STATES).show(states);
        let feedback = VERDICTS.iter().zip(&tally.feedback);
        self.of(&FEEDBACK).show(feedback.flat_map(|(verdict, by_source)| {
            let sources = SOURCES.iter().zip(by_source);
            sources.map(|(source, count)| ([*verdict, *source].map(str::to_owned), *count as f64))
        }));
    }

    /// A transaction stands, so many seconds after it was begun; its commit took so long. These are
    /// the ages of its records, in seconds, and how many outputs went to which topic.
    pub fn stands(
        &self,
        seconds: f64,
        commit: Option<Duration>,
        ages: impl IntoIterator<Item = f64>,
        outputs: &[(&str, u64)],
    ) {
        self.of(&TRANSACTION_TIME).observe(seconds);
        self.of(&COMMIT_TIME).observe_all(commit.map(|took| took.as_secs_f64()));
        self.of(&END_TO_END).observe_all(ages);
        for (topic, count) in outputs {
            self.of(&OUTPUTS).add(&[topic], *count as f64);
        }
    }

    /// How long records took.
    pub fn show_timings(&self, timings: &Timings) {
        self.of(&SERVICE_TIME).show_histograms([(vec![], &timings.whole)]);
        let stages = Stage::ALL.map(|stage| (one(stage.name()), &timings.stages[stage as usize]));
        self.of(&STAGE_TIME).show_histograms(stages);
        self.of(&BATCH_TIME).show_histograms([(vec![], &timings.batches)]);
        self.of(&BATCH_RECORDS).set(timings.batch_records as f64);
        self.of(&SNAPSHOT_PAUSE).show_histograms([(vec![], &timings.pauses)]);
    }

    /// What is kept, by group of counters, and of the events by which repeats are told.
    pub fn show_kept(&self, sizes: &[GroupSize], (seen, seen_bytes): (usize, usize)) {
        let by_owner = |figure: fn(&GroupSize) -> usize| {
            let of = |at: usize| sizes.get(at).map_or(0, figure) as f64;
            let owners = self.owners.iter().enumerate();
            owners.map(|(at, owner)| (one(owner), of(at))).collect::<Vec<_>>()
        };
        self.of(&OWNERS).show(by_owner(|size| size.owners));
        self.of(&KEYS).show(by_owner(|size| size.keys));
        self.of(&KEPT_EVENTS).show(by_owner(|size| size.rows));
        self.of(&KEPT_BYTES).show(by_owner(|size| size.bytes));
        self.of(&SEEN_EVENTS).set(seen as f64);
        self.of(&SEEN_BYTES).set(seen_bytes as f64);
    }

    /// The cases that are not closed: how many, and how old the oldest is in seconds, by status.
    pub fn show_cases(&self, alive: [(usize, f64); Status::ALIVE.len()]) {
        let statuses = Status::ALIVE.into_iter().zip(alive);
        self.of(&CASES).show(statuses.clone().map(|(of, (n, _))| (one(of.name()), n as f64)));
        self.of(&CASE_AGE).show(statuses.clone().map(|(of, (_, age))| (one(of.name()), age)));
        let suspended = statuses.filter(|(status, _)| *status != Status::Open);
        self.of(&SUSPENDED_TARGETS).set(suspended.map(|(_, (n, _))| n).sum::<usize>() as f64);
    }

    /// The partitions that are decided here; those that are restored, with their lag in records
    /// where it is known; and what these still have to read.
    pub fn show_partitions(
        &self,
        deciding: &[PartitionFigures],
        restoring: &[(i32, Option<i64>)],
        left: &BTreeMap<i32, i64>,
    ) {
        let by = |figure: &dyn Fn(&PartitionFigures) -> Option<f64>| {
            let row = |p: &PartitionFigures| Some(([p.number.to_string()], figure(p)?));
            deciding.iter().filter_map(row).collect::<Vec<_>>()
        };
        let restored =
            restoring.iter().filter_map(|(n, lag)| Some(([n.to_string()], (*lag)? as f64)));
        self.of(&LAG_RECORDS).show(by(&|p| Some(p.lag? as f64)).into_iter().chain(restored));
        self.of(&LAG_SECONDS).show(by(&|p| p.lag_seconds));
        self.of(&CLOCK).show(by(&|p| Some(p.clock_ms? as f64 / 1e3)));
        self.of(&SNAPSHOT_TIMESTAMP).show(by(&|p| Some(p.snapshot?.0 as f64 / 1e3)));
        self.of(&SNAPSHOT_LAG).show(by(&|p| Some(p.snapshot?.1 as f64)));
        self.of(&SNAPSHOT_BYTES).show(by(&|p| Some(p.snapshot?.2? as f64)));
        let states = [("deciding", deciding.len() as f64), ("restoring", restoring.len() as f64)];
        self.of(&PARTITIONS).show(states.map(|(state, count)| (one(state), count)));
        let left = left.iter().map(|(number, left)| ([number.to_string()], *left as f64));
        self.of(&RESTORE_RECORDS).show(left);
    }

    /// What waits, by `QUEUES`: how many, and their bytes.
    pub fn show_queues(&self, queues: [(usize, usize); QUEUES.len()]) {
        let named = QUEUES.into_iter().zip(queues);
        self.of(&QUEUE_RECORDS).show(named.clone().map(|(at, (n, _))| (one(at), n as f64)));
        self.of(&QUEUE_BYTES).show(named.map(|(at, (_, bytes))| (one(at), bytes as f64)));
    }

    /// What stands in the way of being ready.
    pub fn show_obstacles(&self, there: &[&str]) {
        let is_there = |name: &str| f64::from(u8::from(there.contains(&name)));
        self.of(&OBSTACLE_GAUGE).show(OBSTACLES.map(|name| (one(name), is_there(name))));
        self.of(&READY).set(f64::from(u8::from(there.is_empty())));
    }

    /// What the client library says of itself, by client.
    pub fn show_kafka(&self, clients: &[(&'static str, Figures)]) {
        let by = |figure: fn(&Figures) -> u64| {
            clients.iter().map(move |(client, of)| (one(client), figure(of) as f64))
        };
        self.of(&KAFKA_TRANSMIT_ERRORS).show(by(|of| of.transmit_errors));
        self.of(&KAFKA_RECEIVE_ERRORS).show(by(|of| of.receive_errors));
        self.of(&KAFKA_TIMEOUTS).show(by(|of| of.timeouts));
        self.of(&KAFKA_RETRIES).show(by(|of| of.retries));
        self.of(&KAFKA_DISCONNECTS).show(by(|of| of.disconnects));
        self.of(&KAFKA_TRANSMIT_BYTES).show(by(|of| of.transmit_bytes));
        self.of(&KAFKA_RECEIVE_BYTES).show(by(|of| of.receive_bytes));
        self.of(&KAFKA_BROKERS).show(clients.iter().flat_map(|(client, of)| {
            let states = [("up", of.up), ("down", of.down)];
            states.map(|(state, count)| ([*client, state].map(str::to_owned), count as f64))
        }));
        self.of(&KAFKA_RTT).show(clients.iter().flat_map(|(client, of)| {
            of.round_trips.iter().flat_map(move |(broker, percentiles)| {
                ["50", "99"].into_iter().zip(percentiles).map(move |(percentile, seconds)| {
                    let labels = [(*client).to_owned(), broker.to_string(), percentile.to_owned()];
                    (labels, *seconds)
                })
            })
        }));
    }
}
