//! Whom an answer speaks of. Who is named is looked up by name, so that an answer about one event
//! costs nothing of what else the account has been through.

use std::collections::{BTreeSet, HashSet};

use crate::event::{Event, Field};

use super::{
    Cases,
    case::{Case, Opening},
    member::{AccountNumber, CaseNumber, Member, MemberNumber},
};

/// Whom a feedback speaks of.
pub(super) struct Scope<'e> {
    of: Named<'e>,
    from_ms: i64,
    to_ms: i64,
    /// Is it narrowed to a time?
    narrow: bool,
    /// Those that it leaves out, within it.
    pub excepted: HashSet<&'e str>,
}

/// The scope that a feedback names.
pub(super) enum Named<'e> {
    /// A case: its members.
    Case(BTreeSet<MemberNumber>),
    /// Events, and those of them that are remembered.
    Events(HashSet<&'e str>, BTreeSet<MemberNumber>),
    /// A card: its events.
    Card(&'e str),
    /// All events.
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
            Named::Events(ids, _) => ids.contains(id),
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
                Named::Case(_) | Named::Events(..) => false,
            }
    }

    /// Is it the whole of a case that it speaks of?
    pub fn is_whole(&self, case: &Case, excepts: bool) -> bool {
        let named = match self.of {
            Named::Case(_) | Named::Account => true,
            Named::Card(card) => case.target().is_some_and(|target| target.names_card(card)),
            Named::Events(..) => false,
        };
        named && !self.narrow && !excepts
    }
}

impl Cases {
    /// The scope of a feedback, and the cases in it, in the order of their opening. `fraud` speaks of
    /// what a case links, too.
    pub(super) fn scope<'e>(
        &self,
        event: &Event<'e>,
        account: Option<AccountNumber>,
        fraud: bool,
    ) -> (Scope<'e>, Vec<CaseNumber>) {
        let (of, cases) = if let Some(case_id) = event.text(Field::CaseId) {
            let cases = self.cases_named(account, case_id);
            let members = cases.iter().flat_map(|number| &self.cases[*number].members);
            (Named::Case(members.copied().collect()), cases)
        } else if let Some(ids) = event.event_ids {
            self.events_named(account, ids)
        } else {
            let of = event.text(Field::CardId).map_or(Named::Account, Named::Card);
            let cases = account.into_iter().flat_map(|account| self.accounts[account].cases.iter());
            (of, cases.filter(|number| self.is_answerable(*number)).collect())
        };
        let scope = Scope {
            of,
            from_ms: event.from.unwrap_or(i64::MIN),
            to_ms: event.to.unwrap_or(i64::MAX),
            narrow: event.from.is_some() || event.to.is_some(),
            excepted: event.except_event_ids.unwrap_or(&[]).iter().copied().collect(),
        };
        let in_scope = cases.into_iter().filter(|number| self.is_in(*number, &scope, fraud));
        let in_scope = in_scope.collect();
        (scope, in_scope)
    }

    /// The case that the event of this id opened, else those that ask about it.
    fn cases_named(&self, account: Option<AccountNumber>, case_id: &str) -> Vec<CaseNumber> {
        let Some(account) = account else { return Vec::new() };
        let members = || self.named(account, case_id).map(|number| &self.members[number]);
        let of = members().flat_map(|member| member.cases.iter().copied());
        let opened = of
            .chain(self.opened_by_feedback(account))
            .filter(|number| self.is_answerable(*number) && self.case_id(*number) == case_id);
        if let Some(newest) = opened.max() {
            return vec![newest];
        }
        let asking = members().filter_map(|member| Some(member.asked.as_ref()?.case));
        let asking: BTreeSet<_> = asking.filter(|number| self.is_answerable(*number)).collect();
        asking.into_iter().collect()
    }

    /// The events of these ids, and the cases that have one of them.
    fn events_named<'e>(
        &self,
        account: Option<AccountNumber>,
        ids: &'e [&'e str],
    ) -> (Named<'e>, Vec<CaseNumber>) {
        let ids: HashSet<&str> = ids.iter().copied().collect();
        let Some(account) = account else {
            return (Named::Events(ids, BTreeSet::new()), Vec::new());
        };
        let members: BTreeSet<_> = ids.iter().flat_map(|id| self.named(account, id)).collect();
        let of = members.iter().flat_map(|number| self.members[*number].cases.iter().copied());
        let cases: BTreeSet<CaseNumber> = of
            .chain(self.opened_by_feedback(account))
            .filter(|number| self.is_answerable(*number))
            .collect();
        (Named::Events(ids, members), cases.into_iter().collect())
    }

    fn opened_by_feedback(&self, account: AccountNumber) -> impl Iterator<Item = CaseNumber> {
        self.accounts[account].rare().into_iter().flat_map(|rare| rare.by_feedback.iter())
    }

    /// The members of a case that are in scope.
    pub(super) fn selected<'a>(
        &'a self,
        number: CaseNumber,
        scope: &'a Scope<'_>,
    ) -> Box<dyn Iterator<Item = (MemberNumber, &'a Member)> + 'a> {
        let selects =
            |(number, member): &(MemberNumber, &Member)| scope.selects_member(*number, member);
        match &scope.of {
            Named::Events(_, members) => {
                let members = members.iter().map(|number| (*number, &self.members[*number]));
                let of = members.filter(move |(_, member)| member.cases.contains(&number));
                Box::new(of.filter(selects))
            }
            _ => Box::new(self.members_of(number).filter(selects)),
        }
    }

    fn is_in(&self, number: CaseNumber, scope: &Scope<'_>, fraud: bool) -> bool {
        let case = &self.cases[number];
        // A member that it does not ask about is one that it links.
        let is_meant = |member: &Member| fraud || member.is_asked_by(number);
        case.opening().is_some_and(|opening| scope.selects_opening(opening))
            || self.selected(number, scope).any(|(_, member)| is_meant(member))
            || scope.is_target(case)
    }
}
