//! Trouble that lasts is told of when it begins, now and then while it lasts, and when it is over: a
//! client that cannot reach its brokers has something to say several times a second.

use std::{
    fmt::Display,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tracing::{debug, info, warn};

use super::clock::Clock;

/// So long passes between two lines about the same trouble.
const AGAIN: Duration = Duration::from_secs(10);
/// After so long without trouble it is over.
const QUIET: Duration = Duration::from_secs(2);

/// Trouble with something, if there is any.
#[derive(Debug)]
pub struct Outage {
    with: &'static str,
    lasting: Mutex<Option<Lasting>>,
}

#[derive(Debug)]
struct Lasting {
    since: Clock,
    latest: Clock,
    said: Clock,
    unsaid: u64,
}

impl Outage {
    /// None yet with this.
    pub fn new(with: &'static str) -> Outage {
        Outage { with, lasting: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Lasting>> {
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something failed.
    pub fn trouble(&self, reason: &dyn Display) {
        let (with, now) = (self.with, Clock::new());
        let mut lasting = self.lock();
        let Some(known) = &mut *lasting else {
            warn!(%reason, "trouble with {with}");
            *lasting = Some(Lasting { since: now, latest: now, said: now, unsaid: 0 });
            return;
        };
        known.latest = now;
        if known.said.elapsed() < AGAIN {
            known.unsaid += 1;
            debug!(%reason, "trouble with {with}");
            return;
        }
        warn!(%reason, unsaid = known.unsaid, seconds = known.since.elapsed().as_secs(), "still trouble with {with}");
        (known.said, known.unsaid) = (now, 0);
    }

    /// It works: what trouble there was is over, unless it is of this moment.
    pub fn works(&self) {
        let mut lasting = self.lock();
        if let Some(known) = lasting.take_if(|known| known.latest.elapsed() >= QUIET) {
            let (with, seconds) = (self.with, known.since.elapsed().as_secs());
            info!(seconds, unsaid = known.unsaid, "the trouble with {with} is over");
        }
    }
}
