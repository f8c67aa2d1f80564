//! `holdfast test`: the cases of the default ruleset pass, each rule has one, and what is wrong
//! with a ruleset or a case is told.

use std::collections::BTreeSet;

use holdfast::testing::Case;

use crate::support::{
    binary::{Ended, Folder, repository},
    run::settings,
};

const CONFIG: &str = r#"
timezone = "Asia/Tokyo"
[[counter]]
name = "card_orders_1h"
key = ["card_id"]
distinct = "order_id"
window = "1h"
[[rule]]
id = "many_orders"
when = "card_orders_1h >= 3"
action = "verify"
target = "card"
"#;

/// Four orders a minute apart, of which the third and the fourth wait, and an answer.
const EVENTS: &str = r#"
about = "Orders"
[defaults]
account_id = "a-1"
currency = "JPY"
amount_minor = 1200
[[event]]
event_id = "order"
at = "09:30"
repeat = 4
every = "1m"
card_id = "c-1"
order_id = "o-{id}"
[[event]]
event_id = "yes"
at = "+1h"
type = "feedback"
verdict = "legitimate"
source = "customer"
card_id = "c-1"
"#;

fn run(expectations: &str) -> Ended {
    let folder = Folder::new();
    folder.write("config.toml", CONFIG);
    folder.write("case.toml", format!("{EVENTS}{expectations}"));
    folder.run(&["test", "-c", "config.toml", "case.toml"])
}

#[test]
fn the_default_ruleset_passes_its_cases_and_both_stories() {
    let path = |path: &str| repository(path).display().to_string();
    let (config, cases) = (path("config/holdfast.toml"), path("config/tests"));
    let stories = path("tests/data/stories");
    let ended = Folder::new().run(&["test", "-c", &config, &cases, &stories]);
    let said = format!("{}{}", ended.text(), ended.err);
    assert_eq!(ended.code, 0, "{said}");
    // Else a note names the rules that held nowhere.
    assert!(ended.err.is_empty(), "{said}");
}

/// `config/tests/RULE.toml`: an event at which it holds, and a near miss at which it does not.
#[test]
fn each_rule_has_a_case_of_its_own_with_a_near_miss() {
    let settings = settings(&std::fs::read_to_string(repository("config/holdfast.toml")).unwrap());
    for rule in &settings.ruleset.rules {
        let name = format!("config/tests/{}.toml", rule.id);
        let text = std::fs::read_to_string(repository(&name))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let near_miss = text.lines().any(|line| {
            line.split_once("not_rules").is_some_and(|(_, after)| {
                after.trim_start_matches([' ', '=']).starts_with(&format!("\"{}\"", rule.id))
            })
        });
        assert!(near_miss, "{name} has no near miss: not_rules = \"{}\"", rule.id);
        let case =
            Case::read(&name, text, &settings).unwrap_or_else(|problems| panic!("{problems}"));
        let report = case.run(&settings);
        let held: BTreeSet<&str> = report.rules_that_held().collect();
        assert!(held.contains(rule.id.as_str()), "{} holds nowhere in {name}", rule.id);
    }
}

#[test]
fn what_holds_passes() {
    let ended = run(r#"
[[expect]]
event = ["order-1", "order-2"]
action = "allow"
rules = []
not_rules = "many_orders"
case_id = "none"
[[expect]]
event = "order-3"
action = "verify"
rules = ["many_orders"]
counters = { card_orders_1h = 3 }
expires_at = "2026-01-08T09:32"
cases = { order-3 = "open" }
then = "release"
[[expect]]
event = "yes"
fate = "applied"
action = "none"
release = ["order-3", "order-4"]
cancel = []
cases.order-3.totals = [{ tender = "card", released = 2400 }]
[[case]]
case_id = "order-3"
status = "closed"
statuses = ["open", "closed"]
target = { card_id = "c-1" }
"#);
    assert_eq!(ended.code, 0, "{}{}", ended.text(), ended.err);
    assert_eq!(ended.text(), "ok    case.toml: Orders\n1 case: 1 passed, 0 failed\n");
}

#[test]
fn what_fails_stands_side_by_side_with_what_explains_it() {
    let ended = run(r#"
[[expect]]
event = "order-2"
action = "verify"
rules = ["many_orders"]
counters = { card_orders_1h = 3 }
"#)
    .with(1);
    let due = "\
FAIL  case.toml: Orders

  order-2, 2026-01-05 09:31:00 (case.toml:22)
                       expected     actual
    !  action          verify       allow
    !  card_orders_1h  3            2
    !  rules           many_orders  none
       many_orders     card_orders_1h >= 3
                       card_orders_1h=2
       event           account_id=a-1  amount_minor=1200  card_id=c-1  currency=JPY
                       order_id=o-order-2

1 case: 0 passed, 1 failed
";
    assert_eq!(ended.text(), due);
    for (expectation, word) in [
        ("[[expect]]\nevent = \"yes\"\nrelease = [\"order-3\"]", "order-3, order-4"),
        ("[[expect]]\nevent = \"yes\"\nrelease = 1\n", "release"),
        ("[[expect]]\nevent = \"yes\"\nfate = \"ignored\"", "applied"),
        ("[[expect]]\nevent = \"yes\"\ncases = {}", "case order-3"),
        ("[[expect]]\nevent = \"order-3\"\nthen = \"cancel\"", "release"),
        ("[[case]]\ncase_id = \"order-1\"\nstatus = \"open\"", "case order-1"),
        ("[[case]]\ncase_id = \"order-3\"\nstatuses = [\"closed\"]", "open, closed"),
        // What is refused or repeated is a slip, unless it is expected.
        ("[[event]]\nat = \"+1m\"\namount_minor = 1.5", "invalid_field"),
        ("[[event]]\nat = \"+1m\"\nevent_id = \"order-1\"", "duplicate"),
        ("[[event]]\nat = \"-25h\"", "too_old"),
        ("", "nothing is expected"),
    ] {
        let ended = run(expectation).with(1);
        assert!(ended.text().contains(word), "{expectation}: {}", ended.text());
    }
    run("[[event]]\nat = \"+1m\"\nevent_id = \"order-1\"\nexpect.fate = \"duplicate\"").with(0);
    run("[[event]]\nat = \"-25h\"\nexpect.reason = \"too_old\"").with(0);
}

/// A case that means nothing is no test that passes: file, line and a hint.
#[test]
fn a_case_that_names_what_there_is_not_is_told_where() {
    for (written, message, hint) in [
        ("[[expect]]\nevent = \"order-5\"", "`order-5` is no event", "did you mean `order-"),
        ("[[expect]]\nevent = \"order-1\"\nactoin = \"allow\"", "`actoin`", "`action`"),
        ("[[expect]]\nevent = \"order-1\"\naction = \"deny\"", "`deny` is no action", "decline"),
        ("[[expect]]\nevent = \"order-1\"\nrules = \"many_order\"", "is no rule", "many_orders"),
        ("[[expect]]\nevent = \"order-1\"\ncounters.card_orders = 1", "no counter", "_1h`"),
        ("[[expect]]\nevent = \"order-1\"\nexpires_at = \"soon\"", "no time", "09:30"),
        ("[[expect]]\naction = \"allow\"", "names no `event`", "event = "),
        ("[[expect]]\nevent = \"order-1\"", "nothing is expected", "action"),
        ("[[event]]\nat = \"+1m\"\nexpect = {}", "nothing is expected", "action"),
        ("[[case]]\ncase_id = \"order-3\"", "nothing is expected", "status"),
        ("[[event]]\nat = \"+1m\"\namuont_minor = 5", "`amuont_minor`", "`amount_minor`"),
        ("[[event]]\nat = \"1m\"", "this is no time", "+4m"),
        ("[[event]]\ncard_id = \"c-1\"", "has no `at`", "+4m"),
        ("[[event]]\nat = \"+1m\"\nlike = \"card\"", "no template `card`", "[like."),
        ("[[event]]\nat = \"+1m\"\ncard_id = [\"c\", \"d\"]", "take turns", "repeat"),
        ("[[event]]\nat = \"+1m\"\ncard_id = \"{m}\"", "placeholder `{m}`", "{n}"),
        ("[[event]]\nat = \"+1m\"\nrepeat = 3", "without `every`", "every = "),
        ("[[case]]\ncase_id = \"c-1\"", "`c-1` is no event", ""),
        ("[expect]\nevent = \"order-1\"", "`expect` is a table", "[[expect]]"),
        ("[[evnet]]\nat = \"+1m\"", "`evnet`", "`event`"),
        ("at = +", "", ""),
    ] {
        let ended = run(written).with(65);
        let place = (21..=24).any(|line| ended.err.contains(&format!("case.toml:{line}:")));
        assert!(place, "{written}: {}", ended.err);
        assert!(ended.err.contains(message) && ended.err.contains(hint), "{}", ended.err);
        assert!(ended.text().ends_with("1 case: 0 passed, 0 failed, 1 not understood\n"));
    }
}

#[test]
fn a_directory_is_its_cases_and_one_bad_case_stops_no_other() {
    let folder = Folder::new();
    folder.write("config.toml", CONFIG);
    folder.write("bad.toml", "[[rule]]");
    std::fs::create_dir(folder.path("cases")).unwrap();
    folder.write("cases/a.toml", "[[evnet]]");
    folder.write("cases/b.toml", format!("{EVENTS}expect.release = 2"));
    folder.write("cases/readme.md", "no case");
    let test = |arguments: &[&str]| folder.run(&[&["test", "-c"], arguments].concat());
    let ended = test(&["config.toml", "cases"]).with(65);
    assert!(ended.text().contains("b.toml") && ended.text().contains("1 passed"));
    test(&["config.toml", "cases/b.toml"]).with(0);
    test(&["config.toml", "cases/b.toml", "-v"]).with(0);
    test(&["config.toml", "none.toml"]).with(2);
    test(&["bad.toml", "cases/b.toml"]).with(78);
    std::fs::create_dir(folder.path("empty")).unwrap();
    test(&["config.toml", "empty"]).with(2);
    // A rule that no case reaches is named.
    folder.write(
        "cases/b.toml",
        "[[event]]\nat = \"+1s\"\ntype = \"tick\"\nexpect.fate = \"counted\"",
    );
    let ended = test(&["config.toml", "cases/b.toml"]).with(0);
    assert!(ended.err.contains("held in no case: many_orders"), "{}", ended.err);
}

/// An id is one within an account and for a time: what is said of two events at once is refused, and
/// what became of an event is its own.
#[test]
fn events_of_one_id_are_told_apart() {
    let folder = Folder::new();
    folder.write("config.toml", CONFIG);
    let test = |case: &str| {
        folder.write("case.toml", case);
        folder.run(&["test", "-c", "config.toml", "case.toml"])
    };
    let of = |account: &str, at: &str, expected: &str| {
        format!(
            "[[event]]\nevent_id = \"x\"\nat = \"{at}\"\naccount_id = \"{account}\"\ncard_id = \"c\"\n\
             order_id = \"o\"\namount_minor = 1\ncurrency = \"JPY\"\n{expected}\n"
        )
    };
    let before = |account: &str, at: &str| {
        of(account, at, "repeat = 2\nevery = \"1s\"")
            .replace("\"x\"", &format!("\"{account}{}\"", at.len()))
            .replace("\"o\"", "\"{id}\"")
    };
    let answer = "[[event]]\nat = \"+1m\"\ntype = \"feedback\"\naccount_id = \"b\"\n\
                  verdict = \"legitimate\"\nsource = \"customer\"\nevent_ids = [\"x\"]\n";
    let two = [
        before("a", "+0s"),
        of("a", "+1m", "expect = { action = \"verify\", then = [] }"),
        before("b", "+0s"),
        of("b", "+1m", "expect = { action = \"verify\", then = [\"release\"] }"),
        answer.to_owned(),
    ];
    test(&two.concat()).with(0);
    for named in ["[[expect]]\nevent = \"x\"\naction = \"verify\"", "expect.release = [\"x\"]"] {
        let ended = test(&format!("{}{named}", two.concat())).with(65);
        assert!(ended.err.contains("`x` is the id of several events"), "{}", ended.err);
    }
    // Again after the horizon, in the same account.
    let again = [
        before("b", "+0s"),
        of("b", "+1m", "expect = { action = \"verify\", then = [\"cancel\"] }"),
        before("b", "+100h"),
        of("b", "+1m", "expect = { action = \"verify\", then = [\"release\"] }"),
        answer.to_owned(),
    ];
    test(&again.concat()).with(0);
}

#[test]
fn a_brace_is_written_twice() {
    let note = "[[event]]\nat = \"+1m\"\nevent_id = \"n{{n}\"\ntype = \"login\"\n\
                [[expect]]\nevent = \"n{n}\"\nfate = \"counted\"";
    run(note).with(0);
}

/// A card in `[defaults]` is none of feedback's, where it would be a scope.
#[test]
fn feedback_takes_its_account_alone_from_the_defaults() {
    let folder = Folder::new();
    folder.write("config.toml", CONFIG);
    let events = EVENTS.replacen("currency", "card_id = \"c-2\"\ncurrency", 1);
    let events = events.replace(
        "source = \"customer\"\ncard_id = \"c-1\"",
        "source = \"customer\"\nscope = \"account\"",
    );
    folder.write("case.toml", format!("{events}expect.release = 2"));
    folder.run(&["test", "-c", "config.toml", "case.toml"]).with(0);
}
