//! One partition that is decided here: its engine, how far it is, and the step of one record.

use crate::{
    config::Emit,
    decision::{CaseRecord, Decision, FollowUp, Outbox, Rejection},
    engine::{Engine, Tally},
    event::Event,
    wire::{
        dead_letter::{self, DeadLetter},
        encode, record,
    },
};

use super::{
    note::Note,
    ports::{Arrived, Committed},
    snapshot,
    statistics::Statistics,
    timing::{Stage, Stopwatch},
    transaction::{Destination, Transaction},
};

/// One partition.
#[derive(Debug)]
pub struct Partition {
    number: i32,
    engine: Engine,
    /// The offset of the next record.
    next: i64,
    /// What is noted beside its offset,
    note: Note,
    /// as text.
    noted: String,
    /// The time of the last record that was decided, in epoch ms.
    record_ms: Option<i64>,
    /// The bytes of its last snapshot; 0 without one.
    snapshot_bytes: usize,
}

impl Partition {
    /// In this state, with `next` as the offset of its next record; `note` says what decided it.
    pub fn new(number: i32, engine: Engine, next: i64, note: Note) -> Partition {
        let noted = note.text();
        Partition { number, engine, next, note, noted, record_ms: None, snapshot_bytes: 0 }
    }

    /// The number of the partition.
    pub fn number(&self) -> i32 {
        self.number
    }

    /// The offset of the next record.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// What its state is a state of, now; `configuration` is that of its ruleset.
    pub fn header(&self, configuration: &str) -> snapshot::Header {
        snapshot::Header {
            schema: snapshot::SCHEMA.to_owned(),
            partition: self.number,
            offset: self.next,
            origin: self.note.origin,
            since: self.note.now.since,
            before: self.note.before.clone(),
            clock_ms: self.engine.clock_ms(),
            ruleset: self.engine.ruleset().identity.to_string(),
            configuration: configuration.to_owned(),
        }
    }

    /// Its engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Its engine, to be looked at: what is put out must not come to depend on it.
    pub fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// The time of the last record that was decided here, in epoch ms.
    pub fn record_ms(&self) -> Option<i64> {
        self.record_ms
    }

    /// The bytes of its last snapshot; 0 without one.
    pub fn snapshot_bytes(&self) -> usize {
        self.snapshot_bytes
    }

    /// Its last snapshot has so many bytes.
    pub fn has_snapshot_of(&mut self, bytes: usize) {
        self.snapshot_bytes = bytes;
    }

    /// What happened that no decision says, since this was last taken.
    pub fn take_tally(&mut self) -> Tally {
        self.engine.take_tally()
    }

    /// Is this how far it is, by the words of the group?
    pub fn is_at(&self, committed: &Committed) -> bool {
        (committed.offset, &*committed.note) == (self.next, &*self.noted)
    }

    /// Says which events come next; changes nothing.
    pub fn expect<'e>(&mut self, events: impl Iterator<Item = &'e Event<'e>> + Clone) {
        self.engine.expect(events);
    }

    /// The next record, or one that has been decided already and comes again: then nothing happens.
    /// `watch` times its stages, if it is to be timed.
    pub fn step(
        &mut self,
        record: &Arrived<'_>,
        event: Result<&Event<'_>, Rejection>,
        emit: Emit,
        out: &mut Transaction,
        statistics: &mut Statistics,
        mut watch: Option<&mut Stopwatch<'_>>,
    ) {
        if record.offset < self.next {
            return;
        }
        self.next = record.offset + 1;
        self.record_ms = record.timestamp_ms.or(self.record_ms);
        let place = (self.number, record.offset);
        let mut outbox =
            Encoded { emit, place, out, statistics, watch: watch.as_deref_mut(), judges: false };
        let fate = event.and_then(|event| self.engine.process(event, &mut outbox));
        outbox.lap();
        match fate {
            Ok(fate) => statistics.fate(fate),
            Err(rejection) => {
                statistics.dead_letter(rejection.reason);
                let (rejection, payload) = (&rejection, record.payload);
                let account = record::account_of(payload);
                let key = account.as_deref().map(str::as_bytes);
                let letter = DeadLetter {
                    rejection,
                    partition: self.number,
                    offset: record.offset,
                    payload,
                };
                out.push(Destination::DeadLetters, place, key, |bytes| {
                    dead_letter::encode(&letter, bytes);
                });
            }
        }
        out.reach(self.number, self.next, &self.noted);
        if let Some(watch) = watch {
            watch.lap(Stage::Encode);
        }
    }

    /// Brings the committed note up to date, where nothing else has happened yet.
    pub fn note(&self, out: &mut Transaction) {
        out.reach(self.number, self.next, &self.noted);
    }
}

/// What the engine puts out, as text in a transaction.
struct Encoded<'t, 'w> {
    emit: Emit,
    place: (i32, i64),
    out: &'t mut Transaction,
    statistics: &'t mut Statistics,
    watch: Option<&'t mut Stopwatch<'w>>,
    /// Is the event counted, so that what takes time now is what is decided of it?
    judges: bool,
}

impl Encoded<'_, '_> {
    fn push(&mut self, account: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.lap();
        self.out.push(Destination::Decisions, self.place, Some(account.as_bytes()), write);
        if let Some(watch) = &mut self.watch {
            watch.lap(Stage::Encode);
        }
    }

    /// What has passed was spent on the stage at hand.
    #[inline]
    fn lap(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.lap(if self.judges { Stage::Decide } else { Stage::Count });
        }
    }
}

impl Outbox for Encoded<'_, '_> {
    fn counted(&mut self) {
        self.lap();
        self.judges = true;
    }

    fn decision(&mut self, decision: &Decision<'_>) {
        self.statistics.action(decision.action);
        self.statistics.score(decision.score);
        if self.emit.wants(decision) {
            self.push(decision.event.account(), |bytes| encode::decision(decision, bytes));
        }
    }

    fn follow_up(&mut self, follow_up: &FollowUp<'_>) {
        self.statistics.answer(follow_up.answer, &follow_up.trigger);
        self.push(follow_up.subject.account_id, |bytes| encode::follow_up(follow_up, bytes));
    }

    fn case_record(&mut self, record: &CaseRecord<'_>) {
        self.statistics.case_change(record.status);
        self.push(record.account_id, |bytes| encode::case_record(record, bytes));
    }
}
