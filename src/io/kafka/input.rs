//! The input topic, as a member of the consumer group.
//!
//! A share is accepted at once, with nothing in it, and its partitions are taken over once the group
//! has told how far they are. That can take as long as another instance needs to end a transaction,
//! and that instance may itself be waiting for its share: whoever kept the group waiting meanwhile
//! would wait for ever.
//!
//! A partition that is taken over is paused until its state stands, and begins where the worker says.
//! It is taken over at the very offset that is committed: with a place that has yet to be looked up
//! (`END`), the answer can come after a seek and undo it. A revoked one is given back when the worker
//! says: until then the group waits, and what was decided of it can be committed under the old
//! generation. So no generation is ever used for what was decided under another.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata},
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use super::{
    client::{Client, Role},
    context::{MemberContext, Rebalance, Seen, is_of_connections},
    log::KafkaLog,
};
use crate::{
    config::service::Start,
    io::clock::Clock,
    pipeline::ports::{Arrived, Broken, Change, Input, Log, Records},
};

/// So much is taken at a time: enough to be quick, little enough to be decided in a moment.
const RECORDS_MAX: usize = 512;
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);
/// A broker that came back so long ago may still mistake a member for another one.
const BACK: Duration = Duration::from_secs(60);
/// So long without a share while brokers answer, and a new client may be better off.
const STUCK: Duration = Duration::from_secs(60);

/// The consumer, with what others ask it for.
pub struct Member {
    consumer: BaseConsumer<MemberContext>,
    topic: String,
    instance: String,
    /// As of the last change of the assignment.
    metadata: Mutex<Option<Arc<ConsumerGroupMetadata>>>,
    /// The partitions that are this instance's to decide, as far as it knows.
    share: Mutex<BTreeSet<i32>>,
    /// Something that this instance left may keep the group from telling how far it is.
    doubtful: AtomicBool,
    /// The group knows this member no longer, as it said when offsets were to be committed.
    expelled: AtomicBool,
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
        let context = MemberContext::new(topic.clone(), client.shaken.clone());
        let consumer: BaseConsumer<MemberContext> = client
            .config(Role::Member)
            .create_with_context(context)
            .map_err(|error| error.to_string())?;
        consumer.subscribe(&[&topic]).map_err(|error| error.to_string())?;
        let instance = client.instance.clone();
        Ok(Arc::new(Member {
            consumer,
            topic,
            instance,
            metadata: Mutex::default(),
            share: Mutex::default(),
            doubtful: AtomicBool::new(false),
            expelled: AtomicBool::new(false),
        }))
    }

    /// What the brokers last said.
    pub fn seen(&self) -> Seen {
        self.consumer.context().seen()
    }

    /// Is a broker connected?
    fn reachable(&self) -> bool {
        self.consumer.context().reachable()
    }

    /// As whom to commit: the generation in which this assignment was made.
    pub fn metadata(&self) -> Option<Arc<ConsumerGroupMetadata>> {
        lock(&self.metadata).clone()
    }

    /// The partitions that are this instance's to decide, as far as it knows.
    pub(super) fn share(&self) -> BTreeSet<i32> {
        lock(&self.share).clone()
    }

    /// May something that this instance left keep the group from telling how far it is? Says so once.
    pub(super) fn take_doubt(&self) -> bool {
        self.doubtful.swap(false, Ordering::SeqCst)
    }

    /// The group knows this member no longer. While it waits for partitions to be given back, the
    /// client library itself does not look.
    pub(super) fn expel(&self) {
        self.expelled.store(true, Ordering::SeqCst);
    }

    fn has_lost(&self) -> bool {
        self.expelled.load(Ordering::SeqCst) || self.consumer.assignment_lost()
    }

    fn doubt(&self) {
        self.doubtful.store(true, Ordering::SeqCst);
    }

    fn forget_metadata(&self) {
        *lock(&self.metadata) = None;
    }

    fn renew_metadata(&self) {
        let metadata = self.consumer.group_metadata().map(Arc::new);
        // Asked in this order, a generation that has been lost in between is told.
        if self.consumer.assignment_lost() {
            return;
        }
        *lock(&self.metadata) = metadata;
    }

    /// The consumer itself.
    pub(super) fn consumer(&self) -> &BaseConsumer<MemberContext> {
        &self.consumer
    }

    /// The topic.
    pub(super) fn topic(&self) -> &str {
        &self.topic
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
    /// A share that was accepted and is not taken over yet.
    accepted: Option<Vec<i32>>,
    /// Since when it has had no share, as long as brokers answer.
    without: Option<Clock>,
    has_share: bool,
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
            accepted: None,
            without: None,
            has_share: false,
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
        if !self.told_lost && !self.revoked.is_empty() && self.member.has_lost() {
            self.told_lost = true;
            self.member.forget_metadata();
            self.member.doubt();
            changes.push(Change::Lost(self.revoked.clone()));
        }
        self.take_over(changes)
    }

    fn answer(&mut self, rebalance: &Rebalance, changes: &mut Vec<Change>) -> Result<(), Broken> {
        let member = &self.member;
        match rebalance {
            Rebalance::Assign(list) => {
                member.consumer.assign(&TopicPartitionList::new()).map_err(for_now)?;
                // Whoever has to end a transaction before the offsets are told can do so now.
                member.expelled.store(false, Ordering::SeqCst);
                let partitions = self.partitions(list);
                *lock(&member.share) = partitions.iter().copied().collect();
                member.renew_metadata();
                self.accepted = Some(partitions);
            }
            Rebalance::Revoke { partitions, lost } => {
                self.has_share = false;
                lock(&member.share).clear();
                let partitions = self.partitions(partitions);
                self.started.retain(|number| !partitions.contains(number));
                let unknown = self.accepted.take().is_some();
                if unknown || partitions.is_empty() {
                    // Nothing was begun with it; but it has no share any more.
                    member.forget_metadata();
                    member.consumer.unassign().map_err(for_now)?;
                    changes.push(Change::Revoked(Vec::new()));
                    return Ok(());
                }
                self.revoked.extend(&partitions);
                self.told_lost = *lost || member.consumer.assignment_lost();
                if self.told_lost {
                    // Under this generation nothing can be committed, and nothing should be tried.
                    member.forget_metadata();
                    member.doubt();
                }
                changes.push(match self.told_lost {
                    true => Change::Lost(partitions),
                    false => Change::Revoked(partitions),
                });
            }
        }
        Ok(())
    }

    /// Takes over what was accepted, paused, where the group is.
    fn take_over(&mut self, changes: &mut Vec<Change>) -> Result<(), Broken> {
        let Some(partitions) = &self.accepted else { return Ok(()) };
        let member = &self.member;
        // What is lost will be revoked; to assign it now would hide that.
        if member.consumer.assignment_lost() {
            return Ok(());
        }
        let begins = self.log.places(partitions, self.start).inspect_err(|_| member.doubt())?;
        let mut list = TopicPartitionList::new();
        for (partition, begin) in &begins {
            list.add_partition_offset(&member.topic, *partition, Offset::Offset(*begin))
                .map_err(for_now)?;
        }
        member.consumer.assign(&list).map_err(for_now)?;
        member.consumer.pause(&list).map_err(for_now)?;
        member.renew_metadata();
        (self.begins, self.has_share) = (begins, true);
        // With more instances than partitions, the share of one is nothing.
        changes.extend(self.accepted.take().map(Change::Assigned));
        Ok(())
    }

    /// Whether the group and the brokers leave it without a share for too long.
    fn patience(&mut self) -> Result<(), Broken> {
        if self.has_share || !self.revoked.is_empty() || !self.member.reachable() {
            self.without = None;
            return Ok(());
        }
        let since = *self.without.get_or_insert_with(Clock::new);
        if since.elapsed() < STUCK {
            return Ok(());
        }
        let waits_for = match self.accepted {
            Some(_) => "how far the group is in its partitions",
            None => "a share of the input",
        };
        Err(Broken::Stuck(format!(
            "brokers are connected, and for {} s none has told {waits_for}",
            STUCK.as_secs()
        )))
    }

    /// The brokers no longer have what comes next: what exactly, as far as they tell.
    fn removed(&self) -> Broken {
        let positions = self.member.consumer.position().unwrap_or_default();
        let gone = |(partition, begin): (&i32, &i64)| {
            let position = positions.find_partition(&self.member.topic, *partition);
            let next = match position.map(|element| element.offset()) {
                Some(Offset::Offset(next)) => next,
                _ => *begin,
            };
            let bounds = self.log.bounds(*partition).ok()?;
            let (start, end) = (bounds.start, bounds.end);
            let gone = format!(
                "the records of partition {partition} from offset {next} to {start} were removed \
                 before they were decided: retention is shorter than the outage. Set the group's \
                 offset to {start} to go on without them"
            );
            let other = format!(
                "the committed offset {next} of partition {partition} is behind the end of the log, \
                 {end}: the topic has been made anew. Use another group, or delete this group's offsets"
            );
            if next < start { Some(gone) } else { (next > end).then_some(other) }
        };
        let gone: Vec<String> = self.begins.iter().filter_map(gone).collect();
        match gone.is_empty() {
            true => Broken::Stuck("records are not where they were a moment ago".to_owned()),
            false => Broken::ForGood(gone.join("; ")),
        }
    }

    /// A static member that comes back under another topic may be given the old one's partitions.
    fn partitions(&self, list: &TopicPartitionList) -> Vec<i32> {
        let elements = list.elements();
        let ours = elements.iter().filter(|element| element.topic() == self.member.topic);
        ours.map(rdkafka::topic_partition_list::TopicPartitionListElem::partition).collect()
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
                // Of brokers that are away the context has been told; the client looks for them.
                Some(Err(error)) if is_of_connections(&error) => {}
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                    outcome = Err(self.removed());
                    break;
                }
                Some(Err(error)) => {
                    let back = context.shaken_within(BACK);
                    outcome = Err(broken(error, &self.member.instance, back));
                    break;
                }
                None => break,
            }
            wait = Duration::ZERO;
        }
        let answered = self.rebalances(changes);
        self.patience()?;
        outcome.and(answered)
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
        self.member.consumer.unassign().map_err(for_now)?;
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

/// What a panicking thread left is still whole: each is set at once.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What comes right by itself, as far as anybody can tell.
pub(super) fn for_now(error: KafkaError) -> Broken {
    Broken::ForNow(error.to_string())
}

/// `back` says that a broker has been away just now.
fn broken(error: KafkaError, instance: &str, back: bool) -> Broken {
    use RDKafkaErrorCode::{Fatal, FencedInstanceId};
    match &error {
        KafkaError::MessageConsumptionFatal(_)
        | KafkaError::MessageConsumption(Fatal | FencedInstanceId)
            if back =>
        {
            Broken::Stuck(format!(
                "a broker that came back takes this instance for another one ({error})"
            ))
        }
        KafkaError::MessageConsumptionFatal(_)
        | KafkaError::MessageConsumption(Fatal | FencedInstanceId) => Broken::Anew(format!(
            "another process has taken over the place of this instance in the group ({error}): two \
             processes run under the name {instance}. Give each its own [kafka] instance, or its own [state] \
             dir"
        )),
        _ => for_now(error),
    }
}
