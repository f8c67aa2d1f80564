//! A wrong configuration is refused before anything runs, all of it at once, each mistake at its
//! place and in words that name it.

use holdfast::config::Settings;

use crate::support::binary::Folder;

/// `~` at the end of a line says that the mistake is reported there; it is taken out. Where nothing
/// is marked, something is missing, and the report points somewhere near.
const MARK: &str = "~";

const BASE: &str = r#"timezone = "Europe/Berlin"

[[counter]]
name = "spent_1d"
key = ["account_id"]
sum = "amount_minor"
currency = "EUR"
window = "24h"

[[counter]]
name = "tries_1h"
key = ["card_id"]
count = true
window = "1h"

[table.cap]
default = 50000
gold = 90000

[list]
shops = ["M-7", "M-8"]

[[rule]]
id = "cap"
when = "spent_1d > table.cap[card_tier]"
action = "review"

[[rule]]
id = "tries"
when = "tries_1h >= 4 && merchant_id in list.shops"
points = 30
"#;

/// A line of the base (or an empty one: the end), what stands there instead, and a word that the
/// message must have.
struct Mistake {
    what: &'static str,
    line: &'static str,
    instead: &'static str,
    word: &'static str,
}

const fn m(
    what: &'static str,
    line: &'static str,
    instead: &'static str,
    word: &'static str,
) -> Mistake {
    Mistake { what, line, instead, word }
}

const WINDOW: &str = "window = \"1h\"";
const WHEN: &str = "when = \"tries_1h >= 4 && merchant_id in list.shops\"";
const POINTS: &str = "points = 30";
const ACTION: &str = "action = \"review\"";
const ZONE: &str = "timezone = \"Europe/Berlin\"";
const END: &str = "";

#[rustfmt::skip]
const MISTAKES: &[Mistake] = &[
    // keys that nobody knows
    m("a key of the file", ZONE, "time_zone = \"Europe/Berlin\"~", "time_zone"),
    m("a section", END, "[outputs]~\nemit = \"all\"", "outputs"),
    m("a key of [input]", END, "[input]\nmax_past = \"5m\"~", "max_past"),
    m("a key of a counter", WINDOW, "window = \"1h\"\nfields = [\"x\"]~", "fields"),
    m("a key of a rule", POINTS, "points = 30\nseverity = 5~", "severity"),
    m("a threshold", END, "[score]\nreview_at = 5\nallow_at = 1~", "allow_at"),
    m("a limit", END, "[limits]\nevents = 7~", "events"),
    m("a key of [output]", END, "[output]\nwhere = \"here\"~", "where"),
    m("a key of [kafka]", END, "[kafka]\nbroker = \"b:1\"~", "brokers"),
    // values of another kind
    m("a key that is no list", "key = [\"card_id\"]", "key = \"card_id\"~", "key"),
    m("a list in a list", "key = [\"card_id\"]", "key = [[\"card_id\"]]~", "key"),
    m("no key at all", "key = [\"card_id\"]", "key = []~", "key"),
    m("points in quotes", POINTS, "points = \"30\"~", "points"),
    m("points with a fraction", POINTS, "points = 30.5~", "points"),
    m("a name that is a number", "id = \"tries\"", "id = 7~", "id"),
    m("an empty id", "id = \"tries\"", "id = \"\"~", "id"),
    m("a list that is text", "shops = [\"M-7\", \"M-8\"]", "shops = [\"M-7\", \"M-8\"]\nmore = \"M-9\"~", "more"),
    m("a list of lists", "shops = [\"M-7\", \"M-8\"]", "shops = [\"M-7\", \"M-8\"]\nmore = [[1]]~", "more"),
    m("a table without default", "default = 50000", "silver = 5", "default"),
    m("a table of two types", "gold = 90000", "gold = \"90000\"~", "gold"),
    m("a limit in words", END, "[limits]\nevents_per_key = \"all\"~", "events_per_key"),
    m("a limit of nothing", END, "[limits]\nevents_per_key = 0~", "events_per_key"),
    m("a section that is a list", END, "[[output]]~\nemit = \"all\"", "output"),
    m("a rule that is no list", END, "[limits]\n[counter.x]\n", "counter"),
    m("count that is not", "count = true", "count = false~", "count"),
    // names in expressions
    m("a counter that is none", WHEN, "when = \"tries_2h >= 4\"~", "tries_1h"),
    m("a field that is none", WHEN, "when = \"merchantid == 'M-7'\"~", "merchant_id"),
    m("a table that is none", WHEN, "when = \"tries_1h > table.caps[card_tier]\"~", "caps"),
    m("a list that is none", WHEN, "when = \"merchant_id in list.shop\"~", "shops"),
    m("a field in has()", WHEN, "when = \"has(event.cardid)\"~", "card_id"),
    m("a counter in has()", WHEN, "when = \"has(counter.trie_1h)\"~", "tries_1h"),
    m("a counter in where", "count = true", "count = true\nwhere = \"spent_1d > 5\"~", "spent_1d"),
    m("late in where", "count = true", "count = true\nwhere = \"late\"~", "late"),
    m("a function", WHEN, "when = \"upper(country) == 'DE'\"~", "upper"),
    m("a method", WHEN, "when = \"country.trim() == 'DE'\"~", "trim"),
    // types
    m("integer and double", WHEN, "when = \"amount_minor * 0.5 > 10.0\"~", "double("),
    m("integer plus double", WHEN, "when = \"amount_minor + 1.0 > 10.0\"~", "double("),
    m("text beside a number", WHEN, "when = \"card_tier >= 2\"~", "card_tier"),
    m("text equal to a number", WHEN, "when = \"mcc == 5411\"~", "mcc"),
    m("a rule that is a number", WHEN, "when = \"tries_1h - 3\"~", "bool"),
    m("a number where a bool is due", WHEN, "when = \"tries_1h && true\"~", "tries_1h"),
    m("not of a number", WHEN, "when = \"!tries_1h\"~", "tries_1h"),
    m("text plus a number", WHEN, "when = \"country + 1 == 'x'\"~", "country"),
    m("the size of a number", WHEN, "when = \"size(tries_1h) > 1\"~", "size"),
    m("text's method of a number", WHEN, "when = \"amount_minor.contains('1')\"~", "contains"),
    m("a table by a number", WHEN, "when = \"table.cap[tries_1h] > 1\"~", "tries_1h"),
    m("unlike branches", WHEN, "when = \"(late ? 1 : 'x') == 1\"~", ""),
    m("a pattern that is none", WHEN, "when = \"country.matches('(')\"~", "matches"),
    // windows and lengths of time
    m("weeks", WINDOW, "window = \"2w\"~", "2w"),
    m("half an hour", WINDOW, "window = \"0.5h\"~", "0.5h"),
    m("a window of no length", WINDOW, "window = \"0s\"~", "0s"),
    m("a calendar week", WINDOW, "window = \"week\"~", "week"),
    m("no unit", WINDOW, "window = \"60\"~", "60"),
    m("a number", WINDOW, "window = 60~", "window"),
    m("a day with a delay", WINDOW, "window = \"day\"\ndelay = \"5m\"~", "delay"),
    m("lateness beyond the horizon", END, "[input]\nallowed_lateness = \"25h\"~", "allowed_lateness"),
    m("a horizon within the lateness", END, "[input]\ndedupe_horizon = \"59m\"~", "dedupe_horizon"),
    m("a delay in words", WINDOW, "window = \"1h\"\ndelay = \"short\"~", "short"),
    // twice, missing, too much
    m("a counter's name twice", "name = \"tries_1h\"", "name = \"spent_1d\"~", "spent_1d"),
    m("a rule's id twice", "id = \"tries\"", "id = \"cap\"~", "cap"),
    m("money without currency", "currency = \"EUR\"", "types = [\"authorization\"]", "currency"),
    m("currency of a count", "count = true", "count = true\ncurrency = \"EUR\"~", "currency"),
    m("currency in words", "currency = \"EUR\"", "currency = \"euro\"~", "euro"),
    m("currency beside the key", "key = [\"account_id\"]", "key = [\"account_id\", \"currency\"]", "currency"),
    m("two measures", "count = true", "count = true\nmax = \"item_seq\"~", "max"),
    m("no measure", "count = true", "types = [\"login\"]", "count"),
    m("action and points", POINTS, "points = 30~\naction = \"hold\"~", "points"),
    m("neither of them", POINTS, "mode = \"shadow\"", "points"),
    // the life of a hold
    m("a target", POINTS, "points = 30\ntarget = \"crd\"~", "card"),
    m("a field of a target", POINTS, "points = 30\ntarget = [\"devise_id\"]~", "device_id"),
    m("a counter to reach", POINTS, "points = 30\nreach = [\"trys_1h\"]~", "tries_1h"),
    m("a deadline", POINTS, "points = 30\nexpires = \"soon\"~", "duration"),
    m("an expiry", POINTS, "points = 30\non_expiry = \"relase\"~", "release"),
    m("a suspension", POINTS, "points = 30\nwhile_suspended = \"wait\"~", "hold"),
    m("a source", POINTS, "points = 30\nanswer_by = [\"analist\"]~", "analyst"),
    m("no flag", WINDOW, "window = \"1h\"\nstanding = \"yes\"~", "true or false"),
    m("a key of the cases", END, "[cases]\nexpire = \"72h\"~", "expires"),
    m("links", END, "[limits]\nlinked_events = -1~", "0 to"),
    m("no condition", WHEN, "category = \"fraud\"", "when"),
    m("no window", WINDOW, "types = [\"login\"]", "window"),
    m("the sum of a text", "sum = \"amount_minor\"", "sum = \"merchant_id\"~", "merchant_id"),
    m("a key twice", WINDOW, "window = \"1h\"\nwindow = \"2h\"~", "window"),
    // reserved and unknown words
    m("an id that decisions use", "id = \"tries\"", "id = \"confirmed_fraud\"~", "confirmed_fraud"),
    m("the score's name", "id = \"tries\"", "id = \"score\"~", "score"),
    m("a counter like a field", "name = \"tries_1h\"", "name = \"card_id\"~", "card_id"),
    m("a counter like a word", "name = \"tries_1h\"", "name = \"list\"~", "list"),
    m("a counter that is no name", "name = \"tries_1h\"", "name = \"tries-1h\"~", "tries-1h"),
    m("a field of a key", "key = [\"card_id\"]", "key = [\"cardid\"]~", "card_id"),
    m("an attribute without a name", "key = [\"card_id\"]", "key = [\"attributes\"]~", "attributes"),
    m("a time zone", ZONE, "timezone = \"Europe/Berlyn\"~", "Europe/Berlin"),
    m("a type of event", "count = true", "count = true\ntypes = [\"logins\"]~", "login"),
    m("ticks in a counter", "count = true", "count = true\ntypes = [\"tick\"]~", "tick"),
    m("an action", ACTION, "action = \"reject\"~", "reject"),
    m("a mode", ACTION, "action = \"review\"\nmode = \"off\"~", "off"),
    m("a category", ACTION, "action = \"review\"\ncategory = \"theft\"~", "theft"),
    m("what to emit", END, "[output]\nemit = \"none\"~", "none"),
    m("a scope", WINDOW, "window = \"1h\"\nscope = \"global\"~", "global"),
    m("what is missing", WINDOW, "window = \"1h\"\nmissing = \"ignore\"~", "ignore"),
    // text that is no expression or no TOML
    m("an expression that ends early", WHEN, "when = \"tries_1h >= 4 &&\"~", ""),
    m("a single equals sign", WHEN, "when = \"tries_1h = 4\"~", ""),
    m("or in words", WHEN, "when = \"late or tries_1h > 4\"~", "or"),
    m("a bracket too many", WHEN, "when = \"(tries_1h > 4))\"~", ""),
    m("an open text", WHEN, "when = \"country == 'DE\"~", ""),
    m("no quotes", "name = \"tries_1h\"", "name = tries_1h~", "tries_1h"),
    m("an open bracket", "key = [\"card_id\"]", "key = [\"card_id\"", ""),
];

/// The base with a mistake; and the lines where it may be reported, from 1.
fn made(mistake: &Mistake) -> (String, Vec<usize>) {
    let Mistake { what, line, instead, .. } = mistake;
    let text = if line.is_empty() {
        format!("{BASE}\n{instead}\n")
    } else {
        let wanted = format!("{line}\n");
        assert!(BASE.contains(&wanted), "{what}: the base has no {line}");
        BASE.replacen(&wanted, &format!("{instead}\n"), 1)
    };
    let marked = |(at, line): (usize, &str)| line.ends_with(MARK).then_some(at + 1);
    let lines = text.lines().enumerate().filter_map(marked).collect();
    (text.replace(MARK, ""), lines)
}

/// Lines at which a report points.
fn reported(report: &str, name: &str) -> Vec<usize> {
    let place = |line: &str| {
        let (_, rest) = line.split_once(&format!("--> {name}:"))?;
        rest.split(':').next()?.parse().ok()
    };
    report.lines().filter_map(place).collect()
}

#[test]
fn the_base_is_right() {
    crate::support::run::settings(BASE);
}

#[test]
fn every_mistake_is_refused_at_its_line_and_by_name() {
    let mut wrong = Vec::new();
    for mistake in MISTAKES {
        let (text, lines) = made(mistake);
        let Err(problems) = Settings::read("bad.toml", text, &[]) else {
            wrong.push(format!("{}: accepted", mistake.what));
            continue;
        };
        let report = problems.to_string();
        let places = reported(&report, "bad.toml");
        let there = lines.is_empty() || places.iter().any(|line| lines.contains(line));
        if !there || !report.contains(mistake.word) || places.is_empty() {
            wrong.push(format!("{}, at {lines:?} with {}:\n{report}", mistake.what, mistake.word));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_wrong_configuration_ends_every_command_with_78() {
    let folder = Folder::new();
    folder.write("log.jsonl", "");
    for mistake in MISTAKES.iter().step_by(8) {
        let (text, _) = made(mistake);
        folder.write("bad.toml", text);
        let ended = folder.run(&["validate", "-c", "bad.toml"]).with(78);
        assert!(ended.out.is_empty() && ended.err.contains("bad.toml:"), "{}", ended.err);
        let ended = folder.run(&["replay", "log.jsonl", "-c", "bad.toml"]).with(78);
        assert!(ended.out.is_empty(), "{}", ended.err);
    }
    folder.write("bad.toml", b"timezone = \"\xff\"\n");
    folder.run(&["validate", "-c", "bad.toml"]).with(78);
    folder.run(&["validate", "-c", "not_there.toml"]).with(78);
}

const TEN: &str = r#"timezone = "Atlantis/Capital"~Atlantis/Capital

[input]
max_furure = "5m"~max_future
allowed_lateness = "soon"~soon

[[counter]]
name = "n"
key = ["accountid"]~account_id
count = true
window = "1 day"~1 day

[[counter]]
name = "m"
key = ["account_id"]
types = ["authorisation"]~authorization
count = true
window = "1h"

[[rule]]
id = "a"
when = "m * 1.5 > 3.0"~double(
action = "verify"

[[rule]]
id = "b"
when = "m >= 3 && deliver == 'locker'"~delivery
action = "stop"~stop

[output]
emit = "most"~most
"#;

#[test]
fn ten_mistakes_are_ten_problems_each_at_its_place() {
    let split = |line: &'static str| line.split_once(MARK).unwrap_or((line, ""));
    let text: String = TEN.lines().map(|line| format!("{}\n", split(line).0)).collect();
    let due: Vec<(usize, &str)> = TEN
        .lines()
        .enumerate()
        .filter_map(|(at, line)| Some((at + 1, line.split_once(MARK)?.1)))
        .collect();
    assert_eq!(due.len(), 10);
    let folder = Folder::new();
    folder.write("ten.toml", text);
    let report = folder.run(&["validate", "-c", "ten.toml"]).with(78).err;
    let lines: Vec<usize> = due.iter().map(|(line, _)| *line).collect();
    assert_eq!(reported(&report, "ten.toml"), lines, "{report}");
    let problems: Vec<&str> = report.split("\n\n").collect();
    for ((line, word), problem) in due.iter().zip(problems) {
        assert!(problem.contains(&format!("ten.toml:{line}:")), "{problem}");
        assert!(problem.contains(word), "{word}: {problem}");
    }
    assert!(report.contains("10 problems"), "{report}");
}

#[test]
fn a_problem_is_underlined_where_it_stands() {
    let text =
        "[[rule]]\nid = \"r\"\nwhen = \"\"\"late ||\n   amont_minor > 5\"\"\"\naction = \"hold\"\n";
    let report = Settings::read("r.toml", text.into(), &[]).unwrap_err().to_string();
    assert!(report.contains("--> r.toml:4:4"), "{report}");
    assert!(report.contains("   amont_minor > 5"), "{report}");
    assert!(report.contains("^^^^^^^^^^^"), "{report}");
    assert!(report.contains("`amount_minor`"), "{report}");
}

#[test]
fn the_environment_is_checked_like_the_file() {
    let environment = [("HOLDFAST__OUTPUT__EMIT".to_owned(), "some".to_owned())];
    let report = Settings::read("r.toml", BASE.into(), &environment).unwrap_err().to_string();
    assert!(report.contains("HOLDFAST__OUTPUT__EMIT:1:1") && report.contains("`some`"), "{report}");
    let environment = [("HOLDFAST__NO__SUCH".to_owned(), "1".to_owned())];
    let report = Settings::read("r.toml", BASE.into(), &environment).unwrap_err().to_string();
    assert!(report.contains("HOLDFAST__NO__SUCH") && report.contains("`no`"), "{report}");
}
