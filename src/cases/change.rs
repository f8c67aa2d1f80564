//! What changes of cases and their members, and what follows from it at once. Whoever changes
//! something here says before which case it is of: [`Cases::touch`].

use smallvec::SmallVec;

use super::{
    Cases,
    case::{Case, Status},
    grace::{self, Grace},
    member::{AccountNumber, Asked, CaseNumber, Column, MemberNumber, Standing},
    report::Touched,
};

impl Cases {
    /// A case begins. Returns its number.
    pub(super) fn open(&mut self, case: Case) -> CaseNumber {
        let number = self.cases.push(case);
        self.enter(number);
        self.touched.push(Touched { case: number, before: None });
        number
    }

    /// Puts a case where its account finds it, or where it will be forgotten.
    pub(super) fn enter(&mut self, number: CaseNumber) {
        let case = &self.cases[number];
        if let Some(alive) = self.alive.get_mut(case.status as usize) {
            alive.insert(number);
        }
        let account = &mut self.accounts[case.account];
        account.cases.push(number);
        if case.opening().is_some() {
            account.rare_mut().by_feedback.push(number);
        }
        if !case.is_alive() {
            self.let_go(number);
        } else if let Some(target) = case.target() {
            self.accounts.watch(case.account, target, number);
        }
    }

    /// A closed case will be forgotten, after those that were closed before it.
    fn let_go(&mut self, number: CaseNumber) {
        let until_ms = self.cases[number].closed_ms.saturating_add(self.bounds.memory_ms);
        self.closed.insert((until_ms, number));
        self.due(until_ms);
    }

    /// A case comes to stand otherwise.
    pub(super) fn change(&mut self, number: CaseNumber, status: Status) {
        self.touch(number);
        let Some(case) = self.cases.get_mut(number) else { return };
        let was_suspended = case.status == Status::Suspended && status != Status::Suspended;
        if let Some(alive) = self.alive.get_mut(case.status as usize) {
            alive.remove(number);
        }
        if let Some(alive) = self.alive.get_mut(status as usize) {
            alive.insert(number);
        }
        case.status = status;
        self.unsettled.push(std::cmp::Reverse(number));
        if was_suspended {
            let ghosts = self.asked_by(number).filter(|(_, member)| member.is_ghost());
            let ghosts: Vec<MemberNumber> = ghosts.map(|(number, _)| number).collect();
            ghosts.into_iter().for_each(|ghost| self.alter(ghost, |asked| asked.ghost = false));
        }
        if status == Status::Closed {
            self.close(number);
        }
    }

    fn close(&mut self, number: CaseNumber) {
        let case = &mut self.cases[number];
        case.closed_ms = self.clock_ms;
        if let Some(target) = case.target() {
            self.accounts.unwatch(case.account, target, number);
        }
        self.let_go(number);
    }

    /// An authorization comes to stand otherwise, and its amount in another column.
    pub(super) fn stand(&mut self, number: MemberNumber, standing: Standing, column: Column) {
        let Some(member) = self.members.get(number) else { return };
        let cases: SmallVec<[CaseNumber; 2]> = member.cases.clone();
        for case in &cases {
            if self.is_answerable(*case) {
                self.touch(*case);
            }
        }
        let Some(member) = self.members.get_mut(number) else { return };
        let (before, from) = (member.standing, member.column);
        if member.counted.as_ref().is_some_and(|counted| counted.asks_standing) {
            self.fallen.extend((standing != Standing::Passed).then_some(number));
        }
        let asking = member.asked.as_ref().map(|asked| asked.case);
        let mut asking = asking.and_then(|case| Some((case, self.cases.get_mut(case)?)));
        if let Some((_, case)) = &mut asking {
            case.count_asked(member, -1);
        }
        (member.standing, member.column) = (standing, column);
        if let Some((asking, case)) = asking {
            case.count_asked(member, 1);
            self.unsettled.push(std::cmp::Reverse(asking));
        }
        let account = &mut self.accounts[member.account];
        account.pending -= u32::from(before == Standing::Pending);
        account.pending += u32::from(standing == Standing::Pending);
        if member.counted.is_some() {
            account.log.fall(number, member, &self.keys);
        }
        for case in cases {
            if let Some(case) = self.cases.get_mut(case) {
                case.move_amount(member, from, column);
            }
        }
    }

    /// What a case asks about an authorization changes.
    pub(super) fn alter(&mut self, number: MemberNumber, change: impl FnOnce(&mut Asked)) {
        let Some(member) = self.members.get_mut(number) else { return };
        let Some(asking) = member.asked.as_ref().map(|asked| asked.case) else { return };
        let Some(case) = self.cases.get_mut(asking) else { return };
        case.count_asked(member, -1);
        member.asked.as_mut().map(change);
        case.count_asked(member, 1);
        self.unsettled.push(std::cmp::Reverse(asking));
        if let Some(Asked { deadline_ms, waits: false, ghost: false, .. }) = member.asked {
            self.deadlines.remove((deadline_ms, number));
        }
    }

    /// A case that is not confirmed is closed when nothing that it asks about awaits an answer, and
    /// no longer suspended when none of that is pending. Returns whether one stands otherwise now.
    pub(super) fn settle(&mut self, by_deadline: bool) -> bool {
        let mut changed = false;
        while let Some(std::cmp::Reverse(number)) = self.unsettled.pop() {
            let Some(case) = self.cases.get_mut(number) else { continue };
            if !matches!(case.status, Status::Open | Status::Suspended) {
                continue;
            }
            if case.open_questions == 0 {
                case.by_deadline = by_deadline;
                self.change(number, Status::Closed);
            } else if case.status == Status::Suspended && case.pending == 0 {
                self.change(number, Status::Open);
            } else {
                continue;
            }
            changed = true;
        }
        changed
    }

    /// Gives a grace for a case, now.
    pub(super) fn give_grace(&mut self, number: CaseNumber) {
        self.cases[number].graced = true;
        let case = &self.cases[number];
        let Some(life) = self.life_of(case) else { return };
        let until_ms = self.clock_ms.saturating_add(life.grace_ms);
        let of_event = || grace::target_of_event(self.opening_card(case));
        let target = case.target().cloned().unwrap_or_else(of_event);
        let grounds = self.asked_by(number).flat_map(|(_, member)| member.grounds());
        let grace = Grace::new(target, until_ms, grounds);
        let account = case.account;
        self.enter_grace(account, grace);
    }

    /// A grace holds from now on.
    pub(super) fn enter_grace(&mut self, account: AccountNumber, grace: Grace) {
        self.graces.insert((grace.until_ms, account, grace.target.clone()));
        self.due(grace.until_ms);
        self.accounts[account].rare_mut().graces.insert(grace);
    }
}
