//! Events as producers upstream write them: keyed by account, partitioned as Java's clients do,
//! idempotent, so that the input itself has each of them once and in order.

#![allow(clippy::disallowed_methods, reason = "a pace needs a clock")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use holdfast::traffic::{Settings, Traffic, account_id};
use rdkafka::{
    ClientConfig, ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer},
};

use super::{process::pause, topics::Topic};

const HOUR_MS: i64 = 3_600_000;

/// A record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// None is spread at random.
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) timestamp_ms: i64,
}

/// Generated traffic: so many events of a few days.
pub(crate) fn traffic(seed: u64, events: u64) -> impl Iterator<Item = Event> + Send {
    let natural = Settings::natural(events, 72 * HOUR_MS);
    let lines = Traffic::new(Settings { seed, fraud_share: 0.05, ..natural });
    lines.map(|line| Event {
        key: Some(account_id(line.stamp.account).into_bytes()),
        payload: Some(line.text.into_bytes()),
        timestamp_ms: line.stamp.arrival_ms,
    })
}

#[derive(Debug, Clone, Default)]
struct Failures(Arc<AtomicU64>);

impl ClientContext for Failures {}

impl ProducerContext<NoCustomPartitioner> for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.0.fetch_add(u64::from(result.is_err()), Ordering::Relaxed);
    }
}

/// A producer of a topic.
pub(crate) struct Feed {
    topic: Topic,
    producer: ThreadedProducer<Failures>,
    failures: Failures,
}

impl Feed {
    pub(crate) fn new(topic: &Topic) -> Feed {
        Feed::with_linger(topic, 5)
    }

    /// One that waits for so many ms to send more at once.
    pub(crate) fn with_linger(topic: &Topic, linger_ms: u32) -> Feed {
        let failures = Failures::default();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", &topic.address)
            .set("partitioner", "murmur2_random")
            .set("enable.idempotence", "true")
            .set("linger.ms", linger_ms.to_string())
            .set("message.max.bytes", "2000000")
            .set("message.timeout.ms", "300000")
            .set("reconnect.backoff.max.ms", "500")
            .set("log_level", "0")
            .create_with_context(failures.clone())
            .expect("a producer");
        Feed { topic: topic.clone(), producer, failures }
    }

    /// Sends an event on its way; waits if too many are.
    pub(crate) fn send(&self, event: &Event) {
        let Event { key, payload, timestamp_ms } = event;
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic.name).timestamp(*timestamp_ms);
        record.key = key.as_deref();
        record.payload = payload.as_deref();
        while let Err((error, again)) = self.producer.send(record) {
            let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
            assert_eq!(error, full, "an event cannot be sent");
            record = again;
            pause(1);
        }
    }

    /// Waits until all of them have arrived.
    pub(crate) fn finish(self) {
        self.producer.flush(Duration::from_secs(300)).expect("the broker takes the events");
        assert_eq!(self.failures.0.load(Ordering::Relaxed), 0, "events have not arrived");
    }
}

/// Writes all of these.
pub(crate) fn produce(topic: &Topic, events: impl IntoIterator<Item = Event>) {
    let feed = Feed::new(topic);
    events.into_iter().for_each(|event| feed.send(&event));
    feed.finish();
}

/// A producer that writes beside what a test does.
pub(crate) struct Stream {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Stream {
    /// Writes these at a steady pace, so many a second.
    pub(crate) fn start(
        topic: &Topic,
        a_second: u64,
        events: impl Iterator<Item = Event> + Send + 'static,
    ) -> Stream {
        let (stop, feed) = (Arc::new(AtomicBool::new(false)), Feed::new(topic));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let (began, mut sent) = (Instant::now(), 0_u64);
            for event in events {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                while sent as f64 > began.elapsed().as_secs_f64() * a_second as f64 {
                    pause(1);
                }
                feed.send(&event);
                sent += 1;
            }
            feed.finish();
            sent
        });
        Stream { stop, thread: Some(thread) }
    }

    /// Has it written all?
    pub(crate) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Writes no more; how many it has written.
    pub(crate) fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.join()
    }

    /// Waits for its end; how many it has written.
    pub(crate) fn wait(mut self) -> u64 {
        self.join()
    }

    fn join(&mut self) -> u64 {
        self.thread.take().map_or(0, |thread| thread.join().expect("the producer goes on"))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
