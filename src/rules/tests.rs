//! Expressions against their meaning: by hand, by a walk over the syntax tree, and at random.

mod errors;
mod meaning;
mod random;
mod walk;

use super::*;
use crate::event::{EventType, Field, Scalar};

/// Names of every type, as the tests use them.
fn schema() -> Schema {
    let int = |name: &str| (name.to_owned(), Type::Int);
    let text = |text: &str| Constant::Text(text.to_owned());
    let entries = |of: &[(&str, Constant)]| {
        of.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect::<Vec<_>>()
    };
    Schema {
        counters: vec![
            int("card_orders_1h"),
            int("spent_1d"),
            ("mean_amount".to_owned(), Type::Double),
            int("counter_n"),
        ],
        tables: vec![
            Table::new(
                "limit",
                Constant::Int(5),
                entries(&[("gold", Constant::Int(8)), ("default", Constant::Int(99))]),
            ),
            Table::new("rate", Constant::Double(0.5), entries(&[("JP", Constant::Double(1.5))])),
            Table::new("home", text("?"), entries(&[("gold", text("JP"))])),
            Table::new("vip", Constant::Bool(false), entries(&[("gold", Constant::Bool(true))])),
        ],
        lists: vec![
            List::new("watched", [text("M-1"), text("JP")]),
            List::new("numbers", [Constant::Int(1), Constant::Int(1000)]),
            List::new("mixed", [text("1"), Constant::Int(2)]),
            List::new("none", []),
        ],
    }
}

/// The event of the hand cases: an authorization of 1000 in JPY, gold, in JP, of one item.
fn event() -> Event<'static> {
    let mut event = Event::new(EventType::Authorization, 1_700_000_000_000);
    event.set_text(Field::CardTier, "gold");
    event.set_text(Field::Country, "JP");
    event.set_text(Field::Note, "日本 x");
    event.set_int(Field::AmountMinor, 1000);
    event.set_int(Field::From, i64::MIN);
    event.set_int(Field::To, i64::MAX);
    event.attributes = &[
        ("n", Scalar::Int(7)),
        ("d", Scalar::Double(2.5)),
        ("s", Scalar::Text("gold")),
        ("b", Scalar::Bool(true)),
    ];
    event
}

/// Readings of the counters: the last has none.
const READINGS: [Option<Reading>; 4] =
    [Some(Reading::Int(5)), Some(Reading::Int(0)), Some(Reading::Double(2.5)), None];

fn ask(text: &str) -> Truth {
    let program = compile(text, &schema(), Place::Rule).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    program.holds(&Facts { event: &event(), counters: &READINGS, late: false })
}

fn issues(text: &str, place: Place) -> Vec<Issue> {
    compile(text, &schema(), place).err().unwrap_or_else(|| panic!("{text} is accepted"))
}
