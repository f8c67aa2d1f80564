//! The plain loop: consume, copy, produce, commit.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, Producer as _, ThreadedProducer},
};

const COMMIT: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(30);
/// A plain `commit_transaction` with records on their way waits for 100 ms.
const DRAIN: Duration = Duration::from_micros(200);

/// Copies until it is killed.
pub(crate) fn copy(address: &str, input: &str, output: &str, group: &str) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("auto.offset.reset", "earliest")
        .set("fetch.min.bytes", "1")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.min.messages", "20000")
        .create()
        .unwrap();
    let producer: ThreadedProducer<_> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("transactional.id", group)
        .set("transaction.timeout.ms", "10000")
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "1")
        .set("retry.backoff.ms", "10")
        .set("delivery.report.only.error", "true")
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    consumer.subscribe(&[input]).unwrap();
    loop {
        producer.begin_transaction().unwrap();
        let mut reached = TopicPartitionList::new();
        let mut next = [None; crate::PARTITIONS as usize];
        let began = Instant::now();
        while began.elapsed() < COMMIT || next.iter().all(Option::is_none) {
            let wait = COMMIT.saturating_sub(began.elapsed()).max(Duration::from_millis(1));
            let Some(message) = consumer.poll(wait) else { continue };
            let message = message.unwrap();
            let payload = message.payload().unwrap_or_default().to_vec();
            let key = message.key().unwrap_or_default();
            let mut record = BaseRecord::<[u8], [u8]>::to(output).key(key).payload(&payload);
            while let Err((error, again)) = producer.send(record) {
                let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
                assert_eq!(error, full);
                record = again;
                std::thread::sleep(DRAIN);
            }
            next[message.partition() as usize] = Some(message.offset() + 1);
        }
        for (partition, offset) in (0..).zip(next) {
            let Some(offset) = offset else { continue };
            reached.add_partition_offset(input, partition, Offset::Offset(offset)).unwrap();
        }
        while producer.in_flight_count() > 0 {
            std::thread::sleep(DRAIN);
        }
        let group = consumer.group_metadata().unwrap();
        producer.send_offsets_to_transaction(&reached, &group, PATIENCE).unwrap();
        producer.commit_transaction(PATIENCE).unwrap();
    }
}
