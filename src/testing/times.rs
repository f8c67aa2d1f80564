//! Times as people write them: an instant, a local date and time, a time of the day, or how much
//! later than what came before.

use jiff::{
    Span, SpanRelativeTo, Timestamp, ToSpan,
    civil::{DateTime, Time},
    tz::TimeZone,
};

/// A Monday morning: where a case begins that does not say.
pub const START: &str = "2026-01-05T09:00";
/// The forms of a time, for messages.
pub const FORMS: &str = "\"+4m\" (after what came before), \"09:30\" (the next), \"2026-01-05T09:30\" (local), or with \
     an offset from UTC: \"2026-01-05T09:30+09:00\"";

/// The time in epoch ms. What is relative is so to `before_ms`: `+4m` and `-30s` are that much
/// later or earlier, `09:30` is the next half past nine.
pub fn parse(text: &str, before_ms: i64, zone: &TimeZone) -> Option<i64> {
    if text.starts_with('+') {
        return before_ms.checked_add(length(text)?);
    }
    if let Some(span) = text.strip_prefix('-') {
        return before_ms.checked_sub(length(span)?);
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return Some(local.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond());
    }
    let time: Time = text.parse().ok()?;
    let before = Timestamp::from_millisecond(before_ms).ok()?.to_zoned(zone.clone());
    let today = before.date().to_datetime(time).to_zoned(zone.clone()).ok()?;
    let next = if today < before {
        before.date().checked_add(1.day()).ok()?.to_datetime(time).to_zoned(zone.clone()).ok()?
    } else {
        today
    };
    Some(next.timestamp().as_millisecond())
}

/// A length of time in ms: `4m`, `+4m`, `1h 30m`, `3d`. A day is 24 hours.
pub fn length(text: &str) -> Option<i64> {
    let span: Span = text.strip_prefix('+').unwrap_or(text).trim().parse().ok()?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    i64::try_from(length.as_millis()).ok().filter(|ms| *ms >= 0)
}

/// A time as it is shown: local, to the second, or to the ms where it has some.
pub fn print(time_ms: i64, zone: &TimeZone) -> String {
    let Ok(instant) = Timestamp::from_millisecond(time_ms) else { return time_ms.to_string() };
    zone.to_datetime(instant).to_string().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZoneDatabase;

    use super::{parse, print};

    #[test]
    fn a_time_is_an_instant_a_local_time_or_relative() {
        let zone = TimeZoneDatabase::bundled().get("Asia/Tokyo").expect("a zone");
        let at = |text| parse(text, 1_767_571_200_000, &zone).map(|ms| print(ms, &zone));
        for (text, due) in [
            ("+0s", "2026-01-05 09:00:00"),
            ("+4m", "2026-01-05 09:04:00"),
            ("+1h 30m", "2026-01-05 10:30:00"),
            ("-500ms", "2026-01-05 08:59:59.5"),
            ("+1d", "2026-01-06 09:00:00"),
            ("09:30", "2026-01-05 09:30:00"),
            ("09:00", "2026-01-05 09:00:00"),
            ("08:59:59", "2026-01-06 08:59:59"),
            ("2026-02-01", "2026-02-01 00:00:00"),
            ("2026-02-01T08:30", "2026-02-01 08:30:00"),
            ("2026-02-01 08:30:01", "2026-02-01 08:30:01"),
            ("2026-02-01T08:30Z", "2026-02-01 17:30:00"),
            ("2026-02-01T08:30:00+01:00", "2026-02-01 16:30:00"),
        ] {
            assert_eq!(at(text).as_deref(), Some(due), "{text}");
        }
        for text in ["", "+", "+4", "4m", "nine", "25:00", "+1mo"] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
