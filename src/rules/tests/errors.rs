//! What is wrong with an expression: the words of the messages, and their places.

use super::*;

/// Text, the word that message or hint must hold, and the part that the span must cover.
const WRONG: &[(&str, &str, &str)] = &[
    ("card_orders_2h >= 5", "card_orders_2h", "card_orders_2h"),
    ("amount_minr > 5", "did you mean `amount_minor`?", "amount_minr"),
    ("card_orders_1h > table.limits[card_tier]", "limits", "table.limits"),
    ("card_orders_1h > table.limits[card_tier]", "did you mean `limit`?", "table.limits"),
    ("merchant_id in list.watchd", "watchd", "list.watchd"),
    ("has(event.merchantid)", "merchantid", "has(event.merchantid)"),
    ("has(event.merchantid)", "merchant_id", "has(event.merchantid)"),
    ("has(counter.orders_1d)", "orders_1d", "has(counter.orders_1d)"),
    ("lower(country) == 'jp'", "lower", "lower(country)"),
    ("amount_minor * 1.5 > 100.0", "write `double(amount_minor) * 1.5`", "amount_minor * 1.5"),
    ("amount_minor > 5.0 * 2", "write `5.0 * double(2)`", "5.0 * 2"),
    (
        "(amount_minor + 1) * 1.5 > 0",
        "`double(amount_minor + 1) * 1.5`",
        "(amount_minor + 1) * 1.5",
    ),
    ("2.0 * (amount_minor) > 0", "`2.0 * double(amount_minor)`", "2.0 * (amount_minor)"),
    ("card_tier > 5", "card_tier", "card_tier > 5"),
    ("card_tier > 5", "write `card_tier > '5'`", "card_tier > 5"),
    ("card_orders_1h + 1", "bool", "card_orders_1h + 1"),
    ("merchant_id + 5 == 'x'", "merchant_id", "merchant_id + 5"),
    ("amount_minor && late", "amount_minor", "amount_minor"),
    ("late || !amount_minor", "compare it: `amount_minor > 0`", "amount_minor"),
    ("size(amount_minor) > 3", "size", "size(amount_minor)"),
    ("amount_minor.startsWith('1')", "startsWith", "amount_minor"),
    ("country == 5", "country", "country == 5"),
    ("5 != country", "write `'5' != country`", "5 != country"),
    ("table.limit[amount_minor] > 3", "amount_minor", "amount_minor"),
    ("table.limit[amount_minor] > 3", "table.limit[string(amount_minor)]", "amount_minor"),
    ("card_orders_1h >=", "`card_orders_1h >=`", ">="),
    ("amount_minor > 5 and late", "and", "and"),
    ("amount_minor > 5 and late", "&&", "and"),
    ("not late", "!", "not"),
    ("late OR late", "||", "OR"),
    ("not(late)", "!", "not(late)"),
    ("amount_minor = 5", "==", "="),
    ("amount_minor === 5", "==", "==="),
    ("country == null", "has(event.FIELD)", "null"),
    ("country is null", "==", "is"),
    ("country <> 'JP'", "!=", "<>"),
    ("late late", "operator is missing", "late"),
    ("(late", "never closed", "("),
    ("late)", "closes no", ")"),
    ("* late", "begin", "*"),
    ("late ? true", "ends early", "true"),
    ("x == 'a", "no closing quote", "'a"),
    ("if(late, 1, 2) == 1", "?", "if"),
    ("loop > 5", "counter.loop", "loop"),
    ("9223372036854775808 > to", "9223372036854775808", "9223372036854775808"),
    ("1e999 > 1.0", "no finite double", "1e999"),
    ("'\\ud800' == note", "does not exist", "'\\ud800'"),
    ("has(country)", "has(event.country)", "has(country)"),
    ("has(list.watched)", "has(event.watched)", "has(list.watched)"),
    ("has(event.from, 1)", "has(event.FIELD)", "has(event.from, 1)"),
    ("[1, 2].exists(x, x == 1)", "macro", "exists(x, x == 1)"),
    ("list.watched.map(x, 1) == []", "macro", "map(x, 1)"),
    ("{'a': 1} == {}", "a map", "{'a': 1}"),
    ("5u == 5", "unsigned", "5u"),
    ("b'x' == b'x'", "bytes", "b'x'"),
    ("Foo{a: 1} == 1", "message", "{a: 1}"),
    ("event.?country == 'x'", "optional", "."),
    ("event_ids == ['a']", "event_ids", "event_ids"),
    ("has(event.attributes)", "attributes", "has(event.attributes)"),
    ("attributes", "attributes.NAME", "attributes"),
    ("attributes['x'] == 1", "attributes.NAME", "attributes['x']"),
    ("table.limit == 5", "table.limit[FIELD]", "table.limit"),
    ("limit[country] == 5", "read as `table.limit[FIELD]`", "limit"),
    ("watched == ''", "list.watched", "watched"),
    ("table.limit.gold == 8", "table.limit[FIELD]", "table.limit"),
    ("country.name == 'x'", "no part", "country.name"),
    ("list.watched[0] == 'x'", "only a table", "list.watched[0]"),
    ("country in 'JP'", "list", "country in 'JP'"),
    ("country in list.numbers", "holds integers", "country in list.numbers"),
    ("amount_minor in ['1']", "holds texts", "amount_minor in ['1']"),
    ("(late ? 1 : 2.0) > 0", "double(1)", "late ? 1 : 2.0"),
    ("(late ? 1 : 'a') == 1", "one type", "late ? 1 : 'a'"),
    ("amount_minor ? late : late", "takes a bool", "amount_minor"),
    ("5.0 % 2.0 == 1.0", "write `int(5.0) % int(2.0)`", "5.0 % 2.0"),
    ("true + true == 2", "`+` cannot take", "true + true"),
    ("-country == 'x'", "takes a number", "-country"),
    ("!!attributes.n == 7", "is a bool", "!!attributes.n == 7"),
    ("!!amount_minor", "amount_minor", "amount_minor"),
    ("[1] < [2]", "cannot order", "[1] < [2]"),
    ("startsWith(country, 'J')", "x.startsWith(y)", "startsWith(country, 'J')"),
    ("country.int() == 5", "int(country)", "country.int()"),
    ("size(country, 2) == 1", "size(x)", "size(country, 2)"),
    ("country.startWith('J')", "startsWith", "country.startWith('J')"),
    ("note.matches(country)", "literal", "country"),
    ("note.matches('(a')", "unclosed group", "'(a'"),
    ("note.matches('\\d')", "r'", "\\d"),
    ("int(late) == 1", "`int` takes", "int(late)"),
    (".country == 'x'", "write `country`", ".country"),
    ("", "no expression", ""),
    ("// nothing\n", "no expression", "// nothing\n"),
];

#[test]
fn messages_hold_their_words_and_point_at_their_place() {
    for (text, word, part) in WRONG {
        let issues = issues(text, Place::Rule);
        let issue = &issues[0];
        let told = format!("{} {}", issue.message, issue.hint.as_deref().unwrap_or(""));
        assert!(told.contains(word), "{text}: {told}");
        assert_eq!(&text[issue.span.clone()], *part, "{text}: {told}");
        for foreign in ["expecting", "EOF", "Syntax error", "Context"] {
            assert!(!told.contains(foreign), "{text}: {told}");
        }
    }
}

#[test]
fn a_filter_knows_neither_counters_nor_late() {
    for (text, word) in [
        ("spent_1d > 3", "spent_1d"),
        ("counter.spent_1d > 3", "spent_1d"),
        ("has(counter.spent_1d)", "spent_1d"),
        ("late", "late"),
        ("counter.nothing > 3", "counters"),
    ] {
        let issues = issues(text, Place::Filter);
        assert_eq!(issues.len(), 1, "{issues:?}");
        assert!(issues[0].message.contains(word) && issues[0].message.contains("filter knows no"));
    }
    assert!(issues("amount_minor", Place::Filter)[0].message.contains("a filter must be a bool"));
    assert!(issues("spent_1e > 3", Place::Filter)[0].hint.is_none());
    assert!(
        compile("delivery == 'x' && country in list.watched", &schema(), Place::Filter).is_ok()
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "contry == 'JP' && amount_minor * 1.5 > 3 || lower(nte) in list.wached || card_tier";
    let found: Vec<_> =
        issues(text, Place::Rule).into_iter().map(|i| text[i.span].to_owned()).collect();
    assert_eq!(
        found,
        ["contry", "amount_minor * 1.5", "lower(nte)", "nte", "list.wached", "card_tier"]
    );
}

#[test]
fn spans_are_bytes_of_the_text() {
    let text = "note == '日本語' && // 説明\n  (contry == '日')";
    let issues = issues(text, Place::Rule);
    assert_eq!(issues.len(), 1);
    assert_eq!(&text[issues[0].span.clone()], "contry");
    let text = "note == '日本語'\n  and late";
    assert_eq!(&text[super::issues(text, Place::Rule)[0].span.clone()], "and");
}

#[test]
fn long_and_deep_texts_are_refused_or_accepted_but_never_overflow() {
    let refused = |text: String| {
        let issue = issues(&text, Place::Rule).remove(0);
        assert!(text.get(issue.span.clone()).is_some());
        issue.message
    };
    for unit in ["(", "[", "{", "!(", "-(", "size(", "table.limit[", "[[", "(true?"] {
        refused(unit.repeat(3000));
        refused(unit.repeat(60));
    }
    assert!(refused("1+".repeat(8000) + "1 > 0").contains("deeper"));
    assert!(refused("true?true:".repeat(1600) + "true").contains("deeper"));
    assert!(refused("true?".repeat(3000)).contains("`?` cannot follow"));
    assert!(refused("true?true:".repeat(1600)).contains("ends early"));
    assert!(refused("!".repeat(9000) + "late").contains("signs"));
    assert!(refused("-".repeat(9000) + "1 > 0").contains("signs"));
    assert!(refused("1<".repeat(8000) + "1").contains("deeper"));
    let signs = ("!".repeat(64) + "(").repeat(60) + "true" + &")".repeat(60);
    assert!(refused(signs).contains("deeper"));
    refused("a.".repeat(8000) + "a");
    refused("a".to_owned() + &"[0]".repeat(5000));
    refused("a".to_owned() + &"()".repeat(5000));
    refused("a".to_owned() + &".a()".repeat(4000));
    refused("!-".repeat(8000));
    refused("in ".repeat(5000));
    refused("'".repeat(9001));
    refused("\"\"\"".repeat(5001));
    assert!(refused("late".to_owned() + &" || late".repeat(3000)).contains("beyond"));
    assert_eq!(ask(&("!late".to_owned() + &" && !late".repeat(1500))), Truth::Holds);
    assert_eq!(ask(&("1".to_owned() + &"+1".repeat(200) + " == 201")), Truth::Holds);
    assert_eq!(ask(&("(".repeat(60) + "true" + &")".repeat(60))), Truth::Holds);
    assert_eq!(ask(&("true?true:".repeat(200) + "true")), Truth::Holds);
    assert_eq!(ask(&("!".repeat(64) + "true")), Truth::Holds);
}
