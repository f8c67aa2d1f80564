//! The input topic as a log, to be read again beside the group.

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::KafkaError,
};

use super::{
    client::{Client, Role},
    context::is_of_connections,
    input::{Member, for_now},
};
use crate::{
    config::service::Start,
    io::clock::Clock,
    pipeline::ports::{Arrived, Broken, Committed, Log, Records},
};

const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// Who asks for places hears nothing else meanwhile, and asks again.
const PLACES_TIMEOUT: Duration = Duration::from_secs(2);
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
const RECORDS_MAX: usize = 256;
/// So long nothing may come where something must.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// The log behind the input.
#[derive(Debug, Clone)]
pub struct KafkaLog {
    client: Client,
    member: Arc<Member>,
}

impl KafkaLog {
    /// As this member's group has read it.
    pub fn new(client: Client, member: Arc<Member>) -> KafkaLog {
        KafkaLog { client, member }
    }

    /// Where the group is in these partitions, or where it begins.
    pub(super) fn places(
        &self,
        partitions: &[i32],
        start: Start,
    ) -> Result<BTreeMap<i32, i64>, Broken> {
        let committed = self.told(partitions, PLACES_TIMEOUT).map_err(|broken| {
            Broken::ForNow(format!(
                "the group does not tell how far it is: brokers are away, or an instance has yet to \
                 end a transaction over these partitions ({broken})"
            ))
        })?;
        let place = |partition: &i32| {
            let place = match (committed.get(partition), start) {
                (Some(committed), _) => Ok(committed.offset),
                (None, Start::Earliest) => self.bounds(*partition).map(|bounds| bounds.start),
                (None, Start::Latest) => self.bounds(*partition).map(|bounds| bounds.end),
                (None, Start::At(time_ms)) => self.offset_at(*partition, time_ms),
            };
            Ok((*partition, place?))
        };
        partitions.iter().map(place).collect()
    }

    /// How far the group is in those of these partitions that it has ever committed.
    fn told(
        &self,
        partitions: &[i32],
        patience: Duration,
    ) -> Result<BTreeMap<i32, Committed>, Broken> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        committed(self.member.consumer(), self.topic(), partitions.iter().copied(), patience)
    }

    fn topic(&self) -> &str {
        self.member.topic()
    }

    fn list(&self, partition: i32, offset: Offset) -> Result<TopicPartitionList, Broken> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(self.topic(), partition, offset).map_err(for_now)?;
        Ok(list)
    }
}

impl Log for KafkaLog {
    fn committed(&self, partition: i32) -> Result<Option<Committed>, Broken> {
        Ok(self.told(&[partition], ASK_TIMEOUT)?.remove(&partition))
    }

    fn bounds(&self, partition: i32) -> Result<Range<i64>, Broken> {
        let bounds = self.member.consumer().fetch_watermarks(self.topic(), partition, ASK_TIMEOUT);
        bounds.map(|(start, end)| start..end).map_err(for_now)
    }

    fn offset_at(&self, partition: i32, time_ms: i64) -> Result<i64, Broken> {
        let list = self.list(partition, Offset::Offset(time_ms))?;
        let found = self.member.consumer().offsets_for_times(list, ASK_TIMEOUT).map_err(for_now)?;
        let elements = found.elements();
        match elements.first().map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => Ok(offset),
            _ => Ok(self.bounds(partition)?.end),
        }
    }

    fn read(
        &self,
        partition: i32,
        offsets: Range<i64>,
        each: &mut dyn FnMut(&Records) -> bool,
    ) -> Result<(), Broken> {
        let mut reading = Reading::begin(self, partition, offsets)?;
        let mut records = Records::default();
        while !reading.is_done {
            reading.some(&mut records)?;
            if !records.is_empty() && !each(&records) {
                return Ok(());
            }
            records.clear();
        }
        Ok(())
    }
}

/// A partition that is read again, up to an offset.
struct Reading<'l> {
    log: &'l KafkaLog,
    consumer: BaseConsumer,
    partition: i32,
    next: i64,
    end: i64,
    is_done: bool,
    /// It has ended before its end once, and nothing has come since.
    ended_early: bool,
    heard: Clock,
}

impl Reading<'_> {
    fn begin(log: &KafkaLog, partition: i32, offsets: Range<i64>) -> Result<Reading<'_>, Broken> {
        let Range { start, end } = offsets;
        let consumer: BaseConsumer = log
            .client
            .config(Role::Reader)
            .create()
            .map_err(|error| Broken::ForGood(error.to_string()))?;
        consumer.assign(&log.list(partition, Offset::Offset(start))?).map_err(for_now)?;
        let (is_done, ended_early, heard) = (start >= end, false, Clock::new());
        Ok(Reading { log, consumer, partition, next: start, end, is_done, ended_early, heard })
    }

    /// Takes what is there.
    fn some(&mut self, records: &mut Records) -> Result<(), Broken> {
        let mut wait = POLL_TIMEOUT;
        while records.len() < RECORDS_MAX && !self.is_done {
            match self.consumer.poll(wait) {
                Some(Ok(message)) if message.offset() >= self.end => self.is_done = true,
                Some(Ok(message)) => {
                    (self.heard, self.ended_early) = (Clock::new(), false);
                    self.next = message.offset() + 1;
                    self.is_done = self.next >= self.end;
                    records.push(Arrived {
                        partition: self.partition,
                        offset: message.offset(),
                        timestamp_ms: message.timestamp().to_millis(),
                        payload: message.payload().unwrap_or_default(),
                    });
                }
                Some(Err(KafkaError::PartitionEOF(_))) => self.ends_early()?,
                // The client looks for its brokers, and goes on where it was.
                Some(Err(error)) if is_of_connections(&error) => {}
                Some(Err(error)) => return Err(for_now(error)),
                None => break,
            }
            wait = Duration::ZERO;
        }
        if !self.is_done && self.heard.elapsed() > SILENCE_MAX {
            let partition = self.partition;
            return Err(Broken::ForNow(format!(
                "partition {partition} says nothing while it is read again"
            )));
        }
        Ok(())
    }

    /// There is no record more. Behind the last one there may be marks of transactions up to the
    /// end; but a broker that has just begun to lead the partition may also not know of all of it.
    fn ends_early(&mut self) -> Result<(), Broken> {
        let known = self.log.bounds(self.partition)?.end;
        if known < self.end {
            return Err(Broken::ForNow(format!(
                "partition {} is told to end at offset {known}, and it goes on to {}",
                self.partition, self.end
            )));
        }
        self.is_done = self.ended_early;
        if !self.ended_early {
            // Whoever knows all of it is asked once more.
            self.ended_early = true;
            let list = self.log.list(self.partition, Offset::Offset(self.next))?;
            self.consumer.assign(&list).map_err(for_now)?;
        }
        Ok(())
    }
}

/// What a client's group has committed of partitions of a topic; those that it never has are left out.
pub(super) fn committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: impl Iterator<Item = i32>,
    patience: Duration,
) -> Result<BTreeMap<i32, Committed>, Broken> {
    let mut list = TopicPartitionList::new();
    partitions.for_each(|partition| {
        list.add_partition(topic, partition);
    });
    let list = consumer.committed_offsets(list, patience).map_err(for_now)?;
    let mut told = BTreeMap::new();
    for element in list.elements() {
        element.error().map_err(for_now)?;
        if let Offset::Offset(offset) = element.offset() {
            let note = element.metadata().to_owned();
            told.insert(element.partition(), Committed { offset, note });
        }
    }
    Ok(told)
}
