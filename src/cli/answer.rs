//! `holdfast answer`: feedback into the log, to the partition where the account's events are.

use std::{path::PathBuf, time::Duration};

use bumpalo::Bump;
use serde_json::{Map, Value, json};

use crate::{
    engine::ruleset::Input,
    event::{SOURCES, VERDICTS},
    io::{
        clock::epoch_ms,
        kafka::{Client, writer},
    },
    pipeline::{admit, ports::Arrived},
    wire::decode::Hints,
};

use super::{Exit, configuration};

/// Write an answer: feedback about events, a case, a card or an account.
///
/// It goes to the input topic, keyed by its account, so that it stands in the partition that holds
/// the account's events, behind what it speaks of. It prints the event that it wrote.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("about").required(true).multiple(true))]
pub struct Args {
    /// The configuration, for its topics
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The account that it is about
    #[arg(long, value_name = "ID")]
    account: String,
    /// What was answered
    #[arg(long, value_name = "VERDICT", value_parser = clap::builder::PossibleValuesParser::new(VERDICTS))]
    verdict: String,
    /// Who answered
    #[arg(long, value_name = "WHO", default_value = "analyst",
          value_parser = clap::builder::PossibleValuesParser::new(SOURCES))]
    source: String,
    /// This case alone
    #[arg(long, value_name = "ID", group = "about")]
    case: Option<String>,
    /// These events
    #[arg(long, value_name = "ID,...", value_delimiter = ',', group = "about")]
    events: Option<Vec<String>>,
    /// The events of this card
    #[arg(long, value_name = "ID", group = "about")]
    card: Option<String>,
    /// All events of the account
    #[arg(long, value_name = "SCOPE", group = "about", value_parser = ["account"])]
    scope: Option<String>,
    /// But not these events
    #[arg(long, value_name = "ID,...", value_delimiter = ',')]
    except: Vec<String>,
    /// Only events at or after this time, in epoch ms
    #[arg(long, value_name = "MS")]
    from: Option<i64>,
    /// Only events at or before this time, in epoch ms
    #[arg(long, value_name = "MS")]
    to: Option<i64>,
    /// With fraud: block the card or the account whatever a rule says
    #[arg(long, value_name = "WHAT", value_parser = ["card", "account"])]
    suspend: Option<String>,
    /// In words
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Its event_id: the same one again is a repeat and changes nothing; else a new one
    #[arg(long, value_name = "ID")]
    event_id: Option<String>,
    /// When it was answered, in epoch ms; else now
    #[arg(long, value_name = "MS")]
    at: Option<i64>,
    /// Print it and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Exit> {
    const PATIENCE: Duration = Duration::from_secs(15);
    let settings = configuration::load(&args.config)?;
    let event = args.event();
    let text = event.to_string();
    check(text.as_bytes(), &settings.ruleset.input)?;
    if !args.dry_run {
        let client = Client::new(&settings.service.kafka, "answer".to_owned())
            .map_err(|why| Exit::Configuration(format!("error: {why}")))?;
        let stood = writer::write(&client, &args.account, text.as_bytes(), PATIENCE)
            .map_err(|why| Exit::Unavailable(format!("the answer is not written: {why}")))?;
        let topic = &client.kafka.input;
        eprintln!("written to {topic}, partition {}, offset {}", stood.partition, stood.offset);
    }
    println!("{text}");
    Ok(())
}

/// It is admitted as the service will admit it, which has it in a moment.
fn check(text: &[u8], input: &Input) -> Result<(), Exit> {
    let arena = Bump::new();
    let timestamp_ms = Some(epoch_ms());
    let record = Arrived { partition: 0, offset: 0, timestamp_ms, payload: text };
    match admit::arrived(&record, input, &mut Hints::default(), &arena) {
        Ok(_) => Ok(()),
        Err(rejection) => {
            let field = rejection.field.map_or(String::new(), |field| format!("{field}: "));
            Err(Exit::Usage(format!("this is no answer: {field}{}", rejection.detail)))
        }
    }
}

impl Args {
    fn event(&self) -> Value {
        let mut event = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                event.insert(name.to_owned(), value);
            }
        };
        let id =
            self.event_id.clone().unwrap_or_else(|| format!("answer-{}", uuid::Uuid::now_v7()));
        put("event_id", Some(json!(id)));
        put("event_time", Some(json!(self.at.unwrap_or_else(epoch_ms))));
        put("type", Some(json!("feedback")));
        put("account_id", Some(json!(self.account)));
        put("verdict", Some(json!(self.verdict)));
        put("source", Some(json!(self.source)));
        put("note", self.note.as_ref().map(|note| json!(note)));
        put("case_id", self.case.as_ref().map(|case| json!(case)));
        put("event_ids", self.events.as_ref().map(|events| json!(events)));
        put("card_id", self.card.as_ref().map(|card| json!(card)));
        put("scope", self.scope.as_ref().map(|scope| json!(scope)));
        put("except_event_ids", (!self.except.is_empty()).then(|| json!(self.except)));
        put("from", self.from.map(|from| json!(from)));
        put("to", self.to.map(|to| json!(to)));
        put("suspend", self.suspend.as_ref().map(|suspend| json!(suspend)));
        Value::Object(event)
    }
}
