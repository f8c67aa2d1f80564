//! What it costs to read one event: the scanner on the common form, the strict way, and a derived
//! serde struct without any check of form as a baseline. A time is that of one event.

use std::borrow::Cow;
use std::hint::black_box;

use bumpalo::Bump;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast::wire::decode::{Hints, decode};
use holdfast::wire::record;
use serde::Deserialize;

const EVENTS: usize = 4096;

/// Authorizations of 13 fields and about 310 bytes, each number in them different.
fn events() -> Vec<String> {
    let mut state = 7_u64;
    let mut random = move |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    (0..EVENTS)
        .map(|i| {
            let time = 1_767_571_200_000 + i as u64 * 137 + random(100);
            let (card, account, merchant) = (random(200_000), random(120_000), random(5_000));
            let mcc = ["5411", "5812", "6011", "7995"][random(4) as usize];
            let amount = 50 + random(90_000) * random(3);
            let currency = ["USD", "EUR", "GBP", "JPY"][random(4) as usize];
            let country = ["US", "DE", "GB", "JP"][random(4) as usize];
            let channel = ["ecom", "pos", "atm", "moto"][random(4) as usize];
            let (order, device) = (random(1 << 31) << 31, random(1 << 31) << 31);
            let (a, b, c) = (random(256), random(256), random(256));
            format!(
                "{{\"event_id\":\"ev-{i:012}\",\"event_time\":{time},\"card_id\":\"card-{card:08}\",\
                 \"account_id\":\"acct-{account:08}\",\"merchant_id\":\"mrch-{merchant:06}\",\
                 \"mcc\":\"{mcc}\",\"amount_minor\":{amount},\"currency\":\"{currency}\",\
                 \"country\":\"{country}\",\"channel\":\"{channel}\",\
                 \"order_id\":\"ord-{order:016x}\",\"device_id\":\"dev-{device:016x}\",\
                 \"ip\":\"10.{a}.{b}.{c}\"}}"
            )
        })
        .collect()
}

/// The same fields, unchecked.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read to be dropped")]
struct Derived<'a> {
    event_id: &'a str,
    event_time: i64,
    card_id: Option<Cow<'a, str>>,
    account_id: &'a str,
    merchant_id: Option<&'a str>,
    mcc: Option<&'a str>,
    amount_minor: Option<i64>,
    currency: Option<&'a str>,
    country: Option<&'a str>,
    channel: Option<&'a str>,
    order_id: Option<&'a str>,
    device_id: Option<&'a str>,
    ip: Option<&'a str>,
}

fn bench(c: &mut Criterion) {
    let common = events();
    // An escape in the first key sends the whole event the strict way.
    let strict: Vec<String> =
        common.iter().map(|e| e.replacen("event", "\\u0065vent", 1)).collect();
    let spaced: Vec<String> =
        common.iter().map(|e| e.replace("\":", "\": ").replace(",\"", ", \"")).collect();
    let attributes: Vec<String> = common
        .iter()
        .map(|e| e.replacen('}', r#","attributes":{"a":"x","n":12,"d":1.5,"b":true}}"#, 1))
        .collect();
    let envelopes: Vec<String> = common
        .iter()
        .enumerate()
        .map(|(i, event)| {
            let payload = serde_json::Value::from(event.as_str());
            format!(
                "{{\"topic\":\"auth.events\",\"partition\":0,\"offset\":{i},\"tstype\":\"create\",\
                 \"ts\":1767571200000,\"broker\":0,\"key\":\"k\",\"payload\":{payload}}}"
            )
        })
        .collect();

    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    let mut cases = |name: &str, events: &[String]| {
        group.bench_function(name, |b| {
            let (mut hints, mut arena, mut at) = (Hints::default(), Bump::new(), 0);
            b.iter(|| {
                at = (at + 1) % EVENTS;
                arena.reset();
                let event = decode(black_box(events[at].as_bytes()), &mut hints, &arena);
                black_box(event.is_ok())
            });
        });
    };
    cases("common", &common);
    cases("spaced", &spaced);
    cases("with attributes", &attributes);
    cases("strict", &strict);
    group.bench_function("derived, unchecked", |b| {
        let mut at = 0;
        b.iter(|| {
            at = (at + 1) % EVENTS;
            black_box(
                serde_json::from_slice::<Derived<'_>>(black_box(common[at].as_bytes())).is_ok(),
            )
        });
    });
    group.finish();

    let mut group = c.benchmark_group("open");
    group.throughput(Throughput::Elements(1));
    for (name, lines) in [("bare", &common), ("envelope", &envelopes)] {
        group.bench_function(name, |b| {
            let mut at = 0;
            b.iter_batched_ref(
                Bump::new,
                |arena| {
                    for _ in 0..64 {
                        at = (at + 1) % EVENTS;
                        black_box(record::open(black_box(lines[at].as_bytes()), arena));
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
