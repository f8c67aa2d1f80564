//! The verdict on one authorization: which rules hold, what they ask for, and what wins.

use std::cell::LazyCell;

use smallvec::SmallVec;

use crate::{
    cases::{Filing, Suspension, member::Ground},
    decision::{Action, Because, Decision, Effect, Filed, Outbox, State, Trigger},
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
        let account = LazyCell::new(|| self.cases.account(event.account()));
        let (mut live, mut quiet, mut shadow) = (Rules::new(), Rules::new(), Rules::new());
        for (at, rule) in ruleset.rules.iter().enumerate() {
            match rule.when.holds(&facts) {
                Truth::Holds if rule.shadow => shadow.push(at),
                Truth::Holds => {
                    let is_quiet = account.is_some_and(|account| {
                        let values = counters_of(rule, &self.readings);
                        self.cases.quiets(account, at as u32, event, values)
                    });
                    if is_quiet { &mut quiet } else { &mut live }.push(at);
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
        let limited = waits && !self.cases.may_wait(*account);
        if limited {
            (verdict.action, joins) = (Action::Decline, false);
            further.push(because_of(LIMIT, Action::Decline));
        }
        let files = !limited && (suspension.is_some() || verdict.action > Action::Allow);
        let account = if files { *account } else { None };
        let counting = verdict.counting.map(|rule| (rule, ruleset.hold(rule)));
        let receipt = files.then(|| {
            self.cases.file(Filing {
                event,
                account,
                action: verdict.action,
                counting: counting.map(|(rule, hold)| (rule as u32, &hold.scope)),
                suspension,
                joins,
                grounds: &verdict.grounds(ruleset, &self.readings),
            })
        });
        let receipt = receipt.unwrap_or_default();
        reasons.extend(further);

        let (mut burst, mut truncated) = (Vec::new(), false);
        if let (true, false, Some(case), Some((_, hold))) =
            (receipt.links, late, receipt.case, counting)
            && !hold.reach.is_empty()
        {
            let Engine { windows, cases, .. } = self;
            (burst, truncated) = Engine::burst(ruleset, windows, cases, account, event, hold);
            self.cases.link(case, &burst);
        }

        let state = match (late, self.is_warming(clock_ms), degraded) {
            (true, ..) => State::Late,
            (false, true, _) => State::Warming,
            (false, false, true) => State::Degraded,
            (false, false, false) => State::Complete,
        };
        self.tally.states[state as usize] += 1;
        self.tally.limited += u64::from(limited);
        self.tally.truncated_links += u64::from(truncated);
        let action = verdict.action;
        for at in &shadow {
            if matches!(ruleset.rules[*at].effect, Effect::Act(asked) if asked > action) {
                self.tally.stricter[*at] += 1;
            }
        }
        let filed = Filed {
            case_id: receipt.case.map(|case| self.cases.case_id(case)),
            linked: self.cases.linked(&burst),
            truncated,
            expires_ms: receipt.expires_ms,
        };
        out.decision(&Decision {
            event,
            clock_ms,
            action,
            score: verdict.score,
            reasons,
            shadow: in_order(ruleset, &mut shadow),
            suppressed: verdict.suppressed,
            filed,
            state,
            ruleset: &ruleset.identity,
            readings: &self.readings,
        });
        if !self.remembered.is_nothing() {
            self.remember(event, receipt.member, action);
        }
        self.cases.report(Trigger::Decision(event.id()), &self.ruleset.identity, out);
    }
}

/// The counters that a rule names, by their places, with their values; absent ones left out.
fn counters_of(
    rule: &Rule,
    readings: &[Option<Reading>],
) -> impl Iterator<Item = (u32, Reading)> + Clone {
    let counters = rule.when.counters().iter();
    counters.filter_map(|counter| readings[*counter].map(|value| (*counter as u32, value)))
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

/// Rules, by their places in the ruleset.
type Rules = SmallVec<[usize; 8]>;
type Grounds = SmallVec<[Ground; 8]>;

/// What the live rules that hold come to.
#[derive(Default)]
struct Verdict<'a> {
    action: Action,
    score: i64,
    /// The rules that act or give points.
    effective: Rules,
    /// What the score asks for.
    scored: Option<Action>,
    suppressed: Vec<&'a str>,
    /// The rule that says how a hold lives; the score comes after all rules.
    counting: Option<usize>,
}

impl<'a> Verdict<'a> {
    /// `live` are the rules that hold and may act, `quiet` those that a grace keeps from it.
    fn of(ruleset: &'a Ruleset, live: Rules, mut quiet: Rules) -> Verdict<'a> {
        if live.is_empty() && quiet.is_empty() && ruleset.thresholds.iter().all(|(_, at)| *at > 0) {
            return Verdict::default();
        }
        let effect = |rule: &usize| ruleset.rules[*rule].effect;
        let points = |rule: &usize| match effect(rule) {
            Effect::Points(points) => points,
            Effect::Act(_) => 0,
        };
        let score = live.iter().map(points).fold(0, i64::saturating_add);
        let reached = ruleset.thresholds.iter().find(|(_, at)| score >= *at);
        let reached = reached.map(|(action, _)| *action);

        let trusts = |rule: &usize| effect(rule) == Effect::Act(Action::Allow);
        if live.iter().any(trusts) {
            let (effective, mut suppressed): (Rules, Rules) = live.into_iter().partition(trusts);
            suppressed.extend(quiet);
            let mut suppressed = in_order(ruleset, &mut suppressed);
            suppressed.extend(reached.map(|_| SCORE));
            let action = Action::Allow;
            return Verdict { score, effective, suppressed, action, ..Verdict::default() };
        }
        let asked = live.iter().filter_map(|rule| match effect(rule) {
            Effect::Act(action) => Some(action),
            Effect::Points(_) => None,
        });
        let action = asked.chain(reached).max().unwrap_or(Action::Allow);
        // Of those whose action won, the one with the widest target, then the first; the score
        // stands after all rules.
        let won = live.iter().copied().filter(|rule| effect(rule) == Effect::Act(action));
        let won = won.chain((reached == Some(action)).then_some(ruleset.rules.len()));
        let counting = won.min_by_key(|rule| ruleset.hold(*rule).scope.width());
        let suppressed = in_order(ruleset, &mut quiet);
        Verdict { action, score, effective: live, scored: reached, suppressed, counting }
    }

    /// Each rule with the values of the counters that it names; then the score.
    fn reasons(&self, ruleset: &'a Ruleset, readings: &[Option<Reading>]) -> Vec<Because<'a>> {
        if self.effective.is_empty() && self.scored.is_none() {
            return Vec::new();
        }
        let named = |(counter, value): (u32, Reading)| {
            (ruleset.counters[counter as usize].name.as_str(), value)
        };
        let because = |rule: &usize| {
            let rule = &ruleset.rules[*rule];
            Because {
                rule: &rule.id,
                category: rule.category,
                effect: rule.effect,
                reason: rule.reason.as_deref(),
                counters: Some(counters_of(rule, readings).map(named).collect()),
            }
        };
        let scored = self.scored.map(|action| because_of(SCORE, action));
        self.effective.iter().map(because).chain(scored).collect()
    }

    /// What a grace will want to know of it: a rule that allows is never kept quiet.
    fn grounds(&self, ruleset: &Ruleset, readings: &[Option<Reading>]) -> Grounds {
        let mut grounds = Grounds::new();
        for at in &self.effective {
            let rule = &ruleset.rules[*at];
            if rule.effect != Effect::Act(Action::Allow) {
                grounds.push(Ground::Rule(*at as u32));
            }
            for (counter, value) in counters_of(rule, readings) {
                let Reading::Int(value) = value else { continue };
                if !grounds.contains(&Ground::Counter(counter, value)) {
                    grounds.push(Ground::Counter(counter, value));
                }
            }
        }
        grounds
    }
}

/// The ids of some rules, in the order of the configuration.
///
/// Nearly always there are none, which is said in place: a vector that comes back from a call is
/// written in parts and read as a whole, and would wait for every store before it.
#[inline(always)]
fn in_order<'a>(ruleset: &'a Ruleset, rules: &mut Rules) -> Vec<&'a str> {
    if rules.is_empty() { Vec::new() } else { sorted(ruleset, rules) }
}

#[inline(never)]
fn sorted<'a>(ruleset: &'a Ruleset, rules: &mut Rules) -> Vec<&'a str> {
    rules.sort_unstable();
    rules.iter().map(|rule| ruleset.rules[*rule].id.as_str()).collect()
}
