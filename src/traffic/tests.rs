use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::*;
use crate::event::{EventType, Field};
use crate::traffic::tape::{
    DISORDERED_MS_MAX, DISORDERED_SHARE, LATE_SHARE, REPEATED_SHARE, STALE_MS, STALE_SHARE,
};

const PINNED_DIGEST: u64 = 12_557_284_688_155_042_007;

fn settings(seed: u64, events: u64) -> Settings {
    Settings { seed, fraud_share: 0.04, ..Settings::natural(events, 3 * DAY_MS) }
}

fn log(settings: Settings) -> Vec<(Line, Value)> {
    let parse = |line: Line| {
        let value = serde_json::from_str(&line.text).expect("a line is JSON");
        (line, value)
    };
    Traffic::new(settings).map(parse).collect()
}

/// FNV-1a, to pin the bytes of a log.
fn digest(settings: Settings) -> u64 {
    Traffic::new(settings)
        .flat_map(|line| line.text.into_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_others() {
    let first: Vec<Line> = Traffic::new(settings(7, 5000)).collect();
    assert_eq!(first, Traffic::new(settings(7, 5000)).collect::<Vec<_>>());
    assert_ne!(first, Traffic::new(settings(8, 5000)).collect::<Vec<_>>());
    assert_eq!(first.len(), 5000);
}

/// Fails when anything changes what a seed means: logs named by a seed would not be found again.
#[test]
fn a_seed_keeps_its_meaning() {
    assert_eq!(digest(settings(1, 20_000)), PINNED_DIGEST);
}

#[test]
fn every_line_has_what_the_contract_asks_for() {
    for (line, event) in log(settings(3, 30_000)) {
        let object = event.as_object().expect("a line is an object");
        for (name, value) in object {
            let field = Field::named(name.as_bytes()).unwrap_or_else(|| panic!("no field: {name}"));
            assert_eq!(value.is_string(), field.is_text(), "{}", line.text);
            assert_eq!(value.is_i64(), field.is_integer(), "{}", line.text);
        }
        let kind = EventType::named(event["type"].as_str().unwrap()).unwrap();
        let needed: &[&str] = match kind {
            EventType::Authorization => &["amount_minor", "currency", "merchant_id", "channel"],
            EventType::Feedback => &["verdict", "source"],
            EventType::Reversal => &["ref_event_id"],
            _ => &["device_id"],
        };
        for name in ["event_id", "event_time", "account_id"].iter().chain(needed) {
            assert!(object.contains_key(*name), "no {name}: {}", line.text);
        }
        assert_eq!(event["event_time"], line.stamp.time_ms);
        assert_eq!(event["account_id"], account_id(line.stamp.account));
    }
}

#[test]
fn lines_come_in_order_of_arrival_and_without_delays_of_time() {
    let mut before = i64::MIN;
    for line in Traffic::new(settings(4, 30_000)) {
        let Stamp { time_ms, arrival_ms, .. } = line.stamp;
        assert!(arrival_ms >= before && arrival_ms >= time_ms, "{:?}", line.stamp);
        assert!(arrival_ms - time_ms <= STALE_MS.1 + 20 * 60_000, "{:?}", line.stamp);
        before = arrival_ms;
    }
    let ordered = Settings { delays: false, ..settings(4, 30_000) };
    let times: Vec<i64> = Traffic::new(ordered).map(|line| line.stamp.time_ms).collect();
    assert!(times.is_sorted());
}

#[test]
fn the_log_covers_its_span() {
    for (seed, events, days) in [(1, 5000, 3), (2, 40_000, 1), (3, 40_000, 40)] {
        let settings = Settings { seed, ..Settings::natural(events, days * DAY_MS) };
        let end_ms = settings.start_ms + settings.span_ms;
        let last = Traffic::new(settings).last().unwrap().stamp;
        let off = (last.arrival_ms - end_ms) as f64 / (days * DAY_MS) as f64;
        assert!(off.abs() < 0.02, "{off} of {days} days");
    }
}

#[test]
fn shares_of_late_repeated_and_fraudulent_lines_are_as_stated() {
    let (events, fraud_share) = (200_000, 0.04);
    let log: Vec<Line> = Traffic::new(settings(5, events)).collect();
    let share = |count: usize| count as f64 / events as f64;
    let near = |what: &str, count: usize, stated: f64| {
        let share = share(count);
        assert!((stated * 0.6..stated * 1.4).contains(&share), "{what}: {share}, not {stated}");
    };
    let (mut known, mut again) = (HashSet::new(), 0);
    let mut delays = Vec::new();
    for line in &log {
        match known.insert(line.text.as_str()) {
            true => delays.push(line.stamp.arrival_ms - line.stamp.time_ms),
            false => again += 1,
        }
    }
    let beyond = |low: i64, high: i64| delays.iter().filter(|d| (low..high).contains(d)).count();
    near("repeated", again, REPEATED_SHARE);
    near("disordered", beyond(1000, DISORDERED_MS_MAX + 1), DISORDERED_SHARE);
    near("late", beyond(rhythm::HOUR_MS, DAY_MS), LATE_SHARE);
    near("stale", beyond(DAY_MS, i64::MAX), STALE_SHARE);
    near(
        "fraud",
        log.iter().filter(|line| line.text.contains(r#""is_fraud":true"#)).count(),
        fraud_share,
    );
}

#[test]
fn an_event_id_is_unique_but_for_repeated_bytes() {
    let mut seen: HashMap<(String, String), String> = HashMap::new();
    for (line, event) in log(settings(6, 50_000)) {
        let id = (event["account_id"].to_string(), event["event_id"].to_string());
        if let Some(before) = seen.insert(id, line.text.clone()) {
            assert_eq!(before, line.text);
        }
    }
}

#[test]
fn every_story_is_told() {
    let mut told: HashMap<String, usize> = HashMap::new();
    for (_, event) in log(settings(9, 50_000)) {
        *told.entry(event["attributes"]["story"].as_str().unwrap_or("-").into()).or_default() += 1;
    }
    for story in [
        "seller",
        "business",
        "traveller",
        "takeover_victim",
        "account_takeover",
        "card_testing",
        "cloned_card",
        "stolen_card",
    ] {
        assert!(told.contains_key(story), "{story} is missing: {told:?}");
    }
}

/// The seller's story: authorizations far outnumber orders, and the four cards take turns.
#[test]
fn a_seller_pays_item_by_item_with_another_card_each_day() {
    let (mut items, mut orders, mut cards) = (0, HashSet::new(), HashSet::new());
    for (line, event) in log(Settings { delays: false, ..settings(2, 30_000) }) {
        let authorized = event["type"] == "authorization";
        if line.stamp.account == 0 && authorized && event["attributes"]["story"] == "seller" {
            items += 1;
            orders.insert(event["order_id"].to_string());
            let day = rhythm::local_day(line.stamp.time_ms);
            cards.insert((day, event["card_id"].to_string()));
        }
    }
    assert!(items > orders.len() * 3 / 2, "{items} items in {} orders", orders.len());
    assert!(cards.len() >= 3, "{cards:?}");
    assert_eq!(cards.iter().map(|(_, card)| card).collect::<HashSet<_>>().len(), cards.len());
}

#[test]
fn the_smallest_settings_work() {
    for events in [0, 1, 50] {
        let tiny = Settings { events, accounts: 0, span_ms: 0, ..Settings::default() };
        assert_eq!(Traffic::new(tiny).count() as u64, events);
    }
    // More lines than milliseconds, all of it fraud as far as that goes.
    let dense = Settings { events: 20_000, span_ms: 1, fraud_share: 9.0, ..Settings::default() };
    assert_eq!(Traffic::new(dense).count(), 20_000);
}
