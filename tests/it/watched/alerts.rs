//! Faults: the right alert fires, no wrong one does, and readiness says why.

use std::time::Duration;

use serde_json::Value;

use super::{PATIENCE, Watched, live, minutes, now_ms};
use crate::support::{
    kafka::{
        broker::Broker,
        feed::{Event, Stream, produce},
        shared,
    },
    names::{ids, must_name_nobody},
    process::within,
    s3::ObjectStore,
    service::{Instance, shipped_ruleset},
    slow_disk::SlowDisk,
};

/// Whether decisions come in time depends on how fast the machine is: when these fire only
/// promtool's tests say.
const OF_THE_MACHINE: &[&str] = &["HoldfastDecisionsLate", "HoldfastDecisionsSlowlyLate"];
/// How many records wait while nobody reads them, and after it, is a matter of the pace.
const OF_AN_OUTAGE: &[&str] = &["HoldfastLagGrowing"];
/// What share of decisions is usual shows only once there has been steady traffic for a while.
const OF_THE_TRAFFIC: &[&str] = &["HoldfastHoldRateHigh", "HoldfastHoldRateZero"];

/// It decides what is written.
const DECIDED: &str = "sum(rate(holdfast_events_total[5s])) > 100";

fn name(alert: &Value) -> String {
    alert["labels"]["alertname"].as_str().expect("alerts have names").to_owned()
}

impl Watched {
    /// From now on all alerts are judged but these, and those of the machine.
    fn judge_all_but(&mut self, alerts: &[&[&'static str]]) {
        self.not_judged = [alerts.concat(), OF_THE_MACHINE.to_vec()].concat();
    }

    /// The alerts that fire, those aside that are not judged.
    fn firing(&self) -> Vec<Value> {
        let judged = |alert: &Value| !self.not_judged.contains(&name(alert).as_str());
        self.prometheus.firing().into_iter().filter(judged).collect()
    }

    /// Waits until this one fires, says what it says, and sees that no others do but `also`.
    #[track_caller]
    fn must_fire(&self, alert: &str, also: &[&str]) -> Value {
        let fires = || self.firing().into_iter().find(|firing| name(firing) == alert);
        let Some(found) = within(PATIENCE, fires) else {
            panic!("{alert} does not fire, but {:?}", self.firing())
        };
        for annotation in ["summary", "description", "runbook_url"] {
            let said = found["annotations"][annotation].as_str().unwrap_or_default();
            assert!(!said.is_empty() && !said.contains("<no value>"), "{alert}: {found}");
            assert!(!said.contains("error"), "{alert}: {found}");
        }
        for firing in self.firing().iter().map(name) {
            assert!(firing == alert || also.contains(&firing.as_str()), "{firing} fires too");
        }
        found
    }

    /// Nothing fires for so many seconds, which are minutes of the rules.
    #[track_caller]
    fn must_stay_quiet(&self, seconds: u64) {
        for _ in 0..seconds {
            minutes(1);
            assert!(self.firing().is_empty(), "{:?}", self.firing());
        }
    }

    /// How many snapshots have been kept.
    fn snapshots(&self) -> f64 {
        self.prometheus.query("sum(holdfast_snapshots_total)").first().map_or(0.0, |one| one.1)
    }

    #[track_caller]
    fn must_be_quiet(&self) {
        let quiet = within(PATIENCE, || self.firing().is_empty().then_some(()));
        assert!(quiet.is_some(), "{:?}", self.firing());
    }
}

/// Waits until it says that it is not ready, for this reason; what it says of it.
#[track_caller]
fn not_ready(instance: &Instance, reason: &str) -> String {
    let says = || {
        let (status, body) = instance.get("/readyz")?;
        let body: Value = serde_json::from_str(&body).ok()?;
        let found = body["reasons"].as_array()?.iter().find(|one| one["reason"] == reason)?;
        (status == 503).then(|| found["detail"].as_str().map(str::to_owned))?
    };
    within(PATIENCE, says).unwrap_or_else(|| panic!("{reason}: {:?}", instance.get("/readyz")))
}

/// An authorization of an account of its own, at this time.
fn authorization(number: u32, time_ms: i64) -> Event {
    let text = format!(
        r#"{{"event_id":"x-{number}","event_time":{time_ms},"account_id":"x","amount_minor":1,"currency":"JPY"}}"#
    );
    Event { key: Some(b"x".to_vec()), payload: Some(text.into_bytes()), timestamp_ms: time_ms }
}

#[test]
fn the_right_alert_fires_and_no_wrong_one() {
    let _turn = crate::service::alone();
    let mut broker = Broker::start();
    let disk = SlowDisk::build();
    let mut watched = Watched::new(&broker.address(), &shipped_ruleset());
    watched.deployment = watched.deployment.in_environment(disk.environment());
    let instance = watched.start();
    let stream = Stream::start(watched.input(), 300, live(3, 300_000));

    // Nothing is wrong.
    watched.judge_all_but(&[OF_THE_TRAFFIC]);
    watched.wait_for("sum(holdfast_snapshots_total) > 2");
    minutes(20);
    watched.must_be_quiet();
    // What was usual half an hour ago is known by then.
    minutes(40);
    watched.must_be_quiet();

    // The broker is stopped: it says so, and goes on by itself.
    watched.judge_all_but(&[OF_AN_OUTAGE]);
    broker.stop();
    let why = not_ready(&instance, "brokers");
    assert!(!why.is_empty());
    let also =
        ["HoldfastTransactionsFailing", "HoldfastPartitionsUndecided", "HoldfastRebalancing"];
    let alert = watched.must_fire("HoldfastCutOff", &also);
    assert_eq!(alert["labels"]["severity"], "critical");
    broker.start_again();
    let ready = within(PATIENCE, || instance.is_ready().then_some(()));
    assert!(ready.is_some(), "{:?}", instance.get("/readyz"));
    watched.must_be_quiet();

    // Nothing of it waits any more, there are snapshots of afterwards, and everything is judged.
    watched.wait_for("job:holdfast_lag_records:sum < 500");
    watched.wait_for("max(time() - holdfast_snapshot_timestamp_seconds) < 8");
    watched.must_be_quiet();
    watched.judge_all_but(&[]);

    // A flood of poison: refused, and nothing else suffers.
    let poison = (0..).map(|_| Event {
        key: None,
        payload: Some(b"{ no JSON".to_vec()),
        timestamp_ms: now_ms(),
    });
    let flood = Stream::start(watched.input(), 200, poison);
    let alert = watched.must_fire("HoldfastDeadLetters", &[]);
    assert_eq!(alert["labels"]["reason"], "invalid_json");
    assert!(instance.is_ready());
    flood.stop();
    watched.must_be_quiet();

    // A disk that takes longer for a snapshot than from one to the next: they come less often.
    disk.delay(2000);
    let before = watched.snapshots();
    watched.must_stay_quiet(30);
    watched.wait_for(DECIDED);
    assert!(instance.is_ready() && watched.snapshots() > before);

    // One that is so slow that snapshots do not arrive at all: decisions do.
    disk.hang();
    watched.must_fire("HoldfastSnapshotOld", &[]);
    let before = watched.snapshots();
    watched.wait_for(DECIDED);
    minutes(5);
    assert!(instance.is_ready());
    assert_eq!(watched.snapshots(), before);
    disk.go_on();
    watched.must_be_quiet();
    watched.wait_for(&format!("sum(holdfast_snapshots_total) > {before}"));

    // Nobody is there, and of nobody it is known how much was held.
    let ids = ids(live(3, 300_000));
    must_name_nobody("the log", &instance.whole_log(), &ids);
    watched.judge_all_but(&[OF_AN_OUTAGE, OF_THE_TRAFFIC]);
    instance.kill();
    watched.must_fire("HoldfastAllDown", &[]);

    // The disk is full: decisions go on.
    let mut full = watched.deployment.start_without_room(0);
    full.wait_until_ready();
    watched.prometheus.scrape(&[full.port()]);
    watched.must_fire("HoldfastSnapshotsFailing", &["HoldfastSnapshotOld", "HoldfastAllDown"]);
    watched.must_fire("HoldfastSnapshotOld", &["HoldfastSnapshotsFailing"]);
    assert!(full.is_ready());
    full.terminate();
    let instance = watched.start();
    watched.must_be_quiet();

    // A clock of the future is believed, because its record is of the future too.
    stream.stop();
    produce(watched.input(), [authorization(1, now_ms() + 40 * 60_000)]);
    watched.must_fire("HoldfastClockAhead", &[]);
    instance.terminate();
}

#[test]
fn where_snapshots_hang_decisions_go_on_and_their_age_is_told() {
    let _turn = crate::service::alone();
    let store = ObjectStore::start();
    let mut watched = Watched::new(&shared(), &shipped_ruleset());
    watched.judge_all_but(&[OF_THE_TRAFFIC]);
    watched.deployment = watched.deployment.sharing(&store.url(), store.environment());
    let instance = watched.start();
    let stream = Stream::start(watched.input(), 300, live(5, 300_000));
    watched.wait_for("sum(holdfast_snapshots_total) > 2");
    watched.must_be_quiet();

    store.hang(Duration::from_secs(45));
    watched.must_fire("HoldfastSnapshotOld", &[]);
    watched.wait_for(DECIDED);
    assert!(instance.is_ready());
    watched.must_be_quiet();

    // Its end does not wait for them for ever.
    store.hang(Duration::from_secs(120));
    minutes(3);
    instance.terminate();
    stream.stop();
    let mut instances = [watched.deployment.start(0)];
    watched.deployment.wait_until_done(PATIENCE, &mut instances);
    instances.into_iter().for_each(Instance::kill);
    watched.deployment.must_be_exact();
}
