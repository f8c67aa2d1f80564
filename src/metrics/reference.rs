//! The reference of all metrics, as `docs/metrics.md` has it.

use super::{
    catalogue,
    family::{Family, Values},
};

const OPENING: &str = "\
# Metrics

<!-- Made from src/metrics/catalogue.rs by `holdfast metrics`; a test holds it against a running service. -->

`holdfast run` shows these at `[metrics] listen` under `/metrics`, in the text form of Prometheus. Times are in seconds, sizes in bytes. Labels come from closed sets; none is ever the id of a card, an account or an event.

Counters and gauges of the scoring loop are counted in plain integers there and shown once a second; `holdfast_ready` and `holdfast_obstacles` say what is so when they are asked for. A histogram of it is a sample where its line says so. Series with a partition are there while this instance has the partition, and those of a client of librdkafka once it has made its first statistics, a second after its start; all others from the start, but where their line says otherwise.
";

const CLOSING: &str = "
## What is kept, by counter

Keys, kept events and bytes are told by owner and not by counter, because nothing is kept for one counter alone. While an account has few events, one row an event serves every counter whose key holds the account; when it has many, one row an event and list of key fields (`account_id`, `card_id`) serves all counters over these fields. Which counters share what an owner keeps, with the fields of their keys:

```promql
holdfast_feature_info * on (job, instance, owner) group_left () holdfast_kept_bytes
```

Each counter shows all that its owner keeps: added up over counters, it is counted as often as there are counters. What one counter costs is the difference that it makes: replay a log with it and without it ([operating.md](operating.md#memory)).
";

/// All metrics, in the order of the catalogue, as Markdown.
pub fn markdown() -> String {
    let mut text = OPENING.to_owned();
    for (heading, family) in catalogue::ALL {
        if let Some(heading) = heading {
            text.push_str(&format!(
                "\n## {heading}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n"
            ));
        }
        text.push_str(&line(family));
    }
    text.push_str(CLOSING);
    text
}

fn line(family: &Family) -> String {
    let labels: Vec<String> = family
        .labels
        .iter()
        .map(|label| match label.values {
            Values::Named(words) => format!("`{}`: {words}", label.name),
            Values::Of(values) => {
                let value = |value: &str| match value {
                    "" => "none".to_owned(),
                    value => format!("`{value}`"),
                };
                let values: Vec<String> = values().into_iter().map(value).collect();
                format!("`{}`: {}", label.name, values.join(", "))
            }
        })
        .collect();
    let buckets = match family.buckets {
        [first, .., last] => format!(" Buckets from {first} to {last}."),
        _ => String::new(),
    };
    format!(
        "| `{}` | {} | {} | {}{buckets} |\n",
        family.name,
        family.kind.name(),
        labels.join("; "),
        family.help
    )
}
