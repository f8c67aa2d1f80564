//! What is done beside the decisions, and gives way to them.

use std::time::Duration;

use super::clock::{Clock, pause};

/// By so much this thread is nicer than the process: where both want a core, the others get nine
/// tenths of it. Not the idle class, which would get nothing on a machine that is always busy, and
/// never be done.
#[cfg(target_os = "linux")]
const NICER: i32 = 10;

/// From here on this thread, and those that it starts, get a core only where others leave it one, or
/// little of it. It cannot be taken back. Its writes to the disk give way as well, where the disk's
/// scheduler knows priorities.
pub fn give_way() {
    // Niceness is a thread's on Linux alone. Where it is forbidden, all are equal.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICER) {
        tracing::debug!(%error, "the priority of a thread cannot be lowered");
    }
}

/// So long it works at a time.
const WORKS: Duration = Duration::from_micros(500);
/// So long it rests then.
const RESTS: Duration = Duration::from_micros(250);

/// Works and rests in turns: whoever wakes up beside it gets a core soon. Niceness alone does not give
/// that: a scheduler lets whoever runs go on until its next tick, which is milliseconds away, and a
/// decision passes through many threads.
#[derive(Debug)]
pub struct Turns {
    since: Clock,
}

impl Turns {
    /// It begins to work.
    #[expect(clippy::new_without_default, reason = "it begins now")]
    pub fn new() -> Turns {
        Turns { since: Clock::new() }
    }

    /// Rests, if it has worked for long enough.
    pub fn take(&mut self) {
        if self.since.elapsed() >= WORKS {
            pause(RESTS);
            self.since = Clock::new();
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::give_way;

    #[test]
    fn one_thread_gives_way_and_the_others_do_not() {
        let nice = || rustix::process::nice(0).unwrap();
        let before = nice();
        let there = std::thread::spawn(move || {
            give_way();
            nice()
        });
        assert_eq!(there.join().unwrap(), (before + 10).min(19));
        assert_eq!(nice(), before);
    }
}
