//! Logs in, decisions out, as fast as the machine goes: the same engine and the same step as
//! everywhere, fed from files.

mod outputs;

use std::collections::{BTreeMap, btree_map::Entry};

use bumpalo::{Bump, collections::Vec as BumpVec};

use crate::{
    config::Settings,
    decision::{Fate, Rejection},
    engine::{Engine, Tally},
    event::{Event, EventType},
    io::files::Batch,
    pipeline,
    wire::{
        dead_letter::DeadLetter,
        decode::Hints,
        record::{self, Record},
    },
};

pub use crate::pipeline::statistics::Statistics;
pub use outputs::Outputs;

/// A run over one log.
pub struct Replay<'s> {
    settings: &'s Settings,
    /// Over how many partitions bare events are spread.
    spread: u32,
    engines: BTreeMap<i32, Engine>,
    hints: Hints,
    outputs: Outputs,
    statistics: Statistics,
}

/// A record whose event has been looked at by itself.
struct Admitted<'a> {
    number: u64,
    record: Record<'a>,
    partition: i32,
    event: Result<&'a Event<'a>, Rejection>,
}

/// Lines that are processed together: enough for the waits for memory to overlap, few enough to stay
/// in the cache.
const FEW: usize = 32;

/// Why a run stops.
#[derive(Debug)]
pub enum Stop {
    /// The log has several partitions, and these counters are exact within one only.
    SeveralPartitions(Vec<String>),
    /// What is written cannot be written.
    Output(std::io::Error),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Stop {
        Stop::Output(error)
    }
}

impl<'s> Replay<'s> {
    /// A run that has read nothing yet. Bare events are spread over `spread` partitions.
    ///
    /// # Errors
    /// The ruleset is not exact on several partitions; or an output cannot be written.
    pub fn new(
        settings: &'s Settings,
        spread: u32,
        mut outputs: Outputs,
    ) -> Result<Replay<'s>, Stop> {
        let ruleset = &settings.ruleset;
        if spread > 1 && !ruleset.single_partition.is_empty() {
            return Err(Stop::SeveralPartitions(ruleset.single_partition.clone()));
        }
        outputs.features_header(&ruleset.counters);
        Ok(Replay {
            settings,
            spread,
            engines: BTreeMap::new(),
            hints: Hints::default(),
            outputs,
            statistics: Statistics::default(),
        })
    }

    /// The next lines of the log. What they need meanwhile comes from the arena.
    ///
    /// # Errors
    /// One is of a second partition, and the ruleset is not exact then; or an output cannot be
    /// written.
    pub fn lines(&mut self, batch: &Batch, arena: &mut Bump) -> Result<(), Stop> {
        for few in batch.few(FEW) {
            self.few(few, arena)?;
            arena.reset();
        }
        Ok(())
    }

    fn few<'b>(
        &mut self,
        lines: impl ExactSizeIterator<Item = (u64, &'b [u8])>,
        arena: &Bump,
    ) -> Result<(), Stop> {
        let mut all = BumpVec::with_capacity_in(lines.len(), arena);
        for (number, line) in lines.filter(|(_, line)| !record::is_blank(line)) {
            let input = &self.settings.ruleset.input;
            let (record, event) = pipeline::admit::line(line, input, &mut self.hints, arena);
            let partition = self.partition(&record, event.as_ref().ok().copied());
            all.push(Admitted { number, record, partition, event });
        }
        for (partition, engine) in &mut self.engines {
            let here = all.iter().filter(|one| one.partition == *partition);
            engine.expect(here.filter_map(|one| one.event.as_ref().ok().copied()));
        }
        all.into_iter().try_for_each(|one| self.next(one))?;
        Ok(self.outputs.write()?)
    }

    fn next(&mut self, next: Admitted<'_>) -> Result<(), Stop> {
        let Admitted { number, record, partition, event } = next;
        let tick = event.as_ref().is_ok_and(|event| event.event_type == EventType::Tick);
        let fate = if tick && record.partition.is_none() {
            event.map(|event| self.tick(event))
        } else {
            self.process(partition, event)?
        };
        match fate {
            Ok(fate) => self.statistics.fate(fate),
            Err(rejection) => {
                let offset = record.offset.unwrap_or(number as i64);
                let (rejection, payload) = (&rejection, record.payload);
                let letter = DeadLetter { rejection, partition, offset, payload };
                self.outputs.dead_letter(&letter);
                self.statistics.dead_letter(rejection.reason);
            }
        }
        Ok(())
    }

    /// The partition of a record: of its envelope, or of its account.
    fn partition(&self, record: &Record<'_>, event: Option<&Event<'_>>) -> i32 {
        match (record.partition, event) {
            (Some(partition), _) => partition,
            (None, _) if self.spread == 1 => 0,
            (None, Some(event)) => record::partition_of(event.account(), self.spread),
            (None, None) => record::account_of(record.payload)
                .map_or(0, |account| record::partition_of(&account, self.spread)),
        }
    }

    /// The next record of a partition, which may be its first.
    fn process(
        &mut self,
        partition: i32,
        event: Result<&Event<'_>, Rejection>,
    ) -> Result<Result<Fate, Rejection>, Stop> {
        let (ruleset, alone) = (&self.settings.ruleset, self.engines.is_empty());
        let engine = match self.engines.entry(partition) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if !alone && !ruleset.single_partition.is_empty() => {
                return Err(Stop::SeveralPartitions(ruleset.single_partition.clone()));
            }
            Entry::Vacant(new) => new.insert(Engine::new(ruleset.clone())),
        };
        let fate = event.and_then(|event| engine.process(event, &mut self.outputs));
        if let Some(action) = self.outputs.action.take() {
            self.statistics.action(action);
        }
        self.statistics.answers(std::mem::take(&mut self.outputs.answers));
        Ok(fate)
    }

    /// A tick without a partition is of every one; it is one event all the same.
    fn tick(&mut self, event: &Event<'_>) -> Fate {
        for engine in self.engines.values_mut() {
            // A tick is never refused.
            let _ = engine.process(event, &mut self.outputs);
            self.statistics.answers(std::mem::take(&mut self.outputs.answers));
        }
        Fate::Counted
    }

    /// What has been seen so far.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// What happened that no decision says, over all partitions.
    pub fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        self.engines.values().for_each(|engine| sum.add(&engine.tally()));
        sum
    }

    /// The engines, by partition.
    pub fn engines(&self) -> impl Iterator<Item = (i32, &Engine)> {
        self.engines.iter().map(|(partition, engine)| (*partition, engine))
    }

    /// Writes what has not been written yet.
    ///
    /// # Errors
    /// An output cannot be written.
    pub fn finish(&mut self) -> Result<(), Stop> {
        Ok(self.outputs.flush()?)
    }
}
