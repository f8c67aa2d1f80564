//! What may be shown: no card numbers to anybody, no control characters to a terminal or a page.
//!
//! Both go over every text of a story at once, so that none can be forgotten where it is shown.

use std::borrow::Cow;

use serde_json::Value;

use super::Incident;
use crate::wire::pan;

/// The story with what looks like a card number masked to its last four digits, wherever it is.
pub(super) fn masked(incident: &Incident) -> Incident {
    rewritten(incident, &|name, text| match pan::mask(text.as_bytes()) {
        Cow::Owned(masked) if !is_hash(name, text) => String::from_utf8(masked).ok(),
        _ => None,
    })
}

/// Is it a hash of this program's own? Its digits may look like a card number by chance, and cut
/// out of it they would be no evidence any more.
fn is_hash(name: &str, text: &str) -> bool {
    let digits = match name {
        "decision_id" => Some(text).filter(|text| text.len() == 32),
        "ruleset" => text.strip_prefix("sha256:").filter(|digits| digits.len() == 64),
        _ => None,
    };
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The story as a terminal or a page may show it: what would move the cursor, turn the direction of
/// the line or hide is written out as `\u{202e}`, and text that runs from right to left is isolated:
/// beside it, an amount would stand where the next one belongs.
pub(super) fn visible(incident: &Incident) -> Incident {
    rewritten(incident, &|_, text| {
        let isolated = text.contains(runs_leftward);
        (isolated || text.contains(is_hidden)).then(|| match isolated {
            true => format!("\u{2068}{}\u{2069}", shown(text)),
            false => shown(text),
        })
    })
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

/// Letters of the scripts that are written from right to left, by their blocks.
fn runs_leftward(char: char) -> bool {
    matches!(char, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// What takes the place of a text that is the member of this name, if it must change.
type Change<'c> = &'c dyn Fn(&str, &str) -> Option<String>;

fn rewritten(incident: &Incident, change: Change<'_>) -> Incident {
    let mut value = serde_json::to_value(incident).expect("a story is plain data");
    walk("", &mut value, change);
    serde_json::from_value(value).expect("what was plain data still is")
}

fn walk(name: &str, value: &mut Value, change: Change<'_>) {
    match value {
        Value::String(text) => {
            if let Some(changed) = change(name, text) {
                *text = changed;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| walk(name, item, change)),
        Value::Object(members) => {
            let before = std::mem::take(members);
            for (name, mut member) in before {
                walk(&name, &mut member, change);
                members.insert(change("", &name).unwrap_or(name), member);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
