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
    transaction::{Destination, Transaction},
};

/// One partition.
#[derive(Debug)]
pub struct Partition {
    number: i32,
    engine: Engine,
    /// The offset of the next record.
    next: i64,
    origin: i64,
    since: i64,
    /// What is noted beside its offset.
    note: String,
}

impl Partition {
    /// In this state, with `next` as the offset of its next record.
    ///
    /// It has been decided from `origin` on, and by this ruleset from `since` on.
    pub fn new(number: i32, engine: Engine, next: i64, origin: i64, since: i64) -> Partition {
        let ruleset = engine.ruleset().identity.clone();
        let note = Note { origin, since, ruleset }.text();
        Partition { number, engine, next, origin, since, note }
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
            origin: self.origin,
            since: self.since,
            clock_ms: self.engine.clock_ms(),
            ruleset: self.engine.ruleset().identity.clone(),
            configuration: configuration.to_owned(),
        }
    }

    /// Its engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What happened that no decision says, since this was last taken.
    pub fn take_tally(&mut self) -> Tally {
        self.engine.take_tally()
    }

    /// Is this how far it is, by the words of the group?
    pub fn is_at(&self, committed: &Committed) -> bool {
        (committed.offset, &*committed.note) == (self.next, &*self.note)
    }

    /// Says which events come next; changes nothing.
    pub fn expect<'e>(&mut self, events: impl Iterator<Item = &'e Event<'e>> + Clone) {
        self.engine.expect(events);
    }

    /// The next record, or one that has been decided already and comes again: then nothing happens.
    pub fn step(
        &mut self,
        record: &Arrived<'_>,
        event: Result<&Event<'_>, Rejection>,
        emit: Emit,
        out: &mut Transaction,
        statistics: &mut Statistics,
    ) {
        if record.offset < self.next {
            return;
        }
        self.next = record.offset + 1;
        let place = (self.number, record.offset);
        let mut outbox = Encoded { emit, place, out, statistics };
        let fate = event.and_then(|event| self.engine.process(event, &mut outbox));
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
        out.reach(self.number, self.next, &self.note);
    }

    /// Brings the committed note up to date, where nothing else has happened yet.
    pub fn note(&self, out: &mut Transaction) {
        out.reach(self.number, self.next, &self.note);
    }
}

/// What the engine puts out, as text in a transaction.
struct Encoded<'t> {
    emit: Emit,
    place: (i32, i64),
    out: &'t mut Transaction,
    statistics: &'t mut Statistics,
}

impl Encoded<'_> {
    fn push(&mut self, account: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.push(Destination::Decisions, self.place, Some(account.as_bytes()), write);
    }
}

impl Outbox for Encoded<'_> {
    fn decision(&mut self, decision: &Decision<'_>) {
        self.statistics.action(decision.action);
        if self.emit.wants(decision) {
            self.push(decision.event.account(), |bytes| encode::decision(decision, bytes));
        }
    }

    fn follow_up(&mut self, follow_up: &FollowUp<'_>) {
        self.statistics.answer(follow_up.answer);
        self.push(follow_up.subject.account_id, |bytes| encode::follow_up(follow_up, bytes));
    }

    fn case_record(&mut self, record: &CaseRecord<'_>) {
        self.push(record.account_id, |bytes| encode::case_record(record, bytes));
    }
}
