//! Whom to look at when, to see what has gone quiet: owners by the time at which something of
//! theirs may be out of reach.

use std::collections::BTreeMap;

use super::slab::Guest;

/// Owners in slots of time.
#[derive(Debug)]
pub struct Wheel {
    slot_ms: i64,
    slots: BTreeMap<i64, Vec<Guest>>,
}

/// Slots over the time for which something is kept.
const SLOTS: i64 = 16;

impl Wheel {
    /// For owners of whom something is kept this long.
    pub fn new(span_ms: i64) -> Wheel {
        Wheel { slot_ms: (span_ms / SLOTS).max(1), slots: BTreeMap::new() }
    }

    /// An owner to look at when the clock is at `due_ms`.
    pub fn push(&mut self, guest: Guest, due_ms: i64) {
        self.slots.entry(self.slot(due_ms)).or_default().push(guest);
    }

    /// The slot of a time, in epoch ms.
    #[inline]
    pub fn slot(&self, due_ms: i64) -> i64 {
        due_ms.div_euclid(self.slot_ms)
    }

    /// Some of those that [`Wheel::pop_due`] will give next.
    pub fn due(&self, clock_ms: i64) -> impl Iterator<Item = Guest> {
        let first = self.slots.first_key_value();
        let due = first.filter(|(slot, _)| is_due(**slot, self.slot_ms, clock_ms));
        due.into_iter().flat_map(|(_, slot)| slot.iter().rev().copied())
    }

    /// One of a slot that ended before the clock, which is at `clock_ms`, and that slot.
    pub fn pop_due(&mut self, clock_ms: i64) -> Option<(Guest, i64)> {
        loop {
            let mut first = self.slots.first_entry()?;
            let slot = *first.key();
            if !is_due(slot, self.slot_ms, clock_ms) {
                return None;
            }
            match first.get_mut().pop() {
                Some(guest) => return Some((guest, slot)),
                None => drop(first.remove()),
            }
        }
    }

    /// The heap that it takes, in bytes.
    pub fn heap_bytes(&self) -> usize {
        self.slots.values().map(|slot| slot.capacity() * size_of::<Guest>()).sum()
    }
}

/// Did a slot end before the clock?
fn is_due(slot: i64, slot_ms: i64, clock_ms: i64) -> bool {
    (slot + 1).saturating_mul(slot_ms) <= clock_ms
}
