//! Looking at an account: it sees what a rule would read, and changes nothing.

use std::{cell::Cell, ops::Range};

use bumpalo::Bump;
use holdfast::{
    cases::life::Value,
    engine::{Engine, look::KeyReadings},
    event::Event,
    wire::decode::{Hints, decode},
};
use serde_json::json;

use super::{Case, Number, Outcome, Reading, Shape, line, met};
use crate::support::{
    dice::for_seeds,
    partition::{engine, process},
    run::{authorization, settings},
};

const TIME_MS: i64 = 1_767_571_200_000;
const MOST: usize = 10_000;

#[test]
fn a_look_reads_what_a_rule_would_and_changes_nothing() {
    let compared = Cell::new(0);
    for_seeds("a_look_reads_what_a_rule_would_and_changes_nothing", 200, |seed| {
        let case = Case::new(seed, Shape { events: 200, hot: seed % 8 == 0 });
        let ruleset = settings(&case.toml).ruleset;
        let (mut looked_at, mut alone) =
            (Engine::new(ruleset.clone()), Engine::new(ruleset.clone()));
        for event in &case.log {
            let due = met(&mut alone, event);
            assert_eq!(met(&mut looked_at, event), due, "{}\n{}", case.toml, line(event));
            let (line, arena) = (line(event), Bump::new());
            let event = decode(line.as_bytes(), &mut Hints::default(), &arena).expect(&line);
            let look = looked_at.look(event.account(), None, MOST);
            let Outcome::Decided { readings, .. } = due else { continue };
            if looked_at.clock_ms() != Some(event.time) {
                continue;
            }
            for key in look.iter().flat_map(|look| &look.keys).filter(|key| is_of(key, event)) {
                for (counter, reading) in &key.counters {
                    assert_eq!(
                        reading.as_ref().map(number),
                        readings[*counter],
                        "{}\n{line}\n{key:?}: {}",
                        case.toml,
                        ruleset.counters[*counter].name
                    );
                    compared.set(compared.get() + 1);
                }
            }
        }
        let (about, all) = (looked_at.sizes_about(7), looked_at.sizes().groups);
        for (about, all) in about.iter().zip(&all) {
            assert_eq!(about.owners, all.owners, "{}", case.toml);
            // So few are all measured.
            if all.owners <= 32 {
                assert_eq!((about.keys, about.rows), (all.keys, all.rows), "{}", case.toml);
            }
        }
    });
    assert!(compared.get() > 1000, "{compared:?}");
}

/// Accounts that have the same each: three keys, one of its own and one of each of two cards, and
/// four events.
#[test]
fn what_is_kept_is_told_about() {
    let mut engine = engine(
        "[[counter]]\nname = \"n\"\nkey = [\"account_id\"]\ncount = true\nwindow = \"1d\"\n\
         [[counter]]\nname = \"m\"\nkey = [\"account_id\", \"card_id\"]\ncount = true\n\
         window = \"1d\"\n[[rule]]\nid = \"r\"\nwhen = \"n + m > 99\"\naction = \"review\"\n",
    );
    let mut kept_with = |accounts: Range<u32>| {
        for (account, number) in accounts.flat_map(|account| (0..4).map(move |n| (account, n))) {
            let card = format!("c-{account}-{}", number / 2);
            let fields = json!({"account_id": format!("a-{account}"), "card_id": card});
            process(&mut engine, &authorization(&format!("e-{number}"), TIME_MS, fields));
        }
        let groups = (0..400).map(|_| engine.sizes_about(100)).last().unwrap();
        assert_eq!(groups.len(), 1);
        (groups[0].owners, groups[0].keys, groups[0].rows)
    };
    assert_eq!(kept_with(0..20), (20, 60, 80));
    // Of many it is an estimate, in which earlier ones count less and less.
    let (owners, keys, rows) = kept_with(20..1000);
    assert_eq!(owners, 1000);
    assert!((2800..3200).contains(&keys) && (3700..4300).contains(&rows), "{keys}, {rows}");
}

/// Has an event the values of a key?
fn is_of(key: &KeyReadings, event: &Event<'_>) -> bool {
    key.key.iter().all(|(path, value)| Value::of(event, path) == *value)
}

fn number(reading: &Reading) -> Number {
    match reading {
        Reading::Int(int) => Number::Int(*int),
        Reading::Double(double) => Number::Double(*double),
    }
}
