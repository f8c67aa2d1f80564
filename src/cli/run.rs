//! `holdfast run`: the service.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};
use tracing::{error, info, warn};
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::{
    config::{Service, Settings, service::Kafka},
    io::{
        clock::{epoch_ms, pause},
        instance::{self, Instance},
        kafka::{
            client::Client,
            input::{KafkaInput, Member},
            log::KafkaLog,
            output::KafkaOutput,
            standing::Memory,
            topics,
        },
        memory, shared,
    },
    pipeline::{ports::Broken, restore::Setup, worker::Pace},
    service::{
        self, Brokers, CrashAt, Instruments, Terms, World,
        admin::{self, Admin},
        health::{Health, Obstacle},
        http,
    },
};

use super::{Exit, configuration};

/// So much may wait to be delivered.
const WAITING_BYTES: usize = 16 << 20;
/// So often within so long everything may be begun anew.
const ANEW_MAX: u64 = 3;
const ANEW_SPAN_MS: i64 = 120_000;
/// Copying so many takes a few milliseconds, on a busy machine as well (`benches/engine.rs`),
const COPIED_ENTRIES: usize = 5000;
/// as long as a snapshot of them has no more bytes.
const COPIED_BYTES: usize = 512 << 10;

/// Decide what comes from Kafka, and write the decisions to Kafka.
///
/// Reads the events of the input topic as a member of a consumer group, and writes decisions and dead
/// letters in one transaction with the offsets: killed anywhere, its output is what `replay` gives of
/// the same log. Ends on SIGTERM and SIGINT, with everything delivered.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Exit> {
    memory::give_back_at_once();
    let settings = Arc::new(configuration::load(&args.config)?);
    let logs_json = settings.service.logs_json;
    log_to_standard_error(logs_json);
    let runtime = Runtime::new()
        .map_err(|error| Exit::Unavailable(format!("no threads can be started: {error}")))?;
    let stop = Arc::new(AtomicBool::new(false));
    listen_to_signals(&runtime, &stop);
    let outcome = run_on(&runtime, settings, &stop);
    // What still waits for brokers ends with the program.
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome.map_err(|exit| if logs_json { logged(exit) } else { exit })
}

fn run_on(runtime: &Runtime, settings: Arc<Settings>, stop: &Arc<AtomicBool>) -> Result<(), Exit> {
    let service = settings.service.clone();
    service::panics::tell_places();
    let place = take_place(&service)?;
    let client = Client::new(&service.kafka, place.name.clone())
        .map_err(|why| Exit::Configuration(format!("error: {why}")))?;

    let ruleset = &settings.ruleset;
    let instruments = Instruments::new(ruleset)
        .map_err(|error| Exit::Unavailable(format!("the metrics cannot be made: {error}")))?;
    let kafka = &service.kafka;
    let (group, input) = (&kafka.group, &kafka.input);
    instruments.metrics.show_instance(&client.instance, group, input, kafka.exactly_once);
    let listener = http::listen(service.metrics, "metrics");
    let listener = runtime.block_on(listener).map_err(Exit::Unavailable)?;
    runtime.spawn(http::serve(listener, instruments.clone()));
    let admin = Admin {
        instruments: instruments.clone(),
        settings: settings.clone(),
        instance: client.instance.clone(),
        partitions: Arc::default(),
    };
    serve_admin(runtime, &service, admin.clone());
    info!(
        version = env!("CARGO_PKG_VERSION"),
        ruleset = %ruleset.identity,
        instance = client.instance,
        metrics = %service.metrics,
        "starting"
    );

    let Some(partitions) =
        runtime.block_on(check(&client, &settings, &instruments.health, stop))?
    else {
        info!("ended");
        return Ok(());
    };
    let _ = admin.partitions.set(partitions as u32);
    instruments.metrics.show_input_partitions(partitions);
    if partitions > 1 && !ruleset.single_partition.is_empty() {
        let counters = ruleset.single_partition.clone();
        return Err(crate::replay::Stop::SeveralPartitions(counters).into());
    }
    let decide = || decide(&client, settings.clone(), &service, &instruments, stop);
    let outcome = catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|_| {
        Err(Broken::ForGood("the scoring loop has failed: see the panic above".to_owned()))
    });
    outcome.map_err(|broken| Exit::Unavailable(broken.to_string()))?;
    info!("ended");
    Ok(())
}

/// Says why it ends as a line of the log, for those who read nothing else.
fn logged(exit: Exit) -> Exit {
    let (code, message) = exit.told();
    if !message.is_empty() {
        error!(code, reason = message.trim_start_matches("error: "), "it cannot go on");
    }
    Exit::Told(code)
}

fn decide(
    client: &Client,
    settings: Arc<Settings>,
    service: &Service,
    instruments: &Arc<Instruments>,
    stop: &Arc<AtomicBool>,
) -> Result<(), Broken> {
    let (terms, memory) = (terms(settings), Arc::default());
    let (mut times, mut since_ms) = (0, epoch_ms());
    loop {
        let outcome = service::run(world(client, service, &memory)?, &terms, instruments, stop);
        let why = match outcome {
            Err(Broken::Stuck(why)) => {
                warn!(reason = why, "begun anew");
                continue;
            }
            Err(Broken::Anew(why)) => why,
            outcome => return outcome,
        };
        // A broker that comes back can mistake a member for another one; once, not again and again.
        if epoch_ms() > since_ms + ANEW_SPAN_MS {
            (times, since_ms) = (0, epoch_ms());
        }
        times += 1;
        if times > ANEW_MAX {
            return Err(Broken::ForGood(why));
        }
        instruments.health.obstacle(Obstacle::Fenced, format!("it begins anew: {why}"));
        warn!(reason = why, "begun anew");
        pause(Duration::from_millis(500 * times));
    }
}

/// Questions can be asked where the port is free: nothing that is decided depends on it, and several
/// instances may share a machine.
fn serve_admin(runtime: &Runtime, service: &Service, admin: Admin) {
    match runtime.block_on(http::listen(service.admin, "admin")) {
        Ok(listener) => drop(runtime.spawn(admin::serve(listener, admin))),
        Err(why) => warn!(reason = why, "the state cannot be looked into at the admin port"),
    }
}

/// Kafka as the service's world, and a directory for its snapshots; `memory` outlives it.
pub(super) fn world(
    client: &Client,
    service: &Service,
    memory: &Arc<Mutex<Memory>>,
) -> Result<World, Broken> {
    let member = Member::join(client).map_err(Broken::ForGood)?;
    let Kafka { group, input, .. } = &service.kafka;
    let shelf = shared::shelf(&service.state, group, input).map_err(Broken::ForGood)?;
    let seen = member.clone();
    let log = KafkaLog::new(client.clone(), member.clone());
    let input = KafkaInput::new(member.clone(), log.clone(), service.kafka.start);
    let crash = crash_point();
    let (log, shelf) = crash.around(Arc::new(log), shelf);
    let output = KafkaOutput::new(client.clone(), member, memory.clone(), Box::new(crash));
    let producer = output.figures();
    Ok(World {
        input: Box::new(input),
        output: Box::new(output),
        log,
        shelf,
        brokers: Box::new(move || {
            let seen = seen.seen();
            let producer = producer.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let clients = [("consumer", seen.figures), ("producer", producer)];
            Brokers {
                reachable: seen.reachable,
                ends: seen.ends,
                at_end: seen.at_end,
                clients: clients.into_iter().filter_map(|(n, of)| Some((n, of?))).collect(),
            }
        }),
    })
}

/// How the service goes, by its settings.
pub(super) fn terms(settings: Arc<Settings>) -> Terms {
    let service = &settings.service;
    Terms {
        pace: Pace {
            commit_interval_ms: service.kafka.commit_interval_ms,
            snapshot_interval_ms: service.state.snapshot_interval_ms,
            waiting_bytes: WAITING_BYTES,
            copied_entries: COPIED_ENTRIES,
            copied_bytes: COPIED_BYTES,
        },
        snapshots: service.state.snapshots,
        ticks: service.ticks,
        shutdown_timeout_ms: service.shutdown_timeout_ms,
        setup: Arc::new(Setup {
            start: service.kafka.start,
            may_warm: service.state.may_warm,
            settings,
        }),
    }
}

/// The name of this instance: as configured, or as the state directory remembers it.
fn take_place(service: &Service) -> Result<Instance, Exit> {
    let dir = Path::new(&service.state.dir);
    instance::take(dir, service.kafka.instance.clone(), chance()).map_err(|error| {
        Exit::Unavailable(format!(
            "the state directory {} cannot be used: {error} ([state] dir = \"...\")",
            dir.display()
        ))
    })
}

/// Looks at the topics until the brokers answer. How many partitions the input has; nothing if it was
/// told to end meanwhile.
async fn check(
    client: &Client,
    settings: &Settings,
    health: &Health,
    stop: &AtomicBool,
) -> Result<Option<usize>, Exit> {
    tokio::select! {
        checked = check_until_answered(client, settings, health) => checked.map(Some),
        () = told_to_end(stop) => Ok(None),
    }
}

async fn check_until_answered(
    client: &Client,
    settings: &Settings,
    health: &Health,
) -> Result<usize, Exit> {
    const PAUSE_MAX: Duration = Duration::from_secs(10);
    let mut pause = Duration::from_millis(250);
    loop {
        let report = topics::check(client, settings.ruleset.longest_ms()).await;
        report.warnings.iter().for_each(|warning| warn!("{warning}"));
        match report.unreachable {
            Some(why) => {
                let brokers = client.kafka.brokers.as_deref().unwrap_or_default();
                warn!(brokers, reason = why, "the brokers do not answer");
                health.obstacle(Obstacle::Brokers, why);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            None if report.errors.is_empty() && report.partitions > 0 => {
                // What comes next is to get a share; between the two it is not ready.
                health.obstacle(Obstacle::Group, "waiting for a share of the input");
                health.cleared(Obstacle::Starting);
                health.cleared(Obstacle::Brokers);
                return Ok(report.partitions);
            }
            // Topics that have just been made are not known everywhere at once.
            None if report.errors.is_empty() => tokio::time::sleep(pause).await,
            None => return Err(Exit::Unavailable(report.errors.join("\nerror: "))),
        }
    }
}

/// Returns once the program is to end.
async fn told_to_end(stop: &AtomicBool) {
    const LOOK: Duration = Duration::from_millis(20);
    while !stop.load(Ordering::SeqCst) {
        tokio::time::sleep(LOOK).await;
    }
}

/// From here on, signals end it in order.
fn listen_to_signals(runtime: &Runtime, stop: &Arc<AtomicBool>) {
    let _entered = runtime.enter();
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
        warn!("signals cannot be waited for: it ends without taking leave");
        return;
    };
    let stop = stop.clone();
    runtime.spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.store(true, Ordering::SeqCst);
    });
}

fn log_to_standard_error(json: bool) {
    let filter = EnvFilter::builder().with_env_var("HOLDFAST_LOG").try_from_env();
    let filter = filter
        .unwrap_or_else(|_| EnvFilter::new("info,librdkafka=off,rdkafka=off,object_store=warn"));
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let registry = tracing_subscriber::registry().with(filter);
    // A second one in the same process (a test) keeps the first.
    let _ = match json {
        true => registry.with(layer.json().flatten_event(true)).try_init(),
        false => registry.with(layer.with_ansi(false)).try_init(),
    };
}

#[expect(clippy::disallowed_methods, reason = "only tests set it")]
fn crash_point() -> CrashAt {
    CrashAt::named(std::env::var("HOLDFAST_CRASH_AT").ok().as_deref())
}

/// Enough of it for a name.
fn chance() -> u64 {
    (epoch_ms() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(std::process::id())
}
