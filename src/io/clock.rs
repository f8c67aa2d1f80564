//! The clocks of the shell: one that only goes forward, and the time of day.

use std::{
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::pipeline::timing::Watch;

/// A clock that only goes forward.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// Begins at 0.
    #[expect(clippy::disallowed_methods, reason = "the shell has a clock")]
    pub fn new() -> Clock {
        Clock(Instant::now())
    }

    /// The seconds since it began.
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    /// The ms since it began.
    pub fn ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How long ago it began.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Watch for Clock {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

/// The time of day, in epoch ms.
#[expect(clippy::disallowed_methods, reason = "ticks and metrics tell the time of day")]
pub fn epoch_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Waits.
#[expect(clippy::disallowed_methods, reason = "the shell waits")]
pub fn pause(length: Duration) {
    thread::sleep(length);
}
