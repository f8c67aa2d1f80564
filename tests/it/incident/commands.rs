//! `holdfast incident` as its users meet it.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::{
    binary::{Ended, Folder},
    run::{authorization, envelope, event},
};

const CONFIG: &str = r#"
timezone = "Asia/Tokyo"
[[counter]]
name = "by_terminal"
key = ["terminal_id"]
count = true
window = "1h"
scope = "partition"
[[rule]]
id = "shared"
when = "by_terminal >= 3"
action = "hold"
"#;
/// 2026-01-05T00:00:00+09:00
const DAY_MS: i64 = 1_767_538_800_000;
const HOUR_MS: i64 = 3_600_000;

/// Two accounts at one terminal: the third authorization there is held, whose ever it is.
fn log() -> Vec<String> {
    let at = |hour: i64| DAY_MS + hour * HOUR_MS;
    let of_b =
        |id: &str, time| authorization(id, time, json!({"account_id": "b-1", "terminal_id": "t"}));
    let of_a = |id: &str, time, more: Value| {
        let mut fields = json!({"account_id": "a-1", "terminal_id": "t"});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        authorization(id, time, fields)
    };
    vec![
        of_b("b1", at(1)),
        of_b("b2", at(1)),
        of_a("a1", at(1), json!({})),
        "{\"account_id\": \"a-1\", \"event_id\":".to_owned(),
        of_a("a1", at(1), json!({})),
        of_a("a2", at(5), json!({"currency": "EUR", "amount_minor": 1234})),
        of_a("a3", at(6), json!({"tender": "cheque"})),
        event("reversal", "r1", at(30), json!({"account_id": "a-1", "ref_event_id": "a2"})),
        event("reversal", "r2", at(31), json!({"account_id": "a-1", "ref_event_id": "gone"})),
        json!({"type": "tick", "event_time": at(100)}).to_string(),
        of_b("b3", at(101)),
    ]
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("config.toml", CONFIG);
    folder.write("log.jsonl", log().join("\n"));
    folder
}

fn incident(folder: &Folder, more: &[&str]) -> Ended {
    let arguments = ["incident", "log.jsonl", "-c", "config.toml", "--account", "a-1"];
    folder.run(&[&arguments[..], more].concat())
}

fn json_of(ended: &Ended) -> Value {
    serde_json::from_slice(&ended.out).unwrap()
}

fn ids(told: &Value) -> Vec<&str> {
    let entries = told["timeline"].as_array().unwrap().iter();
    entries.map(|e| e["event"]["event_id"].as_str().unwrap_or("-")).collect()
}

#[test]
fn everything_of_the_account_is_kept_and_nothing_else() {
    let told = json_of(&incident(&folder(), &["--format", "json"]).with(0));
    assert_eq!(told["schema"], "holdfast.incident/1");
    let entries = told["timeline"].as_array().unwrap();
    let told_of: Vec<(&str, &str)> = entries
        .iter()
        .map(|e| (e["kind"].as_str().unwrap(), e["fate"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(
        told_of,
        [
            ("authorization", "decided"),
            ("unreadable", "dead_letter"),
            ("authorization", "duplicate"),
            ("authorization", "decided"),
            ("authorization", "dead_letter"),
            ("reversal", "counted"),
            ("reversal", "counted"),
            ("expiry", "-"),
        ]
    );
    // The events of the other account count.
    assert_eq!(entries[0]["decision"]["action"], "hold");
    assert_eq!(entries[0]["local_time"], "2026-01-05T01:00:00+09:00");
    assert_eq!(entries[1]["refusal"]["reason"], "invalid_json");
    assert_eq!(entries[4]["refusal"]["field"], "tender");
    assert_eq!(entries[7]["follow_ups"][0]["action"], "cancel");
    assert_eq!(told["unmatched_reversals"], json!(["r2"]));
    assert!(!told.to_string().contains("b-1"));
}

#[test]
fn the_same_log_tells_the_same_story_packed_wrapped_or_piped() {
    let folder = folder();
    let due = incident(&folder, &["--format", "json"]).with(0).out;
    let text = log().join("\n") + "\n";
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    folder.write("log.gz", gz.finish().unwrap());
    folder.write("log.zst", zstd::encode_all(text.as_bytes(), 1).unwrap());
    let wrapped: Vec<String> =
        log().iter().enumerate().map(|(at, line)| envelope(0, at as i64, None, line)).collect();
    folder.write("wrapped.jsonl", wrapped.join("\n"));
    for input in ["log.gz", "log.zst", "wrapped.jsonl", "-"] {
        let arguments =
            ["incident", input, "-c", "config.toml", "--account", "a-1", "--format", "json"];
        let stdin = if input == "-" { text.as_bytes() } else { b"" };
        assert!(folder.run_with(&arguments, &[], stdin).with(0).out == due, "{input} differs");
    }
    // The ending of the output says the form, unless something else does.
    incident(&folder, &["-o", "told.json"]).with(0);
    assert!(folder.read("told.json") == due);
    incident(&folder, &["-o", "told.html"]).with(0);
    assert!(folder.read("told.html").starts_with(b"<!DOCTYPE html>"));
    incident(&folder, &["-o", "told.html", "--format", "text"]).with(0);
    assert!(folder.read("told.html").starts_with(b"Account a-1\n"));
}

#[test]
fn a_period_keeps_its_payments_and_what_became_of_them() {
    let folder = folder();
    let of = |from: &str, to: &str| {
        let ended = incident(&folder, &["--from", from, "--to", to, "--format", "json"]).with(0);
        json_of(&ended)
    };
    // The reversal of the next day belongs to the payment of this one.
    let told = of("2026-01-05T05:00", "2026-01-05T05:30");
    assert_eq!(ids(&told), ["a2", "r1"]);
    assert_eq!(told["instruments"][0]["returned"], 1234);
    assert_eq!(
        told["period"],
        json!({"from": DAY_MS + 5 * HOUR_MS, "to": DAY_MS + 11 * HOUR_MS / 2})
    );
    assert_eq!(ids(&of("2026-01-06", "2026-01-06")), ["r1", "r2"]);
    let told = of("2026-01-04T16:00:00Z", "2026-01-05T01:00:00+09:00");
    assert_eq!(ids(&told), ["a1", "-", "a1", "-"]);
}

#[test]
fn what_is_not_there_is_a_finding() {
    let folder = folder();
    for (account, words) in [
        ("a-l", "is \"a-1\" meant?"),
        ("B-1", "\"B-1\" is not in the log"),
        ("nobody", "\"nobody\" is not in the log\n"),
    ] {
        let arguments = ["incident", "log.jsonl", "-c", "config.toml", "--account", account];
        let ended = folder.run(&arguments).with(1);
        assert!(ended.out.is_empty());
        assert!(ended.err.contains(words), "{}", ended.err);
    }
    let ended = incident(&folder, &["--from", "2027-01-01"]).with(1);
    assert!(ended.err.contains("2026-01-05T01:00:00+09:00"), "{}", ended.err);
}

#[test]
fn wrong_usage_says_what_to_write() {
    let folder = folder();
    for (more, word) in [
        (&["--from", "yesterday"][..], "2026-01-05T10:30 (local, Asia/Tokyo)"),
        (&["--to", "2026-01-05T10:00+9"], "--to"),
        (&["--from", "2026-01-06", "--to", "2026-01-05"], "later"),
        (&["-o", "log.jsonl"], "log.jsonl"),
        (&["-o", "config.toml"], "config.toml"),
        (&["--format", "pdf"], "html"),
    ] {
        let ended = incident(&folder, more).with(2);
        assert!(ended.out.is_empty() && ended.err.contains(word), "{more:?}: {}", ended.err);
    }
    folder.write("bad.toml", "[[rule]]\n");
    folder.run(&["incident", "log.jsonl", "-c", "bad.toml", "--account", "a-1"]).with(78);
}

#[test]
fn a_broken_input_is_told_up_to_there() {
    let folder = folder();
    let text: String = (0..20_000)
        .map(|n| authorization(&format!("e{n}"), n, json!({"account_id": "a-1"})) + "\n")
        .collect();
    let zst = zstd::encode_all(text.as_bytes(), 1).unwrap();
    folder.write("log.zst", &zst[..zst.len() / 2]);
    let arguments = ["incident", "log.zst", "-c", "config.toml", "--account", "a-1"];
    let ended = folder.run(&arguments).with(65);
    assert!(ended.text().contains("Card c:") && ended.err.contains("log.zst"), "{}", ended.err);
    let ended = folder.run(&[&arguments[..5], &["nobody"]].concat());
    assert!(matches!(ended.code, 1 | 65) && ended.err.contains("log.zst"), "{}", ended.err);
}
