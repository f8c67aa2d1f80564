//! The configuration that a command works under.

use std::path::Path;

use crate::config::{Settings, document::ENVIRONMENT_PREFIX};

use super::Exit;

/// Reads the file, and lays the environment over it.
pub fn load(path: &Path) -> Result<Settings, Exit> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| Exit::Configuration(format!("error: {name} cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Exit::Configuration(format!("error: {name} is not UTF-8: see its byte {at}"))
    })?;
    let text = text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned);
    Settings::read(&name, text, &environment())
        .map_err(|problems| Exit::Configuration(problems.to_string()))
}

#[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
fn environment() -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> =
        std::env::vars().filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX)).collect();
    variables.sort();
    variables
}
