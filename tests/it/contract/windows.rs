//! Which events a counter counts.

use serde_json::{Value, json};

use super::{counter, readings, utc};
use crate::support::run::{authorization, event};

/// Payments of account `a` at these times.
fn at(times: &[i64]) -> Vec<String> {
    let payment = |(n, time): (usize, &i64)| authorization(&format!("e{n}"), *time, json!({}));
    times.iter().enumerate().map(payment).collect()
}

/// Payments a second apart, with these fields.
fn with(fields: &[Value]) -> Vec<String> {
    let payment = |(n, fields): (usize, &Value)| {
        authorization(&format!("e{n}"), n as i64 * 1000, fields.clone())
    };
    fields.iter().enumerate().map(payment).collect()
}

#[test]
fn a_window_is_open_where_it_begins_and_closed_where_it_ends() {
    let hour = counter("count = true\nwindow = \"1h\"");
    assert_eq!(readings(&hour, &at(&[0, 3_599_999])), ["1", "2"]);
    assert_eq!(readings(&hour, &at(&[0, 3_600_000])), ["1", "1"]);
    assert_eq!(readings(&hour, &at(&[1, 3_600_000])), ["1", "2"]);
    let ms = counter("count = true\nwindow = \"1ms\"");
    assert_eq!(readings(&ms, &at(&[5, 5, 6])), ["1", "2", "1"]);
}

#[test]
fn of_equal_times_the_earlier_in_the_log_counts() {
    let orders = counter("distinct = \"order_id\"\nwindow = \"1s\"");
    let orders_at = |times: &[i64]| -> Vec<String> {
        let order = |(n, time): (usize, &i64)| {
            authorization(&format!("e{n}"), *time, json!({"order_id": format!("o{n}")}))
        };
        times.iter().enumerate().map(order).collect()
    };
    assert_eq!(readings(&orders, &orders_at(&[7, 7, 7])), ["1", "2", "3"]);
}

#[test]
fn a_delay_of_a_millisecond_leaves_out_the_event_itself_and_its_equals() {
    let before = counter("count = true\nwindow = \"1h\"\ndelay = \"1ms\"");
    assert_eq!(readings(&before, &at(&[10, 10, 11, 12])), ["0", "0", "2", "3"]);
    // (t - delay - window, t - delay]
    let between = counter("count = true\nwindow = \"10ms\"\ndelay = \"5ms\"");
    assert_eq!(readings(&between, &at(&[0, 4, 5, 14, 15])), ["0", "0", "1", "3", "2"]);
}

#[test]
fn a_late_arrival_changes_only_what_comes_after_it() {
    let config =
        format!("[input]\nallowed_lateness = \"1m\"\n{}", counter("count = true\nwindow = \"1h\""));
    // The third is a minute behind and exact, the fourth a millisecond more and late.
    let lines = at(&[100_000, 160_000, 100_000, 99_999, 160_000]);
    assert_eq!(readings(&config, &lines), ["1", "2", "2", "", "5"]);
}

#[test]
fn disorder_within_the_lateness_is_exact() {
    let minute = counter("count = true\nwindow = \"1m\"");
    assert_eq!(readings(&minute, &at(&[100_000, 40_000, 50_000, 100_001])), ["1", "1", "2", "3"]);
}

#[test]
fn only_the_types_and_events_asked_for_count() {
    let config = counter(
        "types = [\"login\", \"feedback\"]\ncount = true\nwindow = \"1h\"\n\
         where = \"!has(event.verdict) || verdict == 'fraud'\"",
    );
    let answer = |id: &str, verdict: &str| {
        let fields = json!({"verdict": verdict, "source": "customer", "scope": "account"});
        event("feedback", id, 4, fields)
    };
    let lines = [
        authorization("e1", 1, json!({})),
        event("login", "l", 2, json!({})),
        event("login_failed", "f", 3, json!({})),
        answer("a1", "fraud"),
        answer("a2", "legitimate"),
        authorization("e2", 5, json!({})),
    ];
    assert_eq!(readings(&config, &lines), ["0", "2"]);
}

#[test]
fn over_nothing_some_measures_are_zero_and_some_absent() {
    let measure = |line: &str| counter(&format!("{line}\nwindow = \"1h\"\ndelay = \"1ms\""));
    for (line, nothing, one) in [
        ("count = true", "0", "1"),
        ("sum = \"item_count\"", "0", "7"),
        ("distinct = \"order_id\"", "0", "1"),
        ("mean = \"item_count\"", "", "7.0"),
        ("max = \"item_count\"", "", "7"),
        ("min = \"item_count\"", "", "7"),
    ] {
        let lines = with(&[json!({"item_count": 7, "order_id": "o"}), json!({})]);
        assert_eq!(readings(&measure(line), &lines), [nothing, one], "{line}");
    }
}

#[test]
fn an_event_without_the_field_adds_nothing() {
    for (line, due) in [
        ("sum = \"item_seq\"", ["0", "5", "5", "5"]),
        ("mean = \"item_seq\"", ["", "5.0", "5.0", "5.0"]),
        ("distinct = \"item_seq\"", ["0", "1", "1", "1"]),
    ] {
        let lines = with(&[json!({}), json!({"item_seq": 5}), json!({}), json!({"item_seq": 5})]);
        let mut due = due.map(str::to_owned);
        if line.starts_with("sum") {
            due[3] = "10".into();
        }
        assert_eq!(readings(&counter(&format!("{line}\nwindow = \"1h\"")), &lines), due, "{line}");
    }
}

#[test]
fn sums_go_beyond_64_bits_and_come_back() {
    let config = counter("sum = \"attributes.n\"\nwindow = \"3s\"")
        + &counter("mean = \"attributes.n\"\nwindow = \"3s\"").replace("\"n\"", "\"m\"");
    let n = |n: i64| json!({"attributes": {"n": n}});
    let lines = with(&[n(i64::MAX), n(1), n(5), n(6), n(7), n(i64::MIN), n(-1), n(0)]);
    let most = i64::MAX.to_string();
    let least = i64::MIN.to_string();
    let sums: Vec<String> = readings(&config, &lines)
        .iter()
        .map(|row| row.split(',').next().unwrap().to_owned())
        .collect();
    let fifth = (i64::MIN + 13).to_string();
    let sixth = (i64::MIN + 6).to_string();
    assert_eq!(sums, [&most, &most, &most, "12", "18", &fifth, &sixth, &least].map(String::from));
}

#[test]
fn a_mean_is_the_nearest_double() {
    let config = counter("mean = \"attributes.n\"\nwindow = \"1h\"");
    let n = |n: i64| json!({"attributes": {"n": n}});
    let lines = with(&[n(1), n(2), n(2), n(5)]);
    assert_eq!(readings(&config, &lines), ["1.0", "1.5", "1.6666666666666667", "2.5"]);
    // 2^53 + 1 is no double: of a sum kept in doubles the mean would be ...497.
    let lines = with(&[n(9_007_199_254_740_993), n(2)]);
    assert_eq!(readings(&config, &lines)[1], "4503599627370498.0");
}

#[test]
fn only_the_currency_asked_for_counts() {
    let yen = |fields: Value| fields;
    let lines = with(&[
        yen(json!({"amount_minor": 5})),
        json!({"amount_minor": 70, "currency": "USD"}),
        yen(json!({"amount_minor": 6})),
    ]);
    let sum = |more: &str| counter(&format!("sum = \"amount_minor\"\nwindow = \"1h\"\n{more}"));
    assert_eq!(readings(&sum("currency = \"JPY\""), &lines), ["5", "5", "11"]);
    assert_eq!(readings(&sum("currency = \"any\""), &lines), ["5", "75", "81"]);
    let by_currency = sum("").replace("[\"account_id\"]", "[\"account_id\", \"currency\"]");
    assert_eq!(readings(&by_currency, &lines), ["5", "70", "11"]);
}

// -------------------------------------------------------------------------------------- keys

#[test]
fn a_missing_key_field_makes_it_absent_or_is_a_group() {
    let key = "[\"account_id\", \"device_id\"]";
    let config = counter("count = true\nwindow = \"1h\"").replace("[\"account_id\"]", key);
    let d = json!({"device_id": "d"});
    let lines = with(&[json!({}), d.clone(), json!({}), json!({"device_id": null}), d]);
    assert_eq!(readings(&config, &lines), ["", "1", "", "", "2"]);
    assert_eq!(readings(&(config + "missing = \"group\""), &lines), ["1", "1", "2", "3", "2"]);
}

#[test]
fn text_and_integer_and_boolean_of_one_look_are_three_values_and_a_double_none() {
    let k = |k: Value| json!({"attributes": {"k": k}});
    let lines = with(&[
        k(json!("1")),
        k(json!(1)),
        k(json!(true)),
        k(json!(1.0)),
        k(json!("true")),
        k(json!(1)),
        json!({}),
    ]);
    let distinct = counter("distinct = \"attributes.k\"\nwindow = \"1h\"");
    assert_eq!(readings(&distinct, &lines), ["1", "2", "3", "3", "4", "4", "4"]);
    let key = counter("count = true\nwindow = \"1h\"\nscope = \"partition\"")
        .replace("account_id", "attributes.k");
    assert_eq!(readings(&key, &lines), ["1", "1", "1", "", "1", "2", ""]);
    // As if it were absent, also in a group.
    assert_eq!(readings(&(key + "missing = \"group\""), &lines)[6], "2");
}

#[test]
fn a_boolean_is_added_up_as_a_number_and_nothing_else_is() {
    let n = |n: Value| json!({"attributes": {"n": n}});
    let lines = with(&[n(json!(true)), n(json!(false)), n(json!("5")), n(json!(2.5)), n(json!(3))]);
    let sum = counter("sum = \"attributes.n\"\nwindow = \"1h\"");
    assert_eq!(readings(&sum, &lines), ["1", "1", "1", "1", "4"]);
    let mean = counter("mean = \"attributes.n\"\nwindow = \"1h\"");
    assert_eq!(readings(&mean, &lines)[4], "1.3333333333333333");
}

#[test]
fn type_and_tender_have_their_defaults_everywhere() {
    let config = counter("count = true\nwindow = \"1h\"\nwhere = \"tender == 'card'\"\n")
        .replace("[\"account_id\"]", "[\"account_id\", \"tender\", \"type\"]")
        + "types = [\"authorization\", \"login\"]";
    let lines = [
        authorization("e1", 1, json!({})),
        authorization("e2", 2, json!({"tender": "card", "type": "authorization"})),
        authorization("e3", 3, json!({"tender": null, "type": null})),
        event("login", "l", 4, json!({})),
        authorization("e4", 5, json!({"tender": "points"})),
        authorization("e5", 6, json!({})),
    ];
    assert_eq!(readings(&config, &lines), ["1", "2", "3", "0", "4"]);
}

#[test]
fn an_account_field_is_meant_within_its_account() {
    let config = counter("count = true\nwindow = \"1h\"").replace("account_id", "card_id");
    let lines = with(&[json!({}), json!({"account_id": "b"}), json!({}), json!({"card_id": "d"})]);
    assert_eq!(readings(&config, &lines), ["1", "1", "2", "1"]);
    let shared = format!("[input]\naccount_fields = []\n{config}");
    assert_eq!(readings(&shared, &lines), ["1", "2", "3", "1"]);
}

// ---------------------------------------------------------------------------------- calendars

fn calendar(zone: &str, window: &str) -> String {
    format!("timezone = \"{zone}\"\n{}", counter(&format!("count = true\nwindow = \"{window}\"")))
}

#[test]
fn a_day_begins_at_local_midnight_whatever_the_clocks_do() {
    for (zone, day, last_before, first) in [
        ("UTC", "an ordinary day", "2026-05-01T23:59:59.999Z", "2026-05-02T00:00:00Z"),
        ("Asia/Tokyo", "another", "2026-05-01T14:59:59.999Z", "2026-05-01T15:00:00Z"),
        ("America/Santiago", "no midnight", "2026-09-06T03:59:59.999Z", "2026-09-06T04:00:00Z"),
        ("America/Santiago", "after 25 h", "2026-04-05T03:59:59.999Z", "2026-04-05T04:00:00Z"),
        ("Africa/Cairo", "no midnight", "2026-04-23T21:59:59.999Z", "2026-04-23T22:00:00Z"),
        ("Africa/Cairo", "after 25 h", "2026-10-29T21:59:59.999Z", "2026-10-29T22:00:00Z"),
        ("America/Havana", "two midnights", "2025-11-02T03:59:59.999Z", "2025-11-02T04:00:00Z"),
        ("Europe/Berlin", "of 23 h", "2026-03-28T22:59:59.999Z", "2026-03-28T23:00:00Z"),
        ("Europe/Berlin", "after 23 h", "2026-03-29T21:59:59.999Z", "2026-03-29T22:00:00Z"),
        ("Europe/Berlin", "of 25 h", "2026-10-24T21:59:59.999Z", "2026-10-24T22:00:00Z"),
        ("Europe/Berlin", "after 25 h", "2026-10-25T22:59:59.999Z", "2026-10-25T23:00:00Z"),
    ] {
        let (before, first) = (utc(last_before), utc(first));
        let lines = at(&[before, before, first, first + 60_000]);
        let due = ["1", "2", "1", "2"];
        assert_eq!(readings(&calendar(zone, "day"), &lines), due, "{zone}: {day}");
    }
}

#[test]
fn an_hour_that_comes_twice_is_of_one_day() {
    // Havana, 2 November 2025: 00:00 to 01:00 twice, 25 hours in all.
    let hours = ["04:00", "04:30", "05:00", "05:30"].map(|t| utc(&format!("2025-11-02T{t}:00Z")));
    let end = utc("2025-11-03T05:00:00Z");
    let lines = at(&[hours[0], hours[1], hours[2], hours[3], end - 1, end]);
    assert_eq!(
        readings(&calendar("America/Havana", "day"), &lines),
        ["1", "2", "3", "4", "5", "1"]
    );
    // St. John's, 1 November 2009: a minute of the new day, then the last hour of the old one again.
    let times = ["02:30:00", "02:31:00", "03:29:59", "03:30:00"];
    let lines = at(&times.map(|time| utc(&format!("2009-11-01T{time}Z"))));
    let config = format!(
        "{}[[counter]]\nname = \"m\"\nkey = [\"account_id\"]\ncount = true\nwindow = \"month\"\n",
        calendar("America/St_Johns", "day")
    );
    // The old day and month count everything since they began; so does the new day, as it began
    // before the clocks were put back.
    assert_eq!(readings(&config, &lines), ["1,1", "2,2", "3,3", "4,4"]);
}

#[test]
fn a_month_goes_to_date() {
    let config = calendar("Asia/Tokyo", "month");
    let lines = at(&[
        utc("2026-01-31T14:59:59.999Z"),
        utc("2026-01-31T15:00:00Z"),
        utc("2026-02-15T00:00:00Z"),
        utc("2026-02-28T14:59:59.999Z"),
        utc("2026-02-28T15:00:00Z"),
    ]);
    assert_eq!(readings(&config, &lines), ["1", "1", "2", "3", "1"]);
}

#[test]
fn a_calendar_window_ends_with_the_event() {
    let lines = at(&[500_000, 400_000, 600_000]);
    assert_eq!(readings(&calendar("UTC", "day"), &lines), ["1", "1", "3"]);
}

// ------------------------------------------------------------------------------------- limits

#[test]
fn beyond_events_per_key_the_oldest_go_and_the_decision_says_so() {
    use super::decisions;
    let config =
        format!("[limits]\nevents_per_key = 2\n{}", counter("count = true\nwindow = \"100ms\""));
    let lines = at(&[100, 110, 120, 115, 90, 215, 220]);
    assert_eq!(readings(&config, &lines), ["1", "2", "2", "1", "0", "2", "2"]);
    let decisions = decisions(&config, &lines);
    let states: Vec<&str> = decisions.iter().map(|d| d["state"].as_str().unwrap()).collect();
    // Dropped so far: -, -, 100, 110, 90 itself, 115, 120. At 215 the window begins at 115, and at
    // 220 at 120: what was dropped there is outside.
    assert_eq!(
        states,
        ["complete", "complete", "degraded", "degraded", "degraded", "complete", "complete"]
    );
}

#[test]
fn lists_of_the_same_key_fields_share_their_bound() {
    use super::decisions;
    // `["card_id"]` and `["account_id", "card_id"]` are one list: log-ins drive payments out.
    let config = "[limits]\nevents_per_key = 2\n\
        [[counter]]\nname = \"p\"\nkey = [\"card_id\"]\ncount = true\nwindow = \"1h\"\n\
        [[counter]]\nname = \"l\"\nkey = [\"card_id\", \"account_id\"]\ntypes = [\"login\"]\n\
        count = true\nwindow = \"1h\"\n";
    let login = |id: &str, time: i64| event("login", id, time, json!({"card_id": "c"}));
    let lines = [
        authorization("e1", 1, json!({})),
        login("l1", 2),
        login("l2", 3),
        authorization("e2", 4, json!({})),
    ];
    assert_eq!(readings(config, &lines), ["1,0", "1,1"]);
    assert_eq!(decisions(config, &lines)[1]["state"], "degraded");
    // Another card is not touched.
    let other = [&lines[..], &[authorization("e3", 5, json!({"card_id": "d"}))]].concat();
    assert_eq!(decisions(config, &other)[2]["state"], "complete");
}
