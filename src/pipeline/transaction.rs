//! What has been decided and is not committed yet: outputs in order, and how far they bring each
//! partition. It goes out as a whole or not at all.

use std::{collections::BTreeMap, ops::Range};

/// Where an output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// Decisions, follow-ups, case records, changes of the ruleset.
    Decisions,
    /// What was refused.
    DeadLetters,
    /// Back into the input, to the same partition: a tick.
    Input,
}

impl Destination {
    /// Every destination.
    pub const ALL: [Destination; 3] =
        [Destination::Decisions, Destination::DeadLetters, Destination::Input];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Destination::Decisions => "decisions",
            Destination::DeadLetters => "dead_letters",
            Destination::Input => "input",
        }
    }
}

/// One output, with the record that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made<'a> {
    /// Where it goes.
    pub to: Destination,
    /// The partition of the input.
    pub partition: i32,
    /// The offset of the record.
    pub offset: i64,
    /// The account that it is about, if that is known.
    pub key: Option<&'a [u8]>,
    /// It as text.
    pub payload: &'a [u8],
}

#[derive(Debug, Clone)]
struct Entry {
    to: Destination,
    partition: i32,
    offset: i64,
    key: Option<Range<usize>>,
    payload: Range<usize>,
}

/// How far a partition is brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The offset of the next record.
    pub offset: i64,
    /// What is noted beside it.
    pub note: String,
}

/// Outputs and offsets that stand or fall together.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    reached: BTreeMap<i32, Reached>,
}

impl Transaction {
    /// One output more: `write` appends its key, if it has one, and then its text.
    pub(crate) fn push(
        &mut self,
        to: Destination,
        (partition, offset): (i32, i64),
        key: Option<&[u8]>,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(key.unwrap_or_default());
        let payload = self.bytes.len();
        write(&mut self.bytes);
        self.entries.push(Entry {
            to,
            partition,
            offset,
            key: key.map(|_| begin..payload),
            payload: payload..self.bytes.len(),
        });
    }

    /// The partition has been decided up to this offset, of which it is the next.
    pub(crate) fn reach(&mut self, partition: i32, offset: i64, note: &str) {
        match self.reached.get_mut(&partition) {
            Some(reached) => reached.offset = offset,
            None => {
                self.reached.insert(partition, Reached { offset, note: note.to_owned() });
            }
        }
    }

    /// Forgets all that is of a partition.
    pub(super) fn forget(&mut self, partition: i32) {
        self.reached.remove(&partition);
        self.entries.retain(|entry| entry.partition != partition);
    }

    /// Nothing is in it any more; its memory stays.
    pub(crate) fn clear(&mut self) {
        let Transaction { bytes, entries, reached } = self;
        bytes.clear();
        entries.clear();
        reached.clear();
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> impl DoubleEndedIterator<Item = Made<'_>> + ExactSizeIterator {
        self.entries.iter().map(|entry| Made {
            to: entry.to,
            partition: entry.partition,
            offset: entry.offset,
            key: entry.key.clone().map(|range| &self.bytes[range]),
            payload: &self.bytes[entry.payload.clone()],
        })
    }

    /// How far it brings which partition.
    pub fn reached(&self) -> &BTreeMap<i32, Reached> {
        &self.reached
    }

    /// Is anything in it?
    pub fn is_empty(&self) -> bool {
        self.reached.is_empty() && self.entries.is_empty()
    }

    /// Does it hold anything of this partition?
    pub fn concerns(&self, partition: i32) -> bool {
        self.reached.contains_key(&partition)
            || self.entries.iter().any(|entry| entry.partition == partition)
    }

    /// How many outputs go where.
    pub fn counts(&self) -> [(Destination, u64); Destination::ALL.len()] {
        let mut counts = Destination::ALL.map(|to| (to, 0));
        self.entries.iter().for_each(|entry| counts[entry.to as usize].1 += 1);
        counts
    }

    /// How many outputs it has.
    pub fn output_count(&self) -> usize {
        self.entries.len()
    }

    /// The bytes of its outputs.
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }
}
