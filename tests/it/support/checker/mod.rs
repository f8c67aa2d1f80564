//! An auditor of the service who trusts nothing of it: reads the input topic and what was put out,
//! decides the input once more by `holdfast replay`, and compares partition by partition.
//!
//! Records `holdfast.ruleset/1` are no part of a replay: they say from which offset of a partition
//! on which ruleset decided it, and each stretch is replayed under its own.

mod compare;
mod due;
mod input;

use std::collections::BTreeMap;

use holdfast::wire::record::partition_of;
use serde::Deserialize;
use serde_json::Value;

pub(crate) use compare::Findings;
use compare::{Put, compare};
use due::{Change, Due};
use input::Input;
pub(crate) use input::envelope;

use super::{
    binary::Folder,
    kafka::{
        read::{self, Record},
        topics::Topic,
    },
    run::settings,
};

/// What is to be audited.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    pub(crate) input: Topic,
    pub(crate) output: Topic,
    pub(crate) dead_letters: Topic,
    /// The configurations that decided, without operational settings: the first, and those that
    /// took over. Later ones must be decided by their counters and rules alone, without cases.
    pub(crate) rulesets: Vec<String>,
    /// Where each partition began to be decided, if not at its beginning.
    pub(crate) began: BTreeMap<i32, i64>,
    /// Up to where each has been decided; what stands there is not due, be it events or ticks.
    pub(crate) decided: BTreeMap<i32, i64>,
    /// Does every decision say that it was made from incomplete counters? For the rest it is what a
    /// replay from there on gives.
    pub(crate) warms: bool,
}

/// What was found, and how much was looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    pub(crate) findings: Findings,
    pub(crate) records: usize,
    pub(crate) decisions: usize,
    pub(crate) dead_letters: usize,
    /// Records `holdfast.ruleset/1`.
    pub(crate) changes: usize,
    /// Decisions that say so, where all of them should.
    pub(crate) warming: usize,
    /// The instances that put something out.
    pub(crate) instances: Vec<String>,
}

/// What the outputs of one partition of the input are compared with.
#[derive(Debug, Default)]
struct Outputs {
    decisions: Vec<Put>,
    dead_letters: Vec<Put>,
    changes: Vec<Change>,
}

impl Audit {
    /// Looks at everything. The service must have stopped, or have nothing left to do.
    pub(crate) fn report(&self) -> Report {
        let folder = Folder::new();
        let input = Input::read(self, &folder);
        let mut report = Report { records: input.len(), ..Report::default() };
        let mut outputs: BTreeMap<i32, Outputs> = BTreeMap::new();
        read::each(&self.output, |record| {
            self.take(record, &self.output, &input, &mut outputs, &mut report);
        });
        read::each(&self.dead_letters, |record| {
            self.take(record, &self.dead_letters, &input, &mut outputs, &mut report);
        });
        for partition in 0..self.input.partitions {
            let found = outputs.remove(&partition).unwrap_or_default();
            let due = Due::of(partition, &self.rulesets, &found.changes, &input, &folder);
            report.findings.add(compare(&due.decisions, &found.decisions));
            report.findings.add(compare(&due.dead_letters, &found.dead_letters));
            report.decisions += due.decisions.len();
            report.dead_letters += due.dead_letters.len();
        }
        let nowhere = outputs.keys().map(|number| format!("outputs of partition {number}"));
        report.findings.misplaced.extend(nowhere);
        report
    }

    /// Nothing is wrong.
    #[track_caller]
    pub(crate) fn must_be_clean(&self) -> Report {
        let report = self.report();
        let Report { records, decisions, dead_letters, findings, instances, .. } = &report;
        eprintln!("audited {records} records, {decisions} decisions, {dead_letters} dead letters");
        assert!(findings.are_none(), "of {records} records, by {instances:?}:\n{findings}");
        report
    }

    /// Takes an output, and looks at what it says of itself.
    fn take(
        &self,
        record: Record,
        topic: &Topic,
        input: &Input,
        outputs: &mut BTreeMap<i32, Outputs>,
        report: &mut Report,
    ) {
        let mut misplaced = |what: String| report.findings.misplaced.push(what);
        let place = format!("{} {} at {}", topic.name, record.partition, record.offset);
        let number = |name: &str| record.header(name).and_then(|text| text.parse::<i64>().ok());
        let (Some(partition), Some(origin)) = (number("input_partition"), number("input_offset"))
        else {
            return misplaced(format!("{place} says not what made it: {:?}", record.headers));
        };
        for (name, right) in [("input_topic", Some(&*self.input.name)), ("version", None)] {
            match record.header(name) {
                Some(said) if right.is_none_or(|right| right == said) => {}
                said => misplaced(format!("{place} has {said:?} as its {name}")),
            }
        }
        let mut payload = record.payload.unwrap_or_default();
        if self.warms {
            report.warming += usize::from(complete(&mut payload));
        }
        let said: Said = serde_json::from_slice(&payload).unwrap_or_default();
        let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        if let Some(key) = key
            && partition_of(key, topic.partitions as u32) != record.partition
        {
            misplaced(format!("{place} is not where its key {key} belongs"));
        }
        if said.schema == "holdfast.decision/1" && key != said.account_id.as_deref() {
            misplaced(format!("{place} has the key {key:?} and the account {:?}", said.account_id));
        }
        let about_its_event = said.schema == "holdfast.decision/1" && said.trigger.is_none();
        let event = said.event_id.as_deref().filter(|_| about_its_event);
        if event.is_some_and(|event| !input.is_event(partition as i32, origin, event)) {
            misplaced(format!("{place} is not about the record {partition} at {origin}"));
        }
        if let Some(instance) = record.headers.iter().find(|(name, _)| name == "instance") {
            let instance = String::from_utf8_lossy(&instance.1).into_owned();
            if !report.instances.contains(&instance) {
                report.instances.push(instance);
            }
        } else {
            report.findings.misplaced.push(format!("{place} says not which instance made it"));
        }
        let outputs = outputs.entry(partition as i32).or_default();
        let put = Put { partition: record.partition, origin, payload };
        match &*said.schema {
            "holdfast.ruleset/1" => {
                report.changes += 1;
                outputs.changes.push(Change::of(&put.payload));
            }
            _ if topic.name == self.dead_letters.name => outputs.dead_letters.push(put),
            _ => outputs.decisions.push(put),
        }
    }
}

/// The same decision from complete counters, if it says that its are not.
fn complete(payload: &mut Vec<u8>) -> bool {
    const WARMING: &str = "\"state\":\"warming\"";
    let text = String::from_utf8_lossy(payload);
    let says = text.contains(WARMING);
    if says {
        *payload = text.replace(WARMING, "\"state\":\"complete\"").into_bytes();
    }
    says
}

/// What is read of an output.
#[derive(Debug, Default, Deserialize)]
struct Said {
    schema: String,
    event_id: Option<String>,
    account_id: Option<String>,
    trigger: Option<Value>,
}

/// The identity of a configuration's ruleset.
fn identity(configuration: &str) -> String {
    settings(configuration).ruleset.identity.to_string()
}
