//! What is remembered of authorizations beyond the windows that count them: so that a case can
//! reach back over a burst, and a counter hears that one of its events stands no longer.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use crate::{
    cases::{
        Cases,
        ledger::Counting,
        life::Value,
        log::Keys,
        member::{AccountNumber, Member, MemberNumber, Standing},
    },
    decision::Action,
    event::{Event, Field, Path},
    window::{calendar::Bounds, spec::Counter, store::Store},
};

use super::{
    Engine,
    ruleset::{Hold, Ruleset},
};

/// Which counters ask for more than numbers.
#[derive(Debug)]
pub(super) struct Remembered {
    /// Counters over which a rule reaches back.
    reach: Vec<usize>,
    /// The fields that name their keys.
    paths: Vec<Path>,
    /// Counters that ask whether an event stands.
    standing: Vec<usize>,
    /// The fields that name the keys of all of them.
    all_paths: Vec<Path>,
}

impl Remembered {
    /// `standing_paths` name the keys of counters that ask whether an event stands.
    pub(super) fn of(ruleset: &Ruleset, standing_paths: Vec<Path>) -> Remembered {
        let reach = ruleset.reached();
        let standing = |(at, counter): (usize, &Counter)| counter.standing.then_some(at);
        let standing = ruleset.counters.iter().enumerate().filter_map(standing).collect();
        let paths = reach.iter().flat_map(|at| within_account(&ruleset.counters[*at]));
        let paths: BTreeSet<Path> = paths.cloned().collect();
        let account = Path::Field(Field::AccountId);
        let all_paths = standing_paths.into_iter().filter(|path| *path != account);
        let all_paths: BTreeSet<Path> = all_paths.chain(paths.iter().cloned()).collect();
        Remembered {
            reach,
            paths: paths.into_iter().collect(),
            standing,
            all_paths: all_paths.into_iter().collect(),
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.reach.is_empty() && self.standing.is_empty()
    }
}

/// The fields of a counter's key but for the account.
fn within_account(counter: &Counter) -> impl Iterator<Item = &Path> {
    counter.key.iter().filter(|path| **path != Path::Field(Field::AccountId))
}

impl Ruleset {
    /// The counters over which a rule reaches back.
    fn reached(&self) -> Vec<usize> {
        let holds = self.rules.iter().filter(|rule| !rule.shadow).map(|rule| &rule.hold);
        let mut reached: Vec<usize> = holds.flat_map(|hold| hold.reach.iter().copied()).collect();
        reached.sort_unstable();
        reached.dedup();
        reached
    }

    /// The keys by which cases reach back.
    pub(super) fn keys(&self) -> Keys {
        let of = self.counters.iter().map(|counter| within_account(counter).cloned().collect());
        let reached = self.reached().into_iter();
        let reach_ms = reached.map(|at| self.counters[at].window.reach_ms()).max().unwrap_or(0);
        Keys::new(of.collect(), reach_ms.saturating_add(self.input.allowed_lateness_ms))
    }
}

/// Has an event the key of a counter?
fn has_key(counter: &Counter, event: &Event<'_>) -> bool {
    counter.group_missing || counter.key.iter().all(|path| Value::of(event, path).is_some())
}

/// A counter over which a rule reaches back, at an event.
struct Reached<'a> {
    counter: &'a Counter,
    /// Its place in the ruleset.
    at: usize,
    bounds: Bounds,
    /// Events before this time, in epoch ms, are not kept any more; of those at it, perhaps.
    dropped_ms: i64,
}

impl Reached<'_> {
    /// The first time that it counts, in epoch ms.
    fn begins_ms(&self) -> i64 {
        self.dropped_ms.max(self.bounds.after_ms.saturating_add(1))
    }

    /// Does it count an earlier authorization of its key, if that is still kept?
    fn counts(&self, member: &Member) -> bool {
        let stands = matches!(member.standing, Standing::Passed | Standing::Pending);
        member.standing != Standing::Refused
            && (stands || !self.counter.standing)
            && (self.begins_ms()..=self.bounds.until_ms).contains(&member.time_ms)
    }
}

impl Engine {
    /// Remembers an authorization that has been decided, if a counter asks for it.
    /// `known` is its number, if a case has it.
    pub(super) fn remember(
        &mut self,
        event: &Event<'_>,
        known: Option<MemberNumber>,
        action: Action,
    ) {
        let Engine { ruleset, windows, cases, remembered, accepted, .. } = self;
        let counting = |counters: &[usize]| -> SmallVec<[u32; 8]> {
            let counting = counters.iter().filter(|at| windows.counts(**at));
            counting.map(|at| *at as u32).collect()
        };
        let (reach, standing) = (counting(&remembered.reach), counting(&remembered.standing));
        let counters = reach.iter().chain(&standing).map(|at| &ruleset.counters[*at as usize]);
        let Some(reach_ms) = counters.map(|counter| counter.window.reach_ms()).max() else {
            return;
        };
        let refused = Standing::after(action) == Standing::Refused;
        if refused && !standing.is_empty() {
            windows.fall(event, *accepted);
        }
        let counting = Counting {
            place: *accepted,
            span_ms: reach_ms.saturating_add(ruleset.input.allowed_lateness_ms),
            reach: &reach,
            standing: &standing,
            paths: if standing.is_empty() { &remembered.paths } else { &remembered.all_paths },
        };
        cases.keep(event, known, action, &counting);
    }

    /// Tells the counters which authorizations stand no longer.
    #[inline]
    pub(super) fn settle_standing(&mut self) {
        while let Some(number) = self.cases.next_fallen() {
            self.fall(number);
        }
    }

    fn fall(&mut self, number: MemberNumber) {
        let Some((member, account)) = self.cases.member(number) else { return };
        let Some(counted) = &member.counted else { return };
        let mut attributes = Vec::new();
        self.windows.fall(&member.event(account, &mut attributes), counted.place.into());
    }

    /// The earlier authorizations of a burst, in the order of the log: those of the account, not
    /// refused, that are counted at an event by the counters over which a rule reaches back. And
    /// whether there are more than a decision links.
    pub(super) fn burst(
        ruleset: &Ruleset,
        windows: &mut Store,
        cases: &Cases,
        account: Option<AccountNumber>,
        event: &Event<'_>,
        hold: &Hold,
    ) -> (Vec<MemberNumber>, bool) {
        let mut reached = Vec::new();
        for at in &hold.reach {
            let counter = &ruleset.counters[*at];
            if !has_key(counter, event) {
                continue;
            }
            let bounds = windows.bounds(counter.window, event.time);
            let dropped_ms = windows.dropped_ms(event, *at).unwrap_or(i64::MIN);
            reached.push(Reached { counter, at: *at, bounds, dropped_ms });
        }
        let newest = |of: &Reached<'_>| {
            cases.newest(account, of.at as u32, event, of.begins_ms()).peekable()
        };
        let mut lists: Vec<_> = reached.iter().map(|of| (of, newest(of))).collect();
        let (limit, mut numbers) = (ruleset.cases.linked_events, Vec::new());
        while let Some(number) = lists.iter_mut().filter_map(|(_, list)| list.peek().copied()).max()
        {
            let mut is_counted = false;
            for (of, list) in &mut lists {
                let Some((member, counted)) =
                    list.next_if_eq(&number).and_then(|number| cases.counted(number))
                else {
                    continue;
                };
                is_counted |= of.counts(member)
                    && (member.time_ms > of.dropped_ms
                        || windows.keeps(event, of.at, member.time_ms, counted.place.into()));
            }
            if is_counted && numbers.len() == limit {
                numbers.reverse();
                return (numbers, true);
            }
            numbers.extend(is_counted.then_some(number));
        }
        numbers.reverse();
        (numbers, false)
    }

    /// A reversal takes back what it refers to.
    pub(super) fn withdraw(&mut self, event: &Event<'_>, clock_ms: i64) {
        let Engine { cases, windows, ruleset, .. } = self;
        cases.withdraw(event, |member, account| {
            let Some(counted) = &member.counted else { return false };
            let mut attributes = Vec::new();
            let remembered = member.event(account, &mut attributes);
            member.standing_in().any(|at| {
                let window = ruleset.counters[at as usize].window;
                windows.bounds(window, clock_ms).after_ms < member.time_ms
                    && windows.keeps(&remembered, at as usize, member.time_ms, counted.place.into())
            })
        });
    }
}
