//! What others see of the service, now and then: metrics, and what stands in the way of being ready.

use std::collections::BTreeMap;

use super::*;
use crate::{
    cases::case::Status,
    metrics::show::PartitionFigures,
    pipeline::{partition::Partition, restore::Restored},
};

/// What is remembered of the last snapshot of a partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastSnapshot {
    /// Its offset.
    pub offset: i64,
    /// When it was kept; without one, when the partition was restored; in epoch ms.
    pub at_ms: i64,
    /// Its bytes, if it was kept here.
    pub bytes: Option<usize>,
}

impl Service<'_> {
    /// Shows what is counted, and what is kept.
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
    }

    /// What is kept, and the cases.
    fn show_state(&mut self) {
        let (sizes, mut seen) = (self.worker.sizes_about(), (0, 0));
        let mut alive = [(0, None::<i64>); Status::ALIVE.len()];
        for partition in self.worker.deciding() {
            let engine = partition.engine();
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

    fn show_partitions(&mut self, brokers: &Brokers) {
        let (day_ms, now_ms) = (epoch_ms(), self.clock.ms());
        let Service { worker, lags, snapshots, .. } = self;
        let mut figures = Vec::new();
        for partition in worker.deciding() {
            let (number, next) = (partition.number(), partition.next());
            let lag = lags.records((number, next), brokers, !self.is_paused, now_ms);
            let age_ms = partition.record_ms().map(|at| (day_ms - at).max(0));
            let snapshot = snapshots.get(&number);
            figures.push(PartitionFigures {
                number,
                lag,
                lag_seconds: lags.seconds(number, lag, age_ms, now_ms),
                clock_ms: partition.engine().clock_ms(),
                snapshot: snapshot.map(|last| (last.at_ms, next - last.offset, last.bytes)),
            });
        }
        let restoring = worker.restoring();
        let restoring = restoring.map(|number| (number, lags.records_of_restored(number, now_ms)));
        let (restoring, left) = (restoring.collect::<Vec<_>>(), self.instruments.progress.left());
        self.instruments.metrics.show_partitions(&figures, &restoring, &left);
    }

    /// Where nothing is fetched, the brokers are asked where the log ends.
    pub(super) fn ask_for_ends(&mut self) {
        let deciding = self.worker.deciding().map(Partition::number);
        let unread = deciding.filter(|_| self.is_paused).chain(self.worker.restoring());
        let unread: Vec<i32> = unread.collect();
        if !unread.is_empty() && self.lags.asks(self.clock.ms()) {
            self.hands.ask_for_ends(unread);
        }
    }

    /// What stands in the way now. Metrics tell it as it is when they are asked for.
    pub(super) fn note_obstacles(&self, brokers: &Brokers) {
        let Instruments { health, progress, .. } = &**self.instruments;
        let unreachable = (!brokers.reachable).then(|| "no broker is connected".to_owned());
        health.set(Obstacle::Brokers, unreachable);
        let restoring = self.worker.restoring().count();
        health.set(Obstacle::Restoring, (restoring > 0).then(|| progress.words(restoring)));
        if self.joined {
            health.cleared(Obstacle::Group);
            health.cleared(Obstacle::Fenced);
        }
    }

    /// A partition has been restored, by a snapshot that was kept then (epoch ms), if by any.
    pub(super) fn note_restored(&mut self, restored: &Restored, kept_ms: Option<i64>) {
        let number = restored.partition.number();
        let from = restored.partition.next() - restored.read_again as i64;
        let is_known = match (self.snapshots.get(&number), restored.snapshot) {
            (Some(last), Some(offset)) => last.offset == offset,
            // It comes back as it was, with the snapshots that it had.
            (Some(_), None) => restored.read_again == 0,
            (None, _) => false,
        };
        if !is_known {
            let offset = restored.snapshot.unwrap_or(from);
            let at_ms = kept_ms.unwrap_or_else(epoch_ms);
            self.snapshots.insert(number, LastSnapshot { offset, at_ms, bytes: None });
        }
    }

    /// A snapshot of a partition is kept.
    pub(super) fn note_kept(&mut self, number: i32, offset: i64, bytes: usize) {
        let last = LastSnapshot { offset, at_ms: epoch_ms(), bytes: Some(bytes) };
        self.snapshots.insert(number, last);
    }
}

/// By partition.
pub(super) type Snapshots = BTreeMap<i32, LastSnapshot>;
