//! From a file and the environment to valid settings, or to every problem at once.
//!
//! [`document`] says what was written and where, [`shape`] and [`keys`] what may be written,
//! `ruleset` what it means together.

pub mod document;
pub mod duration;
mod identity;
pub mod keys;
pub mod print;
pub mod problem;
mod ruleset;
pub mod schema;
pub mod secrets;
pub mod service;
pub mod shape;

use std::sync::Arc;

use crate::{
    decision::{Action, Decision},
    engine::Ruleset,
};

use document::{Document, Node};
pub use problem::{Problem, Problems};
pub use service::Service;

/// Which decisions are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// All but allow.
    Actions,
    /// An allow too, if it has reasons, shadow rules or suppressed ones.
    Findings,
    /// Every one.
    All,
}

impl Emit {
    /// Is this decision to be written?
    pub fn wants(self, decision: &Decision<'_>) -> bool {
        match self {
            Emit::All => true,
            Emit::Findings => decision.action != Action::Allow || decision.has_findings(),
            Emit::Actions => decision.action != Action::Allow,
        }
    }

    /// The value of this name.
    pub fn named(name: &str) -> Option<Emit> {
        let at = keys::EMITS.iter().position(|known| *known == name)?;
        Some([Emit::Actions, Emit::Findings, Emit::All][at])
    }
}

/// A valid configuration.
#[derive(Debug)]
pub struct Settings {
    /// Everything that decides.
    pub ruleset: Arc<Ruleset>,
    /// Which decisions are written.
    pub emit: Emit,
    /// It as it is understood, as TOML, secrets left out.
    pub resolved: String,
    /// What of it decides, as TOML.
    pub ruleset_text: String,
    /// What only the service goes by.
    pub service: Service,
}

impl Settings {
    /// Reads a configuration: `name` is what messages call the file, `environment` the variables
    /// that may set keys (others are passed over).
    ///
    /// # Errors
    /// All problems at once.
    pub fn read(
        name: &str,
        text: String,
        environment: &[(String, String)],
    ) -> Result<Settings, Problems> {
        let (document, mut problems) = Document::read(name, text, environment);
        problems.extend(shape::check(&document, &keys::ROOT));
        let (ruleset, more) = ruleset::build(&document);
        problems.extend(more);
        let (service, more) = service::build(&document);
        problems.extend(more);
        let Some(ruleset) = ruleset.filter(|_| problems.is_empty()) else {
            return Err(Problems::new(document.sources, problems));
        };
        let output = document.root.get("output").and_then(Node::table);
        let emit = output.and_then(|t| t.get("emit")).and_then(Node::text).and_then(Emit::named);
        Ok(Settings {
            ruleset: Arc::new(ruleset),
            emit: emit.unwrap_or(Emit::Actions),
            resolved: print::print(&document.root),
            ruleset_text: print::print_ruleset(&document.root),
            service,
        })
    }
}
