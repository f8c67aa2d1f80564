//! The stretch of time that a story is told of.

use std::collections::HashSet;

use jiff::{Timestamp, ToSpan, civil, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{Entry, Payment, text};
use crate::event::Field;

/// From when to when, in epoch ms, both inclusive; open where nothing is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first time that belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// The last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
}

/// From so many digits on a number is epoch ms, since 1973: what is shorter may be meant as a date,
/// or as seconds.
const EPOCH_MS_DIGITS: usize = 11;

impl Period {
    /// Is it all time?
    pub fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// Does this time belong to it?
    pub fn contains(&self, time_ms: i64) -> bool {
        self.from.is_none_or(|from| from <= time_ms) && self.to.is_none_or(|to| time_ms <= to)
    }

    /// Reads a time in epoch ms: RFC 3339, or a local date and time, or a local date, which is its
    /// beginning, or its end if it is the end of a period; or epoch ms, as events have it. `None` if
    /// it is none of them.
    pub fn read(text: &str, zone: &TimeZone, is_end: bool) -> Option<i64> {
        if text.len() >= EPOCH_MS_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().filter(|time| Timestamp::from_millisecond(*time).is_ok());
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            return Some(time.as_millisecond());
        }
        let is_date = text.len() == "2026-01-05".len();
        if is_date && let Ok(date) = text.parse::<civil::Date>() {
            let day = if is_end { date.checked_add(1.day()).ok()? } else { date };
            let time = day.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond();
            return Some(time - i64::from(is_end));
        }
        // With an offset it would have been a time of its own: no time is read without it.
        let local = text.parse::<civil::DateTime>().ok()?;
        let offset = text.get("2026-01-05T".len()..).unwrap_or("");
        if is_date || offset.contains(['+', '-', 'Z', 'z', '[']) {
            return None;
        }
        Some(local.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
    }
}

/// The entries of a log whose time belongs to the period, and those that say what became of its
/// payments, whenever that was.
pub(super) fn within(log: Vec<Entry>, payments: &[Payment], period: Period) -> Vec<Entry> {
    if period.is_open() {
        return log;
    }
    let ours: HashSet<&str> = payments.iter().map(|payment| &*payment.event_id).collect();
    let by: HashSet<&str> = payments.iter().filter_map(|p| p.reversed_by.as_deref()).collect();
    let mut within = Vec::new();
    // A line without a time belongs to where it stands.
    let mut last = None;
    for entry in log {
        last = entry.time.or(last);
        let follows = |follow_up| text(follow_up, "event_id").is_some_and(|id| ours.contains(id));
        if last.is_some_and(|time| period.contains(time))
            || entry.follow_ups.iter().any(follows)
            || entry.kind == "reversal"
                && entry.text(Field::EventId).is_some_and(|id| by.contains(id))
        {
            within.push(entry);
        }
    }
    within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_local_or_says_its_offset() {
        let tokyo = TimeZone::get("Asia/Tokyo").unwrap();
        let read = |text: &str, is_end| Period::read(text, &tokyo, is_end);
        let midnight = 1_767_538_800_000;
        for (text, due) in [
            ("2026-01-05", midnight),
            ("2026-01-05T00:00", midnight),
            ("2026-01-05 00:00:00", midnight),
            ("2026-01-05T00:00:00.250", midnight + 250),
            ("2026-01-05T00:00:00+09:00", midnight),
            ("2026-01-04T15:00:00Z", midnight),
            ("2026-01-04T10:00:00-05:00", midnight),
            ("1767538800000", midnight),
        ] {
            assert_eq!(read(text, false), Some(due), "{text}");
            let date_end = if text.len() == 10 { 86_400_000 - 1 } else { 0 };
            assert_eq!(read(text, true), Some(due + date_end), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "10:00",
            "2026-01-05T25:00",
            "1767538800",
            "99999999999999999",
        ] {
            assert_eq!(read(text, false), None, "{text}");
        }
    }
}
