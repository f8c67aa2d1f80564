//! The life of a hold: what waits, for whose answer and until when, and what becomes of it.
//!
//! A decision that asks opens a *case* or joins the one that is alive on its target; an answer, a
//! deadline or a reversal changes how its members stand, and then the case. Here is what happens;
//! [`case`] is one case, [`member`] one authorization, [`life`] what the rules say of them,
//! `feedback` what an answer does, [`grace`] the peace after it.
//!
//! It decides nothing about an event, and counts nothing. Time is the clock of the partition.

mod account;
mod ascending;
pub mod carry;
pub mod case;
mod change;
mod feedback;
mod file;
mod forget;
pub mod grace;
pub mod ledger;
pub mod life;
pub mod log;
pub mod look;
pub mod member;
mod named;
mod names;
mod numbered;
mod ordered;
pub mod packed;
mod report;
pub mod state;
mod targeted;

use std::collections::{BTreeSet, BinaryHeap};

use crate::{
    ahead::fetch,
    decision::{Answer, Outbox, RulesetId, Trigger},
    event::{Event, Field},
    window::spec::Reading,
};

use account::Accounts;
use case::{Case, Status};
pub use feedback::ANSWERS;
pub use file::{Filing, Receipt};
use grace::Grace;
use life::{Bounds, Life, OnExpiry, Target, WhileSuspended};
use log::Keys;
use member::{AccountNumber, Asked, CaseNumber, Column, Member, MemberNumber, Standing};
use names::Names;
use numbered::Numbered;
use ordered::Ordered;
use report::Touched;
pub use state::CasesState;

/// So many that are due are looked at ahead, of each lane.
const DUE: usize = 64;

/// All cases of one partition.
#[derive(Debug)]
pub struct Cases {
    bounds: Bounds,
    /// How cases live, by the rule's place in the ruleset; the score's is the last.
    lives: Box<[Life]>,
    /// How many of them are of the ruleset.
    of_ruleset: usize,
    clock_ms: i64,
    /// Nothing is due before the clock is here, in epoch ms.
    due_ms: i64,
    accounts: Accounts,
    cases: Numbered<Case>,
    members: Numbered<Member>,
    /// Members, by account and `event_id`.
    names: Names,
    /// Of every member that waits, or counts on.
    deadlines: Ordered<(i64, MemberNumber)>,
    /// Authorizations that counters may count, by the clock up to which they can.
    kept: Ordered<(i64, MemberNumber)>,
    /// Closed cases, by the clock up to which they can be answered.
    closed: Ordered<(i64, CaseNumber)>,
    /// Where graces end, by the clock at which they do.
    graces: BTreeSet<(i64, AccountNumber, Target)>,
    /// By which keys cases reach back.
    keys: Keys,
    /// Room to write in.
    scratch: String,
    /// Cases that may stand otherwise than in their newest records, in the order of their opening.
    touched: Vec<Touched>,
    /// Cases that may have nothing to ask any more, the first one on top.
    unsettled: BinaryHeap<std::cmp::Reverse<CaseNumber>>,
    /// Authorizations that stand no longer, which counters have to hear of.
    fallen: Vec<MemberNumber>,
    /// Cases that are not closed, by where they stand.
    alive: [Ordered<CaseNumber>; Status::ALIVE.len()],
    /// By rule, the answers to authorizations that waited because of it.
    answers: Vec<[u64; ANSWERS.len()]>,
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

impl Cases {
    /// No cases yet. `lives` says how they live: those of each rule, then those of the score; `keys`
    /// by what they reach back.
    pub fn new(bounds: Bounds, lives: Box<[Life]>, keys: Keys) -> Cases {
        let of_ruleset = lives.len();
        Cases {
            bounds,
            of_ruleset,
            lives,
            clock_ms: 0,
            due_ms: i64::MAX,
            accounts: Accounts::default(),
            cases: Numbered::default(),
            members: Numbered::default(),
            names: Names::default(),
            deadlines: Ordered::default(),
            kept: Ordered::default(),
            closed: Ordered::default(),
            graces: BTreeSet::new(),
            keys,
            scratch: String::new(),
            touched: Vec::new(),
            unsettled: BinaryHeap::new(),
            fallen: Vec::new(),
            alive: Default::default(),
            answers: vec![[0; ANSWERS.len()]; of_ruleset],
        }
    }

    /// An event was accepted, and the clock is here now, in epoch ms. What the deadlines up to it
    /// cause goes to `out`.
    #[inline]
    pub fn accept(&mut self, clock_ms: i64, ruleset: &RulesetId, out: &mut impl Outbox) {
        self.clock_ms = clock_ms;
        if clock_ms >= self.due_ms {
            self.go_on(clock_ms, ruleset, out);
        }
    }

    /// Something is due now.
    #[inline(never)]
    fn go_on(&mut self, clock_ms: i64, ruleset: &RulesetId, out: &mut impl Outbox) {
        self.forget_kept();
        self.expire(clock_ms, ruleset, out);
        self.forget();
        let firsts = [
            self.deadlines.first().map(|(at_ms, _)| at_ms),
            self.kept.first().map(|(at_ms, _)| at_ms),
            self.closed.first().map(|(at_ms, _)| at_ms),
            self.graces.first().map(|(at_ms, ..)| *at_ms),
        ];
        self.due_ms = firsts.into_iter().flatten().min().unwrap_or(i64::MAX);
    }

    /// Something is due when the clock is here, in epoch ms.
    fn due(&mut self, at_ms: i64) {
        self.due_ms = self.due_ms.min(at_ms);
    }

    /// Whatever waits for an answer up to this time, in epoch ms, waits no longer.
    pub fn expire(&mut self, until_ms: i64, ruleset: &RulesetId, out: &mut impl Outbox) {
        while let Some((deadline_ms, _)) = self.deadlines.first()
            && deadline_ms <= until_ms
        {
            let trigger = Trigger::Expiry(deadline_ms);
            while let Some((at_ms, number)) = self.deadlines.first()
                && at_ms == deadline_ms
            {
                self.deadlines.pop_first();
                self.expire_one(number, trigger, ruleset, out);
            }
            self.settle(true);
            self.report(trigger, ruleset, out);
        }
    }

    /// The first deadline, in the clock's epoch ms.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first().map(|(deadline_ms, _)| deadline_ms)
    }

    fn expire_one(
        &mut self,
        number: MemberNumber,
        trigger: Trigger<'_>,
        ruleset: &RulesetId,
        out: &mut impl Outbox,
    ) {
        let Some(member) = self.members.get(number) else { return };
        let Some(Asked { ghost, case, on_expiry, .. }) = member.asked else { return };
        let pending = !ghost && member.standing == Standing::Pending;
        if pending {
            let answer = match on_expiry {
                OnExpiry::Cancel => Answer::Cancel,
                OnExpiry::Release => Answer::Release,
            };
            self.follow_up(number, answer, case, trigger, ruleset, out);
        }
        self.alter(number, |asked| (asked.waits, asked.ghost) = (false, false));
    }

    /// Has the members fetched whose deadlines are due when the clock is at `clock_ms`, and those that
    /// are forgotten then. Changes nothing.
    pub fn warm(&self, clock_ms: i64) {
        if clock_ms < self.due_ms {
            return;
        }
        let last = (clock_ms, MemberNumber::MAX);
        let due = self.deadlines.up_to(last, DUE).chain(self.kept.up_to(last, DUE));
        let due = due.filter_map(|(_, number)| self.members.get(number));
        for member in due {
            fetch(&self.accounts[member.account].pending);
            member.event_id().as_bytes().first().into_iter().for_each(fetch);
        }
    }

    /// Has fetched what these accounts have to do with cases. To be called where most accounts have;
    /// where few have, it costs more than it saves. Changes nothing.
    pub fn warm_accounts<'n>(&self, names: impl Iterator<Item = &'n str>) {
        self.accounts.warm(names);
    }

    /// The account of this name, if it has to do with cases.
    #[inline]
    pub fn account(&self, name: &str) -> Option<AccountNumber> {
        self.accounts.find(name)
    }

    /// May more of an account wait?
    pub fn may_wait(&self, account: Option<AccountNumber>) -> bool {
        let pending = account.map_or(0, |account| self.accounts[account].pending);
        u64::from(pending) < self.bounds.pending_per_account
    }

    /// Does a grace keep a rule quiet at an event? `counters` are those that it names. Rules and
    /// counters are named by their places in the ruleset.
    pub fn quiets(
        &self,
        account: AccountNumber,
        rule: u32,
        event: &Event<'_>,
        counters: impl Iterator<Item = (u32, Reading)> + Clone,
    ) -> bool {
        self.accounts[account].rare().is_some_and(|rare| {
            let quiets = |grace: &Grace| grace.quiets(rule, self.clock_ms, counters.clone());
            rare.graces.of(event).any(quiets)
        })
    }

    /// The suspension that an authorization meets: a confirmed one first, then the one opened first.
    #[inline]
    pub fn suspension(&self, event: &Event<'_>) -> Option<Suspension> {
        self.suspension_of(self.accounts.find_watched(event.account())?, event)
    }

    fn suspension_of(&self, account: AccountNumber, event: &Event<'_>) -> Option<Suspension> {
        let suspends = |number: CaseNumber| {
            let status = self.cases[number].status;
            let suspends = matches!(status, Status::Suspended | Status::Confirmed);
            suspends.then_some((status != Status::Confirmed, number))
        };
        let alive = self.accounts[account].rare()?.alive.of(event);
        let (open, case) = alive.copied().filter_map(suspends).min()?;
        let life = self.life_of(&self.cases[case]);
        let holds = life.is_some_and(|life| life.while_suspended == WhileSuspended::Hold);
        Some(Suspension { case, confirmed: !open, holds: open && holds })
    }

    /// A reversal takes back the authorization that it refers to, if that is known.
    /// `keeps` says of one without a case whether a counter that asks whether it stands has it.
    pub fn withdraw(&mut self, event: &Event<'_>, mut keeps: impl FnMut(&Member, &str) -> bool) {
        let Some(reference) = event.text(Field::RefEventId) else { return };
        let Some(account) = self.accounts.find(event.account()) else { return };
        let mut named: Vec<MemberNumber> = self.named(account, reference).collect();
        named.sort_unstable();
        let known = |number: &&MemberNumber| {
            self.is_known(**number) || keeps(&self.members[**number], event.account())
        };
        let Some(number) = named.iter().rev().find(known).copied() else { return };
        let member = &self.members[number];
        if !matches!(member.standing, Standing::Passed | Standing::Pending) {
            return;
        }
        let suspended = |asked: &&Asked| self.cases[asked.case].status == Status::Suspended;
        let counts_on = member.asked.as_ref().filter(|a| a.waits).filter(suspended).is_some();
        self.stand(number, Standing::Withdrawn, Column::Withdrawn);
        self.alter(number, |asked| (asked.waits, asked.ghost) = (false, counts_on));
        self.settle(false);
    }

    /// Is an authorization still a member of a case that can be answered?
    fn is_known(&self, number: MemberNumber) -> bool {
        let cases = self.members.get(number).map_or(&[][..], |member| &member.cases);
        cases.iter().any(|case| self.is_answerable(*case))
    }

    /// Is a case alive, or closed not too long ago?
    fn is_answerable(&self, number: CaseNumber) -> bool {
        self.cases.get(number).is_some_and(|case| {
            case.is_alive() || self.clock_ms - case.closed_ms <= self.bounds.memory_ms
        })
    }

    /// Does a `legitimate`, `policy_breach` or `restored` of this source count?
    fn is_answered_by(&self, case: &Case, source: &str) -> bool {
        self.life_of(case).is_none_or(|life| life.is_answered_by(source))
    }

    /// How the rule that opened or suspended a case wants it to live; `None` if a feedback did.
    fn life_of(&self, case: &Case) -> Option<&Life> {
        self.lives.get(case.life? as usize)
    }

    /// The `event_id` of what opened a case.
    fn opening_id<'a>(&'a self, case: &'a Case) -> &'a str {
        match (case.opening(), &case.members[..]) {
            (Some(opening), _) => &opening.event_id,
            (None, [first, ..]) => self.members[*first].event_id(),
            (None, []) => "",
        }
    }

    /// The `card_id` of what opened a case.
    fn opening_card<'a>(&'a self, case: &'a Case) -> Option<&'a str> {
        match (case.opening(), &case.members[..]) {
            (Some(opening), _) => opening.card_id.as_deref(),
            (None, [first, ..]) => self.members[*first].card_id(),
            (None, []) => None,
        }
    }

    /// The members of a case.
    fn members_of(&self, number: CaseNumber) -> impl Iterator<Item = (MemberNumber, &Member)> {
        self.cases[number].members.iter().map(|number| (*number, &self.members[*number]))
    }

    /// Those members of a case that it asks about.
    fn asked_by(&self, number: CaseNumber) -> impl Iterator<Item = (MemberNumber, &Member)> {
        self.members_of(number).filter(move |(_, member)| member.is_asked_by(number))
    }

    /// An authorization that stands no longer, which counters have not heard of yet.
    pub fn next_fallen(&mut self) -> Option<MemberNumber> {
        self.fallen.pop()
    }

    /// Remembers an authorization. Returns its number.
    fn remember(&mut self, member: Member) -> MemberNumber {
        let number = self.members.push(member);
        self.name(number);
        number
    }

    /// The authorizations of this name that are remembered, in no order.
    fn named<'a>(
        &'a self,
        account: AccountNumber,
        event_id: &'a str,
    ) -> impl Iterator<Item = MemberNumber> + 'a {
        self.names.of(&self.members, account, event_id)
    }

    /// Puts an authorization where it is found by its name.
    fn name(&mut self, number: MemberNumber) {
        self.accounts[self.members[number].account].members += 1;
        self.names.insert(&self.members, number);
    }
}
