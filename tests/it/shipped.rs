//! The configuration that is shipped works as it stands: it is right, catches the frauds that
//! generated traffic has in it, and leaves ordinary customers alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use holdfast::{
    config::{Emit, Settings},
    traffic::{self, Traffic},
};
use serde_json::Value;

use crate::support::{
    binary::{Folder, repository},
    run::{is_decision, json_lines, run_spread, settings},
};

fn shipped() -> Settings {
    settings(&std::fs::read_to_string(repository("config/holdfast.toml")).unwrap())
}

/// An authorization of the generator, and what was decided of it.
struct Decided {
    event: Value,
    action: String,
    /// What became of it at last, if something did.
    answer: Option<String>,
    /// Who had a say.
    rules: Vec<String>,
}

impl Decided {
    fn story(&self) -> &str {
        self.event["attributes"]["story"].as_str().unwrap_or("")
    }

    fn text(&self, field: &str) -> &str {
        self.event[field].as_str().unwrap_or("")
    }

    /// Its card or account was reported before: who generated it did not notice, and goes on using it.
    fn was_reported(&self) -> bool {
        self.rules.iter().any(|rule| rule == "confirmed_fraud")
    }

    /// The customer does not get through by himself.
    fn is_stopped(&self) -> bool {
        matches!(self.action.as_str(), "verify" | "hold" | "decline")
    }
}

const SEEDS: [u64; 3] = [1, 2, 3];

/// What is decided of a log in order of time, without repeats.
fn decided(seed: u64) -> &'static [Decided] {
    static RUNS: [OnceLock<Vec<Decided>>; SEEDS.len()] = [const { OnceLock::new() }; SEEDS.len()];
    let at = SEEDS.iter().position(|known| *known == seed).expect("one of the seeds");
    RUNS[at].get_or_init(|| run(seed))
}

fn run(seed: u64) -> Vec<Decided> {
    let settings = traffic::Settings { seed, delays: false, ..Default::default() };
    let lines: Vec<String> = Traffic::new(settings).map(|line| line.text).collect();
    let written = run_spread(&shipped(), 1, Emit::All, &lines);
    assert_eq!(written.refusals(), [""; 0]);
    let key = |line: &Value| {
        let text = |field: &str| line[field].as_str().unwrap().to_owned();
        (text("account_id"), text("event_id"))
    };
    let (mut decisions, mut answers) = (BTreeMap::new(), BTreeMap::new());
    for line in json_lines(&written.decisions) {
        if is_decision(&line) {
            decisions.insert(key(&line), line);
        } else if line["schema"] == "holdfast.decision/1" {
            answers.insert(key(&line), line["action"].as_str().unwrap().to_owned());
        }
    }
    let events = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events
        .filter(|event| event["type"] == "authorization")
        .map(|event| {
            let key = key(&event);
            let decision = &decisions[&key];
            let action = decision["action"].as_str().unwrap().to_owned();
            let reasons = decision["reasons"].as_array().unwrap().iter();
            let rules = reasons.map(|reason| reason["rule"].as_str().unwrap().to_owned());
            Decided { action, answer: answers.remove(&key), rules: rules.collect(), event }
        })
        .collect()
}

#[test]
fn it_is_right_and_says_nothing_else() {
    let folder = Folder::new();
    let path = repository("config/holdfast.toml");
    let ended = folder.run(&["validate", "-c", path.to_str().unwrap()]).with(0);
    let said = ended.err.to_lowercase();
    assert!(ended.out.is_empty() && !said.contains("warning") && !said.contains("note"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

/// Above each rule: which part of the two stories it answers, and how to tune it.
#[test]
fn each_rule_says_what_it_answers_and_how_to_tune_it() {
    let text = std::fs::read_to_string(repository("config/holdfast.toml")).unwrap();
    assert_eq!(text.lines().next(), Some("#:schema ./holdfast.schema.json"));
    let lines: Vec<&str> = text.lines().collect();
    let rules = lines.iter().enumerate().filter(|(_, line)| **line == "[[rule]]");
    let mut answers = BTreeSet::new();
    for (at, _) in rules {
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("# "));
        let said: Vec<&str> = above.map(|line| &line[2..]).collect();
        let said = said.into_iter().rev().collect::<Vec<_>>().join(" ");
        let id = lines[at + 1];
        let (story, _) = said.split_once(':').unwrap_or_default();
        let known = ["Issuer", "Merchant", "Both", "Neither story"].contains(&story);
        assert!(known, "{id}: which story? {said}");
        assert!(said.contains("To tune:"), "{id}: how is it tuned? {said}");
        answers.insert(story.to_owned());
    }
    assert_eq!(answers.len(), 4, "{answers:?}");
}

/// By account, the first order of an intruder that is stopped, counted from 1.
#[test]
fn a_takeover_is_stopped_by_its_third_digital_order() {
    for seed in SEEDS {
        let mut orders: BTreeMap<String, Vec<bool>> = BTreeMap::new();
        for one in decided(seed).iter().filter(|one| one.story() == "account_takeover") {
            let whose = format!("{} {}", one.text("account_id"), one.text("device_id"));
            orders.entry(whose).or_default().push(one.is_stopped());
        }
        assert!(orders.len() >= 4, "seed {seed}: {} takeovers", orders.len());
        for (whose, stopped) in &orders {
            let first = stopped.iter().position(|stopped| *stopped);
            assert!(first.is_some_and(|first| first < 3), "seed {seed}, {whose}: {stopped:?}");
            // From then on, nearly everything waits.
            let after = &stopped[first.unwrap()..];
            let waiting = after.iter().filter(|stopped| **stopped).count();
            assert!(waiting * 10 >= after.len() * 9, "seed {seed}, {whose}: {stopped:?}");
        }
    }
}

/// Runs of card testing, told apart by a quiet hour.
#[test]
fn card_testing_is_stopped_by_its_sixth_try() {
    for seed in SEEDS {
        let mut runs: Vec<Vec<bool>> = Vec::new();
        let mut last_ms = i64::MIN;
        let (mut tried, mut got_through) = (0, 0);
        for one in decided(seed).iter().filter(|one| one.story() == "card_testing") {
            let time_ms = one.event["event_time"].as_i64().unwrap();
            if time_ms.saturating_sub(last_ms) > 3_600_000 {
                runs.push(Vec::new());
            }
            last_ms = time_ms;
            runs.last_mut().unwrap().push(one.is_stopped());
            tried += 1;
            got_through += usize::from(!one.is_stopped());
        }
        assert!(runs.len() >= 3, "seed {seed}: {} runs", runs.len());
        for run in &runs {
            let first = run.iter().position(|stopped| *stopped);
            assert!(first.is_some_and(|first| first < 6), "seed {seed}: {run:?}");
        }
        assert!(got_through * 3 < tried, "seed {seed}: {got_through} of {tried} got through");
    }
}

#[test]
fn other_stolen_cards_are_stopped_as_a_rule() {
    let (mut all, mut stopped) = (BTreeSet::new(), BTreeSet::new());
    for seed in SEEDS {
        for one in decided(seed) {
            if matches!(one.story(), "cloned_card" | "stolen_card") {
                let card = format!("{seed} {}", one.text("card_id"));
                if one.is_stopped() {
                    stopped.insert(card.clone());
                }
                all.insert(card);
            }
        }
    }
    assert!(all.len() >= 8, "{} cards", all.len());
    assert!(stopped.len() * 4 >= all.len() * 3, "{} of {} cards", stopped.len(), all.len());
}

#[test]
fn ordinary_customers_are_left_alone() {
    for seed in SEEDS {
        // They have no story.
        let ordinary = || decided(seed).iter().filter(|one| one.story().is_empty());
        let stopped = ordinary().filter(|one| one.is_stopped() && !one.was_reported()).count();
        assert!(ordinary().count() > 10_000, "seed {seed}: {}", ordinary().count());
        assert!(stopped * 200 < ordinary().count(), "seed {seed}: {stopped}");
    }
}

/// Personal cards that buy stock, order after order, item by item: at the shop that is watched a
/// card may be suspended, and the call ends that. Nothing is refused, and nothing waits in vain.
#[test]
fn a_seller_is_believed_when_he_answers() {
    for seed in SEEDS {
        let orders = || decided(seed).iter().filter(|one| one.story() == "seller");
        let refused = orders().find(|one| {
            one.action == "decline" || one.answer.as_deref().is_some_and(|a| a != "release")
        });
        assert!(refused.is_none(), "seed {seed}: {}", refused.unwrap().event);
        let held = orders().filter(|one| one.is_stopped()).count();
        let released = orders().filter(|one| one.answer.is_some()).count();
        assert!(orders().count() > 100 && held > 20, "seed {seed}: {held}");
        assert!(released * 10 >= held * 9, "seed {seed}: {released} of {held} released");
    }
}

/// A business on a personal card is a matter of the terms: it pays up to the shop's cap.
#[test]
fn a_business_is_stopped_by_the_cap_alone() {
    for seed in SEEDS {
        let orders = || decided(seed).iter().filter(|one| one.story() == "business");
        assert!(orders().count() > 50, "seed {seed}: {}", orders().count());
        for stopped in orders().filter(|one| one.is_stopped() && !one.was_reported()) {
            let capped = stopped.rules.iter().any(|rule| rule == "month_cap");
            assert!(stopped.action == "decline" && capped, "seed {seed}: {}", stopped.event);
        }
    }
}
