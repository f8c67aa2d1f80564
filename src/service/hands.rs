//! The threads that do what takes time: one delivers, one keeps snapshots, and each partition that is
//! restored has one.

use std::{
    collections::BTreeMap,
    mem,
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

use super::{Instruments, Terms, lag::Told};
use crate::{
    engine::Engine,
    io::{
        background::{self, Turns},
        clock::{Clock, epoch_ms, pause},
    },
    metrics,
    pipeline::{
        partition::Partition,
        ports::{Arrived, Broken, Log, Output, Shelf},
        restore::{self, Beside, Restored, Setup},
        snapshot,
        transaction::Transaction,
        worker::{Outcome, State, Taken},
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
        /// When the snapshot that it was restored by was kept, in epoch ms, if that is known.
        kept_ms: Option<i64>,
    },
    /// A snapshot of a partition is kept.
    Kept {
        /// Which one,
        partition: i32,
        /// up to which offset,
        offset: i64,
        /// in so many bytes.
        bytes: usize,
    },
    /// One of this partition could not be kept, or not be made.
    NotKept(i32, Outcome),
    /// What the brokers say of the ends of the log.
    Ends(BTreeMap<i32, Told>),
    /// Somebody has to act.
    Broken(Broken),
}

/// What a pause begins with after a failure, and what it grows to.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// So often it is looked whether a thread has ended.
const LOOK: Duration = Duration::from_millis(10);
/// So long without a delivery, and the output is idle.
const IDLE: Duration = Duration::from_millis(200);

/// The threads.
pub struct Hands {
    setup: Arc<Setup>,
    log: Arc<dyn Log>,
    shelf: Arc<dyn Shelf>,
    instruments: Arc<Instruments>,
    stop: Arc<AtomicBool>,
    reports: Sender<Report>,
    deliveries: Sender<Delivery>,
    deliverer: JoinHandle<()>,
    kept: Sender<Box<Taken>>,
    keeper: JoinHandle<()>,
    /// Of the records that are decided and not yet on their way.
    stamps: Vec<Stamp>,
    /// What is on its way does not stand, and is to be delivered again.
    again: bool,
}

/// The partition of a record, and its time in epoch ms.
type Stamp = (i32, i64);

/// A transaction, and the stamps of its records; none where it has been tried before.
type Delivery = (Arc<Transaction>, Option<Vec<Stamp>>);

impl Hands {
    /// With nothing to do yet.
    pub fn new(
        terms: &Terms,
        output: Box<dyn Output + Send>,
        log: Arc<dyn Log>,
        shelf: Arc<dyn Shelf>,
        instruments: Arc<Instruments>,
        reports: Sender<Report>,
    ) -> Hands {
        let stop = Arc::new(AtomicBool::new(false));
        let (deliveries, to_deliver) = mpsc::channel();
        let deliverer = Deliverer {
            output,
            instruments: instruments.clone(),
            reports: reports.clone(),
            stamps: Vec::new(),
        };
        let deliverer = spawn("delivers", reports.clone(), move || deliverer.run(&to_deliver));
        let (kept, to_keep) = mpsc::channel::<Box<Taken>>();
        let keeper = Keeper {
            setup: terms.setup.clone(),
            log: log.clone(),
            shelf: shelf.clone(),
            instruments: instruments.clone(),
            stop: stop.clone(),
            reports: reports.clone(),
            count: terms.snapshots,
        };
        let keeper = spawn("keeps snapshots", reports.clone(), move || {
            to_keep.iter().for_each(|taken| keeper.keep_beside(*taken));
        });
        let setup = terms.setup.clone();
        Hands {
            setup,
            log,
            shelf,
            instruments,
            stop,
            reports,
            deliveries,
            deliverer,
            kept,
            keeper,
            stamps: Vec::new(),
            again: false,
        }
    }

    /// These are being decided.
    pub fn arrived<'r>(&mut self, records: impl Iterator<Item = Arrived<'r>>) {
        self.stamps.extend(records.filter_map(|one| Some((one.partition, one.timestamp_ms?))));
    }

    /// What was decided of these partitions is nobody's business here any more.
    pub fn lost(&mut self, partitions: &[i32]) {
        self.stamps.retain(|(partition, _)| !partitions.contains(partition));
    }

    /// What was on its way does not stand, and is delivered again.
    pub fn not_delivered(&mut self) {
        self.again = true;
    }

    /// Nothing is left of what was to be delivered again, if anything was.
    pub fn nothing_again(&mut self) -> bool {
        mem::take(&mut self.again)
    }

    /// Delivers.
    pub fn deliver(&mut self, transaction: Arc<Transaction>) {
        let again = mem::take(&mut self.again);
        let stamps = (!again).then(|| mem::take(&mut self.stamps));
        // The thread lives as long as this does.
        let _ = self.deliveries.send((transaction, stamps));
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
            instruments: self.instruments.clone(),
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

    /// Asks the brokers where the log ends in these partitions, and how far it is committed.
    pub fn ask_for_ends(&self, partitions: Vec<i32>) {
        let (log, stop, reports) = (self.log.clone(), self.stop.clone(), self.reports.clone());
        thread::spawn(move || {
            let tell = |number: i32| -> Result<(i32, Told), Broken> {
                let committed = log.committed(number)?.map(|committed| committed.offset);
                Ok((number, Told { end: log.bounds(number)?.end, committed }))
            };
            // Who does not answer once is not asked about the rest.
            let going_on = partitions.into_iter().take_while(|_| !stop.load(Ordering::SeqCst));
            let told = going_on.map(tell).map_while(Result::ok).collect();
            let _ = reports.send(Report::Ends(told));
        });
    }

    /// Nothing more is restored, and no snapshot more is made from the log.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Waits up to `patience` until all snapshots are kept; and, where everything is to begin anew,
    /// until nothing is on its way any more.
    pub fn end(self, anew: bool, patience: Duration) {
        // Whoever still restores holds the connections of this run.
        self.stop();
        let Hands { kept, keeper, deliveries, deliverer, .. } = self;
        drop((kept, deliveries));
        if anew && deliverer.join().is_err() {
            warn!("the thread that delivers has failed");
        }
        let clock = Clock::new();
        while !keeper.is_finished() && clock.elapsed() < patience {
            pause(LOOK);
        }
        // One that waits for a disk which hangs ends with the program.
        if !keeper.is_finished() || keeper.join().is_err() {
            warn!("the last snapshots are not kept: the next start reads more of the log again");
        }
    }
}

/// A thread without which nothing goes on: if it fails, the service ends.
fn spawn(
    does: &'static str,
    reports: Sender<Report>,
    work: impl FnOnce() + Send + 'static,
) -> JoinHandle<()> {
    thread::spawn(move || {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            let why = format!("the thread that {does} has failed: see the panic above");
            // Nobody listens any more at the end.
            let _ = reports.send(Report::Broken(Broken::ForGood(why)));
        }
    })
}

struct Deliverer {
    output: Box<dyn Output + Send>,
    instruments: Arc<Instruments>,
    reports: Sender<Report>,
    /// Of the records on their way.
    stamps: Vec<Stamp>,
}

impl Deliverer {
    fn run(mut self, deliveries: &mpsc::Receiver<Delivery>) {
        let mut wait = PAUSE;
        loop {
            let (transaction, stamps) = match deliveries.recv_timeout(IDLE) {
                Ok(delivery) => delivery,
                Err(RecvTimeoutError::Timeout) => {
                    self.output.idle();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if let Some(stamps) = stamps {
                self.stamps = stamps;
            }
            let clock = Clock::new();
            let report = match self.output.deliver(&transaction) {
                Ok(()) => {
                    self.stands(&transaction, clock.seconds());
                    wait = PAUSE;
                    Report::Delivered
                }
                Err(Broken::ForNow(why)) => {
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

    fn stands(&mut self, transaction: &Transaction, seconds: f64) {
        let metrics = &self.instruments.metrics;
        let now_ms = epoch_ms();
        // What was lost on the way is not in it any more.
        let stands = |(partition, _): &Stamp| transaction.reached().contains_key(partition);
        let stamps = self.stamps.drain(..).filter(stands);
        let ages = stamps.map(|(_, at)| (now_ms - at).max(0) as f64 / 1e3);
        let outputs = transaction.counts().map(|(topic, count)| (topic.name(), count));
        metrics.stands(seconds, self.output.committed_in(), ages, &outputs);
        self.instruments.recent.add(transaction);
    }
}

struct Keeper {
    setup: Arc<Setup>,
    log: Arc<dyn Log>,
    stop: Arc<AtomicBool>,
    shelf: Arc<dyn Shelf>,
    instruments: Arc<Instruments>,
    reports: Sender<Report>,
    count: usize,
}

impl Keeper {
    /// Beside decisions, which go first; at the end there are none, and nothing to wait for.
    fn keep_beside(&self, taken: Taken) {
        let kept = thread::scope(|scope| {
            let keeping = scope.spawn(|| {
                if !self.stop.load(Ordering::SeqCst) {
                    background::give_way();
                }
                self.keep(taken);
            });
            keeping.join()
        });
        // Its panic is this thread's: told of once, where it was.
        kept.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }

    fn keep(&self, taken: Taken) {
        let (partition, offset) = (taken.header.partition, taken.header.offset);
        let (metrics, clock) = (&self.instruments.metrics, Clock::new());
        let made = self.bytes(taken);
        let kept = made.and_then(|bytes| {
            let kept = self.shelf.put(partition, offset, &bytes);
            kept.map(|()| bytes.len()).map_err(|error| (Outcome::NotKept, error.to_string()))
        });
        match kept {
            Ok(length) => {
                metrics.of(&metrics::SNAPSHOT_TIME).observe(clock.seconds());
                metrics.count(&metrics::SNAPSHOTS, &[]);
                // Nobody listens any more at the end.
                let _ = self.reports.send(Report::Kept { partition, offset, bytes: length });
                let ms = clock.ms();
                info!(partition, offset, bytes = length, ms, "a snapshot is kept");
            }
            Err((outcome, why)) => {
                metrics.count(&metrics::SNAPSHOT_FAILURES, &[]);
                warn!(partition, offset, reason = why, "a snapshot cannot be kept");
                let _ = self.reports.send(Report::NotKept(partition, outcome));
            }
        }
        if let Err(error) = self.prune(partition) {
            warn!(partition, reason = %error, "old snapshots cannot be removed");
        }
    }

    fn bytes(&self, Taken { header, state }: Taken) -> Result<Vec<u8>, (Outcome, String)> {
        let mut gently = Gently { stop: &self.stop, turns: Turns::new() };
        let bytes = match state {
            State::Written(bytes) => Ok(bytes),
            State::Copied(copy) => copy
                .and_then(|copy| snapshot::encode_copy(&header, &copy, &mut || gently.breathe())),
            State::InTheLog => {
                let engine = self.advanced(&header, &mut gently)?;
                snapshot::encode(&header, &engine, &mut || gently.breathe())
            }
        };
        bytes.map_err(|why| (Outcome::NotKept, why))
    }

    /// Made from the log.
    fn advanced(
        &self,
        header: &snapshot::Header,
        gently: &mut Gently<'_>,
    ) -> Result<Engine, (Outcome, String)> {
        if !gently.goes_on(0) {
            let why = "the program ends, and takes a last one";
            return Err((Outcome::NotKept, why.to_owned()));
        }
        let (setup, log, shelf) = (&*self.setup, &*self.log, &*self.shelf);
        restore::advance(header, setup, log, shelf, gently).map_err(|broken| match broken {
            Broken::ForGood(why) => (Outcome::NotMade, why),
            broken => (Outcome::NotKept, broken.to_string()),
        })
    }

    fn prune(&self, partition: i32) -> Result<(), Broken> {
        let mut offsets = self.shelf.offsets(partition)?;
        offsets.sort_unstable_by(|a, b| b.cmp(a));
        offsets.iter().skip(self.count).try_for_each(|at| self.shelf.remove(partition, *at))
    }
}

/// Until the program ends, and in turns with whoever else wants the processor.
struct Gently<'k> {
    stop: &'k AtomicBool,
    turns: Turns,
}

impl Beside for Gently<'_> {
    fn goes_on(&mut self, _: i64) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    fn breathe(&mut self) {
        // At the end there are no decisions to give way to.
        if self.goes_on(0) {
            self.turns.take();
        }
    }
}

struct Restorer {
    partition: i32,
    ticket: u64,
    setup: Arc<Setup>,
    log: Arc<dyn Log>,
    shelf: Arc<dyn Shelf>,
    instruments: Arc<Instruments>,
    stop: Arc<AtomicBool>,
}

impl Restorer {
    fn run(&self, mut parked: Option<Box<Partition>>) -> Option<Report> {
        let progress = &self.instruments.progress;
        let mut going_on = |left: i64| {
            progress.goes_on(self.partition, left);
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
        progress.ended(self.partition);
        match outcome {
            Ok(restored) => {
                let partition = self.partition;
                for remark in &restored.remarks {
                    warn!(partition, remark, "while the partition was restored");
                }
                let Restored { snapshot, read_again, .. } = &restored;
                // That its time is not known is no reason not to go on.
                let kept_ms = snapshot.and_then(|at| self.shelf.kept_ms(partition, at).ok()?);
                let (ms, snapshot) = (clock.ms(), snapshot.map_or(-1, |offset| offset));
                let metrics = &self.instruments.metrics;
                metrics.of(&metrics::RESTORE_TIME).observe(clock.seconds());
                info!(partition, snapshot, read_again, ms, "the partition is restored");
                let ticket = self.ticket;
                Some(Report::Restored { ticket, restored: Box::new(restored), kept_ms })
            }
            Err(broken) => Some(Report::Broken(broken)),
        }
    }
}
