//! Whether it is ready, and why not.

use holdfast::{
    pipeline::ports::{Broken, Change},
    service::health::Obstacle::{self, Delivery, Fenced, Group, Restoring},
};

use super::{Fate, Stage};

const RULESET: &str = "[output]\nemit = \"all\"\n[[rule]]\nid = \"r\"\nwhen = \"amount_minor > 5\"\naction = \"review\"\n";

fn cut_off() -> Fate {
    Fate::Fails(Broken::ForNow("the output is away".to_owned()))
}

#[test]
fn what_was_not_delivered_and_then_lost_does_not_stand_in_the_way_for_ever() {
    let mut stage = Stage::start(RULESET);
    stage.wait_for(&[]);
    stage.output(cut_off());
    stage.append(30);
    stage.wait_for(&[Delivery]);
    stage.change(Change::Lost);
    stage.wait_for(&[Fenced]);
    stage.output(Fate::Taken);
    stage.change(Change::Assigned);
    stage.wait_for(&[]);
    stage.wait_until_decided();
    // Each of them is timed once, by the transaction that it stands with.
    stage.wait_until("holdfast_end_to_end_seconds_count", 30.0);
    stage.append(12);
    stage.wait_until_decided();
    stage.wait_until("holdfast_end_to_end_seconds_count", 42.0);
    stage.end();
}

#[test]
fn what_is_delivered_again_is_timed_once() {
    let mut stage = Stage::start(RULESET);
    stage.wait_for(&[]);
    stage.output(cut_off());
    stage.append(5);
    stage.wait_for(&[Delivery]);
    stage.append(7);
    stage.output(Fate::Taken);
    stage.wait_for(&[]);
    stage.wait_until_decided();
    stage.wait_until("holdfast_end_to_end_seconds_count", 12.0);
    stage.end();
}

#[test]
fn what_stood_in_the_way_of_a_run_does_not_stand_in_that_of_the_next() {
    let mut stage = Stage::start(RULESET);
    stage.wait_for(&[]);
    stage.output(cut_off());
    stage.append(3);
    stage.wait_for(&[Delivery]);
    let stuck = Broken::Stuck("nothing has come of waiting".to_owned());
    stage.output(Fate::Fails(stuck.clone()));
    assert_eq!(stage.outcome(), Err(stuck));
    // With nothing to deliver.
    stage.log = holdfast::io::embedded::Embedded::new(super::PARTITIONS as u32);
    stage.output(Fate::Taken);
    stage.run();
    stage.wait_for(&[]);
    stage.end();
}

#[test]
fn without_a_share_it_is_not_ready() {
    let mut stage = Stage::start(RULESET);
    stage.wait_for(&[]);
    stage.change(Change::Revoked);
    stage.wait_for(&[Group]);
    stage.change(Change::Assigned);
    stage.wait_for(&[]);
    // Of more instances than partitions one has nothing, and that is its share.
    stage.change(Change::Revoked);
    stage.wait_for(&[Group]);
    stage.change(|_| Change::Assigned(Vec::new()));
    stage.wait_for(&[]);
    stage.end();
}

#[test]
fn while_it_restores_it_is_not_ready() {
    let mut stage = Stage::start(RULESET);
    stage.append(20);
    stage.wait_until_decided();
    stage.end();
    stage.instruments.health.cleared(Obstacle::Stopping);
    *stage.wishes.log.lock().unwrap() = Fate::Fails(Broken::ForNow("away".to_owned()));
    stage.run();
    stage.wait_for(&[Restoring]);
    *stage.wishes.log.lock().unwrap() = Fate::Taken;
    stage.wait_for(&[]);
    stage.end();
}

#[test]
fn a_loop_that_hangs_is_not_ready() {
    let mut stage = Stage::start(RULESET);
    stage.wait_for(&[]);
    stage.wishes.hangs_ms.store(8000, std::sync::atomic::Ordering::SeqCst);
    stage.wait_for(&[Obstacle::Silent]);
    stage.wait_for(&[]);
    stage.end();
}

#[test]
fn a_thread_that_panics_ends_the_service() {
    let says = |outcome: Result<(), Broken>, does: &str| {
        let Err(Broken::ForGood(why)) = outcome else { panic!("{outcome:?}") };
        assert!(why.contains(does), "{why}");
    };
    let mut stage = Stage::start(RULESET);
    stage.wait_for(&[]);
    stage.output(Fate::Panics);
    stage.append(3);
    says(stage.outcome(), "delivers");

    let mut stage = Stage::start(RULESET);
    stage.wait_for(&[]);
    *stage.wishes.shelf.lock().unwrap() = Fate::Panics;
    // Snapshots are taken while there is something to decide.
    while !stage.service.as_ref().unwrap().is_finished() {
        stage.append(3);
        crate::support::process::pause(100);
    }
    says(stage.outcome(), "snapshots");
}
