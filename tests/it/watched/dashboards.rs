//! Every query of every dashboard, and every series that an alert looks at, is there.

use std::{collections::BTreeSet, io::Write as _, process::Stdio};

use regex::Regex;
use serde_json::Value;

use super::{Watched, live, minutes, now_ms};
use crate::support::{
    binary::repository,
    kafka::{
        feed::{Event, Stream, produce},
        shared,
    },
    prometheus::program,
    service::shipped_ruleset,
};

/// What has nothing to show here, by a part of its query, and why. The series that it asks for must
/// be there all the same.
const EMPTY: [(&str, &str); 4] = [
    ("offset 1d", "a day ago there was no test"),
    ("holdfast_admin_seconds", "nobody asks on the admin port"),
    ("holdfast_stage_seconds", "in a short while no batch may be timed"),
    ("holdfast_service_seconds", "in a short while no batch may be timed"),
];

/// A rule that holds often and acts, one in shadow, one that fails now and then.
const RULES: &str = r#"
[[rule]]
id       = "dear"
when     = "amount_minor > 3000"
action   = "hold"
category = "fraud"
reason   = "Above an amount"
expires  = "1h"

[[rule]]
id       = "dearer_in_shadow"
when     = "amount_minor > 2000"
action   = "decline"
mode     = "shadow"
category = "fraud"
reason   = "Above a lower amount"

[[rule]]
id       = "fails"
when     = "amount_minor / (amount_minor - amount_minor) > 0"
action   = "review"
category = "policy"
reason   = "Divides by zero"
"#;

/// Panels, variables and annotations have these in place of Grafana's variables.
fn filled(expr: &str, rule: &str) -> String {
    let values =
        [("$__rate_interval", "20s"), ("$__range", "1m"), ("$job", ".+"), ("$instance", ".+")];
    values.iter().fold(expr.replace("$rule", rule), |expr, (name, value)| expr.replace(name, value))
}

fn dashboards() -> Vec<(String, Value)> {
    let names = ["operations", "decisions", "rule"];
    let read = |name: &str| {
        let path = repository("deploy/grafana/dashboards").join(format!("{name}.json"));
        let text = std::fs::read_to_string(path).expect("it is there");
        (name.to_owned(), serde_json::from_str(&text).expect("JSON"))
    };
    names.map(read).into()
}

fn list<'v>(of: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    of.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn text<'v>(of: &'v Value, key: &str) -> &'v str {
    of[key].as_str().unwrap_or_else(|| panic!("{key} is missing in {of}"))
}

/// The series that a query asks for, without their ranges.
fn selectors(expr: &str) -> BTreeSet<String> {
    let name = r"\b(?:holdfast_\w+|process_\w+|job(?:_\w+)?:\w+:\w+|up)\b(?:\{[^}]*\})?";
    let name = Regex::new(name).expect("it is one");
    name.find_iter(expr).map(|one| one.as_str().to_owned()).collect()
}

impl Watched {
    /// What is wrong with a query, if anything is.
    fn fault(&self, what: &str, exprs: &[String]) -> Option<String> {
        if exprs.iter().any(|expr| !self.prometheus.query(expr).is_empty()) {
            return None;
        }
        let expr = &exprs[0];
        if !EMPTY.iter().any(|(part, _)| expr.contains(part)) {
            return Some(format!("{what}: nothing comes of {expr}"));
        }
        let missing = selectors(expr).into_iter().find(|one| !self.is_there(one));
        missing.map(|one| format!("{what}: there is no {one}"))
    }

    fn is_there(&self, selector: &str) -> bool {
        !self.prometheus.query(&format!("last_over_time({selector}[10m])")).is_empty()
    }

    fn faults_of_dashboards(&self) -> Vec<String> {
        // A panel of the rule's dashboard shows something of a live rule, or of one in shadow.
        let rules = ["dear", "dearer_in_shadow", "fails"];
        let each_rule = |expr: &str| rules.map(|rule| filled(expr, rule)).to_vec();
        let mut faults = Vec::new();
        for (name, dashboard) in dashboards() {
            for panel in list(&dashboard, "/panels") {
                for target in list(panel, "/targets") {
                    let what = format!("{name}, {}", text(panel, "title"));
                    faults.extend(self.fault(&what, &each_rule(text(target, "expr"))));
                }
            }
            for one in list(&dashboard, "/annotations/list") {
                let what = format!("{name}, mark {}", text(one, "name"));
                faults.extend(self.fault(&what, &each_rule(text(one, "expr"))));
            }
            let variables = list(&dashboard, "/templating/list");
            for one in variables.filter(|variable| variable["type"] == "query") {
                let query = filled(text(one, "query"), "");
                let asked = query.strip_prefix("label_values(").and_then(|q| q.strip_suffix(')'));
                let (selector, label) = asked.and_then(|q| q.rsplit_once(", ")).expect(&query);
                if self.prometheus.label_values(selector, label).is_empty() {
                    faults.push(format!("{name}: the variable {label} has no values"));
                }
            }
        }
        faults
    }

    fn faults_of_rules(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let rules = self.prometheus.rules();
        assert!(rules.len() > 30, "{}", rules.len());
        for rule in &rules {
            let name = text(rule, "name");
            if rule["health"] != "ok" {
                faults.push(format!("{name}: {}", rule["lastError"]));
            }
            let asked = selectors(text(rule, "query"));
            assert!(!asked.is_empty(), "{name}");
            let missing = asked.into_iter().filter(|selector| !self.is_there(selector));
            faults.extend(missing.map(|one| format!("{name}: there is no {one}")));
        }
        faults
    }
}

/// What `promtool check metrics` finds fault with.
fn faults_of_metrics(metrics: &str) -> Vec<String> {
    let mut tool = std::process::Command::new(program("promtool"));
    tool.args(["check", "metrics"]).stdin(Stdio::piped());
    let mut tool = tool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("promtool");
    tool.stdin.take().expect("a pipe").write_all(metrics.as_bytes()).expect("it reads");
    let done = tool.wait_with_output().expect("it ends");
    if done.status.success() {
        return Vec::new();
    }
    let said: BTreeSet<&str> = str::from_utf8(&done.stderr).expect("UTF-8").lines().collect();
    said.into_iter().map(str::to_owned).collect()
}

fn poison(count: u32) -> impl Iterator<Item = Event> {
    (0..count).map(|_| Event {
        key: None,
        payload: Some(b"{ no JSON".to_vec()),
        timestamp_ms: now_ms(),
    })
}

#[test]
fn every_query_of_dashboards_and_alerts_shows_something() {
    let _turn = crate::service::turn();
    let ruleset = format!("{}\n{RULES}", shipped_ruleset());
    let watched = Watched::new(&shared(), &ruleset);
    let instance = watched.start();
    let stream = Stream::start(watched.input(), 400, live(7, 80_000));
    // Faults: what is no event, and a death in the middle, which is followed by a restore.
    produce(watched.input(), poison(50));
    watched.wait_for("sum(holdfast_snapshots_total) > 2");
    instance.kill();
    let instance = watched.start();
    watched.wait_for("sum(holdfast_restore_seconds_count) > 0");
    watched.wait_for("sum(holdfast_follow_ups_total) > 0 and sum(holdfast_rule_answers_total) > 0");
    produce(watched.input(), poison(50));
    // Rates need a while, and so does what was usual half an hour ago.
    minutes(45);
    let (status, metrics) = instance.get("/metrics").expect("it answers");
    assert_eq!(status, 200);
    let mut faults = faults_of_metrics(&metrics);
    faults.extend(watched.faults_of_dashboards());
    faults.extend(watched.faults_of_rules());
    stream.stop();
    instance.terminate();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
