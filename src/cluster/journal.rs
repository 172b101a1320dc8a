//! Which nodes changed lately, so that whoever keeps something derived from nodes can bring it up to date.

use crate::model::NodeIdx;

/// Changes kept before the oldest half is forgotten.
const CAPACITY: usize = 1 << 16;

/// A bounded list of node changes. A change's number is its revision.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    /// Revision of the first entry.
    first: u64,
    entries: Vec<NodeIdx>,
}

impl Journal {
    pub(super) fn record(&mut self, node: NodeIdx) {
        if self.entries.len() == CAPACITY {
            self.entries.drain(..CAPACITY / 2);
            self.first += (CAPACITY / 2) as u64;
        }
        self.entries.push(node);
    }

    pub(super) fn revision(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The nodes changed since `revision`, oldest first and with repetitions; `None` if that is forgotten.
    pub(super) fn since(&self, revision: u64) -> Option<&[NodeIdx]> {
        let skip = usize::try_from(revision.checked_sub(self.first)?).ok()?;
        self.entries.get(skip..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_said_to_be() {
        let mut journal = Journal::default();
        for number in 0..CAPACITY as u32 {
            journal.record(NodeIdx(number));
        }
        assert_eq!(journal.since(0).map(<[_]>::len), Some(CAPACITY));
        journal.record(NodeIdx(7));
        assert_eq!(journal.since(0), None);
        assert_eq!(journal.since(CAPACITY as u64), Some(&[NodeIdx(7)][..]));
        assert_eq!(journal.since(journal.revision()), Some(&[][..]));
        assert_eq!(journal.since(journal.revision() + 1), None);
    }
}
