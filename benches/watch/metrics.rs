//! What metrics cost the scoring loop: the same records through two workers in turn, one of which is
//! timed, counted and shown as `holdfast run` does it. What showing costs goes by the second and not
//! by the event: it is shared out at a stated rate of events. The plain counting that both do is
//! measured by itself and added. Nanoseconds of processor time an event, so that others on the machine
//! count for little; above the bound it ends with 1.
//!
//! Not a criterion bench: on a shared machine only what runs in turn can be compared so finely.
//!
//!     cargo bench --bench metrics [-- EVENTS]

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "a bench needs a clock")]

mod loops;

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use holdfast::{
    decision::{Action, Fate, State},
    engine::Tally,
    metrics::Metrics,
    pipeline::{
        ports::Records,
        statistics::Statistics,
    },
};
use loops::{Loop, batches, settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What watching may cost, in ns an event.
const BOUND_NS: f64 = 30.0;
/// About what one instance decides on two cores (docs/operating.md).
const EVENTS_A_SECOND: f64 = 50_000.0;
const EVENTS: u64 = 200_000;
const ROUNDS: usize = 7;
/// As many as come at once under load.
const BATCH: usize = 512;
/// The service shows its counts so often.
const SHOWN_EVERY: Duration = Duration::from_millis(250);

/// What the service does beside deciding.
struct Watched {
    metrics: Metrics,
    stamps: Vec<(i32, i64)>,
    shown: Instant,
    /// Showing costs by the second, not by the event: it is told apart.
    shows: u32,
    showing: Duration,
}

impl Watched {
    fn batch(&mut self, worker: &mut Loop, records: &Records) {
        let decided = worker.worker.to_decide(records);
        self.stamps.extend(decided.filter_map(|one| Some((one.partition, one.timestamp_ms?))));
        worker.records(records);
        if self.shown.elapsed() > SHOWN_EVERY {
            self.shown = Instant::now();
            self.shows += 1;
            let begin = cpu();
            worker.show(&self.metrics);
            self.showing += cpu() - begin;
        }
        // The deliverer's part, on another thread in the service.
        let ages = self.stamps.drain(..).map(|(_, at)| (at & 0xff) as f64 / 1e3);
        self.metrics.stands(0.005, Some(Duration::from_millis(1)), ages, &[]);
    }
}

fn main() -> ExitCode {
    let events = std::env::args().find_map(|text| text.parse().ok()).unwrap_or(EVENTS);
    let settings = settings();
    let batches = batches(events, BATCH);
    let events: usize = batches.iter().map(Records::len).sum();
    let (mut rounds, mut shows) = (Vec::new(), Vec::new());
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
        // Of a short round it may have to be asked for.
        if watched.shows == 0 {
            watched.shown -= 2 * SHOWN_EVERY;
            watched.batch(&mut with, &Records::default());
        }
        let show = watched.showing / watched.shows;
        shows.push(show);
        let ns = spent.map(|spent| spent.as_nanos() as f64 / events as f64);
        println!(
            "round {round}: {:7.1} ns an event without, {:7.1} with: {:+6.1}; showing takes {} us",
            ns[0],
            ns[1],
            ns[1] - ns[0],
            show.as_micros()
        );
        rounds.push(ns[1] - ns[0]);
    }
    rounds.sort_by(f64::total_cmp);
    shows.sort();
    let (timing, counting) = (rounds[ROUNDS / 2], counting());
    let a_second = 1.0 / SHOWN_EVERY.as_secs_f64();
    let showing = shows[ROUNDS / 2].as_nanos() as f64 * a_second / EVENTS_A_SECOND;
    let all = timing + counting + showing;
    println!("timing, median              {timing:6.1} ns an event");
    println!("counting in plain integers  {counting:6.1} ns an event");
    println!("showing, at {EVENTS_A_SECOND} a second  {showing:6.1} ns an event");
    println!("in all                      {all:6.1} ns an event, of {BOUND_NS}");
    if all > BOUND_NS { ExitCode::FAILURE } else { ExitCode::SUCCESS }
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
