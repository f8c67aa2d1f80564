//! What of the counters' state stays when other counters take over: the windows of each group of lists
//! whose counters are all unchanged, in the same order. A group lies as its counters ask, so one that
//! has changed is filled anew as a whole.

use std::mem;

use super::{
    plan::{GroupPlan, Plan},
    spec::Counter,
    store::StoreState,
};

/// Which groups of lists stay.
#[derive(Debug)]
pub struct Carried {
    /// By group here.
    groups: Vec<Of>,
    /// By former list, its place here.
    lists: Vec<Option<u32>>,
}

#[derive(Debug)]
struct Of {
    /// The group that it was, if it stays.
    former: Option<usize>,
    /// How far back of an event's time its windows reach, in ms.
    reach_ms: i64,
    /// Does it keep the places of events in the log?
    has_places: bool,
}

impl Carried {
    /// `same` says by counter here which former one keeps the same, if one does.
    pub fn new(former: &[Counter], here: &[Counter], same: &[Option<usize>]) -> Carried {
        let (former, here) = (Plan::new(former), Plan::new(here));
        let before: Vec<Vec<usize>> =
            former.groups.iter().map(|group| counters_of(&former, group)).collect();
        let group = |group: &GroupPlan| {
            let now = counters_of(&here, group).into_iter().map(|counter| same[counter]);
            let now: Option<Vec<usize>> = now.collect();
            Of {
                former: now.and_then(|now| before.iter().position(|before| *before == now)),
                reach_ms: group.reach_ms,
                has_places: group.identity.is_some(),
            }
        };
        let groups: Vec<Of> = here.groups.iter().map(group).collect();
        let mut lists = vec![None; former.lists.len()];
        for (of, group) in groups.iter().zip(&here.groups) {
            let Some(before) = of.former else { continue };
            for (before, now) in former.groups[before].lists.iter().zip(&group.lists) {
                lists[*before] = Some(*now as u32);
            }
        }
        Carried { groups, lists }
    }

    /// Is anything filled anew?
    pub fn fills_anything(&self) -> bool {
        self.groups.iter().any(|of| of.former.is_none())
    }

    /// Is anything filled anew that keeps the places of events in the log?
    pub fn fills_places(&self) -> bool {
        self.groups.iter().any(|of| of.has_places && of.former.is_none())
    }

    /// All that keeps places is filled anew: they are counted from elsewhere now.
    pub fn fill_all_places(&mut self) {
        self.groups.iter_mut().filter(|of| of.has_places).for_each(|of| of.former = None);
    }

    /// How far back of an event's time reaches what is filled anew, in ms.
    pub fn filled_reach_ms(&self) -> i64 {
        let filled = self.groups.iter().filter(|of| of.former.is_none());
        filled.map(|of| of.reach_ms).max().unwrap_or(0)
    }

    /// Puts what stays in place of what was filled anew.
    pub fn put(&self, mut former: StoreState, filled: &mut StoreState) {
        for (of, filled) in self.groups.iter().zip(&mut filled.groups) {
            let Some(before) = of.former else { continue };
            *filled = mem::take(&mut former.groups[before]);
            let keys = filled.iter_mut().flat_map(|(_, owner)| owner.keys.iter_mut().flatten());
            for (key, _) in keys {
                let now = self.lists.get(key.list as usize).copied().flatten();
                key.list = now.unwrap_or(key.list);
            }
        }
    }
}

/// The counters of a group, in their order.
fn counters_of(plan: &Plan, group: &GroupPlan) -> Vec<usize> {
    let lists = plan.counters.iter().enumerate();
    lists.filter(|(_, (list, _))| group.lists.contains(list)).map(|(at, _)| at).collect()
}
