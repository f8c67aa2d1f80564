//! An authorization that is remembered after its decision: because a case has it as a member, or
//! because a case yet to come may link it.

use smallvec::SmallVec;

use crate::{
    decision::Action,
    event::{Event, Field, ID_BYTES_MAX, TENDERS},
};

use super::{ledger::Counted, life::OnExpiry};

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

/// Grounds as text, so that they are one piece with other texts: each a number or two of six bits a
/// character, the lowest first, with a seventh that says that more follow.
fn pack(grounds: impl Iterator<Item = Ground>, text: &mut String) {
    let mut put = |mut number: u64| {
        while number >= MORE.into() {
            text.push(char::from((number as u8 % MORE) | MORE));
            number /= u64::from(MORE);
        }
        text.push(char::from(number as u8));
    };
    for ground in grounds {
        match ground {
            Ground::Rule(rule) => put(u64::from(rule) * 2),
            Ground::Counter(counter, value) => {
                put(u64::from(counter) * 2 + 1);
                // Those near zero are small, whatever their sign.
                put(((value << 1) ^ (value >> 63)) as u64);
            }
        }
    }
}

// Where one ends is told in a byte, and where three do in two.
const _: () = assert!(ID_BYTES_MAX <= u8::MAX as usize);

/// Room for what most members pack.
const PACKED: usize = 128;
/// That more of a number follows; six bits are below.
const MORE: u8 = 1 << 6;

fn unpack(mut text: &[u8]) -> impl Iterator<Item = Ground> {
    let mut next = move || {
        let end = text.iter().position(|byte| *byte < MORE)?;
        let (number, rest) = text.split_at(end + 1);
        text = rest;
        let sixes = number.iter().rev().map(|byte| u64::from(byte % MORE));
        Some(sixes.fold(0, |all, six| (all << 6) | six))
    };
    std::iter::from_fn(move || {
        let kind = next()?;
        let place = (kind / 2) as u32;
        if kind % 2 == 0 {
            return Some(Ground::Rule(place));
        }
        let value = next()?;
        Some(Ground::Counter(place, (value / 2) as i64 ^ -((value % 2) as i64)))
    })
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
    /// `event_id`, `card_id`, `order_id`, and what its decision rests on
    packed: Box<str>,
    /// Where in it the second begins; it is absent if it is empty,
    card_at: u8,
    /// and the third, if there is one,
    order_at: Option<u16>,
    /// and the last.
    grounds_at: u16,
    /// How it stands.
    pub standing: Standing,
    /// Where the totals have it.
    pub column: Column,
    /// The cases that it is a member of.
    pub cases: SmallVec<[CaseNumber; 2]>,
    /// If a case asks about it.
    pub asked: Option<Asked>,
    /// If it is remembered without a case, too.
    pub counted: Option<Box<Counted>>,
}

impl Member {
    /// Of an authorization that has just been decided; on these `grounds`, if a case asks about it.
    pub fn of(
        event: &Event<'_>,
        account: AccountNumber,
        clock_ms: i64,
        action: Action,
        grounds: &[Ground],
    ) -> Member {
        let card = event.text(Field::CardId).unwrap_or_default();
        let order = event.text(Field::OrderId);
        let order_at = event.id().len() + card.len();
        let texts = [event.id(), card, order.unwrap_or_default()];
        let mut packed = String::with_capacity(PACKED);
        texts.iter().for_each(|text| packed.push_str(text));
        let grounds_at = packed.len() as u16;
        pack(grounds.iter().copied(), &mut packed);
        Member {
            account,
            time_ms: event.time,
            clock_ms,
            amount_minor: event.amount_minor.unwrap_or(0),
            money: Money::of(event),
            packed: packed.as_str().into(),
            card_at: event.id().len() as u8,
            order_at: order.map(|_| order_at as u16),
            grounds_at,
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
        &self.packed[..usize::from(self.card_at)]
    }

    /// `card_id`
    pub fn card_id(&self) -> Option<&str> {
        let end = self.order_at.unwrap_or(self.grounds_at);
        let card = &self.packed[usize::from(self.card_at)..usize::from(end)];
        (!card.is_empty()).then_some(card)
    }

    /// `order_id`
    pub fn order_id(&self) -> Option<&str> {
        self.order_at.map(|at| &self.packed[usize::from(at)..usize::from(self.grounds_at)])
    }

    /// What the decision rests on, if a case asks about it.
    pub fn grounds(&self) -> impl Iterator<Item = Ground> {
        unpack(self.packed[usize::from(self.grounds_at)..].as_bytes())
    }

    /// What its decision rests on has changed so.
    pub fn move_grounds(&mut self, change: impl Fn(Ground) -> Option<Ground>) {
        if self.packed.len() == usize::from(self.grounds_at) {
            return;
        }
        let mut packed = self.packed[..usize::from(self.grounds_at)].to_owned();
        pack(self.grounds().filter_map(change), &mut packed);
        self.packed = packed.as_str().into();
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

#[cfg(test)]
mod tests {
    use super::{Ground, pack, unpack};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn grounds_come_out_as_they_went_in(
            grounds in prop::collection::vec((any::<bool>(), any::<u32>(), any::<i64>(), 0u32..64), 0..9),
        ) {
            let ground = |(rule, place, value, shift): (bool, u32, i64, u32)| match rule {
                true => Ground::Rule(place >> (shift % 32)),
                false => Ground::Counter(place >> (shift % 32), value >> shift),
            };
            let grounds: Vec<Ground> = grounds.into_iter().map(ground).collect();
            let mut text = String::new();
            pack(grounds.iter().copied(), &mut text);
            prop_assert!(unpack(text.as_bytes()).eq(grounds));
        }
    }
}
