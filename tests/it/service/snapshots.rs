//! Snapshots that are damaged, gone, of another form, or find no room: the log is the state.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{REST, seeded, size, turn};
use crate::support::{
    dice::Dice,
    kafka::{
        feed::{Event, produce, traffic},
        shared,
        topics::Topic,
    },
    process::{pause, within},
    s3::{ObjectStore, SECRET},
    service::{Deployment, Instance, shipped_ruleset},
    slow_disk::SlowDisk,
};

const MAGIC: &[u8] = b"HOLDFST1";

/// The snapshots in a folder and those in it.
pub(super) fn snapshots(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(snapshots(&path));
        } else if fs::read(&path).unwrap().starts_with(MAGIC) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn truncate(path: &Path, dice: &mut Dice) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..dice.below(bytes.len())]).unwrap();
}

fn flip(path: &Path, dice: &mut Dice) {
    let mut bytes = fs::read(path).unwrap();
    let at = dice.below(bytes.len());
    bytes[at] ^= 1 << dice.below(8);
    fs::write(path, bytes).unwrap();
}

fn remove(path: &Path, _: &mut Dice) {
    fs::remove_file(path).unwrap();
}

/// As a later version of the program may write it, whole and with its checksum.
fn of_another_form(path: &Path, _: &mut Dice) {
    let mut bytes = fs::read(path).unwrap();
    let known = holdfast::pipeline::snapshot::SCHEMA.as_bytes();
    // It may have been altered in an earlier round.
    let Some(at) = bytes.windows(known.len()).position(|part| part == known) else { return };
    bytes[at + known.len() - 1] = b'9';
    bytes.truncate(bytes.len() - 4);
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

/// Of a run whose last records nobody has, under the name that says so.
fn of_the_future(path: &Path, _: &mut Dice) {
    let offset: i64 = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let ahead = path.with_file_name(format!("{:020}.snapshot", offset + 1_000_000));
    fs::rename(path, ahead).unwrap();
}

fn leave(_: &Path, _: &mut Dice) {}

#[test]
fn damaged_snapshots_cost_time_and_nothing_else() {
    let _turn = turn();
    let (seed, mut dice) = seeded("damaged_snapshots_cost_time_and_nothing_else");
    let deployment = Deployment::new(&shared(), 3, &shipped_ruleset());
    let parts = size(4_000, 50_000);
    let all: [fn(&Path, &mut Dice); 6] =
        [truncate, flip, remove, of_another_form, of_the_future, leave];
    let mut events: Vec<Event> = traffic(seed, parts * 8).collect();
    let mut rounds = 0;
    while !events.is_empty() {
        let rest = events.split_off(events.len().min(parts as usize));
        produce(&deployment.input, std::mem::replace(&mut events, rest));
        let mut instances = [deployment.start(0)];
        instances[0].wait_until_ready();
        deployment.wait_until_done(REST, &mut instances);
        let [instance] = instances;
        let in_order = dice.percent(70);
        if in_order {
            instance.terminate()
        } else {
            instance.kill()
        }
        let kept = snapshots(&deployment.state_folder(0));
        assert!(!in_order || !kept.is_empty(), "a service that ends in order has kept something");
        for path in kept {
            // At first each way by itself on all of them, then mixed.
            let way = all.get(rounds).copied().unwrap_or_else(|| dice.pick(&all));
            way(&path, &mut dice);
        }
        rounds += 1;
    }
    deployment.must_be_exact();
}

#[test]
fn where_there_is_no_room_for_snapshots_it_goes_on_deciding() {
    let _turn = turn();
    let (seed, _) = seeded("where_there_is_no_room_for_snapshots_it_goes_on_deciding");
    let deployment = Deployment::new(&shared(), 2, &shipped_ruleset());
    let mut events: Vec<Event> = traffic(seed, size(10_000, 100_000)).collect();
    let later = events.split_off(events.len() / 2);
    produce(&deployment.input, events);
    let mut instances = [deployment.start_without_room(0)];
    instances[0].wait_until_ready();
    deployment.wait_until_done(REST, &mut instances);
    produce(&deployment.input, later);
    deployment.wait_until_done(REST, &mut instances);
    let [instance] = instances;
    instance.kill();
    let mut instances = [deployment.start(0)];
    instances[0].wait_until_ready();
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
}

#[test]
fn on_a_full_disk_it_goes_on_deciding_and_keeps_snapshots_once_there_is_room() {
    let _turn = turn();
    let (seed, _) = seeded("on_a_full_disk_it_goes_on_deciding");
    let disk = SlowDisk::build();
    let deployment =
        Deployment::new(&shared(), 2, &shipped_ruleset()).in_environment(disk.environment());
    disk.fill();
    produce(&deployment.input, traffic(seed, 5000));
    let mut instances = [deployment.start(0)];
    instances[0].wait_until_ready();
    deployment.wait_until_done(REST, &mut instances);
    produce(&deployment.input, traffic(seed + 1, 5000));
    deployment.wait_until_done(REST, &mut instances);
    let said = || instances[0].whole_log().contains("No space left on device").then_some(());
    assert!(within(REST, said).is_some(), "{}", instances[0].said());
    assert!(snapshots(&deployment.state_folder(0)).is_empty());
    disk.make_room();
    produce(&deployment.input, traffic(seed + 2, 5000));
    deployment.wait_until_done(REST, &mut instances);
    let [instance] = instances;
    instance.terminate();
    assert_eq!(snapshots(&deployment.state_folder(0)).len().min(2), 2);
    deployment.must_be_exact();
}

/// Between the newest snapshot and the committed offset there is no log any more.
#[test]
fn a_log_that_is_shorter_than_the_age_of_its_snapshots_is_refused_or_warmed_on_demand() {
    let _turn = turn();
    let (seed, _) = seeded("a_log_that_is_shorter_than_the_age_of_its_snapshots");
    let mut deployment = Deployment::new(&shared(), 3, &shipped_ruleset());
    let events = size(5_000, 100_000);
    decided(&deployment, 0, seed);
    produce(&deployment.input, traffic(seed + 1, events));
    let mut instances = [deployment.start_without_room(0)];
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::kill);
    deployment.must_be_exact();
    let committed = deployment.input.committed(&deployment.group).expect("the broker answers");
    let committed: Vec<i64> = committed.into_iter().map(|at| at.expect("it is decided")).collect();
    deployment.input.remove_before(&committed);
    produce(&deployment.input, traffic(seed + 2, events));
    ends_and_says(&deployment, &["the log behind the snapshot", "on_short_log"]);

    // On demand it begins with what is left, and says so in every decision.
    deployment = deployment.with_state("on_short_log", "warm");
    deployment.output = Topic::create(&shared(), "warming", 4);
    deployment.dead_letters = Topic::create(&shared(), "warming-dead-letters", 2);
    deployment.began = (0..).zip(committed).collect();
    let mut instances = [deployment.start(0)];
    instances[0].wait_until_ready();
    deployment.wait_until_done(REST, &mut instances);
    instances.into_iter().for_each(Instance::terminate);
    let mut audit = deployment.audit();
    audit.warms = true;
    let report = audit.must_be_clean();
    assert!(report.warming > events as usize / 2, "{} decisions say warming", report.warming);

    // What nobody has decided yet is gone: that is no matter of counters.
    produce(&deployment.input, traffic(seed + 3, events));
    deployment.input.remove_before(&deployment.input.ends());
    ends_and_says(&deployment, &["were removed before they were decided", "group's offset"]);
    // Moved behind the gap, as it says: the counters are not whole.
    let deployment = deployment.with_state("on_short_log", "refuse");
    deployment.input.commit(&deployment.group, &deployment.input.ends());
    ends_and_says(&deployment, &["set by something else", "on_short_log"]);
}

/// It ends by itself, because it cannot go on.
fn ends_and_says(deployment: &Deployment, words: &[&str]) {
    let mut refused = deployment.start(0);
    let (code, said) = (refused.wait_for_end(), refused.whole_log());
    assert_eq!(code, 69, "{said}");
    for part in words {
        assert!(said.contains(part), "not a word of {part}:\n{said}");
    }
}

/// Decides some events as this instance, to its end; what it said.
fn decided(deployment: &Deployment, number: usize, seed: u64) -> String {
    produce(&deployment.input, traffic(seed, 5000));
    let mut instances = [deployment.start(number)];
    deployment.wait_until_done(REST, &mut instances);
    let [instance] = instances;
    let said = instance.whole_log();
    instance.terminate();
    said
}

/// One instance after the other decides the same partitions, each with a folder of its own.
fn moves(url: &str, environment: Vec<(&'static str, String)>, place: &Path, seed: u64) {
    let deployment = Deployment::new(&shared(), 2, &shipped_ruleset()).sharing(url, environment);
    decided(&deployment, 0, seed);
    assert_eq!(snapshots(place).len().min(2), 2, "of each partition one at least");
    let said = decided(&deployment, 1, seed + 1);
    let restored: Vec<&str> = said.lines().filter(|line| line.contains("is restored")).collect();
    assert_eq!(restored.len(), 2, "{said}");
    for line in restored {
        assert!(line.contains("read_again=0 ") && !line.contains("snapshot=-1"), "{line}");
    }
    assert!(!said.contains(SECRET), "{said}");
    // The newest one is damaged: the one before it is used, and the log behind it.
    fs::remove_dir_all(deployment.state_folder(1)).unwrap();
    let mut dice = Dice::new(seed);
    flip(snapshots(place).last().unwrap(), &mut dice);
    decided(&deployment, 2, seed + 2);
    deployment.must_be_exact();
}

#[test]
fn a_partition_that_moves_finds_its_state_in_a_shared_folder() {
    let _turn = turn();
    let (seed, _) = seeded("a_partition_that_moves_finds_its_state_in_a_shared_folder");
    let place = tempfile::tempdir().unwrap();
    let url = format!("file://{}", place.path().display());
    moves(&url, Vec::new(), place.path(), seed);
}

#[test]
fn a_partition_that_moves_finds_its_state_in_an_object_store() {
    let _turn = turn();
    let (seed, _) = seeded("a_partition_that_moves_finds_its_state_in_an_object_store");
    let store = ObjectStore::start();
    moves(&store.url(), store.environment(), &store.place(), seed);
}

#[test]
fn an_object_store_that_is_gone_stops_nothing_and_is_counted() {
    let _turn = turn();
    let (seed, _) = seeded("an_object_store_that_is_gone_stops_nothing");
    let store = ObjectStore::start();
    let (url, environment) = (store.url(), store.environment());
    let deployment = Deployment::new(&shared(), 2, &shipped_ruleset()).sharing(&url, environment);
    decided(&deployment, 0, seed);
    drop(store);
    produce(&deployment.input, traffic(seed + 1, 5000));
    // It has snapshots of its own, and goes by them.
    let mut instances = [deployment.start(0)];
    deployment.wait_until_done(REST, &mut instances);
    let counted = within(Duration::from_secs(60), || {
        pause(200);
        let (_, metrics) = instances[0].get("/metrics")?;
        let line = metrics.lines().find(|line| line.starts_with("holdfast_snapshot_failures"))?;
        (!line.ends_with(" 0")).then_some(())
    });
    assert!(counted.is_some(), "{}", instances[0].said());
    instances.into_iter().for_each(Instance::terminate);
    deployment.must_be_exact();
}
