//! How long from the moment at which an event was to be sent until its output can be read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    ClientConfig, Message as _,
    consumer::{BaseConsumer, Consumer as _},
};

use crate::{
    Contender,
    support::{
        kafka::{
            feed::{Event, Feed},
            topics::Topic,
        },
        process::pause,
    },
};

/// So long everything gets warm, and nothing counts.
const WARM_UP: Duration = Duration::from_secs(5);

/// The times in ms, sorted.
pub(crate) fn measure(
    address: &str,
    contender: Contender,
    a_second: u64,
    length: Duration,
) -> Vec<f64> {
    let deployment = contender.deployment(address, None);
    let running = contender.start(&deployment);
    pause(2000);
    let stop = Arc::new(AtomicBool::new(false));
    let collector = {
        let (topic, stop) = (deployment.output.clone(), stop.clone());
        std::thread::spawn(move || collect(&topic, &stop))
    };
    pause(1000);
    send(&deployment.input, a_second, WARM_UP + length);
    pause(3000);
    stop.store(true, Ordering::Relaxed);
    let arrived = collector.join().unwrap();
    drop(running);
    let begin = arrived.iter().map(|(intended, _)| *intended).min().unwrap_or(0);
    let counts = |intended: u64| intended - begin >= WARM_UP.as_micros() as u64;
    let counted = arrived.into_iter().filter(|(intended, _)| counts(*intended));
    let mut times: Vec<f64> =
        counted.map(|(intended, seen)| (seen as f64 - intended as f64) / 1000.0).collect();
    times.sort_by(f64::total_cmp);
    assert!(times.len() as u64 >= a_second * length.as_secs() * 99 / 100, "{}", times.len());
    times
}

/// What this share of the times is not above.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

/// Sends each event at its time or, if that has passed, at once; its id says when it was due.
fn send(topic: &Topic, a_second: u64, length: Duration) {
    let feed = Feed::with_linger(topic, 0);
    let begin = now_us();
    for number in 0..a_second * length.as_secs() {
        let intended = begin + number * 1_000_000 / a_second;
        while now_us() < intended {
            std::thread::sleep(Duration::from_micros(100));
        }
        let account = number.wrapping_mul(0x9e37_79b9) % 20_000;
        let payload = format!(
            "{{\"event_id\":\"{intended}-{number}\",\"event_time\":{},\"card_id\":\"card-{account:08}\",\
             \"account_id\":\"acct-{account:08}\",\"merchant_id\":\"mrch-{:06}\",\"mcc\":\"5411\",\
             \"amount_minor\":{},\"currency\":\"JPY\",\"country\":\"JP\",\"channel\":\"ecom\",\
             \"order_id\":\"ord-{number:016x}\",\"device_id\":\"dev-{account:016x}\",\
             \"ip\":\"10.0.{}.{}\"}}",
            intended / 1000,
            number % 5000,
            50 + number % 9000,
            account >> 8 & 255,
            account & 255,
        );
        feed.send(&Event {
            key: Some(format!("acct-{account:08}").into_bytes()),
            payload: Some(payload.into_bytes()),
            timestamp_ms: (intended / 1000) as i64,
        });
    }
    feed.finish();
}

/// When each was due and when it was seen, until it is told to stop.
fn collect(topic: &Topic, stop: &AtomicBool) -> Vec<(u64, u64)> {
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
    list.set_all_offsets(rdkafka::Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut arrived = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) else { continue };
        let seen = now_us();
        // A decision about an event when it comes; not one about a case.
        let payload = std::str::from_utf8(message.payload().unwrap_or_default()).unwrap_or("");
        if payload.contains("\"trigger\"") {
            continue;
        }
        let due = payload.split("\"event_id\":\"").nth(1).and_then(|rest| rest.split('-').next());
        arrived.extend(due.and_then(|due| due.parse().ok()).map(|due| (due, seen)));
    }
    arrived
}
