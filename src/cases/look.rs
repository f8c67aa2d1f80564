//! Cases as people look at them. Changes nothing, and decides nothing.

use super::{
    Cases,
    case::{Case, Status, Totals},
    life::Target,
    member::{AccountNumber, CaseNumber, Member},
};

/// Waiting authorizations of a case that are named, at most.
const WAITING: usize = 20;

/// A case as it stands.
#[derive(Debug, Clone)]
pub struct CaseLook {
    /// Its number: the cases of a partition are numbered as they are opened.
    pub number: CaseNumber,
    /// The `event_id` of what opened it.
    pub case_id: String,
    /// `account_id`
    pub account_id: String,
    /// What it is about; `None`: its opening event alone.
    pub target: Option<Target>,
    /// Where it stands.
    pub status: Status,
    /// The rule that opened it, by its place in the ruleset; the score is behind the last rule.
    /// `None` if feedback did. Beyond: a rule of an earlier ruleset.
    pub rule: Option<u32>,
    /// The clock when it was opened, in epoch ms.
    pub opened_ms: i64,
    /// How many authorizations it has.
    pub members: usize,
    /// Those that wait for an answer, the first of them.
    pub waiting: Vec<Waiting>,
    /// What its authorizations are worth.
    pub totals: Totals,
}

/// An authorization that waits for an answer.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// `event_id`
    pub event_id: String,
    /// `card_id`
    pub card_id: Option<String>,
    /// `amount_minor`
    pub amount_minor: i64,
    /// `currency`
    pub currency: String,
    /// Until when an answer is waited for, in the clock's epoch ms.
    pub deadline_ms: i64,
}

impl Cases {
    /// How many cases stand so, and the clock when the oldest of them was opened, in epoch ms.
    pub fn alive(&self, status: Status) -> (usize, Option<i64>) {
        let Some(alive) = self.alive.get(status as usize) else { return (0, None) };
        let oldest = alive.first().and_then(|number| self.cases.get(number));
        (alive.count(), oldest.map(|case| self.opened_ms(case)))
    }

    /// By rule, then the score: the answers to authorizations that waited because of it.
    pub fn answers(&self) -> &[[u64; super::ANSWERS.len()]] {
        &self.answers
    }

    /// Begins to count answers anew.
    pub fn forget_answers(&mut self) {
        self.answers.iter_mut().for_each(|answers| *answers = Default::default());
    }

    /// Cases that are alive and stand so, those opened after `after` first, at most so many.
    pub fn look_at_alive(
        &self,
        status: Status,
        after: Option<CaseNumber>,
        most: usize,
    ) -> Vec<CaseLook> {
        let Some(alive) = self.alive.get(status as usize) else { return Vec::new() };
        let from = after.map_or(0, |after| after.saturating_add(1));
        alive.from(from, most).into_iter().map(|number| self.look_at(number)).collect()
    }

    /// The cases of an account that are alive, the newest first, at most so many.
    pub fn look_at_account(&self, account: AccountNumber, most: usize) -> Vec<CaseLook> {
        let of = self.accounts[account].cases.iter().rev();
        let alive = of.filter(|number| self.cases[*number].is_alive());
        alive.take(most).map(|number| self.look_at(number)).collect()
    }

    fn opened_ms(&self, case: &Case) -> i64 {
        match (case.opening(), &case.members[..]) {
            (Some(opening), _) => opening.time_ms,
            (None, [first, ..]) => self.members[*first].clock_ms,
            (None, []) => 0,
        }
    }

    fn look_at(&self, number: CaseNumber) -> CaseLook {
        let case = &self.cases[number];
        let waiting = |member: &Member| {
            let asked = member.asked.as_ref().filter(|asked| asked.waits)?;
            Some(Waiting {
                event_id: member.event_id().to_owned(),
                card_id: member.card_id().map(str::to_owned),
                amount_minor: member.amount_minor,
                currency: member.money.currency().to_owned(),
                deadline_ms: asked.deadline_ms,
            })
        };
        // A case that has been joined again and again is not looked through to its end.
        let asked = self.asked_by(number).take(64 * WAITING);
        CaseLook {
            number,
            case_id: self.case_id(number).to_owned(),
            account_id: self.accounts[case.account].name().to_owned(),
            target: case.target().cloned(),
            status: case.status,
            rule: case.life,
            opened_ms: self.opened_ms(case),
            members: case.members.len(),
            waiting: asked.filter_map(|(_, member)| waiting(member)).take(WAITING).collect(),
            totals: self.totals(number),
        }
    }
}
