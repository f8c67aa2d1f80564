//! What an answer does to those whom it speaks of, and then to their cases. Whom it speaks of is
//! told in [`super::named`].

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    decision::{Answer, Outbox, RulesetId, Trigger},
    event::{Event, Field, Path},
};

use super::{
    Cases,
    case::{Case, Opening, Status},
    life::{Target, Value},
    member::{AccountNumber, CaseNumber, Ground, MemberNumber, Standing},
    named::Scope,
};

/// The verdicts that answer what was asked about an authorization.
pub const ANSWERS: [&str; 3] = ["legitimate", "fraud", "policy_breach"];

/// What is said of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Legitimate,
    Fraud,
    PolicyBreach,
    NoAnswer,
    Restored,
}

impl Verdict {
    fn of(event: &Event<'_>) -> Verdict {
        match event.text(Field::Verdict) {
            Some("legitimate") => Verdict::Legitimate,
            Some("fraud") => Verdict::Fraud,
            Some("policy_breach") => Verdict::PolicyBreach,
            Some("restored") => Verdict::Restored,
            _ => Verdict::NoAnswer,
        }
    }

    /// What it says of an excepted member, if anything.
    fn of_exception(self) -> Option<Verdict> {
        match self {
            Verdict::Legitimate => Some(Verdict::Fraud),
            Verdict::Fraud | Verdict::PolicyBreach => Some(Verdict::Legitimate),
            Verdict::NoAnswer | Verdict::Restored => None,
        }
    }

    /// Does it count only from some sources?
    fn needs_source(self) -> bool {
        matches!(self, Verdict::Legitimate | Verdict::PolicyBreach | Verdict::Restored)
    }

    /// Does it answer what was asked, and end a suspension?
    fn answers(self) -> bool {
        matches!(self, Verdict::Legitimate | Verdict::PolicyBreach)
    }
}

/// What a feedback will do to one member, seen before anything changes.
struct Effect {
    verdict: Verdict,
    case: CaseNumber,
}

impl Cases {
    /// An answer, or a call without one. What becomes of earlier authorizations goes to `out`.
    /// Returns whether it changed anything.
    pub fn feedback(
        &mut self,
        event: &Event<'_>,
        ruleset: &RulesetId,
        out: &mut impl Outbox,
    ) -> bool {
        let verdict = Verdict::of(event);
        let source = event.text(Field::Source).unwrap_or("");
        let account = self.accounts.find(event.account());
        let (scope, in_scope) = self.scope(event, account, verdict == Verdict::Fraud);
        let alive = |cases: &Cases, number: &CaseNumber| cases.cases[*number].is_alive();
        if verdict == Verdict::NoAnswer {
            return in_scope.iter().any(|number| alive(self, number));
        }
        let deaf: BTreeSet<CaseNumber> = in_scope
            .iter()
            .copied()
            .filter(|n| verdict.needs_source() && !self.is_answered_by(&self.cases[*n], source))
            .collect();
        let mut changed = deaf.iter().any(|number| alive(self, number));

        let (effects, by_exception) = self.effects(&scope, verdict, source, &in_scope, &deaf);
        let trigger = Trigger::Feedback {
            event_id: event.id(),
            verdict: event.text(Field::Verdict).unwrap_or(""),
            source,
        };
        for (number, Effect { verdict, case }) in effects {
            self.credit(number, verdict);
            let member = &self.members[number];
            let answer = match (member.standing, verdict) {
                (Standing::Pending, Verdict::Legitimate) => Answer::Release,
                (Standing::Pending, _) => Answer::Cancel,
                (Standing::Passed, Verdict::Fraud) => Answer::Reverse,
                (Standing::Passed, _) if member.waits() => {
                    changed = true;
                    self.alter(number, |asked| asked.waits = false);
                    continue;
                }
                _ => continue,
            };
            changed = true;
            self.follow_up(number, answer, case, trigger, ruleset, out);
            self.alter(number, |asked| asked.waits = false);
        }

        let mut graces = Vec::new();
        for number in &in_scope {
            let fraud = by_exception.contains(number);
            let deaf = deaf.contains(number);
            changed |= self.answer(*number, &scope, verdict, fraud, deaf, event, &mut graces);
        }
        if verdict == Verdict::Fraud && event.text(Field::Suspend).is_some() {
            changed |= self.suspend(event, account);
        }
        changed |= self.settle(false);
        changed |= !graces.is_empty();
        graces.into_iter().for_each(|number| self.give_grace(number));
        changed
    }

    /// An authorization that waits is answered: that is an answer to each rule that asked.
    fn credit(&mut self, number: MemberNumber, verdict: Verdict) {
        let place = match verdict {
            Verdict::Legitimate => 0,
            Verdict::Fraud => 1,
            Verdict::PolicyBreach => 2,
            Verdict::NoAnswer | Verdict::Restored => return,
        };
        let member = &self.members[number];
        if !member.waits() {
            return;
        }
        for ground in member.grounds() {
            if let Ground::Rule(rule) = ground
                && let Some(answers) = self.answers.get_mut(rule as usize)
            {
                answers[place] += 1;
            }
        }
    }

    /// What is said of each member in scope, in the order of the log; and the cases of which an
    /// excepted member is fraud.
    fn effects(
        &self,
        scope: &Scope<'_>,
        verdict: Verdict,
        source: &str,
        in_scope: &[CaseNumber],
        deaf: &BTreeSet<CaseNumber>,
    ) -> (BTreeMap<MemberNumber, Effect>, BTreeSet<CaseNumber>) {
        let (mut effects, mut by_exception) = (BTreeMap::new(), BTreeSet::new());
        for number in in_scope {
            let case = &self.cases[*number];
            for (at, member) in self.selected(*number, scope) {
                let said = if scope.excepted.contains(member.event_id()) {
                    let said = verdict.of_exception();
                    if said == Some(Verdict::Legitimate) && !self.is_answered_by(case, source) {
                        continue;
                    }
                    if said == Some(Verdict::Fraud) {
                        by_exception.insert(*number);
                    }
                    said
                } else if deaf.contains(number) {
                    continue;
                } else {
                    Some(verdict)
                };
                let Some(verdict) = said.filter(|said| *said != Verdict::Restored) else {
                    continue;
                };
                effects.entry(at).or_insert(Effect { verdict, case: *number });
            }
        }
        (effects, by_exception)
    }

    /// What becomes of a case in scope. Returns whether it stands otherwise now.
    #[allow(clippy::too_many_arguments, reason = "all that a feedback says of one case")]
    fn answer(
        &mut self,
        number: CaseNumber,
        scope: &Scope<'_>,
        verdict: Verdict,
        by_exception: bool,
        deaf: bool,
        event: &Event<'_>,
        graces: &mut Vec<CaseNumber>,
    ) -> bool {
        let case = &self.cases[number];
        let acts = {
            let mut selected = self.selected(number, scope).peekable();
            selected.peek().is_none()
                || selected.any(|(_, member)| !scope.excepted.contains(member.event_id()))
        };
        let fraud = if verdict == Verdict::Fraud { acts } else { by_exception };
        let counts = acts && !deaf;
        if !case.is_alive() {
            if verdict.answers() && counts && !fraud && case.by_deadline && !case.graced {
                graces.push(number);
            }
            return false;
        }
        let before = case.status;
        if verdict == Verdict::Restored {
            if counts && matches!(before, Status::Suspended | Status::Confirmed) {
                self.change(number, Status::Open);
            }
        } else if fraud {
            if case.target().is_some() && before != Status::Confirmed {
                self.change(number, Status::Confirmed);
            }
        } else if verdict.answers() && counts && before != Status::Confirmed {
            let whole = scope.is_whole(case, event.except_event_ids.is_some());
            let graced = case.graced;
            if before == Status::Suspended && (case.open_questions == 0 || whole) {
                self.change(number, Status::Open);
            }
            if !graced {
                graces.push(number);
            }
        }
        self.cases[number].status != before
    }

    /// An analyst blocks a card or the account. Returns whether that is new.
    fn suspend(&mut self, event: &Event<'_>, account: Option<AccountNumber>) -> bool {
        let card = event.text(Field::CardId);
        let target = match event.text(Field::Suspend) {
            Some("account") => Target(Vec::new()),
            _ => {
                let card = card.map(|card| Value::Text(card.into()));
                Target(vec![(Path::Field(Field::CardId), card)])
            }
        };
        let alive = account.and_then(|account| self.accounts[account].on(&target));
        match alive {
            Some(number) if self.cases[number].status == Status::Confirmed => return false,
            Some(number) => self.change(number, Status::Confirmed),
            None => {
                let opening = Opening {
                    event_id: event.id().into(),
                    time_ms: event.time,
                    card_id: card.map(Box::from),
                };
                let (opening, target) = (Some(opening), Some(target));
                let account = self.accounts.find_or_add(event.account());
                self.open(Case::new(account, opening, target, None, Status::Confirmed));
            }
        }
        true
    }
}
