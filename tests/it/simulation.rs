//! The pipeline over a simulated log, group and shelf, with faults at every step: thousands of
//! schedules, each told by its seed, and each with one output: that of a replay of the log.
//!
//! What is simulated is what the service rests on: a transaction stands with its offsets or not at
//! all; only the generation that holds a partition can commit; an assignment comes after everybody
//! has given back what he had. Everything else goes wrong: instances die before and after a commit,
//! transactions fail, snapshots are lost, damaged, or never written, assignments change in the
//! middle of a restore, and a zombie goes on with what is no longer his.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, Mutex},
};

use holdfast::{
    config::{Settings, service::Start},
    pipeline::{
        partition::Partition,
        ports::{Arrived, Broken, Change, Committed, Log, Records, Shelf},
        restore::{self, Setup},
        snapshot,
        transaction::{Destination, Transaction},
        worker::{Effect, Pace, Worker},
    },
    traffic::{self, Traffic},
    wire::record::partition_of,
};

use crate::support::{
    dice::{Dice, for_seeds},
    run::{envelope, run, settings},
};

const PARTITIONS: i32 = 3;

type Place = (i32, i64);

/// The broker and the disk: they outlive the instances.
#[derive(Default)]
struct Ground {
    /// By partition.
    input: Vec<Vec<String>>,
    committed: BTreeMap<i32, Committed>,
    decisions: BTreeMap<i32, Vec<String>>,
    dead_letters: BTreeMap<i32, Vec<String>>,
    snapshots: BTreeMap<Place, Vec<u8>>,
    /// The answers that fail, of the log and of the shelf.
    faults: Option<Dice>,
    /// Who holds which partition in this generation.
    owners: BTreeMap<i32, usize>,
}

#[derive(Clone, Default)]
struct World(Arc<Mutex<Ground>>);

impl World {
    fn ground<T>(&self, look: impl FnOnce(&mut Ground) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn fails(&self) -> Result<(), Broken> {
        let fails = self.ground(|ground| ground.faults.as_mut().is_some_and(|d| d.below(12) == 0));
        if fails { Err(Broken::ForNow("as it happens".into())) } else { Ok(()) }
    }

    /// Everything of a transaction, or nothing.
    fn commit(&self, who: usize, transaction: &Transaction) -> bool {
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
                    Destination::Input => panic!("nobody ticks here"),
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

    fn records(&self, partition: i32, offsets: Range<i64>) -> Records {
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
        Ok(0..self.ground(|ground| ground.input[partition as usize].len() as i64))
    }

    fn offset_at(&self, _: i32, _: i64) -> Result<i64, Broken> {
        Ok(0)
    }

    fn read(
        &self,
        partition: i32,
        offsets: Range<i64>,
        each: &mut dyn FnMut(&Records) -> bool,
    ) -> Result<(), Broken> {
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
}

/// A process.
struct Instance {
    worker: Worker,
    /// Where it reads on, by partition.
    positions: BTreeMap<i32, i64>,
    delivering: Option<Arc<Transaction>>,
    restoring: Vec<(i32, Option<Box<Partition>>, u64)>,
    /// What it was given and has not given back.
    held: BTreeSet<i32>,
    /// It has been cut off and does not know it yet.
    zombie: bool,
}

struct Simulation<'s> {
    dice: Dice,
    world: World,
    setup: &'s Setup,
    instances: Vec<Option<Instance>>,
    now_ms: u64,
    /// Partitions are handed out once all have given back what they had.
    rebalancing: bool,
}

impl Simulation<'_> {
    fn start(&mut self, who: usize) {
        let pace = Pace {
            commit_interval_ms: self.dice.below(3) as u64,
            snapshot_interval_ms: self.dice.below(40) as u64,
            waiting_bytes: 1 << 20,
            copied_entries: self.dice.below(60),
        };
        self.instances[who] = Some(Instance {
            worker: Worker::new(self.setup.settings.clone(), pace),
            positions: BTreeMap::new(),
            delivering: None,
            restoring: Vec::new(),
            held: BTreeSet::new(),
            zombie: false,
        });
    }

    /// One thing happens.
    fn step(&mut self, faults: bool) {
        self.now_ms += self.dice.below(4) as u64;
        let who = self.dice.below(self.instances.len());
        if self.instances[who].is_none() {
            if self.dice.below(3) == 0 || !faults {
                self.start(who);
                self.rebalance();
            }
            return;
        }
        match self.dice.below(if faults { 60 } else { 50 }) {
            0..=24 => self.poll(who),
            25..=39 => self.end_delivery(who, faults),
            40..=49 => self.end_restore(who),
            50..=52 => self.rebalance(),
            53 => self.cut_off(who),
            54..=55 => self.kill(who),
            56 => self.damage(),
            _ => self.poll(who),
        }
        self.effects(who);
        self.hand_out();
    }

    fn poll(&mut self, who: usize) {
        let Some(instance) = &mut self.instances[who] else { return };
        let most = 1 + self.dice.below(40) as i64;
        let Some((number, position)) =
            instance.positions.iter().nth(self.dice.below(instance.positions.len()))
        else {
            return;
        };
        let (number, position) = (*number, *position);
        let records = self.world.records(number, position..position + most);
        instance.positions.insert(number, position + records.len() as i64);
        instance.worker.records(&records);
    }

    fn end_delivery(&mut self, who: usize, faults: bool) {
        let Some(instance) = &mut self.instances[who] else { return };
        let Some(transaction) = instance.delivering.take() else { return };
        let luck = self.dice.below(20);
        if faults && luck == 0 {
            instance.worker.not_delivered();
            return;
        }
        let stands = self.world.commit(who, &transaction);
        if faults && luck == 1 {
            // It dies before it hears of it.
            self.kill(who);
            return;
        }
        match stands {
            true => instance.worker.delivered(),
            false => instance.worker.not_delivered(),
        }
    }

    fn end_restore(&mut self, who: usize) {
        let Some(instance) = &mut self.instances[who] else { return };
        if instance.restoring.is_empty() {
            return;
        }
        let at = self.dice.below(instance.restoring.len());
        let (number, mut parked, ticket) = instance.restoring.swap_remove(at);
        let world = &self.world;
        match restore::restore(number, self.setup, world, world, &mut parked, &mut |_| true) {
            Ok(restored) => instance.worker.restored(ticket, restored, self.now_ms),
            Err(Broken::ForNow(_)) => instance.restoring.push((number, parked, ticket)),
            Err(why) => panic!("{why}"),
        }
    }

    /// Everybody is asked to give back what he has.
    fn rebalance(&mut self) {
        self.rebalancing = true;
        for instance in self.instances.iter_mut().flatten() {
            let held: Vec<i32> = instance.held.iter().copied().collect();
            instance.positions.clear();
            if !held.is_empty() {
                instance.worker.changed(&Change::Revoked(held));
            }
        }
    }

    /// The group goes on without this one, which hears of it later.
    fn cut_off(&mut self, who: usize) {
        let Some(instance) = &mut self.instances[who] else { return };
        instance.zombie = true;
        self.world.ground(|ground| ground.owners.retain(|_, owner| *owner != who));
        self.rebalance();
    }

    fn kill(&mut self, who: usize) {
        self.instances[who] = None;
        self.world.ground(|ground| ground.owners.retain(|_, owner| *owner != who));
        self.rebalance();
    }

    /// Something happens to a snapshot.
    fn damage(&mut self) {
        let dice = &mut self.dice;
        self.world.ground(|ground| {
            let places: Vec<Place> = ground.snapshots.keys().copied().collect();
            if places.is_empty() {
                return;
            }
            let place = places[dice.below(places.len())];
            let bytes = ground.snapshots.get_mut(&place).unwrap();
            bytes.push(0);
            let at = dice.below(bytes.len());
            match dice.below(3) {
                0 => bytes[at] ^= 1 << dice.below(8),
                1 => bytes.truncate(at),
                _ => {
                    ground.snapshots.remove(&place);
                }
            }
        });
    }

    /// Does what an instance wants done.
    fn effects(&mut self, who: usize) {
        let Some(instance) = &mut self.instances[who] else { return };
        if instance.zombie && self.dice.below(4) == 0 {
            // It hears of it.
            instance.zombie = false;
            let held: Vec<i32> = instance.held.iter().copied().collect();
            if !held.is_empty() {
                instance.worker.changed(&Change::Lost(held));
            }
        }
        while let Some(effect) = instance.worker.next(self.now_ms) {
            match effect {
                Effect::Restore { partition, parked, ticket } => {
                    instance.restoring.push((partition, parked, ticket));
                }
                Effect::Start { partition, offset } => {
                    instance.positions.insert(partition, offset);
                }
                Effect::Deliver(transaction) => {
                    assert!(instance.delivering.is_none(), "one at a time");
                    instance.delivering = Some(transaction);
                }
                Effect::Release(partitions) => {
                    for number in partitions {
                        assert!(instance.held.remove(&number), "it has {number}");
                    }
                }
                Effect::Keep(taken) => {
                    // What cannot be kept is missing, and nothing else.
                    let header = &taken.header;
                    let state = match &taken.state {
                        Some(state) => Ok(state.clone()),
                        None => {
                            let (setup, world) = (self.setup, &self.world);
                            restore::advance(header, setup, world, world, &mut |_| true)
                        }
                    };
                    let kept = state.is_ok_and(|state| {
                        let bytes = snapshot::encode(header, &state).unwrap();
                        self.world.put(header.partition, header.offset, &bytes).is_ok()
                    });
                    instance.worker.kept(header.partition, kept);
                }
            }
        }
    }

    /// Hands the partitions out, once nobody has any. Who is cut off is not waited for.
    fn hand_out(&mut self) {
        let zombies = |instance: &Instance| instance.zombie;
        let waited = self.instances.iter().flatten().filter(|instance| !zombies(instance));
        if !self.rebalancing || waited.clone().any(|instance| !instance.held.is_empty()) {
            return;
        }
        let members: Vec<usize> = (0..self.instances.len())
            .filter(|who| {
                let instance = self.instances[*who].as_ref();
                instance.is_some_and(|instance| !instance.zombie && instance.held.is_empty())
            })
            .collect();
        if members.is_empty() {
            return;
        }
        self.rebalancing = false;
        self.world.ground(|ground| ground.owners.clear());
        let mut shares: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
        for number in 0..PARTITIONS {
            let who = members[self.dice.below(members.len())];
            shares.entry(who).or_default().push(number);
            self.world.ground(|ground| ground.owners.insert(number, who));
        }
        for (who, share) in shares {
            let instance = self.instances[who].as_mut().unwrap();
            instance.held.extend(&share);
            instance.worker.changed(&Change::Assigned(share));
        }
    }

    fn is_done(&self) -> bool {
        self.world.ground(|ground| {
            (0..PARTITIONS).all(|number| {
                let committed = ground.committed.get(&number).map_or(0, |c| c.offset);
                committed == ground.input[number as usize].len() as i64
            })
        })
    }
}

fn configuration(dice: &mut Dice) -> Settings {
    let expires = ["5m", "2h", "72h"][dice.below(3)];
    settings(&format!(
        "[output]\nemit = \"all\"\n[cases]\nexpires = \"{expires}\"\n\
         [[counter]]\nname = \"n\"\nkey = [\"card_id\"]\ncount = true\nwindow = \"1h\"\n\
         [[counter]]\nname = \"s\"\nkey = [\"account_id\"]\nsum = \"amount_minor\"\n\
         currency = \"any\"\nwindow = \"24h\"\nstanding = true\n\
         [[rule]]\nid = \"burst\"\nwhen = \"n >= 3\"\naction = \"hold\"\ntarget = \"card\"\n\
         reach = [\"n\"]\nwhile_suspended = \"hold\"\n\
         [[rule]]\nid = \"large\"\nwhen = \"s > 50000\"\naction = \"verify\"\n"
    ))
}

/// What a replay puts out of the same log, by partition.
fn replayed(settings: &Settings, input: &[Vec<String>]) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let mut all = (Vec::new(), Vec::new());
    for (number, texts) in input.iter().enumerate() {
        let lines: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(offset, text)| envelope(number as i32, offset as i64, None, text))
            .collect();
        let written = run(settings, &lines);
        let lines = |bytes: &[u8]| -> Vec<String> {
            String::from_utf8(bytes.to_vec()).unwrap().lines().map(str::to_owned).collect()
        };
        all.0.push(lines(&written.decisions));
        all.1.push(lines(&written.dead_letters));
    }
    all
}

fn input(dice: &mut Dice, seed: u64, events: u64) -> Vec<Vec<String>> {
    let traffic = traffic::Settings { events, accounts: 20, seed, ..Default::default() };
    let mut input = vec![Vec::new(); PARTITIONS as usize];
    for line in Traffic::new(traffic) {
        let event: serde_json::Value = serde_json::from_str(&line.text).unwrap();
        let account = event["account_id"].as_str().unwrap();
        let number = partition_of(account, PARTITIONS as u32) as usize;
        if dice.below(50) == 0 {
            input[number].push(["", "{", "[]", "{\"event_id\":\"x\"}"][dice.below(4)].into());
        }
        input[number].push(line.text);
    }
    input
}

#[test]
fn whatever_happens_the_output_is_that_of_a_replay() {
    for_seeds("whatever_happens_the_output_is_that_of_a_replay", 400, |seed| {
        let mut dice = Dice::new(seed);
        let settings = Arc::new(configuration(&mut dice));
        let texts = input(&mut dice, seed, 300);
        let (decisions, dead_letters) = replayed(&settings, &texts);
        let world = World::default();
        world.ground(|ground| {
            ground.input = texts;
            ground.faults = Some(Dice::new(seed ^ 1));
        });
        let setup = Setup { settings: settings.clone(), start: Start::Earliest, may_warm: false };
        let mut simulation = Simulation {
            dice,
            world: world.clone(),
            setup: &setup,
            instances: vec![None, None, None],
            now_ms: 0,
            rebalancing: false,
        };
        for _ in 0..600 {
            simulation.step(true);
        }
        for _ in 0..20_000 {
            if simulation.is_done() {
                break;
            }
            simulation.step(false);
        }
        assert!(simulation.is_done(), "it comes to an end");
        world.ground(|ground| {
            for number in 0..PARTITIONS {
                let of = |topic: &BTreeMap<i32, Vec<String>>| {
                    topic.get(&number).cloned().unwrap_or_default()
                };
                assert_eq!(of(&ground.decisions), decisions[number as usize], "{number}");
                assert_eq!(of(&ground.dead_letters), dead_letters[number as usize], "{number}");
            }
        });
    });
}
