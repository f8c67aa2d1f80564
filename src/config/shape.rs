//! What a configuration may look like: sections, keys, and the shape of each value, as data. One
//! description serves the check of a file, the JSON schema and the reference in the documentation.
//! What the values mean together is not known here (see `ruleset` beside it).

use super::{
    document::{Document, Entry, Node, Place, Table, Value},
    duration,
    problem::{Problem, nearest},
};

/// A table of known keys.
#[derive(Debug)]
pub struct Section {
    /// What it is called where it is missing something: "counter".
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

/// A key of a section.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Which values it takes.
    pub shape: Shape,
    /// Must it be there?
    pub required: bool,
    /// What it means where it is left out, as it would be written; empty if nothing.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
}

/// Which values a key takes.
#[derive(Debug)]
pub enum Shape {
    /// Any string, but an empty one.
    Text,
    /// A string that is a name in rules.
    Name,
    /// An integer within these bounds.
    Integer(i64, i64),
    /// `true`, and nothing else.
    True,
    /// `500ms`, `300s`, `5m`, `1h`, `30d`.
    Duration,
    /// A duration, `day` or `month`.
    Window,
    /// `true` or `false`.
    Bool,
    /// One of these strings, or another shape.
    Either(&'static [&'static str], &'static Shape),
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// An expression in CEL.
    Expression,
    /// A list of such values, empty or not.
    List(&'static Shape, bool),
    /// A table of known keys.
    Section(&'static Section),
    /// An array of tables of known keys.
    Sections(&'static Section),
    /// A table of tables of constants, each with a `default`.
    Tables,
    /// A table of lists of strings and integers.
    Lists,
    /// A table of strings, numbers and booleans under any name.
    Properties,
}

impl Shape {
    /// What it takes, for people.
    pub fn expected(&self) -> String {
        match self {
            Shape::Text => "a string".into(),
            Shape::Name => "a string that is a name: letters, digits and _".into(),
            Shape::Integer(..) => "an integer".into(),
            Shape::True => "true".into(),
            Shape::Bool => "true or false".into(),
            Shape::Either(words, other) => {
                format!("{}, or {}", Shape::Choice(words).expected(), other.expected())
            }
            Shape::Duration => {
                "a duration such as \"500ms\", \"300s\", \"5m\", \"1h\", \"30d\"".into()
            }
            Shape::Window => {
                "a window such as \"5m\", \"1h\", \"30d\", or \"day\" or \"month\"".into()
            }
            Shape::Choice(words) => {
                let words: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
                format!("one of {}", words.join(", "))
            }
            Shape::Expression => "a string with an expression".into(),
            Shape::List(of, _) => format!("a list of values, each {}", of.expected()),
            Shape::Section(section) | Shape::Sections(section) => format!("a {}", section.name),
            Shape::Tables => "a table with a `default`".into(),
            Shape::Lists => "a list of strings or integers".into(),
            Shape::Properties => "a table".into(),
        }
    }
}

/// Checks a document against a section: unknown keys, missing keys, values of another shape.
pub fn check(document: &Document, section: &Section) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_section(section, &document.root, &document.top, &mut problems);
    problems
}

fn check_section(section: &Section, table: &Table, place: &Place, problems: &mut Vec<Problem>) {
    for entry in &table.0 {
        match section.keys.iter().find(|key| key.name == entry.key) {
            Some(key) => check_value(&key.shape, &entry.key, &entry.node, problems),
            None => {
                let names = section.keys.iter().map(|key| key.name);
                problems.push(unknown(entry, section.name, names));
            }
        }
    }
    for key in section.keys.iter().filter(|key| key.required) {
        if table.get(key.name).is_none() {
            let message = format!("the {} has no `{}`", section.name, key.name);
            let hint = format!("{}: {}", key.name, key.shape.expected());
            problems.push(Problem::new(place.clone(), message).hint(hint));
        }
    }
}

fn unknown(
    entry: &Entry,
    section: &str,
    known: impl Iterator<Item = &'static str> + Clone,
) -> Problem {
    let message = format!("unknown key `{}` in {section}", entry.key);
    let all = || format!("known here: {}", known.clone().collect::<Vec<_>>().join(", "));
    let hint = nearest(&entry.key, known.clone()).unwrap_or_else(all);
    Problem::new(entry.place.clone(), message).hint(hint)
}

fn check_value(shape: &Shape, key: &str, node: &Node, problems: &mut Vec<Problem>) {
    let mut wrong = |message: String, hint: Option<String>| {
        problems.push(Problem::new(node.place.clone(), message).maybe_hint(hint));
    };
    let other_kind =
        || (format!("`{key}` is {}, and should be {}", node.kind(), shape.expected()), None);
    match (shape, &node.value) {
        (Shape::Text | Shape::Expression, Value::Text(text)) => {
            if text.trim().is_empty() {
                wrong(format!("`{key}` is empty"), None);
            }
        }
        (Shape::Name, Value::Text(text)) => {
            if !is_name(text) {
                wrong(
                    format!("`{text}` is no name that a rule could use"),
                    Some("letters, digits and _, a letter first; no word of the language".into()),
                );
            }
        }
        (Shape::Integer(low, high), Value::Integer(integer)) => {
            if !(low..=high).contains(&integer) {
                wrong(format!("`{key}` is {integer}, and should be {low} to {high}"), None);
            }
        }
        (Shape::True, Value::Bool(true)) | (Shape::Bool, Value::Bool(_)) => {}
        (Shape::Either(_, other), Value::List(_)) => check_value(other, key, node, problems),
        (Shape::True, Value::Bool(false)) => {
            wrong(format!("`{key} = false` says nothing"), Some(format!("leave `{key}` out")));
        }
        (Shape::Duration, Value::Text(text)) => {
            if let Err(why) = duration::parse_ms(text) {
                wrong(format!("`{text}` is no duration: {why}"), Some(shape.expected()));
            }
        }
        (Shape::Window, Value::Text(text)) => {
            if !matches!(text.as_str(), "day" | "month") {
                match duration::parse_ms(text) {
                    Ok(0) => wrong(format!("a window of `{text}` holds nothing"), None),
                    Ok(_) => {}
                    Err(why) => {
                        wrong(format!("`{text}` is no window: {why}"), Some(shape.expected()));
                    }
                }
            }
        }
        (Shape::Choice(words) | Shape::Either(words, _), Value::Text(text)) => {
            if !words.contains(&text.as_str()) {
                let near = nearest(text, words.iter().copied());
                let expected = shape.expected();
                let hint = near.map_or(expected.clone(), |near| format!("{near} ({expected})"));
                wrong(format!("`{text}` is no value of `{key}`"), Some(hint));
            }
        }
        (Shape::List(of, may_be_empty), Value::List(list)) => {
            if list.is_empty() && !may_be_empty {
                wrong(format!("`{key}` is empty"), None);
            }
            list.iter().for_each(|one| check_value(of, key, one, problems));
        }
        (Shape::Section(section), Value::Table(table)) => {
            check_section(section, table, &node.place, problems);
        }
        (Shape::Sections(section), Value::List(list)) => {
            for one in list {
                match &one.value {
                    Value::Table(table) => check_section(section, table, &one.place, problems),
                    _ => problems.push(
                        Problem::new(one.place.clone(), format!("`{key}` is {}", one.kind()))
                            .hint(format!("write [[{key}]]")),
                    ),
                }
            }
        }
        (Shape::Sections(_), _) => {
            wrong(format!("`{key}` is {}", node.kind()), Some(format!("write [[{key}]]")));
        }
        (Shape::Tables, Value::Table(tables)) => {
            for entry in &tables.0 {
                check_constants(entry, problems);
            }
        }
        (Shape::Lists, Value::Table(lists)) => {
            for entry in &lists.0 {
                check_name(entry, problems);
                let constant =
                    |one: &&Node| !matches!(one.value, Value::Text(_) | Value::Integer(_));
                match &entry.node.value {
                    Value::List(list) => {
                        problems.extend(list.iter().filter(constant).map(|one| {
                            let message = format!("the list `{}` holds {}", entry.key, one.kind());
                            Problem::new(one.place.clone(), message)
                                .hint("a list holds strings or integers")
                        }));
                    }
                    _ => problems.push(
                        Problem::new(
                            entry.node.place.clone(),
                            format!("the list `{}` is {}", entry.key, entry.node.kind()),
                        )
                        .hint(format!("{} = [\"...\"]", entry.key)),
                    ),
                }
            }
        }
        (Shape::Properties, Value::Table(table)) => {
            for entry in &table.0 {
                if matches!(entry.node.value, Value::List(_) | Value::Datetime(_)) {
                    let message = format!("the property `{}` is {}", entry.key, entry.node.kind());
                    problems.push(Problem::new(entry.node.place.clone(), message));
                }
            }
        }
        _ => {
            let (message, hint) = other_kind();
            wrong(message, hint);
        }
    }
}

/// A table of constants: all of one type, with a `default`.
fn check_constants(entry: &Entry, problems: &mut Vec<Problem>) {
    check_name(entry, problems);
    let name = &entry.key;
    let Some(table) = entry.node.table() else {
        let message = format!("the table `{name}` is {}", entry.node.kind());
        let hint = format!("write [table.{name}]");
        problems.push(Problem::new(entry.node.place.clone(), message).hint(hint));
        return;
    };
    let Some(default) = table.get("default") else {
        let message = format!("the table `{name}` has no `default`");
        let hint = "a field that is absent, or has no entry, reads it";
        problems.push(Problem::new(entry.place.clone(), message).hint(hint));
        return;
    };
    for other in &table.0 {
        let kind = other.node.kind();
        if matches!(other.node.value, Value::List(_) | Value::Table(_) | Value::Datetime(_))
            || kind != default.kind()
        {
            let message = format!(
                "`{}` of the table `{name}` is {kind}, and its default is {}",
                other.key,
                default.kind()
            );
            let hint = "the values of a table are all integers, all floats, all strings or all \
                        booleans";
            problems.push(Problem::new(other.node.place.clone(), message).hint(hint));
        }
    }
}

fn check_name(entry: &Entry, problems: &mut Vec<Problem>) {
    if !is_name(&entry.key) {
        let message = format!("`{}` is no name that a rule could use", entry.key);
        let hint = "letters, digits and _, a letter first; no word of the language";
        problems.push(Problem::new(entry.place.clone(), message).hint(hint));
    }
}

/// Words that CEL keeps for itself.
const WORDS: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !WORDS.contains(&text)
}
