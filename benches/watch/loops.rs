//! A worker under the shipped ruleset, driven as the service drives it, and the records that it gets.

use std::{collections::BTreeMap, sync::Arc};

use holdfast::{
    cases::case::Status,
    config::Settings,
    engine::{Engine, Ruleset},
    io::kafka::figures::Figures,
    metrics::{Metrics, show::PartitionFigures},
    pipeline::{
        note::Note,
        partition::Partition,
        ports::{Arrived, Change, Records},
        restore::Restored,
        timing::Watch,
        worker::{Effect, Pace, Worker},
    },
    traffic::{self, Line, Traffic},
};

/// The shipped ruleset.
pub fn settings() -> Arc<Settings> {
    let text = include_str!("../../config/holdfast.toml");
    Arc::new(Settings::read("holdfast.toml", text.to_owned(), &[]).unwrap())
}

/// Generated traffic as records of so many partitions, so many at a time: those of a partition stand
/// together, as they do in what a broker answers.
pub fn batches(events: u64, size: usize, partitions: u32) -> Vec<Records> {
    let natural = traffic::Settings::natural(events, 3 * 86_400_000);
    let lines: Vec<Line> = Traffic::new(natural).collect();
    let mut ends = vec![0; partitions as usize];
    let batch = |lines: &[Line]| {
        let mut batch = Records::default();
        for (partition, end) in ends.iter_mut().enumerate() {
            let of_it = |line: &&Line| line.stamp.account % partitions == partition as u32;
            for line in lines.iter().filter(of_it) {
                batch.push(Arrived {
                    partition: partition as i32,
                    offset: *end,
                    timestamp_ms: Some(line.stamp.arrival_ms),
                    payload: line.text.as_bytes(),
                });
                *end += 1;
            }
        }
        batch
    };
    lines.chunks(size).map(batch).collect()
}

/// The worker.
pub struct Loop {
    /// Itself.
    pub worker: Worker,
    ruleset: Arc<Ruleset>,
}

impl Loop {
    /// One that decides so many partitions from their beginning.
    pub fn new(settings: &Arc<Settings>, partitions: u32) -> Loop {
        let pace = Pace {
            commit_interval_ms: 0,
            snapshot_interval_ms: u64::MAX / 2,
            waiting_bytes: usize::MAX,
            copied_entries: 0,
            copied_bytes: usize::MAX,
        };
        let mut worker = Worker::new(settings.clone(), pace);
        let all: Vec<i32> = (0..partitions as i32).collect();
        worker.changed(&Change::Assigned(all.clone()));
        let restores: Vec<Effect> = all.iter().map(|_| worker.next(0).unwrap()).collect();
        for restore in restores {
            let Effect::Restore { partition, ticket, .. } = restore else { panic!("no restore") };
            let engine = Engine::new(settings.ruleset.clone());
            let note = Note::begun(0, &settings.ruleset.identity);
            let partition = Box::new(Partition::new(partition, engine, 0, note));
            worker.restored(ticket, Restored::as_it_is(partition), 0);
        }
        let mut new = Loop { worker, ruleset: settings.ruleset.clone() };
        new.deliver();
        new
    }

    /// With a clock.
    pub fn timed_by(self, watch: impl Watch + 'static) -> Loop {
        Loop { worker: self.worker.timed_by(Box::new(watch)), ..self }
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
        let (sizes, mut seen) = (self.worker.sizes_about(), (0, 0));
        let mut alive = [(0, 1.0); Status::ALIVE.len()];
        let mut figures = Vec::new();
        for partition in self.worker.deciding() {
            let engine = partition.engine();
            let (events, bytes) = engine.seen_size();
            seen = (seen.0 + events, seen.1 + bytes);
            for ((sum, _), status) in alive.iter_mut().zip(Status::ALIVE) {
                *sum += engine.cases_alive(status).0;
            }
            figures.push(PartitionFigures {
                number: partition.number(),
                lag: Some(0),
                lag_seconds: Some(0.0),
                clock_ms: partition.engine().clock_ms(),
                snapshot: Some((0, 0, Some(0))),
            });
        }
        metrics.show_kept(&sizes, seen);
        metrics.show_cases(alive);
        metrics.show_partitions(&figures, &[], &BTreeMap::new());
        metrics.show_decided(self.worker.statistics(), &self.worker.tally(), &self.ruleset);
        metrics.show_timings(self.worker.timings());
        let [decided, delivering] = self.worker.queues();
        metrics.show_queues([(0, 0), decided, delivering, (0, 0)]);
        let brokers = (0..3).map(|broker| (broker, [0.001, 0.002])).collect();
        let figures = Figures { up: 3, round_trips: brokers, ..Figures::default() };
        metrics.show_kafka(&[("consumer", figures.clone()), ("producer", figures)]);
    }
}
