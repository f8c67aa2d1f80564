//! Which keys to look at next, to see whether they have gone quiet: their hashes by the time of
//! their newest event when they were last looked at.

use std::collections::BTreeMap;

/// Hashes in slots of time.
#[derive(Debug)]
pub struct Wheel {
    slot_ms: i64,
    slots: BTreeMap<i64, Vec<u64>>,
}

/// Slots over the time for which a key may be kept.
const SLOTS: i64 = 16;

impl Wheel {
    /// For keys that are kept this long.
    pub fn new(span_ms: i64) -> Wheel {
        Wheel { slot_ms: (span_ms / SLOTS).max(1), slots: BTreeMap::new() }
    }

    /// A key whose newest event is at `time_ms`.
    pub fn push(&mut self, hash: u64, time_ms: i64) {
        self.slots.entry(time_ms.div_euclid(self.slot_ms)).or_default().push(hash);
    }

    /// Some of the keys that will be looked at next.
    pub fn next(&self) -> impl Iterator<Item = u64> {
        self.slots.first_key_value().into_iter().flat_map(|(_, slot)| slot.iter().rev().copied())
    }

    /// A key of a slot that ended at `until_ms` or before.
    pub fn pop_due(&mut self, until_ms: i64) -> Option<u64> {
        loop {
            let mut first = self.slots.first_entry()?;
            if (first.key() + 1).saturating_mul(self.slot_ms) > until_ms {
                return None;
            }
            match first.get_mut().pop() {
                Some(hash) => return Some(hash),
                None => drop(first.remove()),
            }
        }
    }

    /// The heap that it takes, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.slots.values().map(|slot| slot.capacity() * size_of::<u64>()).sum()
    }
}
