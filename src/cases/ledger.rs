//! Authorizations that a case yet to come may link, or a reversal take back: those that are counted
//! by counters over which a rule reaches back, or that ask whether an event stands.

use crate::{
    decision::Action,
    event::{Event, EventType, Field, Path, Scalar},
};

use super::{
    Cases,
    member::{AccountNumber, CaseNumber, Member, MemberNumber, Standing},
    packed::{At, Note},
};

/// Why an authorization is remembered without a case. Which counters count it is noted on it, and
/// its values at the fields that name their keys.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counted {
    /// No window of these counters can reach it once the clock is past this, in epoch ms.
    pub until_ms: i64,
    /// Its place among the accepted events of its partition, as far as counters tell places apart.
    pub place: u32,
    /// Does one of the counters ask whether it stands?
    pub asks_standing: bool,
}

/// What counts an authorization that has just been decided. Counters by their places in the ruleset.
#[derive(Debug)]
pub struct Counting<'a> {
    /// Its place among the accepted events of its partition.
    pub place: u64,
    /// How long a window of these counters may reach it, in the clock's ms.
    pub span_ms: i64,
    /// The counters over which a rule reaches back that count it.
    pub reach: &'a [u32],
    /// The counters that count it while it stands.
    pub standing: &'a [u32],
    /// The fields that name their keys.
    pub paths: &'a [Path],
}

impl<'a> Counting<'a> {
    fn notes(&self, event: &Event<'a>) -> impl Iterator<Item = Note<'a>> {
        let reach = self.reach.iter().map(|counter| Note::Reach(*counter));
        let standing = self.standing.iter().map(|counter| Note::Standing(*counter));
        reach.chain(standing).chain(self.paths.iter().filter_map(|path| Note::of(event, path)))
    }
}

impl Member {
    /// The counters over which a rule reaches back that count it.
    pub fn reach(&self) -> impl Iterator<Item = u32> {
        self.packed.counters().filter_map(|note| match note {
            Note::Reach(counter) => Some(counter),
            _ => None,
        })
    }

    /// The counters that count it while it stands.
    pub fn standing_in(&self) -> impl Iterator<Item = u32> {
        self.packed.counters().filter_map(|note| match note {
            Note::Standing(counter) => Some(counter),
            _ => None,
        })
    }

    /// May a case link it, as it stands, because this counter counts it?
    pub fn is_linked_by(&self, counter: u32) -> bool {
        match self.standing {
            Standing::Passed | Standing::Pending => true,
            Standing::Refused => false,
            Standing::Reversed | Standing::Withdrawn => !self.standing_in().any(|of| of == counter),
        }
    }

    /// The event again, as far as the keys of counters tell it.
    pub fn event<'a>(
        &'a self,
        account: &'a str,
        attributes: &'a mut Vec<(&'a str, Scalar<'a>)>,
    ) -> Event<'a> {
        let mut event = Event::new(EventType::Authorization, self.time_ms);
        event.set_text(Field::EventId, self.event_id());
        event.set_text(Field::AccountId, account);
        self.card_id().into_iter().for_each(|card| event.set_text(Field::CardId, card));
        self.order_id().into_iter().for_each(|order| event.set_text(Field::OrderId, order));
        for note in self.packed.notes() {
            match note {
                Note::Value(At::Field(field), Scalar::Text(text)) => event.set_text(field, text),
                Note::Value(At::Field(field), Scalar::Int(integer)) => {
                    event.set_int(field, integer)
                }
                Note::Value(At::Attribute(name), value) => attributes.push((name, value)),
                _ => {}
            }
        }
        event.attributes = attributes;
        event
    }
}

impl Cases {
    /// Remembers an authorization that has been decided, because of what counts it. `known` is its
    /// number, if a case has it.
    pub fn keep(
        &mut self,
        event: &Event<'_>,
        known: Option<MemberNumber>,
        action: Action,
        counting: &Counting<'_>,
    ) {
        let notes = counting.notes(event);
        let number = known.unwrap_or_else(|| {
            let account = self.accounts.find_or_add(event.account());
            let (clock_ms, scratch) = (self.clock_ms, &mut self.scratch);
            let member = Member::of(event, account, clock_ms, action, notes, scratch);
            self.remember(member)
        });
        let Some(member) = self.members.get_mut(number) else { return };
        if known.is_some() {
            member.packed.add(counting.notes(event), &mut self.scratch);
        }
        let until_ms = self.clock_ms.saturating_add(counting.span_ms);
        let asks_standing = !counting.standing.is_empty();
        member.counted = Some(Counted { until_ms, place: counting.place as u32, asks_standing });
        self.kept.insert((until_ms, number));
        self.due(until_ms);
        self.log(number);
    }

    /// Puts an authorization where a case yet to come finds it. It is the newest of its account.
    pub(super) fn log(&mut self, number: MemberNumber) {
        let Cases { accounts, members, keys, clock_ms, .. } = self;
        let member = &members[number];
        let log = &mut accounts[member.account].log;
        let from_ms = clock_ms.saturating_sub(keys.span_ms());
        let within_reach = |number| members.get(number).is_some_and(|of| of.clock_ms >= from_ms);
        for counter in member.reach().filter(|counter| member.is_linked_by(*counter)) {
            log.insert(keys.hash_of(counter, member), number, within_reach);
        }
    }

    /// The authorizations of an account that a counter counts under the key that it has at an event,
    /// the newest first, up to those that came when the clock was before `from_ms`, in epoch ms.
    pub fn newest(
        &self,
        account: Option<AccountNumber>,
        counter: u32,
        event: &Event<'_>,
        from_ms: i64,
    ) -> impl Iterator<Item = MemberNumber> {
        let hash = self.keys.hash_at(counter, event);
        let log = account.map(|account| &self.accounts[account].log);
        let numbers = log.into_iter().flat_map(move |log| log.newest(hash));
        numbers
            .take_while(move |number| self.members[*number].clock_ms >= from_ms)
            .filter(move |number| self.keys.is_of(counter, &self.members[*number], event))
    }

    /// An authorization, and where it was counted.
    pub fn counted(&self, number: MemberNumber) -> Option<(&Member, &Counted)> {
        let member = self.members.get(number)?;
        Some((member, member.counted.as_ref()?))
    }

    /// An authorization, and its account.
    pub fn member(&self, number: MemberNumber) -> Option<(&Member, &str)> {
        let member = self.members.get(number)?;
        Some((member, self.accounts[member.account].name()))
    }

    /// A case links earlier authorizations, in the order of the log.
    pub fn link(&mut self, number: CaseNumber, members: &[MemberNumber]) {
        self.touch(number);
        for new in members {
            let only = self.only_row(number);
            let Some(case) = self.cases.get_mut(number) else { return };
            let Some(member) = self.members.get_mut(*new) else { continue };
            case.add(number, *new, member, only);
        }
    }
}
