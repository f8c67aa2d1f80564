//! A producer of outputs, and one transaction of it at a time.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use rdkafka::{
    TopicPartitionList,
    consumer::ConsumerGroupMetadata,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ThreadedProducer},
};

use super::{
    client::{Client, Role},
    context::{ProducerContext, SharedFigures},
    input::for_now,
};
use crate::{
    config::service::Kafka,
    io::clock::{Clock, pause},
    pipeline::{
        ports::Broken,
        transaction::{Destination, Made},
    },
};

const INIT_TIMEOUT: Duration = Duration::from_secs(15);
const COMMIT_TIMEOUT: Duration = Duration::from_secs(15);
/// For offsets; and this much more before the call is given up.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(10);
const OFFSETS_MORE: Duration = Duration::from_secs(5);
/// Beyond the transaction's own timeout nothing can come of it any more.
const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// What a transaction came to.
pub(super) enum Failed {
    /// It is aborted: certain.
    Aborted(String),
    /// Nobody knows.
    Unknown(String),
    /// Nobody knows, and another producer has taken over its id.
    Fenced(String),
    /// Somebody has to act.
    ForGood(String),
}

/// A producer of outputs.
pub(super) struct Producer {
    inner: Arc<ThreadedProducer<ProducerContext>>,
    offsets: Offsets,
    kafka: Kafka,
    headers: OwnedHeaders,
}

impl Producer {
    /// One under this instance's id; whatever an earlier one left open is ended.
    ///
    /// What it says of itself goes to `figures`.
    ///
    /// # Errors
    /// The settings are refused, or the brokers do not answer.
    pub(super) fn open(client: &Client, figures: SharedFigures) -> Result<Producer, Broken> {
        let inner: ThreadedProducer<ProducerContext> = client
            .config(Role::Producer)
            .create_with_context(ProducerContext::new(figures))
            .map_err(|error| Broken::ForGood(error.to_string()))?;
        if client.kafka.exactly_once {
            inner.init_transactions(INIT_TIMEOUT).map_err(|error| match code(&error) {
                Some(
                    RDKafkaErrorCode::TransactionalIdAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
                    | RDKafkaErrorCode::InvalidTransactionTimeout,
                ) => Broken::ForGood(format!("no transactions can be begun: {error}")),
                _ => for_now(error),
            })?;
        }
        let headers = OwnedHeaders::new()
            .insert(Header { key: "instance", value: Some(&client.instance) })
            .insert(Header { key: "version", value: Some(env!("CARGO_PKG_VERSION")) })
            .insert(Header { key: "input_topic", value: Some(&client.kafka.input) });
        let inner = Arc::new(inner);
        let offsets = Offsets::new(inner.clone());
        Ok(Producer { inner, offsets, kafka: client.kafka.clone(), headers })
    }

    /// How often a broker went away.
    pub(super) fn troubles(&self) -> u64 {
        self.inner.context().troubles()
    }

    /// Begins a transaction.
    pub(super) fn begin(&self) -> Result<(), KafkaError> {
        self.inner.begin_transaction()
    }

    /// Sends outputs on their way.
    pub(super) fn produce<'a>(
        &self,
        outputs: impl Iterator<Item = Made<'a>>,
    ) -> Result<(), KafkaError> {
        for output in outputs {
            let (topic, partition) = match output.to {
                Destination::Decisions => (&self.kafka.output, None),
                Destination::DeadLetters => (&self.kafka.dead_letters, None),
                Destination::Input => (&self.kafka.input, Some(output.partition)),
            };
            let mut record: BaseRecord<'_, [u8], [u8], ()> =
                BaseRecord::to(topic).payload(output.payload);
            record.key = output.key;
            record.partition = partition;
            record.headers = Some(self.headers_of(&output));
            while let Err((error, same)) = self.inner.send(record) {
                match error {
                    // Full: it waits, and is never dropped.
                    KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
                        pause(Duration::from_millis(1));
                        record = same;
                    }
                    _ => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn headers_of(&self, output: &Made<'_>) -> OwnedHeaders {
        let (partition, offset) = (output.partition.to_string(), output.offset.to_string());
        self.headers
            .clone()
            .insert(Header { key: "input_partition", value: Some(&partition) })
            .insert(Header { key: "input_offset", value: Some(&offset) })
    }

    /// Waits until the brokers have everything. Own waiting: `flush` of the client library sleeps a
    /// tenth of a second at a time.
    pub(super) fn flush(&self) -> Result<(), KafkaError> {
        let begin = Clock::new();
        while self.inner.in_flight_count() > 0 {
            if begin.elapsed() > SEND_TIMEOUT {
                return Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut));
            }
            pause(Duration::from_micros(200));
        }
        self.inner.context().failure().map_or(Ok(()), Err)
    }

    /// Puts offsets of the group into the transaction.
    pub(super) fn send_offsets(
        &self,
        offsets: TopicPartitionList,
        group: Arc<ConsumerGroupMetadata>,
    ) -> Result<(), KafkaError> {
        self.offsets.send(offsets, group)
    }

    /// Commits.
    pub(super) fn commit(&self) -> Result<(), KafkaError> {
        retried(|| self.inner.commit_transaction(COMMIT_TIMEOUT))
    }

    /// Aborts, because of this.
    pub(super) fn abort(&self, why: String) -> Failed {
        match retried(|| self.inner.abort_transaction(COMMIT_TIMEOUT)) {
            Ok(()) => {
                // What a record failed with was of this one.
                self.inner.context().failure();
                Failed::Aborted(why)
            }
            Err(error) => in_doubt(&error, format!("{why}; {error}")),
        }
    }

    /// What an error of a transaction means for it, before anybody asked to commit it.
    pub(super) fn failed(&self, error: KafkaError) -> Failed {
        match &error {
            KafkaError::Transaction(inner) if inner.txn_requires_abort() => match code(&error) {
                Some(RDKafkaErrorCode::FencedInstanceId) => Failed::ForGood(error.to_string()),
                _ => self.abort(error.to_string()),
            },
            KafkaError::MessageProduction(_) => match too_large(&error) {
                Some(why) => Failed::ForGood(why),
                None => self.abort(error.to_string()),
            },
            _ => in_doubt(&error, error.to_string()),
        }
    }
}

/// What is to be done about a record that nobody takes, whoever says so.
pub(super) fn too_large(error: &KafkaError) -> Option<String> {
    (code(error) == Some(RDKafkaErrorCode::MessageSizeTooLarge)).then(|| {
        format!(
            "a record is larger than the brokers or the client take ({error}): raise \
             max.message.bytes of the topic and message.max.bytes in [kafka.properties], or lower \
             [limits] linked_events"
        )
    })
}

/// Nobody knows what has become of a transaction; whose fault it is, the error says.
pub(super) fn in_doubt(error: &KafkaError, why: String) -> Failed {
    use RDKafkaErrorCode::{Fenced, InvalidProducerEpoch, ProducerFenced};
    match code(error) {
        Some(Fenced | ProducerFenced | InvalidProducerEpoch) => Failed::Fenced(why),
        _ => Failed::Unknown(why),
    }
}

/// Puts offsets into transactions, on a thread of its own: the call of the client library can wait
/// for good for a coordinator that it no longer looks for, whatever its time-out (librdkafka issues
/// 5456 and 5511, seen when an only broker came back). Who gives up on it throws the producer away.
struct Offsets {
    asked: Sender<Ask>,
    answers: Mutex<Receiver<Result<(), KafkaError>>>,
}

type Ask = (TopicPartitionList, Arc<ConsumerGroupMetadata>);

impl Offsets {
    fn new(producer: Arc<ThreadedProducer<ProducerContext>>) -> Offsets {
        let ((asked, asks), (answer, answers)) = (channel::<Ask>(), channel());
        thread::spawn(move || {
            for (offsets, group) in asks {
                let send =
                    || producer.send_offsets_to_transaction(&offsets, &group, OFFSETS_TIMEOUT);
                if answer.send(retried(send)).is_err() {
                    return;
                }
            }
        });
        Offsets { asked, answers: Mutex::new(answers) }
    }

    fn send(
        &self,
        offsets: TopicPartitionList,
        group: Arc<ConsumerGroupMetadata>,
    ) -> Result<(), KafkaError> {
        // Without the thread there is no answer either.
        let _ = self.asked.send((offsets, group));
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.recv_timeout(OFFSETS_TIMEOUT + OFFSETS_MORE).unwrap_or_else(|_| {
            Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::OperationTimedOut))
        })
    }
}

/// Calls again what says that it may be called again: it goes on where it was. But not for longer
/// than a transaction lasts: a new client may be better off.
fn retried(mut call: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    let begin = Clock::new();
    loop {
        match call() {
            Err(KafkaError::Transaction(error))
                if error.is_retriable() && begin.elapsed() < COMMIT_TIMEOUT => {}
            outcome => return outcome,
        }
    }
}

fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    error.rdkafka_error_code()
}
