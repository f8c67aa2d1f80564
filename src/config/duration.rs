//! Lengths of time as they are written: a number and a unit.

const UNITS: [(&str, i64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// A hundred years: longer is a mistake.
const MAX_MS: i64 = 36_525 * 86_400_000;

/// The length in ms.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse_ms(text: &str) -> Result<i64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err("it does not begin with a number".into());
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(match unit {
            "" => "its unit is missing".into(),
            _ if unit.starts_with('.') => "its number is no whole one".into(),
            _ => format!("unknown unit `{unit}`"),
        });
    };
    let length = number.parse::<i64>().ok().and_then(|number| number.checked_mul(*factor));
    length.filter(|ms| *ms <= MAX_MS).ok_or_else(|| "it is longer than a hundred years".into())
}

/// The length as it is written, in the largest unit that fits.
pub fn print(ms: i64) -> String {
    let fits = |(_, factor): &&(&str, i64)| ms % factor == 0 && ms >= *factor;
    let (unit, factor) = UNITS.iter().rev().find(fits).unwrap_or(&UNITS[0]);
    format!("{}{unit}", ms / factor)
}

#[cfg(test)]
mod tests {
    use super::{parse_ms, print};

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, ms) in [("0s", 0), ("500ms", 500), ("5m", 300_000), ("30d", 2_592_000_000)] {
            assert_eq!(parse_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "h", "1", "1w", "1.5h", "-1s", " 1s", "1 hour", "99999999999999999999d"] {
            assert!(parse_ms(text).is_err(), "{text}");
        }
        assert_eq!(print(86_400_000), "1d");
        assert_eq!(print(90_000), "90s");
        assert_eq!(print(0), "0ms");
    }
}
