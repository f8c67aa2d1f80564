//! One partition: `process` takes one event of its log after the other and says what follows.
//!
//! State is a function of the log and of the [`Ruleset`]: no clock, no chance, no other partition.
//! What bytes the event was, and what bytes the decision becomes, is not known here.

mod judge;
pub mod look;
mod reach;
pub mod ruleset;
mod seen;
mod tally;

use std::sync::Arc;

use crate::{
    cases::{Cases, CasesState},
    decision::{Fate, Outbox, Reason, Rejection, Trigger},
    event::{Event, EventType, Field, SOURCES, VERDICTS},
    rules::{Facts, Truth},
    stream::{Sink, Source},
    window::{
        calendar::Calendar,
        spec::{Reading, Types},
        store::{GroupSize, Sight, Store, StoreState},
    },
};

pub use judge::SCORE;
use reach::Remembered;
pub use ruleset::Ruleset;
use seen::{Found, Seen, SeenState};
pub use tally::Tally;

/// One partition's state, and the way of one event through it.
#[derive(Debug)]
pub struct Engine {
    ruleset: Arc<Ruleset>,
    /// The greatest time of an accepted event, in epoch ms.
    clock_ms: Option<i64>,
    seen: Seen,
    windows: Store,
    cases: Cases,
    /// How many events have been accepted: the place of the next one.
    accepted: u64,
    remembered: Remembered,
    warming: Warming,
    tally: Tally,
    /// By filter, the types of event that it is asked about.
    filtered: Vec<Types>,
    filters: Vec<bool>,
    readings: Vec<Option<Reading>>,
}

/// How much a partition keeps, in memory, about.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// By what owns the keys.
    pub groups: Vec<GroupSize>,
    /// Events by which repeats are told.
    pub seen: usize,
    /// Their bytes.
    pub seen_bytes: usize,
}

/// A partition's state as plain data. Restored, the rest of the log gives the rest of the output.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineState {
    /// The greatest time of an accepted event, in epoch ms.
    pub clock_ms: Option<i64>,
    /// Accepted events, in the order of the log.
    pub seen: Vec<SeenState>,
    /// The counters.
    pub windows: StoreState,
    /// The cases.
    pub cases: CasesState,
    /// How many events have been accepted.
    pub accepted: u64,
    /// Does it know less than its windows reach over?
    pub warming: Warming,
}

/// Does a state know less than what its windows and cases reach back over?
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Warming {
    /// It knows all that matters.
    No,
    /// From its next event on.
    Begins,
    /// Up to this time of the clock, in epoch ms.
    Until(i64),
}

impl Engine {
    /// A partition of which nothing is known yet.
    pub fn new(ruleset: Arc<Ruleset>) -> Engine {
        let mut filtered = vec![Types::of(&[]); ruleset.filters.len()];
        for counter in &ruleset.counters {
            if let Some(filter) = counter.filter {
                filtered[filter] = filtered[filter].with(counter.types);
            }
        }
        let windows = Store::new(
            &ruleset.counters,
            Calendar::new(ruleset.timezone.clone()),
            ruleset.input.allowed_lateness_ms,
            ruleset.events_per_key,
        );
        Engine {
            clock_ms: None,
            seen: Seen::default(),
            remembered: Remembered::of(&ruleset, windows.paths()),
            windows,
            cases: Cases::new(ruleset.cases.clone(), ruleset.lives(), ruleset.keys()),
            accepted: 0,
            warming: Warming::No,
            tally: Tally::of(&ruleset),
            filters: vec![false; ruleset.filters.len()],
            readings: vec![None; ruleset.counters.len()],
            filtered,
            ruleset,
        }
    }

    /// Says which events come next, so that what they need is in the cache by then. Changes nothing,
    /// and need not be true.
    pub fn expect<'e>(&mut self, events: impl Iterator<Item = &'e Event<'e>> + Clone) {
        let mut count = 0;
        let mut clock_ms = self.clock_ms.unwrap_or(i64::MIN);
        for event in events.clone() {
            count += 1;
            self.seen.fetch(event.account(), event.id());
            clock_ms = clock_ms.max(event.time);
        }
        if count == 0 {
            return;
        }
        let forgotten_ms = clock_ms.saturating_sub(self.ruleset.input.dedupe_horizon_ms);
        self.seen.warm(count, forgotten_ms);
        self.cases.warm(clock_ms);
        if !self.remembered.is_nothing() {
            // Most accounts have an authorization that is remembered.
            self.cases.warm_accounts(events.clone().map(Event::account));
        }
        self.windows.warm(events, clock_ms);
    }

    /// The next event of the log: what became of it; what follows goes to `out`.
    ///
    /// # Errors
    /// It is too old to be told from a repeat. Nothing has changed then.
    pub fn process(&mut self, event: &Event<'_>, out: &mut impl Outbox) -> Result<Fate, Rejection> {
        if event.event_type == EventType::Tick {
            self.cases.expire(event.time, &self.ruleset.identity, out);
            self.settle_standing();
            return Ok(Fate::Counted);
        }
        let behind_ms = self.clock_ms.map_or(0, |clock| clock - event.time);
        let found = self.seen.find(event.account(), event.id());
        if let Some(fate) = self.repeated(found, behind_ms)? {
            return Ok(fate);
        }
        let clock_ms = self.accept(event, found);
        self.cases.accept(clock_ms, &self.ruleset.identity, out);
        self.settle_standing();
        let late = behind_ms > self.ruleset.input.allowed_lateness_ms;
        let degraded = self.count(event, late, clock_ms);
        out.counted();
        let fate = match event.event_type {
            EventType::Authorization => {
                self.decide(event, late, degraded, clock_ms, out);
                Fate::Decided
            }
            EventType::Feedback => self.answer(event, out),
            EventType::Reversal => {
                self.withdraw(event, clock_ms);
                self.cases.report(Trigger::Reversal(event.id()), &self.ruleset.identity, out);
                Fate::Counted
            }
            _ => Fate::Counted,
        };
        self.settle_standing();
        self.accepted += 1;
        Ok(fate)
    }

    /// Feedback: what it does to the account's cases.
    fn answer(&mut self, event: &Event<'_>, out: &mut impl Outbox) -> Fate {
        let ruleset = &self.ruleset.identity;
        let changed = self.cases.feedback(event, ruleset, out);
        let trigger = Trigger::Feedback {
            event_id: event.id(),
            verdict: event.text(Field::Verdict).unwrap_or(""),
            source: event.text(Field::Source).unwrap_or(""),
        };
        self.cases.report(trigger, ruleset, out);
        let place = |names: &[&str], field| names.iter().position(|n| event.text(field) == Some(n));
        let (verdict, source) = (place(VERDICTS, Field::Verdict), place(SOURCES, Field::Source));
        if let (Some(verdict), Some(source)) = (verdict, source) {
            self.tally.feedback[verdict][source] += 1;
        }
        if changed { Fate::Applied } else { Fate::Ignored }
    }

    /// Is it a repeat, or too old to tell?
    fn repeated(&self, found: Found, behind_ms: i64) -> Result<Option<Fate>, Rejection> {
        let horizon_ms = self.ruleset.input.dedupe_horizon_ms;
        let moved_ms = found.clock_ms.and_then(|then| self.clock_ms.map(|now| now - then));
        if moved_ms.is_some_and(|moved| moved <= horizon_ms) {
            return Ok(Some(Fate::Duplicate));
        }
        if behind_ms > horizon_ms {
            let detail = format!(
                "event_time is {behind_ms} ms behind the clock, more than dedupe_horizon \
                 ({horizon_ms} ms): whether it is a repeat can no longer be told"
            );
            return Err(Rejection { reason: Reason::TooOld, field: Some("event_time"), detail });
        }
        Ok(None)
    }

    /// It is accepted. Returns the clock after it, in epoch ms.
    fn accept(&mut self, event: &Event<'_>, found: Found) -> i64 {
        let clock_ms = self.clock_ms.map_or(event.time, |clock| clock.max(event.time));
        self.clock_ms = Some(clock_ms);
        if self.warming == Warming::Begins {
            self.warming = Warming::Until(clock_ms.saturating_add(self.ruleset.longest_ms()));
        }
        self.seen.forget(clock_ms.saturating_sub(self.ruleset.input.dedupe_horizon_ms));
        self.seen.accept(event.account(), event.id(), clock_ms, found);
        clock_ms
    }

    /// It is counted, and its counters are read. Returns whether they are degraded.
    fn count(&mut self, event: &Event<'_>, late: bool, clock_ms: i64) -> bool {
        let facts = Facts { event, counters: &[], late: false };
        let asked = self.ruleset.filters.iter().zip(&self.filtered);
        for (holds, (filter, types)) in self.filters.iter_mut().zip(asked) {
            *holds = types.contains(event.event_type) && filter.holds(&facts) == Truth::Holds;
        }
        let decided = event.event_type == EventType::Authorization;
        let sight = if decided && !late { Sight::Reads } else { Sight::Blind };
        let (filters, readings) = (&self.filters, &mut self.readings);
        self.windows.observe(event, filters, clock_ms, self.accepted, sight, readings)
    }

    /// What comes next does not continue what is known: decisions say `warming` until everything
    /// that they could depend on has come.
    pub fn warm_up(&mut self) {
        self.warming = Warming::Begins;
    }

    fn is_warming(&self, clock_ms: i64) -> bool {
        matches!(self.warming, Warming::Until(until) if clock_ms < until)
    }

    /// The ruleset that decides.
    pub fn ruleset(&self) -> &Arc<Ruleset> {
        &self.ruleset
    }

    /// The greatest time of an accepted event, in epoch ms.
    pub fn clock_ms(&self) -> Option<i64> {
        self.clock_ms
    }

    /// The first time at which a tick or a later event would move something, in epoch ms.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.cases.next_deadline_ms()
    }

    /// What happened that no decision says.
    pub fn tally(&self) -> Tally {
        Tally {
            unusable_values: self.windows.unusable().to_vec(),
            evicted: self.windows.evicted().to_vec(),
            rule_answers: self.cases.answers().to_vec(),
            ..self.tally.clone()
        }
    }

    /// What happened that no decision says, since this was last taken.
    pub fn take_tally(&mut self) -> Tally {
        let taken = self.tally();
        self.tally = Tally::of(&self.ruleset);
        self.windows.forget_tallies();
        self.cases.forget_answers();
        taken
    }

    /// How many owners and events are kept, about: what copying the state costs.
    pub fn entries(&self) -> usize {
        self.windows.owner_count() + self.seen.len()
    }

    /// How much is kept.
    pub fn sizes(&self) -> Sizes {
        let (seen, seen_bytes) = (self.seen.len(), self.seen.heap_bytes());
        Sizes { groups: self.windows.sizes(), seen, seen_bytes }
    }

    /// The state as plain data.
    pub fn snapshot(&self) -> EngineState {
        EngineState {
            clock_ms: self.clock_ms,
            seen: self.seen.snapshot(),
            windows: self.windows.snapshot(),
            cases: self.cases.snapshot(),
            accepted: self.accepted,
            warming: self.warming,
        }
    }

    /// Puts the state into a stream.
    ///
    /// # Errors
    /// The stream takes no more.
    pub fn write<S: Sink>(&self, to: &mut S) -> Result<(), S::Error> {
        to.put(&(self.clock_ms, self.accepted, self.warming))?;
        self.seen.write(to)?;
        self.windows.write(to)?;
        self.cases.write(to)
    }

    /// A partition in the state of a stream, which was written under the same ruleset.
    ///
    /// # Errors
    /// The stream has something else.
    pub fn read<S: Source>(ruleset: Arc<Ruleset>, from: &mut S) -> Result<Engine, S::Error> {
        let mut engine = Engine::new(ruleset);
        (engine.clock_ms, engine.accepted, engine.warming) = from.take()?;
        let clock_ms = engine.clock_ms.unwrap_or(0);
        engine.seen = Seen::read(from)?;
        engine.windows.fill(from, clock_ms)?;
        let ruleset = &engine.ruleset;
        let (bounds, lives, keys) = (ruleset.cases.clone(), ruleset.lives(), ruleset.keys());
        engine.cases = Cases::read(bounds, lives, keys, from, clock_ms)?;
        Ok(engine)
    }

    /// A partition in this state, which was taken under the same ruleset.
    pub fn restore(ruleset: Arc<Ruleset>, state: EngineState) -> Engine {
        let mut engine = Engine::new(ruleset);
        engine.clock_ms = state.clock_ms;
        engine.seen = Seen::restore(state.seen);
        let clock_ms = state.clock_ms.unwrap_or(0);
        engine.windows.restore(state.windows, clock_ms);
        let ruleset = &engine.ruleset;
        let (bounds, lives, keys) = (ruleset.cases.clone(), ruleset.lives(), ruleset.keys());
        engine.cases = Cases::restore(bounds, lives, keys, state.cases, clock_ms);
        engine.accepted = state.accepted;
        engine.warming = state.warming;
        engine
    }
}
