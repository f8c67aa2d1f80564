//! A partition's state, made again: the newest snapshot that is not ahead of what is committed, and
//! the log from there, with nothing put out.
//!
//! Deterministic and without a clock. What it cannot make good it refuses, with the remedy: it never
//! begins with less than the log says without saying so.

mod base;
mod takeover;

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
use base::Base;

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
    /// Is what is to be noted beside its offset not committed yet? A partition that has just begun
    /// would begin elsewhere the next time.
    pub unnoted: bool,
    /// The offset of the snapshot that it was restored from.
    pub snapshot: Option<i64>,
    /// A snapshot of it as it is now, where there is none that later ones could be made from.
    pub first: Option<Written>,
    /// How many records were read again.
    pub read_again: u64,
    /// What somebody should know, in words.
    pub remarks: Vec<String>,
}

/// A snapshot as bytes.
#[derive(Debug)]
pub struct Written {
    /// Of what.
    pub header: snapshot::Header,
    /// It.
    pub bytes: Vec<u8>,
}

impl Restored {
    /// A partition as it is, with nothing to be said of it.
    pub fn as_it_is(partition: Box<Partition>) -> Restored {
        Restored {
            partition,
            former_ruleset: None,
            unnoted: false,
            snapshot: None,
            first: None,
            read_again: 0,
            remarks: Vec::new(),
        }
    }
}

/// What a state is made beside, and whom it is made for.
pub trait Beside {
    /// So many records are still to be read: shall it go on?
    fn goes_on(&mut self, left: i64) -> bool;

    /// A little is done. Whoever must not be in the way of others leaves the processor to them here.
    fn breathe(&mut self) {}
}

impl<F: FnMut(i64) -> bool> Beside for F {
    fn goes_on(&mut self, left: i64) -> bool {
        self(left)
    }
}

/// Brings the partition to what is committed: as it was when it was last here (`parked`), if nobody
/// has gone on with it since.
///
/// # Errors
/// The log or the shelf is unavailable, or they do not hold what is needed.
pub fn restore(
    number: i32,
    setup: &Setup,
    log: &dyn Log,
    shelf: &dyn Shelf,
    parked: &mut Option<Box<Partition>>,
    beside: &mut dyn Beside,
) -> Result<Restored, Broken> {
    let committed = log.committed(number)?;
    let still_here = parked.take_if(|parked| committed.as_ref().is_some_and(|c| parked.is_at(c)));
    if let Some(partition) = still_here {
        return Ok(Restored::as_it_is(partition));
    }
    let run = Run::new(number, setup, log, shelf, beside)?;
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
/// The log or the shelf is unavailable; or, for good, they do not hold what it could be made from.
pub fn advance(
    header: &snapshot::Header,
    setup: &Setup,
    log: &dyn Log,
    shelf: &dyn Shelf,
    beside: &mut dyn Beside,
) -> Result<Engine, Broken> {
    let mut run = Run::new(header.partition, setup, log, shelf, beside)?;
    let note = header.note();
    let base = match run.newest(header.offset, Some(&note), false)? {
        Some(base) => base,
        None => run.whole_log(&note).map_err(|why| run.nothing_to_go_on_from(why))?,
    };
    let engine = run.brought(base, header.offset)?;
    match run.short {
        false => Ok(engine),
        // What decides may have been filled from more of the log than is left.
        true => Err(run.nothing_to_go_on_from("there is no snapshot".to_owned())),
    }
}

struct Run<'r> {
    number: i32,
    setup: &'r Setup,
    log: &'r dyn Log,
    shelf: &'r dyn Shelf,
    beside: &'r mut dyn Beside,
    bounds: Range<i64>,
    remarks: Vec<String>,
    read: u64,
    /// Has something been filled from a log that does not reach back far enough?
    short: bool,
    /// Has the shelf not given what it may still have?
    shelf_away: bool,
}

impl<'r> Run<'r> {
    fn new(
        number: i32,
        setup: &'r Setup,
        log: &'r dyn Log,
        shelf: &'r dyn Shelf,
        beside: &'r mut dyn Beside,
    ) -> Result<Run<'r>, Broken> {
        let bounds = log.bounds(number)?;
        let (remarks, read, short, shelf_away) = (Vec::new(), 0, false, false);
        let run =
            Run { number, setup, log, shelf, beside, bounds, remarks, read, short, shelf_away };
        Ok(run)
    }

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
        let note = Note::begun(offset, &self.ruleset().identity);
        let partition = Partition::new(self.number, engine, offset, note);
        self.done(partition, How { unnoted: true, ..How::default() })
    }

    /// The partition has been decided up to a committed offset.
    fn resume(mut self, committed: &Committed) -> Result<Restored, Broken> {
        let offset = committed.offset;
        self.must_be_within(offset)?;
        let noted = Note::read(&committed.note);
        if noted.is_none() {
            self.remark("the committed offset was set by something else".to_owned());
        }
        let base = match self.newest(offset, noted.as_ref(), true)? {
            Some(base) => base,
            None => self.anew(noted.as_ref())?,
        };
        let (note, snapshot) = (base.note.clone(), base.snapshot);
        let mut how = How { snapshot, crosses: !base.then.is_empty(), ..How::default() };
        how.unnoted = noted.is_none();
        let mut engine = self.brought(base, offset)?;
        let ruleset = self.ruleset().clone();
        if engine.ruleset().identity != ruleset.identity {
            engine = self.taken_over(engine, ruleset.clone(), note.origin..offset)?;
        }
        let note = match *note.now.ruleset == *ruleset.identity {
            true => note,
            false => {
                (how.crosses, how.unnoted) = (true, true);
                how.former_ruleset = Some(note.now.ruleset.clone());
                note.taken_over(offset, &ruleset.identity)
            }
        };
        let partition = Partition::new(self.number, engine, offset, note);
        self.done(partition, how)
    }

    /// Is what comes next there?
    fn must_be_within(&self, offset: i64) -> Result<(), Broken> {
        let Range { start, end } = self.bounds;
        if offset > end {
            return Err(self.refuse(format!(
                "the committed offset {offset} is behind the end of the log, {end}: the topic has \
                 been made anew. Use another group, or delete this group's offsets"
            )));
        }
        if offset < start {
            return Err(self.refuse(format!(
                "the records from offset {offset} to {start} were removed before they were decided: \
                 retention is shorter than the outage. Set the group's offset to {start} to go on \
                 without them"
            )));
        }
        Ok(())
    }

    /// What a base becomes up to an offset: each stretch under the ruleset that decided it.
    fn brought(&mut self, base: Base, offset: i64) -> Result<Engine, Broken> {
        let Base { mut engine, mut from, then, note, .. } = base;
        for (since, ruleset) in then {
            self.read_again(&mut engine, from..since)?;
            engine = self.taken_over(engine, ruleset, note.origin..since)?;
            from = since;
        }
        self.read_again(&mut engine, from..offset)?;
        Ok(engine)
    }

    /// Brings an engine over these records, with nothing put out.
    fn read_again(&mut self, engine: &mut Engine, offsets: Range<i64>) -> Result<(), Broken> {
        if offsets.is_empty() {
            return Ok(());
        }
        let (mut arena, mut hints, mut stopped) = (Bump::new(), Hints::default(), false);
        let Run { read, beside, .. } = self;
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
            beside.breathe();
            stopped = !beside.goes_on(end - next);
            !stopped
        })?;
        if stopped { Err(Broken::ForNow("the restore was stopped".to_owned())) } else { Ok(()) }
    }

    fn remark(&mut self, remark: String) {
        self.remarks.push(remark);
    }

    /// A state cannot be made from what is there: never, unless the shelf may have more.
    fn nothing_to_go_on_from(&self, why: String) -> Broken {
        let why = format!("there is nothing to go on from: {why}");
        if self.shelf_away { Broken::ForNow(why) } else { Broken::ForGood(why) }
    }

    fn refuse(&self, why: String) -> Broken {
        Broken::ForGood(format!("partition {} cannot be restored: {why}", self.number))
    }

    /// The partition stands.
    fn done(mut self, mut partition: Partition, how: How) -> Result<Restored, Broken> {
        // What happened while it was read again has been counted when it was decided.
        partition.take_tally();
        let (identity, text) = (&self.ruleset().identity, &self.setup.settings.ruleset_text);
        if let Err(broken) = self.shelf.keep_ruleset(identity, text) {
            self.remark(format!("the ruleset cannot be kept beside the snapshots: {broken}"));
        }
        let How { snapshot, crosses, former_ruleset, unnoted } = how;
        let is_base = snapshot.is_some() && !crosses;
        let first = match is_base || partition.engine().entries() == 0 {
            true => None,
            false => Some(self.written(&partition)?),
        };
        let found = snapshot.map_or(0, |(_, bytes)| bytes);
        partition.has_snapshot_of(first.as_ref().map_or(found, |first| first.bytes.len()));
        let snapshot = snapshot.map(|(at, _)| at);
        let Run { remarks, read: read_again, .. } = self;
        let partition = Box::new(partition);
        Ok(Restored { partition, former_ruleset, unnoted, snapshot, first, read_again, remarks })
    }

    /// A snapshot of it as it is now.
    fn written(&self, partition: &Partition) -> Result<Written, Broken> {
        let header = partition.header(&self.setup.settings.ruleset_text);
        let bytes = snapshot::encode(&header, partition.engine(), &mut || ());
        Ok(Written { header, bytes: bytes.map_err(Broken::ForGood)? })
    }
}

/// How a partition came to stand.
#[derive(Default)]
struct How {
    /// From the snapshot at this offset, of so many bytes,
    snapshot: Option<(i64, usize)>,
    /// over which another ruleset took over since,
    crosses: bool,
    /// after this ruleset,
    former_ruleset: Option<String>,
    /// and that is not noted yet.
    unnoted: bool,
}

/// Takes what has been put out before.
struct Nowhere;

impl Outbox for Nowhere {
    fn decision(&mut self, _: &Decision<'_>) {}
    fn follow_up(&mut self, _: &FollowUp<'_>) {}
    fn case_record(&mut self, _: &CaseRecord<'_>) {}
}
