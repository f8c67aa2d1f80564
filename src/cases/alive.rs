//! The cases that stand in one way, in the order of their opening, for those who look at them. Who
//! has come to stand otherwise is let go of when it is cheap.

use std::collections::VecDeque;

use super::member::CaseNumber;

/// So many of them may be there in vain.
const IN_VAIN: usize = 64;

/// The cases that stand in one way.
#[derive(Debug, Default)]
pub struct Alive {
    /// All of them, and some that stand otherwise by now; each once, the lowest first.
    numbers: VecDeque<CaseNumber>,
    count: usize,
}

impl Alive {
    /// A case comes to stand so.
    pub fn enter(&mut self, number: CaseNumber) {
        self.count += 1;
        if self.numbers.back().is_none_or(|last| *last < number) {
            self.numbers.push_back(number);
        } else if let Err(at) = self.numbers.binary_search(&number) {
            self.numbers.insert(at, number);
        }
    }

    /// A case comes to stand otherwise. `stands` says which ones stand so now.
    pub fn leave(&mut self, stands: impl Fn(CaseNumber) -> bool) {
        self.count -= 1;
        while self.numbers.front().is_some_and(|first| !stands(*first)) {
            self.numbers.pop_front();
        }
        if self.numbers.len() > 2 * self.count + IN_VAIN {
            self.numbers.retain(|number| stands(*number));
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Those from this number on, the lowest first, and with them some that stand otherwise; the
    /// first of all stands so.
    pub fn from(&self, number: CaseNumber) -> impl Iterator<Item = CaseNumber> {
        let at = self.numbers.partition_point(|known| *known < number);
        self.numbers.range(at..).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Alive;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Against a set.
        #[test]
        fn has_what_a_set_has(steps in prop::collection::vec((any::<bool>(), 0u64..300), 1..900)) {
            let (mut alive, mut set) = (Alive::default(), BTreeSet::new());
            for (enters, number) in steps {
                if enters && set.insert(number) {
                    alive.enter(number);
                } else if !enters && set.remove(&number) {
                    alive.leave(|number| set.contains(&number));
                }
                prop_assert_eq!(alive.count(), set.len());
                prop_assert!(alive.numbers.len() <= 2 * set.len() + super::IN_VAIN + 1);
                let from: Vec<u64> = alive.from(number).filter(|n| set.contains(n)).collect();
                prop_assert_eq!(from, set.range(number..).copied().collect::<Vec<_>>());
                prop_assert_eq!(alive.from(0).next(), set.first().copied());
            }
        }
    }
}
