//! Where tests end the program, as if the power had gone: `HOLDFAST_CRASH_AT=POINT` at the first time,
//! `POINT:N` at the N-th; `POINT!` panics there instead; or have it drop, double or alter one output
//! (`drop_output:N`), so that it is seen whether their auditor notices. Unset, nothing happens.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    io::kafka::output::CrashPoints,
    pipeline::{
        ports::{Broken, Committed, Log, Records, Shelf},
        transaction::Made,
    },
};

/// The point, and how often it is passed before.
#[derive(Debug, Clone, Default)]
pub struct CrashAt {
    point: Option<String>,
    left: u64,
    panics: bool,
}

impl CrashAt {
    /// As a text says: `before_commit:3`.
    pub fn named(text: Option<&str>) -> CrashAt {
        let Some(text) = text else { return CrashAt::default() };
        let (point, times) = text.split_once(':').unwrap_or((text, "1"));
        let (point, panics) = match point.strip_suffix('!') {
            Some(point) => (point, true),
            None => (point, false),
        };
        let left = times.parse().unwrap_or(1).max(1);
        CrashAt { point: Some(point.to_owned()), left, panics }
    }

    /// The program is here.
    pub fn pass(&mut self, point: &str) {
        if self.is_due(point) {
            self.end(point);
        }
    }

    fn end(&self, point: &str) {
        assert!(!self.panics, "a test wants a panic at {point}");
        std::process::abort();
    }

    /// Does it end here, this time?
    fn is_due(&mut self, point: &str) -> bool {
        if self.point.as_deref() != Some(point) {
            return false;
        }
        let is_due = self.left == 1;
        self.left = self.left.saturating_sub(1);
        is_due
    }

    /// A log and a shelf with these points; as they were, where there is none.
    pub fn around(
        &self,
        log: Arc<dyn Log>,
        shelf: Arc<dyn Shelf>,
    ) -> (Arc<dyn Log>, Arc<dyn Shelf>) {
        if self.point.is_none() {
            return (log, shelf);
        }
        let crash = Arc::new(Mutex::new(self.clone()));
        (Arc::new(Around(log, crash.clone())), Arc::new(Around(shelf, crash)))
    }
}

impl CrashPoints for CrashAt {
    fn at(&mut self, point: &'static str) {
        self.pass(point);
    }

    fn put_out<'a>(&mut self, output: Made<'a>) -> [Option<Made<'a>>; 2] {
        if self.point.is_none() {
            return [Some(output), None];
        }
        if self.is_due("drop_output") {
            return [None, None];
        }
        if self.is_due("double_output") {
            return [Some(output); 2];
        }
        if self.is_due("alter_output") {
            let altered = String::from_utf8_lossy(output.payload).replacen('{', "{\"more\":1,", 1);
            // Once in the life of a program that is broken on purpose.
            let payload = Box::leak(altered.into_bytes().into_boxed_slice());
            return [Some(Made { payload, ..output }), None];
        }
        [Some(output), None]
    }
}

struct Around<T: ?Sized>(Arc<T>, Arc<Mutex<CrashAt>>);

impl<T: ?Sized> Around<T> {
    fn crash(&self) -> MutexGuard<'_, CrashAt> {
        self.1.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Around<dyn Log> {
    fn committed(&self, partition: i32) -> Result<Option<Committed>, Broken> {
        self.0.committed(partition)
    }

    fn bounds(&self, partition: i32) -> Result<Range<i64>, Broken> {
        self.0.bounds(partition)
    }

    fn offset_at(&self, partition: i32, time_ms: i64) -> Result<i64, Broken> {
        self.0.offset_at(partition, time_ms)
    }

    fn read(
        &self,
        partition: i32,
        offsets: Range<i64>,
        each: &mut dyn FnMut(&Records) -> bool,
    ) -> Result<(), Broken> {
        self.0.read(partition, offsets, &mut |records| {
            let goes_on = each(records);
            self.crash().pass("amid_restore");
            goes_on
        })
    }
}

impl Shelf for Around<dyn Shelf> {
    fn offsets(&self, partition: i32) -> Result<Vec<i64>, Broken> {
        self.0.offsets(partition)
    }

    fn get(&self, partition: i32, offset: i64) -> Result<Vec<u8>, Broken> {
        self.0.get(partition, offset)
    }

    fn kept_ms(&self, partition: i32, offset: i64) -> Result<Option<i64>, Broken> {
        self.0.kept_ms(partition, offset)
    }

    fn put(&self, partition: i32, offset: i64, bytes: &[u8]) -> Result<(), Broken> {
        let mut crash = self.crash();
        if crash.is_due("amid_snapshot") {
            // As on a disk that keeps names before it keeps what is in the files.
            let _ = self.0.put(partition, offset, &bytes[..bytes.len() / 2]);
            crash.end("amid_snapshot");
        }
        drop(crash);
        self.0.put(partition, offset, bytes)
    }

    fn remove(&self, partition: i32, offset: i64) -> Result<(), Broken> {
        self.0.remove(partition, offset)
    }

    fn ruleset(&self, identity: &str) -> Result<Option<String>, Broken> {
        self.0.ruleset(identity)
    }

    fn keep_ruleset(&self, identity: &str, configuration: &str) -> Result<(), Broken> {
        self.0.keep_ruleset(identity, configuration)
    }
}
