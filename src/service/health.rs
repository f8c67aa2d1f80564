//! Is it alive, and is it ready? Whoever does something says what stands in the way of it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What can stand in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obstacle {
    /// The start-up checks are not through.
    Starting,
    /// No broker is connected.
    Brokers,
    /// The group has not given this instance its share yet.
    Group,
    /// Partitions are being restored.
    Restoring,
    /// Decisions cannot be delivered.
    Delivery,
    /// It is ending.
    Stopping,
}

impl Obstacle {
    /// Its name in the answer.
    pub fn name(self) -> &'static str {
        match self {
            Obstacle::Starting => "starting",
            Obstacle::Brokers => "brokers",
            Obstacle::Group => "group",
            Obstacle::Restoring => "restoring",
            Obstacle::Delivery => "delivery",
            Obstacle::Stopping => "stopping",
        }
    }
}

/// What stands in the way now, in words.
#[derive(Debug)]
pub struct Health {
    obstacles: Mutex<BTreeMap<Obstacle, String>>,
}

impl Default for Health {
    fn default() -> Health {
        let starting = (Obstacle::Starting, "the start-up checks are not through".to_owned());
        Health { obstacles: Mutex::new(BTreeMap::from([starting])) }
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
        self.lock().iter().map(|(obstacle, why)| (*obstacle, why.clone())).collect()
    }

    /// Are the start-up checks through?
    pub fn has_started(&self) -> bool {
        !self.lock().contains_key(&Obstacle::Starting)
    }
}
