//! What its metrics say where that is not plain, and what it finds when it is asked.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use holdfast::{
    pipeline::ports::Broken,
    service::desk::{Answer, Question},
};

use serde_json::json;

use super::{Fate, PARTITIONS, Stage, TIME_MS};
use crate::support::{
    process::{pause, within},
    run::authorization,
};

const RULESET: &str = "[[counter]]\nname = \"n\"\nkey = [\"card_id\"]\ncount = true\n\
    window = \"30d\"\n[[rule]]\nid = \"r\"\nwhen = \"n > 5\"\naction = \"review\"\n";
const ALL: &str = "[output]\nemit = \"all\"\n";

/// The snapshots below a directory.
fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let below = paths.flat_map(|path| if path.is_dir() { snapshots(&path) } else { vec![path] });
    below.filter(|path| path.extension().is_some_and(|of| of == "snapshot")).collect()
}

#[test]
fn the_age_of_a_snapshot_is_its_own_whoever_starts() {
    let mut stage = Stage::start(RULESET);
    stage.append(60);
    stage.wait_until_decided();
    stage.end();
    let kept = snapshots(stage.snapshots());
    assert!(kept.len() >= PARTITIONS as usize, "{kept:?}");
    let hour = Duration::from_secs(3600);
    #[expect(clippy::disallowed_methods, reason = "files bear the time of day")]
    let then = SystemTime::now() - hour;
    for path in kept {
        File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }
    stage.instruments = holdfast::service::Instruments::new(&stage.settings.ruleset).unwrap();
    stage.run();
    stage.wait_until("holdfast_partitions", f64::from(PARTITIONS));
    let shown = || {
        let shown = stage.by_partition("holdfast_snapshot_timestamp_seconds");
        (shown.len() == PARTITIONS as usize).then_some(shown)
    };
    let shown = within(super::PATIENCE, shown).expect("one a partition");
    let due = then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!(shown.values().all(|at| (at - due).abs() < 1.0), "{shown:?}, and not {due}");
    let lag = stage.by_partition("holdfast_snapshot_lag_records");
    assert!(lag.values().all(|lag| *lag == 0.0), "{lag:?}");
    stage.end();
}

/// What was counted since it was last shown is not lost to whoever looks once more.
#[test]
fn at_its_end_everything_is_shown() {
    let mut stage = Stage::start(&format!("{ALL}{RULESET}"));
    stage.wait_for(&[]);
    stage.append(70);
    stage.wait_until_decided();
    stage.end();
    assert_eq!(stage.scrape().sum("holdfast_events_total", &[]), 70.0);
    assert_eq!(stage.scrape().sum("holdfast_queue_records", &[]), 0.0);
}

/// With nothing fetched, the ends of the log are those of the last fetch: the brokers are asked.
#[test]
fn the_lag_grows_while_nothing_is_read() {
    let mut stage = Stage::start(&format!("{ALL}{RULESET}"));
    stage.wait_for(&[]);
    stage.wait_until("holdfast_lag_records", 0.0);
    stage.output(Fate::Fails(Broken::ForNow("the output is away".to_owned())));
    stage.append(200);
    // More waits than may.
    let waiting =
        |stage: &Stage| stage.scrape().sum("holdfast_queue_bytes", &[("queue", "decided")]);
    while waiting(&stage) < 4096.0 {
        stage.append(50);
        pause(100);
    }
    stage.wishes.told_end.store(1, std::sync::atomic::Ordering::SeqCst);
    pause(1500);
    stage.append(400);
    let (appended, decided) =
        (stage.appended as f64, || stage.scrape().sum("holdfast_events_total", &[]));
    let right = || {
        let shown = stage.scrape().sum("holdfast_lag_records", &[]);
        (shown >= 400.0 && shown == appended - decided()).then_some(())
    };
    let told = within(super::PATIENCE, right);
    let shown = stage.by_partition("holdfast_lag_records");
    assert!(told.is_some(), "{shown:?} of {appended}, with {} decided", decided());
    stage.wishes.told_end.store(-1, std::sync::atomic::Ordering::SeqCst);
    stage.output(Fate::Taken);
    stage.wait_until_decided();
    stage.wait_until("holdfast_lag_records", 0.0);
    stage.wait_until("holdfast_lag_seconds", 0.0);
    stage.end();
}

/// A card that has only ever been allowed is in no output; its counters name its account.
#[test]
fn any_card_of_which_a_counter_keeps_something_is_found() {
    let mut stage = Stage::start(RULESET);
    stage.append(9000);
    stage.wait_until_decided();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let owner = |card: &str| {
        let question = Question::AccountOf { card: card.to_owned() };
        match runtime.block_on(stage.instruments.desk.ask(question)) {
            Ok(Answer::AccountOf(account)) => account,
            other => panic!("{other:?}"),
        }
    };
    for number in [0, 1, 4567, 8999] {
        assert_eq!(owner(&format!("c-{number}")), Some(format!("a-{number}")));
    }
    // What is the id of an account is not that of a card.
    assert_eq!(owner("a-1"), None);
    assert_eq!(owner("c-9000"), None);
    stage.end();
}

/// What a limit does to decisions is counted: no more of an account waits than may, and no case
/// links more than it may.
#[test]
fn what_limits_do_is_counted() {
    let ruleset = "[output]\nemit = \"all\"\n[limits]\npending_per_account = 1\nlinked_events = 1\n\
        [[counter]]\nname = \"n\"\nkey = [\"account_id\"]\ncount = true\nwindow = \"1h\"\n\
        [[rule]]\nid = \"many\"\nwhen = \"n >= 4\"\naction = \"verify\"\ntarget = \"account\"\n\
        reach = [\"n\"]\n";
    let mut stage = Stage::start(ruleset);
    for number in 0..6 {
        let fields = json!({"account_id": "a-1"});
        let event = authorization(&format!("e-{number}"), TIME_MS + number, fields);
        stage.log.append("a-1", TIME_MS + number, event.as_bytes());
    }
    stage.wait_until_decided();
    // The fourth waits, and links one of three; the fifth and the sixth may not wait.
    stage.wait_until("holdfast_limited_authorizations_total", 2.0);
    stage.wait_until("holdfast_truncated_links_total", 1.0);
    stage.end();
}
