//! The strict way to read an event: complete, and it can say what is wrong.
//!
//! The JSON is parsed by serde_json, each value first as the text that it was written in: an
//! integer beyond 64 bits, a fraction and an exponent stay what they are. It is not built for
//! speed; the scanner is.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::decode::NESTING_MAX;
use super::detail;
use super::validate::{Draft, Fields, validate};
use crate::decision::Rejection;
use crate::event::{Event, Field, Kind, Scalar, TEXT_BYTES_MAX};

/// The values of the fields of the table, as they were written.
pub(super) type Written<'a> = [Option<&'a str>; Field::COUNT];

/// Reads one event out of text of whatever form.
pub(super) fn decode<'a>(text: &'a str, arena: &'a Bump) -> Result<&'a Event<'a>, Rejection> {
    check_begin(text)?;
    let members = members(text, arena).map_err(|error| detail::invalid_json(error.to_string()))?;
    check_nesting_and_surrogates(text)?;

    let draft = arena.alloc_with(Draft::new);
    let mut seen = Fields::default();
    let mut written: Written<'a> = [None; Field::COUNT];
    for (name, value) in members {
        let Some(field) = Field::named(name.as_bytes()) else { continue };
        if !seen.insert(field) {
            return Err(detail::invalid_json(format!("{name} is given twice")));
        }
        if value != "null" {
            draft.present.insert(field);
            written[field as usize] = Some(value);
        }
    }
    for field in Field::ALL.iter().copied() {
        let Some(value) = written[field as usize] else { continue };
        if !read(field, value, draft, arena)? {
            draft.wrong.insert(field);
        }
    }
    match validate(draft) {
        Ok(()) => Ok(&draft.event),
        Err(problem) => {
            Err(detail::rejection(problem, draft.event.event_type, Some((&written, arena))))
        }
    }
}

fn check_begin(text: &str) -> Result<(), Rejection> {
    let found = match text.trim_start_matches([' ', '\t', '\n', '\r']).chars().next() {
        Some('{') => return Ok(()),
        Some('\u{feff}') => "begins with a byte order mark",
        Some(_) => "not a JSON object",
        None => "empty",
    };
    Err(detail::invalid_json(format!("{found}; one JSON object is due")))
}

/// Reads the value of one field; is it one that the field may hold?
fn read<'a>(
    field: Field,
    value: &'a str,
    draft: &mut Draft<'a>,
    arena: &'a Bump,
) -> Result<bool, Rejection> {
    Ok(match value.as_bytes().first() {
        Some(b'"') => text(value, arena).is_some_and(|text| draft.set_text(field, text)),
        Some(b'[') => ids(value, arena).is_some_and(|ids| draft.set_ids(field, ids)),
        Some(b'{') if field.kind() == Kind::Attributes => {
            let mut fit = true;
            let mut attributes = BumpVec::new_in(arena);
            for (name, value) in attribute_members(value, arena)? {
                match scalar(value, arena) {
                    Ok(Some(value)) => attributes.push((name, value)),
                    Ok(None) => {}
                    Err(_) => fit = false,
                }
            }
            draft.event.attributes = attributes.into_bump_slice();
            fit
        }
        // Without fraction, exponent and 65th bit, what is left of JSON's numbers is an i64.
        _ => value.parse().is_ok_and(|value| draft.set_int(field, value)),
    })
}

/// The members of `attributes`; a name given twice makes the whole event no JSON.
fn attribute_members<'a>(
    value: &'a str,
    arena: &'a Bump,
) -> Result<BumpVec<'a, Member<'a>>, Rejection> {
    let members = members(value, arena).map_err(|error| detail::invalid_json(error.to_string()))?;
    let mut names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            let name = detail::excerpt(pair[0]);
            Err(detail::invalid_json(format!("attributes: {name} is given twice")))
        }
        None => Ok(members),
    }
}

/// Why a value can be no attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoScalar {
    TooLong,
    TooLarge,
    NotFlat,
}

/// The value of an attribute; `None` for null.
pub(super) fn scalar<'a>(value: &'a str, arena: &'a Bump) -> Result<Option<Scalar<'a>>, NoScalar> {
    Ok(Some(match value.as_bytes().first() {
        Some(b'n') => return Ok(None),
        Some(b't' | b'f') => Scalar::Bool(value == "true"),
        Some(b'"') => match text(value, arena) {
            Some(text) if text.len() <= TEXT_BYTES_MAX => Scalar::Text(text),
            _ => return Err(NoScalar::TooLong),
        },
        Some(b'[' | b'{') | None => return Err(NoScalar::NotFlat),
        Some(_) if value.contains(['.', 'e', 'E']) => match value.parse::<f64>() {
            Ok(double) if double.is_finite() => Scalar::Double(double),
            _ => return Err(NoScalar::TooLarge),
        },
        Some(_) => Scalar::Int(value.parse().map_err(|_| NoScalar::TooLarge)?),
    }))
}

/// What written text says; `None` if it is no text.
pub(super) fn text<'a>(value: &'a str, arena: &'a Bump) -> Option<&'a str> {
    Text(arena).deserialize(&mut serde_json::Deserializer::from_str(value)).ok()
}

fn ids<'a>(value: &'a str, arena: &'a Bump) -> Option<&'a [&'a str]> {
    struct Texts<'a>(&'a Bump);
    impl<'de> Visitor<'de> for Texts<'de> {
        type Value = &'de [&'de str];
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of text")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut texts = BumpVec::new_in(self.0);
            while let Some(text) = seq.next_element_seed(Text(self.0))? {
                texts.push(text);
            }
            Ok(texts.into_bump_slice())
        }
    }
    serde_json::Deserializer::from_str(value).deserialize_seq(Texts(arena)).ok()
}

/// A name, its escapes undone, and its value as written.
pub(super) type Member<'a> = (&'a str, &'a str);

/// The members of an object in their order, repeated ones too, and nothing after it.
pub(super) fn members<'a>(
    object: &'a str,
    arena: &'a Bump,
) -> serde_json::Result<BumpVec<'a, Member<'a>>> {
    struct Members<'a>(&'a Bump);
    impl<'de> Visitor<'de> for Members<'de> {
        type Value = BumpVec<'de, Member<'de>>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = BumpVec::new_in(self.0);
            while let Some(name) = map.next_key_seed(Text(self.0))? {
                members.push((name, map.next_value::<&'de RawValue>()?.get()));
            }
            Ok(members)
        }
    }
    let mut json = serde_json::Deserializer::from_str(object);
    let members = json.deserialize_map(Members(arena))?;
    json.end()?;
    Ok(members)
}

/// Text, borrowed where it was written plainly, else out of the arena.
struct Text<'a>(&'a Bump);

impl<'de> DeserializeSeed<'de> for Text<'de> {
    type Value = &'de str;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text<'de> {
    type Value = &'de str;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("text")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(text)
    }
    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.alloc_str(text))
    }
}

/// Two things that the grammar leaves open, over all of a text that follows it: values that nobody
/// reads count too.
fn check_nesting_and_surrogates(json: &str) -> Result<(), Rejection> {
    let bytes = json.as_bytes();
    let (mut at, mut depth, mut in_text) = (0, 0_usize, false);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match (in_text, byte) {
            (_, b'"') => in_text = !in_text,
            (true, b'\\') => at += escape_length(&bytes[at..])?,
            (false, b'{' | b'[') if depth == NESTING_MAX => {
                let detail = format!("nested deeper than {NESTING_MAX} levels");
                return Err(detail::invalid_json(detail));
            }
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// The length of an escape after its backslash; both halves of a surrogate pair are one.
fn escape_length(bytes: &[u8]) -> Result<usize, Rejection> {
    let half = |bytes: &[u8]| -> Option<u16> {
        let digits = bytes.strip_prefix(b"u")?.get(..4)?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    match half(bytes) {
        None => Ok(1),
        Some(0xd800..=0xdbff) => {
            match bytes.get(5..).and_then(|rest| half(rest.strip_prefix(b"\\")?)) {
                Some(0xdc00..=0xdfff) => Ok(11),
                _ => Err(lone_surrogate()),
            }
        }
        Some(0xdc00..=0xdfff) => Err(lone_surrogate()),
        Some(_) => Ok(5),
    }
}

fn lone_surrogate() -> Rejection {
    detail::invalid_json("half of a surrogate pair alone is no character".to_owned())
}
