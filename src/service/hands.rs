//! The threads that do what takes time: one delivers, one keeps snapshots, and each partition that is
//! restored has one.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tracing::{info, warn};

use super::Terms;
use crate::{
    io::clock::{Clock, epoch_ms, pause},
    metrics::Metrics,
    pipeline::{
        partition::Partition,
        ports::{Broken, Log, Output, Records, Shelf},
        restore::{self, Restored, Setup},
        snapshot,
        transaction::Transaction,
        worker::Taken,
    },
};

/// What a hand has to say.
#[derive(Debug)]
pub enum Report {
    /// The transaction stands.
    Delivered,
    /// It does not, and why.
    NotDelivered(String),
    /// A partition has been restored.
    Restored {
        /// As was asked for under this.
        ticket: u64,
        /// The partition.
        restored: Box<Restored>,
    },
    /// Somebody has to act.
    Broken(Broken),
}

/// What a pause begins with after a failure, and what it grows to.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// So long without a delivery, and the output is idle.
const IDLE: Duration = Duration::from_millis(200);

/// The threads.
pub struct Hands {
    setup: Arc<Setup>,
    log: Arc<dyn Log>,
    shelf: Arc<dyn Shelf>,
    metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
    reports: Sender<Report>,
    deliveries: Sender<(Arc<Transaction>, Option<i64>)>,
    deliverer: JoinHandle<()>,
    kept: Sender<Box<Taken>>,
    keeper: JoinHandle<()>,
    /// The time of the oldest record that is decided and not delivered, in epoch ms.
    oldest_ms: Option<i64>,
}

impl Hands {
    /// With nothing to do yet.
    pub fn new(
        terms: &Terms,
        output: Box<dyn Output + Send>,
        log: Arc<dyn Log>,
        shelf: Arc<dyn Shelf>,
        metrics: Arc<Metrics>,
        reports: Sender<Report>,
    ) -> Hands {
        let stop = Arc::new(AtomicBool::new(false));
        let (deliveries, to_deliver) = mpsc::channel();
        let deliverer = Deliverer { output, metrics: metrics.clone(), reports: reports.clone() };
        let deliverer = thread::spawn(move || deliverer.run(&to_deliver));
        let (kept, to_keep) = mpsc::channel::<Box<Taken>>();
        let keeper = Keeper {
            setup: terms.setup.clone(),
            log: log.clone(),
            shelf: shelf.clone(),
            metrics: metrics.clone(),
            stop: stop.clone(),
            count: terms.snapshots,
        };
        let keeper = thread::spawn(move || to_keep.iter().for_each(|taken| keeper.keep(&taken)));
        let setup = terms.setup.clone();
        let oldest_ms = None;
        Hands {
            setup,
            log,
            shelf,
            metrics,
            stop,
            reports,
            deliveries,
            deliverer,
            kept,
            keeper,
            oldest_ms,
        }
    }

    /// These have been decided.
    pub fn arrived(&mut self, records: &Records) {
        if self.oldest_ms.is_none() {
            self.oldest_ms = records.iter().find_map(|record| record.timestamp_ms);
        }
    }

    /// Delivers.
    pub fn deliver(&mut self, transaction: Arc<Transaction>) {
        // The thread lives as long as this does.
        let _ = self.deliveries.send((transaction, self.oldest_ms.take()));
    }

    /// Keeps a snapshot.
    pub fn keep(&self, taken: Box<Taken>) {
        let _ = self.kept.send(taken);
    }

    /// Restores a partition.
    pub fn restore(&self, partition: i32, parked: Option<Box<Partition>>, ticket: u64) {
        let restorer = Restorer {
            partition,
            ticket,
            setup: self.setup.clone(),
            log: self.log.clone(),
            shelf: self.shelf.clone(),
            metrics: self.metrics.clone(),
            stop: self.stop.clone(),
        };
        let reports = self.reports.clone();
        thread::spawn(move || {
            let report =
                catch_unwind(AssertUnwindSafe(|| restorer.run(parked))).unwrap_or_else(|_| {
                    let why =
                        format!("partition {partition} cannot be restored: see the panic above");
                    Some(Report::Broken(Broken::ForGood(why)))
                });
            if let Some(report) = report {
                let _ = reports.send(report);
            }
        });
    }

    /// Nothing more is restored, and no snapshot more is made from the log.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Waits until all snapshots are kept; and, where everything is to begin anew, until nothing is
    /// on its way any more.
    pub fn end(self, anew: bool) {
        // Whoever still restores holds the connections of this run.
        self.stop();
        let Hands { kept, keeper, deliveries, deliverer, .. } = self;
        drop((kept, deliveries));
        if anew && deliverer.join().is_err() {
            warn!("the thread that delivers has failed");
        }
        if keeper.join().is_err() {
            warn!("the last snapshots are not kept");
        }
    }
}

struct Deliverer {
    output: Box<dyn Output + Send>,
    metrics: Arc<Metrics>,
    reports: Sender<Report>,
}

impl Deliverer {
    fn run(mut self, deliveries: &mpsc::Receiver<(Arc<Transaction>, Option<i64>)>) {
        let mut wait = PAUSE;
        loop {
            let (transaction, oldest_ms) = match deliveries.recv_timeout(IDLE) {
                Ok(delivery) => delivery,
                Err(RecvTimeoutError::Timeout) => {
                    self.output.idle();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let timer = self.metrics.commit_seconds.start_timer();
            let report = match self.output.deliver(&transaction) {
                Ok(()) => {
                    timer.observe_duration();
                    if let Some(oldest_ms) = oldest_ms {
                        let seconds = (epoch_ms() - oldest_ms).max(0) as f64 / 1e3;
                        self.metrics.end_to_end_seconds.observe(seconds);
                    }
                    wait = PAUSE;
                    Report::Delivered
                }
                Err(Broken::ForNow(why)) => {
                    timer.stop_and_discard();
                    pause(wait);
                    wait = (wait * 2).min(PAUSE_MAX);
                    Report::NotDelivered(why)
                }
                Err(broken) => Report::Broken(broken),
            };
            drop(transaction);
            if self.reports.send(report).is_err() {
                return;
            }
        }
    }
}

struct Keeper {
    setup: Arc<Setup>,
    log: Arc<dyn Log>,
    stop: Arc<AtomicBool>,
    shelf: Arc<dyn Shelf>,
    metrics: Arc<Metrics>,
    count: usize,
}

impl Keeper {
    fn keep(&self, taken: &Taken) {
        let (partition, offset) = (taken.header.partition, taken.header.offset);
        let timer = self.metrics.snapshot_seconds.start_timer();
        let kept = self.bytes(taken).and_then(|bytes| {
            self.shelf.put(partition, offset, &bytes).map_err(|error| error.to_string())?;
            Ok(bytes.len())
        });
        match kept {
            Ok(length) => {
                timer.observe_duration();
                self.metrics.snapshots.inc();
                self.metrics.snapshot_bytes.set(length as i64);
                self.metrics.snapshot_timestamp_seconds.set(epoch_ms() as f64 / 1e3);
                info!(partition, offset, bytes = length, "a snapshot is kept");
            }
            Err(why) => {
                timer.stop_and_discard();
                self.metrics.snapshot_failures.inc();
                warn!(partition, offset, reason = why, "a snapshot cannot be kept");
            }
        }
        if let Err(error) = self.prune(partition) {
            warn!(partition, reason = %error, "old snapshots cannot be removed");
        }
    }

    fn bytes(&self, taken: &Taken) -> Result<Vec<u8>, String> {
        let Taken { header, state } = taken;
        if let Some(state) = state {
            return snapshot::encode(header, state);
        }
        let mut going_on = |_| !self.stop.load(Ordering::SeqCst);
        let (setup, log, shelf) = (&*self.setup, &*self.log, &*self.shelf);
        let state = restore::advance(header, setup, log, shelf, &mut going_on);
        snapshot::encode(header, &state.map_err(|broken| broken.to_string())?)
    }

    fn prune(&self, partition: i32) -> Result<(), Broken> {
        let mut offsets = self.shelf.offsets(partition)?;
        offsets.sort_unstable_by(|a, b| b.cmp(a));
        offsets.iter().skip(self.count).try_for_each(|at| self.shelf.remove(partition, *at))
    }
}

struct Restorer {
    partition: i32,
    ticket: u64,
    setup: Arc<Setup>,
    log: Arc<dyn Log>,
    shelf: Arc<dyn Shelf>,
    metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
}

impl Restorer {
    fn run(&self, mut parked: Option<Box<Partition>>) -> Option<Report> {
        let label = self.partition.to_string();
        let progress = self.metrics.restore_records.with_label_values(&[&label]);
        let mut going_on = |left: i64| {
            progress.set(left);
            !self.stop.load(Ordering::SeqCst)
        };
        let (clock, mut wait) = (Clock::new(), PAUSE);
        let outcome = loop {
            if self.stop.load(Ordering::SeqCst) {
                return None;
            }
            let (setup, log, shelf) = (&*self.setup, &*self.log, &*self.shelf);
            match restore::restore(self.partition, setup, log, shelf, &mut parked, &mut going_on) {
                Err(Broken::ForNow(why)) => {
                    let partition = self.partition;
                    warn!(partition, reason = why, "the partition cannot be restored yet");
                    pause(wait);
                    wait = (wait * 2).min(PAUSE_MAX);
                }
                outcome => break outcome,
            }
        };
        let _ = self.metrics.restore_records.remove_label_values(&[&label]);
        match outcome {
            Ok(restored) => {
                let partition = self.partition;
                for remark in &restored.remarks {
                    warn!(partition, remark, "while the partition was restored");
                }
                let Restored { snapshot, read_again, .. } = &restored;
                let (ms, snapshot) = (clock.ms(), snapshot.map_or(-1, |offset| offset));
                info!(partition, snapshot, read_again, ms, "the partition is restored");
                Some(Report::Restored { ticket: self.ticket, restored: Box::new(restored) })
            }
            Err(broken) => Some(Report::Broken(broken)),
        }
    }
}
