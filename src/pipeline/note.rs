//! What stands beside the committed offset of a partition: where its log began for this group, and
//! which rulesets have decided it from where on. So a start knows both, even if every snapshot is
//! gone, and never goes through a stretch of the log under a ruleset that did not decide it.

use serde::{Deserialize, Serialize};

const FORM: &str = "holdfast/1";
/// So many stretches are noted: the brokers take 4096 bytes.
const STRETCHES_MAX: usize = 8;

/// A ruleset, and from where on it decided, up to where the next one took over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// The first offset that it decided.
    pub since: i64,
    /// Its identity.
    pub ruleset: String,
}

/// The note beside a committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The offset from which on the partition has been decided.
    pub origin: i64,
    /// The last stretches before this one, oldest first: all of them, unless they were many.
    pub before: Vec<Stretch>,
    /// The stretch that goes on.
    pub now: Stretch,
}

impl Note {
    /// Of a partition that begins at an offset.
    pub fn begun(origin: i64, ruleset: &str) -> Note {
        let now = Stretch { since: origin, ruleset: ruleset.to_owned() };
        Note { origin, before: Vec::new(), now }
    }

    /// The same once another ruleset has taken over at an offset.
    pub fn taken_over(mut self, since: i64, ruleset: &str) -> Note {
        let now = Stretch { since, ruleset: ruleset.to_owned() };
        self.before.push(std::mem::replace(&mut self.now, now));
        let many = (self.before.len() + 1).saturating_sub(STRETCHES_MAX);
        self.before.drain(..many);
        self
    }

    /// The stretches, oldest first.
    pub fn stretches(&self) -> impl DoubleEndedIterator<Item = &Stretch> + Clone {
        self.before.iter().chain([&self.now])
    }

    /// The stretches that follow a state of this ruleset at this offset, if it can be a state of this
    /// partition.
    pub fn after(&self, ruleset: &str, offset: i64) -> Option<impl Iterator<Item = &Stretch>> {
        let ends = self.stretches().skip(1).map(|next| next.since).chain([i64::MAX]);
        let holds = |(of, end): (&Stretch, i64)| {
            of.ruleset == ruleset && of.since <= offset && offset <= end
        };
        let stretches: Vec<_> = self.stretches().zip(ends).collect();
        let at = stretches.into_iter().rposition(holds)?;
        Some(self.stretches().skip(at + 1))
    }

    /// Does it name every ruleset from the origin on?
    pub fn is_whole(&self) -> bool {
        self.stretches().next().is_some_and(|first| first.since == self.origin)
    }

    /// It as text.
    pub fn text(&self) -> String {
        let Note { origin, before, now } = self;
        let mut text =
            format!("{FORM} origin={origin} since={} ruleset={}", now.since, now.ruleset);
        for (at, stretch) in before.iter().enumerate() {
            let begin = if at == 0 { " before=" } else { "," };
            text += &format!("{begin}{}:{}", stretch.since, stretch.ruleset);
        }
        text
    }

    /// What a text says; `None` if somebody else wrote it.
    pub fn read(text: &str) -> Option<Note> {
        let rest = text.strip_prefix(FORM)?.strip_prefix(" origin=")?;
        let (origin, rest) = rest.split_once(" since=")?;
        let (since, rest) = rest.split_once(" ruleset=")?;
        let (ruleset, before) = rest.split_once(" before=").unwrap_or((rest, ""));
        let stretch = |(since, ruleset): (&str, &str)| {
            Some(Stretch { since: since.parse().ok()?, ruleset: ruleset.to_owned() })
        };
        let before = before.split(',').filter(|text| !text.is_empty());
        Some(Note {
            origin: origin.parse().ok()?,
            before: before.map(|text| stretch(text.split_once(':')?)).collect::<Option<_>>()?,
            now: stretch((since, ruleset))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Note, STRETCHES_MAX};

    #[test]
    fn what_was_noted_is_read() {
        let mut note = Note::begun(17, "sha256:ab");
        assert_eq!(Note::read(&note.text()), Some(note.clone()));
        note = note.taken_over(40, "sha256:cd").taken_over(50, "sha256:ab");
        assert_eq!(Note::read(&note.text()), Some(note));
        assert_eq!(Note::read(""), None);
        assert_eq!(Note::read("holdfast/1 origin=x since=1 ruleset=y"), None);
        assert_eq!(Note::read("holdfast/1 origin=1 since=1 ruleset=y before=z"), None);
    }

    #[test]
    fn what_followed_a_state_is_told_by_its_ruleset_and_place() {
        let note = Note::begun(10, "a").taken_over(20, "b").taken_over(30, "a");
        let after = |ruleset: &str, offset| {
            let after = note.after(ruleset, offset)?;
            Some(after.map(|stretch| (stretch.since, &*stretch.ruleset)).collect::<Vec<_>>())
        };
        assert_eq!(after("a", 10), Some(vec![(20, "b"), (30, "a")]));
        assert_eq!(after("a", 20), Some(vec![(20, "b"), (30, "a")]));
        assert_eq!(after("b", 20), Some(vec![(30, "a")]));
        assert_eq!(after("a", 31), Some(vec![]));
        assert_eq!((after("b", 19), after("a", 25), after("c", 35)), (None, None, None));
    }

    #[test]
    fn of_many_stretches_the_last_ones_are_known() {
        let mut note = Note::begun(0, "sha256:0");
        for at in 1..100 {
            note = note.taken_over(at, &format!("sha256:{at}"));
        }
        assert_eq!(note.stretches().count(), STRETCHES_MAX);
        assert!(!note.is_whole() && note.after("sha256:0", 1).is_none());
    }
}
