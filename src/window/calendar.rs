//! Local days and months as instants. Knows one time zone; knows no clock.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::spec::Window;

/// The first instants of the local days and months around recent events.
///
/// The two look-ups of an event are answered from the last answer while events stay within one
/// local day, which is the usual case.
#[derive(Debug)]
pub struct Calendar {
    zone: TimeZone,
    day: Option<Stretch>,
    month: Option<Stretch>,
}

/// For every time in `from_ms..until_ms` the answer is `start_ms`.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    from_ms: i64,
    until_ms: i64,
    start_ms: i64,
}

/// The open beginning and the closed end of a window, in epoch ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Not in the window any more.
    pub after_ms: i64,
    /// The last time in the window.
    pub until_ms: i64,
}

impl Calendar {
    /// The calendar of this time zone.
    pub fn new(zone: TimeZone) -> Self {
        Calendar { zone, day: None, month: None }
    }

    /// The bounds of a window at an event of this time, in epoch ms.
    #[inline]
    pub fn bounds(&mut self, window: Window, time_ms: i64) -> Bounds {
        match window {
            Window::Sliding { span_ms, delay_ms } => {
                let until_ms = time_ms.saturating_sub(delay_ms);
                Bounds { after_ms: until_ms.saturating_sub(span_ms), until_ms }
            }
            Window::Day => Bounds { after_ms: self.day_start_ms(time_ms) - 1, until_ms: time_ms },
            Window::Month => {
                Bounds { after_ms: self.month_start_ms(time_ms) - 1, until_ms: time_ms }
            }
        }
    }

    /// The first instant of the local date of `time_ms`: the midnight, the first of two, or, where
    /// there is none, the first instant after the gap. In epoch ms.
    pub fn day_start_ms(&mut self, time_ms: i64) -> i64 {
        let zone = &self.zone;
        cached(&mut self.day, time_ms, || first_instant_ms(zone, local_date(zone, time_ms)), zone)
    }

    /// The first instant of the local month of `time_ms`, in epoch ms.
    pub fn month_start_ms(&mut self, time_ms: i64) -> i64 {
        let zone = &self.zone;
        let first = || first_instant_ms(zone, local_date(zone, time_ms).first_of_month());
        cached(&mut self.month, time_ms, first, zone)
    }
}

fn cached(
    slot: &mut Option<Stretch>,
    time_ms: i64,
    start: impl FnOnce() -> i64,
    zone: &TimeZone,
) -> i64 {
    if let Some(known) = slot
        && (known.from_ms..known.until_ms).contains(&time_ms)
    {
        return known.start_ms;
    }
    let start_ms = start();
    // Valid for the hour around it that lies between two changes of the offset: local time runs
    // evenly there, so that the date changes at one instant at most, which is looked for.
    let date = local_date(zone, time_ms);
    let hour_ms = 3_600_000;
    let from_ms = time_ms - time_ms.rem_euclid(hour_ms / 4);
    let until_ms = from_ms + hour_ms / 4;
    let even = local_date(zone, from_ms) == date && local_date(zone, until_ms - 1) == date;
    *slot = even.then_some(Stretch { from_ms, until_ms, start_ms });
    start_ms
}

fn timestamp(time_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(time_ms).unwrap_or(if time_ms < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

fn local_date(zone: &TimeZone, time_ms: i64) -> Date {
    zone.to_datetime(timestamp(time_ms)).date()
}

fn first_instant_ms(zone: &TimeZone, date: Date) -> i64 {
    // An offset change moves local time by less than a day: a day and a half before the midnight
    // by the offset in force is before the date, the midnight itself or the end of its gap is in it.
    let midnight = date.to_datetime(jiff::civil::Time::midnight());
    match zone.to_ambiguous_timestamp(midnight).earlier() {
        Ok(instant) if zone.to_datetime(instant).date() == date => instant.as_millisecond(),
        // The midnight is in a gap: the first instant after it.
        _ => zone
            .to_ambiguous_timestamp(midnight)
            .later()
            .ok()
            .and_then(|after| zone.preceding(after + 1.second()).next())
            .map_or_else(
                || timestamp(i64::MAX).as_millisecond(),
                |t| t.timestamp().as_millisecond(),
            ),
    }
}
