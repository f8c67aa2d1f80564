//! Who is named in events, and whether a text names any of them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::kafka::feed::Event;

/// Fields that name somebody, or something of somebody's.
const FIELDS: [&str; 6] =
    ["event_id", "account_id", "card_id", "ref_event_id", "case_id", "order_id"];

/// Each text in these events that names somebody; what is no event names nobody.
pub(crate) fn ids(events: impl IntoIterator<Item = Event>) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for event in events {
        let text = event.payload.unwrap_or_default();
        let Ok(event) = serde_json::from_slice::<Value>(&text) else { continue };
        ids.extend(FIELDS.iter().filter_map(|field| Some(event[*field].as_str()?.to_owned())));
    }
    ids.retain(|id| id.len() > 1);
    ids
}

/// Words of a text: what could be an id.
fn words(text: &str) -> BTreeSet<&str> {
    let inside = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    text.split(|c| !inside(c)).filter(|word| word.len() > 1).collect()
}

/// A text names none of these.
#[track_caller]
pub(crate) fn must_name_nobody(what: &str, text: &str, ids: &BTreeSet<String>) {
    assert!(ids.len() > 100, "{} ids are too few to look for", ids.len());
    let named: Vec<&str> = words(text).into_iter().filter(|word| ids.contains(*word)).collect();
    assert!(named.is_empty(), "{what} names {named:?}");
}
