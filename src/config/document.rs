//! A configuration as it was written: TOML and the environment, each value with its place.
//! Knows no key and no meaning.

use std::ops::Range;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{problem::Problem, secrets::blanked};

/// The prefix of environment variables that set keys: `HOLDFAST__KAFKA__BROKERS`.
pub const ENVIRONMENT_PREFIX: &str = "HOLDFAST__";

/// A text that values come from: the file, or one environment variable.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path or name.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// In which source.
    pub source: usize,
    /// Which bytes of it.
    pub span: Range<usize>,
}

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// A value.
#[derive(Debug, Clone)]
pub enum Value {
    /// A string.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A float.
    Float(f64),
    /// A boolean.
    Bool(bool),
    /// A date or a time as it is written, which no key of a configuration takes.
    Datetime(String),
    /// An array.
    List(Vec<Node>),
    /// A table.
    Table(Table),
}

/// A table, in the order in which it was written.
#[derive(Debug, Clone, Default)]
pub struct Table(pub Vec<Entry>);

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// Its value.
    pub node: Node,
}

impl Table {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// A key and its value.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }
}

impl Node {
    /// Its text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its elements, if it is a list.
    pub fn list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// Its entries, if it is a table.
    pub fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// What kind of value it is, for people.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Bool(_) => "a boolean",
            Value::Datetime(_) => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// A whole configuration.
#[derive(Debug, Clone)]
pub struct Document {
    /// The file, then the environment variables that set something.
    pub sources: Vec<Source>,
    /// What they say together.
    pub root: Table,
    /// Where a whole-file remark points.
    pub top: Place,
}

impl Document {
    /// Reads a file's text, and lays the variables of the environment over it.
    pub fn read(
        name: &str,
        text: String,
        environment: &[(String, String)],
    ) -> (Document, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut sources = vec![Source { name: name.to_owned(), text }];
        let mut root = parse(0, &sources[0].text, &mut problems);
        for (variable, value) in environment {
            let Some(path) = variable.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            let source = sources.len();
            sources.push(Source { name: variable.clone(), text: value.clone() });
            let place = Place { source, span: 0..value.len() };
            let path: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
            // What reads as a TOML value is that value; everything else is a string.
            let given = DeValue::parse(value).ok().map(|v| node(source, v));
            let value = given.map_or_else(|| Value::Text(value.clone()), |node| node.value);
            if path.iter().any(String::is_empty) {
                let message = format!("`{variable}` names no key");
                problems.push(Problem::new(place, message).hint("HOLDFAST__SECTION__KEY"));
            } else {
                overlay(&mut root, &path, Node { place: place.clone(), value }, &place);
            }
        }
        let top = Place { source: 0, span: 0..0 };
        (Document { sources, root, top }, problems)
    }
}

/// Sets the value at a path, making tables on the way.
fn overlay(table: &mut Table, path: &[String], value: Node, place: &Place) {
    let [key, rest @ ..] = path else { return };
    let at = table.0.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
        let empty = Node { place: place.clone(), value: Value::Table(Table::default()) };
        table.0.push(Entry { key: key.clone(), place: place.clone(), node: empty });
        table.0.len() - 1
    });
    let entry = &mut table.0[at];
    if rest.is_empty() {
        entry.place = place.clone();
        entry.node = value;
        return;
    }
    if entry.node.table().is_none() {
        entry.node = Node { place: place.clone(), value: Value::Table(Table::default()) };
    }
    if let Value::Table(inner) = &mut entry.node.value {
        overlay(inner, rest, value, place);
    }
}

fn parse(source: usize, text: &str, problems: &mut Vec<Problem>) -> Table {
    let (table, errors) = DeTable::parse_recoverable(text);
    let shown = if errors.is_empty() { String::new() } else { blanked("", text) };
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let mut message = error.message().to_owned();
        if let Some(found) = shown.get(span.clone()).filter(|found| !found.trim().is_empty()) {
            let first = found.lines().next().unwrap_or(found);
            message = format!("{message}: `{first}`");
        }
        let problem = Problem::new(Place { source, span }, message);
        problems.push(match error.message() {
            m if m.contains("string") || m.contains("literal") => {
                problem.hint("text stands in quotes: \"...\"")
            }
            _ => problem,
        });
    }
    table_of(source, table.into_inner())
}

fn table_of(source: usize, table: DeTable<'_>) -> Table {
    let entry = |(key, value): (Spanned<_>, Spanned<DeValue<'_>>)| Entry {
        place: Place { source, span: key.span() },
        key: std::borrow::Cow::into_owned(key.into_inner()),
        node: node(source, value),
    };
    let mut entries: Vec<Entry> = table.into_iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.place.span.start);
    Table(entries)
}

fn node(source: usize, value: Spanned<DeValue<'_>>) -> Node {
    let place = Place { source, span: value.span() };
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(integer) => {
            match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(integer) => Value::Integer(integer),
                // Beyond 64 bits: no integer that a key could take.
                Err(_) => Value::Float(f64::INFINITY),
            }
        }
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Bool(flag),
        DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
        DeValue::Array(list) => Value::List(list.into_iter().map(|v| node(source, v)).collect()),
        DeValue::Table(table) => Value::Table(table_of(source, table)),
    };
    Node { place, value }
}

/// The place of some bytes of a string's content, which may have been written with escapes.
pub fn within(sources: &[Source], node: &Node, inner: &Range<usize>) -> Place {
    let Place { source, span } = node.place.clone();
    let whole = Place { source, span: span.clone() };
    let (Some(text), Some(content)) = (sources[source].text.get(span.clone()), node.text()) else {
        return whole;
    };
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|q| text.starts_with(q));
    let Some(quote) = quote else {
        // An environment variable: the text itself.
        return Place { source, span: inner.start.min(text.len())..inner.end.min(text.len()) };
    };
    let mut starts = quote.len();
    if quote.len() == 3 {
        starts += text[starts..].len() - text[starts..].trim_start_matches('\r').len();
        starts += usize::from(text[starts..].starts_with('\n'));
    }
    let raw = &text[starts..];
    let literal = quote.starts_with('\'');
    let (mut at, mut decoded) = (0, 0);
    let (mut from, mut to) = (None, None);
    while from.is_none() || to.is_none() {
        if decoded >= inner.start {
            from = from.or(Some(at));
        }
        if decoded >= inner.end {
            to = to.or(Some(at));
        }
        let Some(character) = raw[at..].chars().next().filter(|_| decoded < content.len()) else {
            break;
        };
        let escape = (!literal && character == '\\').then(|| raw[at + 1..].chars().next());
        at += match escape.flatten() {
            None => character.len_utf8(),
            Some('x') => 4,
            Some('u') => 6,
            Some('U') => 10,
            Some(other) if other.is_whitespace() => {
                let rest = &raw[at + 1..];
                at += 1 + rest.len() - rest.trim_start().len();
                continue;
            }
            Some(_) => 2,
        };
        decoded += content[decoded..].chars().next().map_or(1, char::len_utf8);
        at = at.min(raw.len());
    }
    let base = span.start + starts;
    let from = base + from.unwrap_or(at);
    Place { source, span: from..(base + to.unwrap_or(at)).max(from) }
}
