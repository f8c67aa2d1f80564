//! Dashboards and alerts on the real thing: Prometheus scrapes a running service on a real broker,
//! under generated traffic, with faults.

mod alerts;
mod dashboards;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::{
    kafka::{
        feed::{Event, traffic},
        topics::Topic,
    },
    process::{pause, within},
    prometheus::Prometheus,
    service::{Deployment, Instance},
};

/// A minute of the rules is a second: so long may the slowest alert take, on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The service, what writes to it, and who watches.
struct Watched {
    prometheus: Prometheus,
    deployment: Deployment,
    /// Alerts of which nothing is said.
    not_judged: Vec<&'static str>,
}

impl Watched {
    fn new(address: &str, ruleset: &str) -> Watched {
        let deployment = Deployment::new(address, 2, ruleset);
        Watched { prometheus: Prometheus::start(), deployment, not_judged: Vec::new() }
    }

    /// Starts the instance of this number, and has only it watched.
    fn start(&self) -> Instance {
        let mut instance = self.deployment.start(0);
        instance.wait_until_ready();
        self.prometheus.scrape(&[instance.port()]);
        instance
    }

    fn input(&self) -> &Topic {
        &self.deployment.input
    }

    /// Waits for a query to give something.
    #[track_caller]
    fn wait_for(&self, expr: &str) {
        let there = within(PATIENCE, || (!self.prometheus.query(expr).is_empty()).then_some(()));
        assert!(there.is_some(), "nothing comes of {expr}");
    }
}

#[expect(clippy::disallowed_methods, reason = "records bear the time at which they are written")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64
}

/// Three days of traffic, so many events, at the pace at which they are taken; records bear the time
/// of day, as upstream's do.
fn live(seed: u64, events: u64) -> impl Iterator<Item = Event> + Send {
    traffic(seed, events).map(|event| Event { timestamp_ms: now_ms(), ..event })
}

/// Waits for seconds, which are minutes of the rules.
fn minutes(count: u64) {
    pause(count * 1000);
}
