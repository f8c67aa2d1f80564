//! The answers as JSON. Their form is stable within a `schema`: members may be added, none changes
//! its meaning or goes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::{RawValue, Value as Json};

use crate::{
    cases::{
        case::Status,
        life::Value,
        look::{CaseLook, Waiting},
        member::{CaseNumber, Column},
    },
    decision::Effect,
    engine::{
        Ruleset,
        look::{AccountLook, KeyReadings},
    },
    event::Path,
    service::{desk::PartitionLook, recent::Output},
    window::spec::{Reading, Window},
};

/// An account, or a card of it.
#[derive(Debug, Serialize)]
pub struct AccountBody {
    schema: &'static str,
    account_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_id: Option<String>,
    partition: i32,
    clock: Option<i64>,
    ruleset: String,
    counters: Vec<KeyBody>,
    truncated: bool,
    cases: Vec<CaseBody>,
    decisions: Vec<OutputBody>,
}

#[derive(Debug, Serialize)]
struct KeyBody {
    key: BTreeMap<String, Json>,
    values: BTreeMap<String, Json>,
}

#[derive(Debug, Serialize)]
struct OutputBody {
    partition: i32,
    offset: i64,
    output: Box<RawValue>,
}

/// A case.
#[derive(Debug, Serialize)]
pub struct CaseBody {
    case_id: String,
    account_id: String,
    partition: i32,
    status: &'static str,
    rule: Option<String>,
    target: BTreeMap<String, Json>,
    opened: i64,
    members: usize,
    waiting: Vec<WaitingBody>,
    totals: Vec<TotalBody>,
}

#[derive(Debug, Serialize)]
struct WaitingBody {
    event_id: String,
    card_id: Option<String>,
    amount_minor: i64,
    currency: String,
    deadline: i64,
}

#[derive(Debug, Serialize)]
struct TotalBody {
    tender: &'static str,
    currency: String,
    pending: i128,
    passed: i128,
    released: i128,
    cancelled: i128,
    reversed: i128,
    withdrawn: i128,
}

impl AccountBody {
    /// Of what is known.
    pub fn new(
        account_id: String,
        card_id: Option<String>,
        partition: i32,
        look: &AccountLook,
        outputs: Vec<Output>,
        ruleset: &Ruleset,
    ) -> AccountBody {
        let output = |of: Output| {
            let output = RawValue::from_string(String::from_utf8(of.payload).ok()?).ok()?;
            Some(OutputBody { partition: of.partition, offset: of.offset, output })
        };
        let schema = match card_id {
            None => "holdfast.admin.account/1",
            Some(_) => "holdfast.admin.card/1",
        };
        AccountBody {
            schema,
            account_id,
            card_id,
            partition,
            clock: look.clock_ms,
            ruleset: ruleset.identity.to_string(),
            counters: look.keys.iter().map(|key| KeyBody::new(key, ruleset)).collect(),
            truncated: look.truncated,
            cases: look.cases.iter().map(|case| CaseBody::new(partition, case, ruleset)).collect(),
            decisions: outputs.into_iter().filter_map(output).collect(),
        }
    }
}

impl KeyBody {
    fn new(look: &KeyReadings, ruleset: &Ruleset) -> KeyBody {
        let value = |(counter, reading): &(usize, Option<Reading>)| {
            let reading = match reading {
                None => Json::Null,
                Some(Reading::Int(integer)) => Json::from(*integer),
                Some(Reading::Double(double)) => Json::from(*double),
            };
            (ruleset.counters[*counter].name.clone(), reading)
        };
        KeyBody { key: fields(&look.key), values: look.counters.iter().map(value).collect() }
    }
}

fn fields(fields: &[(Path, Option<Value>)]) -> BTreeMap<String, Json> {
    let json = |value: &Option<Value>| match value {
        None => Json::Null,
        Some(Value::Text(text)) => Json::from(&**text),
        Some(Value::Int(integer)) => Json::from(*integer),
        Some(Value::Bool(flag)) => Json::from(*flag),
    };
    fields.iter().map(|(path, value)| (path.to_string(), json(value))).collect()
}

impl CaseBody {
    fn new(partition: i32, case: &CaseLook, ruleset: &Ruleset) -> CaseBody {
        let target = match &case.target {
            Some(target) => {
                let account = ("account_id".to_owned(), Json::from(case.account_id.as_str()));
                fields(&target.0).into_iter().chain([account]).collect()
            }
            None => BTreeMap::from([("event_id".to_owned(), Json::from(case.case_id.as_str()))]),
        };
        let rule = case.rule.and_then(|at| match at as usize {
            at if at == ruleset.rules.len() => Some(crate::engine::SCORE.to_owned()),
            at => ruleset.rules.get(at).map(|rule| rule.id.clone()),
        });
        let waiting = |of: &Waiting| WaitingBody {
            event_id: of.event_id.clone(),
            card_id: of.card_id.clone(),
            amount_minor: of.amount_minor,
            currency: of.currency.clone(),
            deadline: of.deadline_ms,
        };
        let totals = case.totals.iter().map(|row| TotalBody {
            tender: row.money.tender(),
            currency: row.money.currency().to_owned(),
            pending: row.amounts[Column::Pending as usize],
            passed: row.amounts[Column::Passed as usize],
            released: row.amounts[Column::Released as usize],
            cancelled: row.amounts[Column::Cancelled as usize],
            reversed: row.amounts[Column::Reversed as usize],
            withdrawn: row.amounts[Column::Withdrawn as usize],
        });
        CaseBody {
            case_id: case.case_id.clone(),
            account_id: case.account_id.clone(),
            partition,
            status: case.status.name(),
            rule,
            target,
            opened: case.opened_ms,
            members: case.members,
            waiting: case.waiting.iter().map(waiting).collect(),
            totals: totals.collect(),
        }
    }
}

/// Cases.
#[derive(Debug, Serialize)]
pub struct CasesBody {
    schema: &'static str,
    cases: Vec<CaseBody>,
    next: Option<String>,
}

impl CasesBody {
    /// Of these, if at most so many were asked for.
    pub fn new(found: &[(i32, CaseLook)], most: usize, ruleset: &Ruleset) -> CasesBody {
        let last = found.last().filter(|_| found.len() == most);
        let next = last
            .map(|(partition, case)| format!("{}.{partition}.{}", case.status.name(), case.number));
        let cases = found.iter().map(|(number, case)| CaseBody::new(*number, case, ruleset));
        CasesBody { schema: "holdfast.admin.cases/1", cases: cases.collect(), next }
    }
}

/// Where an earlier answer ended: a status, a partition, a case.
pub fn read_cursor(text: &str) -> Option<(Status, i32, CaseNumber)> {
    let mut parts = text.split('.');
    let status = alive_named(parts.next()?)?;
    let cursor = (status, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(cursor)
}

/// The status of this name of a case that is not closed.
pub fn alive_named(name: &str) -> Option<Status> {
    Status::ALIVE.into_iter().find(|status| status.name() == name)
}

/// What an output about a card holds.
pub fn naming_card(card: &str) -> String {
    format!("\"card_id\":{}", Json::from(card))
}

/// The ruleset that decides.
#[derive(Debug, Serialize)]
pub struct RulesetBody {
    schema: &'static str,
    ruleset: String,
    timezone: String,
    counters: Vec<CounterBody>,
    rules: Vec<RuleBody>,
    thresholds: BTreeMap<&'static str, i64>,
}

#[derive(Debug, Serialize)]
struct CounterBody {
    name: String,
    key: Vec<String>,
    measure: &'static str,
    field: Option<String>,
    window: String,
    delay_ms: i64,
}

#[derive(Debug, Serialize)]
struct RuleBody {
    id: String,
    mode: &'static str,
    action: Option<&'static str>,
    points: Option<i64>,
    category: Option<&'static str>,
    reason: Option<String>,
    counters: Vec<String>,
}

impl RulesetBody {
    /// Of this ruleset.
    pub fn new(ruleset: &Ruleset) -> RulesetBody {
        let counters = ruleset.counters.iter().map(|counter| CounterBody {
            name: counter.name.clone(),
            key: counter.key.iter().map(Path::to_string).collect(),
            measure: counter.measure.name(),
            field: counter.measure.field().map(Path::to_string),
            window: match counter.window {
                Window::Sliding { span_ms, .. } => format!("{span_ms}ms"),
                Window::Day => "day".to_owned(),
                Window::Month => "month".to_owned(),
            },
            delay_ms: counter.window.delay_ms(),
        });
        let name = |counter: &usize| ruleset.counters[*counter].name.clone();
        let rules = ruleset.rules.iter().map(|rule| {
            let (action, points) = match rule.effect {
                Effect::Act(action) => (Some(action.name()), None),
                Effect::Points(points) => (None, Some(points)),
            };
            RuleBody {
                id: rule.id.clone(),
                mode: if rule.shadow { "shadow" } else { "live" },
                action,
                points,
                category: rule.category.map(|category| category.name()),
                reason: rule.reason.clone(),
                counters: rule.when.counters().iter().map(name).collect(),
            }
        });
        RulesetBody {
            schema: "holdfast.admin.ruleset/1",
            ruleset: ruleset.identity.to_string(),
            timezone: ruleset.timezone.iana_name().unwrap_or("UTC").to_owned(),
            counters: counters.collect(),
            rules: rules.collect(),
            thresholds: ruleset.thresholds.iter().map(|(a, at)| (a.name(), *at)).collect(),
        }
    }
}

/// The partitions of this instance.
#[derive(Debug, Serialize)]
pub struct PartitionsBody {
    schema: &'static str,
    instance: String,
    /// Of the input, whoever has them.
    count: Option<u32>,
    partitions: Vec<PartitionBody>,
}

#[derive(Debug, Serialize)]
struct PartitionBody {
    partition: i32,
    state: &'static str,
    next_offset: Option<i64>,
    clock: Option<i64>,
    record_time: Option<i64>,
}

impl PartitionsBody {
    /// Of these.
    pub fn new(instance: &str, count: Option<u32>, looks: &[PartitionLook]) -> PartitionsBody {
        let partitions = looks.iter().map(|look| PartitionBody {
            partition: look.number,
            state: look.state,
            next_offset: look.next,
            clock: look.clock_ms,
            record_time: look.record_ms,
        });
        let (schema, instance) = ("holdfast.admin.partitions/1", instance.to_owned());
        PartitionsBody { schema, instance, count, partitions: partitions.collect() }
    }
}
