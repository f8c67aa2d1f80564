//! An authorization that is remembered after its decision: because a case has it as a member, or
//! because a case yet to come may link it.

use smallvec::SmallVec;

use crate::{
    decision::Action,
    event::{Event, Field, TENDERS},
};

use super::{
    ledger::Counted,
    life::OnExpiry,
    packed::{Note, Packed},
};

/// Which remembered authorization: those of a partition are numbered in the order of its log.
pub type MemberNumber = u64;
/// Which case: the cases of a partition are numbered as they are opened.
pub type CaseNumber = u64;
/// Which account.
pub type AccountNumber = u32;

/// How an authorization stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Standing {
    /// It may go its way.
    Passed,
    /// It waits for an answer.
    Pending,
    /// It was declined or cancelled.
    Refused,
    /// It had passed, and was taken back.
    Reversed,
    /// The acceptor took it back.
    Withdrawn,
}

impl Standing {
    /// After a decision.
    pub fn after(action: Action) -> Standing {
        match action {
            Action::Allow | Action::Review => Standing::Passed,
            Action::Verify | Action::Hold => Standing::Pending,
            Action::Decline => Standing::Refused,
        }
    }

    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Passed => "passed",
            Standing::Pending => "pending",
            Standing::Refused => "refused",
            Standing::Reversed => "reversed",
            Standing::Withdrawn => "withdrawn",
        }
    }
}

/// Where the totals of a case have a member's amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Column {
    /// It waits.
    Pending,
    /// It passed by its decision.
    Passed,
    /// It passed by an answer or a deadline.
    Released,
    /// It was refused by an answer or a deadline.
    Cancelled,
    /// It was taken back by an answer.
    Reversed,
    /// The acceptor took it back.
    Withdrawn,
}

impl Column {
    /// How many there are.
    pub const COUNT: usize = Column::Withdrawn as usize + 1;
}

/// What a decision rests on, as a grace will look back on it. Rules and counters by their places in
/// the ruleset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Ground {
    /// A rule that asked, or gave points.
    Rule(u32),
    /// A counter that a rule names, and the integer printed for it.
    Counter(u32, i64),
}

/// That a case asks about an authorization.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Asked {
    /// Which case.
    pub case: CaseNumber,
    /// Until when, in the clock's epoch ms.
    pub deadline_ms: i64,
    /// What then.
    pub on_expiry: OnExpiry,
    /// Is it not answered yet?
    pub waits: bool,
    /// Was it withdrawn from a suspended case? Its deadline goes on counting.
    pub ghost: bool,
}

/// A tender and a currency: amounts of both alike can be added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Money {
    /// The tender's place among all.
    tender: u8,
    currency: [u8; 3],
}

impl Money {
    fn of(event: &Event<'_>) -> Money {
        let named = |tender: &str| TENDERS.iter().position(|name| *name == tender);
        let tender = event.text(Field::Tender).and_then(named).unwrap_or(0) as u8;
        let currency = event.text(Field::Currency).map(|text| text.as_bytes().try_into());
        Money { tender, currency: currency.and_then(Result::ok).unwrap_or_default() }
    }

    /// `tender`
    pub fn tender(self) -> &'static str {
        TENDERS[usize::from(self.tender)]
    }

    /// `currency`
    pub fn currency(&self) -> &str {
        str::from_utf8(&self.currency).unwrap_or_default()
    }
}

/// A remembered authorization. There are many of them: what has no fixed length lies in one piece.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Member {
    /// Of this account.
    pub account: AccountNumber,
    /// `event_time`, in epoch ms
    pub time_ms: i64,
    /// The clock just after it, in epoch ms.
    pub clock_ms: i64,
    /// `amount_minor`
    pub amount_minor: i64,
    /// `tender` and `currency`
    pub money: Money,
    /// `event_id`, `card_id`, `order_id`, what its decision rests on, and what counts it.
    pub packed: Packed,
    /// How it stands.
    pub standing: Standing,
    /// Where the totals have it.
    pub column: Column,
    /// The cases that it is a member of.
    pub cases: SmallVec<[CaseNumber; 2]>,
    /// If a case asks about it.
    pub asked: Option<Asked>,
    /// If it is remembered without a case, too.
    pub counted: Option<Counted>,
}

impl Member {
    /// Of an authorization that has just been decided. `scratch` is room to write in.
    pub fn of<'n>(
        event: &Event<'_>,
        account: AccountNumber,
        clock_ms: i64,
        action: Action,
        notes: impl Iterator<Item = Note<'n>>,
        scratch: &mut String,
    ) -> Member {
        Member {
            account,
            time_ms: event.time,
            clock_ms,
            amount_minor: event.amount_minor.unwrap_or(0),
            money: Money::of(event),
            packed: Packed::of(event, notes, scratch),
            standing: Standing::after(action),
            column: match Standing::after(action) {
                Standing::Pending => Column::Pending,
                _ => Column::Passed,
            },
            cases: SmallVec::new(),
            asked: None,
            counted: None,
        }
    }

    /// `event_id`
    pub fn event_id(&self) -> &str {
        self.packed.event_id()
    }

    /// `card_id`
    pub fn card_id(&self) -> Option<&str> {
        self.packed.card_id()
    }

    /// `order_id`
    pub fn order_id(&self) -> Option<&str> {
        self.packed.order_id()
    }

    /// What the decision rests on, if a case asks about it.
    pub fn grounds(&self) -> impl Iterator<Item = Ground> {
        self.packed.notes().filter_map(|note| match note {
            Note::Ground(ground) => Some(ground),
            _ => None,
        })
    }

    /// Does this case ask about it?
    pub fn is_asked_by(&self, case: CaseNumber) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.case == case)
    }

    /// Is it asked about, and not answered?
    pub fn waits(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.waits)
    }

    /// Does its deadline go on counting although it was withdrawn?
    pub fn is_ghost(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.ghost)
    }
}
