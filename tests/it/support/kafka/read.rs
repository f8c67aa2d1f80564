//! Topics as consumers downstream read them: what is committed, to the end.

#![allow(clippy::disallowed_methods, reason = "a broker may stay silent")]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::KafkaError,
    message::{BorrowedMessage, Headers as _},
};

use super::topics::{Topic, asking};

const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    fn of(message: &BorrowedMessage<'_>) -> Record {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Record {
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers: headers
                .map(|header| (header.key.to_owned(), header.value.unwrap_or(&[]).to_vec()))
                .collect(),
        }
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(key, _)| key == name);
        header.and_then(|(_, value)| std::str::from_utf8(value).ok())
    }
}

/// A consumer of what is committed in these partitions, from these offsets on.
fn reader(topic: &Topic, from: impl Iterator<Item = (i32, i64)>) -> BaseConsumer {
    let settings = [
        ("group.id", "reader"),
        ("isolation.level", "read_committed"),
        ("enable.auto.commit", "false"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "error"),
        ("fetch.wait.max.ms", "50"),
        ("queued.max.messages.kbytes", "32768"),
    ];
    let reader = asking(&topic.address, &settings);
    let mut list = TopicPartitionList::new();
    for (partition, offset) in from {
        let offset = if offset == 0 { Offset::Beginning } else { Offset::Offset(offset) };
        list.add_partition_offset(&topic.name, partition, offset).expect("a place");
    }
    reader.assign(&list).expect("an assignment");
    reader
}

/// Shows each record that is committed, in order within each partition; waits for transactions
/// that are still open.
pub(crate) fn each(topic: &Topic, mut see: impl FnMut(Record)) {
    let ends = topic.settled_ends();
    let with_records =
        (0..).zip(&ends).filter(|(_, end)| **end > 0).map(|(partition, _)| partition);
    let mut unread: BTreeSet<i32> = with_records.collect();
    let reader = reader(topic, unread.iter().map(|partition| (*partition, 0)));
    let mut last = Instant::now();
    while !unread.is_empty() {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => see(Record::of(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(unread.remove(&partition)),
            silence => {
                let why = silence.and_then(Result::err).map(|error| error.to_string());
                assert!(last.elapsed() < LONGEST_SILENCE, "{} ends early: {why:?}", topic.name);
                continue;
            }
        }
        last = Instant::now();
    }
}

/// All of it.
pub(crate) fn all(topic: &Topic) -> Vec<Record> {
    let mut all = Vec::new();
    each(topic, |record| all.push(record));
    all
}

/// Is there a record at this offset or behind it? If the broker does not say, there may be.
pub(super) fn has_record(topic: &Topic, partition: i32, offset: i64) -> bool {
    let reader = reader(topic, std::iter::once((partition, offset)));
    for _ in 0..50 {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(_)) => return true,
            Some(Err(KafkaError::PartitionEOF(_))) => return false,
            _ => {}
        }
    }
    true
}
