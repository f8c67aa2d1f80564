//! One case: what it is about, whom it asks about, and where its money stands. It does nothing by
//! itself; what happens to cases stands in [`super`].

use std::collections::BTreeSet;

use super::{
    life::{Life, Target},
    member::{CaseNumber, Column, Member, Place, Standing},
};

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Status {
    /// It asks.
    Open,
    /// It asks, and its target is suspended.
    Suspended,
    /// It is fraud: its target is suspended until it is restored.
    Confirmed,
    /// Nothing is asked any more.
    Closed,
}

impl Status {
    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Suspended => "suspended",
            Status::Confirmed => "confirmed",
            Status::Closed => "closed",
        }
    }
}

/// The event that opened a case: an authorization, or a feedback that suspends.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Opening {
    /// Its place in the log.
    pub place: Place,
    /// Its `event_id`, which is the case's name.
    pub event_id: Box<str>,
    /// `event_time`, in epoch ms
    pub time_ms: i64,
    /// `card_id`
    pub card_id: Option<Box<str>>,
}

/// The amounts of the members of one tender and currency.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// `tender`
    pub tender: Box<str>,
    /// `currency`
    pub currency: Box<str>,
    /// By column, in minor units.
    pub amounts: [i128; Column::ALL.len()],
}

/// A case.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Case {
    /// `account_id`
    pub account_id: Box<str>,
    /// What opened it.
    pub opening: Opening,
    /// The target; `None`: the opening event alone.
    pub target: Option<Target>,
    /// How the rule that opened or suspended it wants it to live; `None` if a feedback opened it.
    pub life: Option<Life>,
    /// Where it stands.
    pub status: Status,
    /// The deadline of the member that suspended it, in the clock's epoch ms.
    pub deadline_ms: Option<i64>,
    /// All members, in the order of first membership.
    pub members: Vec<Place>,
    /// Those that it asks about.
    pub asked: Vec<Place>,
    /// Those that it links.
    pub links: BTreeSet<Place>,
    /// Of those that it asks about: how many wait or are withdrawn and count on,
    pub open_questions: usize,
    /// and how many are pending or are withdrawn and count on.
    pub pending: usize,
    /// What its members are worth.
    pub totals: Vec<Row>,
    /// Its status and totals in the newest record of it.
    pub printed: Option<(Status, Vec<Row>)>,
    /// The clock when it was closed, in epoch ms.
    pub closed_ms: Option<i64>,
    /// Did a deadline close it?
    pub by_deadline: bool,
    /// Has it given its grace?
    pub graced: bool,
}

impl Case {
    /// A case that has no member yet.
    pub fn new(
        account_id: &str,
        opening: Opening,
        target: Option<Target>,
        life: Option<Life>,
        status: Status,
    ) -> Case {
        Case {
            account_id: account_id.into(),
            opening,
            target,
            life,
            status,
            deadline_ms: None,
            members: Vec::new(),
            asked: Vec::new(),
            links: BTreeSet::new(),
            open_questions: 0,
            pending: 0,
            totals: Vec::new(),
            printed: None,
            closed_ms: None,
            by_deadline: false,
            graced: false,
        }
    }

    /// Is anything still asked, or its target suspended?
    pub fn is_alive(&self) -> bool {
        self.status != Status::Closed
    }

    /// Does a `legitimate`, `policy_breach` or `restored` of this source count?
    pub fn is_answered_by(&self, source: &str) -> bool {
        self.life.as_ref().is_none_or(|life| life.is_answered_by(source))
    }

    /// Takes an authorization among its members, if it is none yet.
    pub fn add(&mut self, number: CaseNumber, place: Place, member: &mut Member) {
        if member.cases.contains(&number) {
            return;
        }
        reserve_for_one(&mut self.members);
        self.members.push(place);
        reserve_for_one(&mut member.cases);
        member.cases.push(number);
        self.count(member, member.column, 1);
    }

    /// A member's amount moves from one column to another.
    pub fn move_amount(&mut self, member: &Member, from: Column, to: Column) {
        self.count(member, from, -1);
        self.count(member, to, 1);
    }

    fn count(&mut self, member: &Member, column: Column, times: i128) {
        let is_it = |row: &&mut Row| row.tender == member.tender && row.currency == member.currency;
        let amount = i128::from(member.amount_minor) * times;
        if let Some(row) = self.totals.iter_mut().find(is_it) {
            row.amounts[column as usize] += amount;
            return;
        }
        let (tender, currency) = (member.tender.clone(), member.currency.clone());
        let mut row = Row { tender, currency, amounts: [0; Column::ALL.len()] };
        row.amounts[column as usize] += amount;
        // Most cases have one member, and there are many cases.
        self.totals.reserve_exact(1);
        self.totals.push(row);
    }

    /// Counts one that it asks about, as it stands (`times` 1), or no more (-1).
    pub fn count_asked(&mut self, member: &Member, times: isize) {
        let (waits, ghost) = (member.waits(), member.is_ghost());
        let pending = member.standing == Standing::Pending;
        let add = |count: &mut usize, is: bool| {
            *count = count.wrapping_add_signed(if is { times } else { 0 })
        };
        add(&mut self.open_questions, waits || ghost);
        add(&mut self.pending, pending || ghost);
    }
}

/// Most lists of a case have one entry.
pub(super) fn reserve_for_one(list: &mut Vec<u64>) {
    if list.capacity() == 0 {
        list.reserve_exact(1);
    }
}
