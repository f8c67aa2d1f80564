//! A configuration as it is understood: every key with its value, defaults included, secrets left
//! out.

use std::fmt::Write;

use super::{
    document::{Entry, Node, Table, Value},
    keys,
    secrets::is_secret,
    shape::{Section, Shape},
};

/// The whole of it as TOML.
pub fn print(root: &Table) -> String {
    let mut out = String::new();
    section(&keys::ROOT, root, "", &mut out);
    out
}

/// What decides, as TOML.
pub fn print_ruleset(root: &Table) -> String {
    let decides = |entry: &&Entry| !keys::OPERATIONAL.contains(&entry.key.as_str());
    print(&Table(root.0.iter().filter(decides).cloned().collect()))
}

fn section(section: &Section, table: &Table, path: &str, out: &mut String) {
    let nested = |shape: &Shape| {
        matches!(
            shape,
            Shape::Section(_)
                | Shape::Sections(_)
                | Shape::Tables
                | Shape::Lists
                | Shape::Properties
        )
    };
    for key in section.keys.iter().filter(|key| !nested(&key.shape)) {
        match table.get(key.name) {
            Some(node) => line(key.name, &value(node), out),
            // A calendar window has no delay, not even one of nothing.
            None if key.name == "delay" && is_calendar(table) => {}
            None if !key.default.is_empty() => line(key.name, key.default, out),
            None => {}
        }
    }
    for key in section.keys.iter().filter(|key| nested(&key.shape)) {
        let path =
            if path.is_empty() { key.name.to_owned() } else { format!("{path}.{}", key.name) };
        let node = table.get(key.name);
        match (&key.shape, node.map(|node| &node.value)) {
            (Shape::Section(inner), given) => {
                let empty = Table::default();
                let (inner_table, given) = match given {
                    Some(Value::Table(table)) => (table, true),
                    _ => (&empty, false),
                };
                let defaults = inner.keys.iter().any(|key| !key.default.is_empty());
                // The service's sections are of no interest where they are not used.
                if given || defaults && !keys::OPERATIONAL.contains(&key.name) {
                    head(&format!("[{path}]"), out);
                    self::section(inner, inner_table, &path, out);
                }
            }
            (Shape::Sections(inner), Some(Value::List(list))) => {
                for table in list.iter().filter_map(Node::table) {
                    head(&format!("[[{path}]]"), out);
                    self::section(inner, table, &path, out);
                }
            }
            (Shape::Tables, Some(Value::Table(tables))) => {
                for entry in &tables.0 {
                    head(&format!("[{path}.{}]", name(&entry.key)), out);
                    let table = entry.node.table().map_or(&[][..], |table| &table.0);
                    table.iter().for_each(|e| line(&name(&e.key), &value(&e.node), out));
                }
            }
            (Shape::Lists | Shape::Properties, Some(Value::Table(table))) => {
                head(&format!("[{path}]"), out);
                for entry in &table.0 {
                    let text = match key.shape {
                        Shape::Properties => property(&entry.key, &entry.node),
                        _ => value(&entry.node),
                    };
                    line(&name(&entry.key), &text, out);
                }
            }
            _ => {}
        }
    }
}

/// A property of librdkafka. A dotted name reads as tables within tables.
fn property(dotted: &str, node: &Node) -> String {
    let Some(table) = node.table() else {
        return match is_secret(dotted) {
            true => "\"(not shown)\"".to_owned(),
            false => value(node),
        };
    };
    if let [only] = &table.0[..]
        && (only.key == "file" || only.key == "env")
    {
        return value(node);
    }
    let entry = |e: &Entry| {
        format!("{} = {}", name(&e.key), property(&format!("{dotted}.{}", e.key), &e.node))
    };
    format!("{{ {} }}", table.0.iter().map(entry).collect::<Vec<_>>().join(", "))
}

fn is_calendar(counter: &Table) -> bool {
    matches!(counter.get("window").and_then(Node::text), Some("day" | "month"))
}

fn head(text: &str, out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
    line_of(text, out);
}

fn line(key: &str, value: &str, out: &mut String) {
    line_of(&format!("{key} = {value}"), out);
}

fn line_of(text: &str, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{text}");
}

fn name(key: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !key.is_empty() && key.bytes().all(bare) { key.to_owned() } else { text(key) }
}

fn text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn value(node: &Node) -> String {
    match &node.value {
        Value::Text(content) => text(content),
        Value::Integer(integer) => integer.to_string(),
        Value::Float(float) => toml::Value::Float(*float).to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Datetime(datetime) => datetime.clone(),
        Value::List(list) => format!("[{}]", list.iter().map(value).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            let entry = |e: &Entry| format!("{} = {}", name(&e.key), value(&e.node));
            format!("{{ {} }}", table.0.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}
