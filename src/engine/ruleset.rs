//! Everything that decides, as valid data: what the configuration says once it has been checked.

use jiff::tz::TimeZone;

use crate::{
    cases::{
        carry::Moved,
        life::{Bounds, Life, Scope},
    },
    decision::{Action, Category, Effect, RulesetId},
    event::Field,
    rules::Program,
    window::{carry::Carried, spec::Counter},
};

/// Everything that decides. State is a function of a partition's log and of this.
#[derive(Debug)]
pub struct Ruleset {
    /// The hash of its canonical form.
    pub identity: RulesetId,
    /// The hash of what its counters keep. Under the same one, what is kept means the same.
    pub counting: String,
    /// The hash of how events are admitted. Under the same one, each has the same place in the log.
    pub admitting: String,
    /// By counter, the hash of what decides it.
    pub kept: Vec<String>,
    /// Local days and months are of this zone.
    pub timezone: TimeZone,
    /// How events are admitted.
    pub input: Input,
    /// What is counted.
    pub counters: Vec<Counter>,
    /// Counters that are exact on one partition only and do not say so.
    pub single_partition: Vec<String>,
    /// What counters are filtered by, each once.
    pub filters: Vec<Program>,
    /// In the order of the configuration.
    pub rules: Vec<Rule>,
    /// The score's thresholds, the most severe action first.
    pub thresholds: Vec<(Action, i64)>,
    /// How the score wants a hold to live.
    pub score: Hold,
    /// Bounds of all cases.
    pub cases: Bounds,
    /// The most events kept for a key.
    pub events_per_key: usize,
}

impl Ruleset {
    /// Does the state of the counters under another ruleset mean the same under this one?
    pub fn counts_as(&self, other: &Ruleset) -> bool {
        self.counting == other.counting
    }

    /// What of the counters' state stays under this ruleset, after another one.
    pub fn carried_from(&self, former: &Ruleset) -> Carried {
        let same = |kept: &String| former.kept.iter().position(|known| known == kept);
        let same: Vec<Option<usize>> = self.kept.iter().map(same).collect();
        Carried::new(&former.counters, &self.counters, &same)
    }

    /// How far back anything may reach that a decision depends on, in ms.
    pub fn longest_ms(&self) -> i64 {
        let windows = self.counters.iter().map(|counter| counter.window.reach_ms());
        let lives = self.rules.iter().map(|rule| &rule.hold.life).chain([&self.score.life]);
        let cases = lives.map(|life| life.expires_ms.max(life.grace_ms));
        let bounds = [self.cases.memory_ms, self.input.dedupe_horizon_ms];
        windows.chain(cases).chain(bounds).max().unwrap_or(0)
    }

    /// Where what another ruleset names stands in this one.
    pub fn moved_from(&self, former: &Ruleset) -> Moved {
        let place = |at: Option<usize>| at.map(|at| at as u32);
        let rule = |id: &String| place(self.rules.iter().position(|rule| rule.id == *id));
        let counter = |name: &String| place(self.counters.iter().position(|c| c.name == *name));
        let key = |former: &Counter| {
            counter(&former.name).filter(|now| self.counters[*now as usize].key == former.key)
        };
        let score = Some(self.rules.len() as u32);
        Moved {
            rules: former.rules.iter().map(|former| rule(&former.id)).chain([score]).collect(),
            counters: former.counters.iter().map(|former| counter(&former.name)).collect(),
            keys: former.counters.iter().map(key).collect(),
            former_lives: former.lives(),
            lives: self.lives(),
        }
    }

    /// How cases live: those of each rule, then those of the score.
    pub fn lives(&self) -> Box<[Life]> {
        let holds = self.rules.iter().map(|rule| &rule.hold).chain([&self.score]);
        holds.map(|hold| hold.life.clone()).collect()
    }

    /// How a rule wants a hold to live, by its place; after all rules, the score.
    pub fn hold(&self, rule: usize) -> &Hold {
        self.rules.get(rule).map_or(&self.score, |rule| &rule.hold)
    }
}

/// How events are admitted.
#[derive(Debug, Clone)]
pub struct Input {
    /// How far behind the clock an event still sees its counters, in ms.
    pub allowed_lateness_ms: i64,
    /// How long a repeat is known, in the clock's ms.
    pub dedupe_horizon_ms: i64,
    /// How far ahead of its record's timestamp an event may be, in ms.
    pub max_future_ms: i64,
    /// Fields that must not look like a primary account number.
    pub pan_check: Vec<Field>,
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// Its condition.
    pub when: Program,
    /// What it asks for.
    pub effect: Effect,
    /// Is it evaluated and reported only?
    pub shadow: bool,
    /// What it speaks of.
    pub category: Option<Category>,
    /// In words.
    pub reason: Option<String>,
    /// How it wants a hold to live.
    pub hold: Hold,
}

/// How a rule wants a hold to live.
#[derive(Debug, Clone, Default)]
pub struct Hold {
    /// What its cases are about.
    pub scope: Scope,
    /// How they live.
    pub life: Life,
    /// The counters over whose events it reaches back.
    pub reach: Vec<usize>,
}
