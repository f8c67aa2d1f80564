//! What is remembered of authorizations beyond the windows that count them: so that a case can
//! reach back over a burst, and a counter hears that one of its events stands no longer.

use crate::{
    cases::{
        Cases,
        ledger::{Counted, Key},
        life::Value,
        member::{AccountNumber, Member, MemberNumber, Standing},
    },
    decision::Action,
    event::{Event, Path},
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
    /// Counters that ask whether an event stands.
    standing: Vec<usize>,
    /// The fields that name the keys of the latter.
    paths: Vec<Path>,
}

impl Remembered {
    pub(super) fn of(ruleset: &Ruleset, paths: Vec<Path>) -> Remembered {
        let holds = ruleset.rules.iter().filter(|rule| !rule.shadow).map(|rule| &rule.hold);
        let mut reach: Vec<usize> = holds.flat_map(|hold| hold.reach.iter().copied()).collect();
        reach.sort_unstable();
        reach.dedup();
        let standing = |(at, counter): (usize, &Counter)| counter.standing.then_some(at);
        let standing = ruleset.counters.iter().enumerate().filter_map(standing).collect();
        Remembered { reach, standing, paths }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.reach.is_empty() && self.standing.is_empty()
    }
}

/// The values of a counter's key at an event; none if a field is missing that has to be there.
fn key_of(counter: &Counter, event: &Event<'_>) -> Option<Vec<Option<Value>>> {
    let key: Vec<_> = counter.key.iter().map(|path| Value::of(event, path)).collect();
    (counter.group_missing || key.iter().all(Option::is_some)).then_some(key)
}

/// A counter over which a rule reaches back, at an event.
struct Reached<'a> {
    counter: &'a Counter,
    key: Key,
    bounds: Bounds,
    /// Events before this time, in epoch ms, are not kept any more; of those at it, perhaps.
    dropped_ms: i64,
}

impl Reached<'_> {
    /// Its place in the ruleset.
    fn at(&self) -> usize {
        self.key.0 as usize
    }

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
        let (mut reach, mut standing, mut reach_ms) = (Vec::new(), Vec::new(), 0);
        for at in &remembered.reach {
            let counter = &ruleset.counters[*at];
            if windows.counts(*at)
                && let Some(key) = key_of(counter, event)
            {
                reach_ms = reach_ms.max(counter.window.reach_ms());
                reach.push((*at as u32, key));
            }
        }
        for at in &remembered.standing {
            if windows.counts(*at) {
                reach_ms = reach_ms.max(ruleset.counters[*at].window.reach_ms());
                standing.push(*at as u32);
            }
        }
        if reach.is_empty() && standing.is_empty() {
            return;
        }
        let refused = Standing::after(action) == Standing::Refused;
        if refused && !standing.is_empty() {
            windows.fall(event, *accepted);
        }
        let value = |path: &Path| Some((path.clone(), Value::of(event, path)?));
        let fields = match standing.is_empty() {
            true => Vec::new(),
            false => remembered.paths.iter().filter_map(value).collect(),
        };
        let until_ms =
            event.time.saturating_add(reach_ms).saturating_add(ruleset.input.allowed_lateness_ms);
        let counted = Counted { until_ms, place: *accepted, reach, standing, fields };
        cases.keep(event, known, action, counted);
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
        self.windows.fall(&counted.event(member, account, &mut attributes), counted.place);
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
            let Some(key) = key_of(counter, event) else { continue };
            let bounds = windows.bounds(counter.window, event.time);
            let dropped_ms = windows.dropped_ms(event, *at).unwrap_or(i64::MIN);
            reached.push(Reached { counter, key: (*at as u32, key), bounds, dropped_ms });
        }
        let lists = reached.iter().map(|of| (of, cases.newest(account, &of.key, of.begins_ms())));
        let mut lists: Vec<_> = lists.map(|(of, list)| (of, list.peekable())).collect();
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
                        || windows.keeps(event, of.at(), member.time_ms, counted.place));
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
            let remembered = counted.event(member, account, &mut attributes);
            counted.standing.iter().any(|at| {
                let window = ruleset.counters[*at as usize].window;
                windows.bounds(window, clock_ms).after_ms < member.time_ms
                    && windows.keeps(&remembered, *at as usize, member.time_ms, counted.place)
            })
        });
    }
}
