//! The partitions that this instance decides, and what is to be done in the world for them.
//!
//! The worker is told what happened (a share was assigned, records came, a transaction was
//! delivered) and asked what to do next. It never waits, has no clock and starts nothing itself: the
//! same calls in the same order give the same effects, whatever threads and brokers do around it.
//!
//! One transaction is on its way at a time, and while it is, the next one is being decided. What was
//! decided of a partition that was lost is dropped; what was not delivered for another reason is
//! delivered again, byte for byte: deciding it again would be a second answer to the same question.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
};

use bumpalo::Bump;

use crate::{
    config::Settings,
    decision::Rejection,
    engine::Tally,
    event::Event,
    window::store::GroupSize,
    wire::{decode::Hints, encode},
};

use super::{
    admit,
    partition::Partition,
    ports::{Arrived, Change, Records},
    restore::{Restored, Written},
    snapshot::{self, Header},
    statistics::Statistics,
    timing::{NoWatch, SAMPLED, Stage, Stopwatch, Timings, Watch},
    transaction::{Destination, Transaction},
};

/// So many records are admitted before the first of them is decided.
const CHUNK_RECORDS: usize = 32;
/// Owners of a group of counters that are measured at once, over all partitions.
const MEASURED: usize = 32;
/// So many transactions that were delivered are kept for their memory.
const PAST: usize = 2;

/// What decides when something is to be done, in ms of a clock that only goes forward.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// So long after a transaction the next one begins, at the earliest.
    pub commit_interval_ms: u64,
    /// So long after a snapshot of a partition the next one is taken.
    pub snapshot_interval_ms: u64,
    /// With so many bytes waiting to be delivered, no more records are wanted.
    pub waiting_bytes: usize,
    /// A state with more entries than this is not copied while decisions wait,
    pub copied_entries: usize,
    /// nor is one whose last snapshot had more bytes: an owner may have many events, and cases.
    pub copied_bytes: usize,
}

impl Pace {
    /// Is the state of this partition small enough to be copied while decisions wait?
    fn copies(&self, partition: &Partition) -> bool {
        partition.engine().entries() <= self.copied_entries
            && partition.snapshot_bytes() <= self.copied_bytes
    }
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Restore this partition; say [`Worker::restored`] with the ticket.
    Restore {
        /// Which one.
        partition: i32,
        /// As it was when it was last here, if it has been.
        parked: Option<Box<Partition>>,
        /// Tells this order from an earlier one.
        ticket: u64,
    },
    /// Let the records of this partition come from this offset on.
    Start {
        /// Which one.
        partition: i32,
        /// From where.
        offset: i64,
    },
    /// Deliver; say [`Worker::delivered`] or [`Worker::not_delivered`].
    Deliver(Arc<Transaction>),
    /// Give these partitions back: nothing of them is on its way any more.
    Release(Vec<i32>),
    /// Keep a snapshot: what it stands for is committed. Say [`Worker::kept`].
    Keep(Box<Taken>),
}

/// A snapshot that is due.
#[derive(Debug)]
pub struct Taken {
    /// Of what.
    pub header: Header,
    /// The state.
    pub state: State,
}

/// The state of a snapshot that is due.
#[derive(Debug)]
pub enum State {
    /// A copy ([`snapshot::copy`]).
    Copied(Result<Vec<u8>, String>),
    /// The whole snapshot as bytes, as the restore left it.
    Written(Vec<u8>),
    /// Too large to be copied while decisions wait: it is made from the last snapshot and the log
    /// ([`super::restore::advance`]).
    InTheLog,
}

/// What has become of a snapshot that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is kept, in so many bytes.
    Kept(usize),
    /// It cannot be kept, or not be made for now: there is no room, perhaps, or no broker.
    NotKept,
    /// There is nothing that it could be made from.
    NotMade,
}

#[derive(Debug)]
enum Place {
    /// Waits until nothing of an earlier time here is on its way any more.
    Assigned(Option<Box<Partition>>),
    Restoring(u64),
    Deciding(Deciding),
    /// Is given back as soon as what was decided of it is delivered; it may well come back.
    Leaving(Option<Box<Partition>>),
    /// Is given back as soon as nothing of it is on its way; nothing more may be delivered.
    Lost,
}

#[derive(Debug)]
struct Deciding {
    partition: Box<Partition>,
    started: bool,
    /// When the last snapshot was taken.
    snapshot_ms: u64,
    /// The offset of the last snapshot, if there is one.
    kept: Option<i64>,
    /// The first one, from the restore; it is kept once it stands for what is committed.
    first: Option<Written>,
    /// There is none that the next one could be made from: it is copied, however large. Decisions wait
    /// for that once, rather than be without a snapshot.
    copies: bool,
}

/// The partitions of one instance.
#[derive(Debug)]
pub struct Worker {
    settings: Arc<Settings>,
    pace: Pace,
    places: BTreeMap<i32, Place>,
    /// Partitions that were given back, until it is known who has them now.
    parked: BTreeMap<i32, Box<Partition>>,
    open: Transaction,
    delivering: Option<Arc<Transaction>>,
    /// The last ones that were delivered: the memory of one that nobody holds any more is the next one's.
    past: Vec<Arc<Transaction>>,
    /// It has to be delivered again.
    failed: bool,
    /// When the last delivery began.
    delivered_ms: Option<u64>,
    /// Taken at the end of the transaction that is on its way.
    taken: Vec<Taken>,
    /// Of these partitions one is being kept: the next one waits for it, however slow the disk is.
    keeping: BTreeSet<i32>,
    effects: Vec<Effect>,
    tickets: u64,
    hints: Hints,
    arena: Bump,
    statistics: Statistics,
    /// Of the partitions that were here before.
    former: Tally,
    watch: Box<dyn Watch>,
    timings: Timings,
    /// Chunks until one is timed.
    untimed: u32,
}

impl Worker {
    /// Has no partition yet.
    pub fn new(settings: Arc<Settings>, pace: Pace) -> Worker {
        Worker {
            settings,
            pace,
            places: BTreeMap::new(),
            parked: BTreeMap::new(),
            open: Transaction::default(),
            delivering: None,
            past: Vec::new(),
            failed: false,
            delivered_ms: None,
            taken: Vec::new(),
            keeping: BTreeSet::new(),
            effects: Vec::new(),
            tickets: 0,
            hints: Hints::default(),
            arena: Bump::new(),
            statistics: Statistics::default(),
            former: Tally::default(),
            watch: Box::new(NoWatch),
            timings: Timings::default(),
            untimed: 0,
        }
    }

    /// With a clock: some of what it does is timed.
    pub fn timed_by(mut self, watch: Box<dyn Watch>) -> Worker {
        self.watch = watch;
        self
    }

    /// The share of this instance has changed.
    pub fn changed(&mut self, change: &Change) {
        match change {
            Change::Assigned(partitions) => {
                for number in partitions {
                    let parked = self.parked.remove(number);
                    self.places.insert(*number, Place::Assigned(parked));
                }
                // What has not come back is somebody else's.
                self.parked.clear();
            }
            Change::Revoked(partitions) => {
                for number in partitions {
                    // What is lost stays lost, whoever asks for it.
                    if !matches!(self.places.get(number), Some(Place::Lost)) {
                        let left = self.leave(*number);
                        self.places.insert(*number, Place::Leaving(left));
                    }
                }
            }
            Change::Lost(partitions) => {
                for number in partitions {
                    self.leave(*number);
                    self.places.insert(*number, Place::Lost);
                    self.open.forget(*number);
                    self.taken.retain(|taken| taken.header.partition != *number);
                }
                if self.failed {
                    self.forget_lost();
                }
            }
        }
    }

    fn leave(&mut self, number: i32) -> Option<Box<Partition>> {
        let Some(Place::Deciding(Deciding { mut partition, .. })) = self.places.remove(&number)
        else {
            return None;
        };
        self.former.add(&partition.take_tally());
        Some(partition)
    }

    /// What failed is delivered again, but for what is nobody's business here any more.
    fn forget_lost(&mut self) {
        let Some(delivering) = &mut self.delivering else { return };
        for (number, place) in &self.places {
            if matches!(place, Place::Lost) && delivering.concerns(*number) {
                Arc::make_mut(delivering).forget(*number);
            }
        }
    }

    /// A partition has been restored, as was asked for under this ticket.
    pub fn restored(&mut self, ticket: u64, restored: Restored, now_ms: u64) {
        let Restored { partition, former_ruleset, unnoted, snapshot, first, .. } = restored;
        let number = partition.number();
        match self.places.get(&number) {
            Some(Place::Restoring(asked)) if *asked == ticket => {}
            _ => return,
        }
        if let Some(former) = former_ruleset {
            // So that history can be replayed as it was decided.
            let ruleset = &self.settings.ruleset.identity;
            let place = (number, partition.next());
            self.open.push(Destination::Decisions, place, None, |bytes| {
                encode::ruleset(number, partition.next(), &former, ruleset, bytes);
            });
        }
        if unnoted {
            partition.note(&mut self.open);
        }
        let kept = first.as_ref().map(|first| first.header.offset).or(snapshot);
        let deciding =
            Deciding { partition, started: false, snapshot_ms: now_ms, kept, first, copies: false };
        self.places.insert(number, Place::Deciding(deciding));
    }

    /// Records have come. Those of partitions that are not decided here are passed over: they come
    /// again once they are.
    pub fn records(&mut self, records: &Records) {
        let begin_ns = self.watch.now_ns();
        let mut rest = records.iter().peekable();
        while rest.peek().is_some() {
            let arena = mem::take(&mut self.arena);
            self.chunk(rest.by_ref().take(CHUNK_RECORDS), &arena);
            self.arena = arena;
            self.arena.reset();
        }
        let took_ns = self.watch.now_ns().saturating_sub(begin_ns);
        self.timings.batches.observe(took_ns as f64 / 1e9);
        self.timings.batch_records += records.len() as u64;
    }

    fn chunk<'a>(&mut self, records: impl Iterator<Item = Arrived<'a>>, arena: &Bump) {
        let Worker { places, open, settings, hints, statistics, timings, .. } = self;
        let timed = self.untimed == 0;
        self.untimed = if timed { SAMPLED - 1 } else { self.untimed - 1 };
        let mut watch = timed.then(|| Stopwatch::start(&*self.watch));
        let mut decoding = [0; CHUNK_RECORDS];
        let mut admitted: Vec<(Arrived<'_>, Result<&Event<'_>, Rejection>)> =
            Vec::with_capacity(CHUNK_RECORDS);
        for record in records {
            if let Some(Place::Deciding(_)) = places.get(&record.partition) {
                let event = admit::arrived(&record, &settings.ruleset.input, hints, arena);
                decoding[admitted.len()] = watch.as_mut().map_or(0, Stopwatch::since_ns);
                admitted.push((record, event));
            }
        }
        for (number, place) in places.iter_mut() {
            if let Place::Deciding(deciding) = place {
                let here = admitted.iter().filter(|(record, _)| record.partition == *number);
                let events = here.filter_map(|(_, event)| event.as_ref().ok().copied());
                deciding.partition.expect(events);
            }
        }
        // Touching ahead what they will need is done for all of them at once.
        let expecting =
            watch.as_mut().map_or(0, Stopwatch::since_ns) / admitted.len().max(1) as u64;
        for ((record, event), decoding) in admitted.into_iter().zip(decoding) {
            if let Some(Place::Deciding(deciding)) = places.get_mut(&record.partition) {
                let (emit, timer) = (settings.emit, watch.as_mut());
                deciding.partition.step(&record, event, emit, open, statistics, timer);
                if let Some(watch) = &mut watch {
                    let before = [(Stage::Decode, decoding), (Stage::Count, expecting)];
                    watch.record(before, timings);
                }
            }
        }
    }

    /// What was on its way stands.
    pub fn delivered(&mut self) {
        self.past.extend(self.delivering.take());
        if self.past.len() > PAST {
            self.past.remove(0);
        }
        self.failed = false;
        for taken in mem::take(&mut self.taken) {
            self.keeping.insert(taken.header.partition);
            self.effects.push(Effect::Keep(Box::new(taken)));
        }
    }

    /// What has become of the snapshot of this partition that was being kept.
    pub fn kept(&mut self, partition: i32, outcome: Outcome) {
        self.keeping.remove(&partition);
        let Some(Place::Deciding(deciding)) = self.places.get_mut(&partition) else { return };
        match outcome {
            Outcome::Kept(bytes) => deciding.partition.has_snapshot_of(bytes),
            Outcome::NotKept => deciding.kept = None,
            Outcome::NotMade => (deciding.kept, deciding.copies) = (None, true),
        }
    }

    /// Nothing of what was on its way stands.
    pub fn not_delivered(&mut self) {
        self.failed = true;
        self.forget_lost();
    }

    /// What is to be done next, if anything is.
    pub fn next(&mut self, now_ms: u64) -> Option<Effect> {
        if let Some(effect) = self.effects.pop() {
            return Some(effect);
        }
        self.place_effect().or_else(|| self.deliver(now_ms))
    }

    fn place_effect(&mut self) -> Option<Effect> {
        let Worker { places, open, delivering, tickets, .. } = self;
        let is_free = |number: i32| {
            !open.concerns(number)
                && !delivering.as_ref().is_some_and(|delivering| delivering.concerns(number))
        };
        let (mut released, mut all_leave) = (Vec::new(), true);
        for (&partition, place) in places {
            match place {
                Place::Assigned(parked) if is_free(partition) => {
                    let parked = parked.take();
                    *tickets += 1;
                    *place = Place::Restoring(*tickets);
                    return Some(Effect::Restore { partition, parked, ticket: *tickets });
                }
                Place::Deciding(deciding) if !deciding.started => {
                    deciding.started = true;
                    let offset = deciding.partition.next();
                    return Some(Effect::Start { partition, offset });
                }
                Place::Leaving(_) | Place::Lost if is_free(partition) => released.push(partition),
                Place::Leaving(_) | Place::Lost => all_leave = false,
                _ => {}
            }
        }
        // All of them at once, as they were revoked.
        if released.is_empty() || !all_leave {
            return None;
        }
        for number in &released {
            if let Some(Place::Leaving(Some(partition))) = self.places.remove(number) {
                self.parked.insert(*number, partition);
            }
        }
        Some(Effect::Release(released))
    }

    fn deliver(&mut self, now_ms: u64) -> Option<Effect> {
        if let Some(delivering) = &self.delivering {
            if !mem::take(&mut self.failed) {
                return None;
            }
            if delivering.is_empty() {
                self.delivering = None;
                return None;
            }
            return Some(Effect::Deliver(delivering.clone()));
        }
        let due = self.delivered_ms.is_none_or(|at| now_ms >= at + self.pace.commit_interval_ms);
        if self.open.is_empty() || !(due || self.places.values().any(Place::leaves)) {
            return None;
        }
        self.delivered_ms = Some(now_ms);
        self.take_first_snapshots(now_ms);
        let begin_ns = self.watch.now_ns();
        if self.take_snapshot(now_ms, self.pace.snapshot_interval_ms, false) {
            let took_ns = self.watch.now_ns().saturating_sub(begin_ns);
            self.timings.pauses.observe(took_ns as f64 / 1e9);
        }
        let next = self.empty_transaction();
        let transaction = Arc::new(mem::replace(&mut self.open, next));
        self.delivering = Some(transaction.clone());
        Some(Effect::Deliver(transaction))
    }

    /// One with nothing in it. The output holds the last one, whose end it may have to look for.
    fn empty_transaction(&mut self) -> Transaction {
        let free = self.past.iter_mut().position(|past| Arc::get_mut(past).is_some());
        let past = free.and_then(|at| Arc::into_inner(self.past.swap_remove(at)));
        let mut transaction = past.unwrap_or_default();
        transaction.clear();
        transaction
    }

    /// Takes a snapshot of a partition that has had none for so long, if there is one: it is kept once
    /// all of it is committed.
    fn take_snapshot(&mut self, now_ms: u64, interval_ms: u64, at_the_end: bool) -> bool {
        for place in self.places.values_mut() {
            let Place::Deciding(deciding) = place else { continue };
            let next = deciding.partition.next();
            let due = now_ms >= deciding.snapshot_ms + interval_ms;
            let wanted = match self.keeping.contains(&deciding.partition.number()) {
                // What is not made yet is not made any more.
                true => at_the_end,
                false => due && deciding.kept != Some(next),
            };
            if wanted {
                (deciding.snapshot_ms, deciding.kept) = (now_ms, Some(next));
                let is_small = self.pace.copies(&deciding.partition);
                let copied = at_the_end || mem::take(&mut deciding.copies) || is_small;
                self.taken.push(Taken {
                    header: deciding.partition.header(&self.settings.ruleset_text),
                    state: match copied {
                        true => State::Copied(snapshot::copy(deciding.partition.engine())),
                        false => State::InTheLog,
                    },
                });
                // One at a time: each takes a moment.
                return true;
            }
        }
        false
    }

    /// Those that restores left; what they stand for is committed with what is delivered now.
    fn take_first_snapshots(&mut self, now_ms: u64) {
        for place in self.places.values_mut() {
            let Place::Deciding(deciding) = place else { continue };
            if let Some(Written { header, bytes }) = deciding.first.take() {
                deciding.snapshot_ms = now_ms;
                self.taken.push(Taken { header, state: State::Written(bytes) });
            }
        }
    }

    /// The snapshot of a partition that has gone on since its last one, if there is such a partition:
    /// once nothing is on its way any more, before the end. One is taken when the one before is kept,
    /// because each is a copy of a state.
    pub fn last_snapshot(&mut self, now_ms: u64) -> Option<Taken> {
        self.take_snapshot(now_ms, 0, true);
        let taken = self.taken.pop()?;
        let number = taken.header.partition;
        self.keeping.insert(number);
        let left = self.leave(number);
        self.places.insert(number, Place::Leaving(left));
        Some(taken)
    }

    /// Is a snapshot of this partition being kept?
    pub fn is_keeping(&self, partition: i32) -> bool {
        self.keeping.contains(&partition)
    }

    /// Is something decided that is not delivered?
    pub fn is_busy(&self) -> bool {
        self.delivering.is_some() || !self.open.is_empty()
    }

    /// Has so much been decided that more should wait?
    pub fn is_full(&self) -> bool {
        self.delivering.is_some() && self.open.byte_count() >= self.pace.waiting_bytes
    }

    /// Is a transaction on its way, or to be delivered again?
    pub fn is_delivering(&self) -> bool {
        self.delivering.is_some()
    }

    /// Those of these records that would be decided.
    pub fn to_decide<'r>(&self, records: &'r Records) -> impl Iterator<Item = Arrived<'r>> {
        // Records of a partition come together: it is looked up once for them.
        let (mut number, mut next) = (None, None);
        records.iter().filter(move |one| {
            if number != Some(one.partition) {
                (number, next) = (Some(one.partition), self.next_of(one.partition));
            }
            next.is_some_and(|next| one.offset >= next)
        })
    }

    /// The next offset of a partition that is being decided.
    fn next_of(&self, partition: i32) -> Option<i64> {
        match self.places.get(&partition) {
            Some(Place::Deciding(deciding)) => Some(deciding.partition.next()),
            _ => None,
        }
    }

    /// Is anything being restored, or about to be?
    pub fn is_restoring(&self) -> bool {
        self.restoring().next().is_some()
    }

    /// The partitions that are being restored, or about to be.
    pub fn restoring(&self) -> impl Iterator<Item = i32> {
        let restores = |place: &Place| matches!(place, Place::Assigned(_) | Place::Restoring(_));
        self.places.iter().filter(move |(_, place)| restores(place)).map(|(number, _)| *number)
    }

    /// The partitions that are being decided.
    pub fn deciding(&self) -> impl Iterator<Item = &Partition> {
        self.places.values().filter_map(|place| match place {
            Place::Deciding(deciding) => Some(&*deciding.partition),
            _ => None,
        })
    }

    /// What has become of the records so far.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// How long some of the records took.
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    /// The outputs that are decided and wait, and those that are on their way: how many, and their
    /// bytes.
    pub fn queues(&self) -> [(usize, usize); 2] {
        let size = |t: &Transaction| (t.output_count(), t.byte_count());
        [size(&self.open), self.delivering.as_deref().map_or((0, 0), size)]
    }

    /// The partitions that are being decided, to be looked at: what is put out must not come to
    /// depend on it.
    pub fn deciding_mut(&mut self) -> impl Iterator<Item = &mut Partition> {
        self.places.values_mut().filter_map(|place| match place {
            Place::Deciding(deciding) => Some(&mut *deciding.partition),
            _ => None,
        })
    }

    /// By partition: is it being restored, or about to be, rather than decided or given back?
    pub fn places(&self) -> impl Iterator<Item = (i32, &'static str)> {
        self.places.iter().map(|(number, place)| (*number, place.name()))
    }

    /// What happened that no decision says, over all partitions.
    pub fn tally(&self) -> Tally {
        let mut sum = self.former.clone();
        self.deciding().for_each(|partition| sum.add(&partition.engine().tally()));
        sum
    }

    /// What counters keep, about, by group of counters, over all partitions.
    pub fn sizes_about(&mut self) -> Vec<GroupSize> {
        // With many partitions, few owners are looked at in each of them.
        let some = (MEASURED / self.deciding().count().max(1)).max(1);
        let mut sum: Vec<GroupSize> = Vec::new();
        for partition in self.deciding_mut() {
            let sizes = partition.engine_mut().sizes_about(some);
            sum.iter_mut().zip(&sizes).for_each(|(sum, more)| sum.add(more));
            if sum.is_empty() {
                sum = sizes;
            }
        }
        sum
    }

    /// A tick is due in this partition: it is put into its log, behind what is there.
    pub fn tick(&mut self, partition: i32, offset: i64, time_ms: i64) {
        self.open.push(Destination::Input, (partition, offset), None, |bytes| {
            encode::tick(time_ms, bytes);
        });
    }
}

impl Place {
    fn name(&self) -> &'static str {
        match self {
            Place::Assigned(_) | Place::Restoring(_) => "restoring",
            Place::Deciding(_) => "deciding",
            Place::Leaving(_) | Place::Lost => "leaving",
        }
    }

    fn leaves(&self) -> bool {
        matches!(self, Place::Leaving(_) | Place::Lost)
    }
}
