//! How far deciding is behind, by partition: in records, and in seconds at most.
//!
//! Where the log ends is told with what is fetched. Where nothing is fetched, because too much waits
//! already or because the partition is being restored, the brokers are asked: a lag that grows would
//! not be told otherwise. What is not known is not told.

use std::collections::BTreeMap;

use super::Brokers;

/// So often the brokers are asked.
const ASK_INTERVAL_MS: u64 = 2000;
/// An answer that is older says nothing any more.
const OLD_MS: u64 = 10_000;

/// What the brokers answered about a partition.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// The offset behind the last record.
    pub end: i64,
    /// The offset that is committed, if one is.
    pub committed: Option<i64>,
}

/// What is known of the ends of the log. Times are in ms of the service's clock.
#[derive(Debug, Default)]
pub struct Lags {
    told: BTreeMap<i32, (Told, u64)>,
    /// When there was last nothing left to decide.
    caught_up_ms: BTreeMap<i32, u64>,
    asked_ms: Option<u64>,
    is_asking: bool,
}

impl Lags {
    /// Is it time to ask the brokers? Says so once, until they have answered.
    pub fn asks(&mut self, now_ms: u64) -> bool {
        let due = self.asked_ms.is_none_or(|at| now_ms >= at + ASK_INTERVAL_MS);
        if self.is_asking || !due {
            return false;
        }
        (self.is_asking, self.asked_ms) = (true, Some(now_ms));
        true
    }

    /// This is what they have answered.
    pub fn answered(&mut self, told: BTreeMap<i32, Told>, now_ms: u64) {
        self.is_asking = false;
        self.told.extend(told.into_iter().map(|(number, told)| (number, (told, now_ms))));
    }

    fn told(&self, number: i32, now_ms: u64) -> Option<Told> {
        let (told, at_ms) = self.told.get(&number)?;
        (now_ms <= at_ms + OLD_MS).then_some(*told)
    }

    /// The records of a partition that is decided here, and has been up to `next`, that are not
    /// decided yet. `is_read` says whether records are fetched.
    pub fn records(
        &self,
        (number, next): (i32, i64),
        brokers: &Brokers,
        is_read: bool,
        now_ms: u64,
    ) -> Option<i64> {
        let end = match is_read {
            // Marks of transactions lie between what is decided and the end.
            true if brokers.at_end.contains(&number) => return Some(0),
            true => brokers.ends.get(&number).copied(),
            false => self.told(number, now_ms).map(|told| told.end),
        };
        end.map(|end| (end - next).max(0))
    }

    /// The same of one that is being restored: all that is not committed.
    pub fn records_of_restored(&self, number: i32, now_ms: u64) -> Option<i64> {
        let told = self.told(number, now_ms)?;
        told.committed.map(|committed| (told.end - committed).max(0))
    }

    /// How old the oldest of so many records that are not decided yet can be, in seconds. It came
    /// after the last one that was decided, which is so old (ms), and after there was none.
    pub fn seconds(
        &mut self,
        number: i32,
        records: Option<i64>,
        last_age_ms: Option<i64>,
        now_ms: u64,
    ) -> Option<f64> {
        if records? == 0 {
            self.caught_up_ms.insert(number, now_ms);
            return Some(0.0);
        }
        let since = self.caught_up_ms.get(&number).map(|at| now_ms.saturating_sub(*at) as i64);
        let oldest = [last_age_ms, since].into_iter().flatten().min();
        oldest.map(|age_ms| age_ms as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(end: i64) -> Brokers {
        Brokers { reachable: true, ends: BTreeMap::from([(0, end)]), ..Brokers::default() }
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let mut lags = Lags::default();
        assert_eq!(lags.records((1, 5), &brokers(9), true, 0), None);
        assert_eq!(lags.records((0, 5), &brokers(9), true, 0), Some(4));
        // What was fetched before says nothing of what has come since.
        assert_eq!(lags.records((0, 5), &brokers(9), false, 0), None);
        assert!(lags.asks(0) && !lags.asks(60_000));
        lags.answered(BTreeMap::from([(0, Told { end: 30, committed: Some(10) })]), 100);
        assert_eq!(lags.records((0, 5), &brokers(9), false, 200), Some(25));
        assert_eq!(lags.records_of_restored(0, 200), Some(20));
        assert_eq!(lags.records_of_restored(0, 200 + OLD_MS), None);
        assert!(lags.asks(60_000));
    }

    #[test]
    fn one_record_after_an_idle_hour_is_not_an_hour_late() {
        const HOUR_MS: u64 = 3_600_000;
        let mut lags = Lags::default();
        assert_eq!(lags.seconds(0, None, Some(5000), 0), None);
        assert_eq!(lags.seconds(0, Some(1), None, 0), None);
        assert_eq!(lags.seconds(0, Some(1), Some(5000), 0), Some(5.0));
        assert_eq!(lags.seconds(0, Some(0), Some(5000), HOUR_MS), Some(0.0));
        let last_ms = Some(HOUR_MS as i64 + 5000);
        assert_eq!(lags.seconds(0, Some(1), last_ms, HOUR_MS + 250), Some(0.25));
        assert_eq!(lags.seconds(0, Some(9), Some(100), HOUR_MS + 7000), Some(0.1));
    }
}
