//! Members by account and `event_id`.

use std::hash::{BuildHasher, Hasher as _};

use crate::{
    places::{PLACE_BITS, Places},
    window::Hasher,
};

use super::{
    member::{AccountNumber, Member, MemberNumber},
    numbered::Numbered,
};

/// So many come into the table at once: what they touch there is fetched side by side.
const AT_ONCE: usize = 32;

/// Where members are, by account and `event_id`. The names themselves are theirs.
#[derive(Debug, Default)]
pub struct Names {
    places: Places,
    /// Those that will come into the table, with their hashes.
    coming: Vec<(u64, MemberNumber)>,
    hasher: Hasher,
}

impl Names {
    /// The members of this name, in no order.
    pub fn of<'a>(
        &'a self,
        members: &'a Numbered<Member>,
        account: AccountNumber,
        event_id: &'a str,
    ) -> impl Iterator<Item = MemberNumber> + 'a {
        let hash = hash(&self.hasher, account, event_id);
        let coming = self.coming.iter().filter(move |(known, _)| *known == hash);
        let coming = coming.map(|(_, number)| *number);
        let known = self.places.all(hash).into_iter().map(|place| number(members, place));
        let is_it = move |number: &MemberNumber| {
            let member = members.get(*number);
            member.is_some_and(|of| of.account == account && of.event_id() == event_id)
        };
        known.chain(coming).filter(is_it)
    }

    /// One more member.
    pub fn insert(&mut self, members: &Numbered<Member>, number: MemberNumber) {
        let hash = hash_of(&self.hasher, &members[number]);
        self.coming.push((hash, number));
        if self.coming.len() < AT_ONCE {
            return;
        }
        self.coming.iter().for_each(|(hash, _)| self.places.fetch(*hash));
        let Names { places, coming, hasher } = self;
        let hash_at = |place| {
            let member = members.get(self::number(members, place));
            member.map_or(0, |member| hash_of(hasher, member))
        };
        for (hash, number) in coming.drain(..) {
            places.insert(hash, place(number), &hash_at);
        }
    }

    /// A member goes, which had this number.
    pub fn remove(&mut self, member: &Member, number: MemberNumber) {
        match self.coming.iter().position(|(_, coming)| *coming == number) {
            Some(at) => drop(self.coming.swap_remove(at)),
            None => self.places.remove(hash_of(&self.hasher, member), place(number)),
        }
    }
}

/// What of a number fits into the table.
fn place(number: MemberNumber) -> u64 {
    number & ((1 << PLACE_BITS) - 1)
}

/// The newest number of which this is kept.
fn number(members: &Numbered<Member>, kept: u64) -> MemberNumber {
    let next = members.next();
    next.wrapping_sub(place(next.wrapping_sub(kept)))
}

fn hash(hasher: &Hasher, account: AccountNumber, event_id: &str) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write_u32(account);
    hasher.write(event_id.as_bytes());
    hasher.finish()
}

fn hash_of(hasher: &Hasher, member: &Member) -> u64 {
    hash(hasher, member.account, member.event_id())
}

#[cfg(test)]
mod tests {
    use super::{Names, PLACE_BITS, number, place};
    use crate::{
        cases::{member::Member, numbered::Numbered},
        decision::Action,
        event::{Event, EventType, Field},
    };
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn member(account: u32, id: &str) -> Member {
        let mut event = Event::new(EventType::Authorization, 0);
        event.set_text(Field::EventId, id);
        Member::of(&event, account, 0, Action::Hold, [].into_iter(), &mut String::new())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against a map of all members, many of which have one name.
        #[test]
        fn has_what_a_map_has(
            steps in prop::collection::vec((0u8..8, 0u64..5, 0u32..2, any::<usize>()), 1..1500),
        ) {
            let (mut names, mut members, mut map) =
                (Names::default(), Numbered::default(), BTreeMap::new());
            for (step, id, account, which) in steps {
                let id = format!("e-{}", if id < 4 { id } else { id + which as u64 % 5000 });
                let of: Vec<u64> = names.of(&members, account, &id).collect();
                let mut sorted = of.clone();
                sorted.sort_unstable();
                let due = map.iter().filter(|(_, known)| **known == (account, id.clone()));
                prop_assert_eq!(sorted, due.map(|(number, _)| *number).collect::<Vec<_>>());
                match (step, of.get(which % of.len().max(1))) {
                    (0..2, Some(number)) => {
                        let gone = members.remove(*number).expect("it is here");
                        names.remove(&gone, *number);
                        map.remove(number);
                    }
                    (2, _) if which % 20 == 0 => {
                        names = Names::default();
                        map.keys().for_each(|number| names.insert(&members, *number));
                    }
                    _ => {
                        let number = members.push(member(account, &id));
                        names.insert(&members, number);
                        map.insert(number, (account, id));
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_are_told_from_what_is_kept_of_them() {
        for next in [5, (1 << PLACE_BITS) + 3, 7 << PLACE_BITS] {
            let mut members = Numbered::default();
            members.skip_to(next);
            for known in next - 5..next {
                assert_eq!(number(&members, place(known)), known);
            }
        }
    }
}
