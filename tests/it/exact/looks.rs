//! Looking at an account: it sees what a rule would read, and changes nothing.

use std::cell::Cell;

use bumpalo::Bump;
use holdfast::{
    cases::life::Value,
    engine::{Engine, look::KeyReadings},
    event::Event,
    wire::decode::{Hints, decode},
};

use super::{Case, Number, Outcome, Reading, Shape, line, met};
use crate::support::{dice::for_seeds, run::settings};

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
        looked_at.sizes_about();
    });
    assert!(compared.get() > 1000, "{compared:?}");
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
