//! What is said of a case that was run: whether it passed, and if not, what was expected and what
//! came, side by side, with the values of the counters.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use serde_json::{Map, Value as Json};

use crate::config::Settings;

use super::{
    Case, Planned, Subject,
    compare::{self, Row, told},
    outcome::Outcome,
    times,
    wants::ABSENT,
};

/// Failures of one expectation that are shown; a repeated event has as many as repeats.
const SHOWN: usize = 3;
/// A wider expectation stands above what came, not beside it.
const WIDTH_MAX: usize = 44;
/// Notes are broken so that a line stays within a hundred columns.
const LINE_MAX: usize = 90;

/// A case that was run.
#[derive(Debug)]
pub struct Report<'c> {
    case: &'c Case,
    outcome: Outcome,
    findings: Vec<Finding>,
    held: BTreeSet<String>,
    /// When each event happened, for people.
    times: Vec<String>,
}

/// An expectation that was not met.
#[derive(Debug)]
struct Finding {
    /// The event's place in the log; findings of cases come last.
    at: usize,
    title: String,
    line: usize,
    rows: Vec<Row>,
    /// What explains it.
    notes: Vec<Note>,
}

impl Finding {
    /// A case that expects nothing would pass whatever the ruleset does.
    fn of_nothing() -> Finding {
        let row = Row {
            what: "expectations".into(),
            expected: "some".into(),
            actual: "none".into(),
            holds: false,
        };
        let note = Note::of("hint", "write [[expect]]; -v shows what there is to expect");
        let title = "nothing is expected".to_owned();
        Finding { at: usize::MAX, title, line: 1, rows: vec![row], notes: vec![note] }
    }
}

/// A word, and the words that stand behind it, so far apart.
#[derive(Debug)]
struct Note {
    of: String,
    words: Vec<String>,
    gap: &'static str,
}

impl Note {
    fn of(of: &str, text: &str) -> Note {
        let words = text.split_whitespace().map(str::to_owned).collect();
        Note { of: of.to_owned(), words, gap: " " }
    }

    fn of_values(of: &str, words: Vec<String>) -> Note {
        Note { of: of.to_owned(), words, gap: "  " }
    }

    /// In lines of so many characters, broken between words.
    fn lines(&self, width: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in &self.words {
            match lines.last_mut() {
                Some(last) if last.chars().count() + self.gap.len() + word.len() <= width => {
                    last.push_str(self.gap);
                    last.push_str(word);
                }
                _ => lines.push(word.clone()),
            }
        }
        lines
    }
}

impl<'c> Report<'c> {
    pub(super) fn new(case: &'c Case, outcome: Outcome, settings: &Settings) -> Report<'c> {
        let lists = outcome.events.iter().flat_map(|event| {
            ["rules", "shadow", "suppressed"].iter().filter_map(|list| event.get(*list)?.as_array())
        });
        let held = lists.flatten().filter_map(|rule| Some(rule.as_str()?.to_owned())).collect();
        let zone = &settings.ruleset.timezone;
        let times = case.events.iter().map(|event| times::print(event.time_ms, zone)).collect();
        let mut report = Report { case, outcome, findings: Vec::new(), held, times };
        let rules = Rules::of(settings);
        report.find_refused();
        if case.expectations.is_empty() {
            report.findings.push(Finding::of_nothing());
        }
        for expectation in &case.expectations {
            let none = Map::new();
            let (at, title, actual) = match &expectation.of {
                Subject::Event(at) => (*at, report.title(*at), &report.outcome.events[*at]),
                Subject::Case(id) => {
                    let actual = report.outcome.cases.get(id).unwrap_or(&none);
                    (usize::MAX, format!("case {id}"), actual)
                }
            };
            let rows = compare::rows(&expectation.wants, actual);
            if rows.iter().any(|row| !row.holds) {
                let mut notes = rules.notes(&expectation.wants, actual);
                notes.extend(case.events.get(at).map(fields));
                report.findings.push(Finding { at, title, line: expectation.line, rows, notes });
            }
        }
        report.findings.sort_by_key(|finding| finding.at);
        report
    }

    fn title(&self, at: usize) -> String {
        format!("{}, {}", self.case.events[at].event_id, self.times[at])
    }

    /// Events that were refused or taken for repeats, where that is not expected: a slip in a case
    /// must not make it pass.
    fn find_refused(&mut self) {
        for (at, event) in self.case.events.iter().enumerate() {
            let of_event = &self.outcome.events[at];
            let fate = of_event.get("fate").and_then(Json::as_str).unwrap_or_default();
            let expected = self.case.expectations.iter().any(|expectation| {
                expectation.of == Subject::Event(at)
                    && ["fate", "reason"].iter().any(|key| expectation.wants.contains_key(*key))
            });
            if expected || !matches!(fate, "dead_letter" | "duplicate") {
                continue;
            }
            let why = ["reason", "detail"].iter().filter_map(|key| of_event.get(*key));
            let notes = vec![Note::of(fate, &why.map(told).collect::<Vec<_>>().join(": "))];
            let rows = vec![Row {
                what: "fate".into(),
                expected: "accepted".into(),
                actual: fate.to_owned(),
                holds: false,
            }];
            let finding = Finding { at, title: self.title(at), line: event.line, rows, notes };
            self.findings.push(finding);
        }
    }

    /// Was every expectation met?
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }

    /// The ids of rules that held at some event, those in shadow and suppressed ones too.
    pub fn rules_that_held(&self) -> impl Iterator<Item = &str> {
        self.held.iter().map(String::as_str)
    }

    /// Says it, one line if the case passed; with `every_event`, also what came of each.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn print(&self, every_event: bool, out: &mut impl Write) -> io::Result<()> {
        let word = if self.passed() { "ok  " } else { "FAIL" };
        let about = self.case.about.lines().next().unwrap_or_default();
        let colon = if about.is_empty() { "" } else { ": " };
        writeln!(out, "{word}  {}{colon}{about}", self.case.name)?;
        if every_event {
            (0..self.case.events.len()).try_for_each(|at| self.tell(at, out))?;
        }
        let mut shown: BTreeMap<usize, usize> = BTreeMap::new();
        for finding in &self.findings {
            let count = shown.entry(finding.line).or_default();
            *count += 1;
            if *count <= SHOWN {
                writeln!(out, "\n  {} ({}:{})", finding.title, self.case.name, finding.line)?;
                finding.print(out)?;
            }
        }
        for (line, count) in shown.into_iter().filter(|(_, count)| *count > SHOWN) {
            let more = count - SHOWN;
            writeln!(out, "\n  ... and {more} more events of {}:{line}", self.case.name)?;
        }
        if self.passed() { Ok(()) } else { writeln!(out) }
    }

    /// What came of one event, in a line, and what it caused.
    fn tell(&self, at: usize, out: &mut impl Write) -> io::Result<()> {
        let (event, of_event) = (&self.case.events[at], &self.outcome.events[at]);
        let text = |key: &str| of_event.get(key).map(told).unwrap_or_default();
        let event_type = event.json.get("type").map_or("authorization".to_owned(), told);
        let came = match of_event.get("action") {
            Some(action) => format!("{:<7}  {}", told(action), text("rules")),
            None => format!("{:<7}  {event_type}", text("fate")),
        };
        writeln!(out, "      {}  {:<12}  {came}", self.times[at], event.event_id)?;
        let indent = " ".repeat(32);
        for answer in ["release", "cancel", "reverse"] {
            if of_event.contains_key(answer) {
                writeln!(out, "{indent}{answer} {}", text(answer))?;
            }
        }
        let cases = of_event.get("cases").and_then(Json::as_object);
        for (case_id, record) in cases.into_iter().flatten() {
            writeln!(out, "{indent}case {case_id} {}", told(&record["status"]))?;
        }
        Ok(())
    }
}

impl Finding {
    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let width = |text: &dyn Fn(&Row) -> &String| {
            self.rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0)
        };
        let what = self.notes.iter().map(|note| note.of.len()).max().unwrap_or(0);
        let what = width(&|row| &row.what).max(what).min(WIDTH_MAX);
        let expected = width(&|row| &row.expected).max("expected".len());
        let beside = expected <= WIDTH_MAX;
        if beside {
            writeln!(out, "       {:what$}  {:expected$}  actual", "", "expected")?;
        }
        for row in &self.rows {
            let mark = if row.holds { ' ' } else { '!' };
            if beside {
                let Row { expected: due, actual, .. } = row;
                writeln!(out, "    {mark}  {:what$}  {due:expected$}  {actual}", row.what)?;
            } else {
                writeln!(out, "    {mark}  {:what$}  expected  {}", row.what, row.expected)?;
                writeln!(out, "       {:what$}  actual    {}", "", row.actual)?;
            }
        }
        for note in &self.notes {
            for (n, line) in note.lines(LINE_MAX - what).iter().enumerate() {
                writeln!(out, "       {:what$}  {line}", if n == 0 { &note.of } else { "" })?;
            }
        }
        Ok(())
    }
}

/// The fields of an event, its id and time apart, which stand in the title.
fn fields(event: &Planned) -> Note {
    let fields = event.json.as_object().into_iter().flatten();
    let others = fields.filter(|(name, _)| !matches!(name.as_str(), "event_id" | "event_time"));
    Note::of_values(
        "event",
        others.map(|(name, value)| format!("{name}={}", told(value))).collect(),
    )
}

/// What the rules say, to explain a decision by.
struct Rules<'s> {
    /// By id: the condition as it is written, and the counters that it names.
    conditions: BTreeMap<String, (String, Vec<&'s str>)>,
}

impl<'s> Rules<'s> {
    fn of(settings: &'s Settings) -> Rules<'s> {
        let ruleset = &settings.ruleset;
        let resolved: toml::Table = settings.resolved.parse().unwrap_or_default();
        let written = resolved.get("rule").and_then(toml::Value::as_array);
        let whens = written.into_iter().flatten().map(|rule| rule.get("when")?.as_str());
        let conditions = ruleset.rules.iter().zip(whens).map(|(rule, when)| {
            let named = rule.when.counters().iter();
            let names = named.map(|counter| ruleset.counters[*counter].name.as_str()).collect();
            (rule.id.clone(), (when.unwrap_or_default().to_owned(), names))
        });
        Rules { conditions: conditions.collect() }
    }

    /// The condition of each rule that is expected to hold or not, with the counters that it
    /// names; what was said; and whatever else was counted.
    fn notes(&self, wants: &Map<String, Json>, actual: &Map<String, Json>) -> Vec<Note> {
        let mut notes = Vec::new();
        let mut told_of: Vec<&str> = Vec::new();
        let none = Map::new();
        let counters = actual.get("counters").and_then(Json::as_object).unwrap_or(&none);
        let value = |name: &str, value: &Json| format!("{name}={}", told(value));
        for key in ["rules", "not_rules", "shadow", "suppressed"] {
            let Some(want) = wants.get(key) else { continue };
            let named = want.as_array().map_or(std::slice::from_ref(want), Vec::as_slice);
            for rule in named.iter().filter_map(Json::as_str) {
                let Some((condition, names)) = self.conditions.get(rule) else { continue };
                notes.push(Note::of(rule, condition));
                let values =
                    names.iter().filter_map(|name| Some(value(name, counters.get(*name)?)));
                notes.push(Note::of_values("", values.collect()));
                told_of.extend(names);
            }
        }
        for reason in actual.get("reasons").and_then(Json::as_array).into_iter().flatten() {
            let asks = match (reason.get("action"), reason.get("points")) {
                (Some(action), _) => told(action),
                (_, points) => format!("{} points", points.map(told).unwrap_or_default()),
            };
            notes.push(Note::of("said", &format!("{}: {asks}", told(&reason["rule"]))));
        }
        let rest = counters.iter().filter(|(name, value)| {
            !told_of.contains(&name.as_str()) && **value != ABSENT && **value != 0
        });
        notes.push(Note::of_values("counters", rest.map(|(n, v)| value(n, v)).collect()));
        notes
    }
}
