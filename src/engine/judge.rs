//! The verdict on one authorization: which rules hold, what they ask for, and what wins.

use crate::{
    decision::{Action, Because, Decision, Effect, Outbox, State},
    event::Event,
    rules::{Facts, Truth},
    window::spec::Reading,
};

use super::{
    Engine,
    ruleset::{Rule, Ruleset},
};

/// The name of the score among the reasons.
pub const SCORE: &str = "score";

impl Engine {
    /// Decides an authorization that has been counted.
    pub(super) fn decide(
        &mut self,
        event: &Event<'_>,
        late: bool,
        degraded: bool,
        clock_ms: i64,
        out: &mut impl Outbox,
    ) {
        let ruleset = &*self.ruleset;
        let facts = Facts { event, counters: &self.readings, late };
        let (mut live, mut shadow) = (Vec::new(), Vec::new());
        for (at, rule) in ruleset.rules.iter().enumerate() {
            match rule.when.holds(&facts) {
                Truth::Holds if rule.shadow => shadow.push(rule.id.as_str()),
                Truth::Holds => live.push(rule),
                Truth::HoldsNot | Truth::Absent => continue,
                Truth::Failed => {
                    self.tally.rule_errors[at] += 1;
                    continue;
                }
            }
            self.tally.rule_hits[at] += 1;
        }
        let verdict = Verdict::of(ruleset, live);
        let state = match (late, degraded) {
            (true, _) => State::Late,
            (false, true) => State::Degraded,
            (false, false) => State::Complete,
        };
        self.tally.degraded += u64::from(state == State::Degraded);
        out.decision(&Decision {
            event,
            clock_ms,
            action: verdict.action,
            score: verdict.score,
            reasons: verdict.reasons(ruleset, &self.readings),
            shadow,
            suppressed: verdict.suppressed,
            state,
            ruleset: &ruleset.identity,
            readings: &self.readings,
        });
    }
}

/// What the live rules that hold come to.
#[derive(Default)]
struct Verdict<'a> {
    action: Action,
    score: i64,
    /// The rules that act or give points.
    effective: Vec<&'a Rule>,
    /// What the score asks for.
    scored: Option<Action>,
    suppressed: Vec<&'a str>,
}

impl<'a> Verdict<'a> {
    fn of(ruleset: &'a Ruleset, live: Vec<&'a Rule>) -> Verdict<'a> {
        if live.is_empty() && ruleset.thresholds.iter().all(|(_, at)| *at > 0) {
            return Verdict::default();
        }
        let points = |rule: &&Rule| match rule.effect {
            Effect::Points(points) => points,
            Effect::Act(_) => 0,
        };
        let score = live.iter().map(points).fold(0, i64::saturating_add);
        let reached = ruleset.thresholds.iter().find(|(_, at)| score >= *at);
        let reached = reached.map(|(action, _)| *action);

        let trusts = |rule: &&&Rule| rule.effect == Effect::Act(Action::Allow);
        if live.iter().any(|rule| trusts(&rule)) {
            let (effective, quiet): (Vec<&Rule>, Vec<&Rule>) =
                live.into_iter().partition(|rule| trusts(&rule));
            let mut suppressed: Vec<&str> = quiet.iter().map(|rule| rule.id.as_str()).collect();
            suppressed.extend(reached.map(|_| SCORE));
            return Verdict { action: Action::Allow, score, effective, scored: None, suppressed };
        }
        let asked = live.iter().filter_map(|rule| match rule.effect {
            Effect::Act(action) => Some(action),
            Effect::Points(_) => None,
        });
        let action = asked.chain(reached).max().unwrap_or(Action::Allow);
        Verdict { action, score, effective: live, scored: reached, suppressed: Vec::new() }
    }

    /// Each rule with the values of the counters that it names; then the score.
    fn reasons(&self, ruleset: &'a Ruleset, readings: &[Option<Reading>]) -> Vec<Because<'a>> {
        let value = |counter: &usize| {
            readings[*counter].map(|value| (ruleset.counters[*counter].name.as_str(), value))
        };
        let because = |rule: &&'a Rule| Because {
            rule: &rule.id,
            category: rule.category,
            effect: rule.effect,
            reason: rule.reason.as_deref(),
            counters: Some(rule.when.counters().iter().filter_map(value).collect()),
        };
        let scored = self.scored.map(|action| Because {
            rule: SCORE,
            category: None,
            effect: Effect::Act(action),
            reason: None,
            counters: None,
        });
        if self.effective.is_empty() && scored.is_none() {
            return Vec::new();
        }
        self.effective.iter().map(because).chain(scored).collect()
    }
}
