//! Whole stories: `tests/data/NAME` holds `config.toml`, `events.jsonl`, and the `decisions.jsonl`
//! expected of them. `HOLDFAST_BLESS=1` writes what comes out; look at the difference before it is
//! kept. Ids and the ruleset's identity are hashes and stand as `-`.

use crate::support::{
    binary::{blessing, repository},
    run::{run, settings},
};

/// A decision with its hashes taken out.
fn without_hashes(line: &str) -> String {
    let mut line = line.to_owned();
    for key in ["\"decision_id\":\"", "\"ruleset\":\""] {
        // A case record has no id of its own.
        let Some(start) = line.find(key).map(|start| start + key.len()) else { continue };
        let end = start + line[start..].find('"').expect("an end");
        line.replace_range(start..end, "-");
    }
    line + "\n"
}

#[track_caller]
fn check(story: &str) {
    let folder = repository("tests/data").join(story);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let (config, events) = (read("config.toml"), read("events.jsonl"));
    assert!(!events.is_empty(), "{} has no events", folder.display());
    let lines: Vec<&str> = events.lines().collect();
    let settings = settings(&config);
    let written = run(&settings, &lines);
    assert!(written.dead_letters.is_empty(), "{:?}", written.refusals());
    let text = String::from_utf8(written.decisions).unwrap();
    let found: String = text.lines().map(without_hashes).collect();
    if blessing() {
        std::fs::write(folder.join("decisions.jsonl"), &found).unwrap();
    }
    let due = read("decisions.jsonl");
    for (n, (found, due)) in found.lines().zip(due.lines()).enumerate() {
        assert_eq!(found, due, "{story}, decision {n}");
    }
    assert_eq!(found.lines().count(), due.lines().count(), "{story}");
}

/// The order that the victim placed ships; the fourth of the intruder's is held, and those after it.
#[test]
fn an_account_is_taken_over() {
    check("takeover");
}

/// Item by item is no burst; order by order is, and how many are many depends on the tier.
#[test]
fn a_seller_buys_stock() {
    check("seller");
}

/// Money of a month at one shop, in one currency, from local midnight on.
#[test]
fn a_shop_caps_the_month() {
    check("month_cap");
}
