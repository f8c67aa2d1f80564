//! The fast way to read an event: one pass over the form that almost every event has.
//!
//! It reads one flat object with keys and text free of escapes, plain integers, `attributes` that
//! are flat too, and lists of plain text. It decides nothing else: at any doubt, and at anything
//! that might be wrong, it gives up with `None`, and the strict way takes over from the start.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use wide::u8x16;

use super::decode::Hints;
use super::validate::{Draft, Fields};
use crate::event::{Field, Kind, Scalar, TEXT_BYTES_MAX};

/// Attributes beyond this many are left to the strict way, which finds repeated names by sorting.
const ATTRIBUTES_MAX: usize = 32;

/// Digits that fit 64 bits whatever they are.
const SAFE_DIGITS: usize = 18;

/// How many bytes are looked at together.
pub(super) const CHUNK: usize = 16;
type Chunk = [u8; CHUNK];

/// Reads `text` into `draft`, which is left half filled if this gives up.
pub(super) fn scan<'a>(
    text: &'a str,
    hints: &mut Hints,
    arena: &'a Bump,
    draft: &mut Draft<'a>,
) -> Option<()> {
    u32::try_from(text.len()).ok()?;
    let mut scanner = Scanner::of(text);
    scanner.blanks();
    let mut before = b'{';
    if scanner.peek() != before {
        return None;
    }
    loop {
        let name = hints.after(scanner.last);
        let is_next = scanner.is_next(before, name);
        if is_next {
            scanner.skip(name.len.into());
        } else {
            scanner.blanks();
            if scanner.eat(before).is_none() {
                break;
            }
            scanner.blanks();
        }
        if is_next || scanner.is_here(name) {
            scanner.field(name.field, draft, arena)?;
        } else {
            scanner.apart(|scanner| scanner.other_member(hints, draft, arena))?;
        }
        before = b',';
    }
    scanner.eat(b'}')?;
    scanner.blanks();
    draft.present = scanner.seen.but(scanner.nulls);
    (scanner.at() == text.len()).then_some(())
}

/// The name of a field in its quotes with its colon, ready to be compared at once.
#[derive(Debug)]
pub(super) struct Name {
    field: Field,
    /// With the brace or comma before it.
    len: u8,
    chunk: Chunk,
    /// Which bytes of the chunk are compared.
    mask: Chunk,
}

/// By the number of the field.
pub(super) static NAMES: [Name; Field::COUNT] = {
    let mut names = [const { Name::of(Field::EventId) }; Field::COUNT];
    let mut i = 0;
    while i < Field::COUNT {
        names[i] = Name::of(Field::ALL[i]);
        i += 1;
    }
    names
};

impl Name {
    const fn of(field: Field) -> Name {
        let name = field.name().as_bytes();
        let len = name.len() + 3;
        if len > CHUNK {
            // The two names that are too long compare equal to nothing.
            return Name { field, len: 0, chunk: [1; CHUNK], mask: [0; CHUNK] };
        }
        let (mut chunk, mut mask, mut i) = ([0; CHUNK], [0; CHUNK], 0);
        while i < len {
            chunk[i] = match i {
                0 => b'"',
                _ if i == len - 2 => b'"',
                _ if i == len - 1 => b':',
                _ => name[i - 1],
            };
            mask[i] = 0xff;
            i += 1;
        }
        Name { field, len: 1 + len as u8, chunk, mask }
    }

    #[inline(always)]
    fn begins(&self, chunk: &Chunk) -> bool {
        let compared = u8x16::new(*chunk) & u8x16::new(self.mask);
        compared.simd_eq(u8x16::new(self.chunk)).all()
    }
}

/// A place in a text, and what has been met before. It is small, so that it can stay in registers.
#[derive(Clone, Copy)]
struct Scanner<'a> {
    text: &'a str,
    /// 32 bits, so that sums with it in 64 bits are seen not to overflow.
    place: u32,
    /// The field before.
    last: Option<Field>,
    /// The fields so far, also those that are null.
    seen: Fields,
    nulls: Fields,
}

impl<'a> Scanner<'a> {
    fn of(text: &'a str) -> Self {
        let (seen, nulls) = (Fields::default(), Fields::default());
        Scanner { text, place: 0, last: None, seen, nulls }
    }

    #[inline(always)]
    fn at(&self) -> usize {
        self.place as usize
    }

    #[inline(always)]
    fn skip(&mut self, bytes: usize) {
        self.place = (self.at() + bytes) as u32;
    }

    /// The byte here; 0, which is never due, at the end.
    #[inline(always)]
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at()).copied().unwrap_or(0)
    }

    /// The next bytes, if there are so many.
    #[inline(always)]
    fn ahead<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.text.as_bytes().get(self.at()..self.at() + N)?.try_into().ok()
    }

    #[inline(always)]
    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte).then(|| self.skip(1))
    }

    #[inline(always)]
    fn blanks(&mut self) {
        if self.peek() <= b' ' {
            self.skip(count_blanks(self.text.as_bytes(), self.at()));
        }
    }

    /// Does by a copy what is seldom done: what is lent out cannot stay in registers.
    #[inline(always)]
    fn apart<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let mut copy = *self;
        let value = read(&mut copy);
        *self = Scanner { text: self.text, ..copy };
        value
    }

    /// Is a member of this name next, after a brace or comma?
    #[inline(always)]
    fn is_next(&self, before: u8, name: &Name) -> bool {
        let Some([first, chunk @ ..]) = self.ahead::<{ 1 + CHUNK }>() else { return false };
        *first == before && name.begins(chunk)
    }

    /// The same after blanks, with blanks before the value.
    #[inline(always)]
    fn is_here(&mut self, name: &Name) -> bool {
        let is_here = self.ahead().is_some_and(|chunk| name.begins(chunk));
        if is_here {
            self.skip(usize::from(name.len) - 1);
            self.blanks();
        }
        is_here
    }

    /// A member with another name than was expected. With `payload` among the members, this
    /// may be an envelope, and none is ever read as an event here.
    #[inline(never)]
    fn other_member(
        &mut self,
        hints: &mut Hints,
        draft: &mut Draft<'a>,
        arena: &'a Bump,
    ) -> Option<()> {
        let name = self.plain_text()?;
        self.blanks();
        self.eat(b':')?;
        self.blanks();
        match Field::named(name.as_bytes()) {
            Some(field) => {
                hints.remember(self.last, &NAMES[field as usize]);
                self.field(field, draft, arena)
            }
            None if name == "payload" => None,
            None => self.scalar().map(|_| ()),
        }
    }

    /// The value of a field, into the draft. A fraction or an exponent after an integer is no end
    /// of a member: this gives up there.
    #[inline(always)]
    fn field(&mut self, field: Field, draft: &mut Draft<'a>, arena: &'a Bump) -> Option<()> {
        self.last = Some(field);
        if !self.seen.insert(field) {
            return None;
        }
        if self.peek() == b'"' {
            let text = self.text_here()?;
            return draft.set_text(field, text).then_some(());
        }
        if self.peek().is_ascii_digit() {
            let value = self.integer()?;
            return draft.set_int(field, value).then_some(());
        }
        self.apart(|scanner| scanner.other_value(field, draft, arena))
    }

    #[inline(never)]
    fn other_value(&mut self, field: Field, draft: &mut Draft<'a>, arena: &'a Bump) -> Option<()> {
        self.blanks();
        let fits = match self.peek() {
            b'-' | b'0'..=b'9' => {
                let value = self.integer()?;
                draft.set_int(field, value)
            }
            b'"' => {
                let text = self.plain_text()?;
                draft.set_text(field, text)
            }
            b'{' if field.kind() == Kind::Attributes => {
                draft.event.attributes = self.attributes(arena)?;
                true
            }
            b'[' => {
                let ids = self.texts(arena)?;
                draft.set_ids(field, ids)
            }
            b'n' => {
                self.word("null")?;
                self.nulls.insert(field);
                true
            }
            _ => false,
        };
        fits.then_some(())
    }

    #[inline(never)]
    fn plain_text(&mut self) -> Option<&'a str> {
        (self.peek() == b'"').then(|| self.text_here())?
    }

    /// Text without escapes, between its quotes; the first has been seen.
    #[inline(always)]
    fn text_here(&mut self) -> Option<&'a str> {
        let begin = self.at() + 1;
        // Most text is shorter than one chunk, and most other than two.
        let end = if let Some(end) = self.special_within(begin) {
            end
        } else if let Some(end) = self.special_within(begin + CHUNK) {
            end
        } else {
            end_of_long_text(self.text.as_bytes(), begin)?
        };
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return None;
        }
        self.place = (end + 1) as u32;
        self.text.get(begin..end)
    }

    /// Where the first special byte is, if it is in the chunk from there on.
    #[inline(always)]
    fn special_within(&self, from: usize) -> Option<usize> {
        let marks = specials(self.text.as_bytes().get(from..from + CHUNK)?.try_into().ok()?);
        (marks != 0).then(|| from + marks.trailing_zeros() as usize)
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at()..)?;
        rest.starts_with(word.as_bytes()).then(|| self.skip(word.len()))
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
        let start = self.at();
        let value = self.integer()?;
        match self.peek() {
            b'.' | b'e' | b'E' => self.double(start),
            _ => Some(Scalar::Int(value)),
        }
    }

    /// The integer here, or before the fraction: few enough digits, no zero before others.
    #[inline(always)]
    fn integer(&mut self) -> Option<i64> {
        let negative = self.eat(b'-').is_some();
        let first = self.peek();
        let (mut value, mut count) = (0_i64, 0);
        loop {
            let Some(word) = self.ahead() else {
                while let digit @ b'0'..=b'9' = self.peek() {
                    value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
                    self.skip(1);
                    count += 1;
                }
                break;
            };
            let (more, digits) = leading_digits(u64::from_le_bytes(*word));
            value = value.wrapping_mul(POWERS_OF_TEN[digits]).wrapping_add(more);
            self.skip(digits);
            count += digits;
            if digits < 8 {
                break;
            }
        }
        if count == 0 || count > SAFE_DIGITS || (first == b'0' && count > 1) {
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
            self.skip(1);
            if matches!(self.peek(), b'+' | b'-') {
                self.skip(1);
            }
            self.digits()?;
        }
        let value: f64 = self.text.get(start..self.at())?.parse().ok()?;
        value.is_finite().then_some(Scalar::Double(value))
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at();
        while self.peek().is_ascii_digit() {
            self.skip(1);
        }
        (self.at() > start).then_some(())
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

#[cold]
fn count_blanks(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// Where the first special byte is from some place on, however far, and if among the last bytes.
#[inline(never)]
fn end_of_long_text(bytes: &[u8], from: usize) -> Option<usize> {
    let mut rest = bytes.get(from..)?;
    while let Some((chunk, after)) = rest.split_first_chunk() {
        let marks = specials(chunk);
        if marks != 0 {
            return Some(bytes.len() - rest.len() + marks.trailing_zeros() as usize);
        }
        rest = after;
    }
    // The last whole chunk, without those of its bytes that have been looked at.
    let marks = specials(bytes.last_chunk()?) >> (CHUNK - rest.len());
    (marks != 0).then(|| bytes.len() - rest.len() + marks.trailing_zeros() as usize)
}

/// A bit for each special byte, which ends text or makes it other than it reads.
#[inline(always)]
pub(super) fn specials(chunk: &Chunk) -> u32 {
    let chunk = u8x16::new(*chunk);
    let quotes = chunk.simd_eq(u8x16::splat(b'"'));
    let backslashes = chunk.simd_eq(u8x16::splat(b'\\'));
    let controls = chunk.min(u8x16::splat(b' ' - 1)).simd_eq(chunk);
    (quotes | backslashes | controls).to_bitmask()
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
    let pairs = (ones.wrapping_mul(10).wrapping_add(ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let eight = (fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff;
    (eight as i64, digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bytes_are_found_in_every_place_and_beside_every_byte() {
        let is_special = |byte| byte < b' ' || matches!(byte, b'"' | b'\\');
        for byte in 0..=u8::MAX {
            for neighbour in 0..=u8::MAX {
                for at in 0..CHUNK {
                    let mut chunk = [neighbour; CHUNK];
                    chunk[at] = byte;
                    let due: u32 = (0..CHUNK).map(|i| u32::from(is_special(chunk[i])) << i).sum();
                    assert_eq!(specials(&chunk), due, "{chunk:?}");
                }
            }
        }
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
            let text = format!("{{\"{}\":\"xxxxxxxxxxxxxxxx\"", field.name());
            let mut hints = Hints::default();
            hints.remember(None, &NAMES[*field as usize]);
            let (name, scanner) = (hints.after(None), Scanner::of(&text));
            assert_eq!(name.field, *field);
            assert_eq!(scanner.is_next(b'{', name), field.name().len() + 3 <= CHUNK);
            assert!(!scanner.is_next(b',', name));
        }
    }
}
