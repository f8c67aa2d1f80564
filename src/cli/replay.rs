//! `holdfast replay`: logs through the engine, decisions out.

use std::path::PathBuf;

use bumpalo::Bump;
use clap::ValueEnum;

use crate::{
    config::{Emit, Settings},
    io::files::{Batch, total_bytes},
    replay::{Outputs, Replay},
};

use super::{Exit, configuration, files, progress::Progress};

/// Run logs through the engine as fast as the machine goes.
///
/// Inputs are JSON lines, plain, .gz or .zst, read one after another as one log; `-` is standard
/// input. A line is an event, or an envelope as `kcat -J` writes it, which brings its partition,
/// offset and timestamp along. The last line on standard error is one line of JSON with what became
/// of the events.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Logs, in order; `-` is standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// The configuration
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Where decisions go; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Where refused events go, with the reason
    #[arg(long, value_name = "FILE")]
    dead_letters: Option<PathBuf>,
    /// Where the counters of every decided event go, as CSV
    #[arg(long, value_name = "FILE")]
    features: Option<PathBuf>,
    /// Which decisions are written; else as `emit` of the configuration says
    #[arg(long, value_name = "WHICH")]
    emit: Option<Which>,
    /// Spread bare events over so many partitions by account, as Kafka's clients do
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65536))]
    partitions: u32,
    /// Say nothing about progress
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// All but allow
    Actions,
    /// An allow too, if a rule held
    Findings,
    /// Every one
    All,
}

impl From<Which> for Emit {
    fn from(which: Which) -> Emit {
        match which {
            Which::Actions => Emit::Actions,
            Which::Findings => Emit::Findings,
            Which::All => Emit::All,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Exit> {
    let settings = configuration::load(&args.config)?;
    let mut lines = files::open(&args.inputs)?;
    args.refuse_to_overwrite()?;
    let mut replay = Replay::new(&settings, args.partitions, args.outputs(&settings)?)?;
    let mut progress = Progress::new(total_bytes(&args.inputs), args.quiet);

    let (mut batch, mut arena) = (Batch::default(), Bump::new());
    loop {
        lines.fill(&mut batch);
        if batch.is_empty() {
            break;
        }
        replay.lines(&batch, &mut arena)?;
        progress.at(batch.len(), lines.read_bytes());
    }
    replay.finish()?;
    progress.done();

    let broken = files::report_broken(&lines);
    report(&settings, &replay, args.dead_letters.is_some());
    eprintln!("{}", replay.statistics().closing_line(progress.seconds()));
    // The process ends here: to free every owner by itself first would take a while for nothing.
    std::mem::forget(replay);
    broken
}

/// What a user should know beside the decisions.
fn report(settings: &Settings, replay: &Replay<'_>, kept_dead_letters: bool) {
    let tally = replay.tally();
    let ruleset = &settings.ruleset;
    for (rule, errors) in ruleset.rules.iter().zip(&tally.rule_errors) {
        if *errors > 0 {
            eprintln!(
                "warning: rule {} failed {errors} times (a division by zero, an overflow, or \
                 attributes of unlike types); it did not hold then",
                rule.id
            );
        }
    }
    for (counter, values) in ruleset.counters.iter().zip(&tally.unusable_values) {
        if *values > 0 {
            let name = &counter.name;
            eprintln!("warning: counter {name} met {values} values of a type it cannot count");
        }
    }
    let degraded = tally.states[crate::decision::State::Degraded as usize];
    if degraded > 0 {
        eprintln!(
            "warning: {} decisions are degraded: a window reaches behind the events that \
             events_per_key keeps",
            degraded
        );
    }
    let reasons: Vec<String> = replay
        .statistics()
        .reasons()
        .map(|(reason, count)| format!("{} {}", count, reason.name()))
        .collect();
    if !reasons.is_empty() {
        let hint = if kept_dead_letters { "" } else { " (--dead-letters FILE keeps them)" };
        eprintln!("dead letters: {}{hint}", reasons.join(", "));
    }
}

impl Args {
    fn outputs(&self, settings: &Settings) -> Result<Outputs, Exit> {
        let emit = self.emit.map_or(settings.emit, Emit::from);
        let mut outputs = Outputs::new(emit).decisions_to(files::create(&self.output)?);
        if let Some(path) = &self.features {
            outputs = outputs.features_to(files::create(path)?);
        }
        if let Some(path) = &self.dead_letters {
            outputs = outputs.dead_letters_to(files::create(path)?);
        }
        Ok(outputs)
    }

    fn refuse_to_overwrite(&self) -> Result<(), Exit> {
        let outputs = [Some(&self.output), self.features.as_ref(), self.dead_letters.as_ref()];
        let outputs: Vec<&PathBuf> = outputs.into_iter().flatten().collect();
        files::refuse_to_overwrite(&outputs, &self.inputs, &self.config)
    }
}
