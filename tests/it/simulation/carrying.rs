//! Cases and graces over a change of the ruleset: what was held waits on as it was asked, and what was
//! answered does not fire again.

use holdfast::config::service::Start;
use serde_json::{Value, json};

use super::{
    lone::{CALM, Lone},
    recovery::{empty, setup},
    world::World,
};
use crate::support::run::{authorization, event};

const MINUTE_MS: i64 = 60_000;
const BEGIN_MS: i64 = 1_767_571_200_000;

const COUNTER: &str = "[output]\nemit = \"all\"\n\
    [[counter]]\nname = \"card_1h\"\nkey = [\"card_id\"]\ncount = true\nwindow = \"1h\"\n";

const BURST: &str = "[[rule]]\nid = \"burst\"\nwhen = \"card_1h >= 2\"\naction = \"hold\"\n\
    target = \"card\"\nreach = [\"card_1h\"]\ngrace = \"1d\"\nexpires = \"6h\"\n";

/// Says nothing, and takes the first place.
const QUIET: &str = "[[rule]]\nid = \"first\"\nwhen = \"merchants_1h >= 9\"\naction = \"review\"\n";
const QUIET_COUNTER: &str = "[[counter]]\nname = \"merchants_1h\"\nkey = [\"merchant_id\"]\n\
    count = true\nwindow = \"1h\"\nscope = \"partition\"\n";

fn at(minute: i64) -> i64 {
    BEGIN_MS + minute * MINUTE_MS
}

fn authorized(id: &str, minute: i64) -> String {
    authorization(id, at(minute), json!({}))
}

fn answered(id: &str, minute: i64) -> String {
    let said = json!({"verdict": "legitimate", "source": "customer", "card_id": "c"});
    event("feedback", id, at(minute), said)
}

/// What is decided if one ruleset decides the first of these and another one the rest, without the
/// rulesets' names.
fn decided(first: &str, then: &str, texts: &[String], before: usize) -> Vec<Value> {
    let world: World = empty();
    for (ruleset, texts) in [(first, &texts[..before]), (then, &texts[before..])] {
        world.ground(|ground| ground.input[0].extend_from_slice(texts));
        let setup = setup(ruleset, Start::Earliest);
        let mut lone = Lone::start(&world, &setup, CALM).expect("it goes on");
        lone.decide();
        lone.terminate();
    }
    let all = world.ground(|ground| ground.decisions[&0].clone());
    let all = all.iter().map(|text| serde_json::from_str::<Value>(text).unwrap());
    let mut kept: Vec<Value> = all.filter(|line| line["schema"] != "holdfast.ruleset/1").collect();
    for line in &mut kept {
        let line = line.as_object_mut().unwrap();
        for named_after in ["ruleset", "decision_id"] {
            line.remove(named_after);
        }
    }
    kept
}

/// The action of what became of an event.
fn follow_up<'d>(decisions: &'d [Value], id: &str) -> Option<&'d Value> {
    decisions.iter().find(|line| line["event_id"] == id && line["trigger"].is_object())
}

#[test]
fn a_ruleset_that_only_moves_places_changes_nothing() {
    let one = format!("{COUNTER}{BURST}");
    let counter = COUNTER.split_once("[[counter]]").map(|(_, rest)| rest).unwrap();
    let moved =
        format!("[output]\nemit = \"all\"\n{QUIET_COUNTER}[[counter]]{counter}{QUIET}{BURST}");
    let texts = [
        authorized("e1", 0),
        authorized("e2", 1),
        authorized("e3", 2),
        answered("f", 3),
        // Quiet after the answer, unless there are more than were asked about.
        authorized("e4", 61),
        authorized("e5", 62),
        authorized("e6", 63),
        authorized("e7", 64),
        authorized("e8", 400),
    ];
    let due = decided(&one, &one, &texts, texts.len());
    assert_eq!(follow_up(&due, "e2").map(|line| line["action"].clone()), Some("release".into()));
    for before in 1..texts.len() {
        assert_eq!(decided(&one, &moved, &texts, before), due, "{before}");
        assert_eq!(decided(&moved, &one, &texts, before), due, "{before}");
    }
}

#[test]
fn a_case_lives_on_as_the_rule_said_that_opened_it() {
    let one = format!("{COUNTER}{BURST}");
    let longer = one.replace("expires = \"6h\"", "expires = \"12h\"");
    // Seven hours later, with a rule that gives twelve.
    let texts = [authorized("e1", 0), authorized("e2", 1), authorized("e9", 7 * 60)];
    let due = decided(&one, &one, &texts, 3);
    assert_eq!(follow_up(&due, "e2").map(|line| line["action"].clone()), Some("cancel".into()));
    assert_eq!(decided(&one, &longer, &texts, 2), due);
    assert!(follow_up(&decided(&longer, &longer, &texts, 3), "e2").is_none());
    // With no such rule any more, an answer still releases.
    let gone = COUNTER.to_owned()
        + "[[rule]]\nid = \"other\"\nwhen = \"card_1h >= 99\"\n\
        action = \"review\"\n";
    let texts = [authorized("e1", 0), authorized("e2", 1), answered("f", 2)];
    let decisions = decided(&one, &gone, &texts, 2);
    let release = follow_up(&decisions, "e2").expect("what became of it");
    assert_eq!(release["action"], "release");
}
