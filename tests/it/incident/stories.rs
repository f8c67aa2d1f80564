//! The two stories that Holdfast was made for, told in full: `tests/data/NAME` holds the log, and
//! `incident.txt` and `incident.json` as they are told. `HOLDFAST_BLESS=1` writes them anew.

use serde_json::Value;

use crate::support::binary::{Folder, blessing, repository};

/// What is a hash of the ruleset stands as `-`.
fn without_hashes(told: &str) -> String {
    let line = |line: &str| {
        let json = ["\"ruleset\": \"", "\"decision_id\": \"", "ruleset "];
        match json.iter().find_map(|key| line.find(key).map(|at| at + key.len())) {
            Some(at) => {
                let end = line[at..].find('"').map_or(line.len(), |end| at + end);
                format!("{}-{}\n", &line[..at], &line[end..])
            }
            None => format!("{line}\n"),
        }
    };
    told.lines().map(line).collect()
}

fn told(name: &str, account: &str) -> Value {
    let data = repository("tests/data").join(name);
    let path = |name: &str| data.join(name).to_str().unwrap().to_owned();
    let run = |format: &str| {
        let (log, config) = (path("events.jsonl"), path("config.toml"));
        let arguments = ["incident", &log, "-c", &config, "--account", account, "--format", format];
        let ended = Folder::new().run(&arguments).with(0);
        assert!(ended.err.is_empty(), "{}", ended.err);
        without_hashes(ended.text())
    };
    let json = run("json");
    for (found, file) in [(&run("text"), "incident.txt"), (&json, "incident.json")] {
        if blessing() {
            std::fs::write(path(file), found).unwrap();
        }
        let due = std::fs::read_to_string(path(file)).unwrap_or_default();
        for (n, (found, due)) in found.lines().zip(due.lines()).enumerate() {
            assert_eq!(found, due, "{name}/{file}, line {}", n + 1);
        }
        assert_eq!(found.lines().count(), due.lines().count(), "{name}/{file}");
    }
    serde_json::from_str(&json).unwrap()
}

fn row<'v>(rows: &'v Value, tender: &str, card: Option<&str>) -> &'v Value {
    let same = |row: &&Value| row["tender"] == tender && row["card_id"].as_str() == card;
    rows.as_array().unwrap().iter().find(same).unwrap_or_else(|| panic!("{tender} {card:?}"))
}

/// A cardholder who lost his history learns which card was charged, and that the order of his own
/// was left alone.
#[test]
fn an_account_is_drained() {
    let told = told("drained", "a-9");
    let sums = |tender, card| {
        let row = row(&told["instruments"], tender, card);
        ["paid", "returned", "still_out", "called_back", "not_paid"]
            .map(|name| row[name].as_i64().unwrap())
    };
    // His own 3,280 and, the next day, 1,200.
    assert_eq!(sums("card", Some("c-1")), [19_480, 15_000, 4_480, 0, 7_000]);
    assert_eq!(sums("card", Some("c-2")), [10_000, 0, 10_000, 10_000, 15_000]);
    assert_eq!(sums("gift_card", None), [60_000, 60_000, 0, 0, 0]);
    assert_eq!(told["spared"][0]["event_id"], "own-1");
    assert_eq!(told["spared"][0]["why"], "excepted");
    let history = told["cases"][0]["history"].as_array().unwrap();
    let history: Vec<&str> = history.iter().map(|c| c["status"].as_str().unwrap()).collect();
    assert_eq!(history, ["open", "suspended", "confirmed", "closed"]);
}

/// Rung twice, a voicemail, a mail, the call back: everything is in it, and the release.
#[test]
fn a_card_is_suspended_and_released() {
    let told = told("suspension", "a-seller");
    let notes: Vec<&str> = told["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["event"]["note"].as_str())
        .collect();
    assert_eq!(notes.len(), 5, "{notes:?}");
    let released: Vec<&Value> = told["payments"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|payment| payment["answered_by"] == "call-3")
        .collect();
    assert_eq!(released.len(), 1);
    assert_eq!(
        (&released[0]["event_id"], &released[0]["standing"]),
        (&"i-6".into(), &"paid".into())
    );
    let burst =
        &told["rules"].as_array().unwrap().iter().find(|r| r["rule"] == "shop_burst").unwrap();
    assert_eq!(burst["fired"][0]["counters"]["card_shop_1h"], 6);
    assert!(!told.to_string().contains("4111111111111111"));
    assert!(told.to_string().contains("************1111"));
}
