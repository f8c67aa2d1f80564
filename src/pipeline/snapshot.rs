//! A partition's state as bytes that outlive the program.
//!
//! ```text
//! "HOLDFST1" | length of the header | header, JSON | state, in zstd | CRC-32C of all before
//! state: blocks, each its length and values, postcard
//! ```
//!
//! A value lies in one block. So neither the state nor the text of it is ever there as a whole.
//!
//! The header says what it is a state of, and carries the configuration that made it: a partition
//! that is restored under another ruleset is first brought up to date under its own.

use std::{
    io::{Read, Write},
    mem,
    sync::Arc,
};

use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

use super::note::{Note, Stretch};
use crate::{
    engine::{Engine, Ruleset},
    stream::{Sink, Source},
};

const MAGIC: &[u8; 8] = b"HOLDFST1";
/// Fast: what costs is the disk.
const COMPRESSION_LEVEL: i32 = 1;
/// A block that has so many bytes is whole.
const BLOCK_BYTES: usize = 64 << 10;
/// Room for a block, and for the end of its last value.
const BLOCK_ROOM: usize = BLOCK_BYTES + (8 << 10);

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
pub const SCHEMA: &str = "holdfast.snapshot/4";

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

/// Called again and again, with little done in between: whoever makes or reads a snapshot beside the
/// decisions leaves the processor to others there.
pub type Breathe<'b> = &'b mut dyn FnMut();

/// A snapshot of an engine as bytes.
///
/// # Errors
/// The state cannot be written as postcard, which is a defect.
pub fn encode(header: &Header, engine: &Engine, breathe: Breathe<'_>) -> Result<Vec<u8>, String> {
    whole(header, |body| write(engine, body, breathe))
}

/// The state of an engine, not compressed yet: a copy that is quickly made.
///
/// # Errors
/// The state cannot be written as postcard, which is a defect.
pub fn copy(engine: &Engine) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    write(engine, &mut bytes, &mut || ()).map(|()| bytes)
}

/// A snapshot as bytes, of a state that was copied.
///
/// # Errors
/// They cannot be compressed, which is a defect.
pub fn encode_copy(header: &Header, copy: &[u8], breathe: Breathe<'_>) -> Result<Vec<u8>, String> {
    whole(header, |body| {
        copy.chunks(BLOCK_BYTES).try_for_each(|some| {
            breathe();
            body.write_all(some).map_err(|error| error.to_string())
        })
    })
}

fn whole(
    header: &Header,
    state: impl FnOnce(&mut zstd::Encoder<'_, Vec<u8>>) -> Result<(), String>,
) -> Result<Vec<u8>, String> {
    let json = serde_json::to_vec(header).map_err(|error| error.to_string())?;
    let mut bytes = Vec::with_capacity(json.len() + 4096);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(json.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&json);
    let mut body = zstd::Encoder::new(bytes, COMPRESSION_LEVEL).map_err(|e| e.to_string())?;
    state(&mut body)?;
    let mut bytes = body.finish().map_err(|error| error.to_string())?;
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

fn write(engine: &Engine, to: impl Write, breathe: Breathe<'_>) -> Result<(), String> {
    let mut blocks = Blocks { to, block: Vec::with_capacity(BLOCK_ROOM), breathe };
    engine.write(&mut blocks)?;
    blocks.end()
}

/// Values as blocks.
struct Blocks<'b, W> {
    to: W,
    block: Vec<u8>,
    breathe: Breathe<'b>,
}

impl<W: Write> Blocks<'_, W> {
    fn end(&mut self) -> Result<(), String> {
        let length = (self.block.len() as u32).to_le_bytes();
        let written = self.to.write_all(&length).and_then(|()| self.to.write_all(&self.block));
        self.block.clear();
        (self.breathe)();
        written.map_err(|error| error.to_string())
    }
}

impl<W: Write> Sink for Blocks<'_, W> {
    type Error = String;

    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), String> {
        if self.block.len() >= BLOCK_BYTES {
            self.end()?;
        }
        let block = mem::take(&mut self.block);
        self.block = postcard::to_extend(value, block).map_err(|error| error.to_string())?;
        Ok(())
    }

    fn put_bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.put(&Bytes(bytes))
    }
}

/// Written as they are, not as numbers.
struct Bytes<'b>(&'b [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
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
    let (rest, sum) = bytes.split_last_chunk::<4>().ok_or_else(|| damaged("it is too short"))?;
    match crc32c::crc32c(rest) == u32::from_le_bytes(*sum) {
        true => Ok(rest),
        false => Err(damaged("its checksum does not fit")),
    }
}

fn damaged(what: impl ToString) -> Unreadable {
    Unreadable::Damaged(what.to_string())
}

/// A snapshot that is read.
#[derive(Debug)]
pub struct Snapshot<'b> {
    /// What it is a state of.
    pub header: Header,
    body: &'b [u8],
}

/// What bytes are a snapshot of.
///
/// # Errors
/// They are none that this program can read.
pub fn decode(bytes: &[u8]) -> Result<Snapshot<'_>, Unreadable> {
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
    let form: Form = serde_json::from_slice(json).map_err(damaged)?;
    if form.schema != SCHEMA {
        return Err(Unreadable::OtherForm(form.schema));
    }
    Ok(Snapshot { header: serde_json::from_slice(json).map_err(damaged)?, body })
}

impl Snapshot<'_> {
    /// An engine in its state, under the ruleset of its header.
    ///
    /// # Errors
    /// It is damaged.
    pub fn engine(
        &self,
        ruleset: Arc<Ruleset>,
        breathe: Breathe<'_>,
    ) -> Result<Engine, Unreadable> {
        let from = zstd::Decoder::new(self.body).map_err(damaged)?;
        let mut values = Values { from, block: Vec::with_capacity(BLOCK_ROOM), at: 0, breathe };
        let engine = Engine::read(ruleset, &mut values)?;
        match values.rest()?.is_empty() {
            true => Ok(engine),
            false => Err(damaged("it goes on behind its end")),
        }
    }
}

/// Blocks as values.
struct Values<'b, R> {
    from: R,
    block: Vec<u8>,
    /// Where the next value begins.
    at: usize,
    breathe: Breathe<'b>,
}

impl<R: Read> Values<'_, R> {
    /// What is left of the block; the next one, where nothing is; at the end, nothing.
    fn rest(&mut self) -> Result<&[u8], Unreadable> {
        if self.at == self.block.len() {
            (self.breathe)();
            self.at = 0;
            self.block.clear();
            let mut length = [0; 4];
            match self.from.by_ref().take(4).read_to_end(&mut self.block).map_err(damaged)? {
                0 => return Ok(&[]),
                4 => length.copy_from_slice(&self.block),
                _ => return Err(damaged("it ends in the middle")),
            }
            self.block.clear();
            let length = u64::from(u32::from_le_bytes(length));
            let read = self.from.by_ref().take(length).read_to_end(&mut self.block);
            if read.map_err(damaged)? as u64 != length {
                return Err(damaged("it ends in the middle"));
            }
        }
        Ok(&self.block[self.at..])
    }

    /// So many bytes are left behind the value that was taken.
    fn leave(&mut self, left: usize) {
        self.at = self.block.len() - left;
    }
}

impl<R: Read> Source for Values<'_, R> {
    type Error = Unreadable;

    fn take<T: DeserializeOwned>(&mut self) -> Result<T, Unreadable> {
        let (value, rest) = postcard::take_from_bytes(self.rest()?).map_err(damaged)?;
        let left = rest.len();
        self.leave(left);
        Ok(value)
    }

    fn take_bytes(&mut self) -> Result<&[u8], Unreadable> {
        let (bytes, rest) = postcard::take_from_bytes::<&[u8]>(self.rest()?).map_err(damaged)?;
        let (length, left) = (bytes.len(), rest.len());
        self.leave(left);
        Ok(&self.block[self.at - length..self.at])
    }
}
