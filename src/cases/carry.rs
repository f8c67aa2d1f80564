//! Cases and graces under another ruleset. What names rules and counters by their places is given
//! their new places; a case goes on living as the rule that opened it said then.

use super::{life::Life, member::Ground, state::CasesState};

/// Where the rules and counters of one ruleset stand in another, and how cases live under each.
#[derive(Debug, Clone)]
pub struct Moved {
    /// By the place of a rule before, its place now; `None` if it is gone. After all rules, the
    /// score.
    pub rules: Vec<Option<u32>>,
    /// By the place of a counter before, its place now; `None` if it is gone.
    pub counters: Vec<Option<u32>>,
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

    fn ground(&self, ground: Ground) -> Option<Ground> {
        match ground {
            Ground::Rule(rule) => self.rule(rule).map(Ground::Rule),
            Ground::Counter(counter, value) => {
                self.counter(counter).map(|counter| Ground::Counter(counter, value))
            }
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
            member.move_grounds(|ground| moved.ground(ground));
            if let Some(counted) = &mut member.counted {
                let reach = std::mem::take(&mut counted.reach).into_iter();
                let place = |(counter, key)| moved.counter(counter).map(|counter| (counter, key));
                counted.reach = reach.filter_map(place).collect();
                counted.standing =
                    counted.standing.iter().filter_map(|counter| moved.counter(*counter)).collect();
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
