//! What a story says of answers: whether they count, of when they speak, whom they spare.

use holdfast::incident::{Incident, text};
use serde_json::{Value, json};

use super::story;
use crate::support::run::{authorization, event, settings};

const RULES: &str = r#"
timezone = "Asia/Tokyo"
[[counter]]
name = "card_1h"
key = ["card_id"]
count = true
window = "1h"
[[rule]]
id = "burst"
when = "card_1h >= 3"
action = "hold"
target = "card"
answer_by = ["analyst"]
reach = ["card_1h"]
[[rule]]
id = "look"
when = "amount_minor == 7"
action = "review"
"#;
const START_MS: i64 = 1_767_571_200_000;

/// Three payments of a card, of which the third is held, and these answers, a minute apart.
fn told(answers: &[Value]) -> Incident {
    let mut lines: Vec<String> =
        (0..3).map(|n| authorization(&format!("e{n}"), START_MS + n, json!({}))).collect();
    for (n, answer) in (1..).zip(answers) {
        let at = START_MS + n * 60_000;
        lines.push(event("feedback", &format!("f{n}"), at, answer.clone()));
    }
    story(&settings(RULES), &lines)
}

/// In words, whatever their lines.
fn words(told: &Incident) -> String {
    text::render(told).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn counts(told: &Incident) -> Vec<Option<bool>> {
    let answers = told.timeline.iter().filter(|entry| entry.kind == "feedback");
    answers.map(|entry| entry.counts).collect()
}

#[test]
fn an_answer_that_does_not_count_is_told_as_such() {
    let answer = |source: &str, scope: Value| {
        let mut answer = json!({"verdict": "legitimate", "source": source});
        answer.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
        answer
    };
    for scope in [
        json!({"case_id": "e2"}),
        json!({"event_ids": ["e2"]}),
        json!({"card_id": "c"}),
        json!({"scope": "account"}),
    ] {
        let told = told(&[answer("customer", scope.clone()), answer("analyst", scope.clone())]);
        assert_eq!(counts(&told), [Some(false), None], "{scope}");
        let text = words(&told);
        let short = "legitimate (analyst), legitimate (customer, does not count)";
        assert!(text.contains(short), "{text}");
        assert!(text.contains("it does not count: a rule that asked takes none from customer"));
        assert!(!text.contains("released nothing"), "{text}");
    }
    // A case of which anybody may speak is among those that are meant.
    let mut lines = vec![authorization("r", START_MS - 1, json!({"amount_minor": 7}))];
    lines.extend((0..3).map(|n| authorization(&format!("e{n}"), START_MS + n, json!({}))));
    let all = answer("customer", json!({"scope": "account"}));
    lines.push(event("feedback", "f", START_MS + 9, all));
    assert_eq!(counts(&story(&settings(RULES), &lines)), [None]);
}

#[test]
fn what_ends_a_suspension_is_not_said_to_release_nothing() {
    let restored = json!({"verdict": "restored", "source": "analyst", "scope": "account"});
    let told = told(&[restored]);
    let text = words(&told);
    assert!(text.contains("case e2 (card c) is open"), "{text}");
    assert!(!text.contains("released nothing"), "{text}");
}

#[test]
fn a_stretch_of_time_is_told_with_both_its_bounds() {
    let (from, to) = (START_MS, START_MS + 1_500);
    let said = |more: Value| {
        let mut answer = json!({"verdict": "no_answer", "source": "analyst", "scope": "account"});
        answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        words(&told(&[answer]))
    };
    let both = said(json!({"from": from, "to": to}));
    let due = "(the account, 2026-01-05 09:00:00 to 2026-01-05 09:00:01.500)";
    assert!(both.contains(due), "{both}");
    assert!(said(json!({"from": from})).contains("(the account, from 2026-01-05 09:00:00 on)"));
    assert!(said(json!({"to": from})).contains("(the account, up to 2026-01-05 09:00:00)"));
}

/// What `fraud` excepts was the customer's own; what `legitimate` excepts was not.
#[test]
fn only_what_is_said_to_be_honest_is_spared() {
    let except = |verdict: &str| {
        let answer = json!({
            "verdict": verdict, "source": "analyst", "scope": "account",
            "except_event_ids": ["e0"],
        });
        let told = told(&[answer]);
        let of = told.spared.iter().find(|spared| spared.event_id == "e0");
        of.map(|spared| spared.why.clone())
    };
    assert_eq!(except("fraud").as_deref(), Some("excepted"));
    assert_ne!(except("legitimate").as_deref(), Some("excepted"));
}
