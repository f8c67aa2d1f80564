//! `holdfast incident`: the story of one account.

use std::{ffi::OsStr, io::Write, path::PathBuf};

use clap::ValueEnum;
use jiff::tz::TimeZone;

use crate::{
    incident::{Collector, Incident, Period, html, text},
    io::files::{Batch, total_bytes},
};

use super::{Exit, configuration, files, progress::Progress};

/// Tell the story of one account: what happened, what was decided and why, who answered, and what
/// each instrument paid, got back and is still out.
///
/// The whole log runs through the engine, so that every decision is what it was; the records of the
/// account are kept. Inputs are read as by `replay`. The end is 1 if there is nothing to tell.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Logs, in order; `-` is standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// The configuration
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Whose story: an account_id
    #[arg(long, value_name = "ID")]
    account: String,
    /// From this time on: 2026-01-05, 2026-01-05T10:30 (local), 2026-01-05T10:30:00+09:00, or epoch
    /// ms
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to and with this time; a date is meant to its end
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The form; else as the ending of the output says, else text
    #[arg(long, value_name = "FORM")]
    format: Option<Format>,
    /// Where the story goes; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Spread bare events over so many partitions by account, as Kafka's clients do
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65536))]
    partitions: u32,
    /// Say nothing about progress
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// For programs
    Json,
    /// One page that needs nothing else, for a browser and for paper
    Html,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Exit> {
    let settings = configuration::load(&args.config)?;
    let period = args.period(&settings.ruleset.timezone)?;
    let mut lines = files::open(&args.inputs)?;
    files::refuse_to_overwrite(&[&args.output], &args.inputs, &args.config)?;
    let mut collector = Collector::new(&settings, &args.account, args.partitions)?;
    let mut progress = Progress::new(total_bytes(&args.inputs), args.quiet);
    let mut batch = Batch::default();
    loop {
        lines.fill(&mut batch);
        if batch.is_empty() {
            break;
        }
        collector.lines(&batch)?;
        progress.at(batch.len(), lines.read_bytes());
    }
    progress.done();
    let broken = files::report_broken(&lines);

    let (log, nearest) = collector.finish();
    let account = &args.account;
    let absent = if log.is_empty() {
        let hint = nearest.map_or(String::new(), |name| format!("; is {name:?} meant?"));
        format!("the account {account:?} is not in the log{hint}")
    } else {
        let times: Vec<&String> = log.iter().filter_map(|e| e.local_time.as_ref()).collect();
        let known = times.first().zip(times.last());
        let known = known.map_or(String::new(), |(first, last)| format!(": {first} to {last}"));
        format!(
            "nothing of the account {account:?} is between --from and --to; it is in the log{known}"
        )
    };
    let incident = Incident::of(&settings, account, period, log);
    if incident.is_empty() {
        return broken.and(Err(Exit::Findings(absent)));
    }
    let mut output = files::create(&args.output)?;
    output.write_all(args.rendered(&incident).as_bytes())?;
    output.flush()?;
    broken
}

impl Args {
    fn period(&self, zone: &TimeZone) -> Result<Period, Exit> {
        let read = |name: &str, text: &Option<String>, is_end| {
            let Some(text) = text else { return Ok(None) };
            let zone_name = zone.iana_name().unwrap_or("UTC");
            Period::read(text, zone, is_end).map(Some).ok_or_else(|| {
                Exit::Usage(format!(
                    "--{name} {text:?} is no time: write 2026-01-05, 2026-01-05T10:30 (local, \
                     {zone_name}), 2026-01-05T10:30:00+09:00 or epoch ms"
                ))
            })
        };
        let period =
            Period { from: read("from", &self.from, false)?, to: read("to", &self.to, true)? };
        match (period.from, period.to) {
            (Some(from), Some(to)) if from > to => {
                Err(Exit::Usage("--from is later than --to: nothing can be between".to_owned()))
            }
            _ => Ok(period),
        }
    }

    fn rendered(&self, incident: &Incident) -> String {
        let ending = self.output.extension().and_then(OsStr::to_str);
        let format = self.format.unwrap_or(match ending {
            Some("json") => Format::Json,
            Some("html" | "htm") => Format::Html,
            _ => Format::Text,
        });
        match format {
            Format::Text => text::render(incident),
            Format::Json => incident.to_json(),
            Format::Html => html::render(incident),
        }
    }
}
