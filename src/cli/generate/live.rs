//! Traffic into a topic as it would arrive: the first event is now, each is written at its time.

use std::{path::Path, time::Duration};

use crate::{
    cli::{Exit, configuration},
    io::{
        clock::{epoch_ms, pause},
        kafka::{Client, writer::Feed},
    },
    traffic::{Settings, Traffic, account_id},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Writes all of it; ends when it has been written.
pub(super) fn run(settings: Settings, config: &Path) -> Result<(), Exit> {
    let service = configuration::load(config)?.service;
    let client = Client::new(&service.kafka, "generate".to_owned())
        .map_err(|why| Exit::Configuration(format!("error: {why}")))?;
    let unavailable = |why: String| {
        let kafka = &client.kafka;
        let brokers = kafka.brokers.as_deref().unwrap_or_default();
        Exit::Unavailable(format!("{} at {brokers} cannot be written to: {why}", kafka.input))
    };
    let feed = Feed::new(&client).map_err(unavailable)?;
    let start_ms = epoch_ms();
    // Ids go on from those of an earlier run, so that they are no repeats of its events.
    let mut traffic = Traffic::new(Settings { start_ms, first_id: start_ms as u64, ..settings });
    let (mut line, mut written) = (String::new(), 0_u64);
    while let Some(stamp) = traffic.next_into(&mut line) {
        pause(Duration::from_millis((stamp.arrival_ms - epoch_ms()).max(0) as u64));
        feed.send(&account_id(stamp.account), line.as_bytes()).map_err(unavailable)?;
        written += 1;
    }
    feed.finish(PATIENCE).map_err(unavailable)?;
    eprintln!("{written} events written to {}", client.kafka.input);
    Ok(())
}
