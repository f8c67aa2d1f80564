//! The rhythm of a week in Japan: quiet nights, a lunch peak and an evening peak on weekdays, a
//! long afternoon at the weekend. Time runs in "weighted" milliseconds that average to real ones.
//!
//! Japan has no summer time, so local time is a constant offset; nothing here knows time zones.

/// Asia/Tokyo is this far east of UTC.
pub(super) const OFFSET_MS: i64 = 9 * HOUR_MS;
pub(super) const SECOND_MS: i64 = 1000;
pub(super) const MINUTE_MS: i64 = 60 * SECOND_MS;
pub(super) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;
const WEEK_HOURS: usize = 7 * 24;

/// Purchases an hour, by local hour.
const WEEKDAY: [f64; 24] = [
    0.30, 0.18, 0.11, 0.08, 0.08, 0.15, 0.40, 0.85, 1.05, 0.95, 1.00, 1.30, 1.90, 1.35, 1.05, 1.10,
    1.25, 1.60, 2.00, 2.05, 1.80, 1.50, 1.05, 0.60,
];
const WEEKEND: [f64; 24] = [
    0.45, 0.28, 0.16, 0.10, 0.08, 0.12, 0.25, 0.50, 0.90, 1.30, 1.70, 1.95, 2.00, 1.95, 1.95, 2.00,
    1.95, 1.90, 1.85, 1.65, 1.40, 1.15, 0.85, 0.60,
];

/// The weights of a week's hours, Monday first, scaled to the mean 1.
pub(super) struct Rhythm {
    hours: [f64; WEEK_HOURS],
}

impl Rhythm {
    pub(super) fn new() -> Rhythm {
        let mut hours = [0.0; WEEK_HOURS];
        for (at, weight) in hours.iter_mut().enumerate() {
            *weight = if at / 24 < 5 { WEEKDAY[at % 24] } else { WEEKEND[at % 24] };
        }
        let mean = hours.iter().sum::<f64>() / WEEK_HOURS as f64;
        hours.iter_mut().for_each(|weight| *weight /= mean);
        Rhythm { hours }
    }

    /// The weight of this moment; 1 on the average of a week.
    fn at(&self, time_ms: i64) -> f64 {
        let hour = (time_ms + OFFSET_MS).div_euclid(HOUR_MS);
        // The epoch was a Thursday.
        self.hours[(hour + 3 * 24).rem_euclid(WEEK_HOURS as i64) as usize]
    }

    /// Weighted milliseconds from one moment to a later one; 0 if it is not later.
    pub(super) fn between(&self, from_ms: i64, to_ms: i64) -> f64 {
        let (mut at, mut sum) = (from_ms, 0.0);
        while at < to_ms {
            let end = hour_end(at).min(to_ms);
            sum += self.at(at) * (end - at) as f64;
            at = end;
        }
        sum
    }

    /// The moment that is this many weighted milliseconds later, in whole milliseconds.
    pub(super) fn after(&self, from_ms: i64, weighted: f64) -> i64 {
        let (mut at, mut left) = (from_ms, weighted);
        loop {
            let (end, weight) = (hour_end(at), self.at(at));
            let hour = weight * (end - at) as f64;
            if left < hour {
                return at + (left / weight) as i64;
            }
            left -= hour;
            at = end;
        }
    }
}

fn hour_end(time_ms: i64) -> i64 {
    (time_ms.div_euclid(HOUR_MS) + 1) * HOUR_MS
}

/// Local days since the epoch's.
pub(super) fn local_day(time_ms: i64) -> i64 {
    (time_ms + OFFSET_MS).div_euclid(DAY_MS)
}

/// When a local day begins.
pub(super) fn local_midnight(day: i64) -> i64 {
    day * DAY_MS - OFFSET_MS
}

/// Months since year 0 of a local day, by the proleptic Gregorian calendar (after Howard Hinnant's
/// `civil_from_days`, whose years begin in March).
pub(super) fn local_month(day: i64) -> i64 {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    (year + era * 400) * 12 + (5 * of_year + 2) / 153
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_and_between_are_inverse() {
        let rhythm = Rhythm::new();
        let start = local_midnight(20_000) + 1_234_567;
        for hours in [0.1, 1.0, 9.5, 30.0, 200.0] {
            let weighted = hours * HOUR_MS as f64;
            let end = rhythm.after(start, weighted);
            assert!((rhythm.between(start, end) - weighted).abs() < 3.0, "{hours}");
        }
        let week = rhythm.between(start, start + 7 * DAY_MS);
        assert!((week / (7 * DAY_MS) as f64 - 1.0).abs() < 1e-9, "{week}");
    }

    #[test]
    fn months_begin_on_their_first_day() {
        let new_year_2026 = 20_454;
        assert_eq!(local_month(new_year_2026), local_month(new_year_2026 + 30));
        assert_eq!(local_month(new_year_2026 - 1) + 1, local_month(new_year_2026));
        assert_eq!(local_month(new_year_2026 + 30) + 1, local_month(new_year_2026 + 31));
        assert_eq!(local_month(new_year_2026 + 31 + 27) + 1, local_month(new_year_2026 + 31 + 28));
    }
}
