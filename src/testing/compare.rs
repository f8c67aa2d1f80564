//! Expected against actual, field by field. Only what is named is compared, inside of values too.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::wants::{ABSENT, NONE};

/// One field, as it was expected and as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) actual: String,
    pub(super) holds: bool,
}

impl Row {
    fn of(what: &str, want: &Json, got: &Json) -> Row {
        Row {
            what: what.to_owned(),
            expected: told(want),
            actual: told(&as_named(want, got)),
            holds: matches(want, got),
        }
    }
}

/// A row for each thing that is expected; of counters and cases, one for each of them.
pub(super) fn rows(wants: &Map<String, Json>, actual: &Map<String, Json>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (key, want) in wants {
        let got = actual.get(key).unwrap_or(&Json::Null);
        match (key.as_str(), want) {
            ("counters", Json::Object(want)) => rows.extend(
                want.iter()
                    .map(|(name, want)| Row::of(name, want, got.get(name).unwrap_or(&Json::Null))),
            ),
            ("cases", Json::Object(want)) => {
                let none = Map::new();
                let got = got.as_object().unwrap_or(&none);
                let ids: BTreeSet<&String> = want.keys().chain(got.keys()).collect();
                for id in ids {
                    let none = NONE.into();
                    let want = want.get(id).unwrap_or(&none);
                    let record = got.get(id).unwrap_or(&Json::Null);
                    let status = record.get("status").unwrap_or(&Json::Null);
                    let got = if want.is_object() { record } else { status };
                    rows.push(Row::of(&format!("case {id}"), want, got));
                }
            }
            ("not_rules", want) => {
                let spoke: Vec<&Json> = ["rules", "shadow", "suppressed"]
                    .iter()
                    .filter_map(|list| actual.get(*list)?.as_array())
                    .flatten()
                    .collect();
                let named = want.as_array().map_or(std::slice::from_ref(want), Vec::as_slice);
                let held: Vec<&Json> = named.iter().filter(|rule| spoke.contains(rule)).collect();
                let (expected, actual) = (told(want), told(&json!(held)));
                rows.push(Row { what: key.clone(), expected, holds: held.is_empty(), actual });
            }
            ("rules" | "shadow" | "suppressed", Json::Array(_)) => {
                rows.push(Row::of(key, &sorted(want), &sorted(got)));
            }
            _ => rows.push(Row::of(key, want, got)),
        }
    }
    rows
}

/// In which order rules are named says nothing: it is that of the configuration.
fn sorted(list: &Json) -> Json {
    let mut words: Vec<&str> =
        list.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    words.sort_unstable();
    json!(words)
}

fn matches(want: &Json, got: &Json) -> bool {
    match (want, got) {
        (Json::String(word), Json::Null) => word == NONE || word == ABSENT,
        (Json::Array(want), Json::Null) => want.is_empty(),
        // A word is among them; a number says how many.
        (Json::String(_), Json::Array(got)) => got.contains(want),
        (Json::Number(count), Json::Array(got)) => count.as_u64() == Some(got.len() as u64),
        (Json::Number(count), Json::Null) => count.as_u64() == Some(0),
        // Linked events by their ids.
        (Json::String(id), Json::Object(got)) => got.get("event_id").is_some_and(|got| got == id),
        (Json::Array(want), Json::Array(got)) => {
            want.len() == got.len() && want.iter().zip(got).all(|(want, got)| matches(want, got))
        }
        (Json::Object(want), Json::Object(got)) => {
            want.iter().all(|(key, want)| matches(want, got.get(key).unwrap_or(&Json::Null)))
        }
        (Json::Number(want), Json::Number(got)) => {
            want == got || !(want.is_i64() && got.is_i64()) && want.as_f64() == got.as_f64()
        }
        _ => want == got,
    }
}

/// What there is, as far as the expectation speaks of it, so that the two stand side by side.
fn as_named(want: &Json, got: &Json) -> Json {
    match (want, got) {
        (Json::Object(want), Json::Object(got)) => want
            .iter()
            .map(|(key, want)| (key.clone(), as_named(want, got.get(key).unwrap_or(&Json::Null))))
            .collect::<Map<_, _>>()
            .into(),
        (Json::Array(want), Json::Array(got)) => {
            let fallback = want.last().unwrap_or(&Json::Null);
            let pairs = got.iter().enumerate();
            pairs.map(|(at, got)| as_named(want.get(at).unwrap_or(fallback), got)).collect()
        }
        (Json::Number(_), Json::Array(got)) => got.len().into(),
        (_, Json::Object(got)) => got.get("event_id").unwrap_or(&Json::Null).clone(),
        _ => got.clone(),
    }
}

/// A value for people.
pub(super) fn told(value: &Json) -> String {
    match value {
        Json::Null => NONE.to_owned(),
        Json::String(text) => text.clone(),
        Json::Array(list) if list.is_empty() => NONE.to_owned(),
        Json::Array(list) => list.iter().map(told).collect::<Vec<_>>().join(", "),
        Json::Object(object) => {
            let pairs = object.iter().map(|(key, value)| format!("{key}={}", told(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::rows;

    #[track_caller]
    fn holds(want: Json, got: Json) -> bool {
        let (Json::Object(want), Json::Object(got)) = (want, got) else { panic!("objects") };
        rows(&want, &got).iter().all(|row| row.holds)
    }

    #[test]
    fn only_what_is_named_is_compared() {
        let got = json!({
            "action": "hold", "rules": ["b", "a"], "shadow": ["c"], "suppressed": [], "score": 40,
            "reasons": [{"rule": "b", "points": 40}, {"rule": "a", "action": "hold"}],
            "linked_events": [{"event_id": "e-1", "standing": "passed"}],
            "counters": {"n": 3, "mean": 2.5, "other": "absent"},
            "cases": {"e-2": {"status": "open", "totals": [{"pending": 5, "passed": 1}]}},
            "release": ["e-1"],
        });
        for want in [
            json!({}),
            json!({"action": "hold", "rules": ["a", "b"]}),
            json!({"rules": "a", "not_rules": ["d", "e"], "suppressed": []}),
            json!({"reasons": [{"points": 40}, {"rule": "a"}]}),
            json!({"linked_events": ["e-1"]}),
            json!({"linked_events": [{"standing": "passed"}]}),
            json!({"linked_events": 1, "release": 1, "cancel": 0}),
            json!({"counters": {"n": 3, "mean": 2.5, "other": "absent"}}),
            json!({"counters": {"n": 3.0}, "case_id": "none"}),
            json!({"cases": {"e-2": "open"}, "cancel": []}),
            json!({"cases": {"e-2": {"totals": [{"pending": 5}]}}, "release": ["e-1"]}),
        ] {
            assert!(holds(want.clone(), got.clone()), "{want}");
        }
        for want in [
            json!({"action": "allow"}),
            json!({"rules": ["a"]}),
            json!({"rules": "c"}),
            json!({"not_rules": "c"}),
            json!({"suppressed": ["a"]}),
            json!({"reasons": [{"points": 40}]}),
            json!({"linked_events": []}),
            json!({"counters": {"n": 4}}),
            json!({"counters": {"mean": "absent"}}),
            json!({"cases": {}}),
            json!({"cases": {"e-2": "open", "e-3": "open"}}),
            json!({"cases": {"e-2": {"totals": [{"pending": 6}]}}}),
            json!({"cancel": ["e-1"]}),
        ] {
            assert!(!holds(want.clone(), got.clone()), "{want}");
        }
    }
}
