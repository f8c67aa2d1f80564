//! What a start finds, case by case: a group that has just begun, rulesets that followed each other,
//! snapshots that are gone, a log that is too short.

use std::sync::Arc;

use holdfast::{
    config::service::Start,
    pipeline::{ports::Committed, restore::Setup, snapshot, worker::Outcome, worker::Pace},
};

use super::{
    input,
    lone::{CALM, Lone},
    replayed,
    world::{PARTITIONS, World},
};
use crate::support::{dice::Dice, run::settings};

const SEED: u64 = 7;

const COUNTERS: &str = "[output]\nemit = \"all\"\n\
    [[counter]]\nname = \"n\"\nkey = [\"card_id\"]\ncount = true\nwindow = \"1h\"\n\
    [[counter]]\nname = \"s\"\nkey = [\"account_id\"]\nsum = \"amount_minor\"\n\
    currency = \"any\"\nwindow = \"24h\"\nstanding = true\n";

/// A ruleset whose hold waits for so many events of a card within an hour.
fn holding(count: u32) -> String {
    format!(
        "{COUNTERS}[[rule]]\nid = \"burst\"\nwhen = \"n >= {count}\"\naction = \"hold\"\n\
         target = \"card\"\nreach = [\"n\"]\nwhile_suspended = \"hold\"\n"
    )
}

/// The same with another counter, which a rule reads.
fn counting_more() -> String {
    let more = "[[counter]]\nname = \"merchants\"\nkey = [\"merchant_id\"]\ncount = true\n\
        window = \"12h\"\nscope = \"partition\"\n[[rule]]\nid = \"busy\"\nwhen = \"merchants >= 3\"\n\
        action = \"review\"\n";
    format!("{}{more}", holding(3))
}

pub(super) fn setup(ruleset: &str, start: Start) -> Setup {
    Setup { settings: Arc::new(settings(ruleset)), start, may_warm: false }
}

/// The same traffic each time, in so many parts, each by partition.
fn parts(count: usize) -> Vec<Vec<Vec<String>>> {
    let whole = input(&mut Dice::new(SEED), SEED, 300);
    let part = |nth: usize| {
        let cut = |texts: &Vec<String>| {
            let [from, to] = [nth, nth + 1].map(|n| texts.len() * n / count);
            texts[from..to].to_vec()
        };
        whole.iter().map(cut).collect()
    };
    (0..count).map(part).collect()
}

pub(super) fn empty() -> World {
    let world = World::default();
    world.ground(|ground| ground.input = vec![Vec::new(); PARTITIONS as usize]);
    world
}

fn append(world: &World, part: &[Vec<String>]) {
    world.ground(|ground| {
        for (input, texts) in ground.input.iter_mut().zip(part) {
            input.extend_from_slice(texts);
        }
    });
}

fn decisions(world: &World) -> Vec<Vec<String>> {
    let of = |number| world.ground(|g| g.decisions.get(&number).cloned().unwrap_or_default());
    (0..PARTITIONS).map(of).collect()
}

fn remove_snapshots(world: &World, which: impl Fn(&snapshot::Header) -> bool) {
    world.ground(|ground| {
        ground.snapshots.retain(|_, bytes| !which(&snapshot::decode(bytes).unwrap().header));
    });
}

#[test]
fn a_group_that_begins_in_the_middle_begins_there_once() {
    let ends: [fn(Lone<'_>) -> bool; 3] = [
        |lone| {
            lone.terminate();
            true
        },
        |lone| {
            drop(lone);
            true
        },
        |mut lone| {
            lone.rebalance();
            lone.terminate();
            true
        },
    ];
    let parts = parts(3);
    let first: serde_json::Value = serde_json::from_str(&parts[1][0][0]).unwrap();
    let at = Start::At(first["event_time"].as_i64().unwrap());
    for (start, end) in [Start::Latest, at].into_iter().flat_map(|s| ends.map(|end| (s, end))) {
        let world = empty();
        append(&world, &parts[0]);
        let setup = setup(&holding(3), start);
        let lone = Lone::start(&world, &setup, CALM).expect("it begins");
        let begins: Vec<i64> = world.ground(|g| g.committed.values().map(|c| c.offset).collect());
        assert_eq!(begins.len(), PARTITIONS as usize, "idle ones as well");
        assert!(end(lone));
        // Nobody runs while this comes.
        append(&world, &parts[1]);
        let mut lone = Lone::start(&world, &setup, CALM).expect("it goes on");
        lone.decide();
        append(&world, &parts[2]);
        lone.decide();
        lone.terminate();
        Lone::start(&world, &setup, CALM).expect("and on");
        let tails: Vec<Vec<String>> = world.ground(|ground| {
            let tail = |(texts, begin): (&Vec<String>, &i64)| texts[*begin as usize..].to_vec();
            ground.input.iter().zip(&begins).map(tail).collect()
        });
        assert_eq!(decisions(&world), replayed(&setup.settings, &tails).0);
    }
}

/// Each ruleset decides a part; `between` is what happens to the shelf once so many have.
fn in_turn(rulesets: &[String], orderly: bool, between: impl Fn(usize, &World)) -> World {
    let world = empty();
    for (nth, (ruleset, part)) in rulesets.iter().zip(parts(rulesets.len())).enumerate() {
        append(&world, &part);
        let setup = setup(ruleset, Start::Earliest);
        let mut lone = Lone::start(&world, &setup, CALM).expect("it goes on");
        lone.decide();
        if orderly {
            lone.terminate();
        }
        between(nth, &world);
    }
    world
}

#[test]
fn each_stretch_is_gone_through_under_the_ruleset_that_decided_it() {
    let (one, two, more) = (holding(2), holding(4), counting_more());
    let chains = [
        vec![one.clone(), two.clone(), holding(3)],
        vec![one.clone(), two.clone(), one.clone()],
        vec![one.clone(), two.clone(), two.clone()],
        vec![one.clone(), more.clone(), two.clone(), one.clone()],
        vec![more.clone(), one.clone(), more, two.clone()],
    ];
    for chain in chains {
        let due = decisions(&in_turn(&chain, true, |_, _| ()));
        // Killed each time, with no snapshot but those that a take-over leaves.
        assert_eq!(decisions(&in_turn(&chain, false, |_, _| ())), due);
        // With none at all.
        let none = |_: usize, world: &World| remove_snapshots(world, |_| true);
        assert_eq!(decisions(&in_turn(&chain, false, none)), due);
        assert_eq!(decisions(&in_turn(&chain, true, none)), due);
        // With those of the first ruleset only.
        let first = settings(&chain[0]).ruleset.identity.to_string();
        let only = |_: usize, world: &World| remove_snapshots(world, |of| of.ruleset != first);
        assert_eq!(decisions(&in_turn(&chain, true, only)), due);
        // With damaged ones.
        let damaged = |nth: usize, world: &World| {
            let flip = |bytes: &mut Vec<u8>| bytes[20] ^= 1;
            world.ground(|g| g.snapshots.values_mut().filter(|_| nth == 1).for_each(flip));
        };
        assert_eq!(decisions(&in_turn(&chain, true, damaged)), due);
    }
}

#[test]
fn what_an_unknown_ruleset_decided_is_not_gone_through() {
    let chain = [holding(2), holding(4)];
    let first = settings(&chain[0]).ruleset.identity.to_string();
    let world = in_turn(&chain, true, |_, world| {
        remove_snapshots(world, |of| of.ruleset != first);
    });
    world.ground(|ground| ground.rulesets.clear());
    for ruleset in [&chain[0], &holding(3)] {
        let setup = setup(ruleset, Start::Earliest);
        let why = Lone::start(&world, &setup, CALM).err().expect("it is refused");
        assert!(why.contains("was not kept beside the snapshots"), "{why}");
    }
    let mut warms = setup(&chain[0], Start::Earliest);
    warms.may_warm = true;
    let before = decisions(&world);
    let mut lone = Lone::start(&world, &warms, CALM).expect("it warms up");
    append(&world, &parts(2)[1]);
    lone.decide();
    let record = format!("\"former\":\"{}\"", settings(&chain[1]).ruleset.identity);
    for (all, before) in decisions(&world).iter().zip(before) {
        assert!(all[before.len()].contains(&record), "{}", all[before.len()]);
    }
}

#[test]
fn after_records_were_skipped_by_hand_the_state_is_not_taken_for_whole() {
    let world = empty();
    let parts = parts(4);
    let on = setup(&holding(3), Start::Earliest);
    append(&world, &parts[0]);
    let mut lone = Lone::start(&world, &on, CALM).unwrap();
    lone.decide();
    lone.terminate();
    append(&world, &parts[1]);
    let mut lone = Lone::start(&world, &on, CALM).unwrap();
    lone.decide();
    drop(lone);
    // Part of what nobody has decided yet is removed.
    append(&world, &parts[2]);
    append(&world, &parts[3]);
    let skipped: Vec<i64> = world.ground(|ground| {
        let begin = |number: i32| ground.committed[&number].offset + 5;
        let begins: Vec<i64> = (0..PARTITIONS).map(begin).collect();
        ground.begins = (0..).zip(begins.iter().copied()).collect();
        begins
    });
    let why = Lone::start(&world, &on, CALM).err().expect("it is refused");
    assert!(why.contains("removed before they were decided"), "{why}");
    // What that says is done.
    world.ground(|ground| {
        let by_hand = |offset: &i64| Committed { offset: *offset, note: String::new() };
        ground.committed = (0..).zip(skipped.iter().map(by_hand)).collect();
    });
    let why = Lone::start(&world, &on, CALM).err().expect("its counters are not whole");
    assert!(why.contains("on_short_log"), "{why}");
    let warms = Setup { may_warm: true, ..setup(&holding(3), Start::Earliest) };
    let before = decisions(&world);
    let mut lone = Lone::start(&world, &warms, CALM).unwrap();
    lone.decide();
    drop(lone);
    for (all, before) in decisions(&world).iter().zip(before) {
        let new = &all[before.len()..];
        assert!(new.iter().any(|text| text.contains("\"state\":\"warming\"")));
        assert!(!new.iter().any(|text| text.contains("\"state\":\"complete\"")));
    }
    // It is remembered that the beginning is gone.
    remove_snapshots(&world, |_| true);
    let why = Lone::start(&world, &on, CALM).err().expect("it still is not whole");
    assert!(why.contains("on_short_log"), "{why}");
}

#[test]
fn an_offset_that_was_set_by_hand_keeps_what_the_snapshot_knows() {
    let parts = parts(2);
    let on = setup(&holding(3), Start::Earliest);
    let world = empty();
    append(&world, &parts[0]);
    let mut lone = Lone::start(&world, &on, CALM).unwrap();
    lone.decide();
    lone.terminate();
    world.ground(|ground| ground.committed.values_mut().for_each(|c| c.note.clear()));
    append(&world, &parts[1]);
    // Under another ruleset as well.
    for other in [holding(3), holding(2)] {
        let world = world.copy();
        let other = setup(&other, Start::Earliest);
        let mut lone = Lone::start(&world, &other, CALM).unwrap();
        lone.decide();
        let chain = [holding(3), other.settings.ruleset_text.clone()];
        assert_eq!(decisions(&world), decisions(&in_turn(&chain, true, |_, _| ())));
    }
}

/// No state is copied while decisions wait, and a snapshot is due at once.
const LARGE: Pace = Pace { snapshot_interval_ms: 0, copied_entries: 0, ..CALM };
/// The same of states with few entries, and much in each.
const BULKY: Pace = Pace { copied_entries: usize::MAX, copied_bytes: 0, ..LARGE };

#[test]
fn a_large_state_has_a_snapshot_that_the_next_ones_are_made_from() {
    let world = empty();
    let parts = parts(4);
    let on = setup(&holding(3), Start::Earliest);
    append(&world, &parts[0]);
    let mut lone = Lone::start(&world, &on, CALM).unwrap();
    lone.decide();
    drop(lone);
    // There is none: the restore leaves one, and the log behind it is enough from there on.
    let setups = [on, setup(&counting_more(), Start::Earliest)];
    for (setup, part) in setups.iter().zip(&parts[1..]) {
        append(&world, part);
        let mut lone = Lone::start(&world, setup, LARGE).unwrap();
        lone.decide();
        let at: Vec<i64> = world.ground(|g| g.committed.values().map(|c| c.offset).collect());
        let kept: Vec<i64> = world.ground(|ground| {
            let newest = |number: i32| {
                ground.snapshots.keys().filter(|(of, _)| *of == number).map(|(_, at)| *at).max()
            };
            (0..PARTITIONS).filter_map(newest).collect()
        });
        assert_eq!(kept.len(), at.len());
        assert!(lone.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Kept(_))));
    }
}

#[test]
fn a_large_state_without_a_base_is_copied_once() {
    let on = setup(&holding(3), Start::Earliest);
    let parts = parts(8);
    for pace in [LARGE, BULKY] {
        let world = empty();
        append(&world, &parts[0]);
        let mut lone = Lone::start(&world, &on, CALM).unwrap();
        lone.decide();
        lone.terminate();
        append(&world, &parts[1]);
        let mut lone = Lone::start(&world, &on, pace).unwrap();
        lone.decide();
        world.ground(|ground| {
            ground.snapshots.clear();
            ground.begins = ground.committed.iter().map(|(n, c)| (*n, c.offset)).collect();
        });
        lone.outcomes.clear();
        for part in &parts[2..] {
            append(&world, part);
            lone.decide();
        }
        assert!(lone.outcomes.contains(&Outcome::NotMade), "{:?}", lone.outcomes);
        assert!(matches!(lone.outcomes[..], [.., Outcome::Kept(_)]), "{:?}", lone.outcomes);
    }
}

#[test]
fn a_large_state_is_not_copied_because_the_log_is_away_for_now() {
    let world = empty();
    let on = setup(&holding(3), Start::Earliest);
    let parts = parts(24);
    append(&world, &parts[0]);
    let mut lone = Lone::start(&world, &on, LARGE).unwrap();
    lone.decide();
    world.ground(|ground| ground.faults = Some(Dice::new(SEED)));
    for part in &parts[1..] {
        append(&world, part);
        lone.decide();
    }
    assert!(lone.outcomes.contains(&Outcome::NotKept), "{:?}", lone.outcomes);
    assert!(!lone.outcomes.contains(&Outcome::NotMade), "{:?}", lone.outcomes);
    world.ground(|ground| ground.faults = None);
    append(&world, &parts[0]);
    lone.decide();
    assert!(matches!(lone.outcomes[..], [.., Outcome::Kept(_)]), "{:?}", lone.outcomes);
}

/// The counters and the rule of `holding(3)`, and one counter more over this window.
fn with_another(window: &str) -> String {
    format!(
        "{}[[counter]]\nname = \"merchants\"\nkey = [\"merchant_id\"]\ncount = true\n\
         window = \"{window}\"\nscope = \"partition\"\n[[rule]]\nid = \"busy\"\n\
         when = \"merchants >= 2\"\naction = \"review\"\n[input]\nallowed_lateness = \"1m\"\n",
        holding(3)
    )
}

/// Decides under one ruleset and then, where only half of that log is left, under the next.
fn changed_over_half_a_log(before: &str, after: &str, is_short: bool) -> Vec<Vec<String>> {
    let world = empty();
    let parts = parts(2);
    append(&world, &parts[0]);
    let first = setup(before, Start::Earliest);
    let mut lone = Lone::start(&world, &first, CALM).unwrap();
    lone.decide();
    lone.terminate();
    if is_short {
        let half = |(number, texts): (i32, &Vec<String>)| (number, texts.len() as i64 / 2);
        world.ground(|g| g.begins = (0..).zip(&g.input).map(half).collect());
    }
    append(&world, &parts[1]);
    let before = decisions(&world);
    let second = setup(after, Start::Earliest);
    let mut lone = Lone::start(&world, &second, CALM).unwrap();
    lone.decide();
    drop(lone);
    // A restart finds the same.
    Lone::start(&world, &second, CALM).unwrap();
    let rest = decisions(&world).into_iter().zip(before);
    rest.map(|(all, before)| all[before.len()..].to_vec()).collect()
}

#[test]
fn counters_that_did_not_change_carry_over_a_log_that_is_too_short() {
    let lateness = "[input]\nallowed_lateness = \"1m\"\n";
    let before = format!("{}{lateness}", holding(3));
    let without_state = |decisions: Vec<Vec<String>>| -> Vec<String> {
        let known = |text: String| text.replace("\"state\":\"warming\"", "\"state\":\"complete\"");
        decisions.into_iter().flatten().map(known).collect()
    };
    // What is left reaches back far enough for the new counter: nothing is missing.
    let after = with_another("10m");
    let due = changed_over_half_a_log(&before, &after, false);
    assert_eq!(changed_over_half_a_log(&before, &after, true), due);
    // It does not: it is said, and what the others count stays.
    let after = with_another("30d");
    let due = changed_over_half_a_log(&before, &after, false);
    let short = changed_over_half_a_log(&before, &after, true);
    let warming = short.iter().flatten().filter(|text| text.contains("\"state\":\"warming\""));
    assert!(warming.count() > 50);
    let others = |texts: Vec<Vec<String>>| -> Vec<String> {
        let texts = without_state(texts).into_iter();
        texts.filter(|text| !text.contains("\"rule\":\"busy\"")).collect()
    };
    let kept: Vec<String> = others(short);
    let due: std::collections::BTreeSet<String> = others(due).into_iter().collect();
    let same = kept.iter().filter(|text| due.contains(*text)).count();
    assert!(same > 50 && kept.iter().any(|text| text.contains("\"rule\":\"burst\"")), "{same}");
    // And back again: the counter goes, nothing else does.
    let due = changed_over_half_a_log(&after, &before, false);
    assert_eq!(changed_over_half_a_log(&after, &before, true), due);
    // A list that only a filter reads is no matter of counters without one.
    let listed = |items: &str| format!("{before}[list]\nwatched = [{items}]\n");
    let (one, two) = (listed("\"a\""), listed("\"a\", \"b\""));
    let due = changed_over_half_a_log(&one, &two, false);
    assert_eq!(changed_over_half_a_log(&one, &two, true), due);
}
