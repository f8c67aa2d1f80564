//! The counters alone: an event is added, old ones expire, counters are read. By kind of key and of
//! order; each case is to be read against `ordinary`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast::{
    config::Settings,
    event::{Event, EventType, Field},
    window::{
        calendar::Calendar,
        store::{Sight, Store},
    },
};
use jiff::tz::TimeZone;

const EVENTS: usize = 20_000;
const DAY_MS: i64 = 86_400_000;

const COUNTERS: &str = r#"
[[counter]]
name = "card_1h"
key = ["card_id"]
count = true
window = "1h"
[[counter]]
name = "card_24h"
key = ["card_id"]
count = true
window = "24h"
[[counter]]
name = "card_sum_24h"
key = ["card_id"]
sum = "amount_minor"
currency = "any"
window = "24h"
[[counter]]
name = "card_merchants_24h"
key = ["card_id"]
distinct = "merchant_id"
window = "24h"
"#;

/// What an event of a case is: its card, its time, its merchant.
type Shape = fn(usize) -> (usize, i64, usize);

const CASES: [(&str, Shape); 7] = [
    // 5,000 cards, a few events a day each.
    ("ordinary", |n| (scatter(n) % 5_000, n as i64 * 4_000, scatter(n + 7) % 300)),
    // Every event on one card, 21,600 of them in a day.
    ("one hot card", |n| (0, n as i64 * 4_000, scatter(n) % 300)),
    // All in one window: nothing expires.
    ("one window", |n| (0, n as i64, scatter(n) % 300)),
    // Every card once.
    ("cards seen once", |n| (n, n as i64 * 4_000, scatter(n) % 300)),
    // A time that jumps forward by years.
    ("jumps", |n| {
        (scatter(n) % 5_000, n as i64 * 4_000 + (n / 1_000) as i64 * 700 * DAY_MS, n % 300)
    }),
    // One card, each event up to half a minute out of order.
    ("disordered hot card", |n| (0, n as i64 * 4_000 - (scatter(n) % 30_000) as i64, n % 300)),
    // One card, one in ten almost an hour late.
    ("late hot card", |n| (0, n as i64 * 4_000 - if n % 10 == 0 { 3_500_000 } else { 0 }, n % 300)),
];

fn scatter(n: usize) -> usize {
    (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) ^ n.wrapping_mul(31)
}

fn windows(c: &mut Criterion) {
    let settings = Settings::read("bench.toml", COUNTERS.to_owned(), &[]).unwrap();
    let counters = &settings.ruleset.counters;
    let mut group = c.benchmark_group("windows");
    group.throughput(Throughput::Elements(EVENTS as u64)).sample_size(10);
    for (name, shape) in CASES {
        let texts: Vec<(String, String, i64)> = (0..EVENTS)
            .map(|n| {
                let (card, time, merchant) = shape(n);
                (format!("card-{card:08}"), format!("merchant-{merchant:06}"), time + 365 * DAY_MS)
            })
            .collect();
        let events: Vec<Event<'_>> = texts
            .iter()
            .map(|(card, merchant, time)| {
                let mut event = Event::new(EventType::Authorization, *time);
                event.set_text(Field::AccountId, card);
                event.set_text(Field::CardId, card);
                event.set_text(Field::MerchantId, merchant);
                event.set_int(Field::AmountMinor, 1_200);
                event.set_text(Field::Currency, "JPY");
                event
            })
            .collect();
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || Store::new(counters, Calendar::new(TimeZone::UTC), 3_600_000, 1_000_000),
                |store| {
                    let mut readings = vec![None; counters.len()];
                    let mut clock = 0;
                    for (place, event) in (0..).zip(&events) {
                        clock = event.time.max(clock);
                        store.observe(event, &[], clock, place, Sight::Reads, &mut readings);
                    }
                    black_box(readings)
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, windows);
criterion_main!(benches);
