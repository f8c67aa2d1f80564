//! An open loop: events that are due at fixed times, sent then or, if that has passed, at once, and a
//! consumer of what is committed who notes when it has the output of each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    ClientConfig, Message as _, Offset,
    consumer::{BaseConsumer, Consumer as _},
};

use crate::support::kafka::{
    feed::{Event, Feed},
    topics::Topic,
};

/// Microseconds since the epoch.
pub(crate) fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

/// The event of this number, due at this time, which its id says; of so many accounts.
pub(crate) fn event(number: u64, due_us: u64, accounts: u64) -> Event {
    // All accounts once, in no order, and all of them again.
    let account = number.wrapping_mul(0x9e37_79b9) % accounts;
    let payload = format!(
        "{{\"event_id\":\"{due_us}-{number}\",\"event_time\":{},\"card_id\":\"card-{account:08}\",\
         \"account_id\":\"acct-{account:08}\",\"merchant_id\":\"mrch-{:06}\",\"mcc\":\"5411\",\
         \"amount_minor\":{},\"currency\":\"JPY\",\"country\":\"JP\",\"channel\":\"ecom\",\
         \"order_id\":\"ord-{number:016x}\",\"device_id\":\"dev-{account:016x}\",\
         \"ip\":\"10.0.{}.{}\"}}",
        due_us / 1000,
        number % 5000,
        50 + number % 9000,
        account >> 8 & 255,
        account & 255,
    );
    Event {
        key: Some(format!("acct-{account:08}").into_bytes()),
        payload: Some(payload.into_bytes()),
        timestamp_ms: (due_us / 1000) as i64,
    }
}

/// Sends so many a second for so long.
pub(crate) fn send(topic: &Topic, a_second: u64, length: Duration, accounts: u64) {
    let feed = Feed::with_linger(topic, 0);
    let begin_us = now_us();
    for number in 0..a_second * length.as_secs() {
        let due_us = begin_us + number * 1_000_000 / a_second;
        while now_us() < due_us {
            std::thread::sleep(Duration::from_micros(100));
        }
        feed.send(&event(number, due_us, accounts));
    }
    feed.finish();
}

/// The output about an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// When the event was to be sent.
    pub(crate) due_us: u64,
    /// When the output could be read,
    pub(crate) seen_us: u64,
    /// and in which partition.
    pub(crate) partition: i32,
}

impl Seen {
    pub(crate) fn took_ms(&self) -> f64 {
        (self.seen_us as f64 - self.due_us as f64) / 1000.0
    }
}

/// Reads outputs until it is told to stop.
pub(crate) struct Collector {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Seen>>,
}

impl Collector {
    pub(crate) fn start(topic: &Topic, from: Offset) -> Collector {
        let stop = Arc::new(AtomicBool::new(false));
        let (topic, stopped) = (topic.clone(), stop.clone());
        let thread = std::thread::spawn(move || collect(&topic, from, &stopped));
        Collector { stop, thread }
    }

    pub(crate) fn finish(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn collect(topic: &Topic, from: Offset, stop: &AtomicBool) -> Vec<Seen> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &topic.address)
        .set("group.id", "collector")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "100")
        .create()
        .unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_range(&topic.name, 0, topic.partitions - 1);
    list.set_all_offsets(from).unwrap();
    consumer.assign(&list).unwrap();
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) else { continue };
        let seen_us = now_us();
        // A decision about an event when it comes; not one about a case.
        let payload = std::str::from_utf8(message.payload().unwrap_or_default()).unwrap_or("");
        if payload.contains("\"trigger\"") {
            continue;
        }
        let due = payload.split("\"event_id\":\"").nth(1).and_then(|rest| rest.split('-').next());
        let due_us = due.and_then(|due| due.parse().ok());
        let partition = message.partition();
        seen.extend(due_us.map(|due_us| Seen { due_us, seen_us, partition }));
    }
    seen
}

/// Sorted.
pub(crate) fn sorted(times: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    times
}

/// What this share of the times is not above.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}
