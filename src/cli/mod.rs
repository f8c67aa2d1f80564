//! The commands. Standard output is data; standard error is for people and logs.

mod answer;
mod completions;
mod configuration;
mod demo;
mod exit;
mod files;
mod generate;
mod health;
mod incident;
mod metrics;
mod progress;
mod replay;
mod run;
mod schema;
mod test;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use exit::Exit;

/// Exact, explainable fraud detection on a log of card authorizations.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 findings (tests failed); 2 usage; 65 an input that cannot be read to \
                        its end; 69 something needed is unavailable; 78 a bad configuration."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run logs through the engine as fast as the machine goes
    Replay(replay::Args),
    /// Decide what comes from Kafka, as a service
    Run(run::Args),
    /// Ask a service that runs here whether it is ready
    Health(health::Args),
    /// Watch generated traffic being decided; needs nothing
    Demo(demo::Args),
    /// Write an answer about events, a case, a card or an account
    Answer(answer::Args),
    /// Check a configuration; tell every problem at once
    Validate(validate::Args),
    /// Tell the story of one account: who paid what, what was decided, who answered
    Incident(incident::Args),
    /// Test a ruleset with cases: events, and the decisions expected of them
    Test(test::Args),
    /// Generate synthetic traffic with labelled fraud in it
    Generate(generate::Args),
    /// Print the JSON schema of the configuration, for editors
    Schema(schema::Args),
    /// Print the reference of all metrics, as Markdown
    #[command(hide = true)]
    Metrics(metrics::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Replay(args) => replay::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Answer(args) => answer::run(&args),
        Command::Incident(args) => incident::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Metrics(args) => metrics::run(&args),
        Command::Completions(args) => completions::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}

/// So many of them, for people.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
