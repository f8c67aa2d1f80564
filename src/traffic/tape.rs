//! What is written and has not arrived yet: lines wait here for their network delay, in order of
//! arrival. Strings are reused, so memory follows the number of lines that wait.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::chance::Dice;
use super::rhythm::{HOUR_MS, MINUTE_MS, SECOND_MS};

/// Every line takes this long at least, and about this long at most, in ms.
const TRANSIT_MS: (i64, i64) = (20, 240);
/// Share of lines that come seconds to minutes late, and by how much at most.
pub(super) const DISORDERED_SHARE: f64 = 0.03;
pub(super) const DISORDERED_MS_MAX: i64 = 5 * MINUTE_MS;
/// Share of lines that come more than an hour late.
pub(super) const LATE_SHARE: f64 = 0.002;
const LATE_MS: (i64, i64) = (HOUR_MS + MINUTE_MS, 8 * HOUR_MS);
/// Share of lines that come more than a day late.
pub(super) const STALE_SHARE: f64 = 0.0001;
pub(super) const STALE_MS: (i64, i64) = (25 * HOUR_MS, 40 * HOUR_MS);
/// Share of lines that come twice, the same bytes again, and how much later.
pub(super) const REPEATED_SHARE: f64 = 0.004;
const REPEATED_MS: (i64, i64) = (SECOND_MS, 20 * MINUTE_MS);

/// When a line happened, when it arrived, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The event time, in epoch ms.
    pub time_ms: i64,
    /// When the line reaches the log, in epoch ms; lines come in this order.
    pub arrival_ms: i64,
    /// The number of the account; [`account_id`](super::account_id) gives its name, the log's key.
    pub account: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    arrival_ms: i64,
    /// In which order lines were written: equal arrivals keep it.
    written: u64,
    slot: u32,
    account: u32,
    time_ms: i64,
}

/// Lines on their way.
pub(super) struct Tape {
    delays: bool,
    waiting: BinaryHeap<Reverse<Waiting>>,
    slots: Vec<String>,
    free: Vec<u32>,
    written: u64,
    next_id: u64,
    end_ms: i64,
    in_time: u64,
}

impl Tape {
    /// With `delays` off, every line arrives when it happens, and once.
    pub(super) fn new(delays: bool, first_id: u64, end_ms: i64) -> Tape {
        let (waiting, slots, free) = (BinaryHeap::new(), Vec::new(), Vec::new());
        Tape { delays, waiting, slots, free, written: 0, next_id: first_id, end_ms, in_time: 0 }
    }

    /// Of the lines written so far, those that arrive before the end.
    pub(super) fn in_time(&self) -> u64 {
        self.in_time
    }

    /// Lines written so far, repeated ones included.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Writes an event by `write(text, id)` and sends it on its way. Returns its id.
    pub(super) fn put(
        &mut self,
        dice: &mut Dice,
        time_ms: i64,
        account: u32,
        write: impl FnOnce(&mut String, u64),
    ) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let arrival_ms = time_ms + self.delay(dice);
        let slot = self.slot();
        write(&mut self.slots[slot as usize], id);
        self.send(Waiting { arrival_ms, written: 0, slot, account, time_ms });
        if self.delays && dice.chance(REPEATED_SHARE) {
            let again = self.slot();
            let text = self.slots[slot as usize].clone();
            self.slots[again as usize] = text;
            let arrival_ms = arrival_ms + dice.between(REPEATED_MS.0, REPEATED_MS.1);
            self.send(Waiting { arrival_ms, written: 0, slot: again, account, time_ms });
        }
        id
    }

    /// Moves the next line that arrives by this time into `text`.
    pub(super) fn take(&mut self, until_ms: i64, text: &mut String) -> Option<Stamp> {
        let Reverse(next) = *self.waiting.peek().filter(|line| line.0.arrival_ms <= until_ms)?;
        self.waiting.pop();
        self.free.push(next.slot);
        std::mem::swap(text, &mut self.slots[next.slot as usize]);
        let Waiting { arrival_ms, account, time_ms, .. } = next;
        Some(Stamp { time_ms, arrival_ms, account })
    }

    fn delay(&self, dice: &mut Dice) -> i64 {
        if !self.delays {
            return 0;
        }
        let (kind, transit_ms) = (dice.unit(), dice.between(TRANSIT_MS.0, TRANSIT_MS.1));
        if kind < STALE_SHARE {
            dice.between(STALE_MS.0, STALE_MS.1)
        } else if kind < STALE_SHARE + LATE_SHARE {
            dice.between(LATE_MS.0, LATE_MS.1)
        } else if kind < STALE_SHARE + LATE_SHARE + DISORDERED_SHARE {
            // Most by seconds, few by minutes.
            let share = dice.unit();
            SECOND_MS + (share * share * share * (DISORDERED_MS_MAX - SECOND_MS) as f64) as i64
        } else {
            transit_ms
        }
    }

    fn slot(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(String::with_capacity(768));
            (self.slots.len() - 1) as u32
        })
    }

    fn send(&mut self, line: Waiting) {
        self.waiting.push(Reverse(Waiting { written: self.written, ..line }));
        self.written += 1;
        self.in_time += u64::from(line.arrival_ms <= self.end_ms);
    }
}
