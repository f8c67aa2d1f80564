//! What a state is made from: a snapshot that fits what the group noted, or the log from its
//! beginning.

use std::sync::Arc;

use super::{Broken, Engine, Note, Ruleset, Run, Settings, snapshot};
use crate::pipeline::note::Stretch;

/// A state, and what decided the log behind it.
pub(super) struct Base {
    pub(super) engine: Engine,
    /// The offset of its next record.
    pub(super) from: i64,
    /// The rulesets that took over since, and where.
    pub(super) then: Vec<(i64, Arc<Ruleset>)>,
    /// What decided the partition, up to what is committed.
    pub(super) note: Note,
    /// The offset of the snapshot that it is, and its bytes.
    pub(super) snapshot: Option<(i64, usize)>,
}

impl Run<'_> {
    /// The newest snapshot that can be used for an offset. Whoever takes the partition over removes
    /// those that are ahead of it.
    pub(super) fn newest(
        &mut self,
        committed: i64,
        note: Option<&Note>,
        removes: bool,
    ) -> Result<Option<Base>, Broken> {
        let mut offsets = self.shelf.offsets(self.number)?;
        offsets.sort_unstable_by(|a, b| b.cmp(a));
        for at in offsets {
            if at > committed {
                if removes {
                    // Of a run whose last decisions nobody has seen; another ruleset may decide them.
                    self.remove_ahead(at, committed)?;
                }
                continue;
            }
            if at < self.bounds.start && at < committed {
                self.remark(format!("the log behind the snapshot at offset {at} has been removed"));
                continue;
            }
            match self.found(at, note) {
                Ok(base) => return Ok(Some(base)),
                Err(why) => {
                    self.remark(format!("the snapshot at offset {at} cannot be used: {why}"))
                }
            }
        }
        Ok(None)
    }

    /// Removes a snapshot ahead of what is committed, unless somebody has gone on meanwhile.
    fn remove_ahead(&mut self, at: i64, committed: i64) -> Result<(), Broken> {
        let now = self.log.committed(self.number)?;
        if now.is_none_or(|now| now.offset != committed) {
            let why = "somebody else has gone on with the partition meanwhile";
            return Err(Broken::ForNow(why.to_owned()));
        }
        self.remark(format!("the snapshot at offset {at} is ahead of what is committed"));
        self.shelf.remove(self.number, at)
    }

    fn found(&mut self, at: i64, note: Option<&Note>) -> Result<Base, String> {
        let bytes = self.shelf.get(self.number, at).map_err(|broken| self.away(&broken))?;
        let found = snapshot::decode(&bytes).map_err(|error| error.to_string())?;
        let header = &found.header;
        if (header.partition, header.offset) != (self.number, at) {
            let snapshot::Header { partition, offset, .. } = header;
            return Err(format!("it is of partition {partition} at offset {offset}"));
        }
        // Where nobody noted anything, the snapshot knows best.
        let note = note.cloned().unwrap_or_else(|| header.note());
        let after = note.after(&header.ruleset, at).ok_or_else(|| {
            format!("it was made under another ruleset, {}, than what is noted", header.ruleset)
        })?;
        let then = self.rulesets(after)?;
        let ruleset = self.ruleset_of(header)?;
        let engine = found.engine(ruleset, &mut || self.beside.breathe());
        let engine = engine.map_err(|error| error.to_string())?;
        Ok(Base { engine, from: at, then, note, snapshot: Some((at, bytes.len())) })
    }

    /// The ruleset that made a snapshot.
    fn ruleset_of(&self, header: &snapshot::Header) -> Result<Arc<Ruleset>, String> {
        match *header.ruleset == *self.ruleset().identity {
            true => Ok(self.ruleset().clone()),
            false => read_ruleset(&header.ruleset, header.configuration.clone()),
        }
    }

    /// The shelf does not give what it should have: it may yet.
    fn away(&mut self, broken: &Broken) -> String {
        self.shelf_away = true;
        broken.to_string()
    }

    /// The rulesets of these stretches, as they were kept.
    fn rulesets<'s>(
        &mut self,
        stretches: impl Iterator<Item = &'s Stretch>,
    ) -> Result<Vec<(i64, Arc<Ruleset>)>, String> {
        let mut rulesets = Vec::new();
        for Stretch { since, ruleset } in stretches {
            let read = match **ruleset == *self.ruleset().identity {
                true => self.ruleset().clone(),
                false => {
                    let text = self.shelf.ruleset(ruleset).map_err(|broken| self.away(&broken))?;
                    let text = text.ok_or_else(|| {
                        format!(
                            "the ruleset {ruleset} decided from offset {since} on, and it was not \
                             kept beside the snapshots"
                        )
                    })?;
                    read_ruleset(ruleset, text)?
                }
            };
            rulesets.push((*since, read));
        }
        Ok(rulesets)
    }

    /// Nothing, and the whole log behind it.
    pub(super) fn whole_log(&mut self, note: &Note) -> Result<Base, String> {
        if self.bounds.start > note.origin {
            return Err(format!(
                "the log begins at offset {}, and this group has decided it from {} on",
                self.bounds.start, note.origin
            ));
        }
        if !note.is_whole() {
            return Err("the rulesets that decided it at first are not known any more".to_owned());
        }
        let mut rulesets = self.rulesets(note.stretches())?.into_iter();
        let Some((from, first)) = rulesets.next() else {
            return Err("nothing is known of what decided it".to_owned());
        };
        let (engine, then, note) = (Engine::new(first), rulesets.collect(), note.clone());
        Ok(Base { engine, from, then, note, snapshot: None })
    }

    /// There is no snapshot: the log itself from its beginning, if it still has one.
    pub(super) fn anew(&mut self, note: Option<&Note>) -> Result<Base, Broken> {
        // Where nobody noted a beginning, all that ever was counts.
        let begun = || Note::begun(0, &self.ruleset().identity);
        let note = note.cloned().unwrap_or_else(begun);
        let what = match self.whole_log(&note) {
            Ok(base) => return Ok(base),
            Err(what) => what,
        };
        let unusable = match &self.remarks[..] {
            [] => String::new(),
            remarks => format!(" ({})", remarks.join("; ")),
        };
        let what = format!("there is no snapshot that can be used{unusable}, and {what}");
        if self.shelf_away {
            return Err(Broken::ForNow(what));
        }
        if !self.setup.may_warm {
            return Err(self.refuse(format!(
                "{what}. Bring the snapshots back, or accept decisions from incomplete counters for \
                 a while, which say \"state\":\"warming\": [state] on_short_log = \"warm\""
            )));
        }
        self.remark(format!("{what}: its decisions say \"state\":\"warming\" for a while"));
        self.short = true;
        let mut engine = Engine::new(self.ruleset().clone());
        engine.warm_up();
        let from = note.origin.max(self.bounds.start);
        Ok(Base { engine, from, then: Vec::new(), note, snapshot: None })
    }
}

/// A ruleset out of a configuration that was kept.
fn read_ruleset(identity: &str, configuration: String) -> Result<Arc<Ruleset>, String> {
    let former = Settings::read("what was kept", configuration, &[])
        .map_err(|problems| format!("its ruleset cannot be read any more: {problems}"))?;
    match &*former.ruleset.identity {
        read if read == identity => Ok(former.ruleset),
        read => {
            Err(format!("its ruleset {identity} means something else to this program ({read})"))
        }
    }
}
