//! `holdfast demo`: the whole service on generated traffic, and what it decides, on the terminal.
//!
//! It is the service that `run` starts: the same loop, snapshots, metrics and health, over a log
//! within the process, or over real brokers with `--kafka`. Only the traffic, its pace and the words
//! are for people.

mod broker;
mod show;
mod stage;

use std::time::{Duration, Instant};

use crate::{
    config::Settings,
    traffic::{self, Traffic},
};

use super::Exit;
use show::Show;
use stage::Stage;

/// Run the service on generated traffic, and show what it decides and why.
///
/// It needs nothing: the log is within the process. With --kafka it is on brokers of yours. It ends
/// by itself with a summary, and decides by the ruleset in config/holdfast.toml as it was when the
/// program was built.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long it takes, about, in seconds
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=3600))]
    seconds: u64,
    /// Another seed gives other traffic
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Brokers to run it on: topics of its own are made there
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// Where metrics and health are shown; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    metrics: String,
}

/// The default ruleset, so that there is nothing to install.
const RULESET: &str = include_str!("../../config/holdfast.toml");
/// Two days: both stories are told in it, to the call that ends a suspension.
const EVENTS: u64 = 16_000;
const SPAN_MS: i64 = 48 * 3_600_000;

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Exit> {
    let directory = stage::Directory::new()?;
    let settings = args.settings(&directory)?;
    let mut traffic = Traffic::new(traffic::Settings {
        seed: args.seed,
        ..traffic::Settings::natural(EVENTS, SPAN_MS)
    });
    let mut show = Show::new(settings.ruleset.timezone.clone());
    let stage = match &args.kafka {
        None => Stage::embedded(settings.clone(), &directory)?,
        Some(_) => Stage::on_brokers(settings.clone())?,
    };
    show.opening(&settings, &stage.where_to_look(&directory))?;

    let pace = Pace::new(Duration::from_secs(args.seconds), EVENTS);
    let (mut line, mut number) = (String::new(), 0);
    loop {
        line.clear();
        let Some(stamp) = traffic.next_into(&mut line) else { break };
        show.event(&line);
        stage.append(&traffic::account_id(stamp.account), stamp.arrival_ms, line.as_bytes())?;
        number += 1;
        if pace.wait(number) {
            stage.written()?.iter().try_for_each(|output| show.output(output))?;
        }
    }
    stage.settle(|output| show.output(output))?;
    let fates = stage.end()?;
    Ok(show.closing(&settings, number, &fates)?)
}

impl Args {
    /// The default ruleset on a stage of its own: every decision is written, to be counted.
    fn settings(&self, directory: &stage::Directory) -> Result<std::sync::Arc<Settings>, Exit> {
        let mut set = vec![
            ("HOLDFAST__OUTPUT__EMIT", "all".to_owned()),
            ("HOLDFAST__STATE__DIR", directory.path().display().to_string()),
            ("HOLDFAST__STATE__SNAPSHOT_INTERVAL", "5s".to_owned()),
            ("HOLDFAST__METRICS__LISTEN", self.metrics.clone()),
            ("HOLDFAST__ADMIN__LISTEN", "127.0.0.1:0".to_owned()),
        ];
        if let Some(brokers) = &self.kafka {
            let run = uuid::Uuid::now_v7().simple().to_string();
            let topic = |name: &str| format!("holdfast-demo.{run}.{name}");
            set.push(("HOLDFAST__KAFKA__BROKERS", brokers.clone()));
            set.push(("HOLDFAST__KAFKA__INPUT", topic("events")));
            set.push(("HOLDFAST__KAFKA__OUTPUT", topic("decisions")));
            set.push(("HOLDFAST__KAFKA__DEAD_LETTERS", topic("dead_letters")));
            set.push(("HOLDFAST__KAFKA__GROUP", format!("holdfast-demo-{run}")));
            set.push(("HOLDFAST__KAFKA__CREATE_TOPICS", "true".to_owned()));
        }
        let set: Vec<(String, String)> =
            set.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Settings::read("config/holdfast.toml", RULESET.to_owned(), &set)
            .map(std::sync::Arc::new)
            .map_err(|problems| Exit::Configuration(problems.to_string()))
    }
}

/// So many events in so much time.
struct Pace {
    began: Instant,
    length: Duration,
    events: u64,
}

impl Pace {
    #[expect(
        clippy::disallowed_methods,
        reason = "a pace for people; nothing decided depends on it"
    )]
    fn new(length: Duration, events: u64) -> Pace {
        Pace { began: Instant::now(), length, events }
    }

    /// Waits where there is time for it; says whether there was.
    fn wait(&self, number: u64) -> bool {
        let due = self.length.mul_f64(number as f64 / self.events as f64);
        let early = due.checked_sub(self.began.elapsed()).unwrap_or_default();
        if early < Duration::from_millis(20) {
            return false;
        }
        stage::pause(early);
        true
    }
}
