//! All cases as plain data, and out of it. What can be told from cases and members is not in it.

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
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
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
    /// They as plain data.
    pub fn snapshot(&self) -> CasesState {
        let graces = self.accounts.iter().flat_map(|(number, account)| {
            let of = account.rare().into_iter().flat_map(|rare| rare.graces.iter());
            of.map(move |grace| (number, grace.clone()))
        });
        CasesState {
            cases: self.cases.iter().map(|(number, case)| (number, case.clone())).collect(),
            next_case: self.cases.next(),
            members: self.members.iter().map(|(number, m)| (number, m.clone())).collect(),
            next_member: self.members.next(),
            accounts: self.accounts.snapshot(),
            lives: self.lives[self.of_ruleset..].to_vec(),
            graces: graces.collect(),
        }
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
        cases.lives = cases.lives.into_iter().chain(state.lives).collect();
        cases.clock_ms = clock_ms;
        cases.accounts = Accounts::restore(state.accounts);
        for (number, case) in state.cases {
            cases.cases.put(number, case);
            cases.enter(number);
        }
        cases.cases.skip_to(state.next_case);
        for (number, member) in state.members {
            let account = &mut cases.accounts[member.account];
            account.pending += u32::from(member.standing == Standing::Pending);
            if let Some(asked) = &member.asked
                && (asked.waits || asked.ghost)
            {
                cases.deadlines.insert((asked.deadline_ms, number));
            }
            let kept_ms = member.counted.as_ref().map(|counted| counted.until_ms);
            cases.members.put(number, member);
            cases.name(number);
            if let Some(until_ms) = kept_ms {
                cases.kept.insert((until_ms, number));
                cases.log(number);
            }
        }
        cases.members.skip_to(state.next_member);
        for (account, grace) in state.graces {
            cases.enter_grace(account, grace);
        }
        // Whatever is due is found at once.
        cases.due_ms = i64::MIN;
        cases
    }
}
