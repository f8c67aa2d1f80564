//! A partition as people look at it: what is known of an account, and how its counters stand. What
//! is put out does not depend on it.

use crate::{
    cases::{case::Status, life::Value, look::CaseLook, member::CaseNumber},
    event::{Event, EventType, Field, Path, Scalar},
    window::{
        spec::Reading,
        store::{GroupSize, Kind, ValueState},
    },
};

use super::Engine;

/// Fields, and what stands there; of an absent one, none.
pub type Fields = Vec<(Path, Option<Value>)>;

/// What is known of an account, or of one of its cards.
#[derive(Debug)]
pub struct AccountLook {
    /// The clock of the partition, at which the counters are read, in epoch ms.
    pub clock_ms: Option<i64>,
    /// The counters by key.
    pub keys: Vec<KeyReadings>,
    /// Are there more keys?
    pub truncated: bool,
    /// Its cases that are alive, the newest first.
    pub cases: Vec<CaseLook>,
}

/// The counters of one key.
#[derive(Debug)]
pub struct KeyReadings {
    /// Its fields.
    pub key: Fields,
    /// Counters by their places in the ruleset, and their values; `None` where one is absent.
    pub counters: Vec<(usize, Option<Reading>)>,
}

impl Engine {
    /// What is known of an account, or of a card of it; `None` if nothing is.
    ///
    /// Counters stand as a rule would read them at an authorization with that key and no other
    /// field, whose time is the partition's clock, and that is not counted itself. At most `most`
    /// keys and cases are named.
    pub fn look(&mut self, account: &str, card: Option<&str>, most: usize) -> Option<AccountLook> {
        let clock_ms = self.clock_ms;
        let of_account = (vec![Path::Field(Field::AccountId)], Field::AccountId, account);
        let of_card = card.map(|card| (vec![Path::Field(Field::CardId)], Field::CardId, card));
        let (mut keys, mut known, mut truncated) = (Vec::new(), false, false);
        for (owner, field, name) in [Some(of_account), of_card].into_iter().flatten() {
            for group in self.windows.groups_of(&owner) {
                let mut named = Event::new(EventType::Tick, clock_ms.unwrap_or(0));
                named.set_text(field, name);
                let found = self.windows.keys_of(group, &named, most + 1);
                known |= found.is_some();
                let mut all = self.keys_of(group, card, found.unwrap_or_default());
                truncated |= all.len() > most;
                all.truncate(most);
                for (list, rest) in all {
                    keys.push(self.readings_of((group, list), (field, name), rest));
                }
            }
        }
        let number = self.cases.account(account);
        known |= number.is_some();
        let mut cases = number.map_or(vec![], |number| self.cases.look_at_account(number, most));
        if let Some(card) = card {
            cases.retain(|case| concerns(case, card));
        }
        known.then_some(AccountLook { clock_ms, keys, truncated, cases })
    }

    /// The account of a card of which a counter keeps something, looked for at so many places for
    /// accounts from one on; and from where to go on, if there is more.
    pub fn account_of(
        &mut self,
        card: &str,
        from: usize,
        count: usize,
    ) -> (Option<String>, Option<usize>) {
        // All that is kept by account is in one group.
        let group = self.windows.groups_of(&[Path::Field(Field::AccountId)]).first().copied();
        let Some(group) = group else { return (None, None) };
        let field = Path::Field(Field::CardId);
        let (found, next) = self.windows.owner_with(group, (&field, card), from, count);
        (found.map(|name| String::from_utf8_lossy(&name).into_owned()), next)
    }

    /// The keys that are asked for, with those that always are: of the owner itself, and of a card.
    fn keys_of(
        &self,
        group: usize,
        card: Option<&str>,
        found: Vec<(usize, Vec<Option<ValueState>>)>,
    ) -> Vec<(usize, Fields)> {
        let mut all = Vec::new();
        let card = card.map(|card| Value::Text(card.into()));
        for list in self.windows.lists_of(group) {
            let rest = self.windows.rest_of(*list);
            let is_card = |path: &Path| *path == Path::Field(Field::CardId);
            match (&card, &rest[..]) {
                (None, []) => all.push((*list, Vec::new())),
                (Some(card), [path]) if is_card(path) => {
                    all.push((*list, vec![(path.clone(), Some(card.clone()))]));
                }
                // The owner is the card itself.
                (Some(_), []) if !self.windows.is_of_account(group) => {
                    all.push((*list, Vec::new()))
                }
                _ => {}
            }
        }
        let always = all.len();
        for (list, values) in found {
            let values = values.into_iter().map(|value| value.map(value_of));
            let key: Fields = self.windows.rest_of(list).into_iter().zip(values).collect();
            let of_card = |(path, value): &(Path, Option<Value>)| {
                *path == Path::Field(Field::CardId) && *value == card
            };
            let asked =
                card.is_none() || !self.windows.is_of_account(group) || key.iter().any(of_card);
            let look = (list, key);
            if asked && !all[..always].contains(&look) {
                all.push(look);
            }
        }
        all
    }

    fn readings_of(
        &mut self,
        (group, list): (usize, usize),
        (field, name): (Field, &str),
        rest: Fields,
    ) -> KeyReadings {
        let clock_ms = self.clock_ms.unwrap_or(0);
        let mut event = Event::new(EventType::Tick, clock_ms);
        event.clear_text(Field::Tender);
        event.clear_text(Field::Type);
        event.set_text(field, name);
        let attributes: Vec<(&str, Scalar<'_>)> = rest
            .iter()
            .filter_map(|(path, value)| match (path, value.as_ref()?) {
                (Path::Attribute(name), value) => Some((&**name, scalar(value))),
                (Path::Field(field), Value::Text(text)) => {
                    event.set_text(*field, text);
                    None
                }
                // The time of the event is the clock, whatever a key says.
                (Path::Field(Field::EventTime), _) => None,
                (Path::Field(field), Value::Int(integer)) => {
                    event.set_int(*field, *integer);
                    None
                }
                (Path::Field(_), Value::Bool(_)) => None,
            })
            .collect();
        event.attributes = &attributes;
        self.windows.read(group, &event, clock_ms, &mut self.readings);
        let of_list = (0..self.readings.len()).filter(|at| self.windows.list_of(*at) == list);
        let counters = of_list.map(|at| (at, self.readings[at])).collect();
        let owner = (Path::Field(field), Some(Value::Text(name.into())));
        KeyReadings { key: [owner].into_iter().chain(rest).collect(), counters }
    }

    /// How many cases stand so, and the clock when the oldest of them was opened, in epoch ms.
    pub fn cases_alive(&self, status: Status) -> (usize, Option<i64>) {
        self.cases.alive(status)
    }

    /// Cases that stand so, in the order of their opening, after the one of this number.
    pub fn look_at_cases(
        &self,
        status: Status,
        after: Option<CaseNumber>,
        most: usize,
    ) -> Vec<CaseLook> {
        self.cases.look_at_alive(status, after, most)
    }

    /// By group of counters, the fields that name its owners.
    pub fn owners(&self) -> Vec<Vec<Path>> {
        self.windows.owners()
    }

    /// The fields that name the owners of what a counter keeps.
    pub fn owner_of(&self, counter: usize) -> Vec<Path> {
        self.windows.owner_of(counter)
    }

    /// How much is kept, about: so many more owners of each group are looked at.
    pub fn sizes_about(&mut self, some: usize) -> Vec<GroupSize> {
        self.windows.sizes_about(some)
    }

    /// Events by which repeats are told, and the bytes that they take.
    pub fn seen_size(&self) -> (usize, usize) {
        (self.seen.len(), self.seen.heap_bytes())
    }
}

fn value_of((kind, bytes): ValueState) -> Value {
    match kind {
        Kind::Int => Value::Int(bytes.try_into().map_or(0, i64::from_le_bytes)),
        Kind::Bool => Value::Bool(bytes != [0]),
        Kind::Text | Kind::Tuple => Value::Text(String::from_utf8_lossy(&bytes).into()),
    }
}

fn scalar(value: &Value) -> Scalar<'_> {
    match value {
        Value::Text(text) => Scalar::Text(text),
        Value::Int(integer) => Scalar::Int(*integer),
        Value::Bool(flag) => Scalar::Bool(*flag),
    }
}

/// Is a case about this card, or does an authorization with it wait in it?
fn concerns(case: &CaseLook, card: &str) -> bool {
    case.target.as_ref().is_some_and(|target| target.names_card(card))
        || case.waiting.iter().any(|waiting| waiting.card_id.as_deref() == Some(card))
}
