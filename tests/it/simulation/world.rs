//! What outlives the instances: the log, what the group has committed, the outputs, the shelf.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex},
};

use holdfast::pipeline::{
    ports::{Arrived, Broken, Committed, Log, Records, Shelf},
    restore::{self, Setup},
    snapshot,
    transaction::{Destination, Transaction},
    worker::{Outcome, State, Taken},
};

use crate::support::dice::Dice;

pub(super) const PARTITIONS: i32 = 3;

pub(super) type Place = (i32, i64);

/// The broker and the disk: they outlive the instances.
#[derive(Clone, Default)]
pub(super) struct Ground {
    /// By partition.
    pub(super) input: Vec<Vec<String>>,
    /// By partition, the first offset that is left, where it is not the first one.
    pub(super) begins: BTreeMap<i32, i64>,
    pub(super) committed: BTreeMap<i32, Committed>,
    pub(super) decisions: BTreeMap<i32, Vec<String>>,
    pub(super) dead_letters: BTreeMap<i32, Vec<String>>,
    pub(super) snapshots: BTreeMap<Place, Vec<u8>>,
    pub(super) rulesets: BTreeMap<String, String>,
    /// The answers that fail, of the log and of the shelf.
    pub(super) faults: Option<Dice>,
    /// Who holds which partition in this generation.
    pub(super) owners: BTreeMap<i32, usize>,
}

#[derive(Clone, Default)]
pub(super) struct World(Arc<Mutex<Ground>>);

impl World {
    pub(super) fn ground<T>(&self, look: impl FnOnce(&mut Ground) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// The same once more, apart from this one.
    pub(super) fn copy(&self) -> World {
        World(Arc::new(Mutex::new(self.ground(|ground| ground.clone()))))
    }

    fn fails(&self) -> Result<(), Broken> {
        let fails = self.ground(|ground| ground.faults.as_mut().is_some_and(|d| d.below(12) == 0));
        if fails { Err(Broken::ForNow("as it happens".into())) } else { Ok(()) }
    }

    /// Everything of a transaction, or nothing.
    pub(super) fn commit(&self, who: usize, transaction: &Transaction) -> bool {
        self.ground(|ground| {
            let his = |number: &i32| ground.owners.get(number) == Some(&who);
            if !transaction.reached().keys().all(his) {
                return false;
            }
            for output in transaction.outputs() {
                let text = String::from_utf8(output.payload.to_vec()).unwrap();
                let topic = match output.to {
                    Destination::Decisions => &mut ground.decisions,
                    Destination::DeadLetters => &mut ground.dead_letters,
                    Destination::Input => {
                        ground.input[output.partition as usize].push(text);
                        continue;
                    }
                };
                topic.entry(output.partition).or_default().push(text);
            }
            for (number, reached) in transaction.reached() {
                let (offset, note) = (reached.offset, reached.note.clone());
                let before = ground.committed.insert(*number, Committed { offset, note });
                assert!(before.is_none_or(|before| before.offset <= offset), "offsets go forward");
            }
            true
        })
    }

    /// What cannot be kept is missing, and nothing else.
    pub(super) fn keep(&self, Taken { header, state }: Taken, setup: &Setup) -> Outcome {
        let bytes = match state {
            State::Copied(copy) => {
                snapshot::encode_copy(&header, &copy.unwrap(), &mut || ()).unwrap()
            }
            State::Written(bytes) => bytes,
            State::InTheLog => match restore::advance(&header, setup, self, self, &mut |_| true) {
                Ok(engine) => snapshot::encode(&header, &engine, &mut || ()).unwrap(),
                Err(Broken::ForGood(_)) => return Outcome::NotMade,
                Err(_) => return Outcome::NotKept,
            },
        };
        match self.put(header.partition, header.offset, &bytes) {
            Ok(()) => Outcome::Kept(bytes.len()),
            Err(_) => Outcome::NotKept,
        }
    }

    pub(super) fn records(&self, partition: i32, offsets: Range<i64>) -> Records {
        let mut records = Records::default();
        self.ground(|ground| {
            let texts = &ground.input[partition as usize];
            for offset in offsets.start..offsets.end.min(texts.len() as i64) {
                let payload = texts[offset as usize].as_bytes();
                records.push(Arrived { partition, offset, timestamp_ms: None, payload });
            }
        });
        records
    }
}

impl Log for World {
    fn committed(&self, partition: i32) -> Result<Option<Committed>, Broken> {
        self.fails()?;
        Ok(self.ground(|ground| ground.committed.get(&partition).cloned()))
    }

    fn bounds(&self, partition: i32) -> Result<Range<i64>, Broken> {
        Ok(self.ground(|ground| {
            let begin = ground.begins.get(&partition).copied().unwrap_or_default();
            begin..ground.input[partition as usize].len() as i64
        }))
    }

    fn offset_at(&self, partition: i32, time_ms: i64) -> Result<i64, Broken> {
        Ok(self.ground(|ground| {
            let input = &ground.input[partition as usize];
            let later = |text: &String| {
                let event: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
                event["event_time"].as_i64().is_some_and(|time| time >= time_ms)
            };
            input.iter().position(later).unwrap_or(input.len()) as i64
        }))
    }

    fn read(
        &self,
        partition: i32,
        offsets: Range<i64>,
        each: &mut dyn FnMut(&Records) -> bool,
    ) -> Result<(), Broken> {
        assert!(offsets.start >= self.bounds(partition)?.start, "what is gone is not read");
        let middle = (offsets.start + offsets.end) / 2;
        each(&self.records(partition, offsets.start..middle));
        self.fails()?;
        each(&self.records(partition, middle..offsets.end));
        Ok(())
    }
}

impl Shelf for World {
    fn offsets(&self, partition: i32) -> Result<Vec<i64>, Broken> {
        self.fails()?;
        Ok(self.ground(|ground| {
            let here = ground.snapshots.keys().filter(|(number, _)| *number == partition);
            here.map(|(_, offset)| *offset).collect()
        }))
    }

    fn get(&self, partition: i32, offset: i64) -> Result<Vec<u8>, Broken> {
        let bytes = self.ground(|ground| ground.snapshots.get(&(partition, offset)).cloned());
        bytes.ok_or_else(|| Broken::ForNow("it is gone".into()))
    }

    fn kept_ms(&self, _: i32, _: i64) -> Result<Option<i64>, Broken> {
        Ok(None)
    }

    fn put(&self, partition: i32, offset: i64, bytes: &[u8]) -> Result<(), Broken> {
        self.fails()?;
        self.ground(|ground| ground.snapshots.insert((partition, offset), bytes.to_vec()));
        Ok(())
    }

    fn remove(&self, partition: i32, offset: i64) -> Result<(), Broken> {
        self.ground(|ground| ground.snapshots.remove(&(partition, offset)));
        Ok(())
    }

    fn ruleset(&self, identity: &str) -> Result<Option<String>, Broken> {
        self.fails()?;
        Ok(self.ground(|ground| ground.rulesets.get(identity).cloned()))
    }

    fn keep_ruleset(&self, identity: &str, configuration: &str) -> Result<(), Broken> {
        self.ground(|ground| {
            ground.rulesets.insert(identity.to_owned(), configuration.to_owned());
        });
        Ok(())
    }
}
