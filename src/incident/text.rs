//! The story as text on a terminal: the sums first, then the timeline.

use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};

use super::{
    Incident, printable,
    tables::{self, Table},
    words::{self, Words},
};

/// The width of tables, where their words can be broken.
const WIDTH: u16 = 100;
/// The widest tag of a timeline entry.
const TAG: usize = 21;

/// The story in lines, control characters written out.
pub fn render(incident: &Incident) -> String {
    let incident = &printable::visible(incident);
    let mut out = format!("Account {}\n", incident.account_id);
    out += &format!("{}\nruleset {}\n\n", span(incident), incident.ruleset);
    for line in tables::in_short(incident) {
        out += &format!("  {line}\n");
    }
    for table in tables::tables(incident) {
        out += &format!("\n{}\n{}\n", heading(table.title), grid(&table));
    }
    out += &format!("\n{}\n", heading("Timeline"));
    let words = Words::of(incident);
    let mut day = String::new();
    for entry in &incident.timeline {
        let local = entry.local_time.as_deref().unwrap_or("");
        if entry.time.is_some() && words::day(local) != day {
            day = words::day(local);
            out += &format!("{day}\n");
        }
        let told = words.tell(entry);
        let id = told.id.map_or(String::new(), |id| format!("[{id}]"));
        let gap = if told.what.is_empty() || id.is_empty() { "" } else { "  " };
        let clock = words::clock(local);
        out += &format!("  {clock:<8}  {:<TAG$}  {}{gap}{id}\n", told.tag, told.what);
        for detail in told.details {
            out += &format!("  {:8}  {:TAG$}    {detail}\n", "", "");
        }
    }
    out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// From when to when, and in which time zone.
pub(super) fn span(incident: &Incident) -> String {
    let times: Vec<&str> =
        incident.timeline.iter().filter_map(|entry| entry.local_time.as_deref()).collect();
    let at = |time: &str| format!("{} {}", words::day(time), words::clock(time));
    let events = incident.timeline.iter().filter(|entry| entry.event.is_some()).count();
    let (first, last) = (times.first().map(|t| at(t)), times.last().map(|t| at(t)));
    format!(
        "{} to {}, times are local ({}), {events} events",
        first.unwrap_or_default(),
        last.unwrap_or_default(),
        incident.timezone
    )
}

fn heading(title: &str) -> String {
    format!("{title}\n{}", "=".repeat(title.chars().count()))
}

fn grid(table: &Table) -> String {
    let mut grid = Grid::new();
    grid.load_style(presets::ASCII_BORDERS_ONLY_CONDENSED);
    grid.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    grid.set_header(table.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for row in &table.rows {
        grid.add_row(row.clone());
    }
    for (at, (_, is_number)) in table.columns.iter().enumerate() {
        if let Some(column) = grid.column_mut(at).filter(|_| *is_number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    if table.about.is_empty() {
        grid.to_string()
    } else {
        format!("{}\n\n{grid}", folded(table.about))
    }
}

/// Words in lines no wider than a table.
fn folded(words: &str) -> String {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].len() + 1 + word.len() > usize::from(WIDTH) {
            lines.push(word.to_owned());
        } else {
            let gap = if lines[last].is_empty() { "" } else { " " };
            lines[last] += &format!("{gap}{word}");
        }
    }
    lines.join("\n")
}
