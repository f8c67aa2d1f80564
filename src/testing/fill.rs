//! Placeholders: `{n}`, `{item}` and `{id}` in any text of an event, filled in for each of the
//! events that it stands for. `{{` is a brace.

use serde_json::Value as Json;

use crate::config::{
    Problem,
    document::{Entry, Node, Table, Value},
};

/// Which of the events of one `[[event]]` it is.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    /// Of its repeats, from 1.
    pub(super) n: usize,
    /// Of its items, from 1.
    pub(super) item: usize,
    /// The event's id without its item.
    pub(super) id: String,
}

/// A value with its placeholders filled in, those within lists and tables too.
pub(super) fn filled(node: &Node, turn: &Turn) -> Result<Node, Problem> {
    let value = match &node.value {
        Value::Text(text) => Value::Text(fill(text, turn, node)?),
        Value::List(list) => {
            Value::List(list.iter().map(|one| filled(one, turn)).collect::<Result<_, _>>()?)
        }
        Value::Table(Table(entries)) => {
            let entry =
                |entry: &Entry| Ok(Entry { node: filled(&entry.node, turn)?, ..entry.clone() });
            Value::Table(Table(entries.iter().map(entry).collect::<Result<_, Problem>>()?))
        }
        other => other.clone(),
    };
    Ok(Node { place: node.place.clone(), value })
}

/// The text of this value filled in.
pub(super) fn fill(text: &str, turn: &Turn, node: &Node) -> Result<String, Problem> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('{') {
            out.push('{');
            rest = after;
            continue;
        }
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        match name {
            "n" => out.push_str(&turn.n.to_string()),
            "item" => out.push_str(&turn.item.to_string()),
            "id" => out.push_str(&turn.id),
            _ => {
                let message = format!("unknown placeholder `{{{name}}}`");
                return Err(Problem::new(node.place.clone(), message).hint(
                    "{n}: which of the repeats; {item}: which of the items; {id}: the event_id \
                     without its item; {{: a brace",
                ));
            }
        }
        rest = after;
    }
    Ok(out + rest)
}

/// A value as JSON.
pub(super) fn json(node: &Node) -> Result<Json, Problem> {
    Ok(match &node.value {
        Value::Text(text) | Value::Datetime(text) => text.as_str().into(),
        Value::Integer(integer) => (*integer).into(),
        Value::Float(float) => serde_json::Number::from_f64(*float)
            .ok_or_else(|| Problem::new(node.place.clone(), "the number is out of range"))?
            .into(),
        Value::Bool(flag) => (*flag).into(),
        Value::List(list) => Json::Array(list.iter().map(json).collect::<Result<_, _>>()?),
        Value::Table(Table(entries)) => {
            let entry = |entry: &Entry| Ok((entry.key.clone(), json(&entry.node)?));
            Json::Object(entries.iter().map(entry).collect::<Result<_, Problem>>()?)
        }
    })
}
