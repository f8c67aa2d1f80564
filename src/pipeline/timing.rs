//! How long the scoring loop takes over a record, by stage. The loop has no clock: whoever drives it
//! brings one ([`Watch`]), and one batch of records in [`SAMPLED`] is timed record by record. Looking
//! at a clock between the stages of each would cost a tenth of what they do.

use super::histogram::Histogram;

/// One batch of records in so many is timed.
pub const SAMPLED: u32 = 32;

/// From a quarter of a microsecond to ten milliseconds, in seconds.
pub const BUCKETS: &[f64] = &[
    2.5e-7, 5e-7, 7.5e-7, 1e-6, 1.5e-6, 2e-6, 3e-6, 5e-6, 7.5e-6, 1e-5, 1.5e-5, 2e-5, 5e-5, 1e-4,
    2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2,
];

/// From ten microseconds to a second, in seconds.
pub const BATCH_BUCKETS: &[f64] =
    &[1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// A part of what is done with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// From bytes to an admitted event.
    Decode,
    /// Told from repeats, counted, and its counters read; with deadlines that it brings about.
    Count,
    /// Judged by the rules, and filed.
    Decide,
    /// From outputs to bytes.
    Encode,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Stage; 4] = [Stage::Decode, Stage::Count, Stage::Decide, Stage::Encode];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Decode => "decode",
            Stage::Count => "count",
            Stage::Decide => "decide",
            Stage::Encode => "encode",
        }
    }
}

/// A clock of the shell's.
pub trait Watch: std::fmt::Debug + Send {
    /// Nanoseconds since some moment; never fewer than before.
    fn now_ns(&self) -> u64;
}

/// A clock that stands still.
#[derive(Debug)]
pub struct NoWatch;

impl Watch for NoWatch {
    fn now_ns(&self) -> u64 {
        0
    }
}

/// What has been timed.
#[derive(Debug, Clone)]
pub struct Timings {
    /// Records, by all stages together, in seconds.
    pub whole: Histogram,
    /// By stage, in seconds.
    pub stages: [Histogram; Stage::ALL.len()],
    /// Batches of records as they came, all of them, in seconds.
    pub batches: Histogram,
    /// The records in them.
    pub batch_records: u64,
    /// What taking a snapshot took while decisions waited, in seconds.
    pub pauses: Histogram,
}

impl Default for Timings {
    fn default() -> Timings {
        let empty = || Histogram::new(BUCKETS);
        Timings {
            whole: empty(),
            stages: [empty(), empty(), empty(), empty()],
            batches: Histogram::new(BATCH_BUCKETS),
            batch_records: 0,
            pauses: Histogram::new(BATCH_BUCKETS),
        }
    }
}

/// Times one record after the other.
#[derive(Debug)]
pub struct Stopwatch<'w> {
    watch: &'w dyn Watch,
    last_ns: u64,
    spent_ns: [u64; Stage::ALL.len()],
}

impl<'w> Stopwatch<'w> {
    /// Begins now.
    pub fn start(watch: &'w dyn Watch) -> Stopwatch<'w> {
        Stopwatch { watch, last_ns: watch.now_ns(), spent_ns: [0; Stage::ALL.len()] }
    }

    /// What has passed since it was last looked at was spent on this.
    pub fn lap(&mut self, stage: Stage) {
        let now_ns = self.watch.now_ns();
        self.spent_ns[stage as usize] += now_ns.saturating_sub(self.last_ns);
        self.last_ns = now_ns;
    }

    /// What has passed since it was last looked at.
    pub fn since_ns(&mut self) -> u64 {
        let now_ns = self.watch.now_ns();
        now_ns.saturating_sub(std::mem::replace(&mut self.last_ns, now_ns))
    }

    /// A record is done, of which these stages took so long before (ns).
    pub fn record(&mut self, before: [(Stage, u64); 2], timings: &mut Timings) {
        before.into_iter().for_each(|(stage, ns)| self.spent_ns[stage as usize] += ns);
        let spent = std::mem::take(&mut self.spent_ns);
        for (stage, ns) in Stage::ALL.into_iter().zip(spent) {
            if ns > 0 {
                timings.stages[stage as usize].observe(ns as f64 / 1e9);
            }
        }
        timings.whole.observe(spent.iter().sum::<u64>() as f64 / 1e9);
    }
}
