//! The service's loop and its threads over an input, an output, a log and a shelf that do as a test
//! wants: what a broker does once in a year is done here at once.

mod figures;
mod health;

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use holdfast::{
    config::{Settings, service::Start},
    io::{embedded::Embedded, embedded::EmbeddedInput, shelf::Directory},
    pipeline::{
        ports::{Broken, Change, Committed, Input, Log, Output, Records, Shelf},
        restore::Setup,
        transaction::Transaction,
        worker::Pace,
    },
    service::{self, Brokers, Instruments, Terms, World, health::Obstacle},
};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{
    process::{pause, within},
    run::{authorization, settings},
    scrape::Scrape,
};

const PARTITIONS: i32 = 3;
const PATIENCE: Duration = Duration::from_secs(60);
const TIME_MS: i64 = 1_767_657_600_000;

/// What an output, or a shelf, does with what it is given.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Taken,
    Fails(Broken),
    Panics,
}

impl Fate {
    fn meet(&self) -> Result<(), Broken> {
        match self {
            Fate::Taken => Ok(()),
            Fate::Fails(broken) => Err(broken.clone()),
            Fate::Panics => panic!("as a test wants it"),
        }
    }
}

/// What a test wants of the surroundings.
#[derive(Debug)]
struct Wishes {
    output: Mutex<Fate>,
    shelf: Mutex<Fate>,
    log: Mutex<Fate>,
    changes: Mutex<VecDeque<Change>>,
    /// The next poll takes so long.
    hangs_ms: AtomicU64,
    /// The ends of the log, as brokers that are not asked have it; below 0 as it is.
    told_end: AtomicI64,
}

fn now<T: Clone>(of: &Mutex<T>) -> T {
    of.lock().unwrap().clone()
}

struct Wished<T>(T, Arc<Wishes>);

impl Input for Wished<EmbeddedInput> {
    fn poll(
        &mut self,
        wait: Duration,
        records: &mut Records,
        changes: &mut Vec<Change>,
    ) -> Result<(), Broken> {
        pause(self.1.hangs_ms.swap(0, Ordering::SeqCst));
        changes.extend(self.1.changes.lock().unwrap().pop_front());
        self.0.poll(wait, records, changes)
    }

    fn start(&mut self, partition: i32, offset: i64) -> Result<(), Broken> {
        self.0.start(partition, offset)
    }

    fn release(&mut self, partitions: &[i32]) -> Result<(), Broken> {
        self.0.release(partitions)
    }

    fn want_records(&mut self, wanted: bool) -> Result<(), Broken> {
        self.0.want_records(wanted)
    }
}

impl Output for Wished<Embedded> {
    fn deliver(&mut self, transaction: &Arc<Transaction>) -> Result<(), Broken> {
        now(&self.1.output).meet()?;
        self.0.deliver(transaction)
    }
}

impl Log for Wished<Embedded> {
    fn committed(&self, partition: i32) -> Result<Option<Committed>, Broken> {
        now(&self.1.log).meet()?;
        self.0.committed(partition)
    }

    fn bounds(&self, partition: i32) -> Result<Range<i64>, Broken> {
        self.0.bounds(partition)
    }

    fn offset_at(&self, partition: i32, time_ms: i64) -> Result<i64, Broken> {
        self.0.offset_at(partition, time_ms)
    }

    fn read(
        &self,
        partition: i32,
        offsets: Range<i64>,
        each: &mut dyn FnMut(&Records) -> bool,
    ) -> Result<(), Broken> {
        self.0.read(partition, offsets, each)
    }
}

impl Shelf for Wished<Directory> {
    fn offsets(&self, partition: i32) -> Result<Vec<i64>, Broken> {
        self.0.offsets(partition)
    }

    fn get(&self, partition: i32, offset: i64) -> Result<Vec<u8>, Broken> {
        self.0.get(partition, offset)
    }

    fn kept_ms(&self, partition: i32, offset: i64) -> Result<Option<i64>, Broken> {
        self.0.kept_ms(partition, offset)
    }

    fn put(&self, partition: i32, offset: i64, bytes: &[u8]) -> Result<(), Broken> {
        now(&self.1.shelf).meet()?;
        self.0.put(partition, offset, bytes)
    }

    fn remove(&self, partition: i32, offset: i64) -> Result<(), Broken> {
        self.0.remove(partition, offset)
    }

    fn ruleset(&self, identity: &str) -> Result<Option<String>, Broken> {
        self.0.ruleset(identity)
    }

    fn keep_ruleset(&self, identity: &str, configuration: &str) -> Result<(), Broken> {
        self.0.keep_ruleset(identity, configuration)
    }
}

/// The surroundings, and the service in them. The log outlives a run.
struct Stage {
    log: Embedded,
    wishes: Arc<Wishes>,
    instruments: Arc<Instruments>,
    settings: Arc<Settings>,
    folder: TempDir,
    stop: Arc<AtomicBool>,
    service: Option<JoinHandle<Result<(), Broken>>>,
    appended: i64,
}

impl Stage {
    /// With a service that runs.
    fn start(ruleset: &str) -> Stage {
        let settings = Arc::new(settings(ruleset));
        let mut stage = Stage {
            log: Embedded::new(PARTITIONS as u32),
            wishes: Arc::new(Wishes {
                output: Mutex::new(Fate::Taken),
                shelf: Mutex::new(Fate::Taken),
                log: Mutex::new(Fate::Taken),
                changes: Mutex::default(),
                hangs_ms: AtomicU64::new(0),
                told_end: AtomicI64::new(-1),
            }),
            instruments: Instruments::new(&settings.ruleset).unwrap(),
            settings,
            folder: TempDir::new().unwrap(),
            stop: Arc::default(),
            service: None,
            appended: 0,
        };
        stage.instruments.health.cleared(Obstacle::Starting);
        stage.run();
        stage
    }

    /// Runs it, with the instruments that there are.
    fn run(&mut self) {
        let (log, wishes) = (self.log.clone(), self.wishes.clone());
        let (instruments, settings) = (self.instruments.clone(), self.settings.clone());
        let dir = self.snapshots().to_owned();
        // So that it is not taken for ready before it has begun.
        self.instruments.health.obstacle(Obstacle::Group, "it has not begun");
        self.stop = Arc::default();
        let stop = self.stop.clone();
        self.service = Some(thread::spawn(move || {
            let told = (log.clone(), wishes.clone());
            let brokers = move || {
                let (log, wishes) = &told;
                let (at_end, mut ends) = (log.at_end(), log.ends());
                let end = wishes.told_end.load(Ordering::SeqCst);
                ends.values_mut().filter(|_| end >= 0).for_each(|told| *told = end);
                Brokers { reachable: true, ends, at_end, clients: Vec::new() }
            };
            let world = World {
                input: Box::new(Wished(log.input(), wishes.clone())),
                output: Box::new(Wished(log.clone(), wishes.clone())),
                shelf: Arc::new(Wished(Directory::new(&dir, "g", "t"), wishes.clone())),
                log: Arc::new(Wished(log, wishes)),
                brokers: Box::new(brokers),
            };
            let pace = Pace {
                commit_interval_ms: 5,
                snapshot_interval_ms: 50,
                waiting_bytes: 4096,
                copied_entries: 1000,
                copied_bytes: usize::MAX,
            };
            let setup = Setup { settings, start: Start::Earliest, may_warm: false };
            let terms = Terms {
                setup: Arc::new(setup),
                pace,
                snapshots: 2,
                ticks: false,
                shutdown_timeout_ms: 5000,
            };
            service::run(world, &terms, &instruments, &stop)
        }));
    }

    fn snapshots(&self) -> &Path {
        self.folder.path()
    }

    /// How it ended, which it must do by itself.
    #[track_caller]
    fn outcome(&mut self) -> Result<(), Broken> {
        let service = self.service.take().unwrap();
        let ended = within(PATIENCE, || service.is_finished().then_some(()));
        assert!(ended.is_some(), "it goes on");
        service.join().unwrap()
    }

    /// Ends it in order.
    #[track_caller]
    fn end(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        assert_eq!(self.outcome(), Ok(()));
    }

    /// The output does this from now on.
    fn output(&self, fate: Fate) {
        *self.wishes.output.lock().unwrap() = fate;
    }

    /// The group says this next.
    fn change(&self, change: fn(Vec<i32>) -> Change) {
        self.wishes.changes.lock().unwrap().push_back(change((0..PARTITIONS).collect()));
    }

    /// So many authorizations more, each of an account of its own.
    fn append(&mut self, count: i64) {
        for _ in 0..count {
            let number = self.appended;
            let account = format!("a-{number}");
            let fields = json!({"account_id": account, "card_id": format!("c-{number}")});
            let event = authorization(&format!("e-{number}"), TIME_MS + number, fields);
            self.log.append(&account, TIME_MS + number, event.as_bytes());
            self.appended += 1;
        }
    }

    /// What stands in the way now.
    fn obstacles(&self) -> Vec<Obstacle> {
        self.instruments.health.obstacles().into_iter().map(|(obstacle, _)| obstacle).collect()
    }

    /// Waits until just this stands in the way.
    #[track_caller]
    fn wait_for(&self, obstacles: &[Obstacle]) {
        let there = within(PATIENCE, || (self.obstacles() == obstacles).then_some(()));
        assert!(there.is_some(), "{:?}", self.instruments.health.obstacles());
    }

    fn scrape(&self) -> Scrape {
        Scrape::read(&self.instruments.metrics.text())
    }

    /// Waits until a metric, summed up, is this.
    #[track_caller]
    fn wait_until(&self, name: &str, value: f64) {
        let is = || (self.scrape().sum(name, &[]) == value).then_some(());
        assert!(within(PATIENCE, is).is_some(), "{name} is {}", self.scrape().sum(name, &[]));
    }

    #[track_caller]
    fn wait_until_decided(&self) {
        let decided = || (self.log.lag() == 0).then_some(());
        assert!(within(PATIENCE, decided).is_some(), "{} are not decided", self.log.lag());
    }

    /// By partition, the value of a gauge.
    fn by_partition(&self, name: &str) -> BTreeMap<String, f64> {
        let samples = self.scrape().samples.into_iter().filter(|sample| sample.name == name);
        samples.map(|sample| (sample.labels["partition"].clone(), sample.value)).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // What became of it has been looked at, or the test has failed already.
        self.service.take().map(JoinHandle::join);
    }
}
