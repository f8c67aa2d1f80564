//! Authorizations that a case yet to come may link, or a reversal take back: those that are counted
//! by counters over which a rule reaches back, or that ask whether an event stands.

use crate::event::{Event, EventType, Field, Path, Scalar};

use super::{
    Cases,
    life::Value,
    member::{CaseNumber, Member, Place, Standing},
};

/// Why an authorization is remembered without a case.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counted {
    /// No window of these counters can reach it once the clock is past this, in epoch ms.
    pub until_ms: i64,
    /// By name, the counters over which a rule reaches back that count it, and its key there.
    pub reach: Vec<(Box<str>, Vec<Option<Value>>)>,
    /// By name, the counters that count it while it stands.
    pub standing: Vec<Box<str>>,
    /// Its values at the fields that name keys.
    pub fields: Vec<(Path, Value)>,
}

impl Counted {
    /// The event again, as far as the keys of counters tell it.
    pub fn event<'a>(
        &'a self,
        member: &'a Member,
        attributes: &'a mut Vec<(&'a str, Scalar<'a>)>,
    ) -> Event<'a> {
        let mut event = Event::new(EventType::Authorization, member.time_ms);
        event.set_text(Field::EventId, &member.event_id);
        event.set_text(Field::AccountId, &member.account_id);
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
    /// Remembers an authorization that has been decided, because of what counts it.
    pub fn keep(&mut self, place: Place, member: impl FnOnce() -> Member, counted: Counted) {
        let member = self.members.entry(place).or_insert_with(member);
        let account = self.accounts.entry(member.account_id.clone()).or_default();
        let names = account.names.entry(member.event_id.clone()).or_default();
        if !names.contains(&place) {
            names.push(place);
        }
        if member.standing != Standing::Refused && !counted.reach.is_empty() {
            account.log.insert(place);
        }
        self.kept.insert((counted.until_ms, place));
        member.counted = Some(Box::new(counted));
    }

    /// The authorizations of an account that counters may count, the newest first.
    pub fn newest(&self, account: &str) -> impl Iterator<Item = (Place, &Member)> {
        let log = self.account(account).into_iter().flat_map(|account| account.log.iter().rev());
        log.filter_map(|place| Some((*place, self.members.get(place)?)))
    }

    /// An authorization.
    pub fn member(&self, place: Place) -> Option<&Member> {
        self.members.get(&place)
    }

    /// A case links earlier authorizations, in the order of the log.
    pub fn link(&mut self, number: CaseNumber, places: &[Place]) {
        let Some(case) = self.cases.get_mut(&number) else { return };
        for place in places {
            let Some(member) = self.members.get_mut(place) else { continue };
            case.links.insert(*place);
            case.add(number, *place, member);
        }
        self.touched.insert(number);
    }
}
