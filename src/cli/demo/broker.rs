//! The demo's traffic on real brokers: a producer of events and a reader of decisions.

use std::time::Duration;

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};

use super::stage::pause;
use crate::{
    cli::Exit,
    config::Settings,
    io::kafka::{Client, Role, topics},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// Topics of the demo's own.
pub(super) struct OnBrokers {
    client: Client,
    producer: ThreadedProducer<DefaultProducerContext>,
    reader: BaseConsumer,
    partitions: i32,
}

fn unavailable(error: impl std::fmt::Display) -> Exit {
    Exit::Unavailable(format!("the brokers: {error}"))
}

impl OnBrokers {
    /// Makes the topics.
    pub(super) fn new(settings: &Settings) -> Result<OnBrokers, Exit> {
        let client =
            Client::new(&settings.service.kafka, "demo".to_owned()).map_err(Exit::Configuration)?;
        let runtime = tokio::runtime::Runtime::new().map_err(unavailable)?;
        let partitions = loop {
            let report = runtime.block_on(topics::check(&client, 0));
            if let Some(why) = report.unreachable.or(report.errors.first().cloned()) {
                return Err(unavailable(why));
            }
            if report.partitions > 0 {
                break report.partitions as i32;
            }
            pause(Duration::from_millis(200));
        };
        let mut config = client.config(Role::Producer);
        config.remove("transactional.id");
        let producer = config.create().map_err(unavailable)?;
        let reader: BaseConsumer = client.config(Role::Reader).create().map_err(unavailable)?;
        let mut list = TopicPartitionList::new();
        for partition in 0..reader
            .fetch_metadata(Some(&client.kafka.output), PATIENCE)
            .map_err(unavailable)?
            .topics()
            .first()
            .map_or(0, |topic| topic.partitions().len() as i32)
        {
            list.add_partition_offset(&client.kafka.output, partition, Offset::Offset(0))
                .map_err(unavailable)?;
        }
        reader.assign(&list).map_err(unavailable)?;
        Ok(OnBrokers { client, producer, reader, partitions })
    }

    pub(super) fn partitions(&self) -> u32 {
        self.partitions as u32
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn where_to_look(&self) -> String {
        let kafka = &self.client.kafka;
        format!("topics     {}, {}, {}\n", kafka.input, kafka.output, kafka.dead_letters)
    }

    /// Its record bears the time of day: one of the past, retention would soon remove.
    pub(super) fn append(&self, account: &str, payload: &[u8]) -> Result<(), Exit> {
        let mut record = BaseRecord::to(&self.client.kafka.input).key(account).payload(payload);
        while let Err((error, same)) = self.producer.send(record) {
            match error {
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
                    pause(Duration::from_millis(1));
                    record = same;
                }
                error => return Err(unavailable(error)),
            }
        }
        Ok(())
    }

    /// The decisions since this was last asked.
    pub(super) fn written(&self) -> Result<Vec<Vec<u8>>, Exit> {
        let mut all = Vec::new();
        while let Some(message) = self.reader.poll(Duration::ZERO) {
            match message {
                Ok(message) => all.push(message.payload().unwrap_or_default().to_vec()),
                Err(KafkaError::PartitionEOF(_)) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Ok(all)
    }

    /// How many events are not decided yet.
    pub(super) fn lag(&self) -> Result<i64, Exit> {
        self.producer.flush(PATIENCE).map_err(unavailable)?;
        let topic = &self.client.kafka.input;
        let mut list = TopicPartitionList::new();
        (0..self.partitions).for_each(|number| {
            list.add_partition(topic, number);
        });
        let committed = self.reader.committed_offsets(list, PATIENCE).map_err(unavailable)?;
        let mut lag = 0;
        for element in committed.elements() {
            let (start, end) = self
                .reader
                .fetch_watermarks(topic, element.partition(), PATIENCE)
                .map_err(unavailable)?;
            lag += match element.offset() {
                Offset::Offset(next) => end - next,
                _ => end - start,
            };
        }
        Ok(lag)
    }
}
