//! What an answer does: whom it speaks of, what becomes of them, and then of their cases.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::{
    decision::{Answer, Outbox, Trigger},
    event::{Event, Field, Path},
};

use super::{
    Cases,
    case::{Case, Opening, Status},
    life::{Target, Value},
    member::{AccountNumber, CaseNumber, Ground, Member, MemberNumber, Standing},
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

/// Whom a feedback speaks of.
struct Scope<'e> {
    of: Named<'e>,
    from_ms: i64,
    to_ms: i64,
    /// Is it narrowed to a time?
    narrow: bool,
    excepted: HashSet<&'e str>,
}

/// The scope that a feedback names.
enum Named<'e> {
    /// A case: its members.
    Case(BTreeSet<MemberNumber>),
    Events(HashSet<&'e str>),
    Card(&'e str),
    Account,
}

impl<'e> Scope<'e> {
    fn selects(
        &self,
        number: Option<MemberNumber>,
        id: &str,
        time_ms: i64,
        card: Option<&str>,
    ) -> bool {
        let named = match &self.of {
            // What opened a case is of it.
            Named::Case(members) => number.is_none_or(|number| members.contains(&number)),
            Named::Events(ids) => ids.contains(id),
            Named::Card(named) => card == Some(*named),
            Named::Account => true,
        };
        named && (self.from_ms..=self.to_ms).contains(&time_ms)
    }

    fn selects_member(&self, number: MemberNumber, member: &Member) -> bool {
        self.selects(Some(number), member.event_id(), member.time_ms, member.card_id())
    }

    fn selects_opening(&self, opening: &Opening) -> bool {
        let Opening { event_id, time_ms, card_id } = opening;
        self.selects(None, event_id, *time_ms, card_id.as_deref())
    }

    /// Is it all that a case's target is, whenever it happened?
    fn is_target(&self, case: &Case) -> bool {
        let Some(target) = case.target() else { return false };
        !self.narrow
            && match self.of {
                Named::Card(card) => target.is_card(card),
                Named::Account => target.is_account(),
                Named::Case(_) | Named::Events(_) => false,
            }
    }

    /// Is it the whole of a case that it speaks of?
    fn is_whole(&self, case: &Case, excepts: bool) -> bool {
        let named = match self.of {
            Named::Case(_) | Named::Account => true,
            Named::Card(card) => case.target().is_some_and(|target| target.names_card(card)),
            Named::Events(_) => false,
        };
        named && !self.narrow && !excepts
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
    pub fn feedback(&mut self, event: &Event<'_>, ruleset: &str, out: &mut impl Outbox) -> bool {
        let verdict = Verdict::of(event);
        let source = event.text(Field::Source).unwrap_or("");
        let account = self.accounts.find(event.account());
        let (scope, in_scope) = self.scope(event, account, verdict);
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
        let before = self.statuses(account);
        self.settle(false);
        changed |= self.statuses(account) != before;
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
        let Some(asked) = self.members[number].asked.as_ref().filter(|asked| asked.waits) else {
            return;
        };
        for ground in &asked.grounds {
            if let Ground::Rule(rule) = ground
                && let Some(answers) = self.answers.get_mut(*rule as usize)
            {
                answers[place] += 1;
            }
        }
    }

    fn statuses(&self, account: Option<AccountNumber>) -> Vec<(CaseNumber, Status)> {
        self.cases_of(account).iter().map(|number| (*number, self.cases[*number].status)).collect()
    }

    /// The cases of an account, in the order of their opening.
    fn cases_of(&self, account: Option<AccountNumber>) -> &[CaseNumber] {
        account.map_or(&[], |account| &self.accounts[account].cases)
    }

    /// The scope of a feedback, and the cases in it, in the order of their opening.
    fn scope<'e>(
        &self,
        event: &Event<'e>,
        account: Option<AccountNumber>,
        verdict: Verdict,
    ) -> (Scope<'e>, Vec<CaseNumber>) {
        let of = self.cases_of(account).iter().copied();
        let mut of: Vec<CaseNumber> = of.filter(|number| self.is_answerable(*number)).collect();
        let named = if let Some(case_id) = event.text(Field::CaseId) {
            of = self.named(&of, case_id);
            let members = of.iter().flat_map(|number| &self.cases[*number].members);
            Named::Case(members.copied().collect())
        } else if let Some(ids) = event.event_ids {
            Named::Events(ids.iter().copied().collect())
        } else if let Some(card) = event.text(Field::CardId) {
            Named::Card(card)
        } else {
            Named::Account
        };
        let scope = Scope {
            of: named,
            from_ms: event.from.unwrap_or(i64::MIN),
            to_ms: event.to.unwrap_or(i64::MAX),
            narrow: event.from.is_some() || event.to.is_some(),
            excepted: event.except_event_ids.unwrap_or(&[]).iter().copied().collect(),
        };
        of.retain(|number| self.is_in(*number, &scope, verdict));
        (scope, of)
    }

    /// The case that the event of this id opened, else those that ask about it.
    fn named(&self, cases: &[CaseNumber], case_id: &str) -> Vec<CaseNumber> {
        let opened = |number: &&CaseNumber| self.case_id(**number) == case_id;
        if let Some(newest) = cases.iter().rev().find(opened) {
            return vec![*newest];
        }
        let asks = |number: &&CaseNumber| {
            self.asked_by(**number).any(|(_, member)| member.event_id() == case_id)
        };
        cases.iter().filter(asks).copied().collect()
    }

    fn is_in(&self, number: CaseNumber, scope: &Scope<'_>, verdict: Verdict) -> bool {
        let case = &self.cases[number];
        let selects =
            |(number, member): (MemberNumber, &Member)| scope.selects_member(number, member);
        // A member that it does not ask about is one that it links.
        let mut members = self.members_of(number);
        case.opening().is_some_and(|opening| scope.selects_opening(opening))
            || members.any(|(at, member)| {
                (verdict == Verdict::Fraud || member.is_asked_by(number)) && selects((at, member))
            })
            || scope.is_target(case)
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
            for (at, member) in self.members_of(*number) {
                if !scope.selects_member(at, member) {
                    continue;
                }
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
            let selected = |(at, member): &(_, &Member)| scope.selects_member(*at, member);
            let mut selected = self.members_of(number).filter(selected).peekable();
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
