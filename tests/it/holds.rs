//! The life of a hold, over random logs: what must be true of any of them, whatever they say.

use std::collections::HashMap;

use bumpalo::Bump;
use holdfast::{
    config::Settings,
    decision::{CaseRecord, Decision, Fate, FollowUp, Outbox},
    engine::{Engine, EngineState},
    wire::{
        decode::{Hints, decode},
        encode,
    },
};
use proptest::prelude::*;
use serde_json::Value;

const RULES: &str = r#"
[[counter]]
name = "card_1h"
key = ["card_id"]
count = true
window = "1h"
[[counter]]
name = "account_1h"
key = ["account_id"]
sum = "amount_minor"
currency = "any"
window = "1h"
standing = true
[[counter]]
name = "device_1h"
key = ["account_id", "device_id"]
missing = "group"
count = true
window = "1h"
[[rule]]
id = "card_burst"
when = "card_1h >= 3"
action = "hold"
target = "card"
reach = ["card_1h"]
expires = "2h"
[[rule]]
id = "device_burst"
when = "device_1h >= 4"
action = "verify"
target = ["device_id"]
reach = ["device_1h"]
on_expiry = "release"
[[rule]]
id = "account_limit"
when = "account_1h > 9000"
action = "hold"
target = "account"
while_suspended = "hold"
answer_by = ["analyst"]
[[rule]]
id = "odd"
when = "amount_minor % 7 == 3"
action = "review"
[cases]
expires = "6h"
grace = "1d"
memory = "1d"
[limits]
pending_per_account = 5
linked_events = 4
"#;

/// Everything that goes out, as lines.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn push(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        let mut line = Vec::new();
        encode(&mut line);
        self.0.push(String::from_utf8(line).unwrap());
    }
}

impl Outbox for Lines {
    fn decision(&mut self, decision: &Decision<'_>) {
        self.push(|line| encode::decision(decision, line));
    }

    fn follow_up(&mut self, follow_up: &FollowUp<'_>) {
        self.push(|line| encode::follow_up(follow_up, line));
    }

    fn case_record(&mut self, record: &CaseRecord<'_>) {
        self.push(|line| encode::case_record(record, line));
    }
}

fn process(engine: &mut Engine, line: &str) -> (Fate, Vec<String>) {
    let arena = Bump::new();
    let event = decode(line.as_bytes(), &mut Hints::default(), &arena).expect(line);
    let mut lines = Lines::default();
    let fate = engine.process(event, &mut lines).expect(line);
    (fate, lines.0)
}

fn engine() -> Engine {
    let settings = Settings::read("holds.toml", RULES.to_owned(), &[]).unwrap();
    Engine::new(settings.ruleset)
}

fn restarted(engine: &Engine) -> Engine {
    let text = serde_json::to_vec(&engine.snapshot()).unwrap();
    let state: EngineState = serde_json::from_slice(&text).unwrap();
    Engine::restore(engine.ruleset().clone(), state)
}

/// One line of a log: the number names the event, the time is in minutes.
fn line(n: usize, at: i64, kind: u8, a: u8, b: u8, c: u8) -> String {
    let account = a % 2;
    let time = 1_767_571_200_000 + at * 60_000;
    let base = format!("\"event_id\":\"e{n}\",\"event_time\":{time},\"account_id\":\"a{account}\"");
    let earlier = n.saturating_sub(1 + usize::from(c % 6));
    match kind {
        0..=69 => {
            let device = if b.is_multiple_of(3) {
                String::new()
            } else {
                format!(",\"device_id\":\"d{}\"", b % 3)
            };
            format!(
                "{{{base},\"card_id\":\"c{}\",\"amount_minor\":{},\"currency\":\"JPY\"{device}}}",
                b % 2,
                u32::from(c) * 10
            )
        }
        70..=76 => format!("{{{base},\"type\":\"reversal\",\"ref_event_id\":\"e{earlier}\"}}"),
        77..=80 => format!("{{\"type\":\"tick\",\"event_time\":{time}}}"),
        _ => {
            let verdict = ["legitimate", "fraud", "policy_breach", "no_answer", "restored"];
            let verdict = verdict[usize::from(b) % verdict.len()];
            let source = ["customer", "analyst"][usize::from(b / 16) % 2];
            let scope = match c % 5 {
                0 => format!("\"case_id\":\"e{earlier}\""),
                1 => format!("\"event_ids\":[\"e{earlier}\",\"e{}\"]", earlier / 2),
                2 => "\"card_id\":\"c1\"".to_owned(),
                3 => format!("\"scope\":\"account\",\"except_event_ids\":[\"e{earlier}\"]"),
                _ => "\"scope\":\"account\"".to_owned(),
            };
            let suspend = if verdict == "fraud" && c % 5 == 2 && c > 100 {
                ",\"suspend\":\"card\""
            } else {
                ""
            };
            format!(
                "{{{base},\"type\":\"feedback\",\"verdict\":\"{verdict}\",\"source\":\"{source}\",{scope}{suspend}}}"
            )
        }
    }
}

type Step = (i64, u8, u8, u8, u8);

fn log(steps: &[Step]) -> Vec<String> {
    let mut at = 0;
    let each = |(n, (after, kind, a, b, c)): (usize, &Step)| {
        at += after;
        line(n, at, *kind, *a, *b, *c)
    };
    steps.iter().enumerate().map(each).collect()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![8 => 0..12i64, 1 => 60..600i64];
    prop::collection::vec((after, 0..100u8, any::<u8>(), any::<u8>(), any::<u8>()), 1..160)
}

/// What has been seen to happen to events and cases.
#[derive(Default)]
struct Seen {
    /// By event: `verify` or `hold`, then what follows.
    answers: HashMap<String, Vec<String>>,
    /// By case, its last status.
    statuses: HashMap<String, String>,
}

impl Seen {
    /// `before` are the statuses before the event that caused the line.
    fn note(&mut self, line: &str, before: &HashMap<String, String>) {
        let value: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        if value["schema"] == "holdfast.case/1" {
            let amounts = value["totals"].as_array().unwrap().iter().flat_map(|row| {
                row.as_object().unwrap().values().filter_map(Value::as_i64).collect::<Vec<_>>()
            });
            assert!(amounts.clone().all(|amount| amount >= 0), "{line}");
            let status = text("status");
            let last = self.statuses.insert(text("case_id"), status.clone());
            assert!(last.as_deref() != Some("closed") || status == "closed", "reopened: {line}");
            return;
        }
        let answers = self.answers.entry(text("event_id")).or_default();
        match (&*text("action"), answers.last().map(String::as_str)) {
            ("release" | "cancel", before) => {
                assert!(matches!(before, Some("verify" | "hold")), "not pending: {line}");
            }
            ("reverse", before) => assert!(
                matches!(before, Some("release" | "allow" | "review")),
                "had not passed: {before:?} {line}"
            ),
            (_, before) => assert_eq!(before, None, "decided twice: {line}"),
        }
        answers.push(text("action"));
        for reason in value["reasons"].as_array().into_iter().flatten() {
            let due = match reason["rule"].as_str() {
                Some("suspended") => "suspended",
                Some("confirmed_fraud") => "confirmed",
                _ => continue,
            };
            // The limit of pending events leaves the case out.
            if let Some(case) = value["case_id"].as_str() {
                assert_eq!(before.get(case).map(String::as_str), Some(due), "{line}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_answered_was_asked_and_what_is_suspended_has_a_case(steps in steps()) {
        let (mut engine, mut seen) = (engine(), Seen::default());
        for line in log(&steps) {
            let (_, out) = process(&mut engine, &line);
            // What the deadlines of an event change is before its decision.
            let mut before = seen.statuses.clone();
            for line in out {
                seen.note(&line, &before);
                if !line.contains("\"trigger\":{\"type\":\"decision\"") {
                    before = seen.statuses.clone();
                }
            }
        }
    }

    #[test]
    fn cut_anywhere_and_restored_the_same_bytes(steps in steps(), cut in any::<prop::sample::Index>()) {
        let lines = log(&steps);
        let cut = cut.index(lines.len());
        let (mut whole, mut other) = (engine(), engine());
        for (at, line) in lines.iter().enumerate() {
            if at == cut {
                other = restarted(&other);
            }
            prop_assert_eq!(process(&mut whole, line), process(&mut other, line), "{} {}", at, line);
        }
        prop_assert_eq!(whole.snapshot().cases, other.snapshot().cases);
    }

    #[test]
    fn a_repeated_answer_is_ignored(steps in steps()) {
        let mut engine = engine();
        for (n, line) in log(&steps).iter().enumerate() {
            let (_, _) = process(&mut engine, line);
            // The same answer once more, as another event at the same moment.
            if line.contains("\"feedback\"") && !line.contains("no_answer") {
                let again = line.replacen(&format!("\"e{n}\""), &format!("\"again{n}\""), 1);
                let deaf = line.contains("\"customer\"") && !line.contains("\"verdict\":\"fraud\"");
                let (fate, out) = process(&mut engine, &again);
                if !deaf {
                    prop_assert_eq!((fate, out), (Fate::Ignored, Vec::new()), "{}", again);
                }
            }
        }
    }

    #[test]
    fn nothing_of_a_case_stays_after_its_end(steps in steps()) {
        let mut engine = engine();
        let lines = log(&steps);
        // No confirmed case is left alone: the accounts are safe again.
        for line in &lines {
            process(&mut engine, line);
        }
        let minutes: i64 = steps.iter().map(|step| step.0).sum();
        for account in 0..2 {
            let (n, at) = (100_000 + account, minutes + 1);
            let time = 1_767_571_200_000 + at * 60_000;
            process(&mut engine, &format!(
                "{{\"event_id\":\"e{n}\",\"event_time\":{time},\"account_id\":\"a{account}\",\"type\":\"feedback\",\
                 \"verdict\":\"restored\",\"source\":\"analyst\",\"scope\":\"account\"}}"
            ));
        }
        // With events of somebody else: first every deadline comes, and days later all is forgotten.
        for n in 0..40 {
            let days = if n == 0 { 5 } else { 10 };
            let time = 1_767_571_200_000 + (minutes + 2 + days * 1_440 + n) * 60_000;
            process(&mut engine, &format!(
                "{{\"event_id\":\"l{n}\",\"event_time\":{time},\"account_id\":\"other\",\"type\":\"login\"}}"
            ));
        }
        let state = engine.snapshot().cases;
        prop_assert!(state.cases.is_empty() && state.members.is_empty() && state.graces.is_empty(), "{:?}", state);
    }
}

#[test]
fn a_deadline_goes_before_an_answer_of_the_same_millisecond() {
    let mut engine = engine();
    let auth = |n: usize, minute: i64| line(n, minute, 0, 0, 3, 10);
    let mut out = Vec::new();
    for n in 0..3 {
        out = process(&mut engine, &auth(n, 0)).1;
    }
    assert!(out[0].contains("\"action\":\"hold\""), "{out:?}");
    let answer = |minute: i64| {
        let time = 1_767_571_200_000 + minute * 60_000;
        format!(
            "{{\"event_id\":\"f\",\"event_time\":{time},\"account_id\":\"a0\",\"type\":\"feedback\",\
             \"verdict\":\"legitimate\",\"source\":\"customer\",\"case_id\":\"e2\"}}"
        )
    };
    let (_, out) = process(&mut engine, &answer(120));
    assert!(
        out[0].contains("\"action\":\"cancel\"") && out[0].contains("\"type\":\"expiry\""),
        "{out:?}"
    );
}
