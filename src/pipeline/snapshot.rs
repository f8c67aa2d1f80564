//! A partition's state as bytes that outlive the program.
//!
//! ```text
//! "HOLDFST1" | length of the header | header, JSON | state, postcard in zstd | CRC-32C of all before
//! ```
//!
//! The header says what it is a state of, and carries the configuration that made it: a partition
//! that is restored under another ruleset is first brought up to date under its own.

use std::io::{Read, Write};

use serde::{Deserialize, Serialize};

use super::note::{Note, Stretch};
use crate::engine::EngineState;

const MAGIC: &[u8; 8] = b"HOLDFST1";
/// Fast: what costs is the disk.
const COMPRESSION_LEVEL: i32 = 1;

/// What a snapshot is a state of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The name and version of the form of the state.
    pub schema: String,
    /// The partition of the input.
    pub partition: i32,
    /// The offset of the next record.
    pub offset: i64,
    /// The offset from which on the partition has been decided.
    pub origin: i64,
    /// The offset from which on this ruleset has decided it.
    pub since: i64,
    /// What decided it before, oldest first.
    #[serde(default)]
    pub before: Vec<Stretch>,
    /// The clock in epoch ms, if anything was accepted.
    pub clock_ms: Option<i64>,
    /// The identity of the ruleset.
    pub ruleset: String,
    /// The configuration of that ruleset, as TOML, without secrets.
    pub configuration: String,
}

impl Header {
    /// What has decided the partition up to here.
    pub fn note(&self) -> Note {
        let now = Stretch { since: self.since, ruleset: self.ruleset.clone() };
        Note { origin: self.origin, before: self.before.clone(), now }
    }
}

/// The form of the state that this program writes and reads.
pub const SCHEMA: &str = "holdfast.snapshot/3";

/// Why bytes are no snapshot.
#[derive(Debug)]
pub enum Unreadable {
    /// They are cut off, damaged, or something else.
    Damaged(String),
    /// Another version of the program wrote them.
    OtherForm(String),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unreadable::Damaged(what) => write!(f, "it is damaged: {what}"),
            Unreadable::OtherForm(form) => {
                write!(f, "its form is {form}, and this program reads {SCHEMA}")
            }
        }
    }
}

/// A snapshot as bytes.
///
/// # Errors
/// The state cannot be written as postcard, which is a defect.
pub fn encode(header: &Header, state: &EngineState) -> Result<Vec<u8>, String> {
    let json = serde_json::to_vec(header).map_err(|error| error.to_string())?;
    let mut bytes = Vec::with_capacity(json.len() + 4096);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(json.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&json);
    let mut body = zstd::Encoder::new(bytes, COMPRESSION_LEVEL).map_err(|e| e.to_string())?;
    postcard::to_io(state, &mut body).map_err(|error| error.to_string())?;
    body.flush().map_err(|error| error.to_string())?;
    let mut bytes = body.finish().map_err(|error| error.to_string())?;
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

/// Are these bytes as they were written?
///
/// # Errors
/// They are cut off or damaged.
pub fn check(bytes: &[u8]) -> Result<(), Unreadable> {
    checked(bytes).map(|_| ())
}

/// All but the checksum, which fits.
fn checked(bytes: &[u8]) -> Result<&[u8], Unreadable> {
    let damaged = |what: &str| Unreadable::Damaged(what.to_owned());
    let (rest, sum) = bytes.split_last_chunk::<4>().ok_or_else(|| damaged("it is too short"))?;
    match crc32c::crc32c(rest) == u32::from_le_bytes(*sum) {
        true => Ok(rest),
        false => Err(damaged("its checksum does not fit")),
    }
}

/// What bytes are a snapshot of, and the state.
///
/// # Errors
/// They are none that this program can read.
pub fn decode(bytes: &[u8]) -> Result<(Header, EngineState), Unreadable> {
    let damaged = |what: &str| Unreadable::Damaged(what.to_owned());
    let rest = checked(bytes)?;
    let rest = rest.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not begin as one"))?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("no header"))?;
    let (json, body) = rest
        .split_at_checked(u32::from_le_bytes(*length) as usize)
        .ok_or_else(|| damaged("its header is cut off"))?;
    #[derive(Deserialize)]
    struct Form {
        schema: String,
    }
    let form: Form = serde_json::from_slice(json).map_err(|error| damaged(&error.to_string()))?;
    if form.schema != SCHEMA {
        return Err(Unreadable::OtherForm(form.schema));
    }
    let header: Header =
        serde_json::from_slice(json).map_err(|error| damaged(&error.to_string()))?;
    let mut state = Vec::new();
    zstd::Decoder::new(body)
        .and_then(|mut body| body.read_to_end(&mut state))
        .map_err(|error| damaged(&error.to_string()))?;
    let state = postcard::from_bytes(&state).map_err(|error| damaged(&error.to_string()))?;
    Ok((header, state))
}
