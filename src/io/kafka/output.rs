//! The output topics: outputs and offsets in one transaction, or outputs and then offsets.
//!
//! A transaction whose end is not known is the one thing that must never be guessed at. Its producer
//! is thrown away; a new one under the same id ends whatever is open; then what stands is looked for,
//! among the committed offsets and in the output topics. The same is done once brokers have gone
//! away, for what they have acknowledged shortly before: see [`standing`](super::standing).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerGroupMetadata},
    error::{KafkaError, RDKafkaErrorCode},
};
use tracing::{info, warn};

use super::{
    client::{Client, Role},
    context::SharedFigures,
    input::{Member, for_now},
    log::committed,
    producer::{Failed, Producer, in_doubt, too_large},
    standing::{End, Memory, Sight},
};
use crate::{
    io::{
        clock::{Clock, epoch_ms},
        outage::Outage,
    },
    pipeline::{
        ports::{Broken, Committed, Output},
        transaction::{Made, Reached, Transaction},
    },
};

const ASK_TIMEOUT: Duration = Duration::from_secs(5);
/// So often in a row another producer may have taken this one's place.
const FENCED_MAX: u32 = 3;
/// So long others may take to end a transaction, before this one's own are suspected of being open.
const OTHERS: Duration = Duration::from_millis(300);
const OTHERS_MAX: Duration = Duration::from_secs(15);

/// Where a test ends the program, by name, or has it err.
pub trait CrashPoints: Send {
    /// The program is here.
    fn at(&mut self, point: &'static str);

    /// What is put out in place of an output, so that a test can see who notices.
    fn put_out<'a>(&mut self, output: Made<'a>) -> [Option<Made<'a>>; 2] {
        [Some(output), None]
    }
}

/// The output topics.
pub struct KafkaOutput {
    client: Client,
    member: Arc<Member>,
    producer: Option<Arc<Producer>>,
    memory: Arc<Mutex<Memory>>,
    /// The troubles of the producer as of when everything was known to be right, if it was.
    settled: Option<u64>,
    /// The troubles as of when it was last found out what can be read, and that.
    looked: Option<(u64, Vec<Sight>)>,
    outage: Outage,
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

impl KafkaOutput {
    /// Writes as this member of the group; what an earlier one of this process wrote is remembered.
    pub fn new(
        client: Client,
        member: Arc<Member>,
        memory: Arc<Mutex<Memory>>,
        crash: Box<dyn CrashPoints>,
    ) -> KafkaOutput {
        KafkaOutput {
            client,
            member,
            producer: None,
            memory,
            settled: None,
            looked: None,
            outage: Outage::new("the output"),
            crash,
            figures: SharedFigures::default(),
            committed_in: None,
        }
    }

    /// What its producer last says of itself.
    pub fn figures(&self) -> SharedFigures {
        self.figures.clone()
    }

    fn producer(&mut self) -> Result<Arc<Producer>, Broken> {
        if let Some(producer) = &self.producer {
            return Ok(producer.clone());
        }
        (self.settled, self.looked) = (None, None);
        let producer = Arc::new(Producer::open(&self.client, self.figures.clone())?);
        Ok(self.producer.insert(producer).clone())
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

    /// How far partitions have been decided by the transactions that stand, whatever is still open.
    fn told(
        &self,
        partitions: impl Iterator<Item = i32>,
    ) -> Result<BTreeMap<i32, Committed>, Broken> {
        let mut partitions = partitions.peekable();
        if partitions.peek().is_none() {
            return Ok(BTreeMap::new());
        }
        let mut config = self.client.config(Role::Reader);
        config.set("isolation.level", "read_uncommitted");
        let reader: BaseConsumer = config.create().map_err(for_now)?;
        committed(&reader, self.member.topic(), partitions, ASK_TIMEOUT)
    }

    /// Before the first transaction of a producer, and once brokers have gone away: sees to it that
    /// everything stands that should, and nothing else.
    fn settle(&mut self) -> Result<(), Broken> {
        if self.member.take_doubt() {
            self.settled = None;
        }
        let producer = self.producer()?;
        let troubles = producer.troubles();
        if self.settled == Some(troubles) {
            return Ok(());
        }
        self.settled = None;
        let memory = self.memory.clone();
        let mut memory = lock(&memory);
        // Without a share as well: others may be waiting for it, while they have what is to be shared.
        let sights = match self.looked.take() {
            Some((then, sights)) if then == troubles => sights,
            _ => self.look(&producer, &memory)?,
        };
        let Some(group) = self.member.metadata() else {
            self.looked = Some((troubles, sights));
            return Err(Broken::ForNow("this instance has no share of the input".to_owned()));
        };
        let mut partitions = self.member.share();
        partitions.extend(memory.last.keys());
        partitions.extend(memory.past.iter().flat_map(|past| past.transaction.reached().keys()));
        let told = self.told(partitions.into_iter())?;
        memory.find(&told, &sights);
        let ended = self.set_right(&producer, &group, &memory, &told, &sights);
        if ended.is_err() {
            // What it came to is seen the next time.
            self.producer = None;
            return ended;
        }
        memory.past.retain(|past| past.end != End::Dropped);
        self.settled = Some(troubles);
        Ok(())
    }

    /// What can be read of the last transactions. Where that cannot be told because something is
    /// open, it may be theirs: outputs that nobody ever marked are aborted, together with the same
    /// ones written once more. What has its mark keeps it.
    fn look(&mut self, producer: &Producer, memory: &Memory) -> Result<Vec<Sight>, Broken> {
        if let Some(sights) = memory.look(&self.client, OTHERS)? {
            return Ok(sights);
        }
        info!("something that was written before the brokers went away is open: it is ended");
        let ended = abort(producer, || {
            let outputs = memory.past.iter().flat_map(|past| past.transaction.outputs());
            producer.produce(outputs).map_err(for_now)?;
            producer.flush().map_err(for_now)
        });
        if ended.is_err() {
            self.producer = None;
        }
        ended?;
        memory.look(&self.client, OTHERS_MAX)?.ok_or_else(|| {
            Broken::ForNow(
                "a transaction over the output topics stays open, and hides which outputs stand: if \
                 it is of an instance that does not come back, kafka-transactions.sh ends it"
                    .to_owned(),
            )
        })
    }

    /// Commits again the offsets and the outputs of what stands that the brokers have forgotten. Where
    /// no offsets are missing, what offsets are left open are of a transaction that does not stand.
    fn set_right(
        &self,
        producer: &Producer,
        group: &Arc<ConsumerGroupMetadata>,
        memory: &Memory,
        told: &BTreeMap<i32, Committed>,
        sights: &[Sight],
    ) -> Result<(), Broken> {
        let behind = |number: &i32, reached: &Reached| {
            told.get(number).is_none_or(|committed| committed.offset < reached.offset)
        };
        let last = memory.last.iter().filter(|(number, reached)| behind(number, reached));
        let missing: BTreeMap<i32, Reached> = last.map(|(n, r)| (*n, r.clone())).collect();
        let harmless = self.harmless(told);
        if missing.is_empty() && !harmless.is_empty() {
            let offsets = self.list(&harmless).map_err(for_now)?;
            abort(producer, || {
                // It comes to nothing, whether they are taken or not.
                let _ = self.send_offsets(producer, offsets, group.clone());
                Ok(())
            })?;
        }
        let lost = memory.lost(sights).count();
        if missing.is_empty() && lost == 0 {
            return Ok(());
        }
        let partitions: Vec<i32> = missing.keys().copied().collect();
        warn!(?partitions, outputs = lost, "the brokers have forgotten what they committed: again");
        producer.begin().map_err(for_now)?;
        producer.produce(memory.lost(sights)).map_err(for_now)?;
        producer.flush().map_err(for_now)?;
        if !missing.is_empty() {
            let offsets = self.list(&self.ours(missing, memory, told)).map_err(for_now)?;
            self.send_offsets(producer, offsets, group.clone()).map_err(for_now)?;
        }
        producer.commit().map_err(for_now)
    }

    /// Offsets that change nothing even if they came to be committed: none, where none ever were.
    fn harmless(&self, told: &BTreeMap<i32, Committed>) -> BTreeMap<i32, Reached> {
        let share = self.member.share();
        let known = told.iter().find(|(number, _)| share.contains(number)).or(told.iter().next());
        let reached = |of: &Committed| Reached { offset: of.offset, note: of.note.clone() };
        known.map(|(number, committed)| (*number, reached(committed))).into_iter().collect()
    }

    /// With which offsets to commit what is missing: of partitions that are decided here, where
    /// there are any, because nobody else can be further there by now. The end of the transaction
    /// commits what an earlier one left for the others.
    fn ours(
        &self,
        missing: BTreeMap<i32, Reached>,
        memory: &Memory,
        told: &BTreeMap<i32, Committed>,
    ) -> BTreeMap<i32, Reached> {
        let mut ours = memory.last.clone();
        let share = self.member.share();
        ours.retain(|number, reached| {
            let further = told.get(number).is_some_and(|told| told.offset > reached.offset);
            share.contains(number) && !further
        });
        if ours.is_empty() { missing } else { ours }
    }

    /// Puts offsets into the transaction, and heeds it if the group does not know this member.
    fn send_offsets(
        &self,
        producer: &Producer,
        offsets: TopicPartitionList,
        group: Arc<ConsumerGroupMetadata>,
    ) -> Result<(), KafkaError> {
        producer.send_offsets(offsets, group).inspect_err(|error| {
            if is_of_a_stranger(error) {
                self.member.expel();
            }
        })
    }

    /// `asked` says afterwards whether the brokers were asked to commit it.
    fn transact(
        &mut self,
        producer: &Producer,
        transaction: &Transaction,
        asked: &mut bool,
    ) -> Result<(), Failed> {
        let group = self.member.metadata();
        let offsets = self.list(transaction.reached());
        let offsets = offsets.map_err(|error| Failed::Unknown(error.to_string()))?;
        let crash = &mut self.crash;
        let outputs = transaction.outputs().flat_map(|output| crash.put_out(output)).flatten();
        producer
            .begin()
            .and_then(|()| producer.produce(outputs))
            .map_err(|error| producer.failed(error))?;
        producer.flush().map_err(|error| producer.failed(error))?;
        self.crash.at("before_offsets");
        let begin = Clock::new();
        if offsets.count() > 0 {
            let Some(group) = group else {
                return Err(producer.abort("the group has no generation".to_owned()));
            };
            self.send_offsets(producer, offsets, group).map_err(|error| producer.failed(error))?;
        }
        self.crash.at("before_commit");
        *asked = true;
        // Whatever an error says: the brokers may have committed it. An abort would be believed.
        producer.commit().map_err(|error| in_doubt(&error, error.to_string()))?;
        self.committed_in = Some(begin.elapsed());
        self.crash.at("after_commit");
        Ok(())
    }

    fn exactly_once(&mut self, transaction: &Arc<Transaction>) -> Result<(), Broken> {
        self.settle()?;
        if lock(&self.memory).take_found(transaction) {
            info!("it stands");
            return Ok(());
        }
        let producer = self.producer()?;
        let (begun_ms, mut asked) = (epoch_ms(), false);
        let outcome = self.transact(&producer, transaction, &mut asked);
        let end = match &outcome {
            Ok(()) => End::Acknowledged,
            Err(_) if asked => End::Asked,
            Err(_) => End::Dropped,
        };
        let calm = self.settled == Some(producer.troubles());
        lock(&self.memory).ended(transaction, end, begun_ms, calm);
        let Err(failed) = outcome else {
            self.client.fenced.store(0, Ordering::SeqCst);
            return Ok(());
        };
        self.settled = None;
        match failed {
            Failed::Aborted(why) => Err(Broken::ForNow(why)),
            Failed::ForGood(why) => Err(Broken::ForGood(why)),
            Failed::Unknown(why) => {
                self.producer = None;
                Err(Broken::ForNow(format!("its end is not known, and is looked for: {why}")))
            }
            Failed::Fenced(why) => {
                self.producer = None;
                Err(self.fenced(&why))
            }
        }
    }

    /// Once may be a broker that came back; again and again is another process.
    fn fenced(&self, why: &str) -> Broken {
        match self.client.fenced.fetch_add(1, Ordering::SeqCst) + 1 >= FENCED_MAX {
            true => Broken::ForGood(format!(
                "another producer has taken over the transactional id of this instance, again and \
                 again ({why}): two processes run under the name {}. Give each its own [kafka] \
                 instance, or its own [state] dir",
                self.client.instance
            )),
            false => Broken::ForNow(format!("its end is not known, and is looked for: {why}")),
        }
    }

    fn at_least_once(&mut self, transaction: &Transaction) -> Result<(), Broken> {
        let producer = self.producer()?;
        producer.produce(transaction.outputs()).map_err(for_now)?;
        if let Err(error) = producer.flush() {
            // What waits in it would come on top of what is sent again.
            self.producer = None;
            return Err(too_large(&error).map_or_else(|| for_now(error), Broken::ForGood));
        }
        self.crash.at("before_commit");
        let begin = Clock::new();
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
    fn deliver(&mut self, transaction: &Arc<Transaction>) -> Result<(), Broken> {
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
        // While it waits for its own offsets, nothing is delivered that would set them right.
        let has_share = self.member.metadata().is_some();
        if !self.client.kafka.exactly_once || !(has_share || lock(&self.memory).is_open()) {
            return;
        }
        match self.settle() {
            Ok(()) => self.outage.works(),
            Err(broken) if has_share => self.outage.trouble(&broken),
            Err(_) => {}
        }
    }
}

/// A transaction that does this and is aborted, whatever comes of it.
fn abort(producer: &Producer, act: impl FnOnce() -> Result<(), Broken>) -> Result<(), Broken> {
    producer.begin().map_err(for_now)?;
    let done = act();
    match producer.abort(String::new()) {
        Failed::Aborted(_) => done,
        Failed::Unknown(why) | Failed::Fenced(why) | Failed::ForGood(why) => {
            Err(Broken::ForNow(why))
        }
    }
}

/// What a panicking thread left is still whole: each change is one transaction.
fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does the group say that it does not know this member, or not in this generation?
fn is_of_a_stranger(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{IllegalGeneration, UnknownMemberId};
    matches!(error.rdkafka_error_code(), Some(IllegalGeneration | UnknownMemberId))
}
