//! Authorizations that a case yet to come may link, or a reversal take back: those that are counted
//! by counters over which a rule reaches back, or that ask whether an event stands.

use std::collections::BTreeMap;

use crate::{
    decision::Action,
    event::{Event, EventType, Field, Path, Scalar},
};

use super::{
    Cases,
    account::Account,
    ascending::Ascending,
    life::Value,
    member::{AccountNumber, CaseNumber, Member, MemberNumber, Standing},
};

/// A counter, by its place in the ruleset, and one key of it.
pub type Key = (u32, Vec<Option<Value>>);

/// Why an authorization is remembered without a case.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counted {
    /// No window of these counters can reach it once the clock is past this, in epoch ms.
    pub until_ms: i64,
    /// Its place among the accepted events of its partition.
    pub place: u64,
    /// The counters over which a rule reaches back that count it, by their places in the ruleset,
    /// and its key there.
    pub reach: Vec<Key>,
    /// The counters that count it while it stands, by their places in the ruleset.
    pub standing: Vec<u32>,
    /// Its values at the fields that name keys.
    pub fields: Vec<(Path, Value)>,
}

impl Counted {
    /// May a case link an authorization that stands so, because of this key?
    fn is_linked(&self, (counter, _): &Key, standing: Standing) -> bool {
        match standing {
            Standing::Passed | Standing::Pending => true,
            Standing::Refused => false,
            Standing::Reversed | Standing::Withdrawn => !self.standing.contains(counter),
        }
    }

    /// The event again, as far as the keys of counters tell it.
    pub fn event<'a>(
        &'a self,
        member: &'a Member,
        account: &'a str,
        attributes: &'a mut Vec<(&'a str, Scalar<'a>)>,
    ) -> Event<'a> {
        let mut event = Event::new(EventType::Authorization, member.time_ms);
        event.set_text(Field::EventId, member.event_id());
        event.set_text(Field::AccountId, account);
        for (path, value) in &self.fields {
            match (path, value) {
                (Path::Field(field), Value::Text(text)) => event.set_text(*field, text),
                (Path::Field(field), Value::Int(integer)) => event.set_int(*field, *integer),
                (Path::Field(_), Value::Bool(_)) => {}
                (Path::Attribute(name), value) => attributes.push((
                    name,
                    match value {
                        Value::Text(text) => Scalar::Text(text),
                        Value::Int(integer) => Scalar::Int(*integer),
                        Value::Bool(flag) => Scalar::Bool(*flag),
                    },
                )),
            }
        }
        event.attributes = attributes;
        event
    }
}

/// Authorizations of one account that a case yet to come may link: by what counts them, so that a
/// case looks through those of its own keys alone.
#[derive(Debug, Default)]
pub struct Log {
    /// Of nearly every account, all of them.
    few: Vec<(Key, Ascending)>,
    more: BTreeMap<Key, Ascending>,
}

/// As many keys as are looked through for one of them.
const FEW: usize = 4;

impl Log {
    /// Takes one in, which is newer than all that are there.
    fn insert(&mut self, number: MemberNumber, counted: &Counted, standing: Standing) {
        for key in counted.reach.iter().filter(|key| counted.is_linked(key, standing)) {
            if let Some(known) = self.under_mut(key) {
                known.push(number);
            } else if self.few.len() < FEW {
                self.few.reserve_exact(1);
                self.few.push((key.clone(), Ascending::of(number)));
            } else {
                self.more.insert(key.clone(), Ascending::of(number));
            }
        }
    }

    /// One stands otherwise now.
    pub fn fall(&mut self, number: MemberNumber, counted: &Counted, standing: Standing) {
        for key in counted.reach.iter().filter(|key| !counted.is_linked(key, standing)) {
            self.remove_from(key, number);
        }
    }

    /// Lets one go.
    pub fn remove(&mut self, number: MemberNumber, counted: &Counted) {
        counted.reach.iter().for_each(|key| self.remove_from(key, number));
    }

    fn remove_from(&mut self, key: &Key, number: MemberNumber) {
        let Some(known) = self.under_mut(key) else { return };
        known.remove(number);
        if known.is_empty() {
            match self.few.iter().position(|(known, _)| known == key) {
                Some(at) => drop(self.few.swap_remove(at)),
                None => drop(self.more.remove(key)),
            }
        }
    }

    fn under_mut(&mut self, key: &Key) -> Option<&mut Ascending> {
        let few = self.few.iter_mut().find(|(known, _)| known == key);
        few.map(|(_, numbers)| numbers).or_else(|| self.more.get_mut(key))
    }

    /// Those that a counter counts under a key, the newest first.
    fn newest(&self, key: &Key) -> impl Iterator<Item = MemberNumber> {
        let few = self.few.iter().find(|(known, _)| known == key);
        let known = few.map(|(_, numbers)| numbers).or_else(|| self.more.get(key));
        known.into_iter().flat_map(|known| known.iter().rev())
    }
}

impl Account {
    /// A case yet to come may link an authorization that stands so.
    pub fn log(&mut self, number: MemberNumber, counted: &Counted, standing: Standing) {
        if counted.reach.iter().any(|key| counted.is_linked(key, standing)) {
            self.rare_mut().log.insert(number, counted, standing);
        }
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
        counted: Counted,
    ) {
        let number = known.unwrap_or_else(|| {
            let account = self.accounts.find_or_add(event.account());
            self.remember(Member::of(event, account, self.clock_ms, action, &[]))
        });
        let Some(member) = self.members.get_mut(number) else { return };
        self.accounts[member.account].log(number, &counted, member.standing);
        self.kept.insert((counted.until_ms, number));
        self.due_ms = self.due_ms.min(counted.until_ms);
        member.counted = Some(Box::new(counted));
    }

    /// The authorizations of an account that a counter counts under a key, the newest first, up to
    /// those that came when the clock was before `from_ms`, in epoch ms.
    pub fn newest(
        &self,
        account: Option<AccountNumber>,
        key: &Key,
        from_ms: i64,
    ) -> impl Iterator<Item = MemberNumber> {
        let rare = account.and_then(|account| self.accounts[account].rare());
        let log = rare.into_iter().flat_map(|rare| rare.log.newest(key));
        log.take_while(move |number| self.members[*number].clock_ms >= from_ms)
    }

    /// An authorization, and what counts it.
    pub fn counted(&self, number: MemberNumber) -> Option<(&Member, &Counted)> {
        let member = self.members.get(number)?;
        Some((member, member.counted.as_deref()?))
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
