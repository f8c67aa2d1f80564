//! Text and numbers at the end of a buffer.
//!
//! A copy of a length that is known when the program is built is a few instructions; any other is a
//! call. So what is short is copied whole, in a fixed size, and the rest of it cut off.

use super::scan::specials;

/// Text as it is.
#[inline]
pub fn raw(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
}

/// A byte that stands before an integer, and the integer in decimal digits.
///
/// Both are one copy for most: integers follow a comma or a colon. Always inline, because a call
/// costs as much again.
#[inline(always)]
pub fn integer(before: u8, value: i64, out: &mut Vec<u8>) {
    match value {
        0..=9 => out.extend_from_slice(&[before, b'0' + value as u8]),
        10..SEVEN_DIGITS => {
            let digits = eight_digits(value as u32);
            let zeros = digits.trailing_zeros() / 8;
            let bytes = ((ascii(digits) >> (8 * zeros)) << 8) | u64::from(before);
            let end = out.len() + (9 - zeros as usize);
            out.extend_from_slice(&bytes.to_le_bytes());
            out.truncate(end);
        }
        _ => long_integer(before, value, out),
    }
}

/// Times have thirteen digits; all else that is long or negative is rare.
#[inline(never)]
fn long_integer(before: u8, value: i64, out: &mut Vec<u8>) {
    if (EIGHT_DIGITS..SEVEN_DIGITS * EIGHT_DIGITS).contains(&value) {
        integer(before, value / EIGHT_DIGITS, out);
        let digits = eight_digits((value % EIGHT_DIGITS) as u32);
        out.extend_from_slice(&ascii(digits).to_le_bytes());
    } else {
        out.push(before);
        raw(itoa::Buffer::new().format(value), out);
    }
}

/// A byte that stands before a double, and the shortest decimal that reads back as the same.
#[inline(never)]
pub fn double(before: u8, value: f64, out: &mut Vec<u8>) {
    out.push(before);
    raw(ryu::Buffer::new().format(value), out);
}

const SEVEN_DIGITS: i64 = 10_000_000;
const EIGHT_DIGITS: i64 = 100_000_000;

/// The eight digits of a number below 10^8, one a byte, the first in the lowest.
///
/// All digits at once, without a branch on how many there are: one word is taken as two numbers of
/// four digits, then as four of two, then as eight of one. Multiplying and shifting divides exactly,
/// because the numbers are that small; the masks drop what a lane's shift lets into the next.
///
/// Nothing can overflow; `wrapping` says so to a build that would check each step.
#[inline]
fn eight_digits(value: u32) -> u64 {
    let value = u64::from(value);
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = (fours.wrapping_mul(10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours.wrapping_sub(hundreds.wrapping_mul(100)) << 16);
    let tens = (twos.wrapping_mul(103) >> 10) & 0x000f_000f_000f_000f;
    tens | (twos.wrapping_sub(tens.wrapping_mul(10)) << 8)
}

fn ascii(digits: u64) -> u64 {
    digits | each(b'0')
}

/// What stands before a JSON string, its opening quote the last of it, and the string. Always
/// inline, because then the length of the former is known.
#[inline(always)]
pub fn text(before: &str, value: &str, out: &mut Vec<u8>) {
    raw(before, out);
    rest_of_text(value, out);
}

/// A JSON string but for its opening quote.
fn rest_of_text(value: &str, out: &mut Vec<u8>) {
    let bytes = value.as_bytes();
    let special = |eight| below(b' ', eight) | equal(b'"', eight) | equal(b'\\', eight);
    let is_special = match bytes.last_chunk() {
        // The last ones may overlap those before them.
        Some(last) => bytes.as_chunks().0.iter().chain([last]).any(|chunk| specials(chunk) != 0),
        None => has(bytes, special),
    };
    if is_special {
        escaped(value, out);
    } else {
        raw(value, out);
        out.push(b'"');
    }
}

#[cold]
fn escaped(value: &str, out: &mut Vec<u8>) {
    let quoted = serde_json::Value::from(value).to_string();
    raw(&quoted[1..], out);
}

/// Are there special bytes among these? They are asked by eights, with [`equal`] and `below`, and
/// blanks may be asked too. The last eight may overlap those before them.
#[inline]
pub fn has(bytes: &[u8], special: impl Fn(u64) -> u64) -> bool {
    let special = |eight: &[u8; 8]| special(u64::from_le_bytes(*eight)) & each(0x80) != 0;
    match bytes.last_chunk() {
        Some(last) => bytes.as_chunks().0.iter().any(special) || special(last),
        None => {
            let mut eight = [b' '; 8];
            eight.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            special(&eight)
        }
    }
}

/// Sets the top bit of a byte if any byte is this one.
#[inline]
pub fn equal(byte: u8, eight: u64) -> u64 {
    below(1, eight ^ each(byte))
}

/// Sets the top bit of a byte if any byte is below this one, which is ASCII. The lowest that is
/// below borrows from no other, so its own bit is right; bits above it may be wrong.
#[inline]
fn below(byte: u8, eight: u64) -> u64 {
    eight.wrapping_sub(each(byte)) & !eight
}

#[inline]
fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Bytes in hexadecimal digits.
#[inline]
pub fn hex<const BYTES: usize>(bytes: &[u8; BYTES], out: &mut Vec<u8>) {
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    out.extend_from_slice(bytes.map(|byte| [digit(byte >> 4), digit(byte & 15)]).as_flattened());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn put(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"<".to_vec();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_of_every_length_are_written_as_the_standard_library_does() {
        let powers = (0..19).map(|power| 10_i64.pow(power));
        let values =
            powers.flat_map(|power| [power - 1, power, power + 1, 7 * (power / 8), -power]);
        for value in values.chain([i64::MIN, i64::MAX]).chain(0..100_000) {
            assert_eq!(put(|out| integer(b':', value, out)), format!("<:{value}"));
        }
    }

    proptest! {
        #[test]
        fn integers_are_written_as_the_standard_library_does(value: i64, shift in 0..64) {
            let value = value >> shift;
            prop_assert_eq!(put(|out| integer(b',', value, out)), format!("<,{value}"));
        }

        #[test]
        fn texts_are_written_as_serde_json_does(value in "([a-z☂\u{7f}-\u{ff}]{0,20}[\0-~]?){0,3}") {
            let due = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(put(|out| text(":\"", &value, out)), format!("<:{due}"));
        }

        #[test]
        fn special_bytes_are_found_anywhere(mut bytes: Vec<u8>, at: usize, special: bool) {
            bytes.iter_mut().filter(|byte| **byte == b',').for_each(|byte| *byte += 1);
            if let (Some(at), true) = (at.checked_rem(bytes.len()), special) {
                bytes[at] = b',';
            }
            let due = bytes.contains(&b',');
            prop_assert_eq!(has(&bytes, |eight| equal(b',', eight)), due);
        }

        #[test]
        fn bytes_are_written_in_two_digits(bytes: [u8; 16]) {
            let due: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(put(|out| hex(&bytes, out)), format!("<{due}"));
        }
    }
}
