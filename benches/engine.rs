//! One partition: an admitted event through the engine under the shipped ruleset, its decision
//! encoded or not.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]

use bumpalo::Bump;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast::{
    config::Settings,
    decision::{CaseRecord, Decision, FollowUp, Outbox},
    engine::Engine,
    event::Event,
    pipeline::{note::Note, partition::Partition, snapshot},
    traffic::{self, Traffic},
    wire::{decode, encode},
};

const EVENTS: u64 = 20_000;

/// Throws decisions away, or encodes them first.
struct Sink {
    encodes: bool,
    bytes: Vec<u8>,
}

impl Outbox for Sink {
    fn decision(&mut self, decision: &Decision<'_>) {
        if self.encodes {
            self.bytes.clear();
            encode::decision(decision, &mut self.bytes);
        }
    }

    fn follow_up(&mut self, follow_up: &FollowUp<'_>) {
        if self.encodes {
            self.bytes.clear();
            encode::follow_up(follow_up, &mut self.bytes);
        }
    }

    fn case_record(&mut self, record: &CaseRecord<'_>) {
        if self.encodes {
            self.bytes.clear();
            encode::case_record(record, &mut self.bytes);
        }
    }
}

fn engine(c: &mut Criterion) {
    let text = include_str!("../config/holdfast.toml");
    let settings = Settings::read("holdfast.toml", text.to_owned(), &[]).unwrap();
    let natural = traffic::Settings::natural(EVENTS, 3 * 86_400_000);
    let lines: Vec<String> = Traffic::new(natural).map(|line| line.text).collect();
    let arena = Bump::new();
    let mut hints = decode::Hints::default();
    let events: Vec<&Event<'_>> = lines
        .iter()
        .filter_map(|line| decode::decode(line.as_bytes(), &mut hints, &arena).ok())
        .collect();

    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(events.len() as u64)).sample_size(10);
    for (name, encodes) in [("process", false), ("process and encode every decision", true)] {
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || (Engine::new(settings.ruleset.clone()), Sink { encodes, bytes: Vec::new() }),
                |(engine, sink)| {
                    for batch in events.chunks(32) {
                        engine.expect(batch.iter().copied());
                        for event in batch {
                            // One that is too old is no decision.
                            let _ = engine.process(event, sink);
                        }
                    }
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// The largest state that the scoring loop copies for a snapshot, while decisions wait; and what is done
/// of its snapshot beside them.
fn snapshots(c: &mut Criterion) {
    const ENTRIES: usize = 5000;
    let text = include_str!("../config/holdfast.toml");
    let settings = Settings::read("holdfast.toml", text.to_owned(), &[]).unwrap();
    let mut group = c.benchmark_group("snapshot");
    group.sample_size(20);
    for days in [1, 30] {
        let natural = traffic::Settings::natural(days * EVENTS, days as i64 * 86_400_000);
        let (mut engine, mut hints) =
            (Engine::new(settings.ruleset.clone()), decode::Hints::default());
        let mut sink = Sink { encodes: false, bytes: Vec::new() };
        for line in Traffic::new(natural) {
            let arena = Bump::new();
            let event = decode::decode(line.text.as_bytes(), &mut hints, &arena);
            let _ = event.and_then(|event| engine.process(event, &mut sink));
            if engine.entries() >= ENTRIES {
                break;
            }
        }
        let note = Note::begun(0, &settings.ruleset.identity);
        let partition = Partition::new(0, engine, 0, note);
        let engine = partition.engine();
        let header = partition.header("");
        let bytes = snapshot::encode(&header, engine, &mut || ()).unwrap();
        let name = format!("{} entries, {} kB", engine.entries(), bytes.len() / 1000);
        group.bench_function(format!("copy/{name}"), |b| {
            b.iter_with_large_drop(|| snapshot::copy(engine));
        });
        group.bench_function(format!("encode/{name}"), |b| {
            b.iter_with_large_drop(|| snapshot::encode(&header, engine, &mut || ()));
        });
        group.bench_function(format!("decode/{name}"), |b| {
            b.iter_with_large_drop(|| {
                let read = snapshot::decode(&bytes).unwrap();
                read.engine(settings.ruleset.clone(), &mut || ()).unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, engine, snapshots);
criterion_main!(benches);
