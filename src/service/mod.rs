//! The service: the pipeline's worker, and the threads that do for it what takes time.
//!
//! ```text
//!            records, changes                     transactions
//!   input ----------------------> this loop ------------------------> deliverer -> output
//!                                  ^  |  |        restore this
//!             delivered, restored  |  |  +--------------------------> restorers (log, shelf)
//!                                  +--+--------- keep this ---------> keeper -> shelf
//! ```
//!
//! The loop alone decides. It waits for nothing but its input, and hands everything else over.

pub mod admin;
mod crash;
pub mod desk;
mod hands;
pub mod health;
pub mod http;
mod lag;
pub mod panics;
mod progress;
pub mod questions;
mod recent;
mod show;
mod tick;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use tracing::{info, warn};

pub use crash::CrashAt;
use desk::Desk;
use hands::{Hands, Report};
use health::{Health, Obstacle};
use lag::Lags;
use progress::Progress;
use questions::Questions;
use recent::Recent;
use show::Snapshots;
use tick::Ticks;

use crate::{
    engine::Ruleset,
    io::{
        clock::{Clock, epoch_ms, pause},
        kafka::figures::Figures,
        outage::Outage,
    },
    metrics::{self, Metrics},
    pipeline::{
        ports::{Broken, Change, Input, Log, Output, Records, Shelf},
        restore::Setup,
        worker::{Effect, Outcome, Pace, Worker},
    },
};

/// While a transaction is on its way, its end is looked for so often.
const BUSY_WAIT: Duration = Duration::from_millis(1);
const IDLE_WAIT: Duration = Duration::from_millis(20);
/// After so long with too much waiting, records are no longer fetched.
const FULL_MAX_MS: u64 = 500;
/// Whether it is ready is looked at so often.
const LOOK_INTERVAL_MS: u64 = 250;
/// What is counted is shown so often: showing costs more, and who scrapes comes less often.
pub const SHOW_INTERVAL_MS: u64 = 1000;
/// A delivery that takes longer stands in the way.
const DELIVERY_MAX_MS: u64 = 5000;

/// What the service reads and writes.
pub struct World {
    /// The input.
    pub input: Box<dyn Input>,
    /// The output.
    pub output: Box<dyn Output + Send>,
    /// The log behind the input.
    pub log: Arc<dyn Log>,
    /// Where snapshots are kept.
    pub shelf: Arc<dyn Shelf>,
    /// What the brokers say of themselves.
    pub brokers: Box<dyn Fn() -> Brokers>,
}

/// What the brokers say of themselves.
#[derive(Debug, Clone, Default)]
pub struct Brokers {
    /// Is one of them connected?
    pub reachable: bool,
    /// By partition of the input, the offset behind the last record.
    pub ends: BTreeMap<i32, i64>,
    /// The partitions of the input that have been read to their end.
    pub at_end: BTreeSet<i32>,
    /// What the clients say of themselves, by name.
    pub clients: Vec<(&'static str, Figures)>,
}

/// What others see of the service, and where they ask it.
#[derive(Debug)]
pub struct Instruments {
    /// What is counted and timed.
    pub metrics: Metrics,
    /// What stands in its way.
    pub health: Health,
    /// Where questions wait for the loop.
    pub desk: Desk,
    /// The last outputs that stand.
    pub recent: Recent,
    /// How far restores are.
    pub progress: Progress,
}

impl Instruments {
    /// Of a service with this ruleset.
    ///
    /// # Errors
    /// Two metrics have one name, which is a defect.
    pub fn new(ruleset: &Arc<Ruleset>) -> prometheus::Result<Arc<Instruments>> {
        Ok(Arc::new(Instruments {
            metrics: Metrics::new(ruleset)?,
            health: Health::default(),
            desk: Desk::default(),
            recent: Recent::default(),
            progress: Progress::default(),
        }))
    }
}

/// How the service goes.
#[derive(Debug)]
pub struct Terms {
    /// What a restore goes by, and what decides.
    pub setup: Arc<Setup>,
    /// When what is done.
    pub pace: Pace,
    /// How many snapshots of a partition are kept.
    pub snapshots: usize,
    /// Are ticks put into quiet partitions?
    pub ticks: bool,
    /// How long ending may take, in ms.
    pub shutdown_timeout_ms: u64,
}

/// Runs until `stop` says so, and then ends in order: what is decided is delivered, and a snapshot of
/// each partition is kept.
///
/// # Errors
/// Something will not come right by itself.
pub fn run(
    world: World,
    terms: &Terms,
    instruments: &Arc<Instruments>,
    stop: &Arc<AtomicBool>,
) -> Result<(), Broken> {
    let World { input, output, log, shelf, brokers } = world;
    let (reports, inbox) = mpsc::channel();
    let hands = Hands::new(terms, output, log, shelf, instruments.clone(), reports);
    let worker = Worker::new(terms.setup.settings.clone(), terms.pace);
    let worker = worker.timed_by(Box::new(Clock::new()));
    let mut service = Service {
        terms,
        worker,
        input,
        hands,
        inbox,
        brokers,
        instruments,
        snapshots: Snapshots::new(),
        clock: Clock::new(),
        ticks: Ticks::default(),
        questions: Questions::default(),
        full_since_ms: None,
        is_paused: false,
        lags: Lags::default(),
        looked_ms: 0,
        shown_ms: None,
        joined: false,
        delivering_ms: None,
        stopping_ms: None,
        outage: Outage::new("the input"),
    };
    let outcome = service.go(stop);
    // Else nobody is told what was counted since it was last shown: whoever runs anew counts anew.
    let brokers = (service.brokers)();
    service.show(&brokers);
    let patience = service.patience();
    let Service { input, hands, .. } = service;
    // Leaves the group before anybody is told that it has ended.
    drop(input);
    hands.end(matches!(outcome, Err(Broken::Anew(_) | Broken::Stuck(_))), patience);
    outcome
}

struct Service<'s> {
    terms: &'s Terms,
    worker: Worker,
    input: Box<dyn Input>,
    hands: Hands,
    inbox: Receiver<Report>,
    brokers: Box<dyn Fn() -> Brokers>,
    instruments: &'s Arc<Instruments>,
    snapshots: Snapshots,
    clock: Clock,
    ticks: Ticks,
    questions: Questions,
    /// Since when too much waits to be delivered.
    full_since_ms: Option<u64>,
    /// Are no records fetched?
    is_paused: bool,
    lags: Lags,
    /// When it last looked whether it is ready.
    looked_ms: u64,
    /// When it last showed what is counted.
    shown_ms: Option<u64>,
    /// Does the group have it count on a share?
    joined: bool,
    /// Since when a delivery is on its way, until that has been told.
    delivering_ms: Option<u64>,
    /// When it was told to end.
    stopping_ms: Option<u64>,
    outage: Outage,
}

impl Service<'_> {
    fn go(&mut self, stop: &AtomicBool) -> Result<(), Broken> {
        let (mut records, mut changes) = (Records::default(), Vec::new());
        let health = &self.instruments.health;
        health.obstacle(Obstacle::Group, "waiting for a share of the input");
        // That was of an earlier run.
        health.cleared(Obstacle::Delivery);
        health.beat();
        loop {
            self.hear()?;
            self.act()?;
            self.questions.answer_some(&self.instruments.desk, &mut self.worker);
            if stop.load(Ordering::SeqCst) {
                self.begin_to_end();
                if self.patience().is_zero() {
                    warn!("not everything could be delivered in time: the next start decides it");
                    return Ok(());
                }
                if !self.worker.is_busy() {
                    return self.last();
                }
            }
            let stopping = self.stopping_ms.is_some();
            if self.waits_for_room(stopping)? {
                continue;
            }
            records.clear();
            let polled = self.input.poll(self.wait(), &mut records, &mut changes);
            self.note_changes(&mut changes);
            if !stopping {
                self.decide(&records);
            }
            self.look_around(polled)?;
        }
    }

    fn begin_to_end(&mut self) {
        if self.stopping_ms.is_none() {
            info!("ending: what is decided is delivered, and snapshots are taken");
            self.instruments.health.obstacle(Obstacle::Stopping, "it was told to end");
            self.hands.stop();
            self.stopping_ms = Some(self.clock.ms());
        }
    }

    /// How long its end may still take.
    fn patience(&self) -> Duration {
        let now_ms = self.clock.ms();
        let end_ms = self.stopping_ms.unwrap_or(now_ms) + self.terms.shutdown_timeout_ms;
        Duration::from_millis(end_ms.saturating_sub(now_ms))
    }

    /// What the hands report.
    fn hear(&mut self) -> Result<(), Broken> {
        while let Ok(report) = self.inbox.try_recv() {
            self.heard(report)?;
        }
        Ok(())
    }

    fn heard(&mut self, report: Report) -> Result<(), Broken> {
        match report {
            Report::Delivered => {
                self.worker.delivered();
                self.delivering_ms = None;
                self.instruments.health.cleared(Obstacle::Delivery);
            }
            Report::NotDelivered(why) => {
                self.instruments.metrics.count(&metrics::COMMIT_FAILURES, &[]);
                warn!(reason = why, "a transaction does not stand yet");
                self.delivering_ms = None;
                self.instruments.health.obstacle(Obstacle::Delivery, why);
                self.hands.not_delivered();
                self.worker.not_delivered();
            }
            Report::Restored { ticket, restored, kept_ms } => {
                self.note_restored(&restored, kept_ms);
                let now_ms = self.clock.ms();
                self.worker.restored(ticket, *restored, now_ms);
            }
            Report::Kept { partition, offset, bytes } => {
                self.worker.kept(partition, Outcome::Kept(bytes));
                self.note_kept(partition, offset, bytes);
            }
            Report::NotKept(partition, outcome) => self.worker.kept(partition, outcome),
            Report::Ends(told) => self.lags.answered(told, self.clock.ms()),
            Report::Broken(broken) => return Err(broken),
        }
        Ok(())
    }

    /// Does what is to be done.
    fn act(&mut self) -> Result<(), Broken> {
        while let Some(effect) = self.worker.next(self.clock.ms()) {
            match effect {
                Effect::Restore { partition, parked, ticket } => {
                    self.hands.restore(partition, parked, ticket);
                }
                Effect::Start { partition, offset } => {
                    info!(partition, offset, "the partition is decided from here on");
                    self.patiently(|input| input.start(partition, offset))?;
                }
                Effect::Deliver(transaction) => {
                    self.delivering_ms = Some(self.clock.ms());
                    self.hands.deliver(transaction);
                }
                Effect::Release(partitions) => {
                    info!(?partitions, "the partitions are given back");
                    self.patiently(|input| input.release(&partitions))?;
                }
                Effect::Keep(taken) => self.hands.keep(taken),
            }
        }
        // What was to be delivered again may all have been lost meanwhile.
        if !self.worker.is_delivering() && self.hands.nothing_again() {
            self.instruments.health.cleared(Obstacle::Delivery);
        }
        Ok(())
    }

    /// What fails for now is tried again: nothing goes on without it.
    fn patiently(
        &mut self,
        mut what: impl FnMut(&mut dyn Input) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        const TIMES: u32 = 5;
        for _ in 1..TIMES {
            match what(&mut *self.input) {
                Err(Broken::ForNow(why)) => warn!(reason = why, "the input: to be tried again"),
                done => return done,
            }
            pause(Duration::from_millis(200));
        }
        what(&mut *self.input).map_err(|error| Broken::ForGood(error.to_string()))
    }

    /// With too much waiting to be delivered, nothing more is read; the group is still heard.
    fn waits_for_room(&mut self, stopping: bool) -> Result<bool, Broken> {
        let now_ms = self.clock.ms();
        let full = self.worker.is_full();
        let since = if full { *self.full_since_ms.get_or_insert(now_ms) } else { now_ms };
        if !full {
            self.full_since_ms = None;
        }
        let for_long = now_ms >= since + FULL_MAX_MS && full;
        self.is_paused = for_long || stopping;
        let wanted = !self.is_paused;
        self.patiently(|input| input.want_records(wanted))?;
        if !full || for_long {
            return Ok(false);
        }
        match self.inbox.recv_timeout(BUSY_WAIT) {
            Ok(report) => self.heard(report).map(|()| true),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(true),
        }
    }

    fn wait(&self) -> Duration {
        if self.questions.is_searching() {
            return Duration::ZERO;
        }
        if self.worker.is_busy() || self.worker.is_restoring() { BUSY_WAIT } else { IDLE_WAIT }
    }

    fn note_changes(&mut self, changes: &mut Vec<Change>) {
        for change in changes.drain(..) {
            info!(?change, "the share of this instance has changed");
            let (health, metrics) = (&self.instruments.health, &self.instruments.metrics);
            let label = match &change {
                Change::Assigned(_) => "assigned",
                Change::Revoked(_) => "revoked",
                Change::Lost(_) => "lost",
            };
            metrics.count(&metrics::REBALANCES, &[label]);
            self.joined = matches!(change, Change::Assigned(_));
            match &change {
                Change::Assigned(_) => {}
                Change::Revoked(_) => {
                    let why = "the group shares the input out anew: waiting for a share of it";
                    health.obstacle(Obstacle::Group, why);
                }
                Change::Lost(partitions) => {
                    let why = format!(
                        "this instance lost its place in the group, and partitions {partitions:?} \
                         with it: it waits to be given its share again"
                    );
                    health.obstacle(Obstacle::Fenced, why);
                    self.hands.lost(partitions);
                }
            }
            self.worker.changed(&change);
        }
    }

    fn decide(&mut self, records: &Records) {
        if records.is_empty() {
            return;
        }
        let Service { worker, hands, .. } = self;
        hands.arrived(worker.to_decide(records));
        worker.records(records);
    }

    /// What others see of it, now and then.
    fn look_around(&mut self, polled: Result<(), Broken>) -> Result<(), Broken> {
        match polled {
            Err(Broken::ForNow(why)) => self.outage.trouble(&why),
            done => {
                done?;
                self.outage.works();
            }
        }
        let now_ms = self.clock.ms();
        if now_ms < self.looked_ms + LOOK_INTERVAL_MS {
            return Ok(());
        }
        self.looked_ms = now_ms;
        self.instruments.health.beat();
        self.note_delivery(now_ms);
        let brokers = (self.brokers)();
        self.note_obstacles(&brokers);
        self.ask_for_ends();
        if self.terms.ticks {
            self.ticks.put(&mut self.worker, &brokers.at_end, now_ms, epoch_ms());
        }
        if self.shown_ms.is_none_or(|at| now_ms >= at + SHOW_INTERVAL_MS) {
            self.shown_ms = Some(now_ms);
            self.show(&brokers);
        }
        Ok(())
    }

    /// A delivery that takes long stands in the way, unless one that failed says more of it.
    fn note_delivery(&mut self, now_ms: u64) {
        let late = self.delivering_ms.take_if(|since| now_ms >= *since + DELIVERY_MAX_MS).is_some();
        let health = &self.instruments.health;
        if late && health.obstacles().iter().all(|(obstacle, _)| *obstacle != Obstacle::Delivery) {
            let why = format!("the brokers take no output for more than {DELIVERY_MAX_MS} ms");
            health.obstacle(Obstacle::Delivery, why);
        }
    }

    /// The end: nothing is on its way any more.
    fn last(&mut self) -> Result<(), Broken> {
        while let Some(taken) = self.worker.last_snapshot(self.clock.ms()) {
            let partition = taken.header.partition;
            self.hands.keep(Box::new(taken));
            while self.worker.is_keeping(partition) {
                if self.patience().is_zero() {
                    return Ok(());
                }
                if let Ok(report) = self.inbox.recv_timeout(IDLE_WAIT) {
                    self.heard(report)?;
                }
            }
        }
        Ok(())
    }
}
