//! Authorizations that a case yet to come may link, or a reversal take back: those that are counted
//! by counters over which a rule reaches back, or that ask whether an event stands.

use crate::{
    decision::Action,
    event::{Event, EventType, Field, Path, Scalar},
};

use super::{
    Cases,
    life::Value,
    member::{AccountNumber, CaseNumber, Member, MemberNumber, Standing},
};

/// Why an authorization is remembered without a case.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counted {
    /// No window of these counters can reach it once the clock is past this, in epoch ms.
    pub until_ms: i64,
    /// Its place among the accepted events of its partition.
    pub place: u64,
    /// The counters over which a rule reaches back that count it, by their places in the ruleset,
    /// and its key there.
    pub reach: Vec<(u32, Vec<Option<Value>>)>,
    /// The counters that count it while it stands, by their places in the ruleset.
    pub standing: Vec<u32>,
    /// Its values at the fields that name keys.
    pub fields: Vec<(Path, Value)>,
}

impl Counted {
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
            self.remember(Member::of(event, account, self.clock_ms, action))
        });
        let Some(member) = self.members.get_mut(number) else { return };
        if member.standing != Standing::Refused && !counted.reach.is_empty() {
            self.accounts[member.account].rare_mut().log.insert(number);
        }
        self.kept.insert((counted.until_ms, number));
        self.due_ms = self.due_ms.min(counted.until_ms);
        member.counted = Some(Box::new(counted));
    }

    /// The authorizations of an account that counters may count, the newest first.
    pub fn newest(
        &self,
        account: Option<AccountNumber>,
    ) -> impl Iterator<Item = (MemberNumber, &Member, &Counted)> {
        let rare = account.and_then(|account| self.accounts[account].rare());
        let log = rare.into_iter().flat_map(|rare| rare.log.iter().rev());
        log.filter_map(|number| {
            let member = self.members.get(*number)?;
            Some((*number, member, member.counted.as_deref()?))
        })
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
