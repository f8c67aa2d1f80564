//! What the pipeline needs of the world: an input that a group shares, an output that takes all or
//! nothing, the log to read again, and a shelf for snapshots. Kafka, an embedded log and a simulation
//! are kinds of it. Nothing here decides anything.

use std::{fmt, ops::Range, sync::Arc, time::Duration};

use super::transaction::Transaction;

/// Records as they were read, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Records {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    partition: i32,
    offset: i64,
    timestamp_ms: Option<i64>,
    payload: Range<usize>,
}

/// One record of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived<'a> {
    /// The partition of the input.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// Its own time in epoch ms, if it has one.
    pub timestamp_ms: Option<i64>,
    /// The event as text, or what stands in its place.
    pub payload: &'a [u8],
}

impl Records {
    /// One more. A time before the epoch is none.
    pub fn push(&mut self, record: Arrived<'_>) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(record.payload);
        self.entries.push(Entry {
            partition: record.partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms.filter(|time| *time >= 0),
            payload: begin..self.bytes.len(),
        });
    }

    /// Each in the order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = Arrived<'_>> {
        self.entries.iter().map(|entry| Arrived {
            partition: entry.partition,
            offset: entry.offset,
            timestamp_ms: entry.timestamp_ms,
            payload: &self.bytes[entry.payload.clone()],
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets them, and keeps the room.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }
}

/// What became of the share that this instance has of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These partitions are to be decided here from now on.
    Assigned(Vec<i32>),
    /// These are to be given back, once what was decided of them is delivered.
    Revoked(Vec<i32>),
    /// Somebody else may have these already: nothing may be delivered of them any more.
    Lost(Vec<i32>),
}

/// What the surroundings failed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// It may come right by itself: to be tried again.
    ForNow(String),
    /// This instance has lost its place: it may come right if everything is begun anew.
    Anew(String),
    /// Nothing has come of waiting for long: it may come right with new connections, sooner or later.
    Stuck(String),
    /// It will not: the program has to end, and somebody to act.
    ForGood(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::ForNow(message)
            | Broken::Anew(message)
            | Broken::Stuck(message)
            | Broken::ForGood(message) => f.write_str(message),
        }
    }
}

/// The input, as a member of the group that shares it.
pub trait Input {
    /// Waits up to `wait` for something to come, then takes what is there, up to a bound.
    ///
    /// # Errors
    /// The input is unavailable. What has been taken so far is in the arguments all the same.
    fn poll(
        &mut self,
        wait: Duration,
        records: &mut Records,
        changes: &mut Vec<Change>,
    ) -> Result<(), Broken>;

    /// The state of an assigned partition stands: its records are to come from this offset on.
    ///
    /// # Errors
    /// The input is unavailable.
    fn start(&mut self, partition: i32, offset: i64) -> Result<(), Broken>;

    /// Nothing of these partitions, which were revoked or lost, is on its way any more.
    ///
    /// # Errors
    /// The input is unavailable.
    fn release(&mut self, partitions: &[i32]) -> Result<(), Broken>;

    /// Are records wanted? Changes of the assignment come in any case.
    ///
    /// # Errors
    /// The input is unavailable.
    fn want_records(&mut self, wanted: bool) -> Result<(), Broken>;
}

/// The output.
pub trait Output {
    /// Writes the outputs and commits how far they bring the partitions: all of it, or nothing that
    /// anybody sees. Returns once that is certain.
    ///
    /// # Errors
    /// Nothing of it stands.
    fn deliver(&mut self, transaction: &Arc<Transaction>) -> Result<(), Broken>;

    /// How long the last step of the last delivery took, if it came to it and that is known.
    fn committed_in(&self) -> Option<Duration> {
        None
    }

    /// There is nothing to deliver: time for what has to be done before or between.
    fn idle(&mut self) {}
}

/// How far a partition of the input has been decided, as its group says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The offset of the next record.
    pub offset: i64,
    /// What was noted beside it.
    pub note: String,
}

/// The log behind the input, to be read again.
pub trait Log: Send + Sync {
    /// How far the partition has been decided; `None` if it never was.
    ///
    /// # Errors
    /// The log is unavailable.
    fn committed(&self, partition: i32) -> Result<Option<Committed>, Broken>;

    /// The first offset that is left, and the one behind the last.
    ///
    /// # Errors
    /// The log is unavailable.
    fn bounds(&self, partition: i32) -> Result<Range<i64>, Broken>;

    /// The offset of the first record that is not older than this, in epoch ms; the end if none is.
    ///
    /// # Errors
    /// The log is unavailable.
    fn offset_at(&self, partition: i32, time_ms: i64) -> Result<i64, Broken>;

    /// Reads what there is from one offset up to another, in order; `each` says whether to go on.
    ///
    /// # Errors
    /// The log is unavailable, or does not hold them any more.
    fn read(
        &self,
        partition: i32,
        offsets: Range<i64>,
        each: &mut dyn FnMut(&Records) -> bool,
    ) -> Result<(), Broken>;
}

/// Where snapshots of partitions are kept, each under the offset that it stands at, and the rulesets
/// that made them.
pub trait Shelf: Send + Sync {
    /// The offsets of a partition's snapshots.
    ///
    /// # Errors
    /// The shelf is unavailable.
    fn offsets(&self, partition: i32) -> Result<Vec<i64>, Broken>;

    /// The bytes of one of them.
    ///
    /// # Errors
    /// It is not there, or the shelf is unavailable.
    fn get(&self, partition: i32, offset: i64) -> Result<Vec<u8>, Broken>;

    /// When one of them was kept, in epoch ms, as far as that is known.
    ///
    /// # Errors
    /// The shelf is unavailable.
    fn kept_ms(&self, partition: i32, offset: i64) -> Result<Option<i64>, Broken>;

    /// Keeps one: whole, or not at all.
    ///
    /// # Errors
    /// There is no room, or the shelf is unavailable.
    fn put(&self, partition: i32, offset: i64, bytes: &[u8]) -> Result<(), Broken>;

    /// Removes one.
    ///
    /// # Errors
    /// The shelf is unavailable.
    fn remove(&self, partition: i32, offset: i64) -> Result<(), Broken>;

    /// The configuration of the ruleset of this identity, if it was kept.
    ///
    /// # Errors
    /// The shelf is unavailable.
    fn ruleset(&self, identity: &str) -> Result<Option<String>, Broken>;

    /// Keeps the configuration of a ruleset, unless it is there. Without it, what that ruleset decided
    /// since the last snapshot cannot be gone through again once another one has taken over.
    ///
    /// # Errors
    /// There is no room, or the shelf is unavailable.
    fn keep_ruleset(&self, identity: &str, configuration: &str) -> Result<(), Broken>;
}
