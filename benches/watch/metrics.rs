//! What metrics cost an event, each part of it measured by itself:
//!
//! - counting, in plain integers;
//! - stamping: when each record came is kept until it stands, and then its age is observed;
//! - timing: in a run it is counted how often the stopwatch looks at its clock, and how many records
//!   it times; a look and a record are measured by themselves;
//! - showing, amid that run, and being scraped: they go by the second and not by the event, and are
//!   shared out at a stated rate of events.
//!
//! The verdict is on the sum: above the bound it ends with 1. A loop with all of it beside one with
//! nothing of it would tell less: the difference of two such runs varies by ten times the bound.
//!
//!     cargo bench --bench metrics [-- EVENTS [PARTITIONS]]

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "a bench needs a clock")]

mod loops;

use std::{
    collections::BTreeMap,
    hint::black_box,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use holdfast::{
    config::Settings,
    decision::{Action, Fate, State},
    engine::Tally,
    io::clock::Clock,
    metrics::Metrics,
    pipeline::{
        ports::Records,
        statistics::Statistics,
        timing::{Stage, Stopwatch, Timings, Watch},
    },
    service::SHOW_INTERVAL_MS,
};
use loops::{Loop, batches, settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What watching may cost, in ns an event.
const BOUND_NS: f64 = 30.0;
/// About what one instance decides on two cores (docs/operating.md).
const EVENTS_A_SECOND: f64 = 50_000.0;
/// So often deploy/compose has it scraped; others do it less often.
const SCRAPE_INTERVAL_MS: u64 = 5000;
/// The fewest that docs/operating.md advises, all of them at one instance.
const PARTITIONS: u32 = 12;
const EVENTS: u64 = 200_000;
/// As many as come at once under load.
const BATCH: usize = 512;
/// It is shown after so many batches: long enough that deciding has the caches to itself.
const SHOWN_BATCHES: usize = 4;
/// Of so many measurements the median counts: others on the machine disturb some of them.
const ROUNDS: usize = 9;

fn main() -> ExitCode {
    let mut numbers = std::env::args().filter_map(|text| text.parse().ok());
    let events = numbers.next().unwrap_or(EVENTS);
    let partitions = numbers.next().map_or(PARTITIONS, |number| number as u32);
    let settings = settings();
    let batches = batches(events, BATCH, partitions);
    let run = Run::through(&settings, &batches, partitions);
    let (look_ns, record_ns) = (look(), timed_record());
    let (looks, timed) = (run.an_event(run.looks), run.an_event(run.timed));
    println!("{events} events of {partitions} partitions");
    println!("a look at the clock takes {look_ns:.1} ns, {looks:.3} times an event");
    println!("a record that is timed {record_ns:.1} ns more, {timed:.3} times an event");
    println!("showing takes {:.0} us, every {SHOW_INTERVAL_MS} ms", run.show_ns / 1e3);
    println!("a scrape {:.0} us, every {SCRAPE_INTERVAL_MS} ms", run.scrape_ns / 1e3);
    let parts = [
        ("counting", counting()),
        ("stamping", stamping(&settings, &batches, partitions)),
        ("timing", looks * look_ns + timed * record_ns),
        ("showing", shared_out(run.show_ns, SHOW_INTERVAL_MS)),
        ("being scraped", shared_out(run.scrape_ns, SCRAPE_INTERVAL_MS)),
    ];
    for (part, ns) in parts {
        println!("{part:13} {ns:6.1} ns an event");
    }
    let all: f64 = parts.iter().map(|(_, ns)| ns).sum();
    println!("in all        {all:6.1} ns an event, of {BOUND_NS}, at {EVENTS_A_SECOND} a second");
    if all > BOUND_NS { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What takes so long (ns) and is done so often, by event.
fn shared_out(ns: f64, interval_ms: u64) -> f64 {
    ns * 1e3 / interval_ms as f64 / EVENTS_A_SECOND
}

/// What a run of the loop tells.
struct Run {
    events: usize,
    /// How often the stopwatch looked at its clock.
    looks: u64,
    /// Records that it timed.
    timed: u64,
    /// What it takes to show everything, in ns.
    show_ns: f64,
    /// What it takes to answer a scrape, in ns.
    scrape_ns: f64,
}

impl Run {
    fn through(settings: &Arc<Settings>, batches: &[Records], partitions: u32) -> Run {
        let (clock, metrics) = (Counted::default(), Metrics::new(&settings.ruleset).unwrap());
        let mut worker = Loop::new(settings, partitions).timed_by(clock.clone());
        let (mut shows, mut scrapes) = (Vec::new(), Vec::new());
        for records in batches.chunks(SHOWN_BATCHES) {
            records.iter().for_each(|records| worker.records(records));
            let begin = Instant::now();
            worker.show(&metrics);
            shows.push(begin.elapsed());
            let begin = Instant::now();
            black_box(metrics.text());
            scrapes.push(begin.elapsed());
        }
        // In the first half there is less to show.
        let late = |mut all: Vec<Duration>| {
            let late = all.drain(all.len() / 2..);
            median(late.map(|took| took.as_nanos() as f64))
        };
        Run {
            events: batches.iter().map(Records::len).sum(),
            looks: clock.looks(),
            timed: worker.worker.timings().whole.count(),
            show_ns: late(shows),
            scrape_ns: late(scrapes),
        }
    }

    fn an_event(&self, count: u64) -> f64 {
        count as f64 / self.events as f64
    }
}

/// A clock that costs next to nothing, goes on with every look, and so tells how many there were.
#[derive(Debug, Clone, Default)]
struct Counted(Arc<AtomicU64>);

impl Counted {
    const STEP_NS: u64 = 400;

    fn looks(&self) -> u64 {
        self.0.load(Ordering::Relaxed) / Counted::STEP_NS
    }
}

impl Watch for Counted {
    fn now_ns(&self) -> u64 {
        // Only one thread looks.
        let now_ns = self.0.load(Ordering::Relaxed) + Counted::STEP_NS;
        self.0.store(now_ns, Ordering::Relaxed);
        now_ns
    }
}

/// A look of the stopwatch at the clock that the service has.
fn look() -> f64 {
    let clock = Clock::new();
    let mut watch = Stopwatch::start(black_box(&clock));
    each(1_000_000, |_| watch.lap(black_box(Stage::Count)))
}

/// What is done with a record that is timed, beside looking at the clock.
fn timed_record() -> f64 {
    let (clock, mut timings) = (Counted::default(), Timings::default());
    let mut watch = Stopwatch::start(black_box(&clock));
    each(1_000_000, |_| {
        Stage::ALL.into_iter().for_each(|stage| watch.lap(stage));
        watch.record(black_box([(Stage::Decode, 700), (Stage::Count, 300)]), &mut timings);
    })
}

/// What is counted of an event whatever happens, as the partition and the engine do it.
fn counting() -> f64 {
    let (mut statistics, mut tally) = (Statistics::default(), Tally::default());
    tally.rule_hits = vec![0; 32];
    each(4_000_000, |number| {
        let action = if number % 64 == 0 { Action::Verify } else { Action::Allow };
        statistics.fate(Fate::Decided);
        statistics.action(action);
        statistics.score(if number % 16 == 0 { 35 } else { 0 });
        tally.states[State::Complete as usize] += 1;
        if number % 16 == 0 {
            tally.rule_hits[number as usize / 16 % 32] += 1;
        }
        black_box((&mut statistics, &mut tally));
    })
}

/// What the loop keeps of each record until it stands, and what the deliverer makes of it.
fn stamping(settings: &Arc<Settings>, batches: &[Records], partitions: u32) -> f64 {
    // It would decide all of them.
    let (worker, metrics) =
        (Loop::new(settings, partitions).worker, Metrics::new(&settings.ruleset).unwrap());
    let events: usize = batches.iter().map(Records::len).sum();
    let mut stamps: Vec<(i32, i64)> = Vec::new();
    let reached: BTreeMap<i32, ()> = (0..partitions as i32).map(|number| (number, ())).collect();
    let all = |_| {
        let begin = Instant::now();
        for records in batches {
            stamps.extend(
                worker
                    .to_decide(records)
                    .filter_map(|one| Some((one.partition, one.timestamp_ms?))),
            );
            // They came one after the other, and stand when the last has been here for a moment.
            let stands =
                |(_, (partition, _)): &(usize, (i32, i64))| reached.contains_key(partition);
            let ages = stamps.drain(..).enumerate().filter(stands).map(|(number, (_, at))| {
                let came_ms = black_box(at) + number as i64 * 1000 / EVENTS_A_SECOND as i64;
                ((at + 20) - came_ms).max(0) as f64 / 1e3
            });
            metrics.stands(0.02, Some(Duration::from_millis(5)), ages, &[("decisions", 512)]);
        }
        begin.elapsed().as_nanos() as f64 / events as f64
    };
    median((0..ROUNDS).map(all))
}

/// What doing this so many times takes each time, in ns.
fn each(times: u64, mut what: impl FnMut(u64)) -> f64 {
    median((0..ROUNDS).map(|_| {
        let begin = Instant::now();
        (0..times).for_each(|number| what(black_box(number)));
        begin.elapsed().as_nanos() as f64 / times as f64
    }))
}

fn median(of: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = of.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
