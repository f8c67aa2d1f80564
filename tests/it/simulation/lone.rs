//! One instance that has all partitions, and to which nothing happens but what a test does to it.

use std::collections::BTreeMap;

use holdfast::pipeline::{
    ports::{Broken, Change},
    restore::{self, Setup},
    worker::{Effect, Outcome, Pace, Worker},
};

use super::world::{PARTITIONS, World};

pub(super) struct Lone<'s> {
    world: World,
    setup: &'s Setup,
    worker: Worker,
    positions: BTreeMap<i32, i64>,
    now_ms: u64,
    /// What restores remarked.
    pub(super) remarks: Vec<String>,
    /// What became of snapshots.
    pub(super) outcomes: Vec<Outcome>,
}

/// Takes no snapshot but the last one.
pub(super) const CALM: Pace = Pace {
    commit_interval_ms: 0,
    snapshot_interval_ms: u64::MAX / 2,
    waiting_bytes: 1 << 20,
    copied_entries: usize::MAX,
    copied_bytes: usize::MAX,
};

impl<'s> Lone<'s> {
    /// Starts, and commits what it begins with; or what it says instead.
    pub(super) fn start(world: &World, setup: &'s Setup, pace: Pace) -> Result<Lone<'s>, String> {
        world.ground(|ground| ground.owners = (0..PARTITIONS).map(|number| (number, 0)).collect());
        let mut lone = Lone {
            world: world.clone(),
            setup,
            worker: Worker::new(setup.settings.clone(), pace),
            positions: BTreeMap::new(),
            now_ms: 0,
            remarks: Vec::new(),
            outcomes: Vec::new(),
        };
        lone.worker.changed(&Change::Assigned((0..PARTITIONS).collect()));
        lone.act()?;
        Ok(lone)
    }

    /// Does what is to be done, until nothing is.
    fn act(&mut self) -> Result<(), String> {
        self.now_ms += 1;
        while let Some(effect) = self.worker.next(self.now_ms) {
            match effect {
                Effect::Restore { partition, mut parked, ticket } => {
                    let (setup, world) = (self.setup, &self.world);
                    match restore::restore(partition, setup, world, world, &mut parked, &mut |_| {
                        true
                    }) {
                        Ok(restored) => {
                            self.remarks.extend(restored.remarks.iter().cloned());
                            self.worker.restored(ticket, restored, self.now_ms);
                        }
                        Err(Broken::ForGood(why)) => return Err(why),
                        Err(broken) => panic!("{broken}"),
                    }
                }
                Effect::Start { partition, offset } => {
                    self.positions.insert(partition, offset);
                }
                Effect::Deliver(transaction) => {
                    assert!(self.world.commit(0, &transaction), "it has all partitions");
                    self.worker.delivered();
                }
                Effect::Release(partitions) => {
                    self.positions.retain(|number, _| !partitions.contains(number));
                }
                Effect::Keep(taken) => {
                    let number = taken.header.partition;
                    let outcome = self.world.keep(*taken, self.setup);
                    self.outcomes.push(outcome);
                    self.worker.kept(number, outcome);
                }
            }
        }
        Ok(())
    }

    /// Decides what is there, and delivers it.
    pub(super) fn decide(&mut self) {
        for (number, position) in self.positions.clone() {
            let records = self.world.records(number, position..i64::MAX);
            self.positions.insert(number, position + records.len() as i64);
            self.worker.records(&records);
        }
        self.act().expect("it goes on");
    }

    /// Gives its share back and is given the same again.
    pub(super) fn rebalance(&mut self) {
        self.worker.changed(&Change::Revoked((0..PARTITIONS).collect()));
        self.act().expect("it goes on");
        self.worker.changed(&Change::Assigned((0..PARTITIONS).collect()));
        self.act().expect("it goes on");
    }

    /// Ends in order. Dropped, it was killed.
    pub(super) fn terminate(mut self) {
        self.act().expect("it goes on");
        while let Some(taken) = self.worker.last_snapshot(self.now_ms) {
            let number = taken.header.partition;
            let outcome = self.world.keep(taken, self.setup);
            self.worker.kept(number, outcome);
        }
    }
}
