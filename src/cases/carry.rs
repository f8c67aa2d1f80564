//! Cases and graces under another ruleset. What names rules and counters by their places is given
//! their new places; a case goes on living as the rule that opened it said then.

use super::{life::Life, member::Ground, packed::Note, state::CasesState};

/// Where the rules and counters of one ruleset stand in another, and how cases live under each.
#[derive(Debug, Clone)]
pub struct Moved {
    /// By the place of a rule before, its place now; `None` if it is gone. After all rules, the
    /// score.
    pub rules: Vec<Option<u32>>,
    /// By the place of a counter before, its place now; `None` if it is gone.
    pub counters: Vec<Option<u32>>,
    /// The same, with `None` if its key is another one.
    pub keys: Vec<Option<u32>>,
    /// How cases lived, rule by rule, and then the score.
    pub former_lives: Box<[Life]>,
    /// How they live.
    pub lives: Box<[Life]>,
}

impl Moved {
    pub(super) fn rule(&self, place: u32) -> Option<u32> {
        self.rules.get(place as usize).copied().flatten()
    }

    pub(super) fn counter(&self, place: u32) -> Option<u32> {
        self.counters.get(place as usize).copied().flatten()
    }

    fn key(&self, place: u32) -> Option<u32> {
        self.keys.get(place as usize).copied().flatten()
    }

    fn note<'n>(&self, note: Note<'n>) -> Option<Note<'n>> {
        match note {
            Note::Ground(Ground::Rule(rule)) => {
                self.rule(rule).map(|rule| Note::Ground(Ground::Rule(rule)))
            }
            Note::Ground(Ground::Counter(counter, value)) => {
                let ground = |counter| Note::Ground(Ground::Counter(counter, value));
                self.counter(counter).map(ground)
            }
            Note::Reach(counter) => self.key(counter).map(Note::Reach),
            Note::Standing(counter) => self.counter(counter).map(Note::Standing),
            Note::Value(..) => Some(note),
        }
    }
}

impl CasesState {
    /// The same cases and graces under another ruleset.
    pub fn moved(mut self, moved: &Moved) -> CasesState {
        let former: Vec<Life> =
            moved.former_lives.iter().cloned().chain(std::mem::take(&mut self.lives)).collect();
        for (_, case) in &mut self.cases {
            let Some(place) = case.life else { continue };
            let life = former[place as usize].clone();
            // Its own rule, if it still says so.
            let own = moved.rule(place).filter(|now| moved.lives[*now as usize] == life);
            case.life = Some(own.unwrap_or_else(|| {
                let known = self.lives.iter().position(|known| *known == life);
                let at = known.unwrap_or_else(|| {
                    self.lives.push(life);
                    self.lives.len() - 1
                });
                (moved.lives.len() + at) as u32
            }));
        }
        for (_, member) in &mut self.members {
            member.packed.change(|note| moved.note(note));
            if let Some(counted) = &mut member.counted {
                let is_standing = |note| matches!(note, Note::Standing(_));
                counted.asks_standing = member.packed.notes().any(is_standing);
            }
        }
        self.graces.iter_mut().for_each(|(_, grace)| grace.move_to(moved));
        self
    }

    /// Forgets where in the counters its members are: what becomes of them changes no counter that
    /// was filled without them.
    pub fn forget_places(&mut self) {
        self.members.iter_mut().for_each(|(_, member)| member.counted = None);
    }
}
