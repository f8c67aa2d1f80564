//! Sentences for people: what was found, and what would be right.
//!
//! Nothing reads them but people; reason and field are the contract. They show at most
//! [`EXCERPT_BYTES_MAX`] bytes of each of a name and a value, and never a card number.

use std::borrow::Cow;

use bumpalo::Bump;

use super::decode::PAYLOAD_BYTES_MAX;
use super::pan;
use super::strict::{self, NoScalar, Written};
use super::validate::Problem;
use crate::decision::{Reason, Rejection};
use crate::event::{
    AMOUNT_MAX_MINOR, EventType, Field, ID_BYTES_MAX, Kind, TEXT_BYTES_MAX, TIME_MAX_MS,
};

/// How much of a name or a value is shown, in bytes.
const EXCERPT_BYTES_MAX: usize = 40;

pub(super) fn too_large(bytes: usize) -> Rejection {
    let detail = format!("{bytes} bytes; at most {PAYLOAD_BYTES_MAX} are read");
    Rejection::new(Reason::TooLarge, None, detail)
}

pub(super) fn invalid_json(detail: String) -> Rejection {
    Rejection::new(Reason::InvalidJson, None, detail)
}

/// The refusal for a problem, with the value as written where there is one.
pub(super) fn rejection(
    problem: Problem,
    event_type: EventType,
    written: Option<(&Written<'_>, &Bump)>,
) -> Rejection {
    let (reason, field, detail) = match problem {
        Problem::Missing(Field::Scope) => (
            Reason::MissingField,
            Field::Scope,
            "feedback needs a scope: case_id, event_ids, card_id or scope".to_owned(),
        ),
        Problem::Missing(field) => {
            let (name, event_type) = (field.name(), event_type.name());
            let detail = format!("{name} is missing; the event is of type {event_type}");
            (Reason::MissingField, field, detail)
        }
        Problem::SuspendsNoCard => (
            Reason::MissingField,
            Field::CardId,
            "card_id is missing; suspend names a card".to_owned(),
        ),
        Problem::SuspendsWithoutFraud => (
            Reason::InvalidField,
            Field::Suspend,
            "suspend: only the verdict fraud suspends".to_owned(),
        ),
        Problem::Invalid(field) => {
            let found =
                written.and_then(|(written, arena)| Some((written[field as usize]?, arena)));
            let detail = match found {
                Some((value, arena)) => invalid(field, value, arena),
                None => format!("{}: not a valid value", field.name()),
            };
            (Reason::InvalidField, field, detail)
        }
    };
    Rejection::new(reason, Some(field), detail)
}

fn invalid(field: Field, value: &str, arena: &Bump) -> String {
    let name = field.name();
    let found = excerpt(strict::text(value, arena).unwrap_or(value));
    let text_bytes = strict::text(value, arena).map(str::len);
    match (field.kind(), text_bytes) {
        (Kind::Id, Some(bytes)) => {
            format!("{name}: {bytes} bytes; an id has 1 to {ID_BYTES_MAX}")
        }
        (Kind::Id, None) => format!("{name}: {found} is no text; an id is text"),
        (Kind::Text, Some(bytes)) => {
            format!("{name}: {bytes} bytes; at most {TEXT_BYTES_MAX} are allowed")
        }
        (Kind::Text, None) => format!("{name}: {found} is no text"),
        (Kind::Word(words), Some(_)) => {
            format!("{name}: \"{found}\" is none of {}", words.join(", "))
        }
        (Kind::Word(words), None) => format!("{name}: {found} is none of {}", words.join(", ")),
        (Kind::Currency, _) => format!("{name}: {found}; three capital letters are due"),
        (Kind::Time | Kind::Amount | Kind::Integer, Some(_)) => {
            format!("{name}: \"{found}\" is text; an integer is due")
        }
        (kind @ (Kind::Time | Kind::Amount | Kind::Integer), None) => {
            format!("{name}: {found} {}", no_integer(kind, value))
        }
        (Kind::Ids, _) => {
            format!("{name}: not a list of ids; each is text of 1 to {ID_BYTES_MAX} bytes")
        }
        (Kind::Attributes, _) => wrong_attribute(value, arena).unwrap_or_else(|| {
            format!("{name}: {found} is no object of text, numbers and booleans")
        }),
    }
}

/// What stands where an integer is due.
fn no_integer(kind: Kind, value: &str) -> String {
    let is_number = value.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let unit = match kind {
        Kind::Time => "milliseconds are whole",
        Kind::Amount => "minor units are whole",
        _ => "an integer is due",
    };
    if !is_number {
        "is no number; an integer is due".to_owned()
    } else if value.contains(['e', 'E']) {
        "has an exponent; an integer is written with all its digits".to_owned()
    } else if value.contains('.') {
        format!("has a fraction; {unit}")
    } else {
        match kind {
            Kind::Time => format!("is out of range; 0 to {TIME_MAX_MS} is due"),
            Kind::Amount => format!("is out of range; 0 to {AMOUNT_MAX_MINOR} is due"),
            _ => "does not fit 64 bits".to_owned(),
        }
    }
}

/// The first attribute that is none.
fn wrong_attribute(value: &str, arena: &Bump) -> Option<String> {
    let members = strict::members(value, arena).ok()?;
    let (name, value, error) = members
        .iter()
        .find_map(|(name, value)| Some((*name, *value, strict::scalar(value, arena).err()?)))?;
    let (name, found) = (excerpt(name), excerpt(value));
    Some(match error {
        NoScalar::TooLong => {
            format!("attributes.{name}: text of more than {TEXT_BYTES_MAX} bytes")
        }
        NoScalar::TooLarge => format!("attributes.{name}: {found} does not fit 64 bits"),
        NoScalar::NotFlat => {
            format!("attributes.{name}: a list or an object; text, a number or a boolean is due")
        }
    })
}

/// The beginning of what was found. It is masked before it is cut, so that half a card number is
/// not shown, and after, because a cut can make a long run of digits look like one.
pub(super) fn excerpt(found: &str) -> String {
    let masked = masked(found);
    let cut = masked.floor_char_boundary(EXCERPT_BYTES_MAX);
    let dots = if cut < masked.len() { "..." } else { "" };
    self::masked(&masked[..cut]).into_owned() + dots
}

/// Text with its card numbers masked.
pub(super) fn masked(text: &str) -> Cow<'_, str> {
    match pan::mask(text.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}
