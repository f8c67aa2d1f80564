//! Whole runs: a log as text in, features as CSV out, through the very code of `holdfast replay`.
//!
//! Prints events a second, and ratios within this run: against reading the same lines into
//! `serde_json::Value` and nothing else, and of awkward logs against the ordinary one. Then what
//! reaching back costs, over accounts of their own and over one that has it all, and the memory of
//! many quiet cards. Not a criterion bench: it takes whole runs in turn and says medians.
//!
//!     cargo bench --bench whole [-- EVENTS [CARDS]]

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "a bench needs a clock")]

use std::{fmt::Write as _, fs, io, path::Path, time::Instant};

use bumpalo::Bump;
use holdfast::{
    config::{Emit, Settings},
    io::files::{Batch, Lines},
    replay::{Outputs, Replay},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;
const DAY_MS: i64 = 86_400_000;
const START_MS: i64 = 1_767_571_200_000;

/// Twelve windows over two keys, and a verdict: the job on which detectors are compared.
const JOB: &str = include_str!("job.toml");

/// Two counters over 24 hours and one over an hour, by card.
const QUIET: &str = r#"
[[counter]]
name = "n24"
key = ["card_id"]
count = true
window = "24h"
[[counter]]
name = "s24"
key = ["card_id"]
sum = "amount_minor"
currency = "any"
window = "24h"
[[counter]]
name = "n1"
key = ["card_id"]
count = true
window = "1h"
"#;

/// The third payment from a device opens a case, which reaches back over the first two.
const REACHES: &str = r#"
[[counter]]
name = "device_24h"
key = ["account_id", "device_id"]
count = true
window = "24h"
[[rule]]
id = "third"
when = "device_24h >= 3"
action = "review"
expires = "1h"
reach = ["device_24h"]
"#;

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let events = numbers.first().copied().unwrap_or(200_000);
    let cards = numbers.get(1).copied().unwrap_or(200_000);
    let folder = tempfile::tempdir().unwrap();
    speed(folder.path(), events);
    reach(folder.path(), events);
    memory(cards);
}

/// What stands on line n: card, time in ms from the start.
type Shape = fn(u64, u64) -> (u64, i64);

fn speed(folder: &Path, events: u64) {
    let week = 7 * DAY_MS;
    let cases: [(&str, Shape); 6] = [
        ("ordinary", |n, all| (skewed(n) % 200_000, (n * 7 * DAY_MS as u64 / all) as i64)),
        ("one card", |n, all| (0, (n * 7 * DAY_MS as u64 / all) as i64)),
        ("100,000 in one window", |n, all| (n % (all / 100_000).max(1), n as i64)),
        ("every card once", |n, all| (n, (n * 7 * DAY_MS as u64 / all) as i64)),
        ("time jumps by years", |n, all| {
            let jumps = (n * 20 / all) as i64;
            (skewed(n) % 200_000, (n * 7 * DAY_MS as u64 / all) as i64 + jumps * 700 * DAY_MS)
        }),
        ("disordered by 30 s", |n, all| {
            let late = (scatter(n) % 30_000) as i64;
            (skewed(n) % 200_000, (n * 7 * DAY_MS as u64 / all) as i64 - late)
        }),
    ];
    let settings = Settings::read("job.toml", JOB.to_owned(), &[]).unwrap();
    println!("{events} events of {} days, {ROUNDS} rounds in turn, medians", week / DAY_MS);
    let paths: Vec<_> = cases
        .iter()
        .map(|(name, shape)| {
            let path = folder.join(format!("{}.jsonl", name.replace([' ', ','], "_")));
            fs::write(&path, log(events, *shape)).unwrap();
            path
        })
        .collect();
    let mut floor = Vec::new();
    let mut seconds = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        floor.push(parse_alone(&paths[0]));
        for (path, seconds) in paths.iter().zip(&mut seconds) {
            seconds.push(replay(&settings, path, folder));
        }
    }
    let floor = median(floor);
    let ordinary = median(seconds[0].clone());
    let rate = |seconds: f64| events as f64 / seconds;
    println!("{:<24} {:>12.0} events/s", "serde_json::Value alone", rate(floor));
    for ((name, _), seconds) in cases.iter().zip(seconds) {
        let seconds = median(seconds);
        println!(
            "{name:<24} {:>12.0} events/s  {:>5.2} of parsing alone  {:>5.2} of ordinary",
            rate(seconds),
            seconds / floor,
            seconds / ordinary
        );
    }
}

/// Devices that pay three times each: of as many accounts, or all of one.
fn reach(folder: &Path, events: u64) {
    let read = |text: String| Settings::read("reach.toml", text, &[]).unwrap();
    let back = read(REACHES.to_owned());
    let none = read(REACHES.replace("reach = [\"device_24h\"]", ""));
    let path = |of: &str| folder.join(format!("{of}.jsonl"));
    let line = |n: u64, account: u64| {
        format!(
            "{{\"event_id\":\"e{n}\",\"event_time\":{},\"account_id\":\"a{account}\",\
             \"device_id\":\"d{}\",\"amount_minor\":1,\"currency\":\"JPY\"}}\n",
            START_MS + n as i64 * 100,
            n / 3,
        )
    };
    fs::write(path("spread"), (0..events).map(|n| line(n, n / 3)).collect::<String>()).unwrap();
    fs::write(path("one"), (0..events).map(|n| line(n, 0)).collect::<String>()).unwrap();
    let mut seconds = [const { Vec::new() }; 4];
    let runs = [("spread", &none), ("spread", &back), ("one", &none), ("one", &back)];
    for _ in 0..ROUNDS {
        for ((of, settings), seconds) in runs.iter().zip(&mut seconds) {
            seconds.push(replay(settings, &path(of), folder));
        }
    }
    let [spread, spread_back, one, one_back] = seconds.map(median);
    println!("\n{events} events, every third opens a case; reaching back over two, against not:");
    println!("{:<24} {:>5.2}", "an account a device", spread_back / spread);
    println!("{:<24} {:>5.2}", "one account", one_back / one);
}

/// A log like an issuer's: 13 fields, about 310 bytes a line.
fn log(events: u64, shape: Shape) -> String {
    let mut text = String::new();
    for n in 0..events {
        let (card, time) = shape(n, events);
        let random = scatter(n + 99);
        writeln!(
            text,
            "{{\"event_id\":\"ev-{n:012}\",\"event_time\":{},\"card_id\":\"card-{card:08}\",\
             \"account_id\":\"acct-{:08}\",\"merchant_id\":\"mrch-{:06}\",\"mcc\":\"5411\",\
             \"amount_minor\":{},\"currency\":\"JPY\",\"country\":\"JP\",\"channel\":\"ecom\",\
             \"order_id\":\"ord-{random:016x}\",\"device_id\":\"dev-{:016x}\",\
             \"ip\":\"10.{}.{}.{}\"}}",
            START_MS + time,
            card % 120_000,
            skewed(random) % 5_000,
            50 + random % 9_000,
            scatter(card),
            random >> 8 & 255,
            random >> 16 & 255,
            random & 255,
        )
        .unwrap();
    }
    text
}

fn replay(settings: &Settings, path: &Path, folder: &Path) -> f64 {
    let features = fs::File::create(folder.join("features.csv")).unwrap();
    let outputs = Outputs::new(Emit::Actions)
        .decisions_to(Box::new(io::sink()))
        .features_to(Box::new(features));
    let began = Instant::now();
    let mut lines = Lines::of(&[path.to_owned()]).unwrap();
    let mut replay = Replay::new(settings, 1, outputs).unwrap();
    let (mut batch, mut arena) = (Batch::default(), Bump::new());
    loop {
        lines.fill(&mut batch);
        if batch.is_empty() {
            break;
        }
        replay.lines(&batch, &mut arena).unwrap();
    }
    replay.finish().unwrap();
    began.elapsed().as_secs_f64()
}

fn parse_alone(path: &Path) -> f64 {
    let began = Instant::now();
    let mut lines = Lines::of(&[path.to_owned()]).unwrap();
    let mut batch = Batch::default();
    loop {
        lines.fill(&mut batch);
        if batch.is_empty() {
            break;
        }
        for (_, line) in batch.iter() {
            std::hint::black_box(serde_json::from_slice::<serde_json::Value>(line).unwrap());
        }
    }
    began.elapsed().as_secs_f64()
}

/// Six events each within the longest window; and what a card and a kept event take.
fn memory(cards: u64) {
    let settings = Settings::read("quiet.toml", QUIET.to_owned(), &[]).unwrap();
    let outputs = Outputs::new(Emit::Actions).decisions_to(Box::new(io::sink()));
    let mut replay = Replay::new(&settings, 1, outputs).unwrap();
    let (mut batch, mut arena) = (Batch::default(), Bump::new());
    let before = resident_bytes();
    for round in 0..6 {
        for card in 0..cards {
            let line = format!(
                "{{\"event_id\":\"e{round}-{card}\",\"event_time\":{},\"account_id\":\"acct-{card:08}\",\
                 \"card_id\":\"card-{card:08}\",\"amount_minor\":1200,\"currency\":\"JPY\"}}",
                START_MS + (round * cards + card) as i64 * DAY_MS / (6 * cards) as i64
            );
            batch.push(0, line.as_bytes());
            if batch.len() == 32 || card + 1 == cards {
                replay.lines(&batch, &mut arena).unwrap();
                batch = Batch::default();
            }
        }
    }
    let grown = resident_bytes().saturating_sub(before);
    let (_, engine) = replay.engines().next().unwrap();
    let sizes = engine.sizes();
    let group = &sizes.groups[0];
    let each = |bytes: usize| bytes as f64 / cards as f64;
    println!("\n{cards} cards with six events each within 24 hours, three counters:");
    println!(
        "{:>8.1} bytes a card of counters ({} keys, {} events kept)",
        each(group.bytes),
        group.keys,
        group.rows
    );
    println!(
        "{:>8.1} bytes an event by which repeats are told ({})",
        sizes.seen_bytes as f64 / sizes.seen as f64,
        sizes.seen
    );
    println!("{:>8.1} bytes a card resident, all of it", each(grown));
}

fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
    kib.unwrap_or(0) * 1024
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn scatter(n: u64) -> u64 {
    let mut x = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

/// Some far more often than others.
fn skewed(n: u64) -> u64 {
    let uniform = (scatter(n) >> 11) as f64 / (1u64 << 53) as f64;
    (uniform * uniform * 200_000.0) as u64
}
