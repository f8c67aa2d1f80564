//! What is over is forgotten, a little with every event, so that nothing is ever swept as a whole.
//! Whether something still counts is never asked of what has been forgotten, but of the clock.

use super::{Cases, member::MemberNumber};

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
        while let Some((until_ms, number)) = self.closed.first()
            && until_ms < self.clock_ms
        {
            let Some(case) = self.cases.get_mut(number) else { break };
            while let Some(place) = case.members.pop() {
                let Some(member) = self.members.get_mut(place) else { continue };
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
            let number_of = case.account;
            let account = &mut self.accounts[number_of];
            account.cases.remove(number);
            if let (Some(_), Some(rare)) = (case.opening(), account.known_rare()) {
                rare.by_feedback.remove(number);
            }
            self.cases.remove(number);
            self.accounts.tidy(number_of);
            self.closed.pop_first();
        }
        emptied.into_iter().for_each(|place| self.forget_member(place));
        self.forget_graces();
    }

    /// Forgets a few graces that have ended.
    fn forget_graces(&mut self) {
        for _ in 0..GRACES {
            let ended = |(until_ms, ..): &&(i64, _, _)| *until_ms <= self.clock_ms;
            if self.graces.first().filter(ended).is_none() {
                return;
            }
            let Some((until_ms, account, target)) = self.graces.pop_first() else { return };
            if let Some(rare) = self.accounts[account].known_rare() {
                rare.graces.end(&target, until_ms);
            }
            self.accounts.tidy(account);
        }
    }

    fn forget_member(&mut self, number: MemberNumber) {
        let Some(member) = self.members.remove(number) else { return };
        self.names.remove(&member, number);
        self.accounts[member.account].members -= 1;
        self.accounts.tidy(member.account);
    }

    /// Forgets a few that no window can reach any more.
    pub(super) fn forget_kept(&mut self) {
        for _ in 0..COUNTED {
            let Some((until_ms, number)) = self.kept.first() else { return };
            if until_ms >= self.clock_ms {
                return;
            }
            self.kept.pop_first();
            let Some(member) = self.members.get_mut(number) else { continue };
            member.counted = None;
            self.accounts[member.account].log.remove(number, member, &self.keys);
            if member.cases.is_empty() {
                self.forget_member(number);
            }
        }
    }
}
