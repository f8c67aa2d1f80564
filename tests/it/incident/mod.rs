//! The story of one account: what is told, in which form, and that it adds up.

mod answers;
mod commands;
mod ledger;
mod pages;
mod stories;

use holdfast::{
    config::Settings,
    incident::{Collector, Incident, Period},
    io::files::Batch,
};

/// The story that these lines tell of account `a`.
fn story(settings: &Settings, lines: &[String]) -> Incident {
    story_of(settings, lines, "a")
}

fn story_of(settings: &Settings, lines: &[String], account: &str) -> Incident {
    let mut collector = Collector::new(settings, account, 1).expect("a run can begin");
    for (at, chunk) in lines.chunks(7).enumerate() {
        let mut batch = Batch::default();
        for (n, line) in chunk.iter().enumerate() {
            batch.push((at * 7 + n) as u64, line.as_bytes());
        }
        collector.lines(&batch).expect("a run can go on");
    }
    let (log, _) = collector.finish();
    Incident::of(settings, account, Period::default(), log)
}
