//! All cases as plain data, and out of it. What can be told from cases and members is not in it.

use super::{
    Cases,
    case::Case,
    grace::Grace,
    life::Bounds,
    member::{CaseNumber, Member, Place, Standing},
};

/// All cases as plain data.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct CasesState {
    /// By their numbers.
    pub cases: Vec<(CaseNumber, Case)>,
    /// The number of the next case.
    pub next_case: CaseNumber,
    /// By their places in the log.
    pub members: Vec<(Place, Member)>,
    /// By account.
    pub graces: Vec<(Box<str>, Grace)>,
}

impl Cases {
    /// They as plain data.
    pub fn snapshot(&self) -> CasesState {
        let mut graces: Vec<(Box<str>, Grace)> = Vec::new();
        let mut accounts: Vec<&Box<str>> = self.accounts.keys().collect();
        accounts.sort_unstable();
        for name in accounts {
            let of = &self.accounts[name].graces;
            graces.extend(of.iter().map(|grace| (name.clone(), grace.clone())));
        }
        CasesState {
            cases: self.cases.iter().map(|(number, case)| (*number, case.clone())).collect(),
            next_case: self.next_case,
            members: self.members.iter().map(|(place, m)| (*place, m.clone())).collect(),
            graces,
        }
    }

    /// Out of plain data; the clock is at `clock_ms`.
    pub fn restore(bounds: Bounds, state: CasesState, clock_ms: i64) -> Cases {
        let mut cases = Cases::new(bounds);
        cases.clock_ms = clock_ms;
        for (number, case) in state.cases {
            cases.next_case = number;
            let closed_ms = case.closed_ms;
            cases.open(case);
            if let Some(closed_ms) = closed_ms {
                cases.close(number);
                if let Some(case) = cases.cases.get_mut(&number) {
                    case.closed_ms = Some(closed_ms);
                }
                cases.closed.retain(|(_, other)| *other != number);
                cases.closed.insert((closed_ms.saturating_add(cases.bounds.memory_ms), number));
            }
        }
        cases.next_case = state.next_case;
        for (place, member) in state.members {
            let account = cases.accounts.entry(member.account_id.clone()).or_default();
            account.pending += u64::from(member.standing == Standing::Pending);
            account.names.entry(member.event_id.clone()).or_default().push(place);
            if let Some(counted) = &member.counted {
                cases.kept.insert((counted.until_ms, place));
                if member.standing != Standing::Refused && !counted.reach.is_empty() {
                    account.log.insert(place);
                }
            }
            if let Some(asked) = &member.asked
                && (asked.waits || asked.ghost)
            {
                cases.deadlines.insert((asked.deadline_ms, place));
            }
            cases.members.insert(place, member);
        }
        for (name, grace) in state.graces {
            cases.graces.insert((grace.until_ms, name.clone()));
            cases.accounts.entry(name).or_default().graces.push(grace);
        }
        cases.touched.clear();
        cases.unsettled.clear();
        cases
    }
}
