//! The reference of all metrics, as `docs/metrics.md` has it.

use super::{
    catalogue,
    family::{Family, Values},
};

const OPENING: &str = "\
# Metrics

<!-- Made from src/metrics/catalogue.rs by `holdfast metrics`; a test holds it against a running service. -->

`holdfast run` shows these at `[metrics] listen` under `/metrics`, in the text form of Prometheus. Times are in seconds, sizes in bytes. Labels come from closed sets; none is ever the id of a card, an account or an event.

Counters and gauges of the scoring loop are counted in plain integers there and shown four times a second. A histogram of it is a sample where its line says so. Series with a partition are there while this instance has the partition, and those of a client of librdkafka once it has made its first statistics, a second after its start; all others from the start.
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
