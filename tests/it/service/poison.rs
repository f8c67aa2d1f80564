//! Records that cannot be decided, of every reason, among those that can.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{REST, seeded, size, turn};
use crate::support::{
    kafka::{
        feed::{Event, produce, traffic},
        read, shared,
    },
    names::{ids, must_name_nobody},
    run::authorization,
    service::{Deployment, Instance, shipped_ruleset},
};

const MINUTE_MS: i64 = 60_000;
const YEAR_MS: i64 = 365 * 24 * 60 * MINUTE_MS;

/// The reason, and a payload that has it, for an event of about this time.
fn poisons(time_ms: i64) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let of = |fields: Value| Some(authorization("poison", time_ms, fields).into_bytes());
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let mut invalid_utf8 = of(json!({"note": "?"})).unwrap_or_default();
    invalid_utf8.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xff);
    vec![
        ("invalid_json", None),
        ("invalid_json", text("")),
        ("invalid_json", text("{")),
        ("invalid_json", text("[1]")),
        ("invalid_json", text("\u{0}\u{1}\n\"\\")),
        ("invalid_json", Some(vec![0xff, 0xfe, 0x00])),
        ("invalid_json", Some(invalid_utf8)),
        ("invalid_json", text(&("[".repeat(30_000) + &"]".repeat(30_000)))),
        ("invalid_json", text("{\"event_id\":\"a\",\"event_id\":\"b\"}")),
        ("too_large", of(json!({"note": "x".repeat(70_000)}))),
        ("too_large", of(json!({"note": "x".repeat(900_000)}))),
        ("missing_field", of(json!({"amount_minor": null}))),
        ("invalid_field", of(json!({"amount_minor": 12.5}))),
        ("invalid_field", of(json!({"event_id": ""}))),
        ("pan_like", of(json!({"card_id": "4111111111111111"}))),
        ("future_time", of(json!({"event_time": time_ms + 10 * MINUTE_MS}))),
        ("too_old", of(json!({"event_id": "old", "event_time": time_ms - YEAR_MS}))),
    ]
}

#[test]
fn what_cannot_be_decided_goes_to_the_dead_letters_and_stops_nothing() {
    let _turn = turn();
    let (seed, mut dice) = seeded("what_cannot_be_decided_goes_to_the_dead_letters");
    let deployment = Deployment::new(&shared(), 4, &shipped_ruleset());
    let mut due: BTreeMap<&str, usize> = BTreeMap::new();
    let mut events = Vec::new();
    for (count, event) in traffic(seed, size(5000, 100_000)).enumerate() {
        let time_ms = event.timestamp_ms;
        let key = event.key.clone();
        events.push(event);
        // Not before each partition has a clock to be behind of.
        if count < 200 || !dice.percent(8) {
            continue;
        }
        let (reason, payload) = dice.pick(&poisons(time_ms));
        *due.entry(reason).or_default() += 1;
        events.push(Event { key, payload, timestamp_ms: time_ms });
    }
    let ids = ids(events.iter().cloned());
    produce(&deployment.input, events);
    let mut instances = [deployment.start(0), deployment.start(1)];
    deployment.wait_until_done(REST, &mut instances);
    instances.iter().for_each(|one| must_name_nobody("the log", &one.whole_log(), &ids));
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for letter in read::all(&deployment.dead_letters) {
        let letter: Value = serde_json::from_slice(&letter.payload.unwrap()).unwrap();
        *found.entry(letter["reason"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for (reason, count) in due {
        let found = found.get(reason).copied().unwrap_or(0);
        // Generated traffic has events that are too old, too.
        let right = if reason == "too_old" { found >= count } else { found == count };
        assert!(right, "{reason}: {found} of {count}");
    }
}
