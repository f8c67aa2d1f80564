//! The verdict on one authorization: which rules hold, what they ask for, and what wins.

use crate::{
    cases::{Filing, Suspension, member::Stood},
    decision::{Action, Because, Decision, Effect, Filed, Outbox, State, Trigger},
    event::Event,
    rules::{Facts, Truth},
    window::spec::Reading,
};

use super::{
    Engine,
    ruleset::{Hold, Rule, Ruleset},
};

/// The name of the score among the reasons.
pub const SCORE: &str = "score";
/// The names of what is no rule, and has a say all the same.
const SUSPENDED: &str = "suspended";
const CONFIRMED_FRAUD: &str = "confirmed_fraud";
const LIMIT: &str = "limit";

impl Engine {
    /// Decides an authorization that has been counted, and files it.
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
        let (mut live, mut quiet, mut shadow) = (Vec::new(), Vec::new(), Vec::new());
        for (at, rule) in ruleset.rules.iter().enumerate() {
            match rule.when.holds(&facts) {
                Truth::Holds if rule.shadow => shadow.push(rule.id.as_str()),
                Truth::Holds => {
                    let values = counters_of(rule, ruleset, &self.readings);
                    if self.cases.quiets(&rule.id, event, values) {
                        quiet.push(rule);
                    } else {
                        live.push(rule);
                    }
                }
                Truth::HoldsNot | Truth::Absent => continue,
                Truth::Failed => {
                    self.tally.rule_errors[at] += 1;
                    continue;
                }
            }
            self.tally.rule_hits[at] += 1;
        }
        let mut verdict = Verdict::of(ruleset, live, quiet);
        let mut reasons = verdict.reasons(ruleset, &self.readings);
        let suspension = self.cases.suspension(event);
        let mut joins = false;
        let mut further = Vec::new();
        if let Some(Suspension { confirmed, holds, .. }) = suspension {
            let rule = if confirmed { CONFIRMED_FRAUD } else { SUSPENDED };
            let action = if holds { Action::Hold } else { Action::Decline };
            further.push(because_of(rule, action));
            if verdict.action != Action::Decline {
                (verdict.action, joins) = (action, holds);
            }
        }
        let waits = matches!(verdict.action, Action::Verify | Action::Hold);
        let limited = waits && !self.cases.may_wait(event.account());
        if limited {
            (verdict.action, joins) = (Action::Decline, false);
            further.push(because_of(LIMIT, Action::Decline));
        }
        let files = !limited && (suspension.is_some() || verdict.action > Action::Allow);
        let receipt = files.then(|| {
            self.cases.file(Filing {
                event,
                place: self.accepted,
                action: verdict.action,
                counting: verdict.counting.map(|hold| (&hold.scope, &hold.life)),
                suspension,
                joins,
                reasons: reasons.iter().filter_map(stood).collect(),
            })
        });
        let receipt = receipt.unwrap_or_default();
        reasons.extend(further);

        let (mut burst, mut truncated) = (Vec::new(), false);
        if let (true, false, Some(case), Some(hold)) =
            (receipt.links, late, receipt.case, verdict.counting)
            && !hold.reach.is_empty()
        {
            let Engine { windows, cases, .. } = self;
            (burst, truncated) = Engine::burst(ruleset, windows, cases, event, hold);
            self.cases.link(case, &burst);
        }

        let state = match (late, self.is_warming(clock_ms), degraded) {
            (true, ..) => State::Late,
            (false, true, _) => State::Warming,
            (false, false, true) => State::Degraded,
            (false, false, false) => State::Complete,
        };
        self.tally.degraded += u64::from(state == State::Degraded);
        let filed = Filed {
            case_id: receipt.case.and_then(|case| self.cases.case_id(case)),
            linked: self.cases.linked(&burst),
            truncated,
            expires_ms: receipt.expires_ms,
        };
        let action = verdict.action;
        out.decision(&Decision {
            event,
            clock_ms,
            action,
            score: verdict.score,
            reasons,
            shadow,
            suppressed: verdict.suppressed,
            filed,
            state,
            ruleset: &ruleset.identity,
            readings: &self.readings,
        });
        self.remember(event, action, clock_ms);
        self.cases.report(Trigger::Decision(event.id()), &self.ruleset.identity, out);
    }
}

/// The counters that a rule names, with their values; absent ones left out.
fn counters_of<'a>(
    rule: &'a Rule,
    ruleset: &'a Ruleset,
    readings: &[Option<Reading>],
) -> impl Iterator<Item = (&'a str, Reading)> + Clone {
    rule.when.counters().iter().filter_map(|counter| {
        readings[*counter].map(|value| (ruleset.counters[*counter].name.as_str(), value))
    })
}

/// What is no rule, and has a say.
fn because_of(name: &'static str, action: Action) -> Because<'static> {
    Because {
        rule: name,
        category: None,
        effect: Effect::Act(action),
        reason: None,
        counters: None,
    }
}

/// What a case remembers of a reason, if a rule gave it.
fn stood(because: &Because<'_>) -> Option<Stood> {
    let counters = because.counters.as_ref()?;
    Some(Stood {
        rule: because.rule.into(),
        allows: because.effect == Effect::Act(Action::Allow),
        counters: counters.iter().map(|(name, value)| ((*name).into(), *value)).collect(),
    })
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
    /// How the one that counts wants a hold to live.
    counting: Option<&'a Hold>,
}

impl<'a> Verdict<'a> {
    /// `live` are the rules that hold and may act, `quiet` those that a grace keeps from it.
    fn of(ruleset: &'a Ruleset, live: Vec<&'a Rule>, quiet: Vec<&'a Rule>) -> Verdict<'a> {
        if live.is_empty() && quiet.is_empty() && ruleset.thresholds.iter().all(|(_, at)| *at > 0) {
            return Verdict::default();
        }
        let points = |rule: &&Rule| match rule.effect {
            Effect::Points(points) => points,
            Effect::Act(_) => 0,
        };
        let score = live.iter().map(points).fold(0, i64::saturating_add);
        let reached = ruleset.thresholds.iter().find(|(_, at)| score >= *at);
        let reached = reached.map(|(action, _)| *action);

        let trusts = |rule: &&Rule| rule.effect == Effect::Act(Action::Allow);
        if live.iter().any(trusts) {
            let (effective, mut suppressed): (Vec<&Rule>, Vec<&Rule>) =
                live.into_iter().partition(trusts);
            suppressed.extend(quiet);
            let mut suppressed = in_order(ruleset, &suppressed);
            suppressed.extend(reached.map(|_| SCORE));
            let action = Action::Allow;
            return Verdict { score, effective, suppressed, action, ..Verdict::default() };
        }
        let asked = live.iter().filter_map(|rule| match rule.effect {
            Effect::Act(action) => Some(action),
            Effect::Points(_) => None,
        });
        let action = asked.chain(reached).max().unwrap_or(Action::Allow);
        // Of those whose action won, the one with the widest target, then the first; the score
        // stands after all rules.
        let won = live.iter().filter(|rule| rule.effect == Effect::Act(action)).map(|r| &r.hold);
        let won = won.chain((reached == Some(action)).then_some(&ruleset.score));
        let counting = won.min_by_key(|hold| hold.scope.width());
        let suppressed = in_order(ruleset, &quiet);
        Verdict { action, score, effective: live, scored: reached, suppressed, counting }
    }

    /// Each rule with the values of the counters that it names; then the score.
    fn reasons(&self, ruleset: &'a Ruleset, readings: &[Option<Reading>]) -> Vec<Because<'a>> {
        let because = |rule: &&'a Rule| Because {
            rule: &rule.id,
            category: rule.category,
            effect: rule.effect,
            reason: rule.reason.as_deref(),
            counters: Some(counters_of(rule, ruleset, readings).collect()),
        };
        if self.effective.is_empty() && self.scored.is_none() {
            return Vec::new();
        }
        let scored = self.scored.map(|action| because_of(SCORE, action));
        self.effective.iter().map(because).chain(scored).collect()
    }
}

/// The ids of some rules, in the order of the configuration.
fn in_order<'a>(ruleset: &'a Ruleset, rules: &[&'a Rule]) -> Vec<&'a str> {
    if rules.is_empty() {
        return Vec::new();
    }
    let is_one = |rule: &&Rule| rules.iter().any(|one| std::ptr::eq(*one, *rule));
    ruleset.rules.iter().filter(is_one).map(|rule| rule.id.as_str()).collect()
}
