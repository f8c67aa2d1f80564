//! Metrics: what each of them means ([`family`], `catalogue`), how it is shown (`table`), and what
//! the scoring loop has to tell ([`show`]). The loop counts in plain integers; nothing here is on the
//! way of an event.

mod catalogue;
pub mod family;
mod reference;
pub mod show;
mod system;
mod table;

use std::{collections::BTreeMap, sync::Arc};

use prometheus::{Encoder, Registry, TextEncoder, proto::MetricFamily};

pub(crate) use catalogue::*;
pub use catalogue::{ALL, OBSTACLES, PATHS};
use family::Family;
pub use reference::markdown;
use table::Table;

use crate::{
    decision::{Effect, Fate},
    engine::{Engine, Ruleset},
    io::clock::epoch_ms,
};

/// The metrics of a service: one table for each metric of the catalogue.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    tables: BTreeMap<&'static str, Table>,
    /// By group of counters, the fields that name its owners.
    owners: Vec<String>,
}

/// Metrics of the process are counted by a library.
fn is_of_the_library(family: &Family) -> bool {
    family.name.starts_with("process_") && family.name != PROCESS_START.name
}

impl Metrics {
    /// Of a service with this ruleset, all of them there from the start.
    ///
    /// # Errors
    /// Two have one name, which is a defect.
    pub fn new(ruleset: &Arc<Ruleset>) -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let mut tables = BTreeMap::new();
        for (_, family) in ALL.iter().filter(|(_, one)| !is_of_the_library(one)) {
            let table = Table::new(family)?;
            registry.register(Box::new(table.clone()))?;
            tables.insert(family.name, table);
        }
        #[cfg(target_os = "linux")]
        // It reads its start from where a unit that is shut in may not look.
        registry.register(Box::new(system::Process::without(PROCESS_START.name)))?;
        let engine = Engine::new(ruleset.clone());
        let owners = engine.owners().iter().map(|owner| joined(owner)).collect();
        let metrics = Metrics { registry, tables, owners };
        metrics.show_identity(ruleset, &engine);
        metrics.show_decided(&Default::default(), &Default::default(), ruleset);
        Ok(metrics)
    }

    /// The table of a metric.
    pub(crate) fn of(&self, family: &'static Family) -> &Table {
        &self.tables[family.name]
    }

    /// One more.
    pub(crate) fn count(&self, family: &'static Family, labels: &[&str]) {
        self.of(family).add(labels, 1.0);
    }

    fn show_identity(&self, ruleset: &Ruleset, engine: &Engine) {
        let (version, client) = (env!("CARGO_PKG_VERSION").to_owned(), librdkafka());
        self.of(&BUILD).show([([version, client], 1.0)]);
        self.of(&RULESET).show([([ruleset.identity.to_string()], 1.0)]);
        self.of(&RULE_INFO).show(ruleset.rules.iter().map(|rule| {
            let action = match rule.effect {
                Effect::Act(action) => action.name(),
                Effect::Points(_) => "points",
            };
            let category = rule.category.map_or("", |category| category.name());
            let labels = [&*rule.id, show::mode(rule), action, category];
            (labels.map(str::to_owned), 1.0)
        }));
        self.of(&FEATURE_INFO).show(ruleset.counters.iter().enumerate().map(|(at, counter)| {
            let owner = joined(&engine.owner_of(at));
            ([counter.name.clone(), owner, joined(&counter.key)], 1.0)
        }));
        self.of(&INPUT_PARTITIONS).show(None::<(Vec<String>, f64)>);
        self.of(&PROCESS_START).set(epoch_ms() as f64 / 1e3);
        self.of(&MEMORY_LIMIT).show(system::memory_limit().map(|limit| (vec![], limit as f64)));
    }

    /// As whom it works.
    pub fn show_instance(&self, member: &str, group: &str, input: &str, exactly_once: bool) {
        let delivery = if exactly_once { "exactly_once" } else { "at_least_once" };
        let labels = [member, group, input, delivery].map(str::to_owned);
        self.of(&INSTANCE_INFO).show([(labels, 1.0)]);
    }

    /// How many partitions the input has.
    pub fn show_input_partitions(&self, count: usize) {
        self.of(&INPUT_PARTITIONS).set(count as f64);
    }

    /// Events of this fate so far.
    pub fn events_of(&self, fate: Fate) -> u64 {
        self.of(&EVENTS).value(&[fate.name()]).unwrap_or(0.0) as u64
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

/// Fields, as labels name them.
fn joined<P: std::fmt::Display>(fields: &[P]) -> String {
    fields.iter().map(P::to_string).collect::<Vec<_>>().join("+")
}

fn librdkafka() -> String {
    rdkafka::util::get_rdkafka_version().1
}
