//! A worker with one partition under the shipped ruleset, driven as the service drives it, and the
//! records that it gets.

use std::{collections::BTreeMap, sync::Arc};

use holdfast::{
    cases::case::Status,
    config::Settings,
    engine::Engine,
    io::{clock::Clock, kafka::figures::Figures},
    metrics::{Metrics, show::PartitionFigures},
    pipeline::{
        note::Note,
        partition::Partition,
        ports::{Arrived, Change, Records},
        restore::Restored,
        worker::{Effect, Pace, Worker},
    },
    traffic::{self, Traffic},
};

/// The shipped ruleset.
pub fn settings() -> Arc<Settings> {
    let text = include_str!("../../config/holdfast.toml");
    Arc::new(Settings::read("holdfast.toml", text.to_owned(), &[]).unwrap())
}

/// Generated traffic as records, so many at a time.
pub fn batches(events: u64, size: usize) -> Vec<Records> {
    let natural = traffic::Settings::natural(events, 3 * 86_400_000);
    let (mut batches, mut batch) = (Vec::new(), Records::default());
    for (offset, line) in Traffic::new(natural).enumerate() {
        batch.push(Arrived {
            partition: 0,
            offset: offset as i64,
            timestamp_ms: Some(line.stamp.arrival_ms),
            payload: line.text.as_bytes(),
        });
        if batch.len() == size {
            batches.push(std::mem::take(&mut batch));
        }
    }
    batches.push(batch);
    batches
}

/// The worker.
pub struct Loop {
    /// Itself.
    pub worker: Worker,
}

impl Loop {
    /// One that decides partition 0 from its beginning.
    pub fn new(settings: &Arc<Settings>) -> Loop {
        let pace = Pace {
            commit_interval_ms: 0,
            snapshot_interval_ms: u64::MAX / 2,
            waiting_bytes: usize::MAX,
            copied_entries: 0,
        };
        let mut worker = Worker::new(settings.clone(), pace);
        worker.changed(&Change::Assigned(vec![0]));
        let Some(Effect::Restore { ticket, .. }) = worker.next(0) else { panic!("no restore") };
        let engine = Engine::new(settings.ruleset.clone());
        let note = Note::begun(0, &settings.ruleset.identity);
        let restored = Restored::as_it_is(Box::new(Partition::new(0, engine, 0, note)));
        worker.restored(ticket, restored, 0);
        let mut new = Loop { worker };
        new.deliver();
        new
    }

    /// With a clock.
    pub fn timed(self) -> Loop {
        Loop { worker: self.worker.timed_by(Box::new(Clock::new())) }
    }

    /// Decides, and takes every delivery to stand at once.
    pub fn records(&mut self, records: &Records) {
        self.worker.records(records);
        self.deliver();
    }

    fn deliver(&mut self) {
        while let Some(effect) = self.worker.next(0) {
            if let Effect::Deliver(transaction) = effect {
                drop(transaction);
                self.worker.delivered();
            }
        }
    }

    /// Shows what the service shows of the worker.
    #[allow(dead_code, reason = "not every bench shows")]
    pub fn show(&mut self, metrics: &Metrics) {
        let partition = self.worker.deciding_mut().next().unwrap();
        let engine = partition.engine_mut();
        let ruleset = engine.ruleset().clone();
        metrics.show_kept(&engine.sizes_about(32), engine.seen_size());
        metrics.show_cases(Status::ALIVE.map(|status| (engine.cases_alive(status).0, 1.0)));
        let figures = PartitionFigures {
            number: partition.number(),
            lag: Some(0),
            lag_seconds: Some(0.0),
            clock_ms: partition.engine().clock_ms(),
            snapshot: Some((0, 0, None)),
        };
        metrics.show_partitions(&[figures], &[], &BTreeMap::new());
        metrics.show_decided(self.worker.statistics(), &self.worker.tally(), &ruleset);
        metrics.show_timings(self.worker.timings());
        let [decided, delivering] = self.worker.queues();
        metrics.show_queues([(0, 0), decided, delivering, (0, 0)]);
        metrics.show_kafka(&[("consumer", Figures::default()), ("producer", Figures::default())]);
        metrics.show_obstacles(&[]);
    }
}
