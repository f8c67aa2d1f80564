//! Every metric, documented where it is defined. Names and units follow the conventions of
//! Prometheus; labels come from closed sets, and never name a card, an account or an event.

use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder, proto::MetricFamily,
};

use crate::{
    decision::{Action, Answer, Fate, Reason},
    engine::{Ruleset, Tally},
    pipeline::statistics::Statistics,
};

/// The metrics of a service.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    events: IntCounterVec,
    dead_letters: IntCounterVec,
    decisions: IntCounterVec,
    rule_hits: IntCounterVec,
    rule_errors: IntCounterVec,
    degraded: IntCounter,
    /// Seconds from a batch of records to their decisions, a record.
    pub service_seconds: Histogram,
    /// Seconds that a transaction took, from its beginning until it stands.
    pub commit_seconds: Histogram,
    /// Seconds from the timestamp of a record to its committed decision.
    pub end_to_end_seconds: Histogram,
    /// Transactions that did not stand and were sent again.
    pub commit_failures: IntCounter,
    /// Changes of this instance's share of the input.
    pub rebalances: IntCounter,
    /// Records by partition that are in the input and not decided.
    pub lag_records: IntGaugeVec,
    /// Partitions by what is done with them.
    pub partitions: IntGaugeVec,
    /// Records that a partition being restored still has to read again.
    pub restore_records: IntGaugeVec,
    /// Snapshots that were kept.
    pub snapshots: IntCounter,
    /// Snapshots that could not be kept.
    pub snapshot_failures: IntCounter,
    /// Seconds that a snapshot took, from the state to the disk.
    pub snapshot_seconds: Histogram,
    /// When the last snapshot was kept, in epoch seconds.
    pub snapshot_timestamp_seconds: Gauge,
    /// Bytes of the last snapshot.
    pub snapshot_bytes: IntGauge,
    /// Is the service ready?
    pub ready: IntGauge,
}

/// From a microsecond to ten seconds.
const SERVICE_BUCKETS: &[f64] =
    &[1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 0.1, 1.0];
/// From a millisecond to a minute.
const COMMIT_BUCKETS: &[f64] = &[
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0,
    2.0, 5.0, 10.0, 60.0,
];

impl Metrics {
    /// Of a service with this ruleset, all of them there from the start.
    ///
    /// # Errors
    /// Two have one name, which is a defect.
    pub fn new(ruleset: &Ruleset) -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let made = Maker { registry: &registry };
        let info = made.gauges(
            "holdfast_build_info",
            "The version of the program; always 1.",
            &["version"],
        )?;
        info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let ruleset_info = made.gauges(
            "holdfast_ruleset_info",
            "The identity of the ruleset that decides; always 1.",
            &["ruleset"],
        )?;
        ruleset_info.with_label_values(&[&ruleset.identity]).set(1);
        let metrics = Metrics {
            events: made.counters("holdfast_events_total", "Events by fate.", &["fate"])?,
            dead_letters: made.counters(
                "holdfast_dead_letters_total",
                "Refused events by reason.",
                &["reason"],
            )?,
            decisions: made.counters(
                "holdfast_decisions_total",
                "Decisions and follow-ups by action.",
                &["action"],
            )?,
            rule_hits: made.counters(
                "holdfast_rule_hits_total",
                "How often a rule held, by rule and mode.",
                &["rule", "mode"],
            )?,
            rule_errors: made.counters(
                "holdfast_rule_errors_total",
                "How often a rule failed and did not hold for it, by rule.",
                &["rule"],
            )?,
            degraded: made.counter(
                "holdfast_degraded_decisions_total",
                "Decisions whose windows reach behind what events_per_key keeps.",
            )?,
            service_seconds: made.histogram(
                "holdfast_service_seconds",
                "Seconds of the scoring loop for a record, from bytes to decision.",
                SERVICE_BUCKETS,
            )?,
            commit_seconds: made.histogram(
                "holdfast_commit_seconds",
                "Seconds from the beginning of a transaction until it stands.",
                COMMIT_BUCKETS,
            )?,
            end_to_end_seconds: made.histogram(
                "holdfast_end_to_end_seconds",
                "Seconds from the timestamp of a record until its decision stands.",
                COMMIT_BUCKETS,
            )?,
            commit_failures: made.counter(
                "holdfast_commit_failures_total",
                "Transactions that did not stand and were sent again.",
            )?,
            rebalances: made.counter(
                "holdfast_rebalances_total",
                "Changes of this instance's share of the input.",
            )?,
            lag_records: made.gauges(
                "holdfast_lag_records",
                "Records of a partition that are not decided yet.",
                &["partition"],
            )?,
            partitions: made.gauges(
                "holdfast_partitions",
                "Partitions of this instance by state.",
                &["state"],
            )?,
            restore_records: made.gauges(
                "holdfast_restore_records",
                "Records that a partition still has to read again to be restored.",
                &["partition"],
            )?,
            snapshots: made.counter("holdfast_snapshots_total", "Snapshots that were kept.")?,
            snapshot_failures: made
                .counter("holdfast_snapshot_failures_total", "Snapshots that could not be kept.")?,
            snapshot_seconds: made.histogram(
                "holdfast_snapshot_seconds",
                "Seconds that keeping a snapshot took.",
                COMMIT_BUCKETS,
            )?,
            snapshot_timestamp_seconds: made.float_gauge(
                "holdfast_snapshot_timestamp_seconds",
                "When the last snapshot was kept, in seconds since the epoch.",
            )?,
            snapshot_bytes: made
                .gauge("holdfast_snapshot_bytes", "The size of the last snapshot that was kept.")?,
            ready: made.gauge("holdfast_ready", "1 if the service is ready, else 0.")?,
            registry,
        };
        metrics.show(&Statistics::default(), &Tally::default(), ruleset);
        Ok(metrics)
    }

    /// Shows what has been counted so far: all of it, not what has been added.
    pub fn show(&self, statistics: &Statistics, tally: &Tally, ruleset: &Ruleset) {
        let set =
            |counter: &IntCounter, value: u64| counter.inc_by(value - counter.get().min(value));
        for fate in Fate::ALL {
            set(&self.events.with_label_values(&[fate.name()]), statistics.of_fate(fate));
        }
        for reason in Reason::ALL {
            let count = statistics.of_reason(reason);
            set(&self.dead_letters.with_label_values(&[reason.name()]), count);
        }
        for action in Action::ALL {
            set(&self.decisions.with_label_values(&[action.name()]), statistics.of_action(action));
        }
        for answer in Answer::ALL {
            set(&self.decisions.with_label_values(&[answer.name()]), statistics.of_answer(answer));
        }
        for (at, rule) in ruleset.rules.iter().enumerate() {
            let mode = if rule.shadow { "shadow" } else { "live" };
            let of = |counts: &Vec<u64>| counts.get(at).copied().unwrap_or(0);
            set(&self.rule_hits.with_label_values(&[&rule.id, mode]), of(&tally.rule_hits));
            set(&self.rule_errors.with_label_values(&[&rule.id]), of(&tally.rule_errors));
        }
        set(&self.degraded, tally.degraded);
    }

    /// Events of this fate so far.
    pub fn events_of(&self, fate: Fate) -> u64 {
        self.events.with_label_values(&[fate.name()]).get()
    }

    /// All of them, in the text form of Prometheus.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory cannot fail, and every family is valid once it is registered.
        let _ = TextEncoder::new().encode(&self.families(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// All of them.
    pub fn families(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

struct Maker<'r> {
    registry: &'r Registry,
}

impl Maker<'_> {
    fn kept<C: prometheus::core::Collector + Clone + 'static>(
        &self,
        metric: C,
    ) -> prometheus::Result<C> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.kept(IntCounter::new(name, help)?)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.kept(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.kept(IntGauge::new(name, help)?)
    }

    fn float_gauge(&self, name: &str, help: &str) -> prometheus::Result<Gauge> {
        self.kept(Gauge::new(name, help)?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.kept(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> prometheus::Result<Histogram> {
        self.kept(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
    }
}
