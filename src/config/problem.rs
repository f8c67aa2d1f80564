//! What is wrong with a configuration: where, what, and how to mend it. All problems are told at
//! once, each with the text underlined.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{
    document::{Place, Source},
    secrets::blanked,
};

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without a hint.
    pub fn new(place: Place, message: impl Into<String>) -> Problem {
        Problem { place, message: message.into(), hint: None }
    }

    /// With a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// With a hint, if there is one.
    pub fn maybe_hint(mut self, hint: Option<String>) -> Problem {
        self.hint = hint;
        self
    }
}

/// The problems of a configuration, in the order of their places.
#[derive(Debug)]
pub struct Problems {
    /// The texts that they are about.
    pub sources: Vec<Source>,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl Problems {
    /// These problems of these texts.
    pub fn new(sources: Vec<Source>, mut problems: Vec<Problem>) -> Problems {
        problems.sort_by_key(|p| (p.place.source, p.place.span.start, p.place.span.end));
        problems.dedup();
        Problems { sources, problems }
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for problem in &self.problems {
            let source = &self.sources[problem.place.source];
            // Whatever is shown of a text, it is no secret.
            let text = blanked(&source.name, &source.text);
            let span = on_characters(&text, &problem.place.span);
            let annotation = AnnotationKind::Primary.span(span);
            let snippet = Snippet::source(&text).path(&source.name).annotation(annotation);
            let group = Level::ERROR.primary_title(&problem.message).element(snippet);
            let group = match &problem.hint {
                Some(hint) => group.element(Level::HELP.message(hint)),
                None => group,
            };
            writeln!(f, "{}\n", Renderer::plain().render(&[group]))?;
        }
        let count = self.problems.len();
        let s = if count == 1 { "" } else { "s" };
        write!(f, "{}: {count} problem{s}", self.sources[0].name)
    }
}

impl std::error::Error for Problems {}

/// A span that lies within the text and begins and ends between characters.
fn on_characters(text: &str, span: &std::ops::Range<usize>) -> std::ops::Range<usize> {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let from = boundary(span.start);
    from..boundary(span.end).max(from)
}

/// "did you mean `x`?", if one of the known names is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = name.to_lowercase();
    let near = |candidate: &&str| strsim::jaro_winkler(&lower, &candidate.to_lowercase());
    let best = known.into_iter().max_by(|a, b| near(a).total_cmp(&near(b)))?;
    (near(&best) > 0.75).then(|| format!("did you mean `{best}`?"))
}
