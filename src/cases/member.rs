//! An authorization that is remembered after its decision: because a case has it as a member, or
//! because a case yet to come may link it.

use std::collections::BTreeMap;

use crate::{
    decision::Action,
    event::{Event, Field},
    window::spec::Reading,
};

use super::{ledger::Counted, life::OnExpiry};

/// The place of an authorization among the accepted events of its partition.
pub type Place = u64;
/// Which case: the cases of a partition are numbered as they are opened.
pub type CaseNumber = u64;

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
    /// Every column, in the order of the output.
    pub const ALL: [Column; 6] = [
        Column::Pending,
        Column::Passed,
        Column::Released,
        Column::Cancelled,
        Column::Reversed,
        Column::Withdrawn,
    ];

    /// Its name in the output.
    pub fn name(self) -> &'static str {
        match self {
            Column::Pending => "pending",
            Column::Passed => "passed",
            Column::Released => "released",
            Column::Cancelled => "cancelled",
            Column::Reversed => "reversed",
            Column::Withdrawn => "withdrawn",
        }
    }
}

/// A rule among the reasons of a decision, with the values printed there.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Stood {
    /// The rule's id.
    pub rule: Box<str>,
    /// Is it a rule that allows? A grace never keeps it quiet.
    pub allows: bool,
    /// The counters that it names, by name.
    pub counters: Vec<(Box<str>, Reading)>,
}

/// That a case asks about an authorization.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Asked {
    /// Which case.
    pub case: CaseNumber,
    /// Until when, in the clock's epoch ms.
    pub deadline_ms: i64,
    /// What then.
    pub on_expiry: OnExpiry,
    /// The reasons of its decision.
    pub reasons: Vec<Stood>,
    /// Is it not answered yet?
    pub waits: bool,
    /// Was it withdrawn from a suspended case? Its deadline goes on counting.
    pub ghost: bool,
}

/// A remembered authorization.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Member {
    /// `event_id`
    pub event_id: Box<str>,
    /// `event_time`, in epoch ms
    pub time_ms: i64,
    /// The clock just after it, in epoch ms.
    pub clock_ms: i64,
    /// `account_id`
    pub account_id: Box<str>,
    /// `card_id`
    pub card_id: Option<Box<str>>,
    /// `order_id`
    pub order_id: Option<Box<str>>,
    /// `tender`
    pub tender: Box<str>,
    /// `amount_minor`
    pub amount_minor: i64,
    /// `currency`
    pub currency: Box<str>,
    /// How it stands.
    pub standing: Standing,
    /// Where the totals have it.
    pub column: Column,
    /// The cases that it is a member of.
    pub cases: Vec<CaseNumber>,
    /// If a case asks about it.
    pub asked: Option<Asked>,
    /// If it is remembered without a case, too.
    pub counted: Option<Box<Counted>>,
}

/// Remembered authorizations, by their places.
pub type Members = BTreeMap<Place, Member>;

impl Member {
    /// Of an authorization that has just been decided.
    pub fn of(event: &Event<'_>, clock_ms: i64, action: Action) -> Member {
        let text = |field: Field| event.text(field).map(Box::from);
        Member {
            event_id: event.id().into(),
            time_ms: event.time,
            clock_ms,
            account_id: event.account().into(),
            card_id: text(Field::CardId),
            order_id: text(Field::OrderId),
            tender: text(Field::Tender).unwrap_or_default(),
            amount_minor: event.amount_minor.unwrap_or(0),
            currency: text(Field::Currency).unwrap_or_default(),
            standing: Standing::after(action),
            column: match Standing::after(action) {
                Standing::Pending => Column::Pending,
                _ => Column::Passed,
            },
            cases: Vec::new(),
            asked: None,
            counted: None,
        }
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
