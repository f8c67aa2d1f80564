//! A partition's state, made again: the newest snapshot that is not ahead of what is committed, and
//! the log from there, with nothing put out.
//!
//! Deterministic and without a clock. What it cannot make good it refuses, with the remedy: it never
//! begins with less than the log says without saying so.

use std::{ops::Range, sync::Arc};

use bumpalo::Bump;

use crate::{
    config::{Settings, service::Start},
    decision::{CaseRecord, Decision, FollowUp, Outbox},
    engine::{Engine, EngineState, Ruleset},
    wire::decode::Hints,
};

use super::{
    admit,
    note::Note,
    partition::Partition,
    ports::{Broken, Committed, Log, Records, Shelf},
    snapshot,
};

/// What a restore goes by.
#[derive(Debug)]
pub struct Setup {
    /// What decides from now on.
    pub settings: Arc<Settings>,
    /// Where a group begins that has never decided a partition.
    pub start: Start,
    /// May a partition go on whose log no longer reaches back far enough? Its decisions say
    /// `warming` then.
    pub may_warm: bool,
}

/// A partition that can be decided, and how it came to be.
#[derive(Debug)]
pub struct Restored {
    /// The partition.
    pub partition: Box<Partition>,
    /// The identity of the ruleset that decided it before, if it was another.
    pub former_ruleset: Option<String>,
    /// The offset of the snapshot that it was restored from.
    pub snapshot: Option<i64>,
    /// How many records were read again.
    pub read_again: u64,
    /// What somebody should know, in words.
    pub remarks: Vec<String>,
}

/// Brings the partition to what is committed: as it was when it was last here (`parked`), if nobody
/// has gone on with it since. `going_on` is told how many records are still to be
/// read, and says whether to go on.
///
/// # Errors
/// The log or the shelf is unavailable, or they do not hold what is needed.
pub fn restore(
    number: i32,
    setup: &Setup,
    log: &dyn Log,
    shelf: &dyn Shelf,
    parked: &mut Option<Box<Partition>>,
    going_on: &mut dyn FnMut(i64) -> bool,
) -> Result<Restored, Broken> {
    let committed = log.committed(number)?;
    let still_here = parked.take_if(|parked| committed.as_ref().is_some_and(|c| parked.is_at(c)));
    if let Some(partition) = still_here {
        return Ok(Restored {
            partition,
            former_ruleset: None,
            snapshot: None,
            read_again: 0,
            remarks: Vec::new(),
        });
    }
    let bounds = log.bounds(number)?;
    let run = Run { number, setup, log, shelf, going_on, bounds, remarks: vec![], read: 0 };
    match committed {
        None => run.begin(),
        Some(committed) => run.resume(&committed),
    }
}

/// The state of a partition at an offset that is committed, made from the last snapshot and the log,
/// beside the engine that decides: taking it from there would stop the decisions for as long as it
/// takes to copy.
///
/// # Errors
/// The log or the shelf is unavailable, or there is no snapshot of this ruleset and the log is too
/// short.
pub fn advance(
    header: &snapshot::Header,
    setup: &Setup,
    log: &dyn Log,
    shelf: &dyn Shelf,
    going_on: &mut dyn FnMut(i64) -> bool,
) -> Result<EngineState, Broken> {
    let (number, offset) = (header.partition, header.offset);
    let bounds = log.bounds(number)?;
    let mut run = Run { number, setup, log, shelf, going_on, bounds, remarks: vec![], read: 0 };
    let found = run.newest(offset, &header.ruleset, header.since, false)?;
    let (mut engine, from) = match found {
        Some(found) if found.header.ruleset == header.ruleset => {
            (found.engine, found.header.offset)
        }
        _ if header.since == header.origin && header.origin >= run.bounds.start => {
            (Engine::new(run.ruleset().clone()), header.origin)
        }
        _ => {
            let why = "there is no snapshot of this ruleset to go on from".to_owned();
            return Err(Broken::ForNow(why));
        }
    };
    run.read_again(&mut engine, from..offset)?;
    Ok(engine.snapshot())
}

struct Run<'r> {
    number: i32,
    setup: &'r Setup,
    log: &'r dyn Log,
    shelf: &'r dyn Shelf,
    going_on: &'r mut dyn FnMut(i64) -> bool,
    bounds: Range<i64>,
    remarks: Vec<String>,
    read: u64,
}

/// A state that has been found, and where.
struct Found {
    header: snapshot::Header,
    engine: Engine,
}

impl Run<'_> {
    fn ruleset(&self) -> &Arc<Ruleset> {
        &self.setup.settings.ruleset
    }

    /// The partition has never been decided by this group.
    fn begin(mut self) -> Result<Restored, Broken> {
        let offset = match self.setup.start {
            Start::Earliest => self.bounds.start,
            Start::Latest => self.bounds.end,
            Start::At(time_ms) => self.log.offset_at(self.number, time_ms)?,
        };
        for kept in self.shelf.offsets(self.number)? {
            if kept > self.bounds.end {
                self.remark(format!("the snapshot at offset {kept} is of another log: removed"));
                self.shelf.remove(self.number, kept)?;
            } else if kept > self.bounds.start {
                return Err(self.refuse(format!(
                    "there is a snapshot at offset {kept}, but the group has no committed offset: \
                     it has expired (offsets.retention.minutes) or was deleted, and beginning anew \
                     would decide everything a second time. Set the group's offset to where it \
                     was, or move the snapshots away to begin anew"
                )));
            }
        }
        let engine = Engine::new(self.ruleset().clone());
        let partition = Partition::new(self.number, engine, offset, offset, offset);
        Ok(self.done(partition, None, None))
    }

    /// The partition has been decided up to a committed offset.
    fn resume(mut self, committed: &Committed) -> Result<Restored, Broken> {
        let Committed { offset, note } = committed;
        if *offset > self.bounds.end {
            return Err(self.refuse(format!(
                "the committed offset {offset} is behind the end of the log, {}: the topic has \
                 been made anew. Use another group, or delete this group's offsets",
                self.bounds.end
            )));
        }
        if *offset < self.bounds.start {
            return Err(self.refuse(format!(
                "the records from offset {offset} to {} were removed before they were decided: \
                 retention is shorter than the outage. Set the group's offset to {} to go on \
                 without them",
                self.bounds.start, self.bounds.start
            )));
        }
        let note = Note::read(note);
        if note.is_none() {
            self.remark("the committed offset was set by something else".to_owned());
        }
        let decided_under = note.as_ref().map_or(&*self.ruleset().identity, |note| &note.ruleset);
        let decided_under = decided_under.to_owned();
        let since = note.as_ref().map_or(self.bounds.start, |note| note.since);

        let found = self.newest(*offset, &decided_under, since, true)?;
        let snapshot = found.as_ref().map(|found| found.header.offset);
        let (mut engine, from, origin) = match found {
            Some(Found { header, engine }) => (engine, header.offset, header.origin),
            None => self.anew(note.as_ref(), &decided_under)?,
        };
        // Under the ruleset of the snapshot up to where the next one took over.
        let mut from = from;
        if engine.ruleset().identity != decided_under {
            self.read_again(&mut engine, from..since)?;
            engine = self.taken_over(engine, origin..since)?;
            from = since;
        }
        self.read_again(&mut engine, from..*offset)?;
        if engine.ruleset().identity == self.ruleset().identity {
            let partition = Partition::new(self.number, engine, *offset, origin, since);
            return Ok(self.done(partition, snapshot, None));
        }
        let engine = self.taken_over(engine, origin..*offset)?;
        let partition = Partition::new(self.number, engine, *offset, origin, *offset);
        Ok(self.done(partition, snapshot, Some(decided_under)))
    }

    /// The newest snapshot that can be used for an offset. Whoever takes the partition over removes
    /// those that are ahead of it.
    fn newest(
        &mut self,
        committed: i64,
        decided_under: &str,
        since: i64,
        removes: bool,
    ) -> Result<Option<Found>, Broken> {
        let mut offsets = self.shelf.offsets(self.number)?;
        offsets.sort_unstable_by(|a, b| b.cmp(a));
        for at in offsets {
            if at > committed {
                if !removes {
                    continue;
                }
                // Of a run whose last decisions nobody has seen; another ruleset may decide them.
                self.remark(format!("the snapshot at offset {at} is ahead of what is committed"));
                self.shelf.remove(self.number, at)?;
                continue;
            }
            if at < self.bounds.start && at < committed {
                self.remark(format!("the log behind the snapshot at offset {at} has been removed"));
                continue;
            }
            match self.found(at, decided_under, since) {
                Ok(found) => return Ok(Some(found)),
                Err(why) => {
                    self.remark(format!("the snapshot at offset {at} cannot be used: {why}"))
                }
            }
        }
        Ok(None)
    }

    fn found(&self, at: i64, decided_under: &str, since: i64) -> Result<Found, String> {
        let bytes = self.shelf.get(self.number, at).map_err(|error| error.to_string())?;
        let (header, state) = snapshot::decode(&bytes).map_err(|error| error.to_string())?;
        if (header.partition, header.offset) != (self.number, at) {
            let snapshot::Header { partition, offset, .. } = header;
            return Err(format!("it is of partition {partition} at offset {offset}"));
        }
        if header.ruleset != decided_under && at > since {
            return Err(format!("it was made under another ruleset, {}", header.ruleset));
        }
        let ruleset = self.ruleset_of(&header)?;
        Ok(Found { engine: Engine::restore(ruleset, state), header })
    }

    /// The ruleset that made a snapshot.
    fn ruleset_of(&self, header: &snapshot::Header) -> Result<Arc<Ruleset>, String> {
        if header.ruleset == self.ruleset().identity {
            return Ok(self.ruleset().clone());
        }
        let former = Settings::read("the snapshot", header.configuration.clone(), &[])
            .map_err(|problems| format!("its ruleset cannot be read any more: {problems}"))?;
        match &former.ruleset.identity {
            identity if *identity == header.ruleset => Ok(former.ruleset),
            identity => Err(format!(
                "its ruleset {} means something else to this program ({identity})",
                header.ruleset
            )),
        }
    }

    /// There is no snapshot: the log itself from its beginning, if it still has one.
    fn anew(
        &mut self,
        note: Option<&Note>,
        decided_under: &str,
    ) -> Result<(Engine, i64, i64), Broken> {
        let origin = note.map_or(self.bounds.start, |note| note.origin);
        let since = note.map_or(origin, |note| note.since);
        let other = decided_under != self.ruleset().identity || since > origin;
        let short = self.bounds.start > origin;
        let mut engine = Engine::new(self.ruleset().clone());
        if short || other {
            let what = match (short, other) {
                (true, _) => format!(
                    "the log begins at offset {}, and this group has decided it from {origin} on",
                    self.bounds.start
                ),
                (false, _) => "the rulesets that decided it before are not known".to_owned(),
            };
            let unusable = match &self.remarks[..] {
                [] => String::new(),
                remarks => format!(" ({})", remarks.join("; ")),
            };
            let what = format!("there is no snapshot that can be used{unusable}, and {what}");
            if !self.setup.may_warm {
                return Err(self.refuse(format!(
                    "{what}. Bring the snapshots back, or accept decisions from incomplete \
                     counters for a while, which say \"state\":\"warming\": [state] on_short_log = \
                     \"warm\""
                )));
            }
            self.remark(format!("{what}: its decisions say \"state\":\"warming\" for a while"));
            engine.warm_up();
        }
        Ok((engine, origin.max(self.bounds.start), origin))
    }

    /// The engine of the ruleset that takes over from another one at the end of `decided`.
    fn taken_over(&mut self, former: Engine, decided: Range<i64>) -> Result<Engine, Broken> {
        let ruleset = self.ruleset().clone();
        let same_counters = ruleset.counts_as(former.ruleset());
        let mut state = former.snapshot();
        state.cases = state.cases.moved(&ruleset.moved_from(former.ruleset()));
        drop(former);
        if same_counters {
            return Ok(Engine::restore(ruleset, state));
        }
        // The counters are other ones: they are filled from the log, as far as it reaches.
        let from = decided.start.max(self.bounds.start);
        let mut engine = Engine::new(ruleset.clone());
        if from > decided.start {
            self.remark(format!(
                "the counters have changed, and the log begins at offset {from}: decisions say \
                 \"state\":\"warming\" for a while"
            ));
            engine.warm_up();
            // Places in the log are counted from its beginning, which is gone.
            state.cases.forget_places();
        }
        self.read_again(&mut engine, from..decided.end)?;
        let EngineState { windows, warming, .. } = engine.snapshot();
        Ok(Engine::restore(ruleset, EngineState { windows, warming, ..state }))
    }

    /// Brings an engine over these records, with nothing put out.
    fn read_again(&mut self, engine: &mut Engine, offsets: Range<i64>) -> Result<(), Broken> {
        if offsets.is_empty() {
            return Ok(());
        }
        let (mut arena, mut hints, mut stopped) = (Bump::new(), Hints::default(), false);
        let Run { read, going_on, .. } = self;
        let (mut next, end) = (offsets.start, offsets.end);
        self.log.read(self.number, offsets, &mut |records: &Records| {
            let input = engine.ruleset().input.clone();
            let admitted: Vec<_> = records
                .iter()
                .filter(|record| record.offset >= next && record.offset < end)
                .map(|record| admit::arrived(&record, &input, &mut hints, &arena))
                .filter_map(Result::ok)
                .collect();
            engine.expect(admitted.iter().copied());
            for event in admitted {
                // What was refused then is refused now.
                let _ = engine.process(event, &mut Nowhere);
            }
            arena.reset();
            *read += records.len() as u64;
            next = records.iter().last().map_or(next, |record| record.offset + 1);
            stopped = !going_on(end - next);
            !stopped
        })?;
        if stopped { Err(Broken::ForNow("the restore was stopped".to_owned())) } else { Ok(()) }
    }

    fn remark(&mut self, remark: String) {
        self.remarks.push(remark);
    }

    fn refuse(&self, why: String) -> Broken {
        Broken::ForGood(format!("partition {} cannot be restored: {why}", self.number))
    }

    fn done(
        self,
        partition: Partition,
        snapshot: Option<i64>,
        former_ruleset: Option<String>,
    ) -> Restored {
        let Run { remarks, read, .. } = self;
        let mut partition = Box::new(partition);
        // What happened while it was read again has been counted when it was decided.
        partition.take_tally();
        Restored { partition, former_ruleset, snapshot, read_again: read, remarks }
    }
}

/// Takes what has been put out before.
struct Nowhere;

impl Outbox for Nowhere {
    fn decision(&mut self, _: &Decision<'_>) {}
    fn follow_up(&mut self, _: &FollowUp<'_>) {}
    fn case_record(&mut self, _: &CaseRecord<'_>) {}
}
