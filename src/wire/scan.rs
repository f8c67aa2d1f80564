//! The fast way to read an event: one pass over the form that almost every event has.
//!
//! It reads one flat object with keys and text free of escapes, plain integers, `attributes` that
//! are flat too, and lists of plain text. It decides nothing else: at any doubt, and at anything
//! that might be wrong, it gives up with `None`, and the strict way takes over from the start.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;

use super::decode::Hints;
use super::validate::Draft;
use crate::event::{Field, Kind, Scalar, TEXT_BYTES_MAX};

/// Attributes beyond this many are left to the strict way, which finds repeated names by sorting.
const ATTRIBUTES_MAX: usize = 32;

/// Digits that fit 64 bits whatever they are.
const SAFE_DIGITS: usize = 18;

/// Reads `text` into `draft`, which is left half filled if this gives up.
pub(super) fn scan<'a>(
    text: &'a str,
    hints: &mut Hints,
    arena: &'a Bump,
    draft: &mut Draft<'a>,
) -> Option<()> {
    let mut scanner = Scanner { text, bytes: text.as_bytes(), at: 0 };
    scanner.blanks();
    scanner.eat(b'{')?;
    for n in 0.. {
        scanner.blanks();
        let field = scanner.key(hints, n)?;
        scanner.blanks();
        match field {
            Some(field) if draft.seen.insert(field) => scanner.field(field, draft, arena)?,
            Some(_) => return None,
            None => _ = scanner.scalar()?,
        }
        scanner.blanks();
        match scanner.peek() {
            b',' => scanner.at += 1,
            _ => break,
        }
    }
    scanner.eat(b'}')?;
    scanner.blanks();
    (scanner.at == text.len()).then_some(())
}

/// A name with its closing quote and colon, ready to be compared with 16 bytes at once.
struct Name {
    word: u128,
    mask: u128,
    len: usize,
}

const NAMES: [Name; Field::COUNT] = {
    const END: &[u8] = b"\":";
    let mut names = [const { Name { word: 1, mask: 0, len: 0 } }; Field::COUNT];
    let mut i = 0;
    while i < Field::COUNT {
        let name = Field::ALL[i].name().as_bytes();
        // The one name that does not fit keeps a word that nothing equals.
        if name.len() + END.len() <= 16 {
            let (mut word, mut mask, mut j) = ([0; 16], [0; 16], 0);
            while j < name.len() + END.len() {
                word[j] = if j < name.len() { name[j] } else { END[j - name.len()] };
                mask[j] = 0xff;
                j += 1;
            }
            names[i] = Name {
                word: u128::from_le_bytes(word),
                mask: u128::from_le_bytes(mask),
                len: name.len() + END.len(),
            };
        }
        i += 1;
    }
    names
};

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// The byte here; 0, which is never due, at the end.
    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte).then(|| self.at += 1)
    }

    #[inline]
    fn blanks(&mut self) {
        if self.peek() <= b' ' {
            self.skip_blanks();
        }
    }

    #[cold]
    fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    /// The field that a key names, if it is one of the table, and the colon after it.
    #[inline]
    fn key(&mut self, hints: &mut Hints, n: usize) -> Option<Option<Field>> {
        if let Some(field) = hints.nth(n)
            && self.peek() == b'"'
            && let Some((word, _)) = self.bytes.get(self.at + 1..)?.split_first_chunk()
        {
            let name = &NAMES[field as usize];
            if u128::from_le_bytes(*word) & name.mask == name.word {
                self.at += 1 + name.len;
                return Some(Some(field));
            }
        }
        let field = Field::named(self.plain_text()?.as_bytes());
        hints.remember(n, field);
        self.blanks();
        self.eat(b':')?;
        Some(field)
    }

    /// Text without escapes, between its quotes.
    #[inline(always)]
    fn plain_text(&mut self) -> Option<&'a str> {
        self.eat(b'"')?;
        let start = self.at;
        loop {
            let Some((word, _)) = self.bytes.get(self.at..)?.split_first_chunk() else {
                // Fewer than eight bytes are left.
                while !is_special(*self.bytes.get(self.at)?) {
                    self.at += 1;
                }
                break;
            };
            let ahead = first_special(word);
            self.at += ahead;
            if ahead < word.len() {
                break;
            }
        }
        let text = self.text.get(start..self.at)?;
        self.eat(b'"')?;
        Some(text)
    }

    #[inline]
    fn field(&mut self, field: Field, draft: &mut Draft<'a>, arena: &'a Bump) -> Option<()> {
        let fits = match self.peek() {
            b'"' => {
                let text = self.plain_text()?;
                draft.set_text(field, text)
            }
            b'-' | b'0'..=b'9' => {
                let value = self.integer()?;
                !self.goes_on_as_double() && draft.set_int(field, value)
            }
            b'{' if field.kind() == Kind::Attributes => {
                draft.event.attributes = self.attributes(arena)?;
                true
            }
            b'[' => {
                let ids = self.texts(arena)?;
                draft.set_ids(field, ids)
            }
            b'n' => return self.word("null"),
            _ => false,
        };
        draft.present.insert(field);
        fits.then_some(())
    }

    #[inline]
    fn word(&mut self, word: &str) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    /// A flat value; `None` inside for null.
    fn scalar(&mut self) -> Option<Option<Scalar<'a>>> {
        Some(match self.peek() {
            b'"' => Some(Scalar::Text(self.plain_text()?)),
            b't' => self.word("true").map(|()| Some(Scalar::Bool(true)))?,
            b'f' => self.word("false").map(|()| Some(Scalar::Bool(false)))?,
            b'n' => self.word("null").map(|()| None)?,
            _ => Some(self.number()?),
        })
    }

    /// An integer of few enough digits, or a finite double.
    fn number(&mut self) -> Option<Scalar<'a>> {
        let start = self.at;
        let value = self.integer()?;
        if self.goes_on_as_double() {
            return self.double(start);
        }
        Some(Scalar::Int(value))
    }

    #[inline]
    fn goes_on_as_double(&self) -> bool {
        matches!(self.peek(), b'.' | b'e' | b'E')
    }

    /// The integer here, or before the fraction: few enough digits, no zero before others.
    #[inline]
    fn integer(&mut self) -> Option<i64> {
        let negative = self.eat(b'-').is_some();
        let start = self.at;
        let mut value = 0_i64;
        loop {
            let Some((word, _)) = self.bytes.get(self.at..)?.split_first_chunk() else {
                while let digit @ b'0'..=b'9' = self.peek() {
                    value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
                    self.at += 1;
                }
                break;
            };
            let (more, digits) = leading_digits(u64::from_le_bytes(*word));
            value = value.wrapping_mul(POWERS_OF_TEN[digits]).wrapping_add(more);
            self.at += digits;
            if digits < 8 {
                break;
            }
        }
        let digits = self.at - start;
        if digits == 0 || digits > SAFE_DIGITS || (digits > 1 && self.bytes.get(start)? == &b'0') {
            return None;
        }
        Some(if negative { -value } else { value })
    }

    #[cold]
    fn double(&mut self, start: usize) -> Option<Scalar<'a>> {
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        let value: f64 = self.text.get(start..self.at)?.parse().ok()?;
        value.is_finite().then_some(Scalar::Double(value))
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn attributes(&mut self, arena: &'a Bump) -> Option<&'a [(&'a str, Scalar<'a>)]> {
        self.eat(b'{')?;
        self.blanks();
        let mut attributes = BumpVec::new_in(arena);
        if self.eat(b'}').is_some() {
            return Some(attributes.into_bump_slice());
        }
        let mut names = [""; ATTRIBUTES_MAX];
        for n in 0.. {
            self.blanks();
            let name = self.plain_text()?;
            if names.get(..n)?.contains(&name) {
                return None;
            }
            *names.get_mut(n)? = name;
            self.blanks();
            self.eat(b':')?;
            self.blanks();
            match self.scalar()? {
                Some(Scalar::Text(text)) if text.len() > TEXT_BYTES_MAX => return None,
                Some(value) => attributes.push((name, value)),
                None => {}
            }
            self.blanks();
            if self.eat(b',').is_none() {
                break;
            }
        }
        self.eat(b'}')?;
        Some(attributes.into_bump_slice())
    }

    fn texts(&mut self, arena: &'a Bump) -> Option<&'a [&'a str]> {
        self.eat(b'[')?;
        self.blanks();
        let mut texts = BumpVec::new_in(arena);
        if self.eat(b']').is_some() {
            return Some(texts.into_bump_slice());
        }
        loop {
            self.blanks();
            texts.push(self.plain_text()?);
            self.blanks();
            if self.eat(b',').is_none() {
                break;
            }
        }
        self.eat(b']')?;
        Some(texts.into_bump_slice())
    }
}

/// Does a byte end text, or make it other than it reads?
#[inline]
fn is_special(byte: u8) -> bool {
    (byte == b'"') | (byte == b'\\') | (byte < b' ')
}

/// How many of the bytes come before the first special one. Each of the three tests may mark a byte
/// too many, but only above one that it marks rightly, so that the lowest mark is right.
#[inline]
fn first_special(bytes: &[u8; 8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(*bytes);
    let zero = |w: u64| w.wrapping_sub(ONES) & !w;
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zero(word ^ (ONES * b'"' as u64));
    let backslash = zero(word ^ (ONES * b'\\' as u64));
    let marks = (below_space | quote | backslash) & HIGHS;
    marks.trailing_zeros() as usize / 8
}

const POWERS_OF_TEN: [i64; 9] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The decimal value of the digits that eight bytes (the first in the lowest bits) begin with, and
/// how many they are.
#[inline]
fn leading_digits(word: u64) -> (i64, usize) {
    let values = word ^ 0x3030_3030_3030_3030;
    // The high bit of each byte that is no digit; carries reach only bytes above the first of them.
    let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    let digits = others.trailing_zeros() as usize / 8;
    if digits == 0 {
        return (0, 0);
    }
    // Zeros come in before the first digit; then pairs, fours and all eight are joined.
    let ones = values << (64 - 8 * digits);
    let pairs = (ones.wrapping_mul(10) + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let eight = (fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff;
    (eight as i64, digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_in_every_place_and_beside_every_byte() {
        for special in (0..0x20).chain([b'"', b'\\']) {
            for neighbour in 0x20..=u8::MAX {
                for at in 0..8 {
                    let mut bytes = [neighbour; 8];
                    bytes[at] = special;
                    let due = if matches!(neighbour, b'"' | b'\\') { 0 } else { at };
                    assert_eq!(first_special(&bytes), due, "{bytes:?}");
                }
            }
        }
        assert_eq!(first_special(&[0x7f; 8]), 8);
    }

    #[test]
    fn leading_digits_are_read_before_whatever_follows() {
        for follows in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit()) {
            for text in ["", "0", "9", "10", "907", "4096", "99999", "100000", "7654321"] {
                for rest in [b'0', b'9', follows, 0xff, 0] {
                    let mut word = [rest; 8];
                    word[..text.len()].copy_from_slice(text.as_bytes());
                    word[text.len()] = follows;
                    let due = (text.parse().unwrap_or(0), text.len());
                    assert_eq!(leading_digits(u64::from_le_bytes(word)), due, "{word:?}");
                }
            }
        }
        for text in ["00000000", "12345678", "99999999", "10000001", "09090909"] {
            let word = text.as_bytes().try_into().unwrap();
            assert_eq!(leading_digits(u64::from_le_bytes(word)), (text.parse().unwrap(), 8));
        }
    }

    #[test]
    fn every_hinted_name_is_its_field() {
        for field in Field::ALL {
            let text = format!("\"{}\":\"xxxxxxxxxxxxxxxx\"", field.name());
            let mut hints = Hints::default();
            hints.remember(0, Some(*field));
            let mut scanner = Scanner { text: &text, bytes: text.as_bytes(), at: 0 };
            assert_eq!(scanner.key(&mut hints, 0), Some(Some(*field)));
            assert_eq!(scanner.at, field.name().len() + 3);
        }
    }
}
