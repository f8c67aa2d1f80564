//! A case as it was written, in TOML, to the events and expectations that it means, or to every
//! problem at once.

use crate::config::{
    Problem, Problems, Settings,
    document::{Document, Entry, Node, Place, Table},
    problem::nearest,
};

use super::{
    Case, Expectation, Planned, Subject,
    steps::{Laid, Steps},
    wants::Wants,
};

const TOP: [&str; 7] = ["about", "start", "defaults", "like", "event", "expect", "case"];

pub(super) fn read(name: &str, text: String, settings: &Settings) -> Result<Case, Problems> {
    let (document, mut problems) = Document::read(name, text, &[]);
    let root = &document.root;
    problems.extend(root.0.iter().filter_map(|entry| unknown(entry, "a case", &TOP)));
    let mut steps = Steps::new(root, &settings.ruleset.timezone, &mut problems);
    let mut laid: Vec<Laid> = Vec::new();
    for (node, step) in tables(root, "event", &mut problems) {
        if let Err(problem) = steps.lay_out(node, step, &mut laid, &mut problems) {
            problems.push(problem);
        }
    }
    if laid.is_empty() && problems.is_empty() {
        let top = document.top.clone();
        problems.push(Problem::new(top, "a case without events").hint("write [[event]]"));
    }
    // What is expected of events that are wrong themselves would only repeat that.
    if !problems.is_empty() {
        return Err(Problems::new(document.sources, problems));
    }

    let ids = laid.iter().map(|laid| laid.event_id.as_str()).collect();
    let mut wants = Wants { ruleset: &settings.ruleset, ids, problems };
    let mut expectations = Vec::new();
    let mut expect = |of, wants, place: &Place| {
        expectations.push(Expectation { of, wants, line: line_of(&document, place) });
    };
    for (at, laid) in laid.iter().enumerate() {
        if let Some((place, table)) = &laid.expect {
            expect(Subject::Event(at), wants.of_event(place, table, laid.time_ms), place);
        }
    }
    for (node, table) in tables(root, "expect", &mut wants.problems) {
        for at in wants.subjects(node, table) {
            let wanted = wants.of_event(&node.place, table, laid[at].time_ms);
            expect(Subject::Event(at), wanted, &node.place);
        }
    }
    for (node, table) in tables(root, "case", &mut wants.problems) {
        if let Some((case_id, wants)) = wants.of_case(node, table) {
            expect(Subject::Case(case_id), wants, &node.place);
        }
    }
    let problems = wants.problems;
    if !problems.is_empty() {
        return Err(Problems::new(document.sources, problems));
    }
    let events = laid
        .iter()
        .map(|laid| Planned {
            event_id: laid.event_id.clone(),
            time_ms: laid.time_ms,
            json: laid.json.clone(),
            line: line_of(&document, &laid.place),
        })
        .collect();
    let about = root.get("about").and_then(Node::text).unwrap_or_default().trim().to_owned();
    Ok(Case { name: name.to_owned(), about, events, expectations })
}

/// The tables of an array of tables.
fn tables<'t>(
    root: &'t Table,
    key: &str,
    problems: &mut Vec<Problem>,
) -> Vec<(&'t Node, &'t Table)> {
    let Some(node) = root.get(key) else { return Vec::new() };
    let mut tables = Vec::new();
    for one in node.list().unwrap_or(std::slice::from_ref(node)) {
        match one.table() {
            Some(table) if node.list().is_some() => tables.push((one, table)),
            _ => problems.push(
                Problem::new(one.place.clone(), format!("`{key}` is {}", one.kind()))
                    .hint(format!("write [[{key}]]")),
            ),
        }
    }
    tables
}

/// The problem of a key that is not among the known ones.
pub(super) fn unknown(entry: &Entry, of: &str, known: &[&str]) -> Option<Problem> {
    if known.contains(&entry.key.as_str()) {
        return None;
    }
    let near = nearest(&entry.key, known.iter().copied());
    let all = || format!("known here: {}", known.join(", "));
    let message = format!("unknown key `{}` of {of}", entry.key);
    Some(Problem::new(entry.place.clone(), message).hint(near.unwrap_or_else(all)))
}

/// The line of a place, from 1.
fn line_of(document: &Document, place: &Place) -> usize {
    let text = document.sources[place.source].text.as_bytes();
    let before = &text[..place.span.start.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
