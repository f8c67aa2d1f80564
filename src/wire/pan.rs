//! Numbers that look like a primary account number (ISO/IEC 7812).
//!
//! A token of a card must never be its number. What is tested is look alone: digits, length, the
//! prefix of a network and Luhn's check digit. Whether the number was ever issued is not known
//! here, and digits with blanks or dashes between them are not looked at.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::decision::{Reason, Rejection};
use crate::event::{Event, Field};

const DIGITS: RangeInclusive<usize> = 13..=19;

/// How many digits stay readable.
const UNMASKED: usize = 4;

/// Do the digits begin and measure like a card number of a network, and pass Luhn?
pub fn pan_like(digits: &str) -> bool {
    looks_like(digits.as_bytes())
}

#[inline]
fn looks_like(digits: &[u8]) -> bool {
    DIGITS.contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && of_network(digits)
        && passes_luhn(digits)
}

fn of_network(digits: &[u8]) -> bool {
    let prefix =
        |n: usize| digits.iter().take(n).fold(0, |p, digit| p * 10 + u32::from(digit - b'0'));
    let (one, two, three, four) = (prefix(1), prefix(2), prefix(3), prefix(4));
    let visa = one == 4;
    let mastercard = matches!(two, 51..=55) || matches!(four, 2221..=2720);
    let american_express = matches!(two, 34 | 37);
    let discover = four == 6011 || matches!(three, 644..=649) || two == 65;
    let diners = matches!(three, 300..=305) || four == 3095 || matches!(two, 36 | 38 | 39);
    let jcb = matches!(four, 3528..=3589);
    let union_pay = matches!(two, 62 | 81);
    let maestro = matches!(two, 50 | 56..=58) || matches!(four, 6304 | 6759);
    let mir = matches!(four, 2200..=2204);
    match digits.len() {
        13 => visa || maestro,
        14 => diners || maestro,
        15 => american_express || diners || maestro,
        16 => visa || mastercard || discover || diners || jcb || union_pay || maestro || mir,
        17 | 18 => discover || diners || jcb || union_pay || maestro || mir,
        19 => visa || discover || diners || jcb || union_pay || maestro || mir,
        _ => false,
    }
}

/// The check digit of H. P. Luhn, US patent 2950048: from the right, every second digit counts
/// double, and the digits of all that add up to a multiple of ten.
fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .map(|digit| u32::from(digit - b'0'))
        .enumerate()
        .map(|(i, digit)| if i % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10)
}

/// The first field, in the order of [`Field::ALL`], of those checked that is PAN-like.
pub fn pan_field(event: &Event<'_>, checked: &[Field]) -> Option<Field> {
    checked.iter().copied().filter(|field| event.text(*field).is_some_and(pan_like)).min()
}

/// The refusal of an event for such a field.
pub fn rejection(field: Field) -> Rejection {
    let name = field.name();
    let detail = format!("{name} looks like a card number; a token is due, never the number");
    Rejection::new(Reason::PanLike, Some(field), detail)
}

/// Replaces, in place, all but the last digits of every maximal run of digits that is PAN-like.
pub fn mask<'a>(bytes: &'a [u8]) -> Cow<'a, [u8]> {
    let mut masked = Cow::Borrowed(bytes);
    let mut at = 0;
    for run in bytes.split(|byte| !byte.is_ascii_digit()) {
        if looks_like(run) {
            masked.to_mut()[at..at + run.len() - UNMASKED].fill(b'*');
        }
        at += run.len() + 1;
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventType;

    /// The prefix, filled up with zeros to a length, with the right check digit.
    fn number(prefix: &str, digits: usize) -> String {
        let stem = format!("{prefix:0<width$}", width = digits - 1);
        (0..10).map(|check| format!("{stem}{check}")).find(|n| passes_luhn(n.as_bytes())).unwrap()
    }

    #[test]
    fn every_network_begins_and_measures_as_it_does() {
        let networks: &[(&[&str], &[usize])] = &[
            (&["4"], &[13, 16, 19]),
            (&["51", "53", "55", "2221", "2499", "2720"], &[16]),
            (&["34", "37"], &[15]),
            (&["6011", "644", "649", "65"], &[16, 17, 18, 19]),
            (&["300", "305", "3095", "36", "38", "39"], &[14, 15, 16, 17, 18, 19]),
            (&["3528", "3589"], &[16, 17, 18, 19]),
            (&["62", "81"], &[16, 17, 18, 19]),
            (&["50", "56", "57", "58", "6304", "6759"], &[13, 14, 15, 16, 17, 18, 19]),
            (&["2200", "2204"], &[16, 17, 18, 19]),
        ];
        for (prefixes, lengths) in networks {
            for prefix in *prefixes {
                for digits in 12..=20 {
                    let (number, due) = (number(prefix, digits), lengths.contains(&digits));
                    assert_eq!(pan_like(&number), due, "{prefix} with {digits} digits");
                }
            }
        }
        for prefix in
            ["1", "2199", "2205", "2220", "2721", "306", "3096", "3527", "3590", "6010", "643"]
        {
            assert!((13..=19).all(|digits| !pan_like(&number(prefix, digits))), "{prefix}");
        }
    }

    #[test]
    fn test_numbers_of_the_networks() {
        for number in ["4111111111111111", "378282246310005", "5555555555554444", "30569309025904"]
        {
            assert!(pan_like(number), "{number}");
        }
        for number in ["4111111111111112", "", "411111111111111a", "４111111111111111"] {
            assert!(!pan_like(number), "{number}");
        }
    }

    #[test]
    fn only_whole_runs_are_masked() {
        let shown = |text: &str| String::from_utf8(mask(text.as_bytes()).into_owned()).unwrap();
        assert_eq!(shown("4111111111111111"), "************1111");
        assert_eq!(shown("a4111111111111111 378282246310005"), "a************1111 ***********0005");
        assert_eq!(shown("04111111111111111"), "04111111111111111");
        assert_eq!(shown(""), "");
        assert!(matches!(mask(b"\xff5 12"), Cow::Borrowed(_)));
        assert_eq!(*mask(b"\xff4111111111111111\xff"), *b"\xff************1111\xff");
    }

    #[test]
    fn the_first_field_of_the_table_is_named() {
        let mut event = Event::new(EventType::Login, 0);
        event.set_text(Field::AccountId, "5555555555554444");
        event.set_text(Field::CardId, "4111111111111111");
        let checked = [Field::CardId, Field::AccountId, Field::EventId];
        assert_eq!(pan_field(&event, &checked), Some(Field::AccountId));
        assert_eq!(pan_field(&event, &checked[..1]), Some(Field::CardId));
        assert_eq!(pan_field(&event, &[Field::EventTime]), None);
    }
}
