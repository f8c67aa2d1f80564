//! Rules: to parse one, to compile one (parsing included), and to ask a compiled one about an event.
//! The shipped ruleset, and single expressions of a kind.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

use std::hint::black_box;

use cel::parser::Parser;
use criterion::{Criterion, criterion_group, criterion_main};
use holdfast::{
    config::Settings,
    event::{Event, EventType, Field},
    rules::{self, Constant, Facts, List, Place, Schema, Table, Type},
    window::spec::Reading,
};

const EXPRESSIONS: [(&str, &str); 6] = [
    ("compare", "card_orders_1h >= 5"),
    ("and", "card_orders_1h >= 5 && amount_minor < 500 && currency == 'JPY'"),
    ("table", "card_orders_1h >= table.limit[card_tier]"),
    ("list", "merchant_id in list.watched || amount_minor > 100000"),
    ("mean", "double(amount_minor) > 3.0 * card_mean_30d"),
    ("text", "merchant_id.startsWith('M-') && merchant_id.matches('^M-[0-9]+$')"),
];

fn schema() -> Schema {
    Schema {
        counters: vec![
            ("card_orders_1h".to_owned(), Type::Int),
            ("card_mean_30d".to_owned(), Type::Double),
        ],
        tables: vec![Table::new(
            "limit",
            Constant::Int(5),
            [("gold".to_owned(), Constant::Int(8)), ("platinum".to_owned(), Constant::Int(12))],
        )],
        lists: vec![List::new("watched", (0..50).map(|n| Constant::Text(format!("M-{n}"))))],
    }
}

fn expressions(c: &mut Criterion) {
    let schema = schema();
    let mut event = Event::new(EventType::Authorization, 1_767_571_200_000);
    event.set_text(Field::AccountId, "a-1");
    event.set_text(Field::CardTier, "gold");
    event.set_text(Field::MerchantId, "M-77");
    event.set_text(Field::Currency, "JPY");
    event.set_int(Field::AmountMinor, 480);
    let counters = [Some(Reading::Int(7)), Some(Reading::Double(1_200.5))];
    let facts = Facts { event: &event, counters: &counters, late: false };

    let mut group = c.benchmark_group("rules/parse");
    for (name, text) in EXPRESSIONS {
        group.bench_function(name, |b| b.iter(|| Parser::new().parse(black_box(text)).unwrap()));
    }
    group.finish();
    let mut group = c.benchmark_group("rules/compile");
    for (name, text) in EXPRESSIONS {
        group.bench_function(name, |b| {
            b.iter(|| rules::compile(black_box(text), &schema, Place::Rule).unwrap());
        });
    }
    group.finish();
    let mut group = c.benchmark_group("rules/execute");
    for (name, text) in EXPRESSIONS {
        let program = rules::compile(text, &schema, Place::Rule).unwrap();
        group.bench_function(name, |b| b.iter(|| program.holds(black_box(&facts))));
    }
    group.finish();
}

fn shipped(c: &mut Criterion) {
    let text = include_str!("../config/holdfast.toml");
    c.bench_function("rules/read the shipped configuration", |b| {
        b.iter(|| Settings::read("holdfast.toml", black_box(text).to_owned(), &[]).unwrap());
    });
}

criterion_group!(benches, expressions, shipped);
criterion_main!(benches);
