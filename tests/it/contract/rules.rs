//! What rules say, and which of them win.

use serde_json::{Value, json};

use super::decisions;
use crate::support::run::authorization;

/// A rule `r{n}` for each condition, with the lines that follow it.
fn rules(rules: &[(&str, &str)]) -> String {
    let rule = |(n, (when, more)): (usize, &(&str, &str))| {
        format!("[[rule]]\nid = \"r{n}\"\nwhen = '''{when}'''\n{more}\n")
    };
    rules.iter().enumerate().map(rule).collect()
}

/// One decision in short: `hold 40 [r0 score] shadow[r1] suppressed[]`.
fn short(decision: &Value) -> String {
    let names = |list: &Value| {
        let list = list.as_array().unwrap();
        let name = |one: &Value| one.get("rule").unwrap_or(one).as_str().unwrap().to_owned();
        list.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    format!(
        "{} {} [{}] shadow[{}] suppressed[{}]",
        decision["action"].as_str().unwrap(),
        decision["score"],
        names(&decision["reasons"]),
        names(&decision["shadow"]),
        names(&decision["suppressed"])
    )
}

fn decided(config: &str, fields: Value) -> String {
    short(&decisions(config, &[authorization("e", 1_000_000, fields)])[0])
}

/// Does a condition hold for one payment with these fields?
fn holds(when: &str, fields: Value) -> bool {
    let config = format!(
        "{}[table.t]\ndefault = 1\ngold = 5\n[list]\nl = [\"x\", \"y\"]\nmixed = [\"1\", 1]\n\
         [[counter]]\nname = \"seen\"\nkey = [\"account_id\"]\ncount = true\nwindow = \"1h\"\n\
         [[counter]]\nname = \"none\"\nkey = [\"device_id\"]\nscope = \"partition\"\ncount = true\n\
         window = \"1h\"\n[[counter]]\nname = \"usual\"\nkey = [\"account_id\"]\n\
         mean = \"amount_minor\"\ncurrency = \"any\"\nwindow = \"1h\"\n",
        rules(&[(when, "action = \"hold\"")])
    );
    decided(&config, fields).starts_with("hold")
}

#[test]
fn what_is_absent_has_no_value() {
    let absent = json!({});
    for (when, due) in [
        ("channel == 'ecom'", false),
        ("channel != 'ecom'", false),
        ("!(channel == 'ecom')", false),
        ("channel == 'ecom' || true", true),
        ("true || channel == 'ecom'", true),
        ("channel == 'ecom' || false", false),
        ("!(channel == 'ecom' && false)", true),
        ("!(false && channel == 'ecom')", true),
        ("!(channel == 'ecom' && true)", false),
        ("has(event.channel)", false),
        ("!has(event.channel)", true),
        ("!has(event.channel) || channel == 'ecom'", true),
        ("none >= 0", false),
        ("!has(counter.none)", true),
        ("has(counter.seen) && counter.seen == 1", true),
        ("attributes.x == 1", false),
        ("!has(attributes.x)", true),
        ("channel in list.l", false),
        ("!(channel in list.l)", false),
        ("late", false),
        ("!late", true),
        // The branch that is not taken is not read.
        ("has(event.channel) ? channel == 'ecom' : true", true),
        ("true ? true : channel == 'ecom'", true),
        ("channel == 'ecom' ? true : true", false),
    ] {
        assert_eq!(holds(when, absent.clone()), due, "{when}");
    }
}

#[test]
fn a_failure_does_not_hold_either() {
    for (when, due) in [
        ("100 / (amount_minor - 100) > 0", false),
        ("!(100 / (amount_minor - 100) > 0)", false),
        ("100 % (amount_minor - 100) == 0", false),
        ("100 / (amount_minor - 100) > 0 || true", true),
        ("amount_minor * 9223372036854775807 > 0", false),
        ("-(-9223372036854775807 - 1) > 0", false),
        ("int(1.0e300) > 0", false),
        ("attributes.s < 5", false),
        ("attributes.s == 5", false),
        ("attributes.s != 5", true),
        ("int('x') > 0", false),
    ] {
        assert_eq!(holds(when, json!({"attributes": {"s": "five"}})), due, "{when}");
    }
}

#[test]
fn numbers_text_tables_and_lists_read_as_written() {
    let fields = json!({
        "channel": "naïve ☂", "country": "x", "card_tier": "gold", "item_seq": 3,
        "attributes": {"i": 1, "d": 1.0, "s": "1", "b": true}
    });
    for (when, due) in [
        ("size(channel) == 7", true),
        ("channel.startsWith('na') && channel.endsWith('☂') && channel.contains('ve ')", true),
        ("channel.matches('v.')", true),
        ("channel.matches('^v')", false),
        ("table.t[card_tier] == 5", true),
        ("table.t[country] == 1", true),
        ("table.t[mcc] == 1", true),
        ("country in list.l", true),
        ("card_tier in list.l", false),
        ("attributes.s in list.mixed && attributes.i in list.mixed", true),
        ("attributes.b in list.mixed", false),
        ("attributes.i == 1 && attributes.d == 1 && attributes.i == attributes.d", true),
        ("attributes.s == 1", false),
        ("attributes.b == 1", false),
        ("attributes.b == true", true),
        ("usual == 100.0", true),
        ("usual == 100", true),
        ("usual > 99", true),
        ("double(amount_minor) * 1.5 == 150.0", true),
        ("int(2.9) == 2 && int(-2.9) == -2", true),
        ("string(amount_minor) == '100'", true),
        ("int('12') == 12", true),
        ("7 / 2 == 3 && -7 / 2 == -3 && -7 % 2 == -1", true),
        ("event.amount_minor == amount_minor", true),
        ("tender == 'card' && type == 'authorization'", true),
        ("item_seq in [1, 2, 3]", true),
        ("seen == 1 && 'a' < 'b' && true != false", true),
    ] {
        assert_eq!(holds(when, fields.clone()), due, "{when}");
    }
}

#[test]
fn the_most_severe_action_wins_and_reasons_keep_their_order() {
    let config = rules(&[
        ("true", "action = \"review\""),
        ("true", "action = \"hold\""),
        ("false", "action = \"decline\""),
        ("true", "action = \"verify\""),
    ]);
    assert_eq!(decided(&config, json!({})), "hold 0 [r0 r1 r3] shadow[] suppressed[]");
}

#[test]
fn points_add_up_to_thresholds() {
    let config = rules(&[
        ("amount_minor >= 1", "points = 20"),
        ("amount_minor >= 2", "points = 30"),
        ("amount_minor >= 3", "points = -15"),
        ("amount_minor >= 4", "action = \"verify\""),
        ("amount_minor >= 5", "points = 100"),
    ]) + "[score]\nreview_at = 20\nhold_at = 50\ndecline_at = 120\n";
    for (amount, due) in [
        (0, "allow 0 []"),
        (1, "review 20 [r0 score]"),
        (2, "hold 50 [r0 r1 score]"),
        (3, "review 35 [r0 r1 r2 score]"),
        // The score asks for less than the rule, and is a reason all the same.
        (4, "verify 35 [r0 r1 r2 r3 score]"),
        (5, "decline 135 [r0 r1 r2 r3 r4 score]"),
    ] {
        let found = decided(&config, json!({"amount_minor": amount}));
        assert_eq!(found, format!("{due} shadow[] suppressed[]"));
    }
}

#[test]
fn an_allow_keeps_everything_else_from_acting() {
    let config = rules(&[
        ("true", "action = \"decline\""),
        ("true", "action = \"allow\"\nreason = \"known\""),
        ("true", "points = 60"),
        ("true", "action = \"hold\"\nmode = \"shadow\""),
        ("true", "action = \"allow\""),
        ("false", "action = \"allow\""),
    ]) + "[score]\nreview_at = 50\n";
    assert_eq!(decided(&config, json!({})), "allow 60 [r1 r4] shadow[r3] suppressed[r0 r2 score]");
    // Below its threshold the score is not among what was kept from acting.
    let below = config.replace("review_at = 50", "review_at = 61");
    assert_eq!(decided(&below, json!({})), "allow 60 [r1 r4] shadow[r3] suppressed[r0 r2]");
    // In shadow, an allow changes nothing.
    let shadow = rules(&[
        ("true", "action = \"hold\""),
        ("true", "action = \"allow\"\nmode = \"shadow\""),
        ("true", "points = 9\nmode = \"shadow\""),
    ]);
    assert_eq!(decided(&shadow, json!({})), "hold 0 [r0] shadow[r1 r2] suppressed[]");
}

#[test]
fn a_rule_may_ask_whether_the_event_came_late() {
    let config = "[input]\nallowed_lateness = \"1s\"\n".to_owned()
        + "[[counter]]\nname = \"n\"\nkey = [\"account_id\"]\ncount = true\nwindow = \"1h\"\n"
        + &rules(&[("late", "action = \"review\""), ("n >= 1", "points = 1")]);
    let lines = [
        authorization("e1", 10_000, json!({})),
        authorization("e2", 8_999, json!({})),
        authorization("e3", 9_000, json!({})),
    ];
    let found = decisions(&config, &lines);
    let short: Vec<String> = found.iter().map(short).collect();
    assert_eq!(short[0], "allow 1 [r1] shadow[] suppressed[]");
    assert_eq!(short[1], "review 0 [r0] shadow[] suppressed[]");
    assert_eq!(short[2], "allow 1 [r1] shadow[] suppressed[]");
    assert_eq!((&found[1]["state"], &found[2]["state"]), (&json!("late"), &json!("complete")));
}

#[test]
fn a_reason_names_the_counters_that_its_rule_names() {
    let count = |name: &str, key: &str| {
        format!(
            "[[counter]]\nname = \"{name}\"\nkey = [\"{key}\"]\nscope = \"partition\"\n\
             count = true\nwindow = \"1h\"\n"
        )
    };
    let config = count("a", "account_id")
        + &count("b", "card_id")
        + &count("c", "device_id")
        + &count("d", "mcc")
        + &rules(&[
            ("b >= 1 && (has(counter.c) || !has(counter.d) || a > 5)", "action = \"review\""),
            ("b >= 1", "points = 5\ncategory = \"policy\"\nreason = \"so\""),
        ]);
    let found = &decisions(&config, &[authorization("e", 1, json!({}))])[0];
    assert_eq!(
        found["reasons"],
        json!([
            {"rule": "r0", "action": "review", "counters": {"b": 1, "a": 1}},
            {"rule": "r1", "category": "policy", "points": 5, "reason": "so", "counters": {"b": 1}},
        ])
    );
}
