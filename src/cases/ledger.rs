//! Authorizations that a case yet to come may link, or a reversal take back: those that are counted
//! by counters over which a rule reaches back, or that ask whether an event stands.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, Hash, Hasher as _},
};

use smallvec::SmallVec;

use crate::{
    decision::Action,
    event::{Event, EventType, Field, Path, Scalar},
    window::Hasher,
};

use super::{
    Cases,
    ascending::Ascending,
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
    fn reach(&self) -> impl Iterator<Item = u32> {
        self.packed.notes().filter_map(|note| match note {
            Note::Reach(counter) => Some(counter),
            _ => None,
        })
    }

    /// The counters that count it while it stands.
    pub fn standing_in(&self) -> impl Iterator<Item = u32> {
        self.packed.notes().filter_map(|note| match note {
            Note::Standing(counter) => Some(counter),
            _ => None,
        })
    }

    /// May a case link it, as it stands, because this counter counts it?
    fn is_linked_by(&self, counter: u32) -> bool {
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

/// The keys of counters, within an account.
#[derive(Debug)]
pub struct Keys {
    /// By the counter's place in the ruleset, the fields of its key but for the account.
    of: Box<[Box<[Path]>]>,
    /// How far back a case reaches, in the clock's ms, at most.
    span_ms: i64,
    hasher: Hasher,
}

impl Keys {
    /// With these fields, by the counter's place in the ruleset. No case reaches further back than
    /// `span_ms` of the clock.
    pub fn new(of: Box<[Box<[Path]>]>, span_ms: i64) -> Keys {
        Keys { of, span_ms, hasher: Hasher::default() }
    }

    /// The hash of a counter, and of its key where these values stand.
    fn hash<'v>(&self, counter: u32, value: impl Fn(&Path) -> Option<Scalar<'v>>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u32(counter);
        for path in &self.of[counter as usize] {
            match value(path) {
                Some(Scalar::Text(text)) => text.hash(&mut hasher),
                Some(Scalar::Int(integer)) => hasher.write_i64(integer),
                Some(Scalar::Bool(flag)) => hasher.write_u8(flag.into()),
                Some(Scalar::Double(_)) | None => hasher.write_u8(u8::MAX),
            }
        }
        hasher.finish()
    }

    fn hash_of(&self, counter: u32, member: &Member) -> u64 {
        self.hash(counter, |path| member.packed.value(path))
    }

    /// Has an authorization the key that a counter has at an event?
    fn is_of(&self, counter: u32, member: &Member, event: &Event<'_>) -> bool {
        let value = |path| event.value(path).filter(|value| !matches!(value, Scalar::Double(_)));
        self.of[counter as usize].iter().all(|path| member.packed.value(path) == value(path))
    }
}

/// Authorizations of one account that a case yet to come may link: by what counts them, so that a
/// case looks through those of its own keys alone. A key is known by its hash.
#[derive(Debug, Default)]
pub struct Log {
    /// Of nearly every account, all of them, the newest last.
    few: SmallVec<[(u64, MemberNumber); 1]>,
    /// Else all of them.
    more: Option<Box<BTreeMap<u64, Ascending>>>,
}

/// So many are looked through for those of one key.
const FEW: usize = 16;

impl Log {
    /// Takes one in, which is newer than all that are there. Those that are not `within_reach` may
    /// go.
    fn insert(
        &mut self,
        hash: u64,
        number: MemberNumber,
        within_reach: impl Fn(MemberNumber) -> bool,
    ) {
        if self.more.is_none() && self.few.len() == FEW {
            self.few.retain(|(_, number)| within_reach(*number));
            if self.few.len() > FEW / 2 {
                let more = self.more.get_or_insert_default();
                for (hash, number) in std::mem::take(&mut self.few) {
                    more.entry(hash).or_default().push(number);
                }
            }
        }
        match &mut self.more {
            Some(more) => more.entry(hash).or_default().push(number),
            None => self.few.push((hash, number)),
        }
    }

    /// One stands otherwise now.
    pub fn fall(&mut self, number: MemberNumber, member: &Member, keys: &Keys) {
        let fallen = member.reach().filter(|counter| !member.is_linked_by(*counter));
        fallen.for_each(|counter| self.take_out(keys.hash_of(counter, member), number));
    }

    /// Lets one go.
    pub fn remove(&mut self, number: MemberNumber, member: &Member, keys: &Keys) {
        if self.few.is_empty() && self.more.is_none() {
            return;
        }
        member.reach().for_each(|counter| self.take_out(keys.hash_of(counter, member), number));
    }

    fn take_out(&mut self, hash: u64, number: MemberNumber) {
        if let Some(at) = self.few.iter().position(|known| *known == (hash, number)) {
            self.few.remove(at);
        }
        let Some(more) = &mut self.more else { return };
        let Some(known) = more.get_mut(&hash) else { return };
        known.remove(number);
        if known.is_empty() {
            more.remove(&hash);
            if more.is_empty() {
                self.more = None;
            }
        }
    }

    /// Those under a hash, the newest first.
    fn newest(&self, hash: u64) -> impl Iterator<Item = MemberNumber> {
        let few = self.few.iter().rev().filter(move |(known, _)| *known == hash);
        let more = self.more.iter().filter_map(move |more| more.get(&hash));
        few.map(|(_, number)| *number).chain(more.flat_map(|known| known.iter().rev()))
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

    /// A case yet to come may link an authorization, which is newer than all that it may.
    pub(super) fn log(&mut self, number: MemberNumber) {
        let Cases { accounts, members, keys, clock_ms, .. } = self;
        let member = &members[number];
        let log = &mut accounts[member.account].log;
        let from_ms = clock_ms.saturating_sub(keys.span_ms);
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
        let hash = self.keys.hash(counter, |path| event.value(path));
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
