//! The input topic, as a member of the consumer group.
//!
//! An assigned partition is paused until its state stands, and begins where the worker says. It is
//! taken over at the very offset that is committed: with a place that has yet to be looked up
//! (`END`), the answer can come after a seek and undo it. A
//! revoked one is given back when the worker says: until then the group waits, and what was decided
//! of it can be committed under the old generation. So no generation is ever used for what was
//! decided under another.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata, RebalanceProtocol},
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use super::{
    client::{Client, Role},
    context::{MemberContext, Rebalance, Seen},
    log::KafkaLog,
};
use crate::config::service::Start;
use crate::pipeline::ports::{Arrived, Broken, Change, Input, Records};

/// So much is taken at a time: enough to be quick, little enough to be decided in a moment.
const RECORDS_MAX: usize = 512;
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);

/// The consumer, with what others ask it for.
pub struct Member {
    consumer: BaseConsumer<MemberContext>,
    topic: String,
    instance: String,
    /// As of the last change of the assignment.
    metadata: Mutex<Option<Arc<ConsumerGroupMetadata>>>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Member {
    /// Joins the group.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn join(client: &Client) -> Result<Arc<Member>, String> {
        let topic = client.kafka.input.clone();
        let context = MemberContext::new(topic.clone());
        let consumer: BaseConsumer<MemberContext> = client
            .config(Role::Member)
            .create_with_context(context)
            .map_err(|error| error.to_string())?;
        consumer.subscribe(&[&topic]).map_err(|error| error.to_string())?;
        let instance = client.instance.clone();
        Ok(Arc::new(Member { consumer, topic, instance, metadata: Mutex::default() }))
    }

    /// What the brokers last said.
    pub fn seen(&self) -> Seen {
        self.consumer.context().seen()
    }

    /// As whom to commit: the generation in which this assignment was made.
    pub fn metadata(&self) -> Option<Arc<ConsumerGroupMetadata>> {
        self.metadata.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget_metadata(&self) {
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn renew_metadata(&self) {
        let metadata = self.consumer.group_metadata().map(Arc::new);
        // Asked in this order, a generation that has been lost in between is told.
        if self.consumer.assignment_lost() {
            return;
        }
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = metadata;
    }

    /// The consumer itself.
    pub(super) fn consumer(&self) -> &BaseConsumer<MemberContext> {
        &self.consumer
    }

    /// The topic.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    fn is_cooperative(&self) -> bool {
        matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative)
    }

    fn list(&self, partitions: &[i32], offset: Offset) -> Result<TopicPartitionList, Broken> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(&self.topic, *partition, offset).map_err(for_now)?;
        }
        Ok(list)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.consumer.context().close();
    }
}

/// The input topic.
#[derive(Debug)]
pub struct KafkaInput {
    member: Arc<Member>,
    /// Which partitions were revoked and are not given back yet.
    revoked: Vec<i32>,
    /// Has it been said that these are lost?
    told_lost: bool,
    /// Which partitions are read.
    started: Vec<i32>,
    /// Which of them have been read to their end.
    at_end: BTreeSet<i32>,
    /// Where the partitions were taken over.
    begins: BTreeMap<i32, i64>,
    /// Changes that could not be answered yet.
    unanswered: VecDeque<Rebalance>,
    log: KafkaLog,
    start: Start,
    wanted: bool,
}

impl KafkaInput {
    /// As this member reads it; a group that has never read a partition begins at `start`.
    pub fn new(member: Arc<Member>, log: KafkaLog, start: Start) -> KafkaInput {
        KafkaInput {
            member,
            revoked: Vec::new(),
            told_lost: false,
            started: Vec::new(),
            at_end: BTreeSet::new(),
            begins: BTreeMap::new(),
            unanswered: VecDeque::new(),
            log,
            start,
            wanted: true,
        }
    }

    fn rebalances(&mut self, changes: &mut Vec<Change>) -> Result<(), Broken> {
        self.unanswered.extend(self.member.consumer.context().changes());
        while let Some(rebalance) = self.unanswered.pop_front() {
            if let Err(broken) = self.answer(&rebalance, changes) {
                self.unanswered.push_front(rebalance);
                return Err(broken);
            }
        }
        // What was to be given back in order can be lost while it waits.
        if !self.told_lost && !self.revoked.is_empty() && self.member.consumer.assignment_lost() {
            self.told_lost = true;
            changes.push(Change::Lost(self.revoked.clone()));
        }
        Ok(())
    }

    fn answer(&mut self, rebalance: &Rebalance, changes: &mut Vec<Change>) -> Result<(), Broken> {
        match rebalance {
            Rebalance::Assign(list) => {
                let partitions = self.partitions(list);
                self.assign(&partitions)?;
                // With more instances than partitions, the share of one is nothing.
                changes.push(Change::Assigned(partitions));
            }
            Rebalance::Revoke { partitions, lost } => {
                let partitions = self.partitions(partitions);
                self.started.retain(|number| !partitions.contains(number));
                if partitions.is_empty() {
                    return self.unassign(&[]);
                }
                self.revoked.extend(&partitions);
                self.told_lost = *lost || self.member.consumer.assignment_lost();
                if self.told_lost {
                    // Under this generation nothing can be committed, and nothing should be tried.
                    self.member.forget_metadata();
                }
                changes.push(match self.told_lost {
                    true => Change::Lost(partitions),
                    false => Change::Revoked(partitions),
                });
            }
        }
        Ok(())
    }

    /// A static member that comes back under another topic may be given the old one's partitions.
    fn partitions(&self, list: &TopicPartitionList) -> Vec<i32> {
        let elements = list.elements();
        let ours = elements.iter().filter(|element| element.topic() == self.member.topic);
        ours.map(rdkafka::topic_partition_list::TopicPartitionListElem::partition).collect()
    }

    /// Takes partitions over, paused, where their group is.
    fn assign(&mut self, partitions: &[i32]) -> Result<(), Broken> {
        // Whoever has to end a transaction before the offsets are told can do so from now on.
        self.member.renew_metadata();
        let mut list = TopicPartitionList::new();
        self.begins.clear();
        for partition in partitions {
            let begin = self.log.next(*partition, self.start)?;
            self.begins.insert(*partition, begin);
            list.add_partition_offset(&self.member.topic, *partition, Offset::Offset(begin))
                .map_err(for_now)?;
        }
        let member = &self.member;
        let done = match member.is_cooperative() {
            true => member.consumer.incremental_assign(&list),
            false => member.consumer.assign(&list),
        };
        done.map_err(for_now)?;
        member.consumer.pause(&list).map_err(for_now)?;
        member.renew_metadata();
        Ok(())
    }

    fn unassign(&self, partitions: &[i32]) -> Result<(), Broken> {
        let member = &self.member;
        let done = match member.is_cooperative() {
            true => {
                member.consumer.incremental_unassign(&member.list(partitions, Offset::Invalid)?)
            }
            false => member.consumer.unassign(),
        };
        done.map_err(for_now)
    }
}

impl Input for KafkaInput {
    fn poll(
        &mut self,
        wait: Duration,
        records: &mut Records,
        changes: &mut Vec<Change>,
    ) -> Result<(), Broken> {
        let mut wait = wait;
        let mut outcome = Ok(());
        let context = self.member.consumer.context().clone();
        while records.len() < RECORDS_MAX {
            match self.member.consumer.poll(wait) {
                Some(Ok(message)) => {
                    let partition = message.partition();
                    if self.at_end.remove(&partition) {
                        context.at_end(partition, false);
                    }
                    records.push(Arrived {
                        partition,
                        offset: message.offset(),
                        timestamp_ms: message.timestamp().to_millis(),
                        payload: message.payload().unwrap_or_default(),
                    });
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if self.at_end.insert(partition) {
                        context.at_end(partition, true);
                    }
                }
                Some(Err(error)) => {
                    outcome = Err(broken(error, &self.member.instance));
                    break;
                }
                None => break,
            }
            wait = Duration::ZERO;
        }
        self.rebalances(changes)?;
        outcome
    }

    fn start(&mut self, partition: i32, offset: i64) -> Result<(), Broken> {
        let member = &self.member;
        if self.begins.get(&partition) != Some(&offset) {
            member
                .consumer
                .seek(&member.topic, partition, Offset::Offset(offset), SEEK_TIMEOUT)
                .map_err(for_now)?;
            self.begins.insert(partition, offset);
        }
        self.started.push(partition);
        if self.wanted {
            let list = member.list(&[partition], Offset::Invalid)?;
            member.consumer.resume(&list).map_err(for_now)?;
        }
        Ok(())
    }

    fn release(&mut self, partitions: &[i32]) -> Result<(), Broken> {
        self.unassign(partitions)?;
        self.revoked.retain(|number| !partitions.contains(number));
        self.told_lost = false;
        Ok(())
    }

    fn want_records(&mut self, wanted: bool) -> Result<(), Broken> {
        if wanted == self.wanted {
            return Ok(());
        }
        self.wanted = wanted;
        let list = self.member.list(&self.started, Offset::Invalid)?;
        let done = match wanted {
            true => self.member.consumer.resume(&list),
            false => self.member.consumer.pause(&list),
        };
        done.map_err(for_now)
    }
}

/// What comes right by itself, as far as anybody can tell.
pub(super) fn for_now(error: KafkaError) -> Broken {
    Broken::ForNow(error.to_string())
}

fn broken(error: KafkaError, instance: &str) -> Broken {
    use RDKafkaErrorCode::{AutoOffsetReset, Fatal, FencedInstanceId};
    match &error {
        KafkaError::MessageConsumptionFatal(_)
        | KafkaError::MessageConsumption(Fatal | FencedInstanceId) => Broken::Anew(format!(
            "another process has taken over the place of this instance in the group ({error}): two \
             processes run under the name {instance}. Give each its own [kafka] instance, or its own [state] \
             dir"
        )),
        KafkaError::MessageConsumption(AutoOffsetReset) => Broken::ForGood(format!(
            "records were removed before they were read ({error}): retention is shorter than the \
             lag. Set the group's offset to the beginning of what is left to go on without them"
        )),
        _ => for_now(error),
    }
}
