//! What stands beside the committed offset of a partition: where its log began for this group, and
//! under which ruleset it was decided up to there. So a start knows both, even if every snapshot is
//! gone.

const FORM: &str = "holdfast/1";

/// The note beside a committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The offset from which on the partition has been decided.
    pub origin: i64,
    /// The offset from which on this ruleset has decided it.
    pub since: i64,
    /// The identity of the ruleset.
    pub ruleset: String,
}

impl Note {
    /// It as text.
    pub fn text(&self) -> String {
        format!("{FORM} origin={} since={} ruleset={}", self.origin, self.since, self.ruleset)
    }

    /// What a text says; `None` if somebody else wrote it.
    pub fn read(text: &str) -> Option<Note> {
        let rest = text.strip_prefix(FORM)?.strip_prefix(" origin=")?;
        let (origin, rest) = rest.split_once(" since=")?;
        let (since, ruleset) = rest.split_once(" ruleset=")?;
        let (origin, since) = (origin.parse().ok()?, since.parse().ok()?);
        Some(Note { origin, since, ruleset: ruleset.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::Note;

    #[test]
    fn what_was_noted_is_read() {
        let note = Note { origin: 17, since: 40, ruleset: "sha256:ab".to_owned() };
        assert_eq!(Note::read(&note.text()), Some(note));
        assert_eq!(Note::read(""), None);
        assert_eq!(Note::read("holdfast/1 origin=x since=1 ruleset=y"), None);
    }
}
