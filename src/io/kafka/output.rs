//! The output topics: outputs and offsets in one transaction, or outputs and then offsets.
//!
//! A transaction whose end is not known is the one thing that must never be guessed at. Its producer
//! is thrown away; a new one under the same id ends whatever is open; then the committed offsets say
//! whether it stands, since they stand or fall with it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer, ThreadedProducer},
};
use tracing::{info, warn};

use super::{
    client::{Client, Role},
    context::{ProducerContext, SharedFigures},
    input::{Member, for_now},
};
use crate::pipeline::{
    ports::{Broken, Committed, Output},
    transaction::{Destination, Made, Reached, Transaction},
};

const INIT_TIMEOUT: Duration = Duration::from_secs(15);
const COMMIT_TIMEOUT: Duration = Duration::from_secs(15);
const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// Beyond the transaction's own timeout nothing can come of it any more.
const SEND_TIMEOUT: Duration = Duration::from_secs(15);
/// So often in a row another producer may have taken this one's place.
const FENCED_MAX: u32 = 3;

/// Where a test ends the program, by name.
pub trait CrashPoints: Send {
    /// The program is here.
    fn at(&mut self, point: &'static str);
}

/// The output topics.
pub struct KafkaOutput {
    client: Client,
    member: Arc<Member>,
    producer: Option<ThreadedProducer<ProducerContext>>,
    headers: OwnedHeaders,
    /// Has what an earlier producer of this process may have left been ended?
    cleared: bool,
    /// By partition, how far the last transaction brought it that stands.
    last: BTreeMap<i32, Reached>,
    fenced: u32,
    crash: Box<dyn CrashPoints>,
    figures: SharedFigures,
    /// How long the last commit took.
    committed_in: Option<Duration>,
}

impl std::fmt::Debug for KafkaOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaOutput").field("client", &self.client).finish_non_exhaustive()
    }
}

/// What a transaction came to.
enum Failed {
    /// It is aborted: certain.
    Aborted(String),
    /// Nobody knows.
    Unknown(String),
    /// Somebody has to act.
    ForGood(String),
}

impl KafkaOutput {
    /// Writes as this member of the group.
    pub fn new(client: Client, member: Arc<Member>, crash: Box<dyn CrashPoints>) -> KafkaOutput {
        let headers = OwnedHeaders::new()
            .insert(Header { key: "instance", value: Some(&client.instance) })
            .insert(Header { key: "version", value: Some(env!("CARGO_PKG_VERSION")) })
            .insert(Header { key: "input_topic", value: Some(&client.kafka.input) });
        KafkaOutput {
            client,
            member,
            producer: None,
            headers,
            cleared: true,
            last: BTreeMap::new(),
            fenced: 0,
            crash,
            figures: SharedFigures::default(),
            committed_in: None,
        }
    }

    /// What its producer last says of itself.
    pub fn figures(&self) -> SharedFigures {
        self.figures.clone()
    }

    fn produce(&self, transaction: &Transaction) -> Result<(), KafkaError> {
        let Some(producer) = &self.producer else { return Err(KafkaError::Canceled) };
        let kafka = &self.client.kafka;
        for output in transaction.outputs() {
            let (topic, partition) = match output.to {
                Destination::Decisions => (&kafka.output, None),
                Destination::DeadLetters => (&kafka.dead_letters, None),
                Destination::Input => (&kafka.input, Some(output.partition)),
            };
            let mut record: BaseRecord<'_, [u8], [u8], ()> =
                BaseRecord::to(topic).payload(output.payload);
            record.key = output.key;
            record.partition = partition;
            record.headers = Some(self.headers_of(&output));
            while let Err((error, same)) = producer.send(record) {
                match error {
                    // Full: it waits, and is never dropped.
                    KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
                        wait(Duration::from_millis(1));
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
    fn settle(&self) -> Result<(), String> {
        let Some(producer) = &self.producer else { return Ok(()) };
        let begin = now();
        while producer.in_flight_count() > 0 {
            if begin.elapsed() > SEND_TIMEOUT {
                return Err("the brokers take no records".to_owned());
            }
            wait(Duration::from_micros(200));
        }
        producer.context().failure().map_or(Ok(()), Err)
    }

    fn list(&self, offsets: &BTreeMap<i32, Reached>) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        for (partition, reached) in offsets {
            let offset = Offset::Offset(reached.offset);
            list.add_partition_offset(self.member.topic(), *partition, offset)?;
            if let Some(mut element) = list.find_partition(self.member.topic(), *partition) {
                element.set_metadata(&reached.note);
            }
        }
        Ok(list)
    }

    /// A producer under this instance's id; whatever an earlier one left open is ended.
    fn open(&mut self) -> Result<(), Broken> {
        if self.producer.is_none() {
            let producer: ThreadedProducer<ProducerContext> = self
                .client
                .config(Role::Producer)
                .create_with_context(ProducerContext::new(self.figures.clone()))
                .map_err(|error| Broken::ForGood(error.to_string()))?;
            if self.client.kafka.exactly_once {
                producer.init_transactions(INIT_TIMEOUT).map_err(|error| {
                    match error_code(&error) {
                        Some(
                            RDKafkaErrorCode::TransactionalIdAuthorizationFailed
                            | RDKafkaErrorCode::ClusterAuthorizationFailed
                            | RDKafkaErrorCode::InvalidTransactionTimeout,
                        ) => Broken::ForGood(format!("no transactions can be begun: {error}")),
                        _ => for_now(error),
                    }
                })?;
            }
            self.producer = Some(producer);
        }
        Ok(())
    }

    /// Brings the group to what stands, once, after a producer was thrown away.
    ///
    /// Two things can be wrong there. Offsets that came after their transaction had been ended by its
    /// time-out belong to none that anybody would end, and keep the group from telling how far its
    /// partitions are: the end of any later transaction of this id ends them. And a broker that died
    /// while it committed can come back with the outputs committed and the offsets not (seen with
    /// Apache Kafka 4.3.1): they are committed again, as they were.
    fn clear(&mut self) -> Result<(), Broken> {
        if self.cleared {
            return Ok(());
        }
        let metadata = self.member.metadata();
        let (Some(producer), Some(metadata)) = (&self.producer, metadata) else { return Ok(()) };
        let list = |offsets: &BTreeMap<i32, Reached>| self.list(offsets).map_err(for_now);
        let told = self.told(self.last.keys().copied())?;
        let behind = |number: &i32, reached: &Reached| {
            told.get(number).is_none_or(|committed| committed.offset < reached.offset)
        };
        let missing: BTreeMap<i32, Reached> =
            self.last.iter().filter(|(n, r)| behind(n, r)).map(|(n, r)| (*n, r.clone())).collect();
        let ended = producer.begin_transaction().map_err(for_now).and_then(|()| {
            let send = |offsets: &TopicPartitionList| {
                producer.send_offsets_to_transaction(offsets, &metadata, COMMIT_TIMEOUT)
            };
            if missing.is_empty() {
                let any = Reached { offset: 0, note: String::new() };
                // It is never committed, whatever comes of it.
                let _ = send(&list(&BTreeMap::from([(0, any)]))?);
                return retried(|| producer.abort_transaction(COMMIT_TIMEOUT)).map_err(for_now);
            }
            warn!(partitions = ?missing.keys(), "the brokers have forgotten offsets: set again");
            send(&list(&missing)?).map_err(for_now)?;
            retried(|| producer.commit_transaction(COMMIT_TIMEOUT)).map_err(for_now)
        });
        match ended {
            Ok(()) => self.cleared = true,
            // What it came to is seen the next time.
            Err(_) => self.producer = None,
        }
        ended
    }

    /// How far partitions have been decided by the transactions that stand, whatever is still open.
    fn told(
        &self,
        partitions: impl Iterator<Item = i32>,
    ) -> Result<BTreeMap<i32, Committed>, Broken> {
        let mut config = self.client.config(Role::Reader);
        config.set("isolation.level", "read_uncommitted");
        let reader: BaseConsumer = config.create().map_err(for_now)?;
        let mut list = TopicPartitionList::new();
        partitions.for_each(|partition| {
            list.add_partition(self.member.topic(), partition);
        });
        if list.count() == 0 {
            return Ok(BTreeMap::new());
        }
        let committed = reader.committed_offsets(list, ASK_TIMEOUT).map_err(for_now)?;
        let mut told = BTreeMap::new();
        for element in committed.elements() {
            element.error().map_err(for_now)?;
            if let Offset::Offset(offset) = element.offset() {
                let note = element.metadata().to_owned();
                told.insert(element.partition(), Committed { offset, note });
            }
        }
        Ok(told)
    }

    fn transact(&mut self, transaction: &Transaction) -> Result<(), Failed> {
        let unknown = |error: KafkaError| Failed::Unknown(error.to_string());
        let metadata = self.member.metadata();
        let offsets = self.list(transaction.reached()).map_err(unknown)?;
        let Some(producer) = &self.producer else {
            return Err(Failed::Aborted("no producer".to_owned()));
        };
        producer.begin_transaction().map_err(|error| self.failed(error))?;
        if let Err(error) = self.produce(transaction) {
            return Err(self.failed(error));
        }
        if let Err(message) = self.settle() {
            return Err(self.abort(message));
        }
        self.crash.at("before_offsets");
        let begin = now();
        let Some(producer) = &self.producer else {
            return Err(Failed::Aborted("no producer".to_owned()));
        };
        if !transaction.reached().is_empty() {
            let Some(metadata) = metadata else {
                return Err(self.abort("the group has no generation".to_owned()));
            };
            if let Err(error) = retried(|| {
                producer.send_offsets_to_transaction(&offsets, &metadata, COMMIT_TIMEOUT)
            }) {
                return Err(self.failed(error));
            }
        }
        self.crash.at("before_commit");
        let Some(producer) = &self.producer else {
            return Err(Failed::Aborted("no producer".to_owned()));
        };
        if let Err(error) = retried(|| producer.commit_transaction(COMMIT_TIMEOUT)) {
            // Whatever it says: the brokers may have committed it. An abort would be believed.
            return Err(Failed::Unknown(error.to_string()));
        }
        self.committed_in = Some(begin.elapsed());
        self.crash.at("after_commit");
        Ok(())
    }

    /// What an error of a transaction means for it, before anybody asked to commit it.
    fn failed(&self, error: KafkaError) -> Failed {
        match &error {
            KafkaError::Transaction(inner) if inner.txn_requires_abort() => {
                match error_code(&error) {
                    Some(RDKafkaErrorCode::FencedInstanceId) => Failed::ForGood(error.to_string()),
                    _ => self.abort(error.to_string()),
                }
            }
            KafkaError::MessageProduction(code) => match code {
                RDKafkaErrorCode::MessageSizeTooLarge => Failed::ForGood(format!(
                    "a record is larger than the brokers or the client take ({error}): raise \
                     max.message.bytes of the topic and message.max.bytes in [kafka.properties], or \
                     lower [limits] linked_events"
                )),
                _ => self.abort(error.to_string()),
            },
            _ => Failed::Unknown(error.to_string()),
        }
    }

    fn abort(&self, message: String) -> Failed {
        let Some(producer) = &self.producer else { return Failed::Unknown(message) };
        match retried(|| producer.abort_transaction(COMMIT_TIMEOUT)) {
            Ok(()) => {
                // What a record failed with was of this one.
                producer.context().failure();
                Failed::Aborted(message)
            }
            Err(error) => Failed::Unknown(format!("{message}; {error}")),
        }
    }

    /// Does a transaction stand whose end nobody has seen?
    fn stands(&self, transaction: &Transaction) -> Result<bool, Broken> {
        // Whatever this id had open was ended when its new producer began.
        let told = self.told(transaction.reached().keys().copied())?;
        let stands = transaction.reached().iter().all(|(partition, reached)| {
            told.get(partition).is_some_and(|committed| match committed.offset {
                offset if offset == reached.offset => committed.note == reached.note,
                offset => offset > reached.offset,
            })
        });
        Ok(stands && !transaction.reached().is_empty())
    }

    fn exactly_once(&mut self, transaction: &Transaction) -> Result<(), Broken> {
        self.open()?;
        self.clear()?;
        let message = match self.transact(transaction) {
            Ok(()) => {
                self.fenced = 0;
                self.stood(transaction);
                return Ok(());
            }
            Err(Failed::Aborted(message)) => return Err(Broken::ForNow(message)),
            Err(Failed::ForGood(message)) => return Err(Broken::ForGood(message)),
            Err(Failed::Unknown(message)) => message,
        };
        warn!(reason = message, "the end of a transaction is not known: looking for it");
        if message.contains("fenced") || message.contains("Fenced") {
            self.fenced += 1;
        }
        if self.fenced >= FENCED_MAX {
            return Err(Broken::ForGood(format!(
                "another producer has taken over the transactional id of this instance, again and \
                 again ({message}): two processes run under the name {}. Give each its own [kafka] \
                 instance, or its own [state] dir",
                self.client.instance
            )));
        }
        (self.producer, self.cleared) = (None, false);
        loop {
            let found = self.open().and_then(|()| self.stands(transaction));
            match found {
                Ok(true) => {
                    info!("it stands");
                    self.stood(transaction);
                    return Ok(());
                }
                Ok(false) => return Err(Broken::ForNow(message)),
                Err(Broken::ForGood(message)) => return Err(Broken::ForGood(message)),
                Err(why) => {
                    warn!(reason = %why, "the end of a transaction cannot be found yet");
                    wait(Duration::from_millis(500));
                }
            }
        }
    }

    fn stood(&mut self, transaction: &Transaction) {
        let reached = transaction.reached().iter();
        self.last.extend(reached.map(|(number, reached)| (*number, reached.clone())));
    }

    fn at_least_once(&mut self, transaction: &Transaction) -> Result<(), Broken> {
        self.open()?;
        self.produce(transaction).map_err(for_now)?;
        if let Err(message) = self.settle() {
            // What waits in it would come on top of what is sent again.
            self.producer = None;
            return Err(Broken::ForNow(message));
        }
        self.crash.at("before_commit");
        let begin = now();
        let offsets = self.list(transaction.reached()).map_err(for_now)?;
        if offsets.count() > 0 {
            self.member.consumer().commit(&offsets, CommitMode::Sync).map_err(for_now)?;
        }
        self.committed_in = Some(begin.elapsed());
        self.crash.at("after_commit");
        Ok(())
    }
}

impl Output for KafkaOutput {
    fn deliver(&mut self, transaction: &Transaction) -> Result<(), Broken> {
        self.committed_in = None;
        match self.client.kafka.exactly_once {
            true => self.exactly_once(transaction),
            false => self.at_least_once(transaction),
        }
    }

    fn committed_in(&self) -> Option<Duration> {
        self.committed_in
    }

    fn idle(&mut self) {
        if !self.cleared
            && let Err(broken) = self.open().and_then(|()| self.clear())
        {
            warn!(reason = %broken, "the output is not ready yet");
        }
    }
}

/// Calls again what says that it may be called again: it goes on where it was.
fn retried(mut call: impl FnMut() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    const TIMES: u32 = 3;
    let mut outcome = call();
    for _ in 1..TIMES {
        match &outcome {
            Err(KafkaError::Transaction(error)) if error.is_retriable() => outcome = call(),
            _ => break,
        }
    }
    outcome
}

fn error_code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    error.rdkafka_error_code()
}

#[expect(clippy::disallowed_methods, reason = "the shell waits for the brokers")]
fn wait(pause: Duration) {
    thread::sleep(pause);
}

#[expect(clippy::disallowed_methods, reason = "the shell waits for the brokers")]
fn now() -> Instant {
    Instant::now()
}
