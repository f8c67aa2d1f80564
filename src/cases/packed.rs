//! What of a remembered authorization has no fixed length, in one piece: there are very many of
//! them, and fresh memory is what they cost most.
//!
//! ```text
//! event_id | card_id | order_id | notes
//! ```
//!
//! A note is a number that says of which kind it is and what it is about, and what belongs to it. A
//! number is six bits a character, the lowest first, with a seventh that says that more follow: so
//! all of it is text.

use crate::event::{Event, Field, ID_BYTES_MAX, Path, Scalar};

use super::member::Ground;

/// Texts of an authorization, and notes on it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Packed {
    text: Box<str>,
    /// Where in it the second begins; it is absent if it is empty,
    card_at: u8,
    /// and the third, if there is one,
    order_at: Option<u16>,
    /// and the last.
    notes_at: u16,
}

/// Something that will be asked of an authorization. Rules and counters by their places in the
/// ruleset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Note<'a> {
    /// What its decision rests on, if a case asks about it.
    Ground(Ground),
    /// A counter over which a rule reaches back counts it.
    Reach(u32),
    /// A counter counts it while it stands.
    Standing(u32),
    /// A value of it.
    Value(At<'a>, Scalar<'a>),
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At<'a> {
    /// In a field.
    Field(Field),
    /// In `attributes`, under this name.
    Attribute(&'a str),
}

impl<'a> At<'a> {
    fn of(path: &'a Path) -> At<'a> {
        match path {
            Path::Field(field) => At::Field(*field),
            Path::Attribute(name) => At::Attribute(name),
        }
    }
}

impl<'a> Note<'a> {
    /// The value of an event at a path, unless it lies beside the notes anyway. A double is as if
    /// absent.
    pub fn of(event: &Event<'a>, path: &'a Path) -> Option<Note<'a>> {
        match (path, event.value(path)?) {
            (Path::Field(Field::EventId | Field::CardId | Field::OrderId), _) => None,
            (_, Scalar::Double(_)) => None,
            (_, value) => Some(Note::Value(At::of(path), value)),
        }
    }
}

// Where one ends is told in a byte, and where three do in two.
const _: () = assert!(ID_BYTES_MAX <= u8::MAX as usize);

impl Packed {
    /// The texts of an event, and these notes. `scratch` is room to write in.
    pub fn of<'n>(
        event: &Event<'_>,
        notes: impl Iterator<Item = Note<'n>>,
        scratch: &mut String,
    ) -> Packed {
        let card = event.text(Field::CardId).unwrap_or_default();
        let order = event.text(Field::OrderId);
        scratch.clear();
        scratch.push_str(event.id());
        scratch.push_str(card);
        let order_at = order.map(|_| scratch.len() as u16);
        scratch.push_str(order.unwrap_or_default());
        let notes_at = scratch.len() as u16;
        notes.for_each(|note| write(note, scratch));
        Packed {
            text: scratch.as_str().into(),
            card_at: event.id().len() as u8,
            order_at,
            notes_at,
        }
    }

    /// More notes on it.
    pub fn add<'n>(&mut self, notes: impl Iterator<Item = Note<'n>>, scratch: &mut String) {
        scratch.clear();
        scratch.push_str(&self.text);
        notes.for_each(|note| write(note, scratch));
        self.text = scratch.as_str().into();
    }

    /// What is noted has changed so.
    pub fn change(&mut self, change: impl Fn(Note<'_>) -> Option<Note<'_>>) {
        let mut text = self.text[..usize::from(self.notes_at)].to_owned();
        self.notes().filter_map(change).for_each(|note| write(note, &mut text));
        self.text = text.into();
    }

    /// `event_id`
    pub fn event_id(&self) -> &str {
        &self.text[..usize::from(self.card_at)]
    }

    /// `card_id`
    pub fn card_id(&self) -> Option<&str> {
        let end = self.order_at.unwrap_or(self.notes_at);
        let card = &self.text[usize::from(self.card_at)..usize::from(end)];
        (!card.is_empty()).then_some(card)
    }

    /// `order_id`
    pub fn order_id(&self) -> Option<&str> {
        self.order_at.map(|at| &self.text[usize::from(at)..usize::from(self.notes_at)])
    }

    /// What is noted.
    pub fn notes(&self) -> Notes<'_> {
        Notes { text: &self.text[usize::from(self.notes_at)..] }
    }

    /// What is noted before any value: the counters are.
    pub fn counters(&self) -> impl Iterator<Item = Note<'_>> {
        self.notes().take_while(|note| !matches!(note, Note::Value(..)))
    }

    /// The value at a path, if that is noted or lies beside the notes.
    pub fn value(&self, path: &Path) -> Option<Scalar<'_>> {
        match path {
            Path::Field(Field::EventId) => return Some(Scalar::Text(self.event_id())),
            Path::Field(Field::CardId) => return self.card_id().map(Scalar::Text),
            Path::Field(Field::OrderId) => return self.order_id().map(Scalar::Text),
            _ => {}
        }
        let sought = At::of(path);
        self.notes().find_map(|note| match note {
            Note::Value(at, value) if at == sought => Some(value),
            _ => None,
        })
    }
}

/// That more of a number follows; six bits are below.
const MORE: u8 = 1 << 6;
/// So many kinds of notes are told apart.
const KINDS: u64 = 8;
/// In the place of a field: an attribute, whose name follows.
const ATTRIBUTE: u64 = Field::COUNT as u64;

fn write(note: Note<'_>, text: &mut String) {
    match note {
        Note::Ground(Ground::Rule(rule)) => put(u64::from(rule) * KINDS, text),
        Note::Ground(Ground::Counter(counter, value)) => {
            put(u64::from(counter) * KINDS + 1, text);
            put(folded(value), text);
        }
        Note::Reach(counter) => put(u64::from(counter) * KINDS + 2, text),
        Note::Standing(counter) => put(u64::from(counter) * KINDS + 3, text),
        Note::Value(at, Scalar::Text(value)) => {
            write_place(at, 4, text);
            write_text(value, text);
        }
        Note::Value(at, Scalar::Int(value)) => {
            write_place(at, 5, text);
            put(folded(value), text);
        }
        Note::Value(at, Scalar::Bool(flag)) => write_place(at, 6 + u64::from(flag), text),
        Note::Value(_, Scalar::Double(_)) => {}
    }
}

fn write_place(at: At<'_>, kind: u64, text: &mut String) {
    match at {
        At::Field(field) => put(field as u64 * KINDS + kind, text),
        At::Attribute(name) => {
            put(ATTRIBUTE * KINDS + kind, text);
            write_text(name, text);
        }
    }
}

fn write_text(value: &str, text: &mut String) {
    put(value.len() as u64, text);
    text.push_str(value);
}

fn put(mut number: u64, text: &mut String) {
    while number >= MORE.into() {
        text.push(char::from((number as u8 % MORE) | MORE));
        number /= u64::from(MORE);
    }
    text.push(char::from(number as u8));
}

/// Those near zero are small, whatever their sign.
fn folded(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unfolded(number: u64) -> i64 {
    (number / 2) as i64 ^ -((number % 2) as i64)
}

/// Notes, one after the other.
#[derive(Debug, Clone)]
pub struct Notes<'a> {
    text: &'a str,
}

impl<'a> Notes<'a> {
    #[inline]
    fn number(&mut self) -> Option<u64> {
        if let Some(byte @ 0..MORE) = self.text.bytes().next() {
            self.text = self.text.get(1..)?;
            return Some(byte.into());
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Option<u64> {
        let end = self.text.bytes().position(|byte| byte < MORE)?;
        let number = self.take(end + 1)?;
        let sixes = number.bytes().rev().map(|byte| u64::from(byte % MORE));
        Some(sixes.fold(0, |all, six| (all << 6) | six))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.number()?;
        self.take(length as usize)
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.text.split_at_checked(length)?;
        self.text = rest;
        Some(taken)
    }

    fn value(&mut self, kind: u64, field: u64) -> Option<Note<'a>> {
        let at = match field {
            ATTRIBUTE => At::Attribute(self.text()?),
            field => At::Field(*Field::ALL.get(field as usize)?),
        };
        let value = match kind {
            4 => Scalar::Text(self.text()?),
            5 => Scalar::Int(unfolded(self.number()?)),
            flag => Scalar::Bool(flag == 7),
        };
        Some(Note::Value(at, value))
    }
}

impl<'a> Iterator for Notes<'a> {
    type Item = Note<'a>;

    fn next(&mut self) -> Option<Note<'a>> {
        let number = self.number()?;
        let (kind, place) = (number % KINDS, number / KINDS);
        match kind {
            0 => Some(Note::Ground(Ground::Rule(place as u32))),
            1 => Some(Note::Ground(Ground::Counter(place as u32, unfolded(self.number()?)))),
            2 => Some(Note::Reach(place as u32)),
            3 => Some(Note::Standing(place as u32)),
            kind => self.value(kind, place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{At, Ground, Note, Packed};
    use crate::event::{Event, EventType, Field, Path, Scalar};
    use proptest::prelude::*;

    type Seed = (u8, u32, i64, u32, String);

    fn note((kind, place, value, shift, text): &Seed) -> Note<'_> {
        let (place, value) = (place >> (shift % 32), value >> shift);
        let at = match shift % 3 {
            0 => At::Attribute(&text[..text.len() / 4 * 4]),
            _ => At::Field(Field::ALL[place as usize % Field::COUNT]),
        };
        match kind {
            0 => Note::Ground(Ground::Rule(place)),
            1 => Note::Ground(Ground::Counter(place, value)),
            2 => Note::Reach(place),
            3 => Note::Standing(place),
            4 => Note::Value(at, Scalar::Text(text)),
            5 => Note::Value(at, Scalar::Int(value)),
            _ => Note::Value(at, Scalar::Bool(value % 2 == 0)),
        }
    }

    fn seeds() -> impl Strategy<Value = Vec<Seed>> {
        let seed = (0u8..7, any::<u32>(), any::<i64>(), 0u32..64, "[a-z]{4}{0,20}|é{0,2}");
        prop::collection::vec(seed, 0..9)
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(first in seeds(), then in seeds(), card: bool, order: bool) {
            let mut event = Event::new(EventType::Authorization, 0);
            event.set_text(Field::EventId, "e-1");
            let (card, order) = (card.then_some("cé"), order.then_some(""));
            card.into_iter().for_each(|card| event.set_text(Field::CardId, card));
            order.into_iter().for_each(|order| event.set_text(Field::OrderId, order));
            let mut scratch = String::new();
            let mut packed = Packed::of(&event, first.iter().map(note), &mut scratch);
            packed.add(then.iter().map(note), &mut scratch);
            let all: Vec<Note<'_>> = first.iter().chain(&then).map(note).collect();
            prop_assert!(packed.notes().eq(all.iter().copied()));
            prop_assert_eq!((packed.event_id(), packed.card_id()), ("e-1", card));
            prop_assert_eq!(packed.order_id(), order);
            let country = Path::Field(Field::Country);
            let noted = all.iter().find_map(|note| match note {
                Note::Value(at, value) if *at == At::of(&country) => Some(*value),
                _ => None,
            });
            prop_assert_eq!(packed.value(&country), noted);
            let is_kept = |note: &Note<'_>| !matches!(note, Note::Reach(_));
            packed.change(|note| is_kept(&note).then_some(note));
            prop_assert!(packed.notes().eq(all.iter().copied().filter(is_kept)));
        }
    }
}
