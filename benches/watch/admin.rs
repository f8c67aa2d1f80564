//! Looking never stops the loop: records come at a fixed pace, and the time from when each is due
//! until it is decided is measured with 200 look-ups a second over HTTP, and with none, in turn.
//!
//!     cargo bench --bench admin [-- EVENTS_A_SECOND]

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "a bench needs a clock")]

mod loops;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use holdfast::{
    pipeline::ports::Records,
    service::{
        Instruments,
        admin::{self, Admin},
        health::Obstacle,
        http, questions,
    },
    traffic::account_id,
};
use loops::{Loop, batches, settings};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 3;
const SECONDS: u64 = 4;
const LOOK_UPS: u64 = 200;
/// Decided before it is measured, so that there is something to look at.
const BEFORE: u64 = 100_000;
const ACCOUNTS: u32 = 5000;

fn main() {
    let rate = std::env::args().find_map(|text| text.parse().ok()).unwrap_or(20_000);
    let settings = settings();
    let measured = rate * SECONDS * 2 * ROUNDS as u64;
    // One record a batch: they are put together as they come due.
    let records = batches(BEFORE + measured, 1);
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

    let mut worker = Loop::new(&settings).timed();
    let mut rest = records.iter();
    rest.by_ref().take(BEFORE as usize).for_each(|record| worker.records(record));
    let mut quiet = Vec::new();
    let mut asked = Vec::new();
    for round in 0..2 * ROUNDS {
        let some = rest.by_ref().take((rate * SECONDS) as usize);
        let asking = (round % 2 == 1).then(|| Asking::start(address));
        let delays = decide(&mut worker, some, rate, &instruments);
        let answered = asking.map(Asking::stop);
        let said = answered.map_or("none".to_owned(), |(good, all)| format!("{good} of {all}"));
        println!("round {round:2}: {} look-ups answered {said}", percentiles(delays.clone()));
        if round % 2 == 1 { &mut asked } else { &mut quiet }.extend(delays);
    }
    println!("without look-ups  {}", percentiles(quiet));
    println!("with {LOOK_UPS} a second {}", percentiles(asked));
}

/// Decides records as they come due; how long each took from then on.
fn decide<'r>(
    worker: &mut Loop,
    records: impl Iterator<Item = &'r Records>,
    rate: u64,
    instruments: &Instruments,
) -> Vec<Duration> {
    let (begin, mut delays) = (Instant::now(), Vec::new());
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
        questions::answer_some(&instruments.desk, &mut worker.worker);
        let done = begin.elapsed();
        delays.extend((0..batch.len()).map(|at| done.saturating_sub(due(first + at))));
    }
    delays
}

/// Somebody who asks about one account after the other.
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
                let account = account_id(count as u32 * 37 % ACCOUNTS);
                let is_good = ask(address, &account).is_some_and(|status| status == 200);
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

fn ask(address: SocketAddr, account: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request =
        format!("GET /v1/accounts/{account} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

fn percentiles(mut delays: Vec<Duration>) -> String {
    delays.sort_unstable();
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    format!(
        "p50 {:6} us, p99 {:6} us, p99.9 {:6} us, max {:6} us;",
        at(0.5).as_micros(),
        at(0.99).as_micros(),
        at(0.999).as_micros(),
        at(1.0).as_micros()
    )
}
