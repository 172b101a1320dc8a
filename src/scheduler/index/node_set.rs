//! Sets of nodes by their position in tie order, one bit each.

/// A set of positions below a fixed number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct NodeSet {
    words: Vec<u64>,
}

const BITS: usize = u64::BITS as usize;

impl NodeSet {
    /// No position; there are `positions`.
    pub(super) fn none(positions: usize) -> NodeSet {
        NodeSet {
            words: vec![0; positions.div_ceil(BITS)],
        }
    }

    /// Every position below `positions`.
    #[cfg(test)]
    pub(super) fn all(positions: usize) -> NodeSet {
        let mut set = NodeSet::default();
        set.become_all(positions);
        set
    }

    /// Becomes the set of all `positions`, whatever it was.
    pub(super) fn become_all(&mut self, positions: usize) {
        self.words.clear();
        self.words.resize(positions.div_ceil(BITS), u64::MAX);
        if let Some(last) = self.words.last_mut()
            && !positions.is_multiple_of(BITS)
        {
            *last = (1 << (positions % BITS)) - 1;
        }
    }

    /// Becomes empty, whatever it was; there are `positions` from now on.
    pub(super) fn become_none(&mut self, positions: usize) {
        self.words.clear();
        self.words.resize(positions.div_ceil(BITS), 0);
    }

    /// Becomes equal to another set. Unlike a clone, it keeps its memory.
    pub(super) fn become_copy(&mut self, other: &NodeSet) {
        self.words.clone_from(&other.words);
    }

    pub(super) fn insert(&mut self, position: usize) {
        self.words[position / BITS] |= 1 << (position % BITS);
    }

    pub(super) fn remove(&mut self, position: usize) {
        self.words[position / BITS] &= !(1 << (position % BITS));
    }

    pub(super) fn set(&mut self, position: usize, member: bool) {
        if member {
            self.insert(position);
        } else {
            self.remove(position);
        }
    }

    pub(super) fn contains(&self, position: usize) -> bool {
        self.words[position / BITS] >> (position % BITS) & 1 == 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(super) fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The positions, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(place, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros() as usize;
                // Clears the lowest bit; there is none left once the word is zero.
                rest &= rest.checked_sub(1)?;
                Some(place * BITS + bit)
            })
        })
    }

    /// The position with this number, from 0, among those in the set; `None` if there are fewer.
    pub(super) fn nth(&self, mut number: usize) -> Option<usize> {
        for (place, word) in self.words.iter().enumerate() {
            let ones = word.count_ones() as usize;
            if number < ones {
                let mut rest = *word;
                for _ in 0..number {
                    rest &= rest - 1;
                }
                return Some(place * BITS + rest.trailing_zeros() as usize);
            }
            number -= ones;
        }
        None
    }

    /// Keeps what is in `other`, too.
    pub(super) fn intersect(&mut self, other: &NodeSet) {
        for (own, other) in self.words.iter_mut().zip(&other.words) {
            *own &= other;
        }
    }

    /// Takes out what is in `other`.
    pub(super) fn subtract(&mut self, other: &NodeSet) {
        for (own, other) in self.words.iter_mut().zip(&other.words) {
            *own &= !other;
        }
    }

    /// Adds what is in `other`.
    pub(super) fn unite(&mut self, other: &NodeSet) {
        for (own, other) in self.words.iter_mut().zip(&other.words) {
            *own |= other;
        }
    }

    /// Keeps the positions that `admit` admits.
    pub(super) fn retain(&mut self, mut admit: impl FnMut(usize) -> bool) {
        for (place, word) in self.words.iter_mut().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                if !admit(place * BITS + bit) {
                    *word &= !(1 << bit);
                }
            }
        }
    }
}

/// A set of positions as a look-up table keeps thousands of them: a short list while it has few members, so that a
/// value that every node has for itself costs no more than the nodes.
#[derive(Clone, Debug)]
pub(super) enum Members {
    /// Sorted.
    Few(Vec<u32>),
    Many(NodeSet),
}

impl Members {
    pub(super) fn none() -> Members {
        Members::Few(Vec::new())
    }

    /// Adds a position; there are `positions` in all.
    pub(super) fn insert(&mut self, position: usize, positions: usize) {
        match self {
            Members::Many(set) => set.insert(position),
            Members::Few(list) => {
                let position = position as u32;
                if let Err(place) = list.binary_search(&position) {
                    list.insert(place, position);
                }
                // A list of so many takes as much room as bits for all.
                if list.len() > positions / 32 + 8 {
                    let mut set = NodeSet::none(positions);
                    list.iter().for_each(|position| set.insert(*position as usize));
                    *self = Members::Many(set);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, position: usize) {
        match self {
            Members::Many(set) => set.remove(position),
            Members::Few(list) => {
                if let Ok(place) = list.binary_search(&(position as u32)) {
                    list.remove(place);
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Members::Many(set) => set.is_empty(),
            Members::Few(list) => list.is_empty(),
        }
    }

    /// Adds the members to a set.
    pub(super) fn add_to(&self, set: &mut NodeSet) {
        match self {
            Members::Many(own) => set.unite(own),
            Members::Few(list) => list.iter().for_each(|position| set.insert(*position as usize)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_sets() {
        for positions in [0, 1, 63, 64, 65, 200] {
            let all = NodeSet::all(positions);
            assert_eq!(all.len(), positions);
            assert_eq!(all.iter().collect::<Vec<_>>(), (0..positions).collect::<Vec<_>>());
            assert_eq!(all.nth(positions), None);
            let mut odd = all.clone();
            odd.retain(|position| position % 2 == 1);
            let numbered: Vec<_> = (0..odd.len()).map(|number| odd.nth(number)).collect();
            let expected: Vec<_> = (0..positions).filter(|p| p % 2 == 1).map(Some).collect();
            assert_eq!(numbered, expected);
            let mut even = all.clone();
            even.subtract(&odd);
            assert!(even.iter().all(|position| position % 2 == 0 && !odd.contains(position)));
            let mut both = even.clone();
            both.unite(&odd);
            assert_eq!(both, all);
            both.intersect(&odd);
            assert_eq!(both, odd);
            even.intersect(&odd);
            assert!(even.is_empty());
        }
    }

    #[test]
    fn few_and_many_members_are_the_same_set() {
        let positions = 300;
        let (mut members, mut set) = (Members::none(), NodeSet::none(positions));
        for step in 0..200 {
            let position = step * 7 % positions;
            if step % 5 == 4 {
                members.remove(position / 2);
                set.remove(position / 2);
            } else {
                members.insert(position, positions);
                set.insert(position);
            }
            let mut own = NodeSet::none(positions);
            members.add_to(&mut own);
            assert_eq!(own, set, "after {step} steps");
        }
        assert!(matches!(members, Members::Many(_)));
    }
}
