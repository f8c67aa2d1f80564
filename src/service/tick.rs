//! Ticks for quiet partitions: where a deadline has passed by the time of day and no event comes to
//! say so, the service puts a tick into the partition's log. It is in the log, so every replay meets
//! the deadline at the same place.

use std::collections::{BTreeMap, BTreeSet};

use crate::pipeline::worker::Worker;

/// So long a partition must have been quiet, and so long passes between two ticks of one.
const QUIET_MS: u64 = 10_000;

/// When which partition last went on.
#[derive(Debug, Default)]
pub struct Ticks {
    seen: BTreeMap<i32, (i64, u64)>,
}

impl Ticks {
    /// Puts a tick wherever one is due.
    pub fn put(&mut self, worker: &mut Worker, at_end: &BTreeSet<i32>, now_ms: u64, epoch_ms: i64) {
        let mut due = Vec::new();
        for partition in worker.deciding() {
            let (number, next) = (partition.number(), partition.next());
            let (seen, since_ms) = self.seen.entry(number).or_insert((next, now_ms));
            if *seen != next {
                (*seen, *since_ms) = (next, now_ms);
            }
            let quiet = now_ms >= *since_ms + QUIET_MS;
            // Behind what is there: who lags will come to the deadline by himself.
            let caught_up = at_end.contains(&number);
            let deadline = partition.engine().next_deadline_ms();
            if quiet && caught_up && deadline.is_some_and(|deadline| deadline <= epoch_ms) {
                *since_ms = now_ms;
                due.push((number, next));
            }
        }
        for (number, next) in due {
            worker.tick(number, next, epoch_ms);
        }
    }
}
