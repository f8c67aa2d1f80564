//! What librdkafka calls back with: it is written down here, and looked at by who polls. A change of
//! the assignment is not acted upon in the callback: the worker first has to finish what it began.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rdkafka::{
    ClientContext, Statistics, TopicPartitionList,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};
use tracing::{debug, warn};

use super::{figures::Figures, refusal::remedy};
use crate::io::{clock::Clock, outage::Outage};

/// A change of the assignment that has not been answered yet.
#[derive(Debug)]
pub enum Rebalance {
    /// These are to be taken over.
    Assign(TopicPartitionList),
    /// These are to be given back; or they are somebody else's already.
    Revoke {
        /// Which ones.
        partitions: TopicPartitionList,
        /// Are they somebody else's already?
        lost: bool,
    },
}

/// What the brokers say of themselves, once a second.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Is one of them connected?
    pub reachable: bool,
    /// By partition of the input, the offset behind the last record that can be read.
    pub ends: BTreeMap<i32, i64>,
    /// The partitions that have been read to their end.
    pub at_end: BTreeSet<i32>,
    /// What the client says of itself, once it has.
    pub figures: Option<Figures>,
}

/// The consumer's.
#[derive(Debug)]
pub struct MemberContext {
    topic: String,
    pending: Mutex<Vec<Rebalance>>,
    /// The consumer is being closed: what is revoked is given back at once.
    closing: AtomicBool,
    seen: Mutex<Seen>,
    outage: Outage,
    /// Has a broker been connected yet? Before that, none goes away or comes back.
    met: AtomicBool,
    shaken: Shaken,
}

/// When a broker last went away or came back, whichever of an instance's members met with it.
pub type Shaken = Arc<Mutex<Option<Clock>>>;

impl MemberContext {
    /// Of a member that reads this topic.
    pub fn new(topic: String, shaken: Shaken) -> MemberContext {
        MemberContext {
            topic,
            pending: Mutex::default(),
            closing: AtomicBool::new(false),
            seen: Mutex::default(),
            outage: Outage::new("the brokers"),
            met: AtomicBool::new(false),
            shaken,
        }
    }

    /// Has a broker gone away or come back within so long?
    pub fn shaken_within(&self, span: Duration) -> bool {
        lock(&self.shaken).is_some_and(|shaken| shaken.elapsed() < span)
    }

    /// The changes since this was last asked.
    pub fn changes(&self) -> Vec<Rebalance> {
        mem::take(&mut lock(&self.pending))
    }

    /// From now on nobody asks for changes any more.
    pub fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// A partition has been read to its end, or goes on.
    pub fn at_end(&self, partition: i32, is_there: bool) {
        let at_end = &mut lock(&self.seen).at_end;
        match is_there {
            true => at_end.insert(partition),
            false => at_end.remove(&partition),
        };
    }

    /// Is a broker connected?
    pub fn reachable(&self) -> bool {
        lock(&self.seen).reachable
    }

    /// What the brokers last said.
    pub fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }
}

/// What a panicking thread left is still whole: each change is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Is this about a connection to a broker?
pub(super) fn is_of_connections(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, Resolve};
    let code = error.rdkafka_error_code();
    matches!(code, Some(AllBrokersDown | BrokerTransportFailure | Resolve))
}

/// Has a broker gone away? One that cannot be connected to was away before.
fn is_going_away(error: &KafkaError, reason: &str) -> bool {
    is_of_connections(error) && !reason.contains("in state CONNECT")
}

impl ClientContext for MemberContext {
    fn stats(&self, statistics: Statistics) {
        let reachable = statistics.brokers.values().any(|broker| broker.state == "UP");
        let ends = statistics.topics.get(&self.topic).map(|topic| {
            let partitions = topic.partitions.values().filter(|one| one.partition >= 0);
            // Below 0 it is not known yet.
            let known = partitions.filter(|one| one.ls_offset >= 0);
            known.map(|one| (one.partition, one.ls_offset)).collect()
        });
        if reachable {
            self.outage.works();
        }
        let mut seen = lock(&self.seen);
        if reachable && !seen.reachable && self.met.swap(true, Ordering::SeqCst) {
            *lock(&self.shaken) = Some(Clock::new());
        }
        (seen.reachable, seen.ends) = (reachable, ends.unwrap_or_default());
        seen.figures = Some(Figures::of(&statistics));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition is news, not trouble.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            let remedy = remedy(reason).map(|remedy| format!(": {remedy}")).unwrap_or_default();
            self.outage.trouble(&format_args!("{error}: {reason}{remedy}"));
        }
        if is_going_away(&error, reason) && self.met.load(Ordering::SeqCst) {
            *lock(&self.shaken) = Some(Clock::new());
        }
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        event: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        debug!(?event, count = partitions.count(), "rebalance");
        let assign = event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::SeqCst) {
            if !assign && let Err(error) = consumer.unassign() {
                warn!(%error, "the partitions cannot be given back");
            }
            return;
        }
        let partitions = partitions.clone();
        let lost = consumer.assignment_lost();
        lock(&self.pending).push(match assign {
            true => Rebalance::Assign(partitions),
            false => Rebalance::Revoke { partitions, lost },
        });
    }
}

/// A producer's.
#[derive(Debug, Default)]
pub struct ProducerContext {
    failed: Mutex<Option<KafkaError>>,
    figures: SharedFigures,
    troubles: AtomicU64,
}

/// What a producer last said of itself, whichever of an instance's producers it is.
pub type SharedFigures = Arc<Mutex<Option<Figures>>>;

impl ProducerContext {
    /// Of one that tells its figures here.
    pub fn new(figures: SharedFigures) -> ProducerContext {
        ProducerContext { figures, ..ProducerContext::default() }
    }

    /// What a record of the last transaction failed with.
    pub fn failure(&self) -> Option<KafkaError> {
        lock(&self.failed).take()
    }

    /// How often a broker went away.
    pub fn troubles(&self) -> u64 {
        self.troubles.load(Ordering::SeqCst)
    }
}

impl ClientContext for ProducerContext {
    fn stats(&self, statistics: Statistics) {
        *lock(&self.figures) = Some(Figures::of(&statistics));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Of brokers that are away the consumer speaks; of transactions, who makes them.
        debug!(%error, reason, "the producer");
        if is_going_away(&error, reason) {
            self.troubles.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl rdkafka::producer::ProducerContext for ProducerContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &rdkafka::message::DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            lock(&self.failed).get_or_insert_with(|| error.clone());
        }
    }
}
