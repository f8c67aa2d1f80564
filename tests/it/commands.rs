//! The commands as their users meet them: arguments, exit codes, what goes where.

use std::io::Write as _;

use clap::CommandFactory as _;
use holdfast::cli::Cli;
use serde_json::{Value, json};

use crate::support::{
    binary::{Ended, Folder, repository},
    run::{authorization, envelope, event, is_decision, json_lines},
};

const CONFIG: &str = r#"
[[counter]]
name = "n"
key = ["account_id"]
count = true
window = "1h"
[[rule]]
id = "second"
when = "n >= 2"
action = "review"
[[rule]]
id = "quiet"
when = "n == 1"
action = "hold"
mode = "shadow"
"#;

/// A counter that is exact within one partition only.
const SHARED: &str = r#"
[[counter]]
name = "by_terminal"
key = ["terminal_id"]
count = true
window = "1h"
"#;

/// A folder with a configuration, and a log of three payments, a log-in and a broken line.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("config.toml", CONFIG);
    folder.write("shared.toml", SHARED);
    let lines = [
        authorization("e1", 1, json!({})),
        event("login", "l1", 2, json!({})),
        authorization("e2", 3, json!({})),
        "{".into(),
        authorization("e1", 1, json!({})),
        authorization("e3", 4, json!({"account_id": "b"})),
    ];
    folder.write("log.jsonl", lines.join("\n"));
    folder
}

fn ids(jsonl: &[u8]) -> Vec<String> {
    let decisions = json_lines(jsonl).into_iter().filter(is_decision);
    decisions.map(|d| d["event_id"].as_str().unwrap().to_owned()).collect()
}

fn replay(folder: &Folder, more: &[&str]) -> Ended {
    folder.run(&[&["replay", "log.jsonl", "-c", "config.toml"], more].concat())
}

// -------------------------------------------------------------------------------- exit codes

#[test]
fn wrong_usage_ends_with_2_and_says_why() {
    let folder = folder();
    for (arguments, word) in [
        (&["replay"][..], "INPUT"),
        (&["replay", "log.jsonl"], "--config"),
        (&["replay", "log.jsonl", "-c", "config.toml", "--no-such"], "--no-such"),
        (&["replay", "log.jsonl", "-c", "config.toml", "--emit", "some"], "findings"),
        (&["replay", "log.jsonl", "-c", "config.toml", "--partitions", "0"], "0"),
        (&["replay", "missing.jsonl", "-c", "config.toml"], "missing.jsonl"),
        (&["replay", ".", "-c", "config.toml"], "directory"),
        (&["no-such-command"], "no-such-command"),
        // What would destroy an input, or write two things into one file.
        (&["replay", "log.jsonl", "-c", "config.toml", "-o", "log.jsonl"], "log.jsonl"),
        (&["replay", "log.jsonl", "-c", "config.toml", "-o", "config.toml"], "config.toml"),
        (&["replay", "log.jsonl", "-c", "config.toml", "-o", "x", "--features", "x"], "x"),
        (&["replay", "log.jsonl", "-c", "config.toml", "--features", "-"], "-"),
    ] {
        let ended = folder.run(arguments).with(2);
        assert!(ended.out.is_empty(), "{arguments:?} wrote something");
        assert!(ended.err.contains(word), "{arguments:?}: {}", ended.err);
    }
    assert_eq!(ids(&replay(&folder, &[]).with(0).out).len(), 1);
}

#[test]
fn an_input_that_cannot_be_read_to_its_end_is_read_up_to_there() {
    let folder = folder();
    let line = |n: usize| authorization(&format!("cut{n}"), n as i64, json!({"ip": n.to_string()}));
    let text: String = (0..20_000).map(|n| line(n) + "\n").collect();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    let zst = zstd::encode_all(text.as_bytes(), 1).unwrap();
    folder.write("cut.gz", &gz[..gz.len() / 2]);
    folder.write("cut.zst", &zst[..zst.len() / 2]);
    folder.write("nonsense.gz", "this is not compressed\n");
    for name in ["cut.gz", "cut.zst", "nonsense.gz"] {
        let arguments =
            ["replay", name, "log.jsonl", "-c", "config.toml", "--emit", "all", "-o", "d.jsonl"];
        let ended = folder.run(&arguments).with(65);
        let decisions = folder.read("d.jsonl");
        let found = ids(&decisions);
        let cut = found.iter().filter(|id| id.starts_with("cut")).count();
        assert_eq!(found[cut..], ["e1", "e2", "e3"], "{name}");
        let due: Vec<String> = (0..cut).map(|n| format!("cut{n}")).collect();
        assert_eq!(found[..cut], due, "{name}");
        let said = ended.err.lines().find(|line| line.contains(name)).expect("it is named");
        // The last line may be cut, and is a dead letter then.
        let lines = ended.statistics()["events"].as_u64().unwrap() - 6;
        assert!(said.contains(&format!(" {lines} lines")), "{said}");
        if name.starts_with("cut") {
            assert!((1000..20_000).contains(&cut), "{name}: {cut}");
            assert!(lines as usize - cut <= 1, "{name}: {lines} lines, {cut} decisions");
        }
    }
}

#[test]
fn counters_beyond_the_account_need_one_partition_or_their_word() {
    let folder = folder();
    let of = |partition: i32| envelope(partition, 0, None, &authorization("e", 1, json!({})));
    let bad_of_2 = envelope(2, 0, None, "{");
    folder.write("one.jsonl", of(4));
    folder.write("two.jsonl", [of(4), of(5)].join("\n"));
    folder.write("bad.jsonl", [of(4), bad_of_2].join("\n"));
    let run = |input: &str, config: &str, more: &[&str]| {
        folder.run(&[&["replay", input, "-c", config, "--emit", "all"], more].concat())
    };
    run("one.jsonl", "shared.toml", &[]).with(0);
    for (input, more) in
        [("two.jsonl", &[][..]), ("bad.jsonl", &[]), ("log.jsonl", &["--partitions", "2"])]
    {
        let ended = run(input, "shared.toml", more).with(78);
        assert!(ended.err.contains("by_terminal"), "{}", ended.err);
        assert!(ended.err.contains("scope = \"partition\""), "{}", ended.err);
    }
    folder.write("scoped.toml", format!("{SHARED}scope = \"partition\"\n"));
    run("two.jsonl", "scoped.toml", &[]).with(0);
    run("log.jsonl", "scoped.toml", &["--partitions", "2"]).with(0);
    // Counters of an account are exact on any number of partitions.
    run("two.jsonl", "config.toml", &[]).with(0);
    // A tick is of every partition: it is no record of a second one.
    folder.write(
        "tick.jsonl",
        format!("{}\n{{\"type\":\"tick\",\"event_time\":5}}\n{}", of(4), of(4)),
    );
    run("tick.jsonl", "shared.toml", &[]).with(0);
}

// ----------------------------------------------------------------------------- what goes where

#[test]
fn statistics_stand_last_and_add_up() {
    let ended = replay(&folder(), &[]).with(0);
    let statistics = ended.statistics();
    let count = |name: &str| statistics[name].as_u64().unwrap();
    let fates = ["decided", "counted", "applied", "ignored", "duplicate", "dead_letter"];
    assert_eq!(fates.map(count), [3, 1, 0, 0, 1, 1]);
    assert_eq!(count("events"), 6);
    assert_eq!(statistics["actions"], json!({"allow": 2, "review": 1}));
    assert!(statistics["seconds"].is_number());
    let names: Vec<&String> = statistics.as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 9, "{names:?}");
}

#[test]
fn decisions_go_to_standard_output_or_a_file() {
    let folder = folder();
    let bare = replay(&folder, &[]).with(0);
    assert_eq!(ids(&bare.out), ["e2"]);
    assert_eq!(replay(&folder, &["-o", "-"]).with(0).out, bare.out);
    assert!(replay(&folder, &["-o", "d.jsonl"]).with(0).out.is_empty());
    assert_eq!(folder.read("d.jsonl"), bare.out);
    let log = folder.read("log.jsonl");
    let piped = folder.run_with(&["replay", "-", "-c", "config.toml"], &[], &log).with(0);
    assert_eq!(piped.out, bare.out);
}

#[test]
fn emit_on_the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let folder = folder();
    folder.write("all.toml", format!("{CONFIG}[output]\nemit = \"all\"\n"));
    let run = |config: &str, environment: &[(&str, &str)], more: &[&str]| {
        let arguments = [&["replay", "log.jsonl", "-c", config], more].concat();
        ids(&folder.run_with(&arguments, environment, b"").with(0).out).len()
    };
    let environment = |value| [("HOLDFAST__OUTPUT__EMIT", value)];
    assert_eq!(run("config.toml", &[], &[]), 1);
    assert_eq!(run("config.toml", &[], &["--emit", "findings"]), 3);
    assert_eq!(run("all.toml", &[], &[]), 3);
    assert_eq!(run("all.toml", &environment("actions"), &[]), 1);
    assert_eq!(run("config.toml", &environment("all"), &[]), 3);
    assert_eq!(run("all.toml", &environment("all"), &["--emit", "actions"]), 1);
    let wrong = [("HOLDFAST__OUTPUT__EMIT", "most")];
    let ended = folder.run_with(&["validate", "-c", "config.toml"], &wrong, b"").with(78);
    assert!(ended.err.contains("HOLDFAST__OUTPUT__EMIT"), "{}", ended.err);
}

#[test]
fn features_are_a_table_that_spreadsheets_read() {
    let folder = folder();
    let awkward =
        ["plain", "with, comma", "with \"quotes\"", "line\nend", "carriage\rreturn", " x"];
    let lines: Vec<String> =
        awkward.iter().enumerate().map(|(n, id)| authorization(id, n as i64, json!({}))).collect();
    folder.write("log.jsonl", lines.join("\n"));
    replay(&folder, &["--features", "f.csv"]).with(0);
    assert_eq!(
        String::from_utf8(folder.read("f.csv")).unwrap(),
        "event_id,n,action\nplain,1,allow\n\"with, comma\",2,review\n\
         \"with \"\"quotes\"\"\",3,review\n\"line\nend\",4,review\n\"carriage\rreturn\",5,review\n \
         x,6,review\n"
    );
    // Without counters there are the id and the action; without decisions there is the header.
    folder.write("none.toml", "");
    let arguments = ["replay", "log.jsonl", "-c", "none.toml", "--features", "f.csv"];
    folder.run(&arguments).with(0);
    assert!(folder.read("f.csv").starts_with(b"event_id,action\nplain,allow\n"));
    folder.write("log.jsonl", "");
    replay(&folder, &["--features", "f.csv"]).with(0);
    assert_eq!(folder.read("f.csv"), b"event_id,n,action\n");
}

#[test]
fn dead_letters_are_kept_where_they_are_asked_for() {
    let folder = folder();
    let ended = replay(&folder, &["--dead-letters", "dead.jsonl"]).with(0);
    let letters = json_lines(&folder.read("dead.jsonl"));
    assert_eq!(letters.len(), 1);
    assert_eq!((&letters[0]["reason"], &letters[0]["offset"]), (&json!("invalid_json"), &json!(3)));
    assert!(ended.err.contains("1 invalid_json"), "{}", ended.err);
    // Over several inputs the lines are numbered through.
    let inputs = ["replay", "log.jsonl", "log.jsonl", "-c", "config.toml"];
    folder.run(&[&inputs[..], &["--dead-letters", "dead.jsonl"]].concat()).with(0);
    let offsets: Vec<Value> =
        json_lines(&folder.read("dead.jsonl")).iter().map(|l| l["offset"].clone()).collect();
    assert_eq!(offsets, [3, 9]);
}

// ------------------------------------------------------------------------------ configuration

#[test]
fn a_configuration_as_printed_is_the_same_again() {
    let folder = folder();
    let shipped = std::fs::read_to_string(repository("config/holdfast.toml")).unwrap();
    let awkward = "timezone = 'Asia/Tokyo'\n[table.\"t\"]\ndefault = 1.5\n\"a b\" = -0.0\n\"\" = 1e300\n\
        [list]\nl = [\"\\\"\\u0007\", 5]\n[[rule]]\nid = \"q\\\"\"\nwhen = '''\n  table.t[mcc] > 1.0 ||\n \
        mcc in list.l'''\naction = \"hold\"\nreason = \"a\\nb\"\n";
    for (name, text) in [("config", CONFIG), ("shipped", &shipped), ("odd", awkward), ("none", "")]
    {
        let file = format!("{name}.toml");
        folder.write(&file, text);
        let printed = folder.run(&["validate", "-c", &file, "--print"]).with(0);
        let identity = |ended: &Ended| {
            let at = ended.err.find("sha256:").expect("an identity");
            ended.err[at..at + 71].to_owned()
        };
        let first = identity(&printed);
        folder.write("again.toml", &printed.out);
        let again = folder.run(&["validate", "-c", "again.toml", "--print"]).with(0);
        assert_eq!(first, identity(&again), "{name}");
        assert_eq!(printed.text(), again.text(), "{name}");
        assert!(printed.text().contains("allowed_lateness = \"1h\""), "{}", printed.text());
        // Without --print, nothing is data.
        assert!(folder.run(&["validate", "-c", &file]).with(0).out.is_empty());
    }
}

#[test]
fn secrets_are_not_printed() {
    let folder = folder();
    let config = "[kafka]\nbrokers = \"b:9092\"\n[kafka.properties]\n\"sasl.username\" = \"me\"\n\
        \"sasl.password\" = \"hunter2\"\n\"ssl.key.password\" = \"hunter2\"\n\
        \"ssl.keystore.password\" = \"hunter2\"\n\"ssl.key.pem\" = \"hunter2\"\n";
    folder.write("secret.toml", config);
    let arguments = ["validate", "-c", "secret.toml", "--print"];
    let ended = folder.run(&arguments).with(0);
    assert!(ended.text().contains("sasl.password"), "{}", ended.text());
    assert!(ended.text().contains("\"me\"") && ended.text().contains("b:9092"));
    assert!(!ended.text().contains("hunter2") && !ended.err.contains("hunter2"));
    let environment = [("HOLDFAST__KAFKA__PROPERTIES", "{ \"sasl.password\" = \"hunter3\" }")];
    let ended = folder.run_with(&arguments, &environment, b"").with(0);
    assert!(!ended.text().contains("hunter") && !ended.err.contains("hunter"), "{}", ended.text());
    // Under a dotted name, which reads as tables within tables.
    let dotted = "[kafka.properties]\nsasl.username = \"me\"\nsasl.password = \"hunter2\"\n";
    folder.write("secret.toml", dotted);
    let environment = [("HOLDFAST__KAFKA__PROPERTIES__SSL__KEY__PASSWORD", "hunter3")];
    let ended = folder.run_with(&arguments, &environment, b"").with(0);
    assert!(ended.text().contains("\"me\"") && ended.text().contains("password"));
    assert!(!ended.text().contains("hunter") && !ended.err.contains("hunter"), "{}", ended.text());
}

#[test]
fn what_is_wrong_is_shown_without_its_secrets() {
    let folder = folder();
    for config in [
        "[kafka.properties]\n\"sasl.password\" = hunter2\n",
        "[kafka.properties]\n\"sasl.password\" = [\"hunter2\"]\n",
        "[state]\nurl = \"s3://me:hunter2@bucket\"\n",
    ] {
        folder.write("wrong.toml", config);
        let ended = folder.run(&["validate", "-c", "wrong.toml"]).with(78);
        assert!(ended.err.contains("wrong.toml:2:"), "{}", ended.err);
        assert!(!ended.err.contains("hunter"), "{}", ended.err);
    }
}

#[test]
fn properties_that_the_client_library_does_not_know_are_refused() {
    let folder = folder();
    for (property, named) in [
        ("\"sesion.timeout.ms\" = 6000", "sesion.timeout.ms"),
        ("\"session.timeout.ms\" = \"long\"", "session.timeout.ms"),
        ("\"sasl.jaas.config\" = { env = \"NOBODY_SETS_THIS\" }", "sasl.jaas.config"),
        ("partitioner = \"random\"", "set by the program itself"),
        ("statistics.interval.ms = 0", "set by the program itself"),
        ("group.protocol = \"consumer\"", "set by the program itself"),
    ] {
        let config = format!("[kafka]\nbrokers = \"b:9092\"\n[kafka.properties]\n{property}\n");
        folder.write("wrong.toml", config);
        for command in ["validate", "run"] {
            if command == "run" && property.contains("NOBODY") {
                continue;
            }
            let ended = folder.run(&[command, "-c", "wrong.toml"]).with(78);
            assert!(ended.err.contains(named), "{command} {property}: {}", ended.err);
        }
    }
}

#[test]
fn an_answer_that_the_service_would_refuse_is_refused() {
    let folder = folder();
    folder.write("any.toml", "[kafka]\nbrokers = \"b:9092\"\n");
    let arguments = ["answer", "-c", "any.toml", "--account", "a-1", "--verdict", "legitimate"];
    let answer = |more: &[&str]| folder.run(&[&arguments[..], &["--dry-run"], more].concat());
    let card = "4111111111111111";
    let ended = answer(&["--card", card]).with(2);
    assert!(ended.err.contains("card_id") && !ended.err.contains(card), "{}", ended.err);
    let ended = answer(&["--case", "e-1", "--at", "1767571200000"]).with(0);
    assert!(ended.text().contains("\"event_time\":1767571200000"), "{}", ended.text());
    let ended = answer(&["--case", "e-1", "--at", "9999999999999"]).with(2);
    assert!(ended.err.contains("event_time"), "{}", ended.err);
}

#[test]
fn the_schema_that_is_kept_is_the_schema_that_is_printed() {
    let printed = Folder::new().run(&["schema"]).with(0).out;
    let kept = std::fs::read(repository("config/holdfast.schema.json")).unwrap_or_default();
    assert!(
        printed == kept,
        "the configuration has changed: holdfast schema > config/holdfast.schema.json"
    );
    let schema: Value = serde_json::from_slice(&printed).unwrap();
    for key in ["timezone", "input", "counter", "rule", "table", "list", "score", "limits"] {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
}

// -------------------------------------------------------------------------------------- help

#[test]
fn every_command_explains_each_of_its_options() {
    let folder = Folder::new();
    let help = folder.run(&["--help"]).with(0);
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        assert!(help.text().contains(name), "--help does not name {name}");
        assert!(command.get_about().is_some(), "{name} says nothing of itself");
        let help = folder.run(&[name, "--help"]).with(0);
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let id = argument.get_id();
            let about = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty(), "{name}: {id} has no help");
            if let Some(long) = argument.get_long() {
                assert!(help.text().contains(&format!("--{long}")), "{name}: --{long}");
            }
            let first = about.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
            let words: Vec<&str> = help.text().split_whitespace().collect();
            assert!(words.join(" ").contains(&first), "{name}: {id}");
        }
    }
    assert!(folder.run(&["--version"]).with(0).text().contains(env!("CARGO_PKG_VERSION")));
    for code in ["0 ", "2 ", "65 ", "69 ", "78 "] {
        assert!(help.text().contains(code), "--help names no exit code {code}");
    }
}

#[test]
fn shells_complete_every_command() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = folder.run(&["completions", shell]).with(0);
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            assert!(script.text().contains(command.get_name()), "{shell}: {}", command.get_name());
        }
        assert!(script.text().contains("dead-letters"), "{shell}");
    }
    folder.run(&["completions", "no-such-shell"]).with(2);
}
