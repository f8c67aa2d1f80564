//! What is wrong with an expression: where it stands, a sentence that names the offending text,
//! and what to write instead.
//!
//! It is not a report: file, line, column and the caret are made where the configuration is read.

use std::ops::Range;

/// One problem of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Where it stands, in bytes of the expression's text.
    pub span: Range<usize>,
    /// What is wrong, with the offending text.
    pub message: String,
    /// What to write instead, where that is known.
    pub hint: Option<String>,
}

impl Issue {
    /// A problem without a hint.
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Issue { span, message: message.into(), hint: None }
    }

    /// The same problem with a hint.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Issue { hint: Some(hint.into()), ..self }
    }
}

/// The longest part of an expression that a message repeats, in characters.
const EXCERPT_CHARS_MAX: usize = 80;

/// A part of an expression as a message shows it: cut in the middle of nothing but its end.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS_MAX) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// The known name nearest to this one, if it is near enough to be what was meant: at most one
/// wrong letter in three, counted as edits and swaps without regard to case.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let edits_max = (name.chars().count() / 3).max(1);
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&name, &k.to_lowercase()), k))
        .filter(|(edits, _)| *edits <= edits_max)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, k)| k)
}

/// "did you mean …?", if a known name is near.
pub(super) fn did_you_mean<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(name, known).map(|k| format!("did you mean `{k}`?"))
}
