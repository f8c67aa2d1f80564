//! What expressions mean, by hand.

use super::*;

fn all(expected: Truth, texts: &[&str]) {
    for text in texts {
        assert_eq!(ask(text), expected, "{text}");
    }
}

#[test]
fn names_read_their_slots() {
    all(
        Truth::Holds,
        &[
            "card_orders_1h == 5 && counter.card_orders_1h == 5",
            "amount_minor == 1000 && event.amount_minor == 1000",
            "type == 'authorization' && tender == 'card'",
            "event_time == 1700000000000",
            "!late",
            "mean_amount == 2.5",
            "attributes.n == 7 && attributes.s == card_tier && attributes.b",
            "has(event.country) && !has(event.merchant_id)",
            "has(counter.spent_1d) && !has(counter.counter_n)",
            "has(attributes.n) && !has(attributes.m)",
            "has(event.from) && !has(event.item_seq) && has(event.type)",
        ],
    );
    all(
        Truth::Absent,
        &[
            "merchant_id == 'x'",
            "merchant_id != 'x'",
            "item_seq < 5",
            "counter_n >= 0",
            "attributes.m",
            "!attributes.m",
            "attributes.m == 1",
            "merchant_id in list.watched",
            "merchant_id.startsWith('')",
            "size(merchant_id) == 0",
            "'x' + merchant_id == 'x'",
            "string(counter_n) == ''",
            "country in [merchant_id]",
            "merchant_id == 'x' ? true : true",
        ],
    );
}

#[test]
fn and_and_or_absorb_on_both_sides() {
    all(
        Truth::Holds,
        &[
            "merchant_id == 'x' || true",
            "true || merchant_id == 'x'",
            "1 / spent_1d > 0 || true",
            "true || 1 / spent_1d > 0",
            "attributes.n || true",
            "merchant_id == 'x' || 1 / spent_1d > 0 || attributes.b",
        ],
    );
    all(
        Truth::HoldsNot,
        &[
            "merchant_id == 'x' && false",
            "false && merchant_id == 'x'",
            "1 / spent_1d > 0 && late",
            "late && attributes.s",
            "attributes.s && late",
            "merchant_id == 'x' && 1 / spent_1d > 0 && counter_n > 1 && late",
        ],
    );
    all(
        Truth::Absent,
        &[
            "merchant_id == 'x' && true",
            "merchant_id == 'x' || false",
            "true && true && merchant_id == 'x'",
            "attributes.n && merchant_id == 'x'",
        ],
    );
    all(
        Truth::Failed,
        &[
            "merchant_id == 'x' && 1 / spent_1d > 0",
            "1 / spent_1d > 0 || merchant_id == 'x'",
            "merchant_id == 'x' || 1 / spent_1d > 0 || late",
            "attributes.n && true",
            "attributes.s || false",
            "attributes.n",
            "!attributes.n",
            "attributes.n ? true : true",
        ],
    );
}

#[test]
fn a_failure_wins_over_an_absence_in_strict_operators() {
    all(
        Truth::Failed,
        &[
            "counter_n + 1 / spent_1d > 0",
            "1 / spent_1d + counter_n > 0",
            "1 / spent_1d == counter_n",
            "counter_n in [1 / spent_1d]",
            "(1 / spent_1d) in [counter_n]",
            "[counter_n, 1 / spent_1d] == [1, 2]",
            "merchant_id.contains(string(1 / spent_1d))",
        ],
    );
}

#[test]
fn integers_are_checked_and_truncate_towards_zero() {
    all(
        Truth::Holds,
        &[
            "-7 / 2 == -3 && 7 / -2 == -3 && -7 % 2 == -1 && 7 % -2 == 1",
            "from % -1 == 0",
            "-9223372036854775808 == from && 9223372036854775807 == to",
            "0x1F == 31 && -0x10 == -16",
            "- - - 5 == -5 && --5 == 5 && -(-(5)) == 5",
            "2 + 3 * 4 - 1 == 13 && (2 + 3) * 4 == 20 && 10 - 3 - 2 == 5",
            "5 --5 == 10",
        ],
    );
    all(
        Truth::Failed,
        &[
            "to + 1 > 0",
            "from - 1 < 0",
            "to * 2 > 0",
            "-from > 0",
            "--from < 0",
            "--9223372036854775808 < 0",
            "from / -1 > 0",
            "amount_minor / spent_1d > 0",
            "amount_minor % spent_1d == 0",
        ],
    );
}

#[test]
fn doubles_are_ieee_and_compare_exactly_with_integers() {
    all(
        Truth::Holds,
        &[
            "1.0 / 0.0 > 1e308 && -1.0 / 0.0 < -1e308",
            "0.0 / 0.0 != 0.0 / 0.0 && !(0.0 / 0.0 == 0.0 / 0.0) && !(0.0 / 0.0 < 1.0)",
            "1e308 * 10.0 == 1.0 / 0.0",
            "5 < 5.5 && 5.5 > 5 && 5 == 5.0 && 5.0 == 5 && 5 != 5.5 && 5.5 != 5",
            "to < 9223372036854775808.0 && to != 9223372036854775808.0",
            "from == -9223372036854775808.0 && from > -9223372036854777856.0",
            "9007199254740993 > 9007199254740992.0 && 9007199254740993 != 9007199254740992.0",
            "-1 < -0.5 && -1 > -1.5 && 0 == -0.0",
            "1 != 0.0 / 0.0 && !(1 < 0.0 / 0.0)",
            "attributes.d == 2.5 && attributes.d > 2 && attributes.n == 7.0 && attributes.n < 7.5",
            "mean_amount * 2.0 == 5",
        ],
    );
    all(Truth::Failed, &["attributes.d + 1 > 0", "attributes.d % attributes.d == 0.0"]);
}

#[test]
fn dynamic_values_are_equal_only_to_their_like() {
    all(
        Truth::HoldsNot,
        &[
            "attributes.s == 7",
            "attributes.n == 'gold'",
            "attributes.b == 1",
            "attributes.n in ['gold', true]",
            "attributes.s in list.numbers",
        ],
    );
    all(
        Truth::Holds,
        &[
            "attributes.s != 7",
            "attributes.n in [7.0]",
            "attributes.n in ['7', 7]",
            "attributes.s in list.watched || attributes.s in ['gold']",
            "attributes.b in [true]",
            "attributes.d in [2, 2.5]",
        ],
    );
    all(
        Truth::Failed,
        &[
            "attributes.s < 7",
            "attributes.n >= 'a'",
            "attributes.b > 0",
            "attributes.n + attributes.d > 0",
            "attributes.s * 2 > 0",
            "attributes.b + attributes.b == 2",
            "-attributes.s == 1",
            "size(attributes.n) == 1",
            "attributes.n.startsWith('7')",
            "int(attributes.b) == 1",
            "'x' in attributes.s",
            "card_tier + attributes.n == 'gold7'",
        ],
    );
}

#[test]
fn tables_give_their_default_without_an_entry() {
    all(
        Truth::Holds,
        &[
            "table.limit[card_tier] == 8",
            "table.limit['gold'] == 8",
            "table.limit['default'] == 5",
            "table.limit['silver'] == 5",
            "table.limit[merchant_id] == 5",
            "table.limit[merchant_id + 'x'] == 5",
            "table.limit[attributes.s] == 8",
            "table.limit[attributes.n] == 5",
            "table.limit[attributes.absent] == 5",
            "table.limit['go' + 'ld'] == 8",
            "table.rate[country] == 1.5 && table.rate[card_tier] == 0.5",
            "table.home[card_tier] == country && table.home[country] == '?'",
            "table.vip[card_tier] && !table.vip[country]",
            "table.limit[table.home[card_tier]] == 5",
        ],
    );
    all(Truth::Failed, &["table.limit[string(1 / spent_1d)] == 5"]);
}

#[test]
fn lists_by_the_same_equality() {
    all(
        Truth::Holds,
        &[
            "country in list.watched && !(card_tier in list.watched)",
            "amount_minor in list.numbers && !(card_orders_1h in list.numbers)",
            "mean_amount * 400.0 in list.numbers && !(mean_amount in list.numbers)",
            "'1' in list.mixed && 2 in list.mixed && !(1 in list.mixed) && !('2' in list.mixed)",
            "!(country in list.none) && !(country in [])",
            "size(list.watched) == 2 && size([1, 2, 3]) == 3 && [].size() == 0",
            "3 in [1, 2] + [3] && size(list.watched + ['x']) == 3",
            "[1, 2.0] == [1.0, 2] && [1] != [1, 2] && [[1], []] == [[1], []]",
            "[1] in [[1], [2]]",
            "country in (late ? ['US'] : ['JP'])",
            "'x' in (late ? attributes.s : ['x'])",
            "amount_minor in [card_orders_1h, 1000]",
            "country in ['a','b','c','d','e','f','g','h','i','JP']",
            "list.watched == ['M-1', 'JP']",
        ],
    );
}

#[test]
fn functions() {
    all(
        Truth::Holds,
        &[
            "size(note) == 4 && note.size() == 4 && size('') == 0",
            "note.startsWith('日') && note.endsWith('x') && note.contains('本 ')",
            "!note.contains('y') && country.startsWith('')",
            "note.matches('^.本') && note.matches('x') && !note.matches('^x')",
            "note.matches(r'\\w+ x$')",
            "int(2.9) == 2 && int(-2.9) == -2 && int('+5') == 5 && int('-7') == -7 && int(5) == 5",
            "int(attributes.d) == 2 && double(attributes.n) == 7.0 && string(attributes.n) == '7'",
            "double(5) == 5.0 && double('1e3') == 1000.0 && double(' 2.5 ') == 2.5",
            "double('1_000') == 1000.0 && double('inf') > 1e308 && double('nan') != double('nan')",
            "string(3.0) == '3.0' && string(1e16) == '1e+16' && string(0.00001) == '1e-05'",
            "string(0.1) == '0.1' && string(1.5e300) == '1.5e+300' && string(123456789.0) == '123456789.0'",
            "string(-0.0) == '-0.0' && string(1.0 / 0.0) == 'inf' && string(0.0001) == '0.0001'",
            "string(9007199254740993.0) == '9007199254740992.0' && string(0.0 / 0.0) == 'nan'",
            "string(true) == 'true' && string(-5) == '-5' && string('x') == 'x'",
            "card_tier + '-' + country == 'gold-JP'",
            "'a' < 'b' && 'Z' < 'a' && 'a' < '日' && false < true && !(true < true) && true >= late",
            "'\\u65e5' == '日' && \"a\" == 'a' && r'\\d' == '\\\\d' && '''a'b''' == \"a'b\"",
        ],
    );
    all(
        Truth::Failed,
        &[
            "int('') == 0",
            "int('1.5') == 1",
            "int(' 1') == 1",
            "int('9223372036854775808') > 0",
            "int(9223372036854775808.0) > 0",
            "int(-9223372036854775808.0) < 0",
            "int(0.0 / 0.0) == 0",
            "double('x') > 0",
            "double('1__0') > 0",
            "double('') > 0",
            "double('_1') > 0",
        ],
    );
}

#[test]
fn the_branch_not_taken_is_not_read() {
    all(
        Truth::Holds,
        &[
            "late ? merchant_id == 'x' : true",
            "late ? 1 / spent_1d > 0 : country == 'JP'",
            "(has(event.merchant_id) ? size(merchant_id) : 3) == 3",
            "(late ? 'a' : card_tier) == 'gold' && (late ? 1.0 : 2.0) == 2",
            "(late ? attributes.n : 'x') == 'x'",
            "late ? false : late ? false : true",
        ],
    );
    all(Truth::Absent, &["attributes.m ? true : true", "!late ? merchant_id == 'x' : true"]);
}

#[test]
fn counters_are_named_in_the_order_of_the_text() {
    let text = "has(counter.counter_n) && spent_1d > 0 || card_orders_1h > spent_1d && counter.counter_n > 1";
    let program = compile(text, &schema(), Place::Rule).unwrap();
    assert_eq!(program.counters(), [3, 1, 0]);
    let program = compile(
        "table.limit[string(spent_1d)] > (late ? card_orders_1h : 1)",
        &schema(),
        Place::Rule,
    );
    assert_eq!(program.unwrap().counters(), [1, 0]);
    assert!(compile("late", &schema(), Place::Rule).unwrap().counters().is_empty());
}

#[test]
fn canonical_text_forgets_what_changes_nothing() {
    let canonical =
        |text: &str| compile(text, &schema(), Place::Rule).unwrap().canonical().to_owned();
    for (one, other) in [
        ("card_orders_1h>=5&&late", "( card_orders_1h >= (5) ) // often\n && late"),
        ("country == 'JP'", "event.country == \"JP\""),
        ("late && late && late && !late", "late && (late && (late && (!(late))))"),
        ("size(note) > -5", "note.size() > -(5)"),
        ("note == r'\\'", "note == '\\\\'"),
        ("2.0e0 > 1.0 || late", "(2.0 > 1.00) || late"),
    ] {
        assert_eq!(canonical(one), canonical(other));
    }
    assert_ne!(canonical("1 - (2 - 3) == 0"), canonical("(1 - 2) - 3 == 0"));
    assert_ne!(canonical("1 == 1.0"), canonical("1 == 1"));
    assert_ne!(canonical("late && (late || !late)"), canonical("late && late || !late"));
    assert_ne!(canonical("card_tier == '1'"), canonical("string(1) == card_tier"));
    assert_eq!(
        canonical("has(counter.spent_1d)&&table.limit[card_tier] in[1,2]||note.matches('\\'')"),
        "((has(counter.spent_1d) && (table.limit[card_tier] in [1, 2])) || note.matches('\\''))"
    );
}

#[test]
fn a_canonical_text_means_itself() {
    for text in ["-amount_minor < -5 ? late : !(country in list.watched)", "[1.5, -2.0] == [--1.5]"]
    {
        let canonical = compile(text, &schema(), Place::Rule).unwrap().canonical().to_owned();
        let again = compile(&canonical, &schema(), Place::Rule).unwrap();
        assert_eq!(again.canonical(), canonical);
    }
}

#[test]
fn a_program_may_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Program>();
}
