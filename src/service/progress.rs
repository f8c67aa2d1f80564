//! How far the restores are that go on.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// By partition that is being restored, how many records it still has to read again.
#[derive(Debug, Default)]
pub struct Progress(Mutex<BTreeMap<i32, i64>>);

impl Progress {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many are left.
    pub fn goes_on(&self, partition: i32, left: i64) {
        self.lock().insert(partition, left);
    }

    /// Its restore has come to an end.
    pub fn ended(&self, partition: i32) {
        self.lock().remove(&partition);
    }

    /// All of them.
    pub fn left(&self) -> BTreeMap<i32, i64> {
        self.lock().clone()
    }

    /// It in words, where so many partitions are being restored or about to be.
    pub fn words(&self, restoring: usize) -> String {
        let left = self.left();
        let each = left.iter().map(|(partition, left)| {
            format!("partition {partition} has {left} records to read again")
        });
        let each: Vec<String> = each.collect();
        match each.is_empty() {
            true => format!("{restoring} partitions are being restored"),
            false => format!("{restoring} partitions are being restored: {}", each.join(", ")),
        }
    }
}
