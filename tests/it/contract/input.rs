//! What is an event, and what becomes of what is none.

use holdfast::config::Emit;
use serde_json::{Value, json};

use super::{refusals, run, settings};
use crate::support::run::{authorization, envelope, event, run_spread};

/// Is this refused, and why? Nothing if it is an event.
fn refusal(line: &str) -> String {
    refusals(&[line.to_owned()]).pop().unwrap_or_default()
}

fn payment(fields: Value) -> String {
    authorization("e", 1000, fields)
}

/// A payment with more members, as they are written.
fn written(members: &str) -> String {
    payment(json!({})).replace('}', &format!(",{members}}}"))
}

/// Offsets of the dead letters.
fn offsets(lines: &[String], partitions: u32) -> Vec<(i64, i64)> {
    let letters = run_spread(&settings(""), partitions, Emit::All, lines).dead_letters();
    let place = |letter: &Value| {
        (letter["partition"].as_i64().unwrap(), letter["offset"].as_i64().unwrap())
    };
    letters.iter().map(place).collect()
}

#[test]
fn blank_lines_are_no_events_but_are_numbered() {
    let lines = ["", "{", "  \t\r", "x", &payment(json!({})), "\r", "y\r"].map(str::to_owned);
    assert_eq!(offsets(&lines, 1), [(0, 1), (0, 3), (0, 6)]);
    let written = run(&settings(""), &lines);
    assert_eq!(written.statistics.events(), 4);
    assert_eq!(written.dead_letters()[2]["payload"], "y");
}

#[test]
fn offsets_count_lines_whatever_their_partition() {
    let of = |account: &str| authorization("", 1, json!({"account_id": account}));
    let lines: Vec<String> = ["a", "b", "c", "d", "e"].map(of).to_vec();
    let places = offsets(&lines, 4);
    assert_eq!(places.iter().map(|place| place.1).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(places.iter().any(|place| place.0 != places[0].0), "{places:?}");
    // Without an account that can be read, it is the first.
    let lines = ["{\"account_id\":5}", "nonsense", "{}"].map(str::to_owned);
    assert_eq!(offsets(&lines, 4), [(0, 0), (0, 1), (0, 2)]);
    // One that is too large has its account all the same.
    let large = authorization("e", 1, json!({"account_id": "b", "note": "x".repeat(70_000)}));
    assert_eq!(offsets(&[large], 4)[0].0, places[1].0);
}

#[test]
fn an_envelope_has_all_of_its_four_parts() {
    let whole = envelope(3, 77, None, "{");
    assert_eq!(offsets(std::slice::from_ref(&whole), 1), [(3, 77)]);
    assert_eq!(offsets(&[whole], 9), [(3, 77)]);
    for part in ["topic", "partition", "offset", "payload"] {
        let bare = envelope(3, 77, None, "{").replace(&format!("\"{part}\""), "\"other\"");
        let written = run(&settings(""), &[&bare]);
        assert_eq!(offsets(std::slice::from_ref(&bare), 1), [(0, 0)], "without {part}");
        assert_eq!(written.refusals(), ["missing_field event_id"], "without {part}");
        assert_eq!(written.dead_letters()[0]["payload"], bare);
    }
    // Lines of both kinds may mix.
    let lines = [envelope(1, 5, None, &payment(json!({}))), "{".into(), envelope(0, 9, None, "")];
    assert_eq!(offsets(&lines, 1), [(0, 1), (0, 9)]);
}

#[test]
fn the_payload_of_an_envelope_is_what_it_stands_for() {
    let null = "{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"payload\":null}".to_owned();
    let letters = run(&settings(""), &[null]).dead_letters();
    assert_eq!(
        (&letters[0]["reason"], &letters[0]["payload"]),
        (&json!("invalid_json"), &json!(""))
    );
    // Escaped in the envelope, it is longer there than it is.
    let fill = |bytes: usize| {
        let short = payment(json!({"x": "\u{1}"}));
        payment(json!({"x": format!("\u{1}{}", "é".repeat((bytes - short.len()) / 2))}))
    };
    let largest = fill(65_536);
    let largest = largest.clone() + &" ".repeat(65_536 - largest.len());
    assert_eq!(refusal(&envelope(0, 0, None, &largest)), "");
    assert_eq!(refusal(&envelope(0, 0, None, &(largest + " "))), "too_large");
}

#[test]
fn the_timestamp_of_a_record_bounds_its_future() {
    let at = |time: i64, ts: Option<i64>| envelope(0, 0, ts, &authorization("e", time, json!({})));
    let five_minutes = 300_000;
    assert_eq!(refusal(&at(5000 + five_minutes, Some(5000))), "");
    assert_eq!(refusal(&at(5001 + five_minutes, Some(5000))), "future_time event_time");
    // A record without a time of its own has no future.
    assert_eq!(refusal(&at(253_370_764_799_999, None)), "");
    assert_eq!(refusal(&at(253_370_764_799_999, Some(-1))), "");
    let unknown = at(253_370_764_799_999, Some(5000)).replace("\"create\"", "\"unknown\"");
    assert_eq!(refusal(&unknown), "");
    let appended = at(5001 + five_minutes, Some(5000)).replace("\"create\"", "\"logappend\"");
    assert_eq!(refusal(&appended), "future_time event_time");
    // A tick with a wrong clock is refused too.
    let tick = format!("{{\"type\":\"tick\",\"event_time\":{}}}", 5001 + five_minutes);
    assert_eq!(refusal(&envelope(0, 0, Some(5000), &tick)), "future_time event_time");
}

#[test]
fn what_is_no_json_object_is_refused() {
    for line in [
        "nonsense",
        "5",
        "[]",
        "null",
        "\u{feff}{}",
        &written("\"x\":NaN"),
        &written("\"x\":\"\\ud800\""),
        &written("\"x\":\"\\udc00\\ud800\""),
        &(payment(json!({})) + "{}"),
        &(payment(json!({})) + ","),
        &written("\"event_id\":\"e\""),
        &written("\"card_id\":null"),
        &written("\"c\\u0061rd_id\":\"c\""),
        &written("\"attributes\":{\"x\":1,\"x\":1}"),
        &written("\"attributes\":{\"x\":1,\"\\u0078\":null}"),
    ] {
        assert_eq!(refusal(line), "invalid_json", "{line}");
    }
    // Fields that nobody knows may repeat, and hold anything.
    assert_eq!(refusal(&written("\"x\":1,\"x\":null,\"y\":[{\"y\":1e999,\"y\":2}]")), "");
}

#[test]
fn an_integer_is_digits_and_perhaps_a_sign() {
    for (field, value, due) in [
        ("event_time", "1.0", "invalid_field event_time"),
        ("event_time", "1e3", "invalid_field event_time"),
        ("event_time", "\"1\"", "invalid_field event_time"),
        ("event_time", "-1", "invalid_field event_time"),
        ("event_time", "-0", ""),
        ("event_time", "253370764799999", ""),
        ("event_time", "253370764800000", "invalid_field event_time"),
        ("amount_minor", "0", ""),
        ("amount_minor", "-0", ""),
        ("amount_minor", "-1", "invalid_field amount_minor"),
        ("amount_minor", "1000000000000000", ""),
        ("amount_minor", "1000000000000001", "invalid_field amount_minor"),
        ("amount_minor", "100000000000000000000", "invalid_field amount_minor"),
        ("amount_minor", "5.0", "invalid_field amount_minor"),
        ("amount_minor", "null", "missing_field amount_minor"),
        ("item_seq", "-9223372036854775808", ""),
        ("item_seq", "9223372036854775807", ""),
        ("item_seq", "9223372036854775808", "invalid_field item_seq"),
        ("item_count", "true", "invalid_field item_count"),
        ("item_count", "null", ""),
    ] {
        let line = payment(json!({field: null})).replace('}', &format!(",\"{field}\":{value}}}"));
        assert_eq!(refusal(&line), due, "{field} = {value}");
    }
}

#[test]
fn text_has_its_bounds_and_words_their_lists() {
    let long = |bytes: usize| json!("é".repeat(bytes / 2) + &"x".repeat(bytes % 2));
    for (field, value, due) in [
        ("event_id", json!(""), "invalid_field event_id"),
        ("event_id", long(128), ""),
        ("event_id", long(129), "invalid_field event_id"),
        ("account_id", long(129), "invalid_field account_id"),
        ("card_id", json!(""), "invalid_field card_id"),
        ("merchant_id", json!(""), ""),
        ("merchant_id", long(256), ""),
        ("merchant_id", long(257), "invalid_field merchant_id"),
        ("merchant_id", json!(5), "invalid_field merchant_id"),
        ("currency", json!("JPy"), "invalid_field currency"),
        ("currency", json!("JP"), "invalid_field currency"),
        ("currency", json!(null), "missing_field currency"),
        ("tender", json!("cash"), "invalid_field tender"),
        ("tender", json!("gift_card"), ""),
        ("type", json!("payment"), "invalid_field type"),
        ("event_id", json!(null), "missing_field event_id"),
        ("account_id", json!(null), "missing_field account_id"),
        // In other types these are unknown.
        ("ref_event_id", json!(5), ""),
        ("verdict", json!("perhaps"), ""),
        ("suspend", json!("card"), ""),
        ("from", json!("x"), ""),
    ] {
        assert_eq!(refusal(&payment(json!({field: value}))), due, "{field} = {value}");
    }
    // The first of the table is named.
    let both = json!({"tender": "cash", "currency": 5, "account_id": null});
    assert_eq!(refusal(&payment(both)), "missing_field account_id");
    assert_eq!(refusal(&event("login", "l", 1, json!({}))), "");
    assert_eq!(
        refusal(&event("reversal", "r", 1, json!({"ref_event_id": ""}))),
        "invalid_field ref_event_id"
    );
}

#[test]
fn attributes_hold_text_numbers_and_booleans() {
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
    for (value, due) in [
        ("null".to_owned(), ""),
        ("true".into(), ""),
        ("1.5".into(), ""),
        ("-0.0".into(), ""),
        ("1e308".into(), ""),
        ("9223372036854775807".into(), ""),
        ("9223372036854775808".into(), "invalid_field attributes"),
        ("9223372036854775808.0".into(), ""),
        ("1e309".into(), "invalid_field attributes"),
        ("[]".into(), "invalid_field attributes"),
        ("{}".into(), "invalid_field attributes"),
        (text(256), ""),
        (text(257), "invalid_field attributes"),
    ] {
        let line = written(&format!("\"attributes\":{{\"x\":{value}}}"));
        assert_eq!(refusal(&line), due, "{value}");
    }
    assert_eq!(refusal(&payment(json!({"attributes": [1]}))), "invalid_field attributes");
    assert_eq!(refusal(&payment(json!({"attributes": null}))), "");
}

#[test]
fn feedback_says_what_it_is_about() {
    let all = json!({"verdict": "fraud", "source": "customer", "scope": "account"});
    let answer = |fields: Value| {
        let mut all = all.clone();
        for (name, value) in fields.as_object().unwrap() {
            all[name] = value.clone();
        }
        refusal(&event("feedback", "f", 1, all))
    };
    for (fields, due) in [
        (json!({}), ""),
        (json!({"verdict": null}), "missing_field verdict"),
        (json!({"verdict": "maybe"}), "invalid_field verdict"),
        (json!({"source": null}), "missing_field source"),
        (json!({"source": "nobody"}), "invalid_field source"),
        (json!({"scope": null}), "missing_field scope"),
        (json!({"scope": "card"}), "invalid_field scope"),
        (json!({"scope": null, "case_id": "x"}), ""),
        (json!({"scope": null, "event_ids": []}), ""),
        (json!({"scope": null, "card_id": "c"}), ""),
        (json!({"event_ids": ["a", ""]}), "invalid_field event_ids"),
        (json!({"event_ids": ["a", 5]}), "invalid_field event_ids"),
        (json!({"event_ids": "a"}), "invalid_field event_ids"),
        (json!({"except_event_ids": ["x".repeat(129)]}), "invalid_field except_event_ids"),
        (json!({"note": "x".repeat(257)}), "invalid_field note"),
        (json!({"from": 1.5}), "invalid_field from"),
        (json!({"to": i64::MAX}), ""),
        (json!({"suspend": "account"}), ""),
        (json!({"suspend": "world"}), "invalid_field suspend"),
        (json!({"suspend": "card"}), "missing_field card_id"),
        (json!({"suspend": "card", "card_id": "c"}), ""),
        (json!({"suspend": "account", "verdict": "legitimate"}), "invalid_field suspend"),
        (json!({"suspend": null, "verdict": "legitimate"}), ""),
        // The rest of the table first, then these in their own order.
        (json!({"verdict": null, "source": null, "tender": "cash"}), "invalid_field tender"),
        (json!({"verdict": null, "source": "nobody"}), "missing_field verdict"),
        (json!({"note": 5, "scope": null}), "invalid_field note"),
    ] {
        assert_eq!(answer(fields.clone()), due, "{fields}");
    }
}

#[test]
fn a_tick_needs_its_time_alone_and_is_of_every_partition() {
    let tick = |more: &str| format!("{{\"type\":\"tick\",\"event_time\":5000{more}}}");
    assert_eq!(refusal(&tick("")), "");
    assert_eq!(refusal(&tick(",\"account_id\":5,\"amount_minor\":-1,\"attributes\":[]")), "");
    assert_eq!(refusal("{\"type\":\"tick\"}"), "missing_field event_time");
    assert_eq!(refusal("{\"type\":\"tick\",\"event_time\":\"5\"}"), "invalid_field event_time");
    assert_eq!(refusal(&tick(",\"event_time\":5")), "invalid_json");
    // It is no repeat, never too old, and moves no clock: the payments are neither late nor old.
    let day = 86_400_000;
    let later = tick("").replace("5000", &(9 * day).to_string());
    let lines = [
        authorization("e1", 3 * day, json!({})),
        tick(""),
        tick(""),
        later,
        authorization("e2", 3 * day, json!({})),
    ];
    let written = run(&settings(""), &lines);
    assert_eq!(written.refusals(), [""; 0]);
    assert_eq!(written.decisions()[1]["state"], "complete");
    // One event in the statistics, however many partitions there are.
    let spread = run_spread(&settings(""), 7, Emit::All, &lines);
    assert_eq!(spread.statistics.events(), 5);
}

#[test]
fn a_repeat_is_known_for_the_horizon() {
    let config = "[input]\ndedupe_horizon = \"10s\"\nallowed_lateness = \"10s\"";
    let fates = |lines: &[String]| {
        let statistics = run(&settings(config), lines).statistics;
        holdfast::decision::Fate::ALL.map(|fate| statistics.of_fate(fate))
    };
    let at = |id: &str, time: i64| authorization(id, time, json!({}));
    // The clock has moved by the horizon, then by a millisecond more.
    assert_eq!(fates(&[at("e", 0), at("f", 10_000), at("e", 9000)]), [2, 0, 0, 0, 1, 0]);
    assert_eq!(fates(&[at("e", 0), at("f", 10_001), at("e", 9000)]), [3, 0, 0, 0, 0, 0]);
    // With its own time it is too old by then: never counted twice.
    assert_eq!(fates(&[at("e", 0), at("f", 10_001), at("e", 0)]), [2, 0, 0, 0, 0, 1]);
    assert_eq!(fates(&[at("f", 10_000), at("e", 0)]), [2, 0, 0, 0, 0, 0]);
    // What counts is the clock just after it, not its own time.
    let late = [at("f", 10_000), at("e", 0), at("g", 20_000), at("e", 0)];
    assert_eq!(fates(&late), [3, 0, 0, 0, 1, 0]);
    // An id is of its account; type and content do not matter.
    let other = authorization("e", 0, json!({"account_id": "b"}));
    let login = event("login", "e", 0, json!({}));
    assert_eq!(fates(&[at("e", 0), other, login]), [2, 0, 0, 0, 1, 0]);
}
