//! Answers nobody would give who knew what he was answering: of what is unknown, of too much, too
//! early, too late, and again in another way. None of them stops the stream, and none does more than
//! it says.

use holdfast::decision::Fate;
use serde_json::{Value, json};

use super::settings;
use crate::support::run::{Written, authorization, event, json_lines, run};

/// Two on a card within an hour are held, with the earlier one.
const CONFIG: &str = r#"
[[counter]]
name = "card_1h"
key = ["card_id"]
count = true
window = "1h"
[[rule]]
id = "burst"
when = "card_1h >= 2"
action = "hold"
target = "card"
reach = ["card_1h"]
answer_by = ["customer", "analyst"]
[cases]
expires = "6h"
memory = "1h"
grace = "1d"
"#;

const MINUTE: i64 = 60_000;
const BEGIN: i64 = 1_767_571_200_000;

/// At this minute.
fn at(minute: i64) -> i64 {
    BEGIN + minute * MINUTE
}

/// `e1` passes and `e2` is held, which links `e1` and suspends the card.
fn held() -> Vec<String> {
    vec![authorization("e1", at(0), json!({})), authorization("e2", at(1), json!({}))]
}

/// Feedback `f` of the customer at this minute.
fn answer(id: &str, minute: i64, verdict: &str, scope: Value) -> String {
    let Value::Object(mut fields) = scope else { panic!("fields of a scope") };
    fields.insert("verdict".to_owned(), verdict.into());
    fields.entry("source").or_insert_with(|| "customer".into());
    event("feedback", id, at(minute), Value::Object(fields))
}

/// What became of what was held, then how many answers were applied and ignored:
/// `e2 release by f | 1 0`.
fn outcome(written: &Written) -> String {
    let follow_ups = json_lines(&written.decisions).into_iter().filter_map(|line| {
        let trigger = line.get("trigger").filter(|_| line["schema"] == "holdfast.decision/1")?;
        let text = |value: &Value| value.as_str().unwrap_or("the deadline").to_owned();
        let by = text(&trigger["event_id"]);
        Some(format!("{} {} by {by}", text(&line["event_id"]), text(&line["action"])))
    });
    let follow_ups: Vec<String> = follow_ups.collect();
    let statistics = &written.statistics;
    let fate = |fate| statistics.of_fate(fate);
    let (applied, ignored) = (fate(Fate::Applied), fate(Fate::Ignored));
    format!("{} | {applied} {ignored}", follow_ups.join(", "))
}

/// What becomes of the two after these answers.
fn after(answers: &[String]) -> String {
    let mut lines = held();
    lines.extend_from_slice(answers);
    outcome(&run(&settings(CONFIG), &lines))
}

#[test]
fn an_answer_about_nothing_known_is_ignored() {
    for scope in [
        json!({"case_id": "e1"}),
        json!({"case_id": "nobody's"}),
        json!({"case_id": ""}),
        json!({"event_ids": ["e1", "e3"]}),
        json!({"event_ids": []}),
        json!({"card_id": "another"}),
        json!({"account_id": "another", "scope": "account"}),
        json!({"account_id": "another", "case_id": "e2"}),
        json!({"account_id": "another", "event_ids": ["e2"]}),
    ] {
        assert_eq!(after(&[answer("f", 2, "legitimate", scope.clone())]), " | 0 1", "{scope}");
    }
}

#[test]
fn a_scope_may_name_a_thousand() {
    let thousand = |with: &str| {
        let mut ids: Vec<String> = (0..1000).map(|n| format!("unknown-{n}")).collect();
        ids[700] = with.to_owned();
        ids
    };
    let scope = json!({"event_ids": thousand("e2")});
    assert_eq!(after(&[answer("f", 2, "legitimate", scope)]), "e2 release by f | 1 0");
    let scope = json!({"event_ids": thousand("nobody")});
    assert_eq!(after(&[answer("f", 2, "legitimate", scope)]), " | 0 1");
    let scope = json!({"scope": "account", "except_event_ids": thousand("e1")});
    assert_eq!(after(&[answer("f", 2, "fraud", scope)]), "e2 cancel by f | 1 0");
    let scope = json!({"scope": "account", "except_event_ids": thousand("e2")});
    assert_eq!(after(&[answer("f", 2, "fraud", scope)]), "e1 reverse by f, e2 release by f | 1 0");
}

#[test]
fn a_scope_ends_where_its_times_end() {
    for (from, to, due) in [
        (0, 1, "e1 reverse by f, e2 cancel by f | 1 0"),
        (1, 1, "e2 cancel by f | 1 0"),
        (0, 0, "e1 reverse by f | 1 0"),
        (2, 9, " | 0 1"),
        (1, 0, " | 0 1"),
    ] {
        let scope = json!({"scope": "account", "from": at(from), "to": at(to)});
        assert_eq!(after(&[answer("f", 2, "fraud", scope)]), due, "from {from} to {to}");
    }
    let ever = json!({"scope": "account", "from": i64::MIN, "to": i64::MAX});
    let due = "e1 reverse by f, e2 cancel by f | 1 0";
    assert_eq!(after(&[answer("f", 2, "fraud", ever)]), due);
}

#[test]
fn an_answer_of_the_past_is_of_what_is_known_now() {
    // Its own time is before the events that it speaks of; what counts is its place in the log.
    let late = answer("f", -30, "legitimate", json!({"case_id": "e2"}));
    assert_eq!(after(&[late]), "e2 release by f | 1 0");
}

#[test]
fn an_answer_of_the_future_comes_after_the_deadlines_before_it() {
    let scope = || json!({"case_id": "e2"});
    let in_time = answer("f", 1 + 6 * 60 - 1, "legitimate", scope());
    assert_eq!(after(&[in_time]), "e2 release by f | 1 0");
    let at_the_deadline = answer("f", 1 + 6 * 60, "legitimate", scope());
    assert_eq!(after(&[at_the_deadline]), "e2 cancel by the deadline | 1 0");
    let forgotten = answer("f", 1 + 30 * 60, "fraud", scope());
    // The case was closed when the clock came to `f`, and is remembered from then on.
    assert_eq!(after(&[forgotten]), "e2 cancel by the deadline, e1 reverse by f | 1 0");
    let beyond = [
        event("login", "later", at(1 + 7 * 60), json!({})),
        answer("f", 1 + 9 * 60, "fraud", scope()),
    ];
    assert_eq!(after(&beyond), "e2 cancel by the deadline | 0 1");
}

#[test]
fn of_three_answers_the_first_that_counts_stands() {
    let case = || json!({"case_id": "e2"});
    let three = [
        answer("f1", 2, "legitimate", case()),
        answer("f2", 3, "policy_breach", case()),
        answer("f3", 4, "fraud", case()),
    ];
    // What was released has passed: only fraud has more to say of it.
    assert_eq!(after(&three), "e2 release by f1, e1 reverse by f3, e2 reverse by f3 | 2 1");
    let three = [
        answer("f1", 2, "fraud", case()),
        answer("f2", 3, "legitimate", case()),
        answer("f3", 4, "fraud", case()),
    ];
    assert_eq!(after(&three), "e1 reverse by f1, e2 cancel by f1 | 1 2");
    let again = [answer("f1", 2, "legitimate", case()), answer("f2", 3, "legitimate", case())];
    assert_eq!(after(&again), "e2 release by f1 | 1 1");
}

#[test]
fn who_may_not_answer_is_noted_and_changes_nothing() {
    let scope = |source: &str| json!({"case_id": "e2", "source": source});
    let answers = [
        answer("f1", 2, "legitimate", scope("issuer")),
        answer("f2", 3, "legitimate", scope("chargeback")),
        answer("f3", 4, "legitimate", scope("analyst")),
    ];
    assert_eq!(after(&answers), "e2 release by f3 | 3 0");
}

#[test]
fn a_target_without_its_fields_is_one_of_those_without() {
    let config = CONFIG
        .replace("\"card\"", "[\"device_id\", \"ip\"]")
        .replace("key = [\"card_id\"]", "key = [\"account_id\"]");
    let lines = [
        authorization("e1", at(0), json!({"device_id": "d"})),
        // Held: opens a case on no device and no address.
        authorization("e2", at(1), json!({"card_id": null})),
        // Declined with it, whatever its card.
        authorization("e3", at(2), json!({"card_id": "other"})),
        // Another target: held in its own right.
        authorization("e4", at(3), json!({"device_id": "d"})),
        authorization("e5", at(4), json!({"ip": "192.0.2.1"})),
    ];
    let written = run(&settings(&config), &lines);
    let actions: Vec<String> = written
        .decisions()
        .iter()
        .map(|d| {
            format!("{} {}", d["action"].as_str().unwrap(), d["case_id"].as_str().unwrap_or("-"))
        })
        .collect();
    assert_eq!(actions, ["allow -", "hold e2", "decline e2", "hold e4", "hold e5"]);
}

#[test]
fn no_bad_answer_keeps_the_next_from_being_decided() {
    let bad = [
        answer("f1", 2, "perhaps", json!({"case_id": "e2"})),
        answer("f2", 2, "fraud", json!({})),
        answer("f3", 2, "fraud", json!({"case_id": "e2", "source": "the press"})),
        answer("f4", 2, "fraud", json!({"event_ids": "e2"})),
        answer("f5", 2, "legitimate", json!({"scope": "account", "suspend": "account"})),
    ];
    let mut lines = held();
    lines.extend(bad);
    lines.push(answer("f6", 3, "legitimate", json!({"case_id": "e2"})));
    let written = run(&settings(CONFIG), &lines);
    assert_eq!(written.dead_letters().len(), 5);
    assert_eq!(outcome(&written), "e2 release by f6 | 1 0");
}
