//! Which changes of a configuration make it another ruleset.

use super::identity_of;

const CONFIG: &str = r#"
timezone = "Asia/Tokyo"
[input]
allowed_lateness = "30m"
[[counter]]
name = "n"
key = ["card_id", "currency"]
sum = "amount_minor"
window = "1h"
where = "channel == 'ecom'"
[[counter]]
name = "d"
key = ["account_id"]
types = ["login", "authorization"]
distinct = "ip"
window = "day"
[table.limit]
default = 5
gold = 8
[list]
shops = ["M-1", "M-2"]
[[rule]]
id = "r"
when = "n > table.limit[card_tier] && merchant_id in list.shops"
action = "hold"
category = "fraud"
reason = "many"
[[rule]]
id = "s"
when = "d > 3"
points = 5
[score]
review_at = 5
"#;

#[track_caller]
fn change(from: &str, to: &str) -> String {
    assert_eq!(CONFIG.matches(from).count(), 1, "{from}");
    identity_of(&CONFIG.replacen(from, to, 1))
}

#[test]
fn an_identity_is_a_hash() {
    let identity = identity_of(CONFIG);
    let digits = identity.strip_prefix("sha256:").expect("a hash");
    assert!(digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{identity}");
    assert_eq!(identity, identity_of(CONFIG));
}

#[test]
fn what_decides_nothing_does_not_change_it() {
    let identity = identity_of(CONFIG);
    for (from, to) in [
        ("[input]", "# a comment\n[input]   # another\n\n"),
        ("\"30m\"", "'1800s'"),
        ("allowed_lateness = \"30m\"", "allowed_lateness=\"30m\"\ndedupe_horizon = \"24h\""),
        (
            "[input]",
            "[limits]\nevents_per_key = 1_000_000\n[input]\nmax_future = \"300s\"\n\
             account_fields = [\"card_id\"]\npan_check = [\"card_id\"]",
        ),
        ("window = \"1h\"", "window = \"60m\"\ndelay = \"0s\"\ntypes = [\"authorization\"]"),
        ("key = [\"card_id\", \"currency\"]", "key = [\"currency\", \"account_id\", \"card_id\"]"),
        ("[\"login\", \"authorization\"]", "[\"authorization\", \"login\"]"),
        ("channel == 'ecom'", "(channel  ==  \\\"ecom\\\")"),
        ("action = \"hold\"", "mode = \"live\"\naction = \"hold\""),
        ("[score]", "[output]\nemit = \"all\"\n[score]"),
        ("[score]", "[kafka]\nbrokers = \"b:9092\"\n[state]\ndir = \"/var/lib/x\"\n[score]"),
        ("[score]", "[metrics]\nlisten = \"[::]:9000\"\n[admin]\nlisten = \"[::1]:1\"\n[score]"),
    ] {
        assert_eq!(change(from, to), identity, "{to}");
    }
}

#[test]
fn what_decides_changes_it() {
    let mut seen = vec![identity_of(CONFIG)];
    for (from, to) in [
        ("Asia/Tokyo", "Asia/Seoul"),
        ("\"30m\"", "\"31m\""),
        ("[input]", "[input]\ndedupe_horizon = \"25h\""),
        ("[input]", "[input]\nmax_future = \"6m\""),
        ("[input]", "[input]\naccount_fields = [\"card_id\", \"device_id\"]"),
        ("[input]", "[input]\npan_check = []"),
        ("[input]", "[limits]\nevents_per_key = 9\n[input]"),
        ("window = \"1h\"", "window = \"2h\""),
        ("window = \"1h\"", "window = \"1h\"\ndelay = \"1ms\""),
        ("window = \"1h\"", "window = \"1h\"\nmissing = \"group\""),
        ("window = \"day\"", "window = \"month\""),
        ("sum = ", "mean = "),
        ("\"ip\"", "\"device_id\""),
        ("key = [\"card_id\", \"currency\"]", "key = [\"account_id\", \"currency\"]"),
        ("[\"login\", \"authorization\"]", "[\"login\"]"),
        ("'ecom'", "'pos'"),
        ("default = 5", "default = 6"),
        ("gold = 8", "gold = 9"),
        ("gold = 8", "gold = 8\nplatinum = 8"),
        ("\"M-2\"", "\"M-3\""),
        ("[\"M-1\", \"M-2\"]", "[\"M-1\"]"),
        ("action = \"hold\"", "action = \"verify\""),
        ("action = \"hold\"", "action = \"hold\"\nmode = \"shadow\""),
        ("id = \"r\"", "id = \"q\""),
        ("d > 3", "d > 4"),
        ("points = 5", "points = 6"),
        ("\"fraud\"", "\"policy\""),
        ("\"many\"", "\"more\""),
        ("review_at = 5", "review_at = 6"),
        ("review_at = 5", "verify_at = 5"),
    ] {
        let identity = change(from, to);
        assert!(!seen.contains(&identity), "{to}");
        seen.push(identity);
    }
    // The order of rules is the order of reasons; the order of counters is that of the columns.
    let (head, rules) = CONFIG.split_once("[[rule]]").unwrap();
    let (first, second) = rules.split_once("[[rule]]").unwrap();
    let (second, score) = second.split_once("[score]").unwrap();
    let swapped = format!("{head}[[rule]]{second}\n[[rule]]{first}\n[score]{score}");
    assert!(!seen.contains(&identity_of(&swapped)));
}
