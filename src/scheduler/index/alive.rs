//! The nodes that are left while filters take some away.

use crate::scheduler::Operator;

use super::node_set::{Members, NodeSet};

/// The nodes that have passed so far.
#[derive(Debug)]
pub(super) struct Alive {
    positions: usize,
    /// `None` is every node, so that requests that ask for nothing special cost nothing.
    set: Option<NodeSet>,
    /// Sets to be used again, so that decisions do not allocate.
    spare: Spare,
}

/// Sets that nobody needs now.
pub(super) type Spare = Vec<NodeSet>;

impl Alive {
    /// Every node, with sets that may be used.
    pub(super) fn everybody(positions: usize, spare: Spare) -> Alive {
        let set = None;
        Alive { positions, set, spare }
    }

    /// Hands back the sets.
    pub(super) fn retire(mut self) -> Spare {
        self.spare.extend(self.set);
        self.spare
    }

    /// An empty set, for as long as a filter needs one.
    pub(super) fn borrow_none(&mut self) -> NodeSet {
        let mut set = self.spare.pop().unwrap_or_default();
        set.become_none(self.positions);
        set
    }

    /// Takes back what was borrowed.
    pub(super) fn give_back(&mut self, set: NodeSet) {
        self.spare.push(set);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set.as_ref().map_or(self.positions == 0, NodeSet::is_empty)
    }

    /// The set; `None` is every node.
    pub(super) fn set(&self) -> Option<&NodeSet> {
        self.set.as_ref()
    }

    pub(super) fn len(&self) -> usize {
        self.set.as_ref().map_or(self.positions, NodeSet::len)
    }

    /// The position of the node with this number, from 0, in tie order.
    pub(super) fn nth(&self, number: usize) -> Option<usize> {
        match &self.set {
            Some(set) => set.nth(number),
            None => (number < self.positions).then_some(number),
        }
    }

    pub(super) fn keep(&mut self, others: &NodeSet) {
        match &mut self.set {
            Some(set) => set.intersect(others),
            None => {
                let mut set = self.spare.pop().unwrap_or_default();
                set.become_copy(others);
                self.set = Some(set);
            }
        }
    }

    pub(super) fn drop(&mut self, others: &NodeSet) {
        self.as_set().subtract(others);
    }

    pub(super) fn drop_members(&mut self, members: &Members) {
        match members {
            Members::Many(set) => self.drop(set),
            Members::Few(list) if list.is_empty() => {}
            Members::Few(list) => {
                let set = self.as_set();
                list.iter().for_each(|position| set.remove(*position as usize));
            }
        }
    }

    pub(super) fn drop_one(&mut self, position: usize) {
        self.as_set().remove(position);
    }

    pub(super) fn keep_only(&mut self, listed: impl IntoIterator<Item = usize>) {
        let mut kept = self.borrow_none();
        for position in listed {
            if self.set.as_ref().is_none_or(|set| set.contains(position)) {
                kept.insert(position);
            }
        }
        let before = self.set.replace(kept);
        self.spare.extend(before);
    }

    /// Keeps those that match, or drops them, as the operator of an expression says.
    pub(super) fn apply(&mut self, operator: Operator, matching: &Members) {
        match (operator, matching) {
            (Operator::NotEqual, _) => self.drop_members(matching),
            (Operator::Equal, Members::Many(set)) => self.keep(set),
            (Operator::Equal, Members::Few(list)) => self.keep_only(list.iter().map(|position| *position as usize)),
        }
    }

    pub(super) fn nobody(&mut self) {
        self.keep_only([]);
    }

    pub(super) fn retain(&mut self, admit: impl FnMut(usize) -> bool) {
        self.as_set().retain(admit);
    }

    fn as_set(&mut self) -> &mut NodeSet {
        let (spare, positions) = (&mut self.spare, self.positions);
        self.set.get_or_insert_with(|| {
            let mut set = spare.pop().unwrap_or_default();
            set.become_all(positions);
            set
        })
    }
}
