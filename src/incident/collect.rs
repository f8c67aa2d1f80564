//! A whole log through the engine, and of all that only what concerns one account.
//!
//! The whole log must run: a counter may be keyed by what accounts share, and every event moves the
//! clock. A line of the account runs by itself, so that its fate and what it causes are its own;
//! the lines between run together as in any replay. How lines are batched changes no decision.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use bumpalo::Bump;
use jiff::tz::TimeZone;
use memchr::memmem::Finder;
use serde_json::{Map, Value};

use super::{Entry, integer, local, text};
use crate::{
    config::{Emit, Settings},
    decision::Fate,
    event::Field,
    io::files::Batch,
    replay::{Outputs, Replay, Stop},
    wire::{
        pan,
        record::{self, Record},
    },
};

/// How alike an account's name must be to be offered instead.
const ALIKE: f64 = 0.8;

/// A run over a log that keeps the records of one account.
pub struct Collector<'s> {
    replay: Replay<'s>,
    decisions: Tap,
    letters: Tap,
    account: String,
    mentions: Mentions,
    zone: TimeZone,
    entries: Vec<Entry>,
    /// While nothing of the account has come, the account most like it, and how much it is.
    nearest: Option<(f64, String)>,
    others: Batch,
    arena: Bump,
}

/// What a replay writes, for its reader to take.
#[derive(Debug, Clone, Default)]
struct Tap(Arc<Mutex<Vec<u8>>>);

impl Tap {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tells quickly that a line does not name the account.
struct Mentions {
    plain: Finder<'static>,
    /// Can the name stand in JSON with a backslash that is no `\u`?
    escapes: bool,
}

impl Mentions {
    fn of(account: &str) -> Mentions {
        let escapes = account.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | '/'));
        Mentions { plain: Finder::new(account).into_owned(), escapes }
    }

    fn may_be_in(&self, line: &[u8]) -> bool {
        self.plain.find(line).is_some()
            || memchr::memmem::find(line, b"\\u").is_some()
            || self.escapes && memchr::memchr(b'\\', line).is_some()
    }
}

impl<'s> Collector<'s> {
    /// A run that has read nothing yet; `spread` as for [`Replay::new`].
    ///
    /// # Errors
    /// The ruleset is not exact on several partitions.
    pub fn new(settings: &'s Settings, account: &str, spread: u32) -> Result<Self, Stop> {
        let (decisions, letters) = (Tap::default(), Tap::default());
        let outputs = Outputs::new(Emit::All)
            .decisions_to(Box::new(decisions.clone()))
            .dead_letters_to(Box::new(letters.clone()));
        Ok(Collector {
            replay: Replay::new(settings, spread, outputs)?,
            decisions,
            letters,
            account: account.to_owned(),
            mentions: Mentions::of(account),
            zone: settings.ruleset.timezone.clone(),
            entries: Vec::new(),
            nearest: None,
            others: Batch::default(),
            arena: Bump::new(),
        })
    }

    /// The next lines of the log.
    ///
    /// # Errors
    /// One is of a second partition, and the ruleset is not exact then.
    pub fn lines(&mut self, batch: &Batch) -> Result<(), Stop> {
        for (number, line) in batch.iter() {
            let own = if self.mentions.may_be_in(line) { self.own(line, number) } else { None };
            match own {
                None => self.others.push(number, line),
                Some(entry) => {
                    self.run_others()?;
                    self.run_own(number, line, entry)?;
                }
            }
        }
        self.run_others()
    }

    /// All that was kept, in the order of the log; and, if that is nothing, the account whose name
    /// is most alike.
    pub fn finish(self) -> (Vec<Entry>, Option<String>) {
        (self.entries, self.nearest.map(|(_, account)| account))
    }

    /// What a line says, if it is of the account.
    fn own(&mut self, line: &[u8], number: u64) -> Option<Entry> {
        self.arena.reset();
        let record = record::open(line, &self.arena);
        let event = self.event(&record)?;
        let kind = match text(&event, "type") {
            // A tick is of no account, whatever it says.
            Some("tick") => return None,
            Some(kind) => kind.to_owned(),
            None if event.get("type").is_none() => "authorization".to_owned(),
            None => "unreadable".to_owned(),
        };
        let time = integer(&event, "event_time");
        Some(Entry {
            time,
            local_time: time.map(|time| local(time, &self.zone)),
            kind,
            fate: None,
            counts: None,
            offset: record.offset.or(i64::try_from(number).ok()),
            event: Some(event),
            refusal: None,
            decision: None,
            follow_ups: Vec::new(),
            case_records: Vec::new(),
        })
    }

    /// The fields of a payload that are Holdfast's; those unknown are nobody's business here.
    fn event(&self, record: &Record<'_>) -> Option<Value> {
        let named = record::account_of(record.payload).is_some_and(|a| a == self.account);
        let read = named.then(|| serde_json::from_slice::<Map<String, Value>>(record.payload).ok());
        match read {
            Some(Some(mut fields)) => {
                let known = |name: &String| Field::named(name.as_bytes()).is_some();
                fields.retain(|name, value| known(name) && !value.is_null());
                if let Some(Value::Object(attributes)) = fields.get_mut("attributes") {
                    attributes.values_mut().for_each(mask_number);
                }
                Some(Value::Object(fields))
            }
            Some(None) => None,
            None => self.broken(record.payload),
        }
    }

    /// What is no JSON, but has the account in quotes behind the name of its field.
    fn broken(&self, payload: &[u8]) -> Option<Value> {
        let own = format!("\"account_id\":{}", Value::from(self.account.as_str()));
        let squeezed: Vec<u8> = payload.iter().copied().filter(|b| *b != b' ').collect();
        let broken = memchr::memmem::find(&squeezed, own.as_bytes()).is_some()
            && serde_json::from_slice::<Value>(payload).is_err();
        broken.then(|| serde_json::json!({"type": null}))
    }

    fn run_others(&mut self) -> Result<(), Stop> {
        if self.others.is_empty() {
            return Ok(());
        }
        let others = std::mem::take(&mut self.others);
        for line in self.run(&others)? {
            self.consequence(line, None);
        }
        self.letters.take();
        Ok(())
    }

    fn run_own(&mut self, number: u64, line: &[u8], mut entry: Entry) -> Result<(), Stop> {
        let mut alone = Batch::default();
        alone.push(number, line);
        let before = self.replay.statistics().clone();
        let lines = self.run(&alone)?;
        let after = self.replay.statistics();
        let fate = Fate::ALL.into_iter().find(|f| after.of_fate(*f) > before.of_fate(*f));
        entry.fate = fate.map(|fate| fate.name().to_owned());
        if let Ok(Value::Object(mut letter)) = serde_json::from_slice(&self.letters.take()) {
            letter.retain(|name, _| matches!(name.as_str(), "reason" | "field" | "detail"));
            entry.refusal = Some(Value::Object(letter));
        }
        if entry.event.as_ref().is_some_and(|event| event["type"].is_null())
            && entry.kind == "unreadable"
        {
            entry.event = None;
        }
        for line in lines {
            self.consequence(line, Some(&mut entry));
        }
        self.entries.push(entry);
        Ok(())
    }

    /// What these lines cause for the account.
    fn run(&mut self, lines: &Batch) -> Result<Vec<Value>, Stop> {
        self.replay.lines(lines, &mut self.arena)?;
        self.replay.finish()?;
        let written = self.decisions.take();
        let mut own = Vec::new();
        for line in written.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if self.mentions.may_be_in(line)
                && let Ok(value) = serde_json::from_slice::<Value>(line)
                && text(&value, "account_id") == Some(&self.account)
            {
                own.push(value);
            } else if self.entries.is_empty() {
                self.compare(line);
            }
        }
        Ok(own)
    }

    /// Puts what was caused where it belongs: with the event at hand, or with a deadline.
    fn consequence(&mut self, line: Value, cause: Option<&mut Entry>) {
        let due = line.get("trigger").filter(|t| text(t, "type") == Some("expiry"));
        let entry = match (due.and_then(|trigger| integer(trigger, "time")), cause) {
            (None, Some(entry)) => entry,
            (time, _) => {
                let same =
                    self.entries.last().is_some_and(|e| e.kind == "expiry" && e.time == time);
                if !same {
                    self.entries.push(Entry::expiry(time, &self.zone));
                }
                let Some(entry) = self.entries.last_mut() else { return };
                entry
            }
        };
        if text(&line, "schema") == Some("holdfast.case/1") {
            entry.case_records.push(line);
        } else if line.get("trigger").is_some() {
            entry.follow_ups.push(line);
        } else {
            entry.decision = Some(line);
        }
    }

    /// Is the account of this line named almost as the one that is looked for?
    fn compare(&mut self, line: &[u8]) {
        const NAME: &[u8] = b"\"account_id\":\"";
        let Some(at) = memchr::memmem::find(line, NAME) else { return };
        let rest = &line[at + NAME.len()..];
        let end = memchr::memchr(b'"', rest).unwrap_or(rest.len());
        let Ok(other) = std::str::from_utf8(&rest[..end]) else { return };
        let alike = strsim::jaro_winkler(&self.account, other);
        if alike >= self.nearest.as_ref().map_or(ALIKE, |(best, _)| best.next_up()) {
            self.nearest = Some((alike, other.to_owned()));
        }
    }
}

/// An attribute may hold a card number as a number. As text it is masked with all other text.
fn mask_number(value: &mut Value) {
    if value.is_number() && pan::pan_like(&value.to_string()) {
        *value = Value::from(value.to_string());
    }
}

impl Entry {
    fn expiry(time: Option<i64>, zone: &TimeZone) -> Entry {
        Entry {
            time,
            local_time: time.map(|time| local(time, zone)),
            kind: "expiry".to_owned(),
            fate: None,
            counts: None,
            offset: None,
            event: None,
            refusal: None,
            decision: None,
            follow_ups: Vec::new(),
            case_records: Vec::new(),
        }
    }
}
