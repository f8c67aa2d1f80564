//! How an authorization that has been decided comes to a case: it opens one, or joins the one that
//! is alive on its target.

use crate::{decision::Action, event::Event};

use super::{
    Cases, Suspension,
    case::{Case, Status},
    life::{OnExpiry, Scope},
    member::{AccountNumber, Asked, CaseNumber, Ground, Member, MemberNumber, Standing},
    packed::Note,
};

/// What is to be filed of an authorization that has been decided.
#[derive(Debug)]
pub struct Filing<'a> {
    /// The authorization.
    pub event: &'a Event<'a>,
    /// Its account, if that has to do with cases already.
    pub account: Option<AccountNumber>,
    /// What was decided.
    pub action: Action,
    /// The rule that counts, by its place in the ruleset, and what its cases are about.
    pub counting: Option<(u32, &'a Scope)>,
    /// The suspension that it met.
    pub suspension: Option<Suspension>,
    /// Does it wait because of the suspension?
    pub joins: bool,
    /// What the decision rests on.
    pub grounds: &'a [Ground],
}

/// How an authorization was filed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Receipt {
    /// In this case.
    pub case: Option<CaseNumber>,
    /// Under this number, if the case asks about it.
    pub member: Option<MemberNumber>,
    /// An answer is waited for up to this clock, in epoch ms.
    pub expires_ms: Option<i64>,
    /// The case was opened or became suspended by it.
    pub links: bool,
}

/// Where an authorization goes.
enum Place {
    /// Into no case.
    None,
    /// To one that suspends it and does not ask about it.
    Refused(CaseNumber),
    /// Into one that asks about it.
    In { case: CaseNumber, deadline_ms: i64, on_expiry: OnExpiry, links: bool },
}

impl Cases {
    /// Files an authorization that has been decided: it opens a case, or joins one, or neither.
    ///
    /// Always inline, as its only caller reads the receipt at once: written to memory in parts and
    /// read back as a whole, it would wait for every store before it.
    #[inline(always)]
    pub fn file(&mut self, filing: Filing<'_>) -> Receipt {
        match self.place_for(&filing) {
            Place::None => Receipt::default(),
            Place::Refused(case) => Receipt { case: Some(case), ..Receipt::default() },
            Place::In { case, deadline_ms, on_expiry, links } => {
                let member = Some(self.ask(case, &filing, deadline_ms, on_expiry));
                Receipt { case: Some(case), member, expires_ms: Some(deadline_ms), links }
            }
        }
    }

    /// Which case asks about it, or refuses it.
    #[inline(always)]
    fn place_for(&mut self, filing: &Filing<'_>) -> Place {
        let Filing { event, account, action, suspension, joins, .. } = filing;
        if let Some(Suspension { case, .. }) = *suspension {
            if !joins {
                return Place::Refused(case);
            }
            let of = &self.cases[case];
            let on_expiry = self.life_of(of).map_or(OnExpiry::Cancel, |life| life.on_expiry);
            let deadline_ms = of.deadline_ms().unwrap_or(self.clock_ms);
            return Place::In { case, deadline_ms, on_expiry, links: false };
        }
        let Some((rule, scope)) = filing.counting else { return Place::None };
        if !matches!(action, Action::Review | Action::Verify | Action::Hold) {
            return Place::None;
        }
        let account = account.unwrap_or_else(|| self.accounts.find_or_add(event.account()));
        let target = scope.target(event);
        let alive = target.as_ref().and_then(|target| self.accounts[account].on(target));
        let suspends = *action == Action::Hold && target.is_some();
        let (case, links) = match alive {
            Some(case) if *action == Action::Hold => {
                // A suspended one would have been met.
                self.change(case, Status::Suspended);
                self.cases[case].life = Some(rule);
                (case, true)
            }
            Some(case) => (case, false),
            None => {
                let status = if suspends { Status::Suspended } else { Status::Open };
                (self.open(Case::new(account, None, target, Some(rule), status)), true)
            }
        };
        let life = &self.lives[rule as usize];
        let deadline_ms = self.clock_ms.saturating_add(life.expires_ms);
        if suspends {
            self.cases[case].set_deadline(deadline_ms);
        }
        Place::In { case, deadline_ms, on_expiry: life.on_expiry, links }
    }

    /// A case asks about an authorization that no case asks about yet.
    fn ask(
        &mut self,
        case: CaseNumber,
        filing: &Filing<'_>,
        deadline_ms: i64,
        on_expiry: OnExpiry,
    ) -> MemberNumber {
        self.touch(case);
        let only = self.only_row(case);
        let account = self.cases[case].account;
        let Filing { event, action, grounds, .. } = *filing;
        let notes = grounds.iter().map(|ground| Note::Ground(*ground));
        let (clock_ms, scratch) = (self.clock_ms, &mut self.scratch);
        let mut member = Member::of(event, account, clock_ms, action, notes, scratch);
        member.asked = Some(Asked { case, deadline_ms, on_expiry, waits: true, ghost: false });
        self.accounts[account].pending += u32::from(member.standing == Standing::Pending);
        let of = &mut self.cases[case];
        of.add(case, self.members.next(), &mut member, only);
        of.count_asked(&member, 1);
        let number = self.remember(member);
        self.deadlines.insert((deadline_ms, number));
        self.due(deadline_ms);
        number
    }
}
