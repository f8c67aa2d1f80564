//! `holdfast schema`: the JSON schema of the configuration.

use std::io::Write;

use crate::config::schema;

use super::Exit;

/// Print the JSON schema of the configuration, for editors.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_: &Args) -> Result<(), Exit> {
    Ok(writeln!(std::io::stdout(), "{:#}", schema::schema())?)
}
