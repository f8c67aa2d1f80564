//! Is it alive, and is it ready? Whoever does something says what stands in the way of it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::io::clock::Clock;

/// What can stand in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obstacle {
    /// The start-up checks are not through.
    Starting,
    /// No broker is connected.
    Brokers,
    /// The group has not given this instance its share yet.
    Group,
    /// It has lost its place: another one has it, or it begins anew.
    Fenced,
    /// Partitions are being restored.
    Restoring,
    /// Decisions cannot be delivered.
    Delivery,
    /// It is ending.
    Stopping,
    /// The scoring loop does not go on.
    Silent,
}

impl Obstacle {
    /// Every one.
    pub const ALL: [Obstacle; 8] = [
        Obstacle::Starting,
        Obstacle::Brokers,
        Obstacle::Group,
        Obstacle::Fenced,
        Obstacle::Restoring,
        Obstacle::Delivery,
        Obstacle::Stopping,
        Obstacle::Silent,
    ];

    /// Its name in the answer.
    pub fn name(self) -> &'static str {
        match self {
            Obstacle::Starting => "starting",
            Obstacle::Brokers => "brokers",
            Obstacle::Group => "group",
            Obstacle::Fenced => "fenced",
            Obstacle::Restoring => "restoring",
            Obstacle::Delivery => "delivery",
            Obstacle::Stopping => "stopping",
            Obstacle::Silent => "silent",
        }
    }
}

/// What stands in the way now, in words.
#[derive(Debug)]
pub struct Health {
    obstacles: Mutex<BTreeMap<Obstacle, String>>,
    clock: Clock,
    /// When the loop was last heard, in ms of the clock; 0 before it was.
    beat_ms: AtomicU64,
}

/// A loop that has not been heard for so long decides nothing in time.
const LATE_MS: u64 = 5000;
/// One that has not been heard for so long has stopped: whatever it waits for ends before.
const SILENT_MS: u64 = 120_000;

impl Default for Health {
    fn default() -> Health {
        let starting = (Obstacle::Starting, "the start-up checks are not through".to_owned());
        Health {
            obstacles: Mutex::new(BTreeMap::from([starting])),
            clock: Clock::new(),
            beat_ms: AtomicU64::new(0),
        }
    }
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Obstacle, String>> {
        self.obstacles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something stands in the way.
    pub fn obstacle(&self, obstacle: Obstacle, why: impl Into<String>) {
        self.lock().insert(obstacle, why.into());
    }

    /// It does not any more.
    pub fn cleared(&self, obstacle: Obstacle) {
        self.lock().remove(&obstacle);
    }

    /// Says which of the two.
    pub fn set(&self, obstacle: Obstacle, why: Option<String>) {
        match why {
            Some(why) => self.obstacle(obstacle, why),
            None => self.cleared(obstacle),
        }
    }

    /// All that stands in the way of being ready.
    pub fn obstacles(&self) -> Vec<(Obstacle, String)> {
        let silent = self.silent_for(LATE_MS).map(|seconds| {
            (Obstacle::Silent, format!("the scoring loop has not gone on for {seconds} s"))
        });
        let there = self.lock();
        there.iter().map(|(obstacle, why)| (*obstacle, why.clone())).chain(silent).collect()
    }

    /// The loop goes on.
    pub fn beat(&self) {
        self.beat_ms.store(self.clock.ms().max(1), Ordering::Relaxed);
    }

    /// For how many seconds the loop has not been heard, if that is too long: nothing but a new
    /// start helps.
    pub fn silent_seconds(&self) -> Option<u64> {
        self.silent_for(SILENT_MS)
    }

    /// For how many seconds the loop has not been heard, if that is longer than this.
    fn silent_for(&self, longest_ms: u64) -> Option<u64> {
        let beat_ms = self.beat_ms.load(Ordering::Relaxed);
        let silent_ms = self.clock.ms().saturating_sub(beat_ms);
        (beat_ms > 0 && silent_ms > longest_ms).then_some(silent_ms / 1000)
    }

    /// Are the start-up checks through?
    pub fn has_started(&self) -> bool {
        !self.lock().contains_key(&Obstacle::Starting)
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, Obstacle};
    use crate::metrics::OBSTACLES;

    #[test]
    fn every_obstacle_has_a_metric() {
        assert_eq!(Obstacle::ALL.map(Obstacle::name), OBSTACLES);
    }

    #[test]
    fn what_is_cleared_is_no_obstacle_any_more() {
        let health = Health::default();
        assert!(!health.has_started());
        health.cleared(Obstacle::Starting);
        health.set(Obstacle::Delivery, Some("no brokers".to_owned()));
        assert_eq!(health.obstacles(), [(Obstacle::Delivery, "no brokers".to_owned())]);
        health.set(Obstacle::Delivery, None);
        assert!(health.has_started() && health.obstacles().is_empty());
        assert_eq!(health.silent_seconds(), None);
    }
}
