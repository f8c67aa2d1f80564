//! How a command ends that does not end well: what is said, and the code.

use std::{io, process::ExitCode};

use crate::replay::Stop;

/// A bad end.
#[derive(Debug)]
pub enum Exit {
    /// What was looked for was not found, or what was checked is not right.
    Findings(String),
    /// The arguments do not fit together, or name what is not there.
    Usage(String),
    /// An input could not be read to its end; the rest was done, and it has been said where.
    Input,
    /// Something outside failed: an output that cannot be written.
    Unavailable(String),
    /// The configuration is wrong.
    Configuration(String),
    /// Nobody reads the output any more: nothing to say.
    Unread,
    /// With this code; why has been said.
    Told(u8),
}

impl Exit {
    /// The code, and what is to be said.
    pub fn told(self) -> (u8, String) {
        match self {
            Exit::Findings(message) => (1, message),
            Exit::Usage(message) => (2, format!("error: {message}")),
            Exit::Input => (65, String::new()),
            Exit::Unavailable(message) => (69, format!("error: {message}")),
            Exit::Configuration(message) => (78, message),
            Exit::Unread => (69, String::new()),
            Exit::Told(code) => (code, String::new()),
        }
    }

    /// Says it on standard error, and gives the code.
    pub fn report(self) -> ExitCode {
        let (code, message) = self.told();
        if !message.is_empty() {
            eprintln!("{message}");
        }
        ExitCode::from(code)
    }
}

impl From<io::Error> for Exit {
    fn from(error: io::Error) -> Exit {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Exit::Unread,
            _ => Exit::Unavailable(format!("the output cannot be written: {error}")),
        }
    }
}

impl From<Stop> for Exit {
    fn from(stop: Stop) -> Exit {
        match stop {
            Stop::Output(error) => error.into(),
            Stop::SeveralPartitions(counters) => Exit::Configuration(format!(
                "error: the log has several partitions, and these counters are exact within one \
                 only, because their key holds neither account_id nor a field of it: {}\n\
                 help: if counting within a partition is meant, say so: scope = \"partition\"",
                counters.join(", ")
            )),
        }
    }
}
