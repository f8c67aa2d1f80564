//! `holdfast validate`: is a configuration right, and what does it say in full?

use std::path::PathBuf;

use super::{Exit, configuration, counted};
use crate::io::kafka::client::check_properties;

/// Check a configuration; tell every problem at once, each with its place.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Show it as it is understood, with the defaults, secrets left out
    #[arg(long)]
    print: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Exit> {
    let settings = configuration::load(&args.config)?;
    check_properties(&settings.service.kafka)
        .map_err(|why| Exit::Configuration(format!("error: {why}")))?;
    let ruleset = &settings.ruleset;
    if args.print {
        print!("# ruleset {}\n{}", ruleset.identity, settings.resolved);
    }
    eprintln!(
        "{}: {}, {}, ruleset {}",
        args.config.display(),
        counted(ruleset.counters.len(), "counter"),
        counted(ruleset.rules.len(), "rule"),
        ruleset.identity
    );
    if !ruleset.single_partition.is_empty() {
        eprintln!(
            "note: a log of several partitions will be refused; scope = \"partition\" is not said by: {}",
            ruleset.single_partition.join(", ")
        );
    }
    Ok(())
}
