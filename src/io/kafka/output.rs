//! The output topics: outputs and offsets in one transaction, or outputs and then offsets.
//!
//! A transaction whose end is not known is the one thing that must never be guessed at. Its producer
//! is thrown away; a new one under the same id ends whatever is open; then the committed offsets say
//! whether it stands, since they stand or fall with it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

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
    producer::{Failed, Producer},
};
use crate::{
    io::{clock::Clock, outage::Outage},
    pipeline::{
        ports::{Broken, Committed, Output},
        transaction::{Reached, Transaction},
    },
};

const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// So often in a row another producer may have taken this one's place.
const FENCED_MAX: u32 = 3;
/// No broker ends and is back within so long.
const SAME_BROKER: Duration = Duration::from_secs(1);

/// Where a test ends the program, by name.
pub trait CrashPoints: Send {
    /// The program is here.
    fn at(&mut self, point: &'static str);
}

/// The output topics.
pub struct KafkaOutput {
    client: Client,
    member: Arc<Member>,
    producer: Option<Arc<Producer>>,
    /// Has what an earlier producer of this id may have left been ended?
    cleared: bool,
    doubt: Option<Doubt>,
    /// By partition, how far the transactions brought it that stand.
    last: BTreeMap<i32, Reached>,
    /// When the last one was committed.
    stood: Option<Clock>,
    fenced: u32,
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

/// A transaction whose end nobody has seen.
struct Doubt {
    transaction: Transaction,
    progress: Progress,
}

/// How far a transaction came.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// The brokers took outputs of it, and had ended the one before it when they did.
    sent: bool,
    /// They were asked to commit it.
    asked: bool,
}

impl KafkaOutput {
    /// Writes as this member of the group.
    pub fn new(client: Client, member: Arc<Member>, crash: Box<dyn CrashPoints>) -> KafkaOutput {
        KafkaOutput {
            client,
            member,
            producer: None,
            cleared: false,
            doubt: None,
            last: BTreeMap::new(),
            stood: None,
            fenced: 0,
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

    /// Brings the group and the topics to what stands, before the first transaction of a producer.
    ///
    /// A broker acknowledges the end of a transaction before it marks the partitions, and one that
    /// died in between can come back without ever doing so (seen with an only broker, Apache Kafka
    /// 4.3.1): then the offsets keep the group from telling how far its partitions are, and the
    /// outputs wait for whatever the next end of a transaction of this id says. So offsets that
    /// are known to stand are committed again; and where none are missing, what is left is of a
    /// transaction that does not stand: one with the same outputs is aborted.
    fn clear(&mut self) -> Result<(), Broken> {
        if self.cleared {
            return Ok(());
        }
        let producer = self.producer()?;
        let Some(group) = self.member.metadata() else {
            return Err(Broken::ForNow("this instance has no share of the input".to_owned()));
        };
        let told = self.told(self.last.keys().copied())?;
        let behind = |number: &i32, reached: &Reached| {
            told.get(number).is_none_or(|committed| committed.offset < reached.offset)
        };
        let missing: BTreeMap<i32, Reached> =
            self.last.iter().filter(|(n, r)| behind(n, r)).map(|(n, r)| (*n, r.clone())).collect();
        let ended = producer.begin().map_err(for_now).and_then(|()| {
            if missing.is_empty() {
                if let Some(Doubt { transaction, progress: Progress { sent: true, .. } }) =
                    &self.doubt
                {
                    producer.produce(transaction).map_err(for_now)?;
                    producer.settle(0, &mut || ()).map_err(Broken::ForNow)?;
                }
                let any = BTreeMap::from([(0, Reached { offset: 0, note: String::new() })]);
                // It is never committed, whatever comes of it.
                let _ = self.send_offsets(&producer, &self.list(&any).map_err(for_now)?, &group);
                return match producer.abort(String::new()) {
                    Failed::Aborted(_) => Ok(()),
                    Failed::Unknown(why) | Failed::ForGood(why) => Err(Broken::ForNow(why)),
                };
            }
            warn!(partitions = ?missing.keys(), "the brokers have forgotten offsets: set again");
            let offsets = self.list(&self.ours(missing, &told)).map_err(for_now)?;
            self.send_offsets(&producer, &offsets, &group).map_err(for_now)?;
            producer.commit().map_err(for_now)
        });
        match ended {
            Ok(()) => (self.cleared, self.doubt) = (true, None),
            // What it came to is seen the next time.
            Err(_) => self.producer = None,
        }
        ended
    }

    /// With which offsets to commit what is missing: of partitions that are decided here, where
    /// there are any, because nobody else can be further there by now. The end of the transaction
    /// commits what an earlier one left for the others.
    fn ours(
        &self,
        missing: BTreeMap<i32, Reached>,
        told: &BTreeMap<i32, Committed>,
    ) -> BTreeMap<i32, Reached> {
        let mut ours = self.last.clone();
        let share = self.member.share();
        ours.retain(|number, reached| {
            let further = told.get(number).is_some_and(|told| told.offset > reached.offset);
            share.contains(number) && !further
        });
        if ours.is_empty() { missing } else { ours }
    }

    /// Is this transaction, or what is left of it, the one in doubt, and does it stand?
    fn stands(&mut self, transaction: &Transaction) -> Result<bool, Broken> {
        let Some(Doubt { transaction: doubted, progress }) = &self.doubt else { return Ok(false) };
        let (all, part) = (doubted.reached(), transaction.reached());
        let same = !part.is_empty() && part.iter().all(|(n, reached)| all.get(n) == Some(reached));
        if !progress.asked || !same {
            return Ok(false);
        }
        // Whatever this id had open was ended when its new producer began.
        let told = self.told(part.keys().copied())?;
        let stands = part.iter().all(|(partition, reached)| {
            told.get(partition).is_some_and(|committed| match committed.offset {
                offset if offset == reached.offset => committed.note == reached.note,
                offset => offset > reached.offset,
            })
        });
        if stands {
            info!("it stands");
            self.doubt = None;
        }
        Ok(stands)
    }

    /// Puts offsets into the transaction, and heeds it if the group does not know this member.
    fn send_offsets(
        &self,
        producer: &Producer,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), KafkaError> {
        producer.send_offsets(offsets, group).inspect_err(|error| {
            if is_of_a_stranger(error) {
                self.member.expel();
            }
        })
    }

    fn transact(
        &mut self,
        producer: &Producer,
        transaction: &Transaction,
        progress: &mut Progress,
    ) -> Result<(), Failed> {
        let group = self.member.metadata();
        let offsets = self.list(transaction.reached());
        let offsets = offsets.map_err(|error| Failed::Unknown(error.to_string()))?;
        producer
            .begin()
            .and_then(|()| producer.produce(transaction))
            .map_err(|error| producer.failed(error))?;
        let mut taken = || {
            progress.sent |= self.stood.is_none_or(|stood| stood.elapsed() < SAME_BROKER);
        };
        let settled = producer.settle(transaction.outputs().count(), &mut taken);
        settled.map_err(|why| producer.abort(why))?;
        self.crash.at("before_offsets");
        let begin = Clock::new();
        if offsets.count() > 0 {
            let Some(group) = group else {
                return Err(producer.abort("the group has no generation".to_owned()));
            };
            self.send_offsets(producer, &offsets, &group)
                .map_err(|error| producer.failed(error))?;
        }
        self.crash.at("before_commit");
        progress.asked = true;
        // Whatever an error says: the brokers may have committed it. An abort would be believed.
        producer.commit().map_err(|error| Failed::Unknown(error.to_string()))?;
        self.committed_in = Some(begin.elapsed());
        self.crash.at("after_commit");
        Ok(())
    }

    fn exactly_once(&mut self, transaction: &Transaction) -> Result<(), Broken> {
        self.cleared &= !self.member.take_doubt();
        let producer = self.producer()?;
        if self.stands(transaction)? {
            self.stood(transaction);
            return Ok(());
        }
        self.clear()?;
        let mut progress = Progress::default();
        match self.transact(&producer, transaction, &mut progress) {
            Ok(()) => {
                self.fenced = 0;
                self.stood(transaction);
                Ok(())
            }
            Err(Failed::Aborted(why)) => Err(Broken::ForNow(why)),
            Err(Failed::ForGood(why)) => Err(Broken::ForGood(why)),
            Err(Failed::Unknown(why)) => {
                (self.producer, self.cleared) = (None, false);
                self.doubt = Some(Doubt { transaction: transaction.clone(), progress });
                self.fenced += u32::from(why.contains("fenced") || why.contains("Fenced"));
                Err(self.in_doubt(&why))
            }
        }
    }

    fn in_doubt(&self, why: &str) -> Broken {
        match self.fenced >= FENCED_MAX {
            true => Broken::ForGood(format!(
                "another producer has taken over the transactional id of this instance, again and \
                 again ({why}): two processes run under the name {}. Give each its own [kafka] \
                 instance, or its own [state] dir",
                self.client.instance
            )),
            false => Broken::ForNow(format!("its end is not known, and is looked for: {why}")),
        }
    }

    fn stood(&mut self, transaction: &Transaction) {
        let reached = transaction.reached().iter();
        self.last.extend(reached.map(|(number, reached)| (*number, reached.clone())));
        self.stood = Some(Clock::new());
    }

    fn at_least_once(&mut self, transaction: &Transaction) -> Result<(), Broken> {
        let producer = self.producer()?;
        producer.produce(transaction).map_err(for_now)?;
        if let Err(message) = producer.settle(0, &mut || ()) {
            // What waits in it would come on top of what is sent again.
            self.producer = None;
            return Err(Broken::ForNow(message));
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
        // While it waits for its own offsets, nothing is delivered that would clear them.
        self.cleared &= !self.member.take_doubt();
        let clears = self.client.kafka.exactly_once && !self.cleared;
        if !clears || self.member.metadata().is_none() {
            return;
        }
        match self.clear() {
            Ok(()) => self.outage.works(),
            Err(broken) => self.outage.trouble(&broken),
        }
    }
}

/// Does the group say that it does not know this member, or not in this generation?
fn is_of_a_stranger(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{IllegalGeneration, UnknownMemberId};
    matches!(error.rdkafka_error_code(), Some(IllegalGeneration | UnknownMemberId))
}
