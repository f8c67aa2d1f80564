//! `holdfast test`: unit tests of a ruleset.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{config::Settings, testing::Case};

use super::{Exit, configuration, counted};

/// Test a ruleset: run cases through it, and compare what is decided with what they expect.
///
/// A case is a TOML file with events and the decisions expected of them; of a directory, every
/// .toml file in it is one. What fails is shown beside what was expected. docs/testing.md says how
/// a case is written.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration under test
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Cases, or directories of cases
    #[arg(required = true, value_name = "CASE")]
    cases: Vec<PathBuf>,
    /// Show what came of every event
    #[arg(short, long)]
    verbose: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Exit> {
    let settings = configuration::load(&args.config)?;
    let mut out = io::stdout().lock();
    let (mut passed, mut failed, mut wrong) = (0, 0, 0);
    let mut held = BTreeSet::new();
    for path in files(&args.cases)? {
        let Some(case) = read(&path, &settings)? else {
            wrong += 1;
            continue;
        };
        let report = case.run(&settings);
        *(if report.passed() { &mut passed } else { &mut failed }) += 1;
        held.extend(report.rules_that_held().map(str::to_owned));
        report.print(args.verbose, &mut out)?;
    }
    let unread = if wrong > 0 { format!(", {wrong} not understood") } else { String::new() };
    let all = counted(passed + failed + wrong, "case");
    writeln!(out, "{all}: {passed} passed, {failed} failed{unread}")?;
    let quiet: Vec<&str> = settings
        .ruleset
        .rules
        .iter()
        .map(|rule| rule.id.as_str())
        .filter(|id| !held.contains(*id))
        .collect();
    if !quiet.is_empty() {
        let all = settings.ruleset.rules.len();
        eprintln!("note: {} of {all} rules held in no case: {}", quiet.len(), quiet.join(", "));
    }
    if wrong > 0 {
        return Err(Exit::Input);
    }
    if failed > 0 { Err(Exit::Findings(String::new())) } else { Ok(()) }
}

/// A case, if it can be understood; else it is said why not.
fn read(path: &Path, settings: &Settings) -> Result<Option<Case>, Exit> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| Exit::Usage(format!("the case {name} cannot be opened: {error}")))?;
    let Ok(text) = String::from_utf8(bytes) else {
        eprintln!("error: {name} is not UTF-8");
        return Ok(None);
    };
    let case = Case::read(&name, text, settings);
    Ok(case.map_err(|problems| eprintln!("{problems}")).ok())
}

/// The cases that are named, and those in directories, by name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Exit> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable = |error: io::Error| {
            Exit::Usage(format!("the directory {} cannot be read: {error}", path.display()))
        };
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.extension().is_some_and(|extension| extension == "toml") {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            return Err(Exit::Usage(format!("there is no case (.toml) in {}", path.display())));
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}
