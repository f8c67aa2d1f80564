//! The life of a hold: what waits, for whose answer and until when, and what becomes of it.
//!
//! A decision that asks opens a *case* or joins the one that is alive on its target; an answer, a
//! deadline or a reversal changes how its members stand, and then the case. Here is what happens;
//! [`case`] is one case, [`member`] one authorization, [`life`] what the rules say of them,
//! `feedback` what an answer does, [`grace`] the peace after it.
//!
//! It decides nothing about an event, and counts nothing. Time is the clock of the partition.

pub mod case;
mod feedback;
mod forget;
pub mod grace;
pub mod ledger;
pub mod life;
pub mod member;
mod report;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::{
    decision::{Action, Answer, Outbox, Trigger},
    event::{Event, Field, Path},
    window::{Hasher, spec::Reading},
};

use case::{Case, Opening, Status, reserve_for_one};
use grace::Grace;
pub use state::CasesState;

use life::{Bounds, Life, OnExpiry, Scope, Target, WhileSuspended};
use member::{Asked, CaseNumber, Column, Member, Members, Place, Standing, Stood};

/// All cases of one partition.
#[derive(Debug)]
pub struct Cases {
    bounds: Bounds,
    clock_ms: i64,
    members: Members,
    cases: BTreeMap<CaseNumber, Case>,
    next_case: CaseNumber,
    accounts: HashMap<Box<str>, Account, Hasher>,
    /// Of every member that waits, or counts on.
    deadlines: BTreeSet<(i64, Place)>,
    /// Authorizations that counters may count, by the clock up to which they can.
    kept: BTreeSet<(i64, Place)>,
    /// Closed cases, by the clock up to which they can be answered.
    closed: BTreeSet<(i64, CaseNumber)>,
    /// Graces, by the clock at which they end.
    graces: BTreeSet<(i64, Box<str>)>,
    /// Cases whose status or totals may have changed since their records were written.
    touched: BTreeSet<CaseNumber>,
    /// Cases that may have nothing to ask any more.
    unsettled: BTreeSet<CaseNumber>,
    /// Authorizations that stand no longer, which counters have to hear of.
    fallen: Vec<Place>,
}

/// What an account has to do with cases.
#[derive(Debug, Default)]
struct Account {
    /// In the order of their opening.
    cases: BTreeSet<CaseNumber>,
    /// Of those alive, the ones that are about more than one event.
    targets: BTreeMap<Target, CaseNumber>,
    /// The lists of fields of these targets, and how many have each.
    shapes: Vec<(Vec<Path>, usize)>,
    graces: Vec<Grace>,
    /// Authorizations that are pending.
    pending: u64,
    /// Remembered authorizations, by `event_id`,
    names: HashMap<Box<str>, Vec<Place>, Hasher>,
    /// and those that a case yet to come may link.
    log: BTreeSet<Place>,
}

/// A suspension that an authorization meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspension {
    /// The case.
    pub case: CaseNumber,
    /// Is it confirmed fraud?
    pub confirmed: bool,
    /// Is the authorization held rather than declined?
    pub holds: bool,
}

/// What is to be filed of an authorization that has been decided.
#[derive(Debug)]
pub struct Filing<'a> {
    /// The authorization.
    pub event: &'a Event<'a>,
    /// Its place in the log.
    pub place: Place,
    /// What was decided.
    pub action: Action,
    /// The target of the rule that counts, and how its cases live.
    pub counting: Option<(&'a Scope, &'a Life)>,
    /// The suspension that it met.
    pub suspension: Option<Suspension>,
    /// Does it wait because of the suspension?
    pub joins: bool,
    /// The reasons of the decision that rules gave.
    pub reasons: Vec<Stood>,
}

/// How an authorization was filed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Receipt {
    /// In this case.
    pub case: Option<CaseNumber>,
    /// An answer is waited for up to this clock, in epoch ms.
    pub expires_ms: Option<i64>,
    /// The case was opened or became suspended by it.
    pub links: bool,
}

impl Cases {
    /// No cases yet.
    pub fn new(bounds: Bounds) -> Cases {
        Cases {
            bounds,
            clock_ms: 0,
            members: Members::new(),
            cases: BTreeMap::new(),
            next_case: 0,
            accounts: HashMap::default(),
            deadlines: BTreeSet::new(),
            kept: BTreeSet::new(),
            closed: BTreeSet::new(),
            graces: BTreeSet::new(),
            touched: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            fallen: Vec::new(),
        }
    }

    /// An event was accepted, and the clock is here now, in epoch ms. What the deadlines up to it
    /// cause goes to `out`.
    pub fn accept(&mut self, clock_ms: i64, ruleset: &str, out: &mut impl Outbox) {
        self.clock_ms = clock_ms;
        self.forget_kept();
        if self.next_case > 0 {
            self.expire(clock_ms, ruleset, out);
            self.forget();
        }
    }

    /// Whatever waits for an answer up to this time, in epoch ms, waits no longer.
    pub fn expire(&mut self, until_ms: i64, ruleset: &str, out: &mut impl Outbox) {
        while let Some((deadline_ms, _)) = self.deadlines.first().copied()
            && deadline_ms <= until_ms
        {
            let trigger = Trigger::Expiry(deadline_ms);
            while let Some((at_ms, place)) = self.deadlines.first().copied()
                && at_ms == deadline_ms
            {
                self.deadlines.pop_first();
                self.expire_one(place, trigger, ruleset, out);
            }
            self.settle(true);
            self.report(trigger, ruleset, out);
        }
    }

    /// The first deadline, in the clock's epoch ms.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    fn expire_one(
        &mut self,
        place: Place,
        trigger: Trigger<'_>,
        ruleset: &str,
        out: &mut impl Outbox,
    ) {
        let Some(member) = self.members.get(&place) else { return };
        let Some(Asked { ghost, case, on_expiry, .. }) = member.asked else { return };
        let pending = !ghost && member.standing == Standing::Pending;
        if pending {
            let answer = match on_expiry {
                OnExpiry::Cancel => Answer::Cancel,
                OnExpiry::Release => Answer::Release,
            };
            self.follow_up(place, answer, case, trigger, ruleset, out);
        }
        self.alter(place, |asked| (asked.waits, asked.ghost) = (false, false));
    }

    /// May more of the account wait?
    pub fn may_wait(&self, account: &str) -> bool {
        let pending = self.account(account).map_or(0, |account| account.pending);
        pending < self.bounds.pending_per_account
    }

    /// Does a grace keep a rule quiet at an event? `counters` are those that it names.
    pub fn quiets<'c>(
        &self,
        rule: &str,
        event: &Event<'_>,
        counters: impl Iterator<Item = (&'c str, Reading)> + Clone,
    ) -> bool {
        self.account(event.account()).is_some_and(|account| {
            let quiets = |grace: &Grace| grace.quiets(rule, event, self.clock_ms, counters.clone());
            account.graces.iter().any(quiets)
        })
    }

    /// The suspension that an authorization meets: a confirmed one first, then the one opened first.
    pub fn suspension(&self, event: &Event<'_>) -> Option<Suspension> {
        let account = self.account(event.account())?;
        let of_shape = |(fields, _): &(Vec<Path>, usize)| {
            let number = *account.targets.get(&Target::of(event, fields))?;
            let status = self.cases[&number].status;
            let suspends = matches!(status, Status::Suspended | Status::Confirmed);
            suspends.then_some((status != Status::Confirmed, number))
        };
        let (open, case) = account.shapes.iter().filter_map(of_shape).min()?;
        let life = self.cases[&case].life.as_ref();
        let holds = life.is_some_and(|life| life.while_suspended == WhileSuspended::Hold);
        Some(Suspension { case, confirmed: !open, holds: open && holds })
    }

    /// Files an authorization that has been decided: it opens a case, or joins one, or neither.
    pub fn file(&mut self, filing: Filing<'_>) -> Receipt {
        let Filing { event, place, action, suspension, joins, reasons, .. } = filing;
        if let Some(Suspension { case, .. }) = suspension {
            if !joins {
                return Receipt { case: Some(case), ..Receipt::default() };
            }
            let of = &self.cases[&case];
            let on_expiry = of.life.as_ref().map_or(OnExpiry::Cancel, |life| life.on_expiry);
            let deadline_ms = of.deadline_ms.unwrap_or(self.clock_ms);
            let member = Member::of(event, self.clock_ms, action);
            self.ask(case, place, member, deadline_ms, on_expiry, reasons);
            return Receipt { case: Some(case), expires_ms: Some(deadline_ms), links: false };
        }
        let Some((scope, life)) = filing.counting else { return Receipt::default() };
        if !matches!(action, Action::Review | Action::Verify | Action::Hold) {
            return Receipt::default();
        }
        let target = scope.target(event);
        let alive = target
            .as_ref()
            .and_then(|target| self.account(event.account())?.targets.get(target).copied());
        let suspends = action == Action::Hold && target.is_some();
        let (case, links) = match alive {
            Some(case) if action == Action::Hold => {
                // A suspended one would have been met.
                if let Some(case) = self.cases.get_mut(&case) {
                    case.life = Some(life.clone());
                }
                self.change(case, Status::Suspended);
                (case, true)
            }
            Some(case) => (case, false),
            None => {
                let status = if suspends { Status::Suspended } else { Status::Open };
                let opening = Opening {
                    place,
                    event_id: event.id().into(),
                    time_ms: event.time,
                    card_id: event.text(Field::CardId).map(Box::from),
                };
                let life = Some(life.clone());
                let case = Case::new(event.account(), opening, target, life, status);
                (self.open(case), true)
            }
        };
        let deadline_ms = self.clock_ms.saturating_add(life.expires_ms);
        let member = Member::of(event, self.clock_ms, action);
        self.ask(case, place, member, deadline_ms, life.on_expiry, reasons);
        if let Some(of) = self.cases.get_mut(&case)
            && of.status == Status::Suspended
        {
            of.deadline_ms = Some(deadline_ms);
        }
        Receipt { case: Some(case), expires_ms: Some(deadline_ms), links }
    }

    /// A case asks about an authorization that no case asks about yet.
    fn ask(
        &mut self,
        number: CaseNumber,
        place: Place,
        mut member: Member,
        deadline_ms: i64,
        on_expiry: OnExpiry,
        reasons: Vec<Stood>,
    ) {
        let asked =
            Asked { case: number, deadline_ms, on_expiry, reasons, waits: true, ghost: false };
        member.asked = Some(asked);
        let account = self.accounts.entry(member.account_id.clone()).or_default();
        account.pending += u64::from(member.standing == Standing::Pending);
        let names = account.names.entry(member.event_id.clone()).or_default();
        reserve_for_one(names);
        names.push(place);
        if let Some(case) = self.cases.get_mut(&number) {
            reserve_for_one(&mut case.asked);
            case.asked.push(place);
            case.add(number, place, &mut member);
            case.count_asked(&member, 1);
        }
        self.deadlines.insert((deadline_ms, place));
        self.members.insert(place, member);
        self.touched.insert(number);
    }

    /// A reversal takes back the authorization that it refers to, if that is known.
    /// `keeps` says of one without a case whether a counter that asks whether it stands has it.
    pub fn withdraw(&mut self, event: &Event<'_>, mut keeps: impl FnMut(&Member, Place) -> bool) {
        let Some(reference) = event.text(Field::RefEventId) else { return };
        let Some(account) = self.account(event.account()) else { return };
        let known =
            |place: &&Place| self.is_known(**place) || keeps(&self.members[*place], **place);
        let newest = account.names.get(reference).and_then(|p| p.iter().rev().find(known));
        let Some(place) = newest.copied() else { return };
        let member = &self.members[&place];
        if !matches!(member.standing, Standing::Passed | Standing::Pending) {
            return;
        }
        let suspended = |asked: &&Asked| self.cases[&asked.case].status == Status::Suspended;
        let counts_on = member.asked.as_ref().filter(|a| a.waits).filter(suspended).is_some();
        self.stand(place, Standing::Withdrawn, Column::Withdrawn);
        self.alter(place, |asked| (asked.waits, asked.ghost) = (false, counts_on));
        self.settle(false);
    }

    /// Is an authorization still a member of a case that can be answered?
    fn is_known(&self, place: Place) -> bool {
        let cases = self.members.get(&place).map_or(&[][..], |member| &member.cases);
        cases.iter().any(|case| self.is_answerable(*case))
    }

    /// Is a case alive, or closed not too long ago?
    fn is_answerable(&self, case: CaseNumber) -> bool {
        self.cases.get(&case).is_some_and(|case| match case.closed_ms {
            None => true,
            Some(closed_ms) => self.clock_ms - closed_ms <= self.bounds.memory_ms,
        })
    }

    /// An authorization that stands no longer, which counters have not heard of yet.
    pub fn next_fallen(&mut self) -> Option<Place> {
        self.fallen.pop()
    }

    fn account(&self, account: &str) -> Option<&Account> {
        if self.accounts.is_empty() { None } else { self.accounts.get(account) }
    }

    /// A case begins. Returns its number.
    fn open(&mut self, case: Case) -> CaseNumber {
        let number = self.next_case;
        self.next_case += 1;
        let account = self.accounts.entry(case.account_id.clone()).or_default();
        account.cases.insert(number);
        if let Some(target) = &case.target {
            account.targets.insert(target.clone(), number);
            let fields: Vec<Path> = target.0.iter().map(|(path, _)| path.clone()).collect();
            match account.shapes.iter_mut().find(|(known, _)| *known == fields) {
                Some((_, count)) => *count += 1,
                None => account.shapes.push((fields, 1)),
            }
        }
        self.cases.insert(number, case);
        self.touched.insert(number);
        number
    }

    /// A case comes to stand otherwise.
    fn change(&mut self, number: CaseNumber, status: Status) {
        let Some(case) = self.cases.get_mut(&number) else { return };
        let was_suspended = case.status == Status::Suspended && status != Status::Suspended;
        case.status = status;
        self.touched.insert(number);
        self.unsettled.insert(number);
        if was_suspended {
            for place in case.asked.clone() {
                if self.members.get(&place).is_some_and(Member::is_ghost) {
                    self.alter(place, |asked| asked.ghost = false);
                }
            }
        }
        if status == Status::Closed {
            self.close(number);
        }
    }

    fn close(&mut self, number: CaseNumber) {
        let Some(case) = self.cases.get_mut(&number) else { return };
        case.closed_ms = Some(self.clock_ms);
        self.closed.insert((self.clock_ms.saturating_add(self.bounds.memory_ms), number));
        let Some(account) = self.accounts.get_mut(&case.account_id) else { return };
        if let Some(target) = &case.target
            && account.targets.get(target) == Some(&number)
        {
            account.targets.remove(target);
            let fields = |shape: &(Vec<Path>, usize)| {
                shape.0.iter().eq(target.0.iter().map(|(path, _)| path))
            };
            if let Some(at) = account.shapes.iter().position(fields) {
                account.shapes[at].1 -= 1;
                if account.shapes[at].1 == 0 {
                    account.shapes.swap_remove(at);
                }
            }
        }
    }

    /// An authorization comes to stand otherwise, and its amount in another column.
    fn stand(&mut self, place: Place, standing: Standing, column: Column) {
        let Some(member) = self.members.get_mut(&place) else { return };
        let (before, from) = (member.standing, member.column);
        if member.counted.as_ref().is_some_and(|counted| !counted.standing.is_empty()) {
            self.fallen.extend((standing != Standing::Passed).then_some(place));
        }
        if let Some(Asked { case, .. }) = &member.asked
            && let Some(case) = self.cases.get_mut(case)
        {
            case.count_asked(member, -1);
        }
        (member.standing, member.column) = (standing, column);
        if let Some(Asked { case: number, .. }) = &member.asked
            && let Some(case) = self.cases.get_mut(number)
        {
            case.count_asked(member, 1);
            self.unsettled.insert(*number);
        }
        if let Some(account) = self.accounts.get_mut(&member.account_id) {
            account.pending -= u64::from(before == Standing::Pending);
            account.pending += u64::from(standing == Standing::Pending);
            if standing == Standing::Refused {
                account.log.remove(&place);
            }
        }
        for number in member.cases.clone() {
            let Some(case) = self.cases.get_mut(&number) else { continue };
            case.move_amount(&self.members[&place], from, column);
            if self.is_answerable(number) {
                self.touched.insert(number);
            }
        }
    }

    /// What a case asks about an authorization changes.
    fn alter(&mut self, place: Place, change: impl FnOnce(&mut Asked)) {
        let Some(member) = self.members.get_mut(&place) else { return };
        let Some(number) = member.asked.as_ref().map(|asked| asked.case) else { return };
        let case = self.cases.get_mut(&number);
        let Some(case) = case else { return };
        case.count_asked(member, -1);
        member.asked.as_mut().map(change);
        case.count_asked(member, 1);
        self.unsettled.insert(number);
        if let Some(Asked { deadline_ms, waits: false, ghost: false, .. }) = member.asked {
            self.deadlines.remove(&(deadline_ms, place));
        }
    }

    /// A case that is not confirmed is closed when nothing that it asks about awaits an answer, and
    /// no longer suspended when none of that is pending.
    fn settle(&mut self, by_deadline: bool) {
        while let Some(number) = self.unsettled.pop_first() {
            let Some(case) = self.cases.get_mut(&number) else { continue };
            if !matches!(case.status, Status::Open | Status::Suspended) {
                continue;
            }
            if case.open_questions == 0 {
                case.by_deadline = by_deadline;
                self.change(number, Status::Closed);
            } else if case.status == Status::Suspended && case.pending == 0 {
                self.change(number, Status::Open);
            }
        }
    }

    /// Gives a grace for a case, now.
    fn give_grace(&mut self, number: CaseNumber) {
        let Some(case) = self.cases.get_mut(&number) else { return };
        case.graced = true;
        let Some(life) = &case.life else { return };
        let until_ms = self.clock_ms.saturating_add(life.grace_ms);
        let of_event = || grace::target_of_event(case.opening.card_id.as_deref());
        let target = case.target.clone().unwrap_or_else(of_event);
        let members = case.asked.iter().filter_map(|place| self.members.get(place));
        let reasons = members.filter_map(|m| m.asked.as_ref()).flat_map(|a| &a.reasons);
        let grace = Grace::new(target, until_ms, reasons);
        self.graces.insert((until_ms, case.account_id.clone()));
        self.accounts.entry(case.account_id.clone()).or_default().graces.push(grace);
    }
}

impl Account {
    fn is_empty(&self) -> bool {
        self.cases.is_empty() && self.graces.is_empty() && self.names.is_empty()
    }
}
