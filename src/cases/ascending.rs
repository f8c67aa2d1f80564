//! Numbers in ascending order, to which greater ones are added and from which any may go.
//!
//! There are very many such lists, and nearly all have one number or two: those lie inline. What
//! comes once there are several goes to a lane, so that whoever makes a list long makes nothing of
//! it slow.

use smallvec::SmallVec;

use super::ordered::Lane;

/// As many as are looked through for one of them.
const FEW: usize = 8;

/// Numbers, each once, in ascending order.
#[derive(Debug, Clone, Default)]
pub struct Ascending {
    few: SmallVec<[u64; 2]>,
    /// Each is greater than all of the few.
    more: Option<Box<Lane<u64>>>,
}

impl Ascending {
    /// Is there none?
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.few.is_empty() && self.more.is_none()
    }

    /// One more, which is greater than all that are there.
    pub fn push(&mut self, number: u64) {
        match &mut self.more {
            None if self.few.len() < FEW => self.few.push(number),
            more => more.get_or_insert_default().push(number),
        }
    }

    /// One goes, if it is there.
    pub fn remove(&mut self, number: u64) {
        if let Some(at) = self.few.iter().position(|known| *known == number) {
            self.few.remove(at);
        } else if let Some(more) = &mut self.more {
            more.take_out(number);
            if more.is_empty() {
                self.more = None;
            }
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.few.iter().copied().chain(self.more.iter().flat_map(|more| more.iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::Ascending;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Against a set.
        #[test]
        fn has_what_a_set_has(steps in prop::collection::vec((0u8..7, 0u64..60), 1..300)) {
            let (mut numbers, mut set) = (Ascending::default(), BTreeSet::new());
            for (next, (step, which)) in (0..).zip(steps) {
                if step < 4 {
                    numbers.push(next);
                    set.insert(next);
                } else {
                    numbers.remove(which);
                    set.remove(&which);
                }
                prop_assert_eq!(numbers.is_empty(), set.is_empty());
                prop_assert!(numbers.iter().eq(set.iter().copied()));
                prop_assert!(numbers.iter().rev().eq(set.iter().rev().copied()));
            }
        }
    }
}
