//! A case run: of each event, as one JSON object, what was decided of it, what it caused, and what
//! became of it later. Made from what is written, so that it knows the engine as a reader of its
//! output does.

use std::collections::BTreeMap;

use bumpalo::Bump;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};

use crate::{
    config::Settings,
    decision::{CaseRecord, Decision, Fate, FollowUp, Outbox},
    engine::Engine,
    pipeline,
    window::spec::Reading,
    wire::{decode::Hints, encode},
};

use super::{Case, times, wants::ABSENT};

/// What came of a case.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// By event, in the order of the log.
    pub(super) events: Vec<Map<String, Json>>,
    /// By case: its last record, and `statuses`, each status once in a row.
    pub(super) cases: BTreeMap<String, Map<String, Json>>,
    followed: Vec<Followed>,
}

/// A follow-up, and the place of the event that caused it.
#[derive(Debug)]
struct Followed {
    cause: usize,
    account_id: String,
    event_id: String,
    answer: String,
}

pub(super) fn of(case: &Case, settings: &Settings) -> Outcome {
    let ruleset = &settings.ruleset;
    let mut engine = Engine::new(ruleset.clone());
    let mut outcome = Outcome::default();
    for planned in &case.events {
        let (arena, line) = (Bump::new(), planned.json.to_string());
        let mut sent = Sent::default();
        let (_, event) =
            pipeline::admit::line(line.as_bytes(), &ruleset.input, &mut Hints::default(), &arena);
        let mut of_event = Map::new();
        let fate = match event.and_then(|event| engine.process(event, &mut sent)) {
            Ok(fate) => fate,
            Err(rejection) => {
                of_event.insert("reason".into(), rejection.reason.name().into());
                of_event.insert("detail".into(), rejection.detail.into());
                Fate::DeadLetter
            }
        };
        of_event.insert("fate".into(), fate.name().into());
        let counters = ruleset.counters.iter().zip(&sent.readings);
        let counters: Map<String, Json> = counters
            .map(|(counter, reading)| (counter.name.clone(), reading.map_or(ABSENT.into(), number)))
            .collect();
        of_event.insert("counters".into(), counters.into());
        for line in sent.lines {
            outcome.tell(line, &mut of_event, &ruleset.timezone);
        }
        outcome.events.push(of_event);
    }
    outcome.tell_what_became(case);
    outcome
}

fn number(reading: Reading) -> Json {
    match reading {
        Reading::Int(value) => value.into(),
        Reading::Double(value) => value.into(),
    }
}

impl Outcome {
    /// One line of what was written when this event came.
    fn tell(&mut self, line: Json, of_event: &mut Map<String, Json>, zone: &TimeZone) {
        let Json::Object(mut line) = line else { return };
        if let Some(time_ms) = line.get("expires_at").and_then(Json::as_i64) {
            line.insert("expires_at".into(), times::print(time_ms, zone).into());
        }
        let text = |key: &str| line.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        if text("schema") == "holdfast.case/1" {
            let (case_id, status) = (text("case_id"), text("status"));
            let known = self.cases.entry(case_id.clone()).or_default();
            let mut statuses = known.remove("statuses").unwrap_or_else(|| json!([]));
            if let Json::Array(list) = &mut statuses
                && list.last().and_then(Json::as_str) != Some(&status)
            {
                list.push(status.into());
            }
            *known = line.clone();
            known.insert("statuses".into(), statuses);
            append(of_event, "cases", |cases: &mut Map<String, Json>| {
                cases.insert(case_id, line.into());
            });
        } else if line.contains_key("trigger") {
            let (account_id, event_id, answer) =
                (text("account_id"), text("event_id"), text("action"));
            push(of_event, &answer, event_id.as_str().into());
            self.followed.push(Followed { cause: self.events.len(), account_id, event_id, answer });
        } else {
            let rules = line.get("reasons").and_then(Json::as_array).into_iter().flatten();
            let rules: Vec<Json> = rules.map(|reason| reason["rule"].clone()).collect();
            of_event.insert("rules".into(), rules.into());
            of_event.extend(line);
        }
    }

    /// Gives each event its follow-ups, which other events caused. Of two of one id, in one account
    /// and decided before, the newest is meant.
    fn tell_what_became(&mut self, case: &Case) {
        for Followed { cause, account_id, event_id, answer } in std::mem::take(&mut self.followed) {
            let is_meant = |at: &usize| {
                case.events[*at].event_id == event_id
                    && case.events[*at].json["account_id"] == account_id
                    && self.events[*at].get("fate").is_some_and(|fate| fate == "decided")
            };
            if let Some(at) = (0..cause).rev().find(is_meant) {
                push(&mut self.events[at], "then", answer.into());
            }
        }
    }
}

fn push(object: &mut Map<String, Json>, key: &str, value: Json) {
    if let Json::Array(list) = object.entry(key).or_insert_with(|| json!([])) {
        list.push(value);
    }
}

fn append(object: &mut Map<String, Json>, key: &str, add: impl FnOnce(&mut Map<String, Json>)) {
    if let Json::Object(inner) = object.entry(key).or_insert_with(|| json!({})) {
        add(inner);
    }
}

/// What the engine put out for one event, as it is written.
#[derive(Default)]
struct Sent {
    lines: Vec<Json>,
    readings: Vec<Option<Reading>>,
}

impl Sent {
    fn keep(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut line = Vec::new();
        encode(&mut line);
        self.lines.push(serde_json::from_slice(&line).expect("what is written is JSON"));
    }
}

impl Outbox for Sent {
    fn decision(&mut self, decision: &Decision<'_>) {
        self.keep(|line| encode::decision(decision, line));
        self.readings = decision.readings.to_vec();
    }

    fn follow_up(&mut self, follow_up: &FollowUp<'_>) {
        self.keep(|line| encode::follow_up(follow_up, line));
    }

    fn case_record(&mut self, record: &CaseRecord<'_>) {
        self.keep(|line| encode::case_record(record, line));
    }
}
