//! What is over is forgotten, a little with every event, so that nothing is ever swept as a whole.
//! Whether something still counts is never asked of what has been forgotten, but of the clock.

use super::{Cases, member::Place};

/// Members of cases long closed that are forgotten an event, at most.
const MEMBERS: usize = 64;
/// Graces that have ended that are forgotten an event, at most.
const GRACES: usize = 8;
/// Authorizations that no window can reach that are forgotten an event, at most.
const COUNTED: usize = 8;

impl Cases {
    /// Forgets a few members of cases that can no longer be answered, then the cases.
    pub(super) fn forget(&mut self) {
        let (mut budget, mut emptied) = (MEMBERS, Vec::new());
        while let Some((until_ms, number)) = self.closed.first().copied()
            && until_ms < self.clock_ms
        {
            let Some(case) = self.cases.get_mut(&number) else { break };
            while let Some(place) = case.members.pop() {
                let Some(member) = self.members.get_mut(&place) else { continue };
                member.cases.retain(|of| *of != number);
                if member.cases.is_empty() && member.counted.is_none() {
                    emptied.push(place);
                }
                budget -= 1;
                if budget == 0 {
                    emptied.into_iter().for_each(|place| self.forget_member(place));
                    return;
                }
            }
            if let Some(account) = self.accounts.get_mut(&case.account_id) {
                account.cases.remove(&number);
                if account.is_empty() {
                    self.accounts.remove(&case.account_id);
                }
            }
            self.cases.remove(&number);
            self.closed.pop_first();
        }
        emptied.into_iter().for_each(|place| self.forget_member(place));
        self.forget_graces();
    }

    /// Forgets a few graces that have ended.
    fn forget_graces(&mut self) {
        for _ in 0..GRACES {
            let ended = |(until_ms, _): &&(i64, Box<str>)| *until_ms <= self.clock_ms;
            if self.graces.first().filter(ended).is_none() {
                return;
            }
            let Some((_, name)) = self.graces.pop_first() else { return };
            if let Some(account) = self.accounts.get_mut(&name) {
                account.graces.retain(|grace| grace.until_ms > self.clock_ms);
                if account.is_empty() {
                    self.accounts.remove(&name);
                }
            }
        }
    }

    fn forget_member(&mut self, place: Place) {
        let Some(member) = self.members.remove(&place) else { return };
        let Some(account) = self.accounts.get_mut(&member.account_id) else { return };
        if let Some(places) = account.names.get_mut(&member.event_id) {
            places.retain(|other| *other != place);
            if places.is_empty() {
                account.names.remove(&member.event_id);
            }
        }
        if account.is_empty() {
            self.accounts.remove(&member.account_id);
        }
    }

    /// Forgets a few that no window can reach any more.
    pub(super) fn forget_kept(&mut self) {
        for _ in 0..COUNTED {
            let Some((until_ms, place)) = self.kept.first().copied() else { return };
            if until_ms >= self.clock_ms {
                return;
            }
            self.kept.pop_first();
            let Some(member) = self.members.get_mut(&place) else { continue };
            member.counted = None;
            if let Some(account) = self.accounts.get_mut(&member.account_id) {
                account.log.remove(&place);
            }
            if member.cases.is_empty() {
                self.forget_member(place);
            }
        }
    }
}
