//! All cases as plain data and as a stream, and out of both. What can be told from cases and members
//! is not in it.

use std::mem;

use crate::stream::{Sink, Source};

use super::{
    Cases,
    account::{Accounts, AccountsState},
    case::Case,
    grace::Grace,
    life::{Bounds, Life},
    log::Keys,
    member::{AccountNumber, CaseNumber, Member, MemberNumber, Standing},
};

/// All cases as plain data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CasesState {
    /// By their numbers.
    pub cases: Vec<(CaseNumber, Case)>,
    /// The number of the next case.
    pub next_case: CaseNumber,
    /// By their numbers.
    pub members: Vec<(MemberNumber, Member)>,
    /// The number of the next member.
    pub next_member: MemberNumber,
    /// The names of the accounts.
    pub accounts: AccountsState,
    /// How cases live whose rule says otherwise now, or is gone; counted on from the rules and the
    /// score of the ruleset.
    pub lives: Vec<Life>,
    /// By account.
    pub graces: Vec<(AccountNumber, Grace)>,
}

impl Cases {
    fn graces(&self) -> impl Iterator<Item = (AccountNumber, &Grace)> {
        self.accounts.iter().flat_map(|(number, account)| {
            let of = account.rare().into_iter().flat_map(|rare| rare.graces.iter());
            of.map(move |grace| (number, grace))
        })
    }

    /// They as plain data.
    pub fn snapshot(&self) -> CasesState {
        CasesState {
            cases: self.cases.iter().map(|(number, case)| (number, case.clone())).collect(),
            next_case: self.cases.next(),
            members: self.members.iter().map(|(number, m)| (number, m.clone())).collect(),
            next_member: self.members.next(),
            accounts: self.accounts.snapshot(),
            lives: self.lives[self.of_ruleset..].to_vec(),
            graces: self.graces().map(|(account, grace)| (account, grace.clone())).collect(),
        }
    }

    /// Puts them into a stream.
    ///
    /// # Errors
    /// The stream takes no more.
    pub fn write<S: Sink>(&self, to: &mut S) -> Result<(), S::Error> {
        to.put(&self.lives[self.of_ruleset..])?;
        self.accounts.write(to)?;
        to.put_all(self.cases.iter().count(), self.cases.iter())?;
        to.put(&self.cases.next())?;
        to.put_all(self.members.iter().count(), self.members.iter())?;
        to.put(&self.members.next())?;
        to.put_all(self.graces().count(), self.graces())
    }

    /// Out of a stream; the clock is at `clock_ms`.
    ///
    /// # Errors
    /// The stream has something else.
    pub fn read<S: Source>(
        bounds: Bounds,
        lives: Box<[Life]>,
        keys: Keys,
        from: &mut S,
        clock_ms: i64,
    ) -> Result<Cases, S::Error> {
        let mut cases = Cases::new(bounds, lives, keys);
        let former: Vec<Life> = from.take()?;
        cases.begin(former, Accounts::read(from)?, clock_ms);
        from.take_all(|(number, case)| cases.put_case(number, case))?;
        cases.cases.skip_to(from.take()?);
        from.take_all(|(number, member)| cases.put_member(number, member))?;
        cases.members.skip_to(from.take()?);
        from.take_all(|(account, grace)| cases.enter_grace(account, grace))?;
        Ok(cases)
    }

    /// Out of plain data; the clock is at `clock_ms`.
    pub fn restore(
        bounds: Bounds,
        lives: Box<[Life]>,
        keys: Keys,
        state: CasesState,
        clock_ms: i64,
    ) -> Cases {
        let mut cases = Cases::new(bounds, lives, keys);
        cases.begin(state.lives, Accounts::restore(state.accounts), clock_ms);
        state.cases.into_iter().for_each(|(number, case)| cases.put_case(number, case));
        cases.cases.skip_to(state.next_case);
        state.members.into_iter().for_each(|(number, member)| cases.put_member(number, member));
        cases.members.skip_to(state.next_member);
        state.graces.into_iter().for_each(|(account, grace)| cases.enter_grace(account, grace));
        cases
    }

    /// These accounts have cases that live as the ruleset says, or as the former ones did.
    fn begin(&mut self, former: Vec<Life>, accounts: Accounts, clock_ms: i64) {
        self.lives = mem::take(&mut self.lives).into_iter().chain(former).collect();
        (self.accounts, self.clock_ms) = (accounts, clock_ms);
        // Whatever is due is found at once.
        self.due_ms = i64::MIN;
    }

    fn put_case(&mut self, number: CaseNumber, case: Case) {
        self.cases.put(number, case);
        self.enter(number);
    }

    fn put_member(&mut self, number: MemberNumber, member: Member) {
        let account = &mut self.accounts[member.account];
        account.pending += u32::from(member.standing == Standing::Pending);
        if let Some(asked) = &member.asked
            && (asked.waits || asked.ghost)
        {
            self.deadlines.insert((asked.deadline_ms, number));
        }
        let kept_ms = member.counted.as_ref().map(|counted| counted.until_ms);
        self.members.put(number, member);
        self.name(number);
        if let Some(until_ms) = kept_ms {
            self.kept.insert((until_ms, number));
            self.log(number);
        }
    }
}
