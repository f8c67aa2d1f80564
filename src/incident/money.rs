//! Money as people write it: minor units by the exponent of their currency (ISO 4217).

use iso_currency::Currency;

/// An amount with the digits of its currency and a comma at the thousands, without its name.
/// Minor units as they are where the currency is not known.
pub fn amount(minor: i64, currency: &str) -> String {
    let Some(exponent) = exponent(currency) else {
        return grouped(minor.unsigned_abs(), minor < 0);
    };
    let scale = 10_u64.pow(exponent);
    let (whole, part) = (minor.unsigned_abs() / scale, minor.unsigned_abs() % scale);
    let whole = grouped(whole, minor < 0);
    match exponent {
        0 => whole,
        digits => format!("{whole}.{part:0width$}", width = digits as usize),
    }
}

/// An amount and the name of its currency: `12,000 JPY`, `120.00 EUR`.
pub fn money(minor: i64, currency: &str) -> String {
    let unit = if exponent(currency).is_some() { "" } else { "minor units of " };
    format!("{} {unit}{currency}", amount(minor, currency))
}

fn exponent(currency: &str) -> Option<u32> {
    Currency::from_code(currency)?.exponent().map(u32::from).filter(|exponent| *exponent < 10)
}

fn grouped(number: u64, negative: bool) -> String {
    let digits = number.to_string();
    let mut out = String::from(if negative { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_has_its_own_number_of_digits() {
        for (minor, currency, due) in [
            (0, "JPY", "0 JPY"),
            (60_000, "JPY", "60,000 JPY"),
            (5, "EUR", "0.05 EUR"),
            (123_456_789, "EUR", "1,234,567.89 EUR"),
            (1_234, "KWD", "1.234 KWD"),
            (12_345, "CLF", "1.2345 CLF"),
            (-1_050, "USD", "-10.50 USD"),
            (i64::MIN, "JPY", "-9,223,372,036,854,775,808 JPY"),
            // No currency, or one without minor units.
            (1_000, "QQQ", "1,000 minor units of QQQ"),
            (1_000, "XAU", "1,000 minor units of XAU"),
        ] {
            assert_eq!(money(minor, currency), due);
        }
    }
}
