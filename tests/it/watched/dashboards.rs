//! Every query of every dashboard shows something, and every rule has something to compare.

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

/// The queries that have nothing to show here, because a day ago there was no test. The series that
/// they ask for must be there all the same.
const OF_YESTERDAY: [&str; 3] = [
    r#"sum(rate(holdfast_decisions_total{job=~"$job", instance=~"$instance", action=~"verify|hold|decline"}[$__rate_interval] offset 1d)) / sum(rate(holdfast_decisions_total{job=~"$job", instance=~"$instance", action=~"allow|review|verify|hold|decline"}[$__rate_interval] offset 1d))"#,
    r#"sum(rate(holdfast_decisions_total{job=~"$job", instance=~"$instance", action=~"allow|review|verify|hold|decline"}[$__rate_interval] offset 1d))"#,
    r#"sum(rate(holdfast_rule_hits_total{job=~"$job", instance=~"$instance", rule="$rule"}[$__rate_interval] offset 1d))"#,
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

/// What the expression of a rule compares, whatever comes of it: both sides of each comparison are
/// taken from one another, so that nothing is left where one of them is missing or where they do not
/// match. Of alternatives, each.
fn without_limits(expr: &str) -> Vec<String> {
    let comparison = Regex::new(r" (?:==|!=|<=|>=|<|>) (?:bool )?").expect("it is one");
    let expr = comparison.replace_all(expr, " - ");
    // What must not be there has to be looked for among what is.
    let expr = expr.replace(" unless ", " and ").replace("absent(", "(");
    let matching = Regex::new(r"^(?:on|ignoring) \([^)]*\)").expect("it is one");
    let (mut all, mut one, mut depth) = (Vec::new(), String::new(), 0_i32);
    for word in expr.split_inclusive(' ') {
        if depth == 0 && word == "or " {
            all.push(std::mem::take(&mut one));
            continue;
        }
        depth += word.matches(['(', '{', '[']).count() as i32;
        depth -= word.matches([')', '}', ']']).count() as i32;
        one.push_str(word);
    }
    all.push(one);
    all.iter().map(|one| matching.replace(one, "").trim().to_owned()).collect()
}

#[test]
fn limits_are_told_from_what_they_limit() {
    let whole = "a{x=~\"1|2\"} > 10 * (b offset 30m) and on (job) c * 30 > 2 unless d <= 5";
    let due = "a{x=~\"1|2\"} - 10 * (b offset 30m) and on (job) c * 30 - 2 and d - 5";
    assert_eq!(without_limits(whole), [due]);
    let either = without_limits("(a == 1 or b == 1) or on (job, x) absent(c == 1)");
    assert_eq!(either, ["(a - 1 or b - 1)", "(c - 1)"]);
}

impl Watched {
    /// What is wrong with a query, if anything is.
    fn fault(&self, what: &str, query: &str) -> Option<String> {
        // A panel of the rule's dashboard shows something of a live rule, or of one in shadow.
        let exprs = ["dear", "dearer_in_shadow", "fails"].map(|rule| filled(query, rule));
        if OF_YESTERDAY.contains(&query) {
            let missing = selectors(&exprs[0]).into_iter().find(|one| !self.is_there(one));
            return missing.map(|one| format!("{what}: there is no {one}"));
        }
        let shows = exprs.iter().any(|expr| !self.prometheus.query(expr).is_empty());
        (!shows).then(|| format!("{what}: nothing comes of {}", exprs[0]))
    }

    fn is_there(&self, selector: &str) -> bool {
        !self.prometheus.query(&format!("last_over_time({selector}[10m])")).is_empty()
    }

    fn faults_of_dashboards(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, dashboard) in dashboards() {
            for panel in list(&dashboard, "/panels") {
                for target in list(panel, "/targets") {
                    let what = format!("{name}, {}", text(panel, "title"));
                    faults.extend(self.fault(&what, text(target, "expr")));
                }
            }
            for one in list(&dashboard, "/annotations/list") {
                let what = format!("{name}, mark {}", text(one, "name"));
                faults.extend(self.fault(&what, text(one, "expr")));
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
            for expr in without_limits(text(rule, "query")) {
                if self.prometheus.query(&expr).is_empty() {
                    faults.push(format!("{name}: nothing comes of {expr}"));
                }
            }
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
    let _turn = crate::service::alone();
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
    watched.wait_for("sum(holdfast_service_seconds_count) > 0");
    for number in 0..20 {
        assert!(instance.admin(&format!("/v1/accounts/a-{number:06}")).is_some());
    }
    // Rates need a while, and so does what was usual half an hour ago.
    minutes(45);
    assert!(instance.admin("/v1/partitions").is_some_and(|(status, _)| status == 200));
    minutes(2);
    let (status, metrics) = instance.get("/metrics").expect("it answers");
    assert_eq!(status, 200);
    let mut faults = faults_of_metrics(&metrics);
    faults.extend(watched.faults_of_dashboards());
    faults.extend(watched.faults_of_rules());
    stream.stop();
    instance.terminate();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
