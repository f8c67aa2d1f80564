//! What metrics cost the scoring loop: the same records through two workers in turn, one of which is
//! timed, counted and shown as `holdfast run` does it; what showing costs four times a second is told
//! apart. The plain counting that both do is measured by
//! itself and added. Prints nanoseconds of processor time an event, so that others on the machine
//! count for little; the bound is 30.
//!
//! Not a criterion bench: on a shared machine only what runs in turn can be compared so finely.
//!
//!     cargo bench --bench metrics

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "a bench needs a clock")]

mod loops;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use holdfast::{
    decision::{Action, Fate, State},
    engine::Tally,
    metrics::Metrics,
    pipeline::{ports::Records, statistics::Statistics},
};
use loops::{Loop, batches, settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENTS: u64 = 200_000;
const ROUNDS: usize = 7;
/// As many as come at once under load.
const BATCH: usize = 512;
/// The service shows its counts so often.
const SHOWN_EVERY: Duration = Duration::from_millis(250);

/// What the service does beside deciding.
struct Watched {
    metrics: Metrics,
    stamps: Vec<i64>,
    shown: Instant,
    /// Showing costs by the second, not by the event: it is told apart.
    shows: u32,
    showing: Duration,
}

impl Watched {
    fn batch(&mut self, worker: &mut Loop, records: &Records) {
        worker.records(records);
        self.stamps.extend(records.iter().filter_map(|record| record.timestamp_ms));
        if self.shown.elapsed() > SHOWN_EVERY {
            self.shown = Instant::now();
            self.shows += 1;
            let begin = cpu();
            worker.show(&self.metrics);
            self.showing += cpu() - begin;
        }
        // The deliverer's part, on another thread in the service.
        let ages = self.stamps.drain(..).map(|at| (at & 0xff) as f64 / 1e3);
        self.metrics.stands(0.005, Some(Duration::from_millis(1)), ages, &[]);
    }
}

fn main() {
    let settings = settings();
    let batches = batches(EVENTS, BATCH);
    let events: usize = batches.iter().map(Records::len).sum();
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let (mut plain, mut with) = (Loop::new(&settings), Loop::new(&settings).timed());
        let mut watched = Watched {
            metrics: Metrics::new(&settings.ruleset).unwrap(),
            stamps: Vec::new(),
            shown: Instant::now(),
            shows: 0,
            showing: Duration::ZERO,
        };
        let mut spent = [Duration::ZERO; 2];
        for (number, records) in batches.iter().enumerate() {
            // Who goes second finds the records in the cache.
            for turn in 0..2 {
                let is_watched = (number + turn) % 2 == round % 2;
                let begin = cpu();
                match is_watched {
                    true => watched.batch(&mut with, records),
                    false => plain.records(records),
                }
                spent[usize::from(is_watched)] += cpu() - begin;
            }
        }
        spent[1] -= watched.showing;
        let shows = watched.showing / watched.shows.max(1);
        let ns = spent.map(|spent| spent.as_nanos() as f64 / events as f64);
        println!(
            "round {round}: {:7.1} ns an event without, {:7.1} with: {:+6.1}; showing takes {} us",
            ns[0],
            ns[1],
            ns[1] - ns[0],
            shows.as_micros()
        );
        rounds.push(ns[1] - ns[0]);
    }
    rounds.sort_by(f64::total_cmp);
    let (timing, counting) = (rounds[ROUNDS / 2], counting());
    println!("timing, median                 {timing:6.1} ns an event");
    println!("counting in plain integers    {counting:6.1} ns an event");
    println!("in all                        {:6.1} ns an event, of 30", timing + counting);
}

/// What is counted of an event whatever happens, as the partition and the engine do it.
fn counting() -> f64 {
    const TIMES: u64 = 20_000_000;
    let (mut statistics, mut tally) = (Statistics::default(), Tally::default());
    tally.rule_hits = vec![0; 32];
    let begin = cpu();
    for number in 0..TIMES {
        let number = black_box(number);
        let action = if number % 64 == 0 { Action::Verify } else { Action::Allow };
        statistics.fate(Fate::Decided);
        statistics.action(action);
        statistics.score(if number % 16 == 0 { 35 } else { 0 });
        tally.states[State::Complete as usize] += 1;
        if number % 16 == 0 {
            tally.rule_hits[number as usize / 16 % 32] += 1;
        }
        black_box((&mut statistics, &mut tally));
    }
    (cpu() - begin).as_nanos() as f64 / TIMES as f64
}

/// The processor time of this thread so far.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}
