//! Limits on memory and work of cases: what happens at each, and that an account that is hammered
//! costs no more than what it waits for.

use holdfast::engine::Engine;
use serde_json::{Value, json};

use crate::support::{
    partition::{engine, process, restarted},
    run::{authorization, event},
};

const START_MS: i64 = 1_767_571_200_000;
const MINUTE_MS: i64 = 60_000;

/// What an event gives out, as JSON.
fn next(engine: &mut Engine, line: &str) -> Vec<Value> {
    let (_, out) = process(engine, line);
    out.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The decision of an authorization, which comes first if nothing is due.
fn decide(engine: &mut Engine, id: &str, minute: i64, fields: Value) -> Value {
    next(engine, &authorization(id, START_MS + minute * MINUTE_MS, fields)).swap_remove(0)
}

/// Who had a say, and what each asked for.
fn reasons(decision: &Value) -> Vec<(&str, &str)> {
    let reasons = decision["reasons"].as_array().unwrap().iter();
    reasons.map(|r| (r["rule"].as_str().unwrap(), r["action"].as_str().unwrap())).collect()
}

const ASKS: &str = r#"
[[rule]]
id = "large"
when = "amount_minor >= 1000"
action = "verify"
expires = "1h"
[[rule]]
id = "look"
when = "amount_minor == 500"
action = "review"
expires = "1m"
[limits]
pending_per_account = 2
[cases]
memory = "1h"
"#;

#[test]
fn what_would_wait_beyond_the_limit_is_declined_and_asks_nothing() {
    let mut engine = engine(ASKS);
    let large = json!({"amount_minor": 1000});
    for id in ["e1", "e2"] {
        let waits = decide(&mut engine, id, 0, large.clone());
        assert_eq!((&waits["action"], &waits["case_id"]), (&json!("verify"), &json!(id)));
    }
    let out = next(&mut engine, &authorization("e3", START_MS, large.clone()));
    assert_eq!(out.len(), 1, "no case: {out:?}");
    assert_eq!(out[0]["action"], "decline");
    assert_eq!(reasons(&out[0]), [("large", "verify"), ("limit", "decline")]);
    let absent = ["case_id", "expires_at", "linked_events"];
    assert!(absent.iter().all(|field| out[0][field].is_null()), "{}", out[0]);

    // What does not wait is not concerned, nor is anybody else.
    let look = decide(&mut engine, "e4", 0, json!({"amount_minor": 500}));
    assert_eq!((&look["action"], &look["case_id"]), (&json!("review"), &json!("e4")));
    let other = decide(&mut engine, "e5", 0, json!({"amount_minor": 1000, "account_id": "b"}));
    assert_eq!(other["action"], "verify");

    // An answer makes room for one.
    let answer = json!({"verdict": "legitimate", "source": "customer", "event_ids": ["e1", "e3"]});
    let out = next(&mut engine, &event("feedback", "f", START_MS, answer));
    assert_eq!(out[0]["action"], "release", "{out:?}");
    assert_eq!(out.iter().filter(|line| line["event_id"] == "e3").count(), 0, "{out:?}");
    let mut actions = Vec::new();
    for id in ["e6", "e7"] {
        // The grace is on the card that was answered for.
        let large = json!({"amount_minor": 1000, "card_id": "c2"});
        actions.push(decide(&mut engine, id, 0, large)["action"].clone());
    }
    assert_eq!(actions, ["verify", "decline"]);
}

const SUSPENDS: &str = r#"
[[counter]]
name = "n1h"
key = ["account_id"]
count = true
window = "1h"
[[rule]]
id = "burst"
when = "n1h >= 5"
action = "hold"
target = "account"
reach = ["n1h"]
while_suspended = "hold"
expires = "1h"
[limits]
pending_per_account = 3
linked_events = 3
"#;

#[test]
fn what_a_suspension_would_hold_beyond_the_limit_is_declined_without_its_case() {
    let mut engine = engine(SUSPENDS);
    for n in 1..=4 {
        assert_eq!(decide(&mut engine, &format!("e{n}"), n, json!({}))["action"], "allow");
    }
    for id in ["e5", "e6", "e7"] {
        let held = decide(&mut engine, id, 5, json!({}));
        assert_eq!((&held["action"], &held["case_id"]), (&json!("hold"), &json!("e5")));
    }
    let beyond = decide(&mut engine, "e8", 6, json!({}));
    assert_eq!(beyond["action"], "decline");
    let why = [("burst", "hold"), ("suspended", "hold"), ("limit", "decline")];
    assert_eq!(reasons(&beyond), why);
    assert!(beyond["case_id"].is_null() && beyond["expires_at"].is_null(), "{beyond}");
}

#[test]
fn a_case_links_the_newest_and_says_when_there_were_more() {
    for (before, truncated) in [(4, true), (3, false)] {
        let rules = SUSPENDS.replace("n1h >= 5", &format!("n1h >= {}", before + 1));
        let mut engine = engine(&rules);
        for n in 1..=before {
            decide(&mut engine, &format!("e{n}"), n, json!({}));
        }
        let held = decide(&mut restarted(&engine), "held", 10, json!({}));
        assert_eq!(held, decide(&mut engine, "held", 10, json!({})));
        let linked = held["linked_events"].as_array().unwrap().iter();
        let linked: Vec<&str> = linked.map(|of| of["event_id"].as_str().unwrap()).collect();
        let newest: Vec<String> = (before - 2..=before).map(|n| format!("e{n}")).collect();
        assert_eq!(linked, newest);
        assert_eq!(held["linked_truncated"], if truncated { json!(true) } else { Value::Null });
    }
}

/// A million authorizations that would wait, on one account: as many wait as may, and what was kept
/// of them goes.
#[test]
fn a_burst_on_one_account_costs_what_may_wait() {
    const EVENTS: i64 = 1_000_000;
    const MAY_WAIT: usize = 10_000;
    let rules =
        ASKS.replace("pending_per_account = 2", &format!("pending_per_account = {MAY_WAIT}"));
    let mut engine = engine(&rules);
    let (mut waiting, mut limited) = (0, 0);
    for n in 0..EVENTS {
        let line = authorization(&format!("e{n}"), START_MS + n, json!({"amount_minor": 1000}));
        let (_, out) = process(&mut engine, &line);
        match out[0].contains("\"rule\":\"limit\"") {
            true => limited += usize::from(out.len() == 1),
            false => waiting += usize::from(out.len() == 2),
        }
    }
    assert_eq!((waiting, limited), (MAY_WAIT, EVENTS as usize - MAY_WAIT));
    let cases = engine.snapshot().cases;
    assert_eq!((cases.cases.len(), cases.members.len()), (MAY_WAIT, MAY_WAIT));

    // All deadlines come at once; the answers are remembered for an hour, then forgotten bit by bit.
    let later = START_MS + EVENTS + 60 * MINUTE_MS;
    let login = |n: i64, at: i64| event("login", &format!("l{n}"), at, json!({"account_id": "b"}));
    let out = next(&mut engine, &login(0, later));
    let cancelled = out.iter().filter(|line| line["action"] == "cancel").count();
    assert_eq!((cancelled, out.len()), (MAY_WAIT, 2 * MAY_WAIT));
    let mut forgotten = 0;
    while !engine.snapshot().cases.cases.is_empty() {
        forgotten += 1;
        process(&mut engine, &login(forgotten, later + 61 * MINUTE_MS));
        assert!(forgotten <= MAY_WAIT as i64 / 60, "something of it stays");
    }
    let cases = engine.snapshot().cases;
    assert!(cases.members.is_empty() && cases.accounts.names.iter().all(|name| name.is_empty()));
}

/// A million cases of one account, closed one after the other while it goes on, and found by name
/// among all of them: each step costs what it concerns.
#[test]
fn a_hot_account_forgets_its_cases_as_they_end() {
    const EVENTS: i64 = 1_000_000;
    // What is answered is asked again.
    let rules = ASKS.replace("[cases]", "[cases]\ngrace = \"1ms\"");
    let mut engine = engine(&rules);
    let mut most = 0;
    for n in 0..EVENTS {
        // Sixty thousand in an hour, which is how long one is remembered.
        let at = START_MS + n * 60;
        let line = authorization(&format!("e{n}"), at, json!({"amount_minor": 500}));
        process(&mut engine, &line);
        if n % 1000 == 500 {
            let answer = json!({
                "verdict": "legitimate", "source": "customer", "case_id": format!("e{n}"),
            });
            let answer = event("feedback", &format!("f{n}"), at, answer);
            let (_, out) = process(&mut engine, &answer);
            assert_eq!(out.len(), 1, "it closes one case: {out:?}");
        }
        if n % 100_000 == 99_999 {
            most = most.max(engine.snapshot().cases.cases.len());
        }
    }
    assert!(most <= 63_000, "{most} cases");
}

/// Ten thousand payments of one card are answered for at once: the graces say the same, and one is
/// kept.
#[test]
fn graces_of_one_card_are_one() {
    const EVENTS: i64 = 10_000;
    let mut engine = engine(ASKS);
    for n in 0..EVENTS {
        let line = authorization(&format!("e{n}"), START_MS + n, json!({"amount_minor": 500}));
        process(&mut engine, &line);
    }
    let answer = json!({"verdict": "legitimate", "source": "customer", "scope": "account"});
    let (_, out) = process(&mut engine, &event("feedback", "f", START_MS + EVENTS, answer));
    assert_eq!(out.len() as i64, EVENTS, "a record of each case");
    assert_eq!(engine.snapshot().cases.graces.len(), 1);
    for mut engine in [restarted(&engine), engine] {
        let quiet = decide(&mut engine, "quiet", 1, json!({"amount_minor": 500}));
        assert_eq!((&quiet["action"], &quiet["suppressed"]), (&json!("allow"), &json!(["look"])));
    }
}

/// Each device of a hundred thousand on one account opens a case, which reaches back over its own.
#[test]
fn reaching_back_looks_at_its_own_key() {
    const DEVICES: i64 = 100_000;
    let rules = r#"
[[counter]]
name = "device_24h"
key = ["account_id", "device_id"]
count = true
window = "24h"
[[rule]]
id = "third"
when = "device_24h >= 3"
action = "review"
expires = "1m"
reach = ["device_24h"]
[cases]
memory = "1m"
"#;
    let mut engine = engine(rules);
    for n in 0..3 * DEVICES {
        let device = json!({"device_id": format!("d{}", n / 3)});
        let line = authorization(&format!("e{n}"), START_MS + n * 100, device);
        let (_, out) = process(&mut engine, &line);
        if n % 30_000 == 2 {
            // What comes due stands before it.
            let decision = out.iter().find(|line| line.contains("\"action\":\"review\"")).unwrap();
            let decision: Value = serde_json::from_str(decision).unwrap();
            let linked = decision["linked_events"].as_array().unwrap().iter();
            let linked: Vec<&Value> = linked.map(|of| &of["event_id"]).collect();
            assert_eq!(linked, [&json!(format!("e{}", n - 2)), &json!(format!("e{}", n - 1))]);
        }
    }
}
