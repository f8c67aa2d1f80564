//! A log within the process: input, outputs and the group's offsets, for one instance. What a broker
//! promises holds here too, as long as the process lives: a transaction stands with its offsets.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    pipeline::{
        ports::{Arrived, Broken, Change, Committed, Input, Log, Output, Records},
        transaction::{Destination, Transaction},
    },
    wire::record::partition_of,
};

/// So much is taken at a time.
const RECORDS_MAX: usize = 512;

#[derive(Debug)]
struct Ground {
    partitions: Vec<Vec<Record>>,
    committed: BTreeMap<i32, Committed>,
    written: Vec<(Destination, Vec<u8>)>,
}

#[derive(Debug)]
struct Record {
    timestamp_ms: i64,
    payload: Vec<u8>,
}

/// The log.
#[derive(Debug, Clone)]
pub struct Embedded(Arc<(Mutex<Ground>, Condvar)>);

impl Embedded {
    /// An empty one with so many partitions.
    pub fn new(partitions: u32) -> Embedded {
        let partitions = (0..partitions).map(|_| Vec::new()).collect();
        let ground = Ground { partitions, committed: BTreeMap::new(), written: Vec::new() };
        Embedded(Arc::new((Mutex::new(ground), Condvar::new())))
    }

    /// What a panicking thread left is whole: nothing in here calls anything that can panic.
    fn ground(&self) -> MutexGuard<'_, Ground> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more record, of this account, at this time.
    pub fn append(&self, account: &str, timestamp_ms: i64, payload: &[u8]) {
        let mut ground = self.ground();
        let number = partition_of(account, ground.partitions.len() as u32) as usize;
        ground.partitions[number].push(Record { timestamp_ms, payload: payload.to_vec() });
        drop(ground);
        self.0.1.notify_all();
    }

    /// What has been written since this was last asked, in order.
    pub fn written(&self) -> Vec<(Destination, Vec<u8>)> {
        std::mem::take(&mut self.ground().written)
    }

    /// How many records are not decided yet.
    pub fn lag(&self) -> i64 {
        let ground = self.ground();
        let next = |number: usize| ground.committed.get(&(number as i32)).map_or(0, |c| c.offset);
        (0..ground.partitions.len()).map(|n| ground.partitions[n].len() as i64 - next(n)).sum()
    }

    /// By partition, the offset behind its last record.
    pub fn ends(&self) -> BTreeMap<i32, i64> {
        let ground = self.ground();
        let ends = ground.partitions.iter().map(|records| records.len() as i64);
        ends.enumerate().map(|(number, end)| (number as i32, end)).collect()
    }

    /// The partitions that have been decided to their end.
    pub fn at_end(&self) -> BTreeSet<i32> {
        let ends = self.ends();
        let ground = self.ground();
        let next = |number: &i32| ground.committed.get(number).map_or(0, |c| c.offset);
        ends.iter()
            .filter(|(number, end)| next(number) >= **end)
            .map(|(number, _)| *number)
            .collect()
    }

    /// Its input, as the only one who reads it.
    pub fn input(&self) -> EmbeddedInput {
        EmbeddedInput {
            log: self.clone(),
            assigned: false,
            positions: BTreeMap::new(),
            wanted: true,
        }
    }
}

/// The input of an embedded log.
#[derive(Debug)]
pub struct EmbeddedInput {
    log: Embedded,
    assigned: bool,
    positions: BTreeMap<i32, i64>,
    wanted: bool,
}

impl EmbeddedInput {
    fn take(&mut self, ground: &Ground, records: &mut Records) {
        for (number, position) in &mut self.positions {
            let there = &ground.partitions[*number as usize];
            let from = (*position as usize).min(there.len());
            for record in there[from..].iter().take(RECORDS_MAX - records.len().min(RECORDS_MAX)) {
                records.push(Arrived {
                    partition: *number,
                    offset: *position,
                    timestamp_ms: Some(record.timestamp_ms),
                    payload: &record.payload,
                });
                *position += 1;
            }
        }
    }
}

impl Input for EmbeddedInput {
    fn poll(
        &mut self,
        wait: Duration,
        records: &mut Records,
        changes: &mut Vec<Change>,
    ) -> Result<(), Broken> {
        let log = self.log.clone();
        let mut ground = log.ground();
        if !self.assigned {
            self.assigned = true;
            changes.push(Change::Assigned((0..ground.partitions.len() as i32).collect()));
            return Ok(());
        }
        if self.wanted {
            self.take(&ground, records);
        }
        if records.is_empty() {
            let waited = log.0.1.wait_timeout(ground, wait);
            ground = waited.unwrap_or_else(PoisonError::into_inner).0;
            if self.wanted {
                self.take(&ground, records);
            }
        }
        Ok(())
    }

    fn start(&mut self, partition: i32, offset: i64) -> Result<(), Broken> {
        self.positions.insert(partition, offset);
        Ok(())
    }

    fn release(&mut self, partitions: &[i32]) -> Result<(), Broken> {
        partitions.iter().for_each(|number| {
            self.positions.remove(number);
        });
        Ok(())
    }

    fn want_records(&mut self, wanted: bool) -> Result<(), Broken> {
        self.wanted = wanted;
        Ok(())
    }
}

impl Output for Embedded {
    fn deliver(&mut self, transaction: &Arc<Transaction>) -> Result<(), Broken> {
        let mut ground = self.ground();
        for made in transaction.outputs() {
            match made.to {
                // A tick bears the time that it tells.
                Destination::Input => ground.partitions[made.partition as usize]
                    .push(Record { timestamp_ms: i64::MAX, payload: made.payload.to_vec() }),
                to => ground.written.push((to, made.payload.to_vec())),
            }
        }
        for (number, reached) in transaction.reached() {
            let (offset, note) = (reached.offset, reached.note.clone());
            ground.committed.insert(*number, Committed { offset, note });
        }
        Ok(())
    }
}

impl Log for Embedded {
    fn committed(&self, partition: i32) -> Result<Option<Committed>, Broken> {
        Ok(self.ground().committed.get(&partition).cloned())
    }

    fn bounds(&self, partition: i32) -> Result<Range<i64>, Broken> {
        Ok(0..self.ground().partitions[partition as usize].len() as i64)
    }

    fn offset_at(&self, partition: i32, time_ms: i64) -> Result<i64, Broken> {
        let ground = self.ground();
        let records = &ground.partitions[partition as usize];
        let found = records.iter().position(|record| record.timestamp_ms >= time_ms);
        Ok(found.unwrap_or(records.len()) as i64)
    }

    fn read(
        &self,
        partition: i32,
        offsets: Range<i64>,
        each: &mut dyn FnMut(&Records) -> bool,
    ) -> Result<(), Broken> {
        let mut records = Records::default();
        for (offset, record) in self.ground().partitions[partition as usize]
            .iter()
            .enumerate()
            .take(offsets.end as usize)
            .skip(offsets.start as usize)
        {
            let (offset, timestamp_ms) = (offset as i64, Some(record.timestamp_ms));
            records.push(Arrived { partition, offset, timestamp_ms, payload: &record.payload });
        }
        each(&records);
        Ok(())
    }
}
