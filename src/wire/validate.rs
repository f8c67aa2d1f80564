//! The table of fields: what each may hold, and which of them an event needs.
//!
//! A [`Draft`] collects what a reader found; [`validate`] turns it into an event or names its first
//! problem. Neither knows how the text was written, nor words for people.

use crate::event::{
    AMOUNT_MAX_MINOR, Event, EventType, Field, ID_BYTES_MAX, Kind, TEXT_BYTES_MAX, TIME_MAX_MS,
};

/// A set of fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fields(u64);

const _: () = assert!(Field::COUNT <= 64, "a set of fields has 64 bits");

impl Fields {
    const fn of(fields: &[Field]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < fields.len() {
            bits |= 1 << fields[i] as u64;
            i += 1;
        }
        Fields(bits)
    }

    /// Adds a field; is it new?
    #[inline]
    pub(super) fn insert(&mut self, field: Field) -> bool {
        let bit = 1 << field as u64;
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }

    fn has(self, field: Field) -> bool {
        self.0 & 1 << field as u64 != 0
    }

    fn and(self, other: Fields) -> Fields {
        Fields(self.0 & other.0)
    }

    const fn or(self, other: Fields) -> Fields {
        Fields(self.0 | other.0)
    }

    pub(super) const fn but(self, other: Fields) -> Fields {
        Fields(self.0 & !other.0)
    }

    /// The first in the order of the table.
    fn first(self) -> Option<Field> {
        Field::ALL.get(self.0.trailing_zeros() as usize).copied()
    }
}

/// The fields that are checked in every type of event but a tick.
const COMMON: Fields = Fields((1 << Field::RefEventId as u64) - 1);
const OF_REVERSAL: Fields = Fields::of(&[Field::RefEventId]);
const OF_FEEDBACK: Fields = Fields(((1 << Field::COUNT) - 1) & !COMMON.0 & !OF_REVERSAL.0);
const SCOPES: Fields = Fields::of(&[Field::CaseId, Field::EventIds, Field::CardId, Field::Scope]);

/// What a reader found in one event, of whatever type.
pub(super) struct Draft<'a> {
    /// The values that are valid, each by itself.
    pub(super) event: Event<'a>,
    /// Given, and not null.
    pub(super) present: Fields,
    /// Present, and not what the field may hold.
    pub(super) wrong: Fields,
}

impl<'a> Draft<'a> {
    #[inline]
    pub(super) fn new() -> Self {
        Draft {
            event: Event::new(EventType::Authorization, 0),
            present: Fields::default(),
            wrong: Fields::default(),
        }
    }

    /// Sets a field to text; may it hold that?
    #[inline(always)]
    pub(super) fn set_text(&mut self, field: Field, text: &'a str) -> bool {
        let (least, most) = LENGTHS[field as usize];
        let fits = (least..=most).contains(&text.len()) || self.is_listed(field, text);
        if fits {
            self.event.set_text(field, text);
        }
        fits
    }

    /// Is text one of the few that a field may hold? A type is set here.
    #[inline(never)]
    fn is_listed(&mut self, field: Field, text: &str) -> bool {
        match field.kind() {
            Kind::Currency => text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()),
            Kind::Word(_) if field == Field::Type => match EventType::named(text) {
                Some(event_type) => {
                    self.event.event_type = event_type;
                    true
                }
                None => false,
            },
            Kind::Word(words) => words.contains(&text),
            _ => false,
        }
    }

    /// Sets a field to an integer; may it hold that?
    #[inline(always)]
    pub(super) fn set_int(&mut self, field: Field, value: i64) -> bool {
        let (least, most) = INTEGERS[field as usize];
        let fits = (least..=most).contains(&value);
        if fits {
            self.event.set_int(field, value);
        }
        fits
    }

    /// Sets a field to a list of ids; may it hold that?
    pub(super) fn set_ids(&mut self, field: Field, ids: &'a [&'a str]) -> bool {
        match field {
            Field::EventIds => self.event.event_ids = Some(ids),
            Field::ExceptEventIds => self.event.except_event_ids = Some(ids),
            _ => return false,
        }
        ids.iter().all(|id| is_id(id))
    }

    fn forget(&mut self, fields: Fields) {
        for field in Field::ALL.iter().copied().filter(|field| fields.has(*field)) {
            match field {
                Field::EventIds => self.event.event_ids = None,
                Field::ExceptEventIds => self.event.except_event_ids = None,
                Field::From => self.event.from = None,
                Field::To => self.event.to = None,
                _ => self.event.clear_text(field),
            }
        }
    }
}

fn is_id(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len())
}

/// The least and the most bytes of text that may be anything; none where it is one of a list.
static LENGTHS: [(usize, usize); Field::COUNT] = {
    let mut lengths = [(1, 0); Field::COUNT];
    let mut i = 0;
    while i < Field::COUNT {
        lengths[i] = match Field::ALL[i].kind() {
            Kind::Id => (1, ID_BYTES_MAX),
            Kind::Text => (0, TEXT_BYTES_MAX),
            _ => (1, 0),
        };
        i += 1;
    }
    lengths
};

/// The least and the largest integer, where it may be one.
static INTEGERS: [(i64, i64); Field::COUNT] = {
    let mut integers = [(1, 0); Field::COUNT];
    let mut i = 0;
    while i < Field::COUNT {
        integers[i] = match Field::ALL[i].kind() {
            Kind::Time => (0, TIME_MAX_MS),
            Kind::Amount => (0, AMOUNT_MAX_MINOR),
            Kind::Integer => (i64::MIN, i64::MAX),
            _ => (1, 0),
        };
        i += 1;
    }
    integers
};

/// The first thing that is wrong with the fields of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// This type of event needs the field.
    Missing(Field),
    /// The field holds what it may not hold.
    Invalid(Field),
    /// A card is to be suspended, and none is named.
    SuspendsNoCard,
    /// `suspend` beside another verdict than fraud.
    SuspendsWithoutFraud,
}

/// Checks a draft in the order of the table, and takes away what its type of event does not read.
pub(super) fn validate(draft: &mut Draft<'_>) -> Result<(), Problem> {
    use Field::{AccountId, AmountMinor, Currency, EventId, EventTime, Scope, Source, Verdict};
    const NEEDED: Fields = Fields::of(&[EventId, EventTime, AccountId]);
    let (checked, needed) = match draft.event.event_type {
        // An unknown type leaves this one standing, and is found wrong before amount and currency.
        EventType::Authorization => (COMMON, NEEDED.or(Fields::of(&[AmountMinor, Currency]))),
        EventType::Reversal => (COMMON.or(OF_REVERSAL), NEEDED),
        EventType::Feedback if draft.present.and(SCOPES) == Fields::default() => {
            (COMMON.or(OF_FEEDBACK), NEEDED.or(Fields::of(&[Verdict, Source, Scope])))
        }
        EventType::Feedback => (COMMON.or(OF_FEEDBACK), NEEDED.or(Fields::of(&[Verdict, Source]))),
        EventType::Tick => (Fields::of(&[EventTime]), Fields::of(&[EventTime])),
        _ => (COMMON, NEEDED),
    };

    let missing = needed.but(draft.present);
    if let Some(field) = missing.or(draft.wrong.and(checked)).first() {
        let is_missing = missing.has(field);
        return Err(if is_missing { Problem::Missing(field) } else { Problem::Invalid(field) });
    }

    if draft.event.event_type == EventType::Tick {
        draft.event = Event::new(EventType::Tick, draft.event.time);
        return Ok(());
    }
    let ignored = draft.present.but(checked);
    if ignored != Fields::default() {
        draft.forget(ignored);
    }
    match draft.event.text(Field::Suspend) {
        Some(_) if draft.event.text(Verdict) != Some("fraud") => Err(Problem::SuspendsWithoutFraud),
        Some("card") if !draft.present.has(Field::CardId) => Err(Problem::SuspendsNoCard),
        _ => Ok(()),
    }
}
