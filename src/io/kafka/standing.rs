//! Which of the last transactions stand, as the topics themselves tell.
//!
//! A broker acknowledges the end of a transaction before it marks the partitions. One that ends in
//! between, in order or not, and has no other to hand its partitions to, skips the marks and never
//! makes up for them (seen with an only broker, Apache Kafka 4.3.1). What the transaction wrote is
//! then neither committed nor aborted, and goes the way of whatever the next transaction of the same
//! producer comes to in that partition. So once a broker has gone away, nothing that was written just
//! before is believed until it has been seen.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::Headers as _,
    topic_partition_list::TopicPartitionListElem,
};
use tracing::warn;

use super::{
    client::{Client, Role},
    input::for_now,
};
use crate::{
    io::clock::{Clock, pause},
    pipeline::{
        ports::{Broken, Committed},
        transaction::{Destination, Made, Reached, Transaction},
    },
};

const ASK_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_TIMEOUT: Duration = Duration::from_millis(100);
/// So long nothing may come where something must.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Between two looks at where transactions are still open.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// So far the broker's time may be from this machine's.
const CLOCKS_APART_MS: i64 = 10_000;

/// What a transaction came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The brokers said that it is committed.
    Acknowledged,
    /// They were asked to commit it, and nobody has seen what came of it.
    Asked,
    /// Nobody had seen what came of it, and it was found to be committed.
    Found,
    /// It was never to be committed, or was found not to be.
    Dropped,
}

/// One of the last transactions.
#[derive(Debug, Clone)]
pub(super) struct Past {
    pub(super) transaction: Arc<Transaction>,
    pub(super) end: End,
    /// The time of day when it was begun, in epoch ms.
    begun_ms: i64,
}

impl Past {
    pub(super) fn stands(&self) -> bool {
        matches!(self.end, End::Acknowledged | End::Found)
    }
}

/// What an instance remembers of its transactions, whichever of its producers made them.
#[derive(Debug, Default)]
pub struct Memory {
    /// Those whose marks may be missing, in order.
    pub(super) past: Vec<Past>,
    /// By partition, how far the transactions brought it that stand.
    pub(super) last: BTreeMap<i32, Reached>,
}

impl Memory {
    /// A transaction has come to this end. The marks of those before it stand if brokers have not
    /// gone away since: none takes anything of a producer before it has marked what came before.
    pub(super) fn ended(
        &mut self,
        transaction: &Arc<Transaction>,
        end: End,
        begun_ms: i64,
        calm: bool,
    ) {
        if end == End::Acknowledged {
            self.reach(transaction);
            if calm {
                self.past.clear();
            }
        }
        self.past.push(Past { transaction: transaction.clone(), end, begun_ms });
    }

    /// May the brokers have left something open?
    pub(super) fn is_open(&self) -> bool {
        !self.past.is_empty()
    }

    fn reach(&mut self, transaction: &Transaction) {
        let reached = transaction.reached().iter();
        self.last.extend(reached.map(|(number, reached)| (*number, reached.clone())));
    }

    /// Has this transaction, or the one that it is left of, been found to stand? Says so once.
    pub(super) fn take_found(&mut self, transaction: &Transaction) -> bool {
        let part = transaction.reached();
        let found = self.past.iter_mut().find(|past| {
            let all = past.transaction.reached();
            let of_it = part.iter().all(|(number, reached)| all.get(number) == Some(reached));
            past.end == End::Found && of_it && !part.is_empty()
        });
        found.is_some_and(|past| {
            past.end = End::Acknowledged;
            true
        })
    }

    /// Says of those that nobody has seen the end of whether they stand, from where the group is
    /// and from what can be read.
    pub(super) fn find(&mut self, told: &BTreeMap<i32, Committed>, sights: &[Sight]) {
        let is_told = |(number, reached): (&i32, &Reached)| {
            told.get(number).is_some_and(|committed| match committed.offset {
                offset if offset == reached.offset => committed.note == reached.note,
                offset => offset > reached.offset,
            })
        };
        let mut found = Vec::new();
        for (past, sight) in self.past.iter_mut().zip(sights) {
            if past.end == End::Asked {
                let reached = past.transaction.reached();
                let stands = sight.own || (!reached.is_empty() && reached.iter().all(is_told));
                past.end = if stands { End::Found } else { End::Dropped };
                found.extend(stands.then(|| past.transaction.clone()));
            }
        }
        found.iter().for_each(|transaction| self.reach(transaction));
    }

    /// The outputs of those that stand which nobody can read.
    pub(super) fn lost<'a>(&'a self, sights: &'a [Sight]) -> impl Iterator<Item = Made<'a>> {
        let stands = self.past.iter().zip(sights).filter(|(past, _)| past.stands());
        stands.flat_map(|(past, sight)| {
            let outputs = past.transaction.outputs().enumerate();
            outputs.filter(|(at, _)| sight.unseen.contains(at)).map(|(_, made)| made)
        })
    }

    /// Looks for the outputs where consumers downstream read them. `None` if transactions that are
    /// still open after so long may hide some.
    pub(super) fn look(
        &self,
        client: &Client,
        patience: Duration,
    ) -> Result<Option<Vec<Sight>>, Broken> {
        match self.search(client, patience) {
            Err(KafkaError::MetadataFetch(code) | KafkaError::MessageConsumption(code))
                if code == RDKafkaErrorCode::TopicAuthorizationFailed =>
            {
                warn!(
                    "the output topics may not be read by this program: what a broker that went \
                     away left unmarked is not found out. Let it read them"
                );
                Ok(Some(self.past.iter().map(|_| Sight::default()).collect()))
            }
            sights => sights.map_err(for_now),
        }
    }

    fn search(
        &self,
        client: &Client,
        patience: Duration,
    ) -> Result<Option<Vec<Sight>>, KafkaError> {
        if self.past.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let topics = [
            Topic::new(client, &client.kafka.output, Destination::Decisions)?,
            Topic::new(client, &client.kafka.dead_letters, Destination::DeadLetters)?,
        ];
        let sweep = || {
            let sights = self.past.iter().map(|past| past.look(&topics, &client.instance));
            sights.collect::<Result<Vec<Sight>, KafkaError>>()
        };
        if self.past.iter().all(Past::stands) {
            let sights = sweep()?;
            if sights.iter().all(|sight| sight.unseen.is_empty()) {
                return Ok(Some(sights));
            }
        }
        let begin = Clock::new();
        let ends = topics.iter().map(Topic::ends).collect::<Result<Vec<_>, _>>()?;
        loop {
            let settled = topics.iter().zip(&ends).map(|(topic, ends)| topic.is_settled(ends));
            if settled.collect::<Result<Vec<_>, _>>()?.into_iter().all(|settled| settled) {
                return sweep().map(Some);
            }
            if begin.elapsed() > patience {
                return Ok(None);
            }
            pause(LOOK_AGAIN);
        }
    }
}

/// What can be read of a transaction.
#[derive(Debug, Default)]
pub(super) struct Sight {
    /// The places of the outputs that cannot be read.
    unseen: BTreeSet<usize>,
    /// Can one be read that this very instance wrote?
    own: bool,
}

impl Past {
    fn look(&self, topics: &[Topic<'_>], instance: &str) -> Result<Sight, KafkaError> {
        let mut search = Search::new(self, instance);
        for topic in topics {
            // Records bear this machine's time, or else the broker's.
            topic.read(self.begun_ms, &mut search)?;
            topic.read(self.begun_ms - CLOCKS_APART_MS, &mut search)?;
        }
        Ok(search.sight)
    }
}

/// Where an output goes, and the record that made it: partition and offset.
type Origin = (Destination, i32, i64);

/// What an output says, and its place in its transaction.
type Wanted<'a> = (&'a [u8], usize);

/// Outputs that are looked for.
struct Search<'a> {
    wanted: HashMap<Origin, Vec<Wanted<'a>>>,
    instance: &'a str,
    sight: Sight,
}

impl<'a> Search<'a> {
    /// For those of this one, if it may stand.
    fn new(past: &'a Past, instance: &'a str) -> Search<'a> {
        let mut search = Search { wanted: HashMap::new(), instance, sight: Sight::default() };
        let outputs = past.transaction.outputs().enumerate();
        // A tick may stand or not, and is nobody's to read.
        let outputs = outputs.filter(|(_, made)| made.to != Destination::Input);
        for (at, made) in outputs.filter(|_| past.end != End::Dropped) {
            let origin = (made.to, made.partition, made.offset);
            search.wanted.entry(origin).or_default().push((made.payload, at));
            search.sight.unseen.insert(at);
        }
        search
    }

    fn wants(&self, to: Destination) -> bool {
        self.wanted.keys().any(|origin| origin.0 == to)
    }

    fn see(&mut self, to: Destination, message: &impl Message) {
        let header = |name: &str| {
            let headers = message.headers()?;
            let header = headers.iter().find(|header| header.key == name)?;
            header.value.and_then(|value| std::str::from_utf8(value).ok())
        };
        let number = |name: &str| header(name)?.parse::<i64>().ok();
        let (Some(partition), Some(offset)) = (number("input_partition"), number("input_offset"))
        else {
            return;
        };
        let Ok(partition) = i32::try_from(partition) else { return };
        let origin = (to, partition, offset);
        let Some(wanted) = self.wanted.get_mut(&origin) else { return };
        let own = header("instance") == Some(self.instance);
        let payload = message.payload().unwrap_or_default();
        if let Some(found) = wanted.iter().position(|(said, _)| *said == payload) {
            self.sight.unseen.remove(&wanted.remove(found).1);
            self.sight.own |= own;
        }
        if wanted.is_empty() {
            self.wanted.remove(&origin);
        }
    }
}

/// An output topic, as it is and as those see it who read what is committed.
struct Topic<'a> {
    name: &'a str,
    to: Destination,
    partitions: Vec<i32>,
    committed: BaseConsumer,
    uncommitted: BaseConsumer,
}

impl<'a> Topic<'a> {
    fn new(client: &Client, name: &'a str, to: Destination) -> Result<Topic<'a>, KafkaError> {
        let config = client.config(Role::Reader);
        let committed: BaseConsumer = config.create()?;
        let uncommitted = config.clone().set("isolation.level", "read_uncommitted").create()?;
        let metadata = committed.fetch_metadata(Some(name), ASK_TIMEOUT)?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        let partitions: Vec<i32> = partitions.map(|partition| partition.id()).collect();
        // A broker that has just started may not know its topics yet.
        if partitions.is_empty() {
            return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition));
        }
        Ok(Topic { name, to, partitions, committed, uncommitted })
    }

    /// The ends of its partitions, whatever stands there.
    fn ends(&self) -> Result<Vec<i64>, KafkaError> {
        self.ends_for(&self.uncommitted)
    }

    /// Is nothing open any more before these ends?
    fn is_settled(&self, ends: &[i64]) -> Result<bool, KafkaError> {
        let stable = self.ends_for(&self.committed)?;
        Ok(stable.iter().zip(ends).all(|(stable, end)| stable >= end))
    }

    fn ends_for(&self, reader: &BaseConsumer) -> Result<Vec<i64>, KafkaError> {
        let end = |partition: &i32| {
            let bounds = reader.fetch_watermarks(self.name, *partition, ASK_TIMEOUT);
            bounds.map(|(_, end)| end)
        };
        self.partitions.iter().map(end).collect()
    }

    /// Reads what is committed, from this time on, until nothing more is wanted of it.
    fn read(&self, since_ms: i64, search: &mut Search<'_>) -> Result<(), KafkaError> {
        if !search.wants(self.to) {
            return Ok(());
        }
        let mut places = TopicPartitionList::new();
        for partition in &self.partitions {
            places.add_partition_offset(self.name, *partition, Offset::Offset(since_ms))?;
        }
        let places = self.committed.offsets_for_times(places, ASK_TIMEOUT)?;
        places.elements().iter().try_for_each(TopicPartitionListElem::error)?;
        let mut unread: BTreeSet<i32> = self.partitions.iter().copied().collect();
        self.committed.assign(&places)?;
        let mut heard = Clock::new();
        while !unread.is_empty() && search.wants(self.to) {
            match self.committed.poll(POLL_TIMEOUT) {
                Some(Ok(message)) => search.see(self.to, &message),
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(unread.remove(&partition)),
                Some(Err(error)) => return Err(error),
                None if heard.elapsed() < SILENCE_MAX => continue,
                None => {
                    return Err(KafkaError::MessageConsumption(
                        RDKafkaErrorCode::OperationTimedOut,
                    ));
                }
            }
            heard = Clock::new();
        }
        self.committed.assign(&TopicPartitionList::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Brings partition 0 to this offset, with a decision of each record before it since `from`.
    fn transaction(from: i64, offset: i64) -> Arc<Transaction> {
        let mut transaction = Transaction::default();
        for at in from..offset {
            let write = |bytes: &mut Vec<u8>| bytes.extend(at.to_string().into_bytes());
            transaction.push(Destination::Decisions, (0, at), Some(b"a"), write);
        }
        transaction.reach(0, offset, "note");
        Arc::new(transaction)
    }

    fn told(offset: i64) -> BTreeMap<i32, Committed> {
        BTreeMap::from([(0, Committed { offset, note: "note".to_owned() })])
    }

    fn sight(unseen: &[usize], own: bool) -> Sight {
        Sight { unseen: unseen.iter().copied().collect(), own }
    }

    /// A memory of one that was acknowledged and one with this end behind it.
    fn memory(end: End) -> (Memory, Arc<Transaction>) {
        let (mut memory, second) = (Memory::default(), transaction(3, 6));
        memory.ended(&transaction(0, 3), End::Acknowledged, 0, true);
        memory.ended(&second, end, 0, false);
        (memory, second)
    }

    fn lost(memory: &Memory, sights: &[Sight]) -> Vec<i64> {
        memory.lost(sights).map(|made| made.offset).collect()
    }

    #[test]
    fn what_was_acknowledged_and_cannot_be_read_is_lost() {
        let (memory, _) = memory(End::Acknowledged);
        assert_eq!(lost(&memory, &[sight(&[1], false), sight(&[0, 2], false)]), [1, 3, 5]);
    }

    #[test]
    fn one_of_unknown_end_stands_if_the_group_is_there() {
        let (mut memory, second) = memory(End::Asked);
        let sights = [sight(&[], true), sight(&[0, 1, 2], false)];
        memory.find(&told(6), &sights);
        assert_eq!(lost(&memory, &sights), [3, 4, 5]);
        assert_eq!(memory.last[&0].offset, 6);
        assert!(memory.take_found(&second), "it is not delivered again");
        assert!(!memory.take_found(&second), "nor is another one like it");
    }

    #[test]
    fn one_of_unknown_end_stands_if_an_output_of_its_can_be_read() {
        let (mut memory, _) = memory(End::Asked);
        let sights = [sight(&[], true), sight(&[0, 2], true)];
        memory.find(&told(3), &sights);
        assert_eq!((lost(&memory, &sights), memory.last[&0].offset), (vec![3, 5], 6));
    }

    #[test]
    fn one_of_unknown_end_that_another_instance_has_decided_again_does_not_stand() {
        let (mut memory, second) = memory(End::Asked);
        let sights = [sight(&[], true), sight(&[0, 2], false)];
        memory.find(&told(4), &sights);
        assert_eq!((lost(&memory, &sights), memory.last[&0].offset), (vec![], 3));
        assert!(!memory.take_found(&second));
    }

    #[test]
    fn one_that_was_aborted_never_stands() {
        let (mut memory, second) = memory(End::Dropped);
        let sights = [sight(&[], true), sight(&[], false)];
        memory.find(&told(6), &sights);
        assert!(lost(&memory, &sights).is_empty() && !memory.take_found(&second));
    }

    #[test]
    fn once_brokers_stay_the_next_one_vouches_for_those_before() {
        let (mut memory, _) = memory(End::Acknowledged);
        memory.ended(&transaction(6, 9), End::Acknowledged, 0, true);
        assert_eq!(memory.past.len(), 1);
    }
}
