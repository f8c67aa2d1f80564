//! One case: what it is about, whom it asks about, and where its money stands. It does nothing by
//! itself; what happens to cases stands in [`super`].

use smallvec::SmallVec;

use super::{
    life::Target,
    member::{AccountNumber, CaseNumber, Column, Member, MemberNumber, Money, Standing},
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
    /// Those of a case that is not closed.
    pub const ALIVE: [Status; 3] = [Status::Open, Status::Suspended, Status::Confirmed];
    /// All of them.
    pub const ALL: [Status; 4] =
        [Status::Open, Status::Suspended, Status::Confirmed, Status::Closed];

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

/// A feedback that opened a case.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Opening {
    /// Its `event_id`, which is the case's name.
    pub event_id: Box<str>,
    /// `event_time`, in epoch ms
    pub time_ms: i64,
    /// `card_id`
    pub card_id: Option<Box<str>>,
}

/// The amounts of the members of one tender and currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// `tender` and `currency`
    pub money: Money,
    /// By column, in minor units.
    pub amounts: [i128; Column::COUNT],
}

impl Row {
    /// Of one member.
    pub fn of(member: &Member) -> Row {
        let mut amounts = [0; Column::COUNT];
        amounts[member.column as usize] = member.amount_minor.into();
        Row { money: member.money, amounts }
    }
}

/// What the members of a case are worth, in the order of first membership.
pub type Totals = SmallVec<[Row; 1]>;

/// A case. Most cases have one member, and there are many cases: what they have in common with
/// their member is told from it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Case {
    /// Of this account.
    pub account: AccountNumber,
    /// By its place in the ruleset, the rule that opened or suspended it, which says how it lives;
    /// `None` if a feedback opened it.
    pub life: Option<u32>,
    /// Where it stands.
    pub status: Status,
    /// Did a deadline close it?
    pub by_deadline: bool,
    /// Has it given its grace?
    pub graced: bool,
    /// All members, in the order of first membership. The first opened it, if no feedback did.
    pub members: SmallVec<[MemberNumber; 2]>,
    /// Of those that it asks about: how many wait or are withdrawn and count on,
    pub open_questions: u32,
    /// and how many are pending or are withdrawn and count on.
    pub pending: u32,
    /// The clock when it was closed, in epoch ms.
    pub closed_ms: i64,
    rare: Option<Box<Rare>>,
}

/// What few cases have.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
struct Rare {
    /// The feedback that opened it.
    opening: Option<Opening>,
    /// The target, unless it is the opening event alone.
    target: Option<Target>,
    /// The deadline of the member that suspended it, in the clock's epoch ms.
    deadline_ms: Option<i64>,
    /// What its members are worth, once they are several.
    totals: Vec<Row>,
}

impl Case {
    /// A case that has no member yet. Its first one opens it, or a feedback did.
    pub fn new(
        account: AccountNumber,
        opening: Option<Opening>,
        target: Option<Target>,
        life: Option<u32>,
        status: Status,
    ) -> Case {
        let is_rare = opening.is_some() || target.is_some();
        Case {
            account,
            life,
            status,
            by_deadline: false,
            graced: false,
            members: SmallVec::new(),
            open_questions: 0,
            pending: 0,
            closed_ms: 0,
            rare: is_rare.then(|| Box::new(Rare { opening, target, ..Rare::default() })),
        }
    }

    /// Is anything still asked, or its target suspended?
    pub fn is_alive(&self) -> bool {
        self.status != Status::Closed
    }

    /// The feedback that opened it, if one did.
    pub fn opening(&self) -> Option<&Opening> {
        self.rare.as_ref()?.opening.as_ref()
    }

    /// The target; `None`: the opening event alone.
    pub fn target(&self) -> Option<&Target> {
        self.rare.as_ref()?.target.as_ref()
    }

    /// The deadline of the member that suspended it, in the clock's epoch ms.
    pub fn deadline_ms(&self) -> Option<i64> {
        self.rare.as_ref()?.deadline_ms
    }

    /// A member with this deadline suspended it.
    pub fn set_deadline(&mut self, deadline_ms: i64) {
        self.rare.get_or_insert_default().deadline_ms = Some(deadline_ms);
    }

    /// What its members are worth; `only` is its member, if it has one only.
    pub fn totals(&self, only: Option<&Member>) -> Totals {
        match only {
            Some(member) => Totals::from_buf([Row::of(member)]),
            None => self.rare.as_ref().map_or(&[][..], |rare| &rare.totals).into(),
        }
    }

    /// Takes an authorization among its members, if it is none yet. `only` is its member, if it
    /// has had one only so far.
    pub fn add(
        &mut self,
        number: CaseNumber,
        new: MemberNumber,
        member: &mut Member,
        only: Option<Row>,
    ) {
        if member.cases.contains(&number) {
            return;
        }
        self.members.push(new);
        member.cases.push(number);
        if let Some(row) = only {
            self.rare.get_or_insert_default().totals.push(row);
        }
        if self.members.len() > 1 {
            self.count(member, member.column, 1);
        }
    }

    /// A member's amount moves from one column to another.
    pub fn move_amount(&mut self, member: &Member, from: Column, to: Column) {
        if self.members.len() > 1 {
            self.count(member, from, -1);
            self.count(member, to, 1);
        }
    }

    fn count(&mut self, member: &Member, column: Column, times: i128) {
        let totals = &mut self.rare.get_or_insert_default().totals;
        let at = totals.iter().position(|row| row.money == member.money).unwrap_or_else(|| {
            totals.push(Row { money: member.money, amounts: [0; Column::COUNT] });
            totals.len() - 1
        });
        totals[at].amounts[column as usize] += i128::from(member.amount_minor) * times;
    }

    /// Counts one that it asks about, as it stands (`times` 1), or no more (-1).
    pub fn count_asked(&mut self, member: &Member, times: i32) {
        let (waits, ghost) = (member.waits(), member.is_ghost());
        let pending = member.standing == Standing::Pending;
        let add = |count: &mut u32, is: bool| {
            *count = count.wrapping_add_signed(if is { times } else { 0 })
        };
        add(&mut self.open_questions, waits || ghost);
        add(&mut self.pending, pending || ghost);
    }
}
