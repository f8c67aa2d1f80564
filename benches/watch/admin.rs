//! Looking never stops the loop: records come at a fixed pace, and the time from when each is due
//! until it is decided is measured with 200 look-ups a second over HTTP, and with none, in turn. They
//! ask for accounts, for cards whose account they do not name, and for a thousand cases. Where the
//! 99th percentile with them is more than so many times that without, it ends with 1.
//!
//!     cargo bench --bench admin [-- EVENTS_A_SECOND [SECONDS]]

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "a bench needs a clock")]

mod loops;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use holdfast::{
    io::clock::Clock,
    pipeline::ports::Records,
    service::{
        Instruments,
        admin::{self, Admin},
        health::Obstacle,
        http,
        questions::Questions,
    },
    traffic::account_id,
};
use loops::{Loop, batches, settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The 99th percentile with look-ups over that without.
const RATIO_MAX: f64 = 1.5;
const ROUNDS: usize = 3;
const SECONDS: u64 = 4;
const LOOK_UPS: u64 = 200;
/// Decided before it is measured, so that there is something to look at.
const BEFORE: u64 = 100_000;
const ACCOUNTS: u32 = 5000;

fn main() -> ExitCode {
    let mut numbers = std::env::args().filter_map(|text| text.parse().ok());
    let rate = numbers.next().unwrap_or(20_000);
    let seconds = numbers.next().unwrap_or(SECONDS);
    let settings = settings();
    let measured = rate * seconds * 2 * ROUNDS as u64;
    // One record a batch: they are put together as they come due.
    let records = batches(BEFORE + measured, 1, 1);
    let instruments = Instruments::new(&settings.ruleset).unwrap();
    instruments.health.cleared(Obstacle::Starting);
    let admin = Admin {
        instruments: instruments.clone(),
        settings: settings.clone(),
        instance: "bench".to_owned(),
        partitions: Arc::new(std::sync::OnceLock::from(1)),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(http::listen(([127, 0, 0, 1], 0).into(), "admin")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(admin::serve(listener, admin));

    let mut worker = Loop::new(&settings, 1).timed_by(Clock::new());
    let mut rest = records.iter();
    rest.by_ref().take(BEFORE as usize).for_each(|record| worker.records(record));
    let mut quiet = Vec::new();
    let mut asked = Vec::new();
    for round in 0..2 * ROUNDS {
        let some = rest.by_ref().take((rate * seconds) as usize);
        let asking = (round % 2 == 1).then(|| Asking::start(address));
        let delays = decide(&mut worker, some, rate, &instruments);
        let answered = asking.map(Asking::stop);
        let said = answered.map_or("none".to_owned(), |(good, all)| format!("{good} of {all}"));
        println!("round {round:2}: {} look-ups answered {said}", percentiles(delays.clone()));
        if round % 2 == 1 { &mut asked } else { &mut quiet }.extend(delays);
    }
    println!("without look-ups  {}", percentiles(quiet.clone()));
    println!("with {LOOK_UPS} a second {}", percentiles(asked.clone()));
    let [quiet, asked] = [quiet, asked].map(|mut delays| {
        delays.sort_unstable();
        at(&delays, 0.99).as_secs_f64()
    });
    println!("p99: {:.2} times that without, of {RATIO_MAX}", asked / quiet);
    if asked > RATIO_MAX * quiet { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Decides records as they come due; how long each took from then on.
fn decide<'r>(
    worker: &mut Loop,
    records: impl Iterator<Item = &'r Records>,
    rate: u64,
    instruments: &Instruments,
) -> Vec<Duration> {
    let (begin, mut delays) = (Instant::now(), Vec::new());
    let mut questions = Questions::default();
    let due = |number: usize| Duration::from_nanos(number as u64 * 1_000_000_000 / rate);
    let mut records = records.enumerate().peekable();
    while records.peek().is_some() {
        let (now, first) = (begin.elapsed(), delays.len());
        let mut batch = Records::default();
        while let Some((_, one)) = records.next_if(|(number, _)| due(*number) <= now) {
            one.iter().for_each(|record| batch.push(record));
            if batch.len() == 512 {
                break;
            }
        }
        if batch.is_empty() {
            thread::sleep(Duration::from_micros(50));
        } else {
            worker.records(&batch);
        }
        questions.answer_some(&instruments.desk, &mut worker.worker);
        let done = begin.elapsed();
        delays.extend((0..batch.len()).map(|at| done.saturating_sub(due(first + at))));
    }
    delays
}

/// What is asked, the next time.
fn path(count: u64) -> String {
    let person = count as u32 * 37 % ACCOUNTS;
    match count % 20 {
        0 => "/v1/cases?limit=1000".to_owned(),
        1..=4 => format!("/v1/cards/c-{person}-0"),
        _ => format!("/v1/accounts/{}", account_id(person)),
    }
}

/// Somebody who asks one thing after the other.
struct Asking {
    stop: Arc<AtomicBool>,
    good: Arc<AtomicU64>,
    thread: thread::JoinHandle<u64>,
}

impl Asking {
    fn start(address: SocketAddr) -> Asking {
        let (stop, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (seen, answered) = (stop.clone(), good.clone());
        let thread = thread::spawn(move || {
            let (begin, mut count) = (Instant::now(), 0);
            while !seen.load(Ordering::SeqCst) {
                let due = Duration::from_nanos(count * 1_000_000_000 / LOOK_UPS);
                thread::sleep(due.saturating_sub(begin.elapsed()));
                let is_good = ask(address, &path(count)).is_some_and(|status| status == 200);
                answered.fetch_add(u64::from(is_good), Ordering::SeqCst);
                count += 1;
            }
            count
        });
        Asking { stop, good, thread }
    }

    fn stop(self) -> (u64, u64) {
        self.stop.store(true, Ordering::SeqCst);
        let all = self.thread.join().unwrap();
        (self.good.load(Ordering::SeqCst), all)
    }
}

fn ask(address: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

fn percentiles(mut delays: Vec<Duration>) -> String {
    delays.sort_unstable();
    let us = |share: f64| at(&delays, share).as_micros();
    let [p50, p99, p999, max] = [us(0.5), us(0.99), us(0.999), us(1.0)];
    format!("p50 {p50:6} us, p99 {p99:6} us, p99.9 {p999:6} us, max {max:6} us;")
}

/// Such a share of these, which are in order, is not longer.
fn at(delays: &[Duration], share: f64) -> Duration {
    delays[((delays.len() - 1) as f64 * share) as usize]
}
