//! What may be shown: no card numbers to anybody, no control characters to a terminal or a page.
//!
//! Both go over every text of a story at once, so that none can be forgotten where it is shown.

use std::borrow::Cow;

use serde_json::Value;

use super::Incident;
use crate::wire::pan;

/// The story with what looks like a card number masked to its last four digits, wherever it is.
pub(super) fn masked(incident: &Incident) -> Incident {
    rewritten(incident, &|text| match pan::mask(text.as_bytes()) {
        Cow::Borrowed(_) => None,
        // What is put in place of digits is of one byte, as they are.
        Cow::Owned(masked) => String::from_utf8(masked).ok(),
    })
}

/// The story as a terminal or a page may show it: what would move the cursor, turn the direction of
/// the line or hide is written out as `\u{202e}`.
pub(super) fn visible(incident: &Incident) -> Incident {
    rewritten(incident, &|text| text.contains(is_hidden).then(|| shown(text)))
}

fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if is_hidden(char) { out.extend(char.escape_unicode()) } else { out.push(char) }
    }
    out
}

/// Control characters, and the format characters of Unicode that change how others are shown.
fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

fn rewritten(incident: &Incident, change: &dyn Fn(&str) -> Option<String>) -> Incident {
    let mut value = serde_json::to_value(incident).expect("a story is plain data");
    walk(&mut value, change);
    serde_json::from_value(value).expect("what was plain data still is")
}

fn walk(value: &mut Value, change: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(changed) = change(text) {
                *text = changed;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, change)),
        Value::Object(members) => {
            let names: Vec<String> = members.keys().cloned().collect();
            for name in names {
                if let Some(changed) = change(&name)
                    && let Some(member) = members.remove(&name)
                {
                    members.insert(changed, member);
                }
            }
            members.values_mut().for_each(|member| walk(member, change));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
