//! `holdfast metrics`: the reference of all metrics, as docs/metrics.md has it.

use super::Exit;

/// Print the reference of all metrics, as Markdown.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_: &Args) -> Result<(), Exit> {
    let text = crate::metrics::markdown();
    Ok(std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?)
}
