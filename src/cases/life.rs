//! How a rule wants a hold to live: data only.

use crate::event::{Event, Path, Scalar};

/// A value that a target has in common with its events. Text, integers and booleans are told
/// apart; a double is as if absent.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Value {
    /// Text.
    Text(Box<str>),
    /// A signed 64-bit integer.
    Int(i64),
    /// A boolean.
    Bool(bool),
}

impl Value {
    /// The value at a path of an event.
    pub fn of(event: &Event<'_>, path: &Path) -> Option<Value> {
        match event.value(path)? {
            Scalar::Text(text) => Some(Value::Text(text.into())),
            Scalar::Int(integer) => Some(Value::Int(integer)),
            Scalar::Bool(flag) => Some(Value::Bool(flag)),
            Scalar::Double(_) => None,
        }
    }
}

/// What a rule's case is about: one event, or what has these fields in common within the account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// The event alone.
    #[default]
    Event,
    /// Everything that shares these fields: none of them, the account; sorted.
    Fields(Vec<Path>),
}

impl Scope {
    /// For comparison: the fewer, the wider.
    pub fn width(&self) -> usize {
        match self {
            Scope::Event => usize::MAX,
            Scope::Fields(fields) => fields.len(),
        }
    }

    /// The target of an event: its values at the fields; `None` is the event alone.
    pub fn target(&self, event: &Event<'_>) -> Option<Target> {
        match self {
            Scope::Event => None,
            Scope::Fields(fields) => Some(Target::of(event, fields)),
        }
    }
}

/// The values that a case's events share, by field, sorted; of an absent field, none.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Target(pub Vec<(Path, Option<Value>)>);

impl Target {
    /// The fields.
    pub fn fields(&self) -> impl Iterator<Item = &Path> + Clone {
        self.0.iter().map(|(path, _)| path)
    }

    /// Of an event.
    pub fn of(event: &Event<'_>, fields: &[Path]) -> Target {
        Target(fields.iter().map(|path| (path.clone(), Value::of(event, path))).collect())
    }

    /// Is it this card, whatever else?
    pub fn names_card(&self, card: &str) -> bool {
        self.0.iter().any(|(path, value)| is_card(path, value.as_ref(), card))
    }

    /// Is it this card, and nothing else?
    pub fn is_card(&self, card: &str) -> bool {
        matches!(&self.0[..], [(path, value)] if is_card(path, value.as_ref(), card))
    }

    /// Is it the whole account?
    pub fn is_account(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_card(path: &Path, value: Option<&Value>, card: &str) -> bool {
    *path == Path::Field(crate::event::Field::CardId)
        && matches!(value, Some(Value::Text(text)) if **text == *card)
}

/// What becomes of a pending event whose deadline comes without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum OnExpiry {
    /// It is cancelled.
    #[default]
    Cancel,
    /// It is released.
    Release,
}

/// What becomes of further events of a suspended target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum WhileSuspended {
    /// They are declined.
    #[default]
    Decline,
    /// They are held, and join the case.
    Hold,
}

/// How the cases of a rule live.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Life {
    /// How long an answer is waited for, in the clock's ms.
    pub expires_ms: i64,
    /// What happens without one.
    pub on_expiry: OnExpiry,
    /// What happens to further events while the target is suspended.
    pub while_suspended: WhileSuspended,
    /// The sources whose `legitimate`, `policy_breach` and `restored` count; `None`: all.
    pub answer_by: Option<Vec<Box<str>>>,
    /// How long the rule stays quiet after an answer, in the clock's ms.
    pub grace_ms: i64,
}

impl Life {
    /// Does such an answer of this source count?
    pub fn is_answered_by(&self, source: &str) -> bool {
        self.answer_by.as_ref().is_none_or(|by| by.iter().any(|one| **one == *source))
    }
}

/// Bounds of all cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// How long a closed case can still be answered, in the clock's ms.
    pub memory_ms: i64,
    /// The most events that a decision links.
    pub linked_events: usize,
    /// The most pending events of an account.
    pub pending_per_account: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        const DAY_MS: i64 = 86_400_000;
        Bounds { memory_ms: 30 * DAY_MS, linked_events: 256, pending_per_account: 10_000 }
    }
}
