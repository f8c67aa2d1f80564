//! Where the demo plays: the service in a thread, over a log within the process or over brokers, and
//! a directory for its state that goes when the demo ends.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::runtime::Runtime;

use super::broker::OnBrokers;
use crate::{
    cli::{Exit, run},
    config::Settings,
    decision::Fate,
    io::{clock::epoch_ms, embedded::Embedded, shelf},
    pipeline::{ports::Broken, transaction::Destination},
    service::{
        self, Brokers, Instruments, World,
        admin::{self, Admin},
        health::Obstacle,
        http,
    },
};

/// One: so what is shown stands in the order in which it happened.
const PARTITIONS: u32 = 1;
/// So long what has been written may take to be decided.
const PATIENCE_MS: i64 = 60_000;

/// A directory that goes when this does.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> Result<Directory, Exit> {
        let path = std::env::temp_dir().join(format!("holdfast-demo-{}", uuid::Uuid::now_v7()));
        fs::create_dir_all(&path).map_err(|error| {
            Exit::Unavailable(format!("{} cannot be made: {error}", path.display()))
        })?;
        Ok(Directory(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // It is in a place for what may be left over.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The traffic's way in, and the way out of what is decided.
enum Ground {
    Embedded(Embedded),
    Brokers(Box<OnBrokers>),
}

/// The service while it runs.
pub(super) struct Stage {
    ground: Ground,
    instruments: Arc<Instruments>,
    address: SocketAddr,
    admin: SocketAddr,
    stop: Arc<AtomicBool>,
    service: JoinHandle<Result<(), Broken>>,
    _runtime: Runtime,
}

impl Stage {
    /// Over a log within the process.
    pub(super) fn embedded(settings: Arc<Settings>, directory: &Directory) -> Result<Stage, Exit> {
        let log = Embedded::new(PARTITIONS);
        let dir = directory.path().to_owned();
        let of_service = log.clone();
        Stage::start(settings, Ground::Embedded(log), move |settings| {
            let kafka = &settings.service.kafka;
            let log = of_service;
            Ok(World {
                input: Box::new(log.input()),
                output: Box::new(log.clone()),
                shelf: Arc::new(shelf::Directory::new(&dir, &kafka.group, &kafka.input)),
                brokers: {
                    let log = log.clone();
                    Box::new(move || Brokers {
                        reachable: true,
                        ends: log.ends(),
                        at_end: log.at_end(),
                        ..Brokers::default()
                    })
                },
                log: Arc::new(log),
            })
        })
    }

    /// Over brokers.
    pub(super) fn on_brokers(settings: Arc<Settings>) -> Result<Stage, Exit> {
        let brokers = OnBrokers::new(&settings)?;
        let client = brokers.client().clone();
        Stage::start(settings, Ground::Brokers(Box::new(brokers)), move |settings| {
            run::world(&client, &settings.service, &Arc::default())
        })
    }

    fn start(
        settings: Arc<Settings>,
        ground: Ground,
        world: impl FnOnce(&Settings) -> Result<World, Broken> + Send + 'static,
    ) -> Result<Stage, Exit> {
        let unavailable = |error: String| Exit::Unavailable(error);
        let instruments =
            Instruments::new(&settings.ruleset).map_err(|e| unavailable(e.to_string()))?;
        let stop = Arc::new(AtomicBool::new(false));
        let runtime = Runtime::new().map_err(|error| unavailable(error.to_string()))?;
        let listen = |address, key| {
            let listener = runtime.block_on(http::listen(address, key)).map_err(unavailable)?;
            Ok::<_, Exit>((listener.local_addr()?, listener))
        };
        let (address, listener) = listen(settings.service.metrics, "metrics")?;
        runtime.spawn(http::serve(listener, instruments.clone()));
        let (admin, listener) = listen(settings.service.admin, "admin")?;
        let partitions = match &ground {
            Ground::Embedded(_) => PARTITIONS,
            Ground::Brokers(brokers) => brokers.partitions(),
        };
        instruments.metrics.show_input_partitions(partitions as usize);
        let partitions = Arc::new(OnceLock::from(partitions));
        let of_admin = Admin {
            instruments: instruments.clone(),
            settings: settings.clone(),
            instance: "demo".to_owned(),
            partitions,
        };
        runtime.spawn(admin::serve(listener, of_admin));
        instruments.health.cleared(Obstacle::Starting);
        let service = std::thread::spawn({
            let (instruments, stop) = (instruments.clone(), stop.clone());
            move || {
                let terms = run::terms(settings.clone());
                service::run(world(&settings)?, &terms, &instruments, &stop)
            }
        });
        Ok(Stage { ground, instruments, address, admin, stop, service, _runtime: runtime })
    }

    /// What is to be seen where, in words.
    pub(super) fn where_to_look(&self, directory: &Directory) -> String {
        let mut words = format!(
            "metrics    http://{0}/metrics\nhealth     http://{0}/readyz\nstate      http://{2}/\nsnapshots  {1} (until it \
             ends)\n",
            self.address,
            directory.path().display(),
            self.admin
        );
        if let Ground::Brokers(brokers) = &self.ground {
            words.push_str(&brokers.where_to_look());
        }
        words
    }

    /// One more event of this account.
    pub(super) fn append(&self, account: &str, at_ms: i64, payload: &[u8]) -> Result<(), Exit> {
        self.still_runs()?;
        match &self.ground {
            Ground::Embedded(log) => log.append(account, at_ms, payload),
            Ground::Brokers(brokers) => brokers.append(account, payload)?,
        }
        Ok(())
    }

    /// The decisions, follow-ups and case records since this was last asked.
    pub(super) fn written(&self) -> Result<Vec<Vec<u8>>, Exit> {
        let all = match &self.ground {
            Ground::Embedded(log) => log.written(),
            Ground::Brokers(brokers) => return brokers.written(),
        };
        let decisions = all.into_iter().filter(|(to, _)| *to == Destination::Decisions);
        Ok(decisions.map(|(_, bytes)| bytes).collect())
    }

    /// Waits until everything is decided.
    pub(super) fn settle(
        &self,
        mut each: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<(), Exit> {
        let begin_ms = epoch_ms();
        loop {
            self.still_runs()?;
            let lag = match &self.ground {
                Ground::Embedded(log) => log.lag(),
                Ground::Brokers(brokers) => brokers.lag()?,
            };
            self.written()?.iter().try_for_each(|output| each(output))?;
            if lag == 0 {
                return Ok(self.written()?.iter().try_for_each(|output| each(output))?);
            }
            if epoch_ms() > begin_ms + PATIENCE_MS {
                let why: Vec<String> =
                    self.instruments.health.obstacles().into_iter().map(|o| o.1).collect();
                let why = why.join("; ");
                return Err(Exit::Unavailable(format!("{lag} events are not decided: {why}")));
            }
            pause(Duration::from_millis(10));
        }
    }

    fn still_runs(&self) -> Result<(), Exit> {
        match self.service.is_finished() {
            true => Err(Exit::Unavailable("the service has ended: see above".to_owned())),
            false => Ok(()),
        }
    }

    /// Ends the service in order; the events by fate, of which it shows the last as it ends.
    pub(super) fn end(self) -> Result<Vec<(&'static str, u64)>, Exit> {
        self.stop.store(true, Ordering::SeqCst);
        match self.service.join() {
            Ok(ended) => ended.map_err(|broken| Exit::Unavailable(broken.to_string()))?,
            Err(_) => {
                return Err(Exit::Unavailable("the service has failed: see above".to_owned()));
            }
        }
        let metrics = &self.instruments.metrics;
        Ok(Fate::ALL.map(|fate| (fate.name(), metrics.events_of(fate))).to_vec())
    }
}

#[expect(clippy::disallowed_methods, reason = "the demo waits for people and for the service")]
pub(super) fn pause(length: Duration) {
    std::thread::sleep(length);
}
