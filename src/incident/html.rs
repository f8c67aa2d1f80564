//! The story as one page that needs nothing else: no script, no font, nothing from outside. It is
//! read on a screen, light or dark, and printed.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    Incident, printable,
    tables::{self, Table},
    text::span,
    words::{self, Told, Tone, Words},
};

const STYLE: &str = include_str!("incident.css");
/// Were anything from outside ever to slip in, a browser would not load it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The story as an HTML document; whatever is not of this program is escaped.
pub fn render(incident: &Incident) -> String {
    let incident = &printable::visible(incident);
    let title = format!("Incident: account {}", incident.account_id);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Account " bdi { (incident.account_id) } }
                    p { (span(incident)) }
                    p .faint { "ruleset " (incident.ruleset) }
                }
                main {
                    section {
                        h2 { "In short" }
                        ul { @for line in tables::in_short(incident) { li { (line) } } }
                    }
                    @for table in tables::tables(incident) { (section(&table)) }
                    section {
                        h2 { "Timeline" }
                        (timeline(incident))
                    }
                }
            }
        }
    };
    page.into_string() + "\n"
}

fn section(table: &Table) -> Markup {
    let class = |at: usize| match table.columns[at] {
        (_, true) => "number",
        ("time", _) => "time",
        _ => "",
    };
    html! {
        section {
            h2 { (table.title) }
            @if !table.about.is_empty() { p .faint { (table.about) } }
            div .wide {
                table {
                    thead {
                        tr {
                            @for (at, (name, _)) in table.columns.iter().enumerate() {
                                th scope="col" class=(class(at)) { (name) }
                            }
                        }
                    }
                    tbody {
                        @for row in &table.rows {
                            tr {
                                @for (at, cell) in row.iter().enumerate() {
                                    td class=(class(at)) { (lines(cell)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A cell may have several lines. What is in it comes from outside and keeps its own direction.
fn lines(cell: &str) -> Markup {
    html! {
        @for (at, line) in cell.split('\n').enumerate() {
            @if at > 0 { br; }
            bdi { (line) }
        }
    }
}

fn timeline(incident: &Incident) -> Markup {
    let words = Words::of(incident);
    let mut days: Vec<(String, Vec<(&str, Told)>)> = Vec::new();
    for entry in &incident.timeline {
        let local = entry.local_time.as_deref().unwrap_or("");
        let day = words::day(local);
        let known = entry.time.is_some() || days.is_empty();
        if known && days.last().is_none_or(|(last, _)| *last != day) {
            days.push((day, Vec::new()));
        }
        if let Some((_, entries)) = days.last_mut() {
            entries.push((local, words.tell(entry)));
        }
    }
    html! {
        @for (day, entries) in &days {
            h3 { (day) }
            ol {
                @for (local, told) in entries {
                    li {
                        time datetime=(local) { (words::clock(local)) }
                        span class=(tone(told.tone)) { (told.tag) }
                        div {
                            bdi { (told.what) }
                            @if let Some(id) = &told.id { " " bdi .id { (id) } }
                            @for detail in &told.details { p { bdi { (detail) } } }
                        }
                    }
                }
            }
        }
    }
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "tag plain",
        Tone::Good => "tag good",
        Tone::Asks => "tag asks",
        Tone::Bad => "tag bad",
        Tone::Voice => "tag voice",
        Tone::Faint => "tag faint",
    }
}
