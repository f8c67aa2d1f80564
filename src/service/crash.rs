//! Where tests end the program, as if the power had gone: `HOLDFAST_CRASH_AT=POINT` at the first time,
//! `POINT:N` at the N-th. Unset, nothing happens.

use crate::io::kafka::output::CrashPoints;

/// The point, and how often it is passed before.
#[derive(Debug, Clone, Default)]
pub struct CrashAt {
    point: Option<String>,
    left: u64,
}

impl CrashAt {
    /// As a text says: `before_commit:3`.
    pub fn named(text: Option<&str>) -> CrashAt {
        let Some(text) = text else { return CrashAt::default() };
        let (point, times) = text.split_once(':').unwrap_or((text, "1"));
        CrashAt { point: Some(point.to_owned()), left: times.parse().unwrap_or(1) }
    }

    /// The program is here.
    pub fn pass(&mut self, point: &str) {
        if self.point.as_deref() == Some(point) {
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                std::process::abort();
            }
        }
    }
}

impl CrashPoints for CrashAt {
    fn at(&mut self, point: &'static str) {
        self.pass(point);
    }
}
