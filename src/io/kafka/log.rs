//! The input topic as a log, to be read again beside the group.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
};

use super::{
    client::{Client, Role},
    input::{Member, for_now},
};
use crate::config::service::Start;
use crate::pipeline::ports::{Arrived, Broken, Committed, Log, Records};

const ASK_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
const RECORDS_MAX: usize = 1024;
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

    /// Where the group is in a partition, or where it begins.
    pub(super) fn next(&self, partition: i32, start: Start) -> Result<i64, Broken> {
        match (self.committed(partition)?, start) {
            (Some(committed), _) => Ok(committed.offset),
            (None, Start::Earliest) => self.bounds(partition).map(|bounds| bounds.start),
            (None, Start::Latest) => self.bounds(partition).map(|bounds| bounds.end),
            (None, Start::At(time_ms)) => self.offset_at(partition, time_ms),
        }
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
        let list = self.list(partition, Offset::Invalid)?;
        let list = self.member.consumer().committed_offsets(list, ASK_TIMEOUT).map_err(for_now)?;
        let elements = list.elements();
        let element = elements.first().ok_or_else(|| {
            Broken::ForNow(format!("no committed offset of partition {partition} is told"))
        })?;
        element.error().map_err(for_now)?;
        Ok(match element.offset() {
            Offset::Offset(offset) => {
                Some(Committed { offset, note: element.metadata().to_owned() })
            }
            _ => None,
        })
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
        let consumer: BaseConsumer = self
            .client
            .config(Role::Reader)
            .create()
            .map_err(|error| Broken::ForGood(error.to_string()))?;
        consumer.assign(&self.list(partition, Offset::Offset(offsets.start))?).map_err(for_now)?;
        let (mut records, mut heard) = (Records::default(), now());
        loop {
            let mut ended = false;
            let mut wait = POLL_TIMEOUT;
            while records.len() < RECORDS_MAX && !ended {
                match consumer.poll(wait) {
                    Some(Ok(message)) if message.offset() >= offsets.end => ended = true,
                    Some(Ok(message)) => {
                        heard = now();
                        records.push(Arrived {
                            partition,
                            offset: message.offset(),
                            timestamp_ms: message.timestamp().to_millis(),
                            payload: message.payload().unwrap_or_default(),
                        });
                        ended = message.offset() + 1 >= offsets.end;
                    }
                    // Behind the last record there may be marks of transactions up to the end.
                    Some(Err(KafkaError::PartitionEOF(_))) => ended = true,
                    Some(Err(error)) => return Err(for_now(error)),
                    None => break,
                }
                wait = Duration::ZERO;
            }
            if !records.is_empty() && !each(&records) {
                return Ok(());
            }
            records.clear();
            if ended {
                return Ok(());
            }
            if heard.elapsed() > SILENCE_MAX {
                return Err(Broken::ForNow(format!(
                    "partition {partition} says nothing while it is read again"
                )));
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell waits for the brokers")]
fn now() -> Instant {
    Instant::now()
}
