//! The pipeline over a simulated log, group and shelf, with faults at every step: thousands of
//! schedules, each told by its seed, and each with one output: that of a replay of the log.
//!
//! What is simulated is what the service rests on: a transaction stands with its offsets or not at
//! all; only the generation that holds a partition can commit; an assignment comes after everybody
//! has given back what he had. Everything else goes wrong: instances die before and after a commit,
//! transactions fail, snapshots are lost, damaged, or never written, assignments change in the
//! middle of a restore, and a zombie goes on with what is no longer his. Ticks are put into the log,
//! and rulesets change, all instances at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use holdfast::{
    config::{Settings, service::Start},
    pipeline::{
        note::Note,
        partition::Partition,
        ports::{Broken, Change},
        restore::{self, Setup},
        transaction::Transaction,
        worker::{Effect, Pace, Worker},
    },
    traffic::{self, Traffic},
    wire::record::partition_of,
};

use crate::support::{
    dice::{Dice, for_new_seeds},
    run::{envelope, run, settings},
};

mod carrying;
mod lone;
mod recovery;
mod world;

use lone::{CALM, Lone};
use world::{PARTITIONS, Place, World};

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
    /// The rulesets, one after the other; the first one decides.
    setups: &'s [Setup],
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
            copied_bytes: usize::MAX,
        };
        self.instances[who] = Some(Instance {
            worker: Worker::new(self.setups[0].settings.clone(), pace),
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
        match self.dice.below(if faults { 64 } else { 50 }) {
            0..=24 => self.poll(who),
            25..=39 => self.end_delivery(who, faults),
            40..=49 => self.end_restore(who),
            50..=52 => self.rebalance(),
            53 => self.cut_off(who),
            54..=55 => self.kill(who),
            56 => self.damage(),
            57..=58 => self.tick(who),
            59 if self.setups.len() > 1 && self.dice.below(4) == 0 => self.change_ruleset(),
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
        match restore::restore(number, &self.setups[0], world, world, &mut parked, &mut |_| true) {
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

    /// A deadline of a quiet partition has passed.
    fn tick(&mut self, who: usize) {
        let Some(instance) = &mut self.instances[who] else { return };
        let due = instance.worker.deciding().find_map(|partition| {
            let deadline_ms = partition.engine().next_deadline_ms()?;
            Some((partition.number(), partition.next(), deadline_ms))
        });
        if let Some((number, next, deadline_ms)) = due {
            instance.worker.tick(number, next, deadline_ms + 1);
        }
    }

    /// All instances end, and those that start from now on decide by the next ruleset.
    fn change_ruleset(&mut self) {
        (0..self.instances.len()).for_each(|who| self.kill(who));
        self.setups = &self.setups[1..];
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
                    let number = taken.header.partition;
                    let outcome = self.world.keep(*taken, &self.setups[0]);
                    instance.worker.kept(number, outcome);
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
    let (many, much) = (2 + dice.below(3), [20_000, 50_000][dice.below(2)]);
    let window = ["1h", "3h"][dice.below(2)];
    settings(&format!(
        "[output]\nemit = \"all\"\n[cases]\nexpires = \"{expires}\"\n\
         [[counter]]\nname = \"n\"\nkey = [\"card_id\"]\ncount = true\nwindow = \"1h\"\n\
         [[counter]]\nname = \"s\"\nkey = [\"account_id\"]\nsum = \"amount_minor\"\n\
         currency = \"any\"\nwindow = \"24h\"\nstanding = true\n\
         [[counter]]\nname = \"m\"\nkey = [\"merchant_id\"]\ncount = true\n\
         window = \"{window}\"\nscope = \"partition\"\n\
         [[rule]]\nid = \"burst\"\nwhen = \"n >= {many}\"\naction = \"hold\"\ntarget = \"card\"\n\
         reach = [\"n\"]\nwhile_suspended = \"hold\"\n\
         [[rule]]\nid = \"large\"\nwhen = \"s > {much}\"\naction = \"verify\"\n\
         [[rule]]\nid = \"busy\"\nwhen = \"m >= 9\"\naction = \"review\"\n"
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

/// The outputs of a schedule, by partition, and the world as it left it.
fn simulated(dice: Dice, seed: u64, setups: &[Setup], texts: Vec<Vec<String>>) -> World {
    let world = World::default();
    world.ground(|ground| {
        ground.input = texts;
        ground.faults = Some(Dice::new(seed ^ 1));
    });
    let mut simulation = Simulation {
        dice,
        world: world.clone(),
        setups,
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
    world
}

fn outputs(world: &World, number: i32) -> [Vec<String>; 2] {
    world.ground(|ground| {
        let of = |topic: &BTreeMap<i32, Vec<String>>| topic.get(&number).cloned();
        [&ground.decisions, &ground.dead_letters].map(|topic| of(topic).unwrap_or_default())
    })
}

fn starting_with(settings: Settings) -> Setup {
    Setup { settings: Arc::new(settings), start: Start::Earliest, may_warm: false }
}

/// The schedules of one run; the next one has others.
const SCHEDULES: u64 = 1500;

#[test]
fn whatever_happens_the_output_is_that_of_a_replay() {
    for_new_seeds("whatever_happens_the_output_is_that_of_a_replay", SCHEDULES, |seed| {
        let mut dice = Dice::new(seed);
        let setups = [starting_with(configuration(&mut dice))];
        let texts = input(&mut dice, seed, 300);
        let world = simulated(dice, seed, &setups, texts);
        let texts = world.ground(|ground| ground.input.clone());
        let (decisions, dead_letters) = replayed(&setups[0].settings, &texts);
        for (number, due) in (0..).zip(decisions.into_iter().zip(dead_letters)) {
            assert_eq!(outputs(&world, number), <[_; 2]>::from(due), "{number}");
        }
    });
}

#[test]
fn whatever_happens_each_ruleset_decides_its_stretch_of_the_log() {
    let name = "whatever_happens_each_ruleset_decides_its_stretch_of_the_log";
    for_new_seeds(name, SCHEDULES / 3, |seed| {
        let mut dice = Dice::new(seed);
        let setups: Vec<Setup> = (0..4).map(|_| starting_with(configuration(&mut dice))).collect();
        let texts = input(&mut dice, seed, 300);
        let world = simulated(dice, seed, &setups, texts);
        for number in 0..PARTITIONS {
            let due = in_order(&world, number, &setups);
            assert_eq!(outputs(&world, number), outputs(&due, number), "{number}");
        }
    });
}

/// One partition decided by the same rulesets in the same places, and nothing happens to it.
fn in_order(world: &World, number: i32, setups: &[Setup]) -> World {
    let (texts, noted) = world.ground(|ground| {
        (ground.input[number as usize].clone(), ground.committed[&number].note.clone())
    });
    let note = Note::read(&noted).expect("a note");
    let ends = note.stretches().skip(1).map(|next| next.since).chain([texts.len() as i64]);
    let alone = World::default();
    alone.ground(|ground| ground.input = vec![Vec::new(); PARTITIONS as usize]);
    for (stretch, end) in note.stretches().zip(ends) {
        let is_it = |setup: &&Setup| *setup.settings.ruleset.identity == *stretch.ruleset;
        let setup = setups.iter().find(is_it).expect("one of them");
        alone.ground(|ground| {
            ground.input[number as usize] = texts[..end as usize].to_vec();
        });
        let mut lone = Lone::start(&alone, setup, CALM).expect("it goes on");
        lone.decide();
        lone.terminate();
    }
    alone
}
