//! What others see of the service, now and then: metrics, and what stands in the way of being ready.

use std::collections::BTreeMap;

use super::*;
use crate::{cases::case::Status, metrics::show::PartitionFigures, window::store::GroupSize};

/// What is remembered of the last snapshot of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastSnapshot {
    /// Its offset.
    pub offset: i64,
    /// When it was kept, or the partition restored, in epoch ms.
    pub at_ms: i64,
    /// Its bytes, if it was kept here.
    pub bytes: Option<usize>,
}

impl Service<'_> {
    /// Shows everything.
    pub(super) fn show(&mut self, brokers: &Brokers) {
        let metrics = &self.instruments.metrics;
        let ruleset = &self.terms.setup.settings.ruleset;
        metrics.show_decided(self.worker.statistics(), &self.worker.tally(), ruleset);
        metrics.show_timings(self.worker.timings());
        metrics.show_kafka(&brokers.clients);
        let queued = |client: &str| {
            let of = brokers.clients.iter().find(|(name, _)| *name == client);
            of.map_or((0, 0), |(_, figures)| figures.queued)
        };
        let [decided, delivering] = self.worker.queues();
        metrics.show_queues([queued("consumer"), decided, delivering, queued("producer")]);
        self.show_state();
        self.show_partitions(brokers);
        self.show_health(brokers);
    }

    /// What is kept, and the cases.
    fn show_state(&mut self) {
        let (mut sizes, mut seen) = (Vec::new(), (0, 0));
        let mut alive = [(0, None::<i64>); Status::ALIVE.len()];
        for partition in self.worker.deciding_mut() {
            let engine = partition.engine_mut();
            add_sizes(&mut sizes, engine.sizes_about());
            let (events, bytes) = engine.seen_size();
            seen = (seen.0 + events, seen.1 + bytes);
            for (sum, status) in alive.iter_mut().zip(Status::ALIVE) {
                let (count, oldest) = engine.cases_alive(status);
                let oldest = [sum.1, oldest].into_iter().flatten().min();
                *sum = (sum.0 + count, oldest);
            }
        }
        let metrics = &self.instruments.metrics;
        metrics.show_kept(&sizes, seen);
        let now_ms = epoch_ms();
        let age = |at: Option<i64>| at.map_or(0.0, |at| (now_ms - at).max(0) as f64 / 1e3);
        metrics.show_cases(alive.map(|(count, oldest)| (count, age(oldest))));
    }

    fn show_partitions(&self, brokers: &Brokers) {
        let now_ms = epoch_ms();
        let figures = self.worker.deciding().map(|partition| {
            let (number, next) = (partition.number(), partition.next());
            let behind = |end: &i64| match brokers.at_end.contains(&number) {
                true => 0,
                false => (end - next).max(0),
            };
            let lag = brokers.ends.get(&number).map(behind);
            let age = partition.record_ms().map_or(0, |at| (now_ms - at).max(0));
            let snapshot = self.snapshots.get(&number);
            PartitionFigures {
                number,
                lag,
                lag_seconds: if lag == Some(0) { 0.0 } else { age as f64 / 1e3 },
                clock_ms: partition.engine().clock_ms(),
                snapshot: snapshot.map(|last| (last.at_ms, next - last.offset, last.bytes)),
            }
        });
        let figures: Vec<PartitionFigures> = figures.collect();
        let left = self.instruments.progress.left();
        self.instruments.metrics.show_partitions(&figures, self.worker.restoring(), &left);
    }

    fn show_health(&mut self, brokers: &Brokers) {
        let Instruments { health, metrics, progress, .. } = &**self.instruments;
        let unreachable = (!brokers.reachable).then(|| "no broker is connected".to_owned());
        health.set(Obstacle::Brokers, unreachable);
        let restoring = self.worker.restoring();
        health.set(Obstacle::Restoring, (restoring > 0).then(|| progress.words(restoring)));
        if self.joined {
            health.cleared(Obstacle::Group);
            health.cleared(Obstacle::Fenced);
        }
        let there = health.obstacles();
        let names: Vec<&str> = there.iter().map(|(obstacle, _)| obstacle.name()).collect();
        metrics.show_obstacles(&names);
    }

    /// A partition has been restored: how far its last snapshot is behind, if it has one.
    pub(super) fn note_restored(&mut self, number: i32, offset: i64) {
        let at_ms = epoch_ms();
        // One that comes back as it was has the snapshots that it had.
        let last = self.snapshots.get(&number).filter(|last| last.offset >= offset);
        let bytes = last.and_then(|last| last.bytes);
        self.snapshots.insert(number, LastSnapshot { offset, at_ms, bytes });
    }

    /// A snapshot of a partition is kept.
    pub(super) fn note_kept(&mut self, number: i32, offset: i64, bytes: usize) {
        let last = LastSnapshot { offset, at_ms: epoch_ms(), bytes: Some(bytes) };
        self.snapshots.insert(number, last);
    }
}

/// By partition.
pub(super) type Snapshots = BTreeMap<i32, LastSnapshot>;

fn add_sizes(sum: &mut Vec<GroupSize>, more: Vec<GroupSize>) {
    if sum.is_empty() {
        *sum = more;
        return;
    }
    for (sum, more) in sum.iter_mut().zip(more) {
        sum.owners += more.owners;
        sum.keys += more.keys;
        sum.rows += more.rows;
        sum.bytes += more.bytes;
    }
}
