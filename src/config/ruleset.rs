//! From what was written to what is valid: the ruleset, or every problem at once. Each value has
//! the right shape already ([`super::shape`]); here it is seen what the values mean together.

mod written_rule;

use std::collections::HashMap;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::{
    cases::life::Bounds,
    decision::{Action, RulesetId},
    engine::ruleset::{Input, Rule, Ruleset},
    event::{EventType, Field, Path},
    rules::{self, Constant, List, Place as Scope, Program, Schema, Table as Constants, Type},
    window::spec::{Counter, Measure, Types, Window},
};

use super::{
    document::{self, Document, Node, Place, Table, Value},
    duration, identity,
    problem::{Problem, nearest},
};

/// Ids that decisions use for themselves.
const RESERVED_RULES: [&str; 4] = ["score", "suspended", "confirmed_fraud", "limit"];
/// Names that rules use for something else than a counter.
const RESERVED_COUNTERS: [&str; 6] = ["late", "event", "counter", "table", "list", "attributes"];
const MEASURES: [&str; 6] = ["count", "sum", "mean", "max", "min", "distinct"];
/// What `sum`, `mean`, `max` and `min` read.
const INTEGERS: [Field; 4] =
    [Field::AmountMinor, Field::EventTime, Field::ItemSeq, Field::ItemCount];

/// Builds the ruleset of a document.
pub fn build(document: &Document) -> (Option<Ruleset>, Vec<Problem>) {
    let mut builder = Builder { document, problems: Vec::new() };
    let ruleset = builder.ruleset();
    (ruleset, builder.problems)
}

struct Builder<'d> {
    document: &'d Document,
    problems: Vec<Problem>,
}

impl<'d> Builder<'d> {
    fn ruleset(&mut self) -> Option<Ruleset> {
        let root = &self.document.root;
        let timezone = self.timezone(root);
        let (input, account_fields) = self.input(section(root, "input"));
        let tables: Vec<&Table> = sections(root, "counter").collect();
        self.refuse_repeats(&tables, "name", "counter");
        let schema = self.schema(root, &tables);

        let mut filters: Vec<Program> = Vec::new();
        let mut single_partition = Vec::new();
        let mut counters = Vec::new();
        for table in &tables {
            let Some((counter, of_account)) =
                self.counter(table, &account_fields, &schema, &mut filters)
            else {
                continue;
            };
            if !of_account && table.get("scope").is_none() {
                single_partition.push(counter.name.clone());
            }
            counters.push(counter);
        }

        let written: Vec<&Table> = sections(root, "rule").collect();
        self.refuse_repeats(&written, "id", "rule");
        let cases = section(root, "cases");
        let names: Vec<Option<&str>> = tables.iter().map(|t| table_text(t, "name")).collect();
        let rules: Vec<Rule> =
            written.iter().filter_map(|t| self.rule(t, &schema, cases, &names)).collect();
        let score = section(root, "score");
        let empty = Table::default();
        let score_hold = self.hold(score.unwrap_or(&empty), cases, &[]);
        let threshold = |action: Action| {
            Some((action, integer(score?.get(&format!("{}_at", action.name()))?)?))
        };
        let thresholds = Action::ALL.into_iter().rev().filter_map(threshold).collect();
        let limit = |key: &str| {
            let limit = section(root, "limits").and_then(|limits| integer(limits.get(key)?));
            limit.and_then(|limit| usize::try_from(limit).ok())
        };
        let events_per_key = limit("events_per_key").unwrap_or(1_000_000);
        let usual = Bounds::default();
        let bounds = Bounds {
            memory_ms: cases
                .and_then(|cases| duration_of(cases.get("memory")?))
                .unwrap_or(usual.memory_ms),
            linked_events: limit("linked_events").unwrap_or(usual.linked_events),
            pending_per_account: limit("pending_per_account")
                .map_or(usual.pending_per_account, |limit| limit as u64),
        };
        // One that is missing has been told of, here or where its shape was checked.
        let all = counters.len() == tables.len() && rules.len() == written.len();
        if !self.problems.is_empty() || !all {
            return None;
        }
        for rule in rules.iter().filter(|rule| !rule.shadow) {
            rule.hold.reach.iter().for_each(|counter| counters[*counter].reached = true);
        }
        let mut ruleset = Ruleset {
            identity: RulesetId::new(String::new()),
            counting: String::new(),
            admitting: String::new(),
            kept: Vec::new(),
            timezone: timezone?,
            input,
            counters,
            single_partition,
            filters,
            rules,
            thresholds,
            score: score_hold,
            cases: bounds,
            events_per_key,
        };
        ruleset.identity = RulesetId::new(identity::of(&ruleset, &schema, &account_fields));
        ruleset.counting = identity::of_counting(&ruleset, &schema, &account_fields);
        (ruleset.admitting, ruleset.kept) = identity::of_parts(&ruleset, &schema, &account_fields);
        Some(ruleset)
    }

    fn wrong(&mut self, place: &Place, message: impl Into<String>) -> &mut Problem {
        self.problems.push(Problem::new(place.clone(), message));
        let at = self.problems.len() - 1;
        &mut self.problems[at]
    }

    fn timezone(&mut self, root: &Table) -> Option<TimeZone> {
        let Some(node) = root.get("timezone") else { return Some(TimeZone::UTC) };
        let name = node.text()?;
        let database = TimeZoneDatabase::bundled();
        match database.get(name) {
            Ok(zone) => Some(zone),
            Err(_) => {
                let known: Vec<String> = database.available().map(|n| n.to_string()).collect();
                let near = nearest(name, known.iter().map(String::as_str));
                let hint = near.or(Some("an IANA name such as \"Asia/Tokyo\"".into()));
                self.wrong(&node.place, format!("unknown time zone `{name}`")).hint = hint;
                None
            }
        }
    }

    fn input(&mut self, input: Option<&'d Table>) -> (Input, Vec<Path>) {
        let length = |key: &str, default: i64| {
            input.and_then(|t| duration_of(t.get(key)?)).unwrap_or(default)
        };
        let hour_ms = 3_600_000;
        let allowed_lateness_ms = length("allowed_lateness", hour_ms);
        let dedupe_horizon_ms = length("dedupe_horizon", 24 * hour_ms);
        if allowed_lateness_ms > dedupe_horizon_ms {
            let place = |key| input.and_then(|t| t.get(key)).map(|node| node.place.clone());
            let place = place("allowed_lateness").or(place("dedupe_horizon"));
            let message = format!(
                "allowed_lateness ({}) is beyond dedupe_horizon ({})",
                duration::print(allowed_lateness_ms),
                duration::print(dedupe_horizon_ms)
            );
            let place = place.unwrap_or_else(|| self.document.top.clone());
            self.wrong(&place, message).hint =
                Some("an event older than dedupe_horizon is refused anyway".into());
        }
        let card = || vec![Path::Field(Field::CardId)];
        let account_fields =
            input.and_then(|t| t.get("account_fields")).map_or_else(card, |n| self.paths(n));
        let pan_check = match input.and_then(|t| t.get("pan_check")) {
            None => vec![Field::CardId],
            Some(node) => node.list().map_or_else(Vec::new, |list| self.text_fields(list)),
        };
        let max_future_ms = length("max_future", 300_000);
        let input = Input { allowed_lateness_ms, dedupe_horizon_ms, max_future_ms, pan_check };
        (input, account_fields)
    }

    fn text_fields(&mut self, list: &[Node]) -> Vec<Field> {
        let mut fields = Vec::new();
        for node in list {
            match self.path(node) {
                Some(Path::Field(field)) if field.is_text() => fields.push(field),
                Some(path) => {
                    self.wrong(&node.place, format!("`{path}` is no text field"));
                }
                None => {}
            }
        }
        fields
    }

    fn paths(&mut self, node: &Node) -> Vec<Path> {
        let list = node.list().unwrap_or(&[]);
        list.iter().filter_map(|one| self.path(one)).collect()
    }

    fn path(&mut self, node: &Node) -> Option<Path> {
        let name = node.text()?;
        let path = Path::parse(name);
        if path.is_none() {
            let known = Field::ALL.iter().map(|field| field.name());
            let hint = match Field::named(name.as_bytes()) {
                Some(Field::Attributes) => Some("one of them: `attributes.NAME`".into()),
                Some(_) => Some("it holds a list".into()),
                None => nearest(name, known).or(Some("other fields: `attributes.NAME`".into())),
            };
            self.wrong(&node.place, format!("unknown field `{name}`")).hint = hint;
        }
        path
    }

    fn refuse_repeats(&mut self, tables: &[&Table], key: &str, what: &str) {
        let mut seen: HashMap<&str, ()> = HashMap::new();
        for table in tables {
            let Some(node) = table.get(key) else { continue };
            let Some(name) = node.text() else { continue };
            if seen.insert(name, ()).is_some() {
                self.wrong(&node.place, format!("there are two {what}s `{name}`")).hint =
                    Some("each has a name of its own".into());
            }
        }
    }

    /// The names that expressions may use.
    fn schema(&mut self, root: &Table, counters: &[&Table]) -> Schema {
        let counter = |table: &&Table| {
            let name = table.get("name")?.text()?.to_owned();
            let double = table.get("mean").is_some();
            Some((name, if double { Type::Double } else { Type::Int }))
        };
        let mut schema = Schema {
            counters: counters.iter().filter_map(counter).collect(),
            tables: Vec::new(),
            lists: Vec::new(),
        };
        for entry in section(root, "table").map_or(&[][..], |tables| &tables.0) {
            if let Some(table) = entry.node.table() {
                schema.tables.push(constants(&entry.key, table));
            }
        }
        for entry in section(root, "list").map_or(&[][..], |lists| &lists.0) {
            let items = entry.node.list().unwrap_or(&[]).iter().filter_map(constant);
            schema.lists.push(List::new(entry.key.clone(), items));
        }
        schema
    }

    fn program(&mut self, node: &Node, schema: &Schema, scope: Scope) -> Option<Program> {
        match rules::compile(node.text()?, schema, scope) {
            Ok(program) => Some(program),
            Err(issues) => {
                for issue in issues {
                    let place = document::within(&self.document.sources, node, &issue.span);
                    self.wrong(&place, issue.message).hint = issue.hint;
                }
                None
            }
        }
    }

    /// A counter, and whether its key is of one account.
    fn counter(
        &mut self,
        table: &Table,
        account_fields: &[Path],
        schema: &Schema,
        filters: &mut Vec<Program>,
    ) -> Option<(Counter, bool)> {
        let before = self.problems.len();
        let name = self.counter_name(table);
        let mut key = table.get("key").map(|node| self.paths(node)).unwrap_or_default();
        let account = Path::Field(Field::AccountId);
        if key.iter().any(|path| account_fields.contains(path)) {
            key.push(account.clone());
        }
        key.sort();
        key.dedup();
        let measure = self.measure(table);
        if let (Some(Measure::Max(_) | Measure::Min(_)), Some(entry)) =
            (&measure, table.entry("standing"))
            && matches!(entry.node.value, Value::Bool(true))
        {
            self.wrong(&entry.place, "a `max` or `min` has no `standing`").hint =
                Some("take it out; count, sum, mean and distinct have it".into());
        }
        let currency = self.currency(table, &key, measure.as_ref());
        let window = self.window(table);
        let types = table.get("types").and_then(Node::list).map_or_else(
            || Types::of(&[EventType::Authorization]),
            |list| {
                let named = |node: &Node| node.text().and_then(EventType::named);
                Types::of(&list.iter().filter_map(named).collect::<Vec<_>>())
            },
        );
        let filter = table.get("where").and_then(|node| {
            let program = self.program(node, schema, Scope::Filter)?;
            let known = filters.iter().position(|f| f.canonical() == program.canonical());
            Some(known.unwrap_or_else(|| {
                filters.push(program);
                filters.len() - 1
            }))
        });
        if self.problems.len() > before {
            return None;
        }
        let of_account = key.contains(&account);
        let group_missing = table.get("missing").is_some();
        let standing = matches!(table.get("standing"), Some(Node { value: Value::Bool(true), .. }));
        let (name, measure, window) = (name?, measure?, window?);
        let counter = Counter {
            name,
            key,
            group_missing,
            types,
            measure,
            currency,
            window,
            filter,
            standing,
            reached: false,
        };
        Some((counter, of_account))
    }

    fn counter_name(&mut self, table: &Table) -> Option<String> {
        let node = table.get("name")?;
        let name = node.text()?;
        let field = Field::named(name.as_bytes()).is_some();
        if field || RESERVED_COUNTERS.contains(&name) {
            let what = if field { "a field of the event" } else { "a word of the rules" };
            self.wrong(&node.place, format!("a counter cannot be named `{name}`: it is {what}"))
                .hint = Some(format!("say what it counts: `{name}_1h`"));
        }
        Some(name.to_owned())
    }

    fn measure(&mut self, table: &Table) -> Option<Measure> {
        let given: Vec<_> = MEASURES.iter().filter_map(|name| table.entry(name)).collect();
        let (entry, more) = match given[..] {
            [entry] => (entry, None),
            [entry, more, ..] => (entry, Some(more)),
            [] => {
                let place = table.entry("name").map(|e| e.place.clone());
                let place = place.or_else(|| table.0.first().map(|e| e.place.clone()))?;
                let message = "the counter measures nothing: it has none of `count`, `sum`, \
                               `mean`, `max`, `min`, `distinct`";
                self.wrong(&place, message).hint = Some("count = true".into());
                return None;
            }
        };
        if let Some(more) = more {
            let message =
                format!("the counter measures two things: `{}` and `{}`", entry.key, more.key);
            self.wrong(&more.place, message).hint = Some("make it two counters".into());
            return None;
        }
        if entry.key == "count" {
            return Some(Measure::Count);
        }
        let path = self.path(&entry.node)?;
        if entry.key == "distinct" {
            return Some(Measure::Distinct(path));
        }
        if let Path::Field(field) = &path
            && !INTEGERS.contains(field)
        {
            let message = format!("`{}` of `{path}`: it is no amount or number", entry.key);
            let fields: Vec<&str> = INTEGERS.iter().map(|field| field.name()).collect();
            self.wrong(&entry.node.place, message).hint =
                Some(format!("{}, attributes.NAME", fields.join(", ")));
            return None;
        }
        Some(match entry.key.as_str() {
            "sum" => Measure::Sum(path),
            "mean" => Measure::Mean(path),
            "max" => Measure::Max(path),
            _ => Measure::Min(path),
        })
    }

    fn currency(
        &mut self,
        table: &Table,
        key: &[Path],
        measure: Option<&Measure>,
    ) -> Option<Box<str>> {
        let money = !matches!(measure?, Measure::Distinct(_) | Measure::Count)
            && measure?.field() == Some(&Path::Field(Field::AmountMinor));
        let in_key = key.contains(&Path::Field(Field::Currency));
        let entry = table.entry("currency");
        match entry {
            None if money && !in_key => {
                let place = table.entry(measure?.name())?.place.clone();
                let message = format!("a {} of money must say its `currency`", measure?.name());
                self.wrong(&place, message).hint = Some(
                    "currency = \"JPY\" (only that one counts), \"any\", or put `currency` into \
                     the key"
                        .into(),
                );
                None
            }
            None => None,
            Some(entry) if !money || in_key => {
                let why = if in_key { "it is in the key" } else { "nothing here is money" };
                self.wrong(&entry.place, format!("`currency` has no place here: {why}")).hint =
                    Some("take it out".into());
                None
            }
            Some(entry) => {
                let code = entry.node.text()?;
                if code == "any" {
                    return None;
                }
                if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
                    self.wrong(&entry.node.place, format!("`{code}` is no currency")).hint =
                        Some("three capital letters (ISO 4217), or \"any\"".into());
                }
                Some(code.into())
            }
        }
    }

    fn window(&mut self, table: &Table) -> Option<Window> {
        let text = table.get("window")?.text()?;
        let delay = table.entry("delay");
        let calendar = match text {
            "day" => Some(Window::Day),
            "month" => Some(Window::Month),
            _ => None,
        };
        if let (Some(_), Some(delay)) = (calendar, delay) {
            let message = format!("a window of a calendar {text} has no `delay`");
            self.wrong(&delay.place, message).hint = Some("take it out".into());
        }
        let span = || {
            let delay_ms = match delay {
                Some(entry) => duration_of(&entry.node)?,
                None => 0,
            };
            Some(Window::Sliding { span_ms: duration::parse_ms(text).ok()?, delay_ms })
        };
        calendar.or_else(span)
    }
}

fn section<'t>(table: &'t Table, key: &str) -> Option<&'t Table> {
    table.get(key).and_then(Node::table)
}

fn sections<'t>(table: &'t Table, key: &str) -> impl Iterator<Item = &'t Table> {
    table.get(key).and_then(Node::list).unwrap_or(&[]).iter().filter_map(Node::table)
}

fn table_text<'t>(table: &'t Table, key: &str) -> Option<&'t str> {
    table.get(key).and_then(Node::text)
}

fn integer(node: &Node) -> Option<i64> {
    match node.value {
        Value::Integer(integer) => Some(integer),
        _ => None,
    }
}

fn duration_of(node: &Node) -> Option<i64> {
    duration::parse_ms(node.text()?).ok()
}

fn constant(node: &Node) -> Option<Constant> {
    match &node.value {
        Value::Text(text) => Some(Constant::Text(text.clone())),
        Value::Integer(integer) => Some(Constant::Int(*integer)),
        Value::Float(float) => Some(Constant::Double(*float)),
        Value::Bool(flag) => Some(Constant::Bool(*flag)),
        _ => None,
    }
}

/// A table, as far as its values are of the type of its default. Without one, which has been said,
/// the first value stands in for it, so that rules do not find the table missing.
fn constants(name: &str, table: &Table) -> Constants {
    let default = table.get("default").or(table.0.first().map(|entry| &entry.node));
    let default = default.and_then(constant).unwrap_or(Constant::Int(0));
    let alike = |value: &Constant| value.value_type() == default.value_type();
    let entry =
        |entry: &document::Entry| Some((entry.key.clone(), constant(&entry.node).filter(alike)?));
    let entries: Vec<_> = table.0.iter().filter_map(entry).collect();
    Constants::new(name, default, entries)
}
