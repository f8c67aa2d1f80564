//! Records into the input topic, as its upstream writes them: keyed by account.

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use rdkafka::{
    ClientContext, Message,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, DefaultProducerContext, Producer, ProducerContext, ThreadedProducer},
};

use super::{
    client::{Client, Role},
    refusal::Heard,
};

/// Where a record came to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stood {
    /// The partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

struct Delivered {
    outcome: Mutex<Sender<Result<Stood, KafkaError>>>,
    heard: Heard,
}

impl ClientContext for Delivered {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, said: &str) {
        self.heard.log(level, facility, said);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.heard.error(error, reason);
    }
}

impl ProducerContext for Delivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let outcome = match result {
            Ok(record) => Ok(Stood { partition: record.partition(), offset: record.offset() }),
            Err((error, _)) => Err(error.clone()),
        };
        // Who waited has given up otherwise.
        let _ = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).send(outcome);
    }
}

/// Writes one record and waits until it stands.
///
/// # Errors
/// The settings are refused, or no broker takes it in time.
pub fn write(
    client: &Client,
    key: &str,
    payload: &[u8],
    patience: Duration,
) -> Result<Stood, String> {
    let (sender, outcome): (_, Receiver<Result<Stood, KafkaError>>) = channel();
    let heard = Heard::default();
    let mut config = client.config(Role::Producer);
    config.remove("transactional.id");
    config.set("delivery.report.only.error", "false");
    config.set("message.timeout.ms", patience.as_millis().to_string());
    let producer: ThreadedProducer<Delivered> = config
        .create_with_context(Delivered { outcome: Mutex::new(sender), heard: heard.clone() })
        .map_err(|error| error.to_string())?;
    let record = BaseRecord::to(&client.kafka.input).key(key).payload(payload);
    producer.send(record).map_err(|(error, _)| error.to_string())?;
    let outcome = outcome.recv_timeout(patience + Duration::from_secs(1));
    // What is still in it is given up with it.
    let _ = producer.flush(Duration::ZERO);
    match outcome {
        Ok(Ok(stood)) => Ok(stood),
        Ok(Err(error)) => Err(heard.refusal().unwrap_or_else(|| error.to_string())),
        Err(_) => Err(heard
            .refusal()
            .unwrap_or_else(|| format!("no broker took it within {} s", patience.as_secs()))),
    }
}

/// Writes many records, and waits for none of them.
pub struct Feed {
    topic: String,
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Feed {
    /// Into the input topic.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn new(client: &Client) -> Result<Feed, String> {
        let mut config = client.config(Role::Producer);
        config.remove("transactional.id");
        let producer = config.create().map_err(|error| error.to_string())?;
        Ok(Feed { topic: client.kafka.input.clone(), producer })
    }

    /// Sends one on its way; waits while too many are.
    ///
    /// # Errors
    /// It cannot be sent.
    pub fn send(&self, key: &str, payload: &[u8]) -> Result<(), String> {
        let mut record = BaseRecord::to(&self.topic).key(key).payload(payload);
        while let Err((error, same)) = self.producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.to_string());
            }
            self.producer.poll(Duration::from_millis(10));
            record = same;
        }
        Ok(())
    }

    /// Waits until all have arrived.
    ///
    /// # Errors
    /// They have not in time.
    pub fn finish(self, patience: Duration) -> Result<(), String> {
        self.producer.flush(patience).map_err(|error| error.to_string())
    }
}
