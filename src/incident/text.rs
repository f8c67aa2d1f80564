//! The story as text on a terminal: the sums first, then the timeline.

use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};
use textwrap::{Options, WordSeparator, WordSplitter, fill};

use super::{
    Incident, printable,
    tables::{self, Table},
    words::{self, Words},
};

/// The width of tables, where their words can be broken.
const WIDTH: u16 = 100;
/// The widest tag of a timeline entry, in characters.
const TAG: usize = 14;

/// The story in lines, control characters written out.
pub fn render(incident: &Incident) -> String {
    let incident = &printable::visible(incident);
    let mut out = format!("Account {}\n", incident.account_id);
    out += &format!("{}\nruleset {}\n\n", span(incident), incident.ruleset);
    for line in tables::in_short(incident) {
        out += &format!("{}\n", wrapped(&line, "- ", 2));
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
        let begin = format!("  {:<8}  {:<TAG$}  ", words::clock(local), told.tag);
        out += &format!("{}\n", wrapped(&format!("{}{gap}{id}", told.what), &begin, begin.len()));
        for detail in told.details {
            out +=
                &format!("{}\n", wrapped(&detail, &" ".repeat(begin.len() + 2), begin.len() + 4));
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
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    let part =
        if incident.period.is_open() { "" } else { "; only a part of the log was asked for" };
    format!("{first} to {last}, local time ({}), {events} events{part}", incident.timezone)
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
        return grid.to_string();
    }
    format!("{}\n\n{grid}", wrapped(table.about, "", 0))
}

/// Words in lines no wider than a table; those after the first are indented so far.
fn wrapped(words: &str, begin: &str, indent: usize) -> String {
    let indent = " ".repeat(indent);
    let options = Options::new(usize::from(WIDTH))
        .initial_indent(begin)
        .subsequent_indent(&indent)
        .word_separator(WordSeparator::AsciiSpace)
        // An id with a hyphen stays one word.
        .word_splitter(WordSplitter::NoHyphenation);
    fill(words, options)
}
